/* Intervals against what they hold: every function's kernels, and single roundings. */
#include <criterion/criterion.h>
#include <math.h>

#include "functions.h"
#include "isas.h"
#include "nets.h"
#include "stats/interval.h"

enum { POINTS = 64, INTERVALS = 300 };

/* Of any size and place, often with an end at 0 or at one of the function's parameters. */
static struct interval draw(struct randoms *random, const struct activation *activation)
{
    static const float scales[] = {0.01f, 1, 1, 4, 4, 20, 100, 1e-40f, 1e30f};
    const float scale = scales[random_between(random, 0, 8)];
    const float ends[4] = {0, activation->parameters[0], activation->parameters[1], 1};
    float a = scale * random_plain(random), b = scale * random_plain(random);
    if (random_between(random, 0, 2) == 0)
        a = ends[random_between(random, 0, 3)];
    return (struct interval){(double)fminf(a, b), (double)fmaxf(a, b)};
}

static void check_function(const struct kernels *kernels, const char *function)
{
    const struct activation activation = net_parse(function);
    const struct activation_rule rule = activation_rule(&activation);
    struct randoms random = {31};
    for (size_t i = 0; i < INTERVALS; i++) {
        const struct interval z = draw(&random, &activation);
        const struct interval h = interval_activate(&activation, 0, z);
        float y[POINTS];
        for (size_t p = 0; p < POINTS; p++) {
            const double share = p < 2 ? (double)p : ((double)random_plain(&random) + 1) / 2;
            y[p] = (float)fmin(z.high, fmax(z.low, z.low + share * (z.high - z.low)));
        }
        kernels->activate(&(struct epilogue){.rule = &rule}, 1, POINTS, y, POINTS);
        for (size_t p = 0; p < POINTS; p++)
            if (isfinite(y[p]) ? !interval_holds(h, (double)y[p]) : interval_bounded(h))
                cr_assert_fail("%s: %s of [%.9g, %.9g] is %.9g, not in [%.17g, %.17g]",
                               kernels->name, function, z.low, z.high, (double)y[p], h.low, h.high);
    }
}

static void check_functions(const struct kernels *kernels)
{
    for (size_t i = 0; i < FUNCTION_COUNT; i++)
        check_function(kernels, functions[i]);
}

Test(interval, of_a_function_holds_what_kernels_compute)
{
    for_each_isa(check_functions);
}

Test(interval, rounding_moves_outward_and_not_past_zero)
{
    struct randoms random = {3};
    for (size_t i = 0; i < 100000; i++) {
        const double x = ldexp((double)random_plain(&random) * (1 + 0x1p-30),
                               (int)random_between(&random, 0, 300) - 160);
        const struct interval rounded = interval_round((struct interval){x, x});
        if (!interval_holds(rounded, (double)(float)x) || (rounded.low < 0) != (x < 0))
            cr_assert_fail("%a is not in [%a, %a]", x, rounded.low, rounded.high);
    }
    const struct interval zero = interval_round((struct interval){0, 0});
    cr_assert(zero.low == 0 && zero.high == 0);
    const struct interval large = interval_round((struct interval){-1e39, 1e39});
    cr_assert(!interval_bounded(large));
}

Test(interval, products_and_quotients_have_four_corners)
{
    struct interval x = interval_multiply((struct interval){-2, 3}, (struct interval){-5, 1});
    cr_assert(x.low == -15 && x.high == 10);
    x = interval_divide((struct interval){-2, 3}, (struct interval){0.5, 4});
    cr_assert(x.low == -4 && x.high == 6);
    x = interval_divide((struct interval){-2, 3}, (struct interval){-1, 4});
    cr_assert(x.low == -INFINITY && x.high == INFINITY);
    x = interval_multiply((struct interval){0, 1}, interval_all);
    cr_assert(x.low == -INFINITY && x.high == INFINITY, "0 times infinity is unknown");
}
