#include "proportion.h"

#include <math.h>
#include <stdbool.h>

/* The pooled z-test */

static double z_test(double a, double n, double b, double m)
{
    const double pooled = (a + b) / (n + m);
    const double deviation = sqrt(pooled * (1 - pooled) * (1 / n + 1 / m));
    return erfc(fabs(a / n - b / m) / deviation * M_SQRT1_2);
}

/* Fisher's test: with all sums given, the first count k has a hypergeometric distribution. */
struct table {
    double first, second;   /* rows on either side */
    double hits;            /* on both */
    double least, most;     /* k can be */
    double log_denominator; /* of its probability */
};

static double log_choose(double n, double k)
{
    int sign;
    return lgamma_r(n + 1, &sign) - lgamma_r(k + 1, &sign) - lgamma_r(n - k + 1, &sign);
}

static double log_probability(const struct table *table, double k)
{
    return log_choose(table->first, k) + log_choose(table->second, table->hits - k) -
           table->log_denominator;
}

/* The probability of k + 1 over that of k. */
static double ratio_up(const struct table *table, double k)
{
    return (table->first - k) / (k + 1) * (table->hits - k) / (table->second - table->hits + k + 1);
}

/* The sum of probabilities from k outwards, away from the mode, where each term is smaller than the
 * one before. */
static double tail(const struct table *table, double k, bool upwards)
{
    double term = exp(log_probability(table, k)), sum = 0;
    while (term > sum * 0x1p-53 && term > 0) {
        sum += term;
        if (k == (upwards ? table->most : table->least))
            break;
        term = upwards ? term * ratio_up(table, k) : term / ratio_up(table, k - 1);
        k += upwards ? 1 : -1;
    }
    return sum;
}

/* The tail beyond the mode whose probabilities do not exceed limit; 0 when there is none. Towards
 * the mode they grow: the place is found by halving. */
static double other_tail(const struct table *table, double mode, double limit, bool upwards)
{
    const double end = upwards ? table->most : table->least;
    if (log_probability(table, end) > limit)
        return 0;
    double inside = mode, outside = end; /* above the limit; not above it */
    while (fabs(outside - inside) > 1) {
        const double middle = floor((inside + outside) / 2);
        if (log_probability(table, middle) > limit)
            inside = middle;
        else
            outside = middle;
    }
    return tail(table, outside, upwards);
}

/* Equal probabilities may differ in their last bits. */
#define LOG_TOLERANCE 1e-7

static double exact_test(double a, double n, double b, double m)
{
    struct table table = {.first = n, .second = m, .hits = a + b};
    table.least = fmax(0, table.hits - m);
    table.most = fmin(table.hits, n);
    table.log_denominator = log_choose(n + m, table.hits);
    const double mode = floor((n + 1) * (table.hits + 1) / (n + m + 2));
    const double limit = log_probability(&table, a) + LOG_TOLERANCE;
    if (log_probability(&table, mode) <= limit)
        return 1;
    const bool upwards = a > mode;
    const double p = tail(&table, a, upwards) + other_tail(&table, mode, limit, !upwards);
    return fmin(p, 1);
}

static bool is_large(double a, double n, double b, double m)
{
    const double hits = a + b, misses = n + m - hits;
    return fmin(hits, misses) * fmin(n, m) / (n + m) >= PROPORTION_EXPECTED_MIN;
}

double proportion_p(uint64_t a, uint64_t n, uint64_t b, uint64_t m)
{
    if (n == 0 || m == 0)
        return 1;
    return is_large((double)a, (double)n, (double)b, (double)m)
               ? z_test((double)a, (double)n, (double)b, (double)m)
               : exact_test((double)a, (double)n, (double)b, (double)m);
}
