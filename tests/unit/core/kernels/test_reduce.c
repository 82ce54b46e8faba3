/* softmax and log_softmax against double precision, in guarded buffers. Every check is made of
 * both.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "guarded.h"
#include "isas.h"
#include "panel.h"
#include "randoms.h"
#include "reference.h"

typedef void reduce_function(size_t rows, size_t n, const float *x, size_t x_stride, float *y,
                             size_t y_stride);

/* One of the two, as some kernels have it. */
struct subject {
    const char *kernels, *name;
    bool log;
    reduce_function *run;
};

static void for_both(void (*check)(const struct subject *subject))
{
    size_t count;
    const struct kernels *const *list = kernels_usable(&count);
    for (size_t i = 0; i < count; i++) {
        check(&(struct subject){list[i]->name, "softmax", false, list[i]->softmax});
        check(&(struct subject){list[i]->name, "log_softmax", true, list[i]->log_softmax});
    }
}

/* What the bounds in kernels.h speak of. */
struct row {
    size_t n;
    double max, sum, spread;
};

static struct row measure(size_t n, const float *x)
{
    struct row row = {n, -INFINITY, 0, 0};
    for (size_t i = 0; i < n; i++)
        row.max = fmax(row.max, (double)x[i]);
    for (size_t i = 0; i < n; i++) {
        const double d = row.max - (double)x[i];
        row.sum += exp(-d);
        row.spread += exp(-d) * d;
    }
    row.spread /= row.sum;
    return row;
}

static struct bounded softmax_of(const struct row *row, double x)
{
    const double d = row->max - x, y = exp(-d) / row->sum;
    return (struct bounded){y,
                            (d + row->spread + (double)row->n / 16 + 14) * 0x1p-24 * y + 0x1p-148};
}

static struct bounded log_softmax_of(const struct row *row, double x)
{
    const double d = row->max - x, n = (double)row->n;
    return (struct bounded){-d - log(row->sum),
                            (2 * d + row->spread + 2 * log(n) + n / 16 + 10) * 0x1p-24};
}

static void check_row(const struct subject *subject, size_t n, const float *x, const float *y)
{
    const struct row row = measure(n, x);
    for (size_t i = 0; i < n; i++) {
        const struct bounded expected =
            (subject->log ? log_softmax_of : softmax_of)(&row, (double)x[i]);
        const bool overflows = isinf((float)expected.value);
        if (overflows ? y[i] != (float)expected.value
                      : !(fabs((double)y[i] - expected.value) <= expected.bound))
            cr_assert_fail("%s: %s, n %zu: y[%zu] is %a, expected %a", subject->kernels,
                           subject->name, n, i, (double)y[i], expected.value);
    }
}

static void check_shape(const struct subject *subject, struct randoms *random, size_t rows,
                        size_t n, float scale)
{
    struct guarded memory = {.count = 0};
    const size_t padded = panel_padded(n);
    float *x = guarded_alloc(&memory, rows * n, sizeof *x);
    float *y = guarded_alloc(&memory, rows * padded, sizeof *y);
    random_floats(random, RANDOM_PLAIN, x, rows * n);
    for (size_t i = 0; i < rows * n; i++)
        x[i] *= scale;
    subject->run(rows, n, x, n, y, padded);
    for (size_t row = 0; row < rows; row++)
        check_row(subject, n, x + row * n, y + row * padded);
    guarded_free(&memory);
}

static void check_sizes(const struct subject *subject)
{
    static const float scales[] = {0x1p-140f, 0.01f, 3.0f, 40.0f, 200.0f, 1e4f, 3e38f};
    struct randoms random = {12};
    for (size_t n = 1; n <= 40; n++)
        for (size_t i = 0; i < sizeof scales / sizeof scales[0]; i++)
            check_shape(subject, &random, random_between(&random, 1, 5), n, scales[i]);
    check_shape(subject, &random, 500, 1000, 10.0f);
    check_shape(subject, &random, 5, 100003, 5.0f);
}

Test(softmax, agrees_with_double)
{
    for_both(check_sizes);
}

/* A row that holds NaN or +inf is NaN throughout; others are untouched. */
static void check_poison(const struct subject *subject)
{
    static const float poisons[] = {NAN, -NAN, INFINITY};
    for (size_t n = 1; n <= 40; n++) {
        for (size_t at = 0; at < n; at += 7) {
            float x[3 * 40] = {0}, y[3 * 48];
            x[n + at] = poisons[at % 3];
            subject->run(3, n, x, n, y, 48);
            for (size_t i = 0; i < n; i++)
                cr_assert(isnan(y[48 + i]) && y[i] == y[96 + i] && !isnan(y[i]),
                          "%s: %s, n %zu, poison at %zu: y[%zu]", subject->kernels, subject->name,
                          n, at, i);
        }
    }
}

Test(softmax, nan_and_infinity_poison_their_row)
{
    for_both(check_poison);
}

static void check_minus_infinity(const struct subject *subject)
{
    const float x[2 * 3] = {-INFINITY, 0.0f, 0.0f, -INFINITY, -INFINITY, -INFINITY};
    const float none = subject->log ? -INFINITY : 0.0f;
    const float both = subject->log ? -(float)M_LN2 : 0.5f;
    float y[2 * 16];
    subject->run(2, 3, x, 3, y, 16);
    cr_assert(y[0] == none && y[1] == both && y[2] == both, "%s: %s", subject->kernels,
              subject->name);
    cr_assert(isnan(y[16]) && isnan(y[17]) && isnan(y[18]), "%s: %s", subject->kernels,
              subject->name);
}

Test(softmax, minus_infinity_is_probability_zero)
{
    for_both(check_minus_infinity);
}

static void check_in_place(const struct subject *subject)
{
    struct randoms random = {13};
    for (size_t n = 1; n <= 40; n++) {
        float x[2 * 48], y[2 * 48];
        random_floats(&random, RANDOM_PLAIN, x, 2 * 48);
        subject->run(2, n, x, 48, y, 48);
        subject->run(2, n, x, 48, x, 48);
        cr_assert(memcmp(x, y, n * sizeof *x) == 0 && memcmp(x + 48, y + 48, n * sizeof *x) == 0,
                  "%s: %s, n %zu", subject->kernels, subject->name, n);
    }
}

Test(softmax, may_be_done_in_place)
{
    for_both(check_in_place);
}

static void check_same_row(reduce_function *a, reduce_function *b, size_t n, const float *x)
{
    float from_a[304], from_b[304];
    a(1, n, x, n, from_a, 304);
    b(1, n, x, n, from_b, 304);
    cr_assert(memcmp(from_a, from_b, n * sizeof *x) == 0, "n %zu", n);
}

static void check_same(const struct kernels *a, const struct kernels *b)
{
    struct randoms random = {14};
    for (size_t n = 1; n <= 300; n++) {
        float x[300];
        random_floats(&random, n % 3 ? RANDOM_PLAIN : RANDOM_FINITE, x, n);
        for (size_t i = 0; i < n; i++)
            x[i] *= (float)(n % 7 * 10);
        check_same_row(a->softmax, b->softmax, n, x);
        check_same_row(a->log_softmax, b->log_softmax, n, x);
    }
}

Test(softmax, bits_do_not_depend_on_the_instruction_set)
{
    for_each_other_isa(check_same);
}
