/* The bundled networks: how often they are right, how many of their units are dead, and that their
 * answers are those of double precision. Paths are from the root of the repository, like those of
 * every user. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "nets.h"
#include "reference.h"
#include "stats/verdict.h"

enum { ROWS = 1797, PIXELS = 64, DIGITS = 10 };

static void read_numbers(const char *path, float *to, size_t count)
{
    FILE *file = fopen(path, "r");
    cr_assert(file, "%s: run the tests from the root of the repository", path);
    for (size_t i = 0; i < count; i++)
        cr_assert(fscanf(file, "%f%*[,\n]", &to[i]) >= 1, "%s: number %zu", path, i);
    fclose(file);
}

/* The data and one network, all rows run as one batch and counted. */
struct digits {
    struct model model;
    struct session session;
    struct counters counters;
    float *pixels, *labels;
};

static void open_digits(struct digits *digits, const char *path)
{
    struct error error;
    const struct model_options options = {.level = STATS_full};
    cr_assert(model_open(&digits->model, path, &options, &error) == STATUS_OK, "%s", error.message);
    digits->pixels = malloc(ROWS * PIXELS * sizeof(float));
    digits->labels = malloc(ROWS * sizeof(float));
    read_numbers("models/digits/digits.csv", digits->pixels, ROWS * PIXELS);
    read_numbers("models/digits/labels.csv", digits->labels, ROWS);
    cr_assert(session_open(&digits->session, &digits->model.plan, kernels_select("auto", NULL),
                           STATS_full, ROWS, &error) == STATUS_OK);
    cr_assert(counters_init(&digits->counters, &digits->model.arena, &digits->model.plan,
                            STATS_full, &error) == STATUS_OK);
    session_run_rows(&digits->session, digits->pixels, ROWS);
    counters_fold(&digits->counters, session_tallies(&digits->session), ROWS);
}

static void close_digits(struct digits *digits)
{
    session_close(&digits->session);
    model_close(&digits->model);
    free(digits->pixels);
    free(digits->labels);
}

static size_t answer(const struct digits *digits, size_t row)
{
    const float *scores = session_row(&digits->session, 0, row);
    size_t best = 0;
    for (size_t i = 1; i < DIGITS; i++)
        best = scores[i] > scores[best] ? i : best;
    return best;
}

/* Test rows are every fifth. */
static double accuracy(const struct digits *digits)
{
    size_t right = 0, rows = 0;
    for (size_t row = 0; row < ROWS; row += 5, rows++)
        right += answer(digits, row) == (size_t)digits->labels[row];
    return (double)right / (double)rows;
}

static size_t dead_units(const struct digits *digits, size_t layer)
{
    const struct layer_view view = {&digits->model.plan.layers[layer],
                                    &digits->counters.layers[layer], ROWS};
    size_t dead = 0;
    for (size_t unit = 0; unit < view.layer->units; unit++)
        dead += verdict_holds(VERDICT_dead, &view, unit, 0, 0);
    return dead;
}

static void check(const char *path, double least_accuracy, size_t dead_fc1, size_t dead_fc2)
{
    struct digits digits;
    open_digits(&digits, path);
    cr_assert(accuracy(&digits) >= least_accuracy, "%s: %g", path, accuracy(&digits));
    cr_assert(digits.model.plan.layer_count == 2);
    cr_assert_str_eq(digits.model.plan.layers[0].name, "fc1");
    cr_assert_str_eq(digits.model.plan.layers[1].name, "fc2");
    cr_assert(dead_units(&digits, 0) == dead_fc1, "%s: %zu dead in fc1", path,
              dead_units(&digits, 0));
    cr_assert(dead_units(&digits, 1) == dead_fc2, "%s: %zu dead in fc2", path,
              dead_units(&digits, 1));
    close_digits(&digits);
}

Test(digits, are_recognised_by_living_units)
{
    check("models/digits", 0.96, 1, 1);
}

Test(digits, are_recognised_by_what_the_dying_left)
{
    check("models/digits-dying", 0.80, 65, 9);
}

/* Gives the units of a layer that have a margin a bias that is so many times that margin higher. */
static void raise_biases(struct digits *digits, size_t layer, const float *bias,
                         const double *margins, double times)
{
    const struct layer *raised = &digits->model.plan.layers[layer];
    float *to = (float *)(uintptr_t)raised->node->bias; /* the model's arena can be written */
    for (size_t unit = 0; unit < raised->units; unit++)
        if (!isnan(margins[unit]))
            to[unit] = (float)((double)bias[unit] + margins[unit] * times);
}

/* The data once more through the changed network; how many units of a layer stay silent. */
static size_t dead_again(struct digits *digits, size_t layer)
{
    counters_reset(&digits->counters);
    session_run_rows(&digits->session, digits->pixels, ROWS);
    counters_fold(&digits->counters, session_tallies(&digits->session), ROWS);
    return dead_units(digits, layer);
}

static void check_margins(struct digits *digits, size_t layer)
{
    const struct layer_view view = {&digits->model.plan.layers[layer],
                                    &digits->counters.layers[layer], ROWS};
    const size_t dead = dead_units(digits, layer);
    float bias[128];
    double margins[128];
    size_t count = 0;
    memcpy(bias, view.layer->node->bias, view.layer->units * sizeof *bias);
    for (size_t unit = 0; unit < view.layer->units; unit++) {
        margins[unit] = unit_margin(&view, unit);
        count += !isnan(margins[unit]);
    }
    cr_assert(dead > 0 && count == dead);
    raise_biases(digits, layer, bias, margins, 1 - 1e-4);
    cr_assert(dead_again(digits, layer) == dead, "layer %zu: by less than the margin", layer);
    raise_biases(digits, layer, bias, margins, 1 + 1e-4);
    cr_assert(dead_again(digits, layer) == 0, "layer %zu: by more", layer);
}

/* From the last layer back: a layer that is woken changes what those behind it see. */
Test(digits, the_dead_fire_with_their_biases_raised_by_the_margin_and_not_by_less)
{
    struct digits digits;
    open_digits(&digits, "models/digits-dying");
    check_margins(&digits, 1);
    check_margins(&digits, 0);
    close_digits(&digits);
}

/* Of digits-dying, whose config.json declares pixels from 0 to 16, some dead units are proven dead;
 * nobody is who lives. */
Test(digits, proven_dead_are_dead)
{
    struct digits digits;
    size_t proven = 0;
    open_digits(&digits, "models/digits-dying");
    const struct model *model = &digits.model;
    for (size_t layer = 0; layer < 2; layer++) {
        const struct layer_counters *counters = &digits.counters.layers[layer];
        for (size_t unit = 0; unit < model->plan.layers[layer].units; unit++) {
            const bool dead = proof_dead(&model->proof, &model->plan, layer, unit);
            cr_assert(!dead || counters->active[unit] == 0, "layer %zu, unit %zu", layer, unit);
            cr_assert((double)counters->max[unit] <= model->proof.upper[layer][unit]);
            proven += dead;
        }
    }
    cr_assert(proven > 0);
    close_digits(&digits);
}

Test(digits, have_their_range_and_labels)
{
    struct digits digits;
    open_digits(&digits, "models/digits");
    const struct model *model = &digits.model;
    cr_assert_str_eq(model->name, "digits");
    cr_assert_str_eq(model->inputs[0].name, "pixels");
    cr_assert_str_eq(model->outputs[0].name, "scores");
    cr_assert(model->inputs[0].min[63] == 0 && model->inputs[0].max[63] == 16);
    cr_assert_str_eq(model->outputs[0].labels[9], "9");
    cr_assert(model->plan.macs_per_row == 64 * 128 + 128 * 64 + 64 * 10);
    close_digits(&digits);
}

/* Within 1e-5 of the row's largest score: scores cancel, so one near 0 has lost digits that its
 * neighbours have not. */
static void check_scores(const struct digits *digits, size_t row)
{
    double values[4][128], largest = 0;
    const float *x = digits->pixels + row * PIXELS;
    reference_run(&digits->model.graph, &x,
                  (double *const[]){values[0], values[1], values[2], values[3]});
    const double *expected = values[digits->model.graph.outputs[0]];
    const float *scores = session_row(&digits->session, 0, row);
    for (size_t i = 0; i < DIGITS; i++)
        largest = fmax(largest, fabs(expected[i]));
    for (size_t i = 0; i < DIGITS; i++)
        if (!(fabs((double)scores[i] - expected[i]) <= 1e-5 * largest))
            cr_assert_fail("row %zu: score %zu is %.9g, expected %.9g", row, i, (double)scores[i],
                           expected[i]);
}

static void check_all_scores(const char *path)
{
    struct digits digits;
    open_digits(&digits, path);
    for (size_t row = 0; row < ROWS; row++)
        check_scores(&digits, row);
    close_digits(&digits);
}

Test(digits, scores_are_those_of_double_precision)
{
    check_all_scores("models/digits");
    check_all_scores("models/digits-dying");
}
