/* Biases changed: the pre-activations of the units that were meant move, and no others. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/session.h"
#include "model/bias.h"
#include "randoms.h"

enum { UNITS_MAX = 4096 };

static void open_model_with(struct model *model, const char *path, const char *const *biases,
                            size_t count)
{
    const struct model_options options = {
        .level = STATS_full, .biases = biases, .bias_count = count};
    struct error error;
    cr_assert(model_open(model, path, &options, &error) == STATUS_OK, "%s", error.message);
}

/* The largest pre-activations of layer's units over one random row. */
static size_t largest(const char *path, const char *layer, const char *const *biases, size_t count,
                      float max[UNITS_MAX])
{
    struct model model;
    struct session session;
    struct randoms random = {7};
    open_model_with(&model, path, biases, count);
    const int index = plan_find_layer(&model.plan, layer);
    cr_assert(index != PLAN_LAYER_NONE && model.graph.input_count == 1, "%s", layer);
    float *x = malloc(model.inputs[0].features * sizeof *x);
    random_floats(&random, RANDOM_PLAIN, x, model.inputs[0].features);
    cr_assert(session_open(&session, &model.plan, kernels_select("auto", NULL), STATS_full, 1,
                           NULL) == STATUS_OK);
    session_bind(&session, 0, x);
    session_begin(&session, 1);
    session_advance(&session, UINT64_MAX);
    const size_t units = model.plan.layers[index].units;
    cr_assert(units <= UNITS_MAX);
    memcpy(max, session_tallies(&session)[index].max, units * sizeof *max);
    session_close(&session);
    model_close(&model);
    free(x);
    return units;
}

/* Every unit whose number is one of three has moved by step, no other has moved at all. */
static void expect_moved(const char *path, const char *layer, const char *change,
                         const size_t moved[3], float step)
{
    float before[UNITS_MAX], after[UNITS_MAX];
    const size_t units = largest(path, layer, NULL, 0, before);
    cr_assert_eq(largest(path, layer, &change, 1, after), units);
    for (size_t unit = 0; unit < units; unit++) {
        const bool meant = unit == moved[0] || unit == moved[1] || unit == moved[2];
        if (meant)
            cr_assert_float_eq(after[unit] - before[unit], step, 1e-4f, "%zu", unit);
        else
            cr_assert(after[unit] == before[unit], "%s: unit %zu", change, unit);
    }
}

Test(bias, units_of_a_dense_layer)
{
    expect_moved("models/digits", "fc1", "fc1[0,3,127]+=0.5", (const size_t[]){0, 3, 127}, 0.5f);
    expect_moved("models/digits", "fc2", "fc2[63]-=2", (const size_t[]){63, 63, 63}, -2);
}

Test(bias, all_units)
{
    static const char *const changes[][1] = {{"fc1+=0.25"}, {"*+=0.25"}};
    float before[UNITS_MAX], after[UNITS_MAX];
    largest("models/digits", "fc1", NULL, 0, before);
    for (size_t i = 0; i < 2; i++) {
        largest("models/digits", "fc1", changes[i], 1, after);
        for (size_t unit = 0; unit < 128; unit++)
            cr_assert_float_eq(after[unit] - before[unit], 0.25f, 1e-5f, "%zu", unit);
    }
}

/* Groups have panels of their own, which are padded; depthwise convolutions have none. Returns how
 * many such layers there are. */
static size_t check_convolutions(const char *path, bool depthwise)
{
    struct model model;
    size_t found = 0;
    open_model_with(&model, path, NULL, 0);
    for (size_t i = 0; i < model.plan.layer_count; i++) {
        const struct layer *layer = &model.plan.layers[i];
        const size_t last = layer->units - 1, middle = layer->units / 2;
        char change[320];
        if (depthwise ? layer->node->op != OP_depthwise : layer->node->groups <= 1)
            continue;
        snprintf(change, sizeof change, "%s[0,%zu,%zu]+=3", layer->name, middle, last);
        expect_moved(path, layer->name, change, (const size_t[]){0, middle, last}, 3);
        found++;
    }
    model_close(&model);
    return found;
}

Test(bias, units_of_convolutions_with_groups)
{
    cr_assert(check_convolutions("tests/conformance/golden/test_shufflenet", false) > 0);
    cr_assert(check_convolutions("tests/conformance/golden/test_mobilenet_clip_inputs", true) > 0);
}

/* Another model: its statistics are not those of the file. */
Test(bias, changes_the_digest)
{
    struct model plain, changed, nothing;
    open_model_with(&plain, "models/digits", NULL, 0);
    open_model_with(&nothing, "models/digits", NULL, 0);
    open_model_with(&changed, "models/digits", (const char *const[]){"fc1+=1"}, 1);
    cr_assert_str_eq(plain.digest, nothing.digest);
    cr_assert_str_neq(plain.digest, changed.digest);
    model_close(&plain);
    model_close(&changed);
    model_close(&nothing);
}

Test(bias, slips_are_refused)
{
    static const char *const cases[][2] = {
        {"fc1", "expected LAYER+=NUMBER"},
        {"fc1=1", "expected LAYER+=NUMBER"},
        {"+=1", "expected LAYER+=NUMBER"},
        {"fc1+=", "expected LAYER+=NUMBER"},
        {"fc1+=x", "expected LAYER+=NUMBER"},
        {"fc1+=1e39", "expected LAYER+=NUMBER"},
        {"fc1+=nan", "expected LAYER+=NUMBER"},
        {"[3]+=1", "expected LAYER+=NUMBER"},
        {"fc1[]+=1", "expected LAYER+=NUMBER"},
        {"fc1[3,]+=1", "expected LAYER+=NUMBER"},
        {"fc1[-3]+=1", "expected LAYER+=NUMBER"},
        {"fc1[3 4]+=1", "expected LAYER+=NUMBER"},
        {"fc1[128]+=1", "layer \"fc1\" has units 0 to 127, found 128"},
        {"fc1[99999999999999999999]+=1", "expected LAYER+=NUMBER"},
        {"fc1+=3.4e38", "not be finite"},
        {"fc+=1", "the model has no layer \"fc\""},
        {"fc11+=1", "the model has no layer \"fc11\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *twice[] = {cases[i][0], cases[i][0]};
        const struct model_options options = {
            .level = STATS_full, .biases = twice, .bias_count = 2};
        struct model model;
        struct error error;
        cr_assert(model_open(&model, "models/digits", &options, &error) != STATUS_OK, "%s",
                  cases[i][0]);
        cr_assert(strstr(error.message, "models/digits: bias: ") &&
                      strstr(error.message, cases[i][1]),
                  "%s: %s", cases[i][0], error.message);
    }
}
