/* crelu: the unit is z; the two numbers it gives are halves of the output. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "nets.h"
#include "onnx_builder.h"

enum { UNITS = 3, ROWS = 4 };

static const float inputs[ROWS][UNITS] = {
    {1, -2, 0}, {-0.5f, 0, 0}, {0, 3, -0.0f}, {NAN, NAN, NAN}};

/* x -> "fc", which changes nothing -> [Relu(z), Relu(-z)] */
static void build(struct onnx_builder *b)
{
    static const float identity[UNITS * UNITS] = {[0] = 1, [UNITS + 1] = 1, [2 * UNITS + 2] = 1};
    onnx_open(b);
    onnx_input(b, "x", 2, (const int64_t[]){-1, UNITS});
    onnx_matrix(b, "fc.weight", UNITS, UNITS, identity);
    onnx_node(b, "MatMul", "", "x fc.weight", "z");
    onnx_node(b, "Relu", "", "z", "p");
    onnx_node(b, "Neg", "", "z", "m");
    onnx_node(b, "Relu", "", "m", "n");
    onnx_int(b, onnx_node(b, "Concat", "", "p n", "y"), "axis", 1);
    onnx_output(b, "y");
}

static void open_model(struct onnx_builder *builder, struct model *model)
{
    struct error error;
    build(builder);
    cr_assert(onnx_load(builder, model, &error) == STATUS_OK, "%s", error.message);
}

Test(crelu, is_one_layer_whose_units_are_z)
{
    struct onnx_builder builder;
    struct model model;
    open_model(&builder, &model);
    cr_assert(model.plan.layer_count == 1);
    const struct node *node = model.plan.layers[0].node;
    cr_assert_str_eq(node->name, "fc");
    cr_assert(node->activation.type == ACTIVATION_crelu && node->n == UNITS);
    cr_assert(model.outputs[0].features == 2 * UNITS);
    model_close(&model);
    onnx_close(&builder);
}

Test(crelu, gives_both_halves)
{
    struct onnx_builder builder;
    struct model model;
    float y[ROWS][2 * UNITS];
    open_model(&builder, &model);
    model_run(&model, inputs[0], ROWS, y[0]);
    for (size_t row = 0; row < ROWS; row++) {
        for (size_t unit = 0; unit < UNITS; unit++) {
            const float z = inputs[row][unit], above = y[row][unit], below = y[row][UNITS + unit];
            cr_assert(isnan(z) ? isnan(above) && isnan(below)
                               : above == fmaxf(z, 0) && below == fmaxf(-z, 0),
                      "%g gives %g and %g", (double)z, (double)above, (double)below);
        }
    }
    model_close(&model);
    onnx_close(&builder);
}

Test(crelu, a_unit_is_active_on_either_side_of_zero)
{
    static const size_t active[ROWS] = {2, 1, 1, 0};
    struct onnx_builder builder;
    struct model model;
    struct session session;
    struct error error;
    open_model(&builder, &model);
    const struct kernels *kernels = kernels_select("auto", &error);
    cr_assert(session_open(&session, &model.plan, kernels, STATS_full, ROWS, &error) == STATUS_OK);
    session_run_rows(&session, inputs[0], ROWS);
    for (size_t row = 0; row < ROWS; row++)
        cr_assert(session_active(&session, 0, row) == active[row], "row %zu: %zu", row,
                  session_active(&session, 0, row));
    cr_assert(session_tallies(&session)[0].active[0] == 2 &&
              session_tallies(&session)[0].active[2] == 0);
    cr_assert(!activation_leaks(&model.plan.layers[0].node->activation, 2));
    session_close(&session);
    model_close(&model);
    onnx_close(&builder);
}

Test(crelu, takes_the_place_of_nothing_else)
{
    struct onnx_builder builder;
    struct model model;
    struct error error;
    open_model(&builder, &model);
    cr_assert(model_set_activation(&model, "fc", net_parse("relu"), &error) == STATUS_UNSUPPORTED);
    cr_assert(model_set_activation(&model, "fc", net_parse("crelu"), &error) == STATUS_OK);
    model_close(&model);
    onnx_close(&builder);
    onnx_open(&builder);
    onnx_small(&builder);
    cr_assert(onnx_load(&builder, &model, &error) == STATUS_OK);
    cr_assert(model_set_activation(&model, "*", net_parse("crelu"), &error) == STATUS_UNSUPPORTED);
    model_close(&model);
    onnx_close(&builder);
}
