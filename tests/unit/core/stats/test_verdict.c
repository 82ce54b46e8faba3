/* What is said of units, on counters written by hand. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "counted.h"
#include "stats/verdict.h"

static struct layer_view view_of(const struct counted *counted, size_t layer)
{
    return (struct layer_view){&counted->net.plan.layers[layer], &counted->counters.layers[layer],
                               counted->counters.samples};
}

/* Whether the verdict holds for exactly the units whose bits are set. */
static void expect(const struct counted *counted, size_t layer, enum verdict verdict, double tau,
                   unsigned units)
{
    const struct layer_view view = view_of(counted, layer);
    const double mean = layer_mean_magnitude(&view);
    for (size_t unit = 0; unit < view.layer->units; unit++)
        cr_assert(verdict_holds(verdict, &view, unit, tau, mean) == (units >> unit & 1),
                  "layer %zu, %s, unit %zu", layer, verdict_name(verdict), unit);
}

Test(verdict, names_are_those_of_the_api)
{
    static const char *const names[] = {"dead",      "silent",     "dormant",  "rare",
                                        "always_on", "stuck_high", "saturated"};
    for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++)
        cr_assert_str_eq(verdict_name(verdict), names[verdict]);
}

/* The README's table has a line for each, which ends with its source. */
Test(verdict, the_readme_names_the_sources)
{
    char line[1024], wanted[256], name[64];
    FILE *readme = fopen("README.md", "r");
    cr_assert(readme != NULL);
    for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        bool found = false;
        rewind(readme);
        snprintf(name, sizeof name, "| `%s` |", verdict_name(verdict));
        snprintf(wanted, sizeof wanted, "| %s |", verdict_source(verdict));
        while (!found && fgets(line, sizeof line, readme))
            found = strstr(line, name) == line && strstr(line, wanted);
        cr_assert(found, "%s", verdict_name(verdict));
    }
    fclose(readme);
}

/* relu: never active is dead; leaky_relu: silent; prelu: as its slope is. */
Test(verdict, dead_passes_no_gradient_and_silent_does)
{
    struct counted counted;
    counted_open(&counted, STATS_counts);
    counted_rows(&counted, 1000);
    for (size_t unit = 1; unit < 8; unit++)
        counted_unit(&counted, 0, unit, unit, 0, 0, 0);
    counted_unit(&counted, 1, 2, 1000, 0, 0, 0);
    expect(&counted, 0, VERDICT_dead, 0, 0x01);
    expect(&counted, 0, VERDICT_silent, 0, 0x00);
    expect(&counted, 1, VERDICT_dead, 0, 0x0);
    expect(&counted, 1, VERDICT_silent, 0, 0xB);
    expect(&counted, 2, VERDICT_dead, 0, 0x1);
    expect(&counted, 2, VERDICT_silent, 0, 0x6);
    counted_close(&counted);
}

/* Less than 1 %, and more than never. */
Test(verdict, rare_fires_in_less_than_one_percent)
{
    static const uint64_t counts[8] = {0, 1, 9, 10, 11, 999, 1000, 5};
    struct counted counted;
    counted_open(&counted, STATS_counts);
    counted_rows(&counted, 1000);
    for (size_t unit = 0; unit < 8; unit++)
        counted_unit(&counted, 0, unit, counts[unit], 0, 0, 0);
    expect(&counted, 0, VERDICT_rare, 0, 0x86);
    expect(&counted, 0, VERDICT_always_on, 0, 0x40);
    counted_close(&counted);
}

Test(verdict, one_percent_is_not_less_whatever_the_count)
{
    struct counted counted;
    counted_open(&counted, STATS_counts);
    for (uint64_t hundreds = 1; hundreds < 5000; hundreds++) {
        counted_rows(&counted, 100 * hundreds);
        counted_unit(&counted, 0, 0, hundreds, 0, 0, 0);
        counted_unit(&counted, 0, 1, hundreds - 1, 0, 0, 0);
        const struct layer_view view = view_of(&counted, 0);
        if (verdict_holds(VERDICT_rare, &view, 0, 0, 0) ||
            verdict_holds(VERDICT_rare, &view, 1, 0, 0) != (hundreds > 1))
            cr_assert_fail("%zu of %zu", (size_t)hundreds, (size_t)(100 * hundreds));
    }
    counted_close(&counted);
}

/* The layer's mean of E|h| is 1: scores are the magnitudes themselves. */
Test(verdict, dormant_is_at_most_tau_of_the_mean)
{
    static const double magnitudes[8] = {0, 0.025, 0.0250001, 0.125, 0.5, 1.5, 2.8249999, 3};
    struct counted counted;
    counted_open(&counted, STATS_full);
    counted_rows(&counted, 64);
    for (size_t unit = 0; unit < 8; unit++)
        counted_unit(&counted, 0, unit, unit, magnitudes[unit], magnitudes[unit], 0);
    const struct layer_view view = view_of(&counted, 0);
    cr_assert_float_eq(layer_mean_magnitude(&view), 1, 1e-12);
    expect(&counted, 0, VERDICT_dormant, 0, 0x01);
    expect(&counted, 0, VERDICT_dormant, VERDICT_TAU_DEFAULT + 1e-9, 0x03);
    expect(&counted, 0, VERDICT_dormant, 0.13, 0x0F);
    expect(&counted, 0, VERDICT_dead, 0.13, 0x01);
    counted_close(&counted);
}

/* E|h|, not |E h|: outputs of both signs do not cancel. */
Test(verdict, dormant_looks_at_magnitudes)
{
    struct counted counted;
    counted_open(&counted, STATS_full);
    counted_rows(&counted, 10);
    for (size_t unit = 0; unit < 4; unit++)
        counted_unit(&counted, 1, unit, 5, 0, unit == 3 ? 0 : 2, 0);
    const struct layer_view view = view_of(&counted, 1);
    cr_assert_float_eq(layer_mean_magnitude(&view), 1.5, 1e-12);
    expect(&counted, 1, VERDICT_dormant, VERDICT_TAU_DEFAULT, 0x8);
    counted_close(&counted);
}

Test(verdict, dormant_needs_level_full)
{
    struct counted counted;
    counted_open(&counted, STATS_counts);
    counted_rows(&counted, 10);
    const struct layer_view view = view_of(&counted, 0);
    cr_assert(isnan(layer_mean_magnitude(&view)));
    expect(&counted, 0, VERDICT_dormant, 1, 0);
    counted_close(&counted);
}

/* A dense layer of two units, of which unit 0 was in its function's tails so often in 1000 rows. */
static void check_tails(const char *function, uint64_t low, uint64_t high, bool stuck_high,
                        bool saturated)
{
    struct net net;
    struct counters counters;
    net_init(&net, 1);
    net_chain(&net, 2, (const size_t[]){3, 2}, (const char *const[]){function});
    cr_assert(counters_init(&counters, &net.arena, &net.plan, STATS_counts, NULL) == STATUS_OK);
    struct layer_view view = {&net.plan.layers[0], &counters.layers[0], 1000};
    counters.layers[0].observations = 1000;
    cr_assert((counters.layers[0].low != NULL) == activation_tailed(&view.layer->node->activation));
    if (counters.layers[0].low) {
        counters.layers[0].low[0] = low;
        counters.layers[0].high[0] = high;
    }
    cr_assert(verdict_holds(VERDICT_stuck_high, &view, 0, 0, 0) == stuck_high, "%s", function);
    cr_assert(verdict_holds(VERDICT_saturated, &view, 0, 0, 0) == saturated, "%s", function);
    cr_assert(!verdict_holds(VERDICT_stuck_high, &view, 1, 0, 0));
    cr_assert(!verdict_holds(VERDICT_saturated, &view, 1, 0, 0));
    net_free(&net);
}

Test(verdict, stuck_high_is_always_at_the_upper_bound)
{
    check_tails("relu6", 0, 1000, true, false);
    check_tails("relu6", 0, 999, false, false);
    check_tails("clip(min=-1,max=1)", 0, 1000, true, false);
    check_tails("hard_sigmoid", 0, 1000, true, true);
    check_tails("hard_sigmoid(alpha=-0.2)", 0, 1000, false, true);
    check_tails("sigmoid", 0, 1000, false, true);
    check_tails("relu", 0, 1000, false, false);
}

Test(verdict, saturated_is_in_a_flat_tail_99_times_of_100)
{
    check_tails("sigmoid", 495, 495, false, true);
    check_tails("sigmoid", 495, 494, false, false);
    check_tails("gelu", 990, 0, false, true);
    check_tails("hard_sigmoid", 1000, 0, false, true);
    check_tails("elu", 1000, 0, false, false);
    check_tails("leaky_relu", 1000, 0, false, false);
}

Test(verdict, a_margin_is_what_is_missing_to_the_threshold)
{
    struct net net;
    struct counters counters;
    net_init(&net, 1);
    net_chain(&net, 2, (const size_t[]){3, 3}, (const char *const[]){"thresholded_relu"});
    cr_assert(counters_init(&counters, &net.arena, &net.plan, STATS_full, NULL) == STATUS_OK);
    struct layer_view view = {&net.plan.layers[0], &counters.layers[0], 4};
    cr_assert(isnan(unit_margin(&view, 0)), "nothing was seen yet");
    counters.layers[0].observations = 4;
    counters.layers[0].max[0] = -0.75f;
    counters.layers[0].max[1] = 3;
    counters.layers[0].active[1] = 1;
    cr_assert(unit_margin(&view, 0) == 1.75 && isnan(unit_margin(&view, 1)));
    cr_assert(unit_margin(&view, 2) == INFINITY, "every pre-activation was NaN");
    net_free(&net);
}

Test(verdict, before_the_first_row_nobody_is_anything)
{
    struct counted counted;
    counted_open(&counted, STATS_full);
    const struct layer_view view = view_of(&counted, 0);
    for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++)
        for (size_t layer = 0; layer < COUNTED_LAYERS; layer++)
            expect(&counted, layer, verdict, 1, 0);
    cr_assert(isnan(layer_sparsity(&view)) && isnan(layer_mean_magnitude(&view)));
    counted_close(&counted);
}

Test(verdict, from_the_first_row_on_they_are_given)
{
    struct counted counted;
    counted_open(&counted, STATS_counts);
    counted_rows(&counted, 1);
    counted_unit(&counted, 0, 4, 1, 0, 0, 0);
    expect(&counted, 0, VERDICT_dead, 0, 0xEF);
    expect(&counted, 0, VERDICT_always_on, 0, 0x10);
    expect(&counted, 0, VERDICT_rare, 0, 0);
    counted_close(&counted);
}

Test(verdict, sparsity_is_the_share_of_inactive_observations)
{
    struct counted counted;
    counted_open(&counted, STATS_counts);
    counted_rows(&counted, 100);
    const struct layer_view view = view_of(&counted, 0);
    cr_assert(layer_sparsity(&view) == 1);
    for (size_t unit = 0; unit < 8; unit++)
        counted_unit(&counted, 0, unit, unit < 6 ? 50 : 0, 0, 0, 0);
    cr_assert_float_eq(layer_sparsity(&view), 1 - 300.0 / 800, 1e-15);
    counted_close(&counted);
}

/* 1 - 0.05^(1/n): with the rate p = bound, n rows without activity have probability 5 %. */
Test(verdict, the_upper_bound_is_that_of_five_percent)
{
    cr_assert(rate_upper_95(0) == 1);
    cr_assert_float_eq(rate_upper_95(1), 0.95, 1e-15);
    for (uint64_t n = 1; n < 1000000; n = n * 3 + 1) {
        cr_assert_float_eq(pow(1 - rate_upper_95(n), (double)n), 0.05, 1e-8, "n %zu", (size_t)n);
        cr_assert_float_eq(rate_upper_95(n), 1 - pow(0.05, 1 / (double)n), 1e-15);
    }
    const double huge = rate_upper_95((uint64_t)1 << 60);
    cr_assert(huge > 0 && fabs(huge * 0x1p60 - 2.995732273553991) < 1e-12, "%g", huge);
}
