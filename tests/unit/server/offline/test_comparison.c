/* A model beside what compact has made of it: what is not the same is found. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "offline/comparison.h"

enum { ROWS = 1797 };

struct pair {
    struct model model;
    struct compact compact;
    struct inputs inputs;
    struct comparison comparison;
};

/* models/digits-dying, whose first layer may have another activation, without the units that are
 * proven dead. */
static void open_pair_as(struct pair *pair, bool exact, const struct activation_override *fc1)
{
    const struct model_options options = {
        .level = STATS_full, .overrides = fc1, .override_count = fc1 ? 1 : 0};
    const struct compact_options proven = {.proven_only = true};
    const struct argument_list data = {.items = {"models/digits/digits.csv"}, .count = 1};
    struct error error;
    memset(pair, 0, sizeof *pair);
    cr_assert(model_open(&pair->model, "models/digits-dying", &options, &error) == STATUS_OK);
    cr_assert(compact_open(&pair->compact, &pair->model, "models/digits-dying/model.onnx", NULL,
                           &proven, &error) == STATUS_OK,
              "%s", error.message);
    cr_assert(inputs_open(&pair->inputs, &pair->model, &data, &error) == STATUS_OK);
    pair->comparison = (struct comparison){.before = &pair->model,
                                           .after = &pair->compact,
                                           .exact = exact,
                                           .kernels = kernels_select("auto", NULL)};
}

static void open_pair(struct pair *pair, bool exact)
{
    open_pair_as(pair, exact, NULL);
}

static void compare(struct pair *pair)
{
    struct error error;
    cr_assert(comparison_run(&pair->comparison, &pair->inputs, &error) == STATUS_OK, "%s",
              error.message);
    cr_assert_eq(pair->comparison.rows, ROWS);
}

static void close_pair(struct pair *pair)
{
    inputs_close(&pair->inputs);
    compact_close(&pair->compact);
    model_close(&pair->model);
}

/* The bias of the first output. */
static float *output_bias(struct pair *pair)
{
    const struct graph *graph = &pair->compact.model.graph;
    return (float *)graph->nodes[graph->node_count - 1].bias;
}

Test(comparison, the_same)
{
    struct pair pair;
    open_pair(&pair, true);
    compare(&pair);
    cr_assert(pair.comparison.woken == 0 && pair.comparison.differing == 0);
    cr_assert(pair.comparison.largest == 0);
    close_pair(&pair);
}

/* The last bit of one bias: most answers have another one then, and agree within the tolerance. */
Test(comparison, one_bit)
{
    for (int exact = 0; exact < 2; exact++) {
        struct pair pair;
        open_pair(&pair, exact);
        *output_bias(&pair) = nextafterf(*output_bias(&pair), INFINITY);
        compare(&pair);
        cr_assert(pair.comparison.largest > 0 && pair.comparison.largest < 1e-6);
        cr_assert(exact ? pair.comparison.differing > 0 : pair.comparison.differing == 0);
        close_pair(&pair);
    }
}

Test(comparison, another_number)
{
    struct pair pair;
    open_pair(&pair, false);
    *output_bias(&pair) += 100;
    compare(&pair);
    cr_assert_eq(pair.comparison.differing, ROWS);
    cr_assert(pair.comparison.largest > 1);
    close_pair(&pair);
}

/* A unit that fires is said to have been removed: its rows are not compared. */
Test(comparison, rows_that_wake_a_unit)
{
    struct pair pair;
    open_pair(&pair, true);
    struct compact_layer *layer = &pair.compact.layers[1];
    for (size_t unit = 0; unit < layer->layer->units; unit++) {
        layer->removed[unit] = true;
        layer->stuck[unit] = 0;
    }
    *output_bias(&pair) += 100;
    compare(&pair);
    cr_assert(pair.comparison.woken == ROWS && pair.comparison.differing == 0);
    close_pair(&pair);
}

/* Rows are left out where a removed unit was not at its upper bound, and only there. */
Test(comparison, rows_that_leave_a_bound)
{
    for (int at_bound = 0; at_bound < 2; at_bound++) {
        struct pair pair;
        const float low = at_bound ? -2e9f : 0, high = at_bound ? -1e9f : 1;
        const struct activation_override clip = {
            "fc1", {.type = ACTIVATION_clip, .parameters = {low, high}}};
        open_pair_as(&pair, false, &clip);
        struct compact_layer *layer = &pair.compact.layers[0];
        for (size_t unit = 0; unit < layer->layer->units; unit++) {
            layer->removed[unit] = layer->high[unit] = true;
            layer->stuck[unit] = high;
        }
        *output_bias(&pair) += at_bound ? 1e12f : 100;
        compare(&pair);
        cr_assert_eq(pair.comparison.woken, at_bound ? 0 : ROWS);
        cr_assert_eq(pair.comparison.differing, at_bound ? ROWS : 0);
        close_pair(&pair);
    }
}

Test(comparison, times)
{
    struct pair pair;
    struct error error = {.status = STATUS_OK};
    open_pair(&pair, true);
    cr_assert(comparison_time(&pair.comparison, &error) == STATUS_OK);
    cr_assert(pair.comparison.latency_us[0] > 0 && pair.comparison.latency_us[1] > 0);
    close_pair(&pair);
}
