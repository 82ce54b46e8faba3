/* Shifted firing rates: told when they are there, and hardly ever when they are not. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counted.h"
#include "model/model.h"
#include "randoms.h"
#include "stats/drift.h"

static const struct drift_options defaults = {DRIFT_ALPHA_DEFAULT, DRIFT_MIN_SHIFT_DEFAULT, 1000};

/* Counters written by hand */

static void find(struct drift *drift, struct counted *baseline, const struct counted *now,
                 const struct drift_options *options)
{
    cr_assert(drift_find(drift, &baseline->net.arena, &baseline->counters, &now->counters, options,
                         NULL) == STATUS_OK);
}

static void open_counted(struct counted *counted, uint64_t rows)
{
    counted_open(counted, STATS_counts);
    counted_rows(counted, rows);
    for (size_t layer = 0; layer < COUNTED_LAYERS; layer++)
        for (size_t unit = 0; unit < counted->net.plan.layers[layer].units; unit++)
            counted_unit(counted, layer, unit, rows / 2, 0, 0, 0);
}

Test(drift, the_same_counts_are_none)
{
    struct counted a, b;
    struct drift drift;
    open_counted(&a, 2000);
    open_counted(&b, 2000);
    find(&drift, &a, &b, &defaults);
    cr_assert(drift.shifted == 0 && drift.units == 15 && drift_decided(&drift));
    for (size_t layer = 0; layer < COUNTED_LAYERS; layer++)
        cr_assert(drift.layers[layer].mean_shift == 0 && drift.layers[layer].p[0] == 1);
    counted_close(&a);
    counted_close(&b);
}

/* Holm by hand: the smallest of 15 p-values times 15, the next times 14; the third times 13 would
 * be less than that. */
Test(drift, p_values_are_adjusted)
{
    struct counted a, b;
    struct drift drift;
    open_counted(&a, 10000);
    open_counted(&b, 10000);
    counted_unit(&b, 0, 3, 5300, 0, 0, 0);
    counted_unit(&b, 1, 2, 4800, 0, 0, 0);
    counted_unit(&b, 2, 1, 5199, 0, 0, 0);
    find(&drift, &a, &b, &defaults);
    const double z3 = 0.03 / sqrt(0.515 * 0.485 * 2e-4), z2 = 0.02 / sqrt(0.49 * 0.51 * 2e-4);
    cr_assert_float_eq(drift.layers[0].p[3], 15 * erfc(z3 * M_SQRT1_2), 1e-12);
    cr_assert_float_eq(drift.layers[1].p[2], 14 * erfc(z2 * M_SQRT1_2), 1e-12);
    cr_assert_float_eq(drift.layers[2].p[1], 14 * erfc(z2 * M_SQRT1_2), 1e-12);
    cr_assert(drift.shifted == 1 && drift_holds(&drift, 0, 3) && !drift_holds(&drift, 1, 2));
    cr_assert(drift.layers[0].largest == 3 && drift.layers[0].shifted == 1);
    cr_assert_float_eq(drift.layers[0].mean_shift, 0.03 / 8, 1e-15);
    counted_close(&a);
    counted_close(&b);
}

Test(drift, small_shifts_are_not_told)
{
    struct counted a, b;
    struct drift drift;
    struct drift_options options = defaults;
    open_counted(&a, 10000000);
    open_counted(&b, 10000000);
    counted_unit(&b, 0, 3, 5090000, 0, 0, 0);
    find(&drift, &a, &b, &defaults);
    cr_assert(drift.layers[0].p[3] < 1e-9 && drift.shifted == 0);
    options.min_shift = 0.009;
    find(&drift, &a, &b, &options);
    cr_assert_eq(drift.shifted, 1);
    counted_close(&a);
    counted_close(&b);
}

/* Positions of one row count as that row's share, not as rows of their own. */
Test(drift, positions_are_no_rows)
{
    struct counted a, b;
    struct drift drift;
    open_counted(&a, 100);
    open_counted(&b, 100);
    for (size_t unit = 0; unit < 8; unit++) {
        counted_unit(&a, 0, unit, 50 * 1000, 0, 0, 0);
        counted_unit(&b, 0, unit, 45 * 1000, 0, 0, 0);
    }
    a.counters.layers[0].observations = b.counters.layers[0].observations = 100 * 1000;
    find(&drift, &a, &b, &defaults);
    cr_assert(drift.shifted == 0 && drift.layers[0].p[0] > 0.5);
    cr_assert_float_eq(drift.layers[0].mean_shift, 0.05, 1e-12);
    cr_assert(!drift_decided(&drift));
    counted_close(&a);
    counted_close(&b);
}

Test(drift, without_rows_nothing_has_shifted)
{
    struct counted a, b;
    struct drift drift;
    struct text text = {.bytes = NULL};
    open_counted(&a, 1000);
    open_counted(&b, 0);
    find(&drift, &a, &b, &defaults);
    cr_assert(drift.shifted == 0 && isnan(drift.layers[0].mean_shift) && !drift_decided(&drift));
    text_put(&text, "{");
    drift_write(&text, &drift);
    text_put(&text, "}");
    json_t *json = json_loadb(text.bytes, text.count, JSON_REJECT_DUPLICATES, NULL);
    cr_assert(json && json_array_size(json_object_get(json, "layers")) == COUNTED_LAYERS);
    json_decref(json);
    text_free(&text);
    counted_close(&a);
    counted_close(&b);
}

/* The digits: which units each row makes fire is computed once, then counted for any rows. */

enum { ROWS = 1797, PIXELS = 64, UNITS = 192 };

struct digits {
    struct model model;
    float pixels[ROWS * PIXELS], inverted[ROWS * PIXELS];
    bool fires[2][ROWS][UNITS]; /* as they are, inverted */
};

static void run_rows(struct digits *digits, const float *x, bool fires[ROWS][UNITS])
{
    struct session session;
    const struct plan *plan = &digits->model.plan;
    cr_assert(session_open(&session, plan, kernels_select("auto", NULL), STATS_counts, ROWS,
                           NULL) == STATUS_OK);
    session_bind(&session, 0, x);
    session_begin(&session, ROWS);
    session_advance(&session, UINT64_MAX);
    for (size_t row = 0; row < ROWS; row++)
        for (size_t layer = 0, at = 0; layer < plan->layer_count; layer++)
            for (size_t unit = 0; unit < plan->layers[layer].units; unit++, at++)
                fires[row][at] = session_bits(&session, layer, row)[unit / 64] >> unit % 64 & 1;
    session_close(&session);
}

static struct digits *open_digits(void)
{
    struct digits *digits = calloc(1, sizeof *digits);
    const struct model_options options = {.level = STATS_full};
    struct error error;
    cr_assert(model_open(&digits->model, "models/digits", &options, &error) == STATUS_OK, "%s",
              error.message);
    FILE *file = fopen("models/digits/digits.csv", "r");
    for (size_t i = 0; i < ROWS * PIXELS; i++) {
        cr_assert_eq(fscanf(file, "%f%*c", &digits->pixels[i]), 1);
        digits->inverted[i] = 16 - digits->pixels[i];
    }
    fclose(file);
    run_rows(digits, digits->pixels, digits->fires[0]);
    run_rows(digits, digits->inverted, digits->fires[1]);
    return digits;
}

static void close_digits(struct digits *digits)
{
    model_close(&digits->model);
    free(digits);
}

static void count_row(struct counters *counters, const bool *fires)
{
    counters->samples++;
    for (size_t layer = 0; layer < counters->plan->layer_count; layer++) {
        counters->layers[layer].observations++;
        for (size_t unit = 0; unit < counters->plan->layers[layer].units; unit++)
            counters->layers[layer].active[unit] += *fires++;
    }
}

static void shuffle(struct randoms *random, size_t order[ROWS])
{
    for (size_t i = ROWS - 1; i > 0; i--) {
        const size_t j = random_between(random, 0, i);
        const size_t swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
}

/* Counts the first of the shuffled rows on one side, the others on the other, and compares. */
static size_t shifts_between(const struct digits *digits, const size_t order[ROWS], size_t first,
                             double alpha)
{
    struct arena arena;
    struct counters sides[2];
    struct drift drift;
    const struct drift_options options = {.alpha = alpha};
    arena_init(&arena, 1 << 24);
    for (size_t i = 0; i < 2; i++)
        cr_assert(counters_init(&sides[i], &arena, &digits->model.plan, STATS_counts, NULL) ==
                  STATUS_OK);
    for (size_t i = 0; i < ROWS; i++)
        count_row(&sides[i >= first], digits->fires[0][order[i]]);
    cr_assert(drift_find(&drift, &arena, &sides[0], &sides[1], &options, NULL) == STATUS_OK);
    arena_free(&arena);
    return drift.shifted;
}

/* Parts of one data set, shuffled a hundred times: not more alarms than alpha allows, with no help
 * from min_shift. Halves have symmetric tails; a tenth against the rest has not. */
Test(drift, false_alarms_stay_below_alpha)
{
    static const size_t firsts[] = {ROWS / 2, ROWS / 10};
    struct digits *digits = open_digits();
    struct randoms random = {20261121};
    size_t order[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        order[i] = i;
    for (size_t f = 0; f < 2; f++) {
        size_t alarms[2] = {0, 0};
        for (size_t run = 0; run < 100; run++) {
            shuffle(&random, order);
            alarms[0] += shifts_between(digits, order, firsts[f], 0.05) > 0;
            alarms[1] += shifts_between(digits, order, firsts[f], 0.01) > 0;
        }
        cr_assert(alarms[0] <= 5 && alarms[1] <= 1, "%zu of 100 at 5 %%, %zu at 1 %%", alarms[0],
                  alarms[1]);
    }
    close_digits(digits);
}

/* So many rows, of which so many are inverted, make so many units shift at least. */
Test(drift, inverted_pixels_are_told_at_once)
{
    static const size_t cases[][3] = {{50, 50, 50}, {1000, 1000, 150}, {1000, 100, 20}};
    struct digits *digits = open_digits();
    for (size_t i = 0; i < 3; i++) {
        struct arena arena;
        struct counters baseline, now;
        struct drift drift;
        arena_init(&arena, 1 << 24);
        counters_init(&baseline, &arena, &digits->model.plan, STATS_counts, NULL);
        counters_init(&now, &arena, &digits->model.plan, STATS_counts, NULL);
        for (size_t row = 0; row < ROWS; row++)
            count_row(&baseline, digits->fires[0][row]);
        for (size_t row = 0; row < cases[i][0]; row++)
            count_row(&now, digits->fires[row < cases[i][1]][row]);
        cr_assert(drift_find(&drift, &arena, &baseline, &now, &defaults, NULL) == STATUS_OK);
        cr_assert(drift.shifted > cases[i][2], "%zu units", drift.shifted);
        arena_free(&arena);
    }
    close_digits(digits);
}
