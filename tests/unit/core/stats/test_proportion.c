/* Two shares compared: against published values, plain sums and each other. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>

#include "stats/proportion.h"

/* The tea-tasting lady, and convictions of twins, both Fisher's; p-values as R's fisher.test has
 * them. */
Test(proportion, fishers_own_examples)
{
    cr_assert_float_eq(proportion_p(3, 4, 1, 4), 0.4857142857142857, 1e-12);
    cr_assert_float_eq(proportion_p(10, 13, 2, 17), 0.0005367241, 1e-10);
}

static long double choose(unsigned n, unsigned k)
{
    long double value = 1;
    for (unsigned i = 0; i < k; i++)
        value = value * (n - i) / (i + 1);
    return value;
}

/* The definition: the sum over all tables that are as probable or less. */
static double plain_sum(unsigned a, unsigned n, unsigned b, unsigned m)
{
    const unsigned hits = a + b, least = hits > m ? hits - m : 0, most = hits < n ? hits : n;
    const long double seen = choose(n, a) * choose(m, b);
    long double sum = 0;
    for (unsigned k = least; k <= most; k++) {
        const long double weight = choose(n, k) * choose(m, hits - k);
        sum += weight <= seen * (1 + 1e-7L) ? weight : 0;
    }
    return (double)(sum / choose(n + m, hits));
}

Test(proportion, is_the_plain_sum_for_all_small_tables)
{
    for (unsigned n = 1; n < 14; n++)
        for (unsigned m = 1; m < 18; m++)
            for (unsigned a = 0; a <= n; a++)
                for (unsigned b = 0; b <= m; b++) {
                    const double p = proportion_p(a, n, b, m), expected = plain_sum(a, n, b, m);
                    if (!(fabs(p - expected) <= 1e-10 * expected))
                        cr_assert_fail("%u/%u, %u/%u: %.15g is not %.15g", a, n, b, m, p, expected);
                }
}

Test(proportion, is_the_plain_sum_for_larger_tables)
{
    static const unsigned cases[][4] = {{0, 1000, 20, 1000},
                                        {3, 900, 40, 1100},
                                        {500, 1000, 5, 8},
                                        {999, 1000, 1, 9},
                                        {60, 1000, 90, 900}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const unsigned *c = cases[i];
        const double p = proportion_p(c[0], c[1], c[2], c[3]);
        cr_assert_float_eq(p / plain_sum(c[0], c[1], c[2], c[3]), 1, 1e-8, "case %zu", i);
    }
}

/* z = (0.5 - 0.52) / sqrt(0.51 * 0.49 * 2 / 10000) = -2.829; its tails by the normal integral. */
Test(proportion, many_rows_are_compared_by_z)
{
    const double z = 0.02 / sqrt(0.51 * 0.49 * 2 / 10000);
    cr_assert_float_eq(proportion_p(5000, 10000, 5200, 10000), erfc(z / sqrt(2)), 1e-12);
}

/* Where one test takes over from the other they agree within a factor of 3 down to 10^-6: of 20,400
 * hits 400 are expected on the smaller side, of one less they are not. */
Test(proportion, the_two_tests_meet)
{
    for (unsigned n = 2000; n < 10000; n += 500)
        for (unsigned extra = 10; extra < 100; extra += 10) {
            const double exact = proportion_p(400 + extra, n, 19999 - extra, 50 * n);
            const double z = proportion_p(400 + extra, n, 20000 - extra, 50 * n);
            cr_assert(exact != z && exact < 3 * z && z < 3 * exact, "n %u, %u: %g and %g", n, extra,
                      exact, z);
        }
}

Test(proportion, does_not_depend_on_sides_or_names)
{
    for (unsigned a = 0; a <= 40; a++)
        for (unsigned b = 0; b <= 60; b++) {
            const double p = proportion_p(a, 40, b, 60);
            cr_assert(p >= 0 && p <= 1);
            cr_assert_float_eq(proportion_p(b, 60, a, 40), p, 1e-10);
            cr_assert_float_eq(proportion_p(40 - a, 40, 60 - b, 60), p, 1e-10);
        }
}

Test(proportion, the_ends)
{
    cr_assert(proportion_p(0, 0, 5, 10) == 1 && proportion_p(5, 10, 0, 0) == 1);
    cr_assert(proportion_p(0, 1000000000, 0, 1000) == 1);
    cr_assert(proportion_p(1000, 1000, 1000000, 1000000) == 1);
    cr_assert(proportion_p(0, 100000, 100000, 100000) == 0);
    cr_assert(proportion_p(7, 7, 0, 1) < 1);
    const uint64_t large = (uint64_t)1 << 50;
    const double p = proportion_p(3, large, 4, large);
    cr_assert(p > 0.99 && p <= 1, "%g", p);
}
