/* How many inputs a node takes, how much a window spans, and what a 0 in a Reshape is. */
#include <criterion/criterion.h>
#include <string.h>

#include "onnx_builder.h"

enum { FEATURES = 2, INPUTS_MAX = 1024 };

/* A node that reads x that often. */
static enum status read_often(struct model *model, const char *op_type, size_t count,
                              struct error *error)
{
    struct onnx_builder builder;
    onnx_open(&builder);
    onnx_input(&builder, "x", 2, (const int64_t[]){-1, FEATURES});
    Onnx__NodeProto *node = onnx_node(&builder, op_type, "", "", "y");
    if (strcmp(op_type, "Concat") == 0)
        onnx_int(&builder, node, "axis", 1);
    node->n_input = count;
    node->input = arena_alloc(&builder.arena, count, sizeof *node->input);
    for (size_t i = 0; i < count; i++)
        node->input[i] = builder.graph->input[0]->name;
    onnx_output(&builder, "y");
    const enum status status = onnx_load(&builder, model, error);
    onnx_close(&builder);
    return status;
}

Test(onnx_limits, a_node_reads_so_many_values_and_no_more)
{
    static const char *const operators[] = {"Concat", "Sum", "Mean", "Max", "Min"};
    static const float x[FEATURES] = {3, -5};
    static float y[INPUTS_MAX * FEATURES];
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        const bool concat = i == 0, sum = i == 1;
        struct model model;
        struct error error;
        cr_assert(read_often(&model, operators[i], INPUTS_MAX, &error) == STATUS_OK, "%s",
                  error.message);
        model_run(&model, x, 1, y);
        for (size_t j = 0; j < (concat ? INPUTS_MAX * FEATURES : FEATURES); j++)
            cr_assert(y[j] == x[j % FEATURES] * (sum ? INPUTS_MAX : 1), "%s", operators[i]);
        model_close(&model);
        cr_assert(read_often(&model, operators[i], INPUTS_MAX + 1, &error) != STATUS_OK);
        cr_assert(strstr(error.message, "expected at most 1024 inputs, found 1025"), "%s",
                  error.message);
        model_close(&model);
    }
}

/* Loads x [N, 2] times a weight that is a constant [2, 3] reshaped, or x itself reshaped. */
static enum status reshape(const char *what, const int64_t *shape, int64_t allow_zero,
                           struct error *error)
{
    static const float weight[6] = {1, 2, 3, 4, 5, 6};
    struct onnx_builder builder;
    struct model model;
    const bool constant = strcmp(what, "w") == 0;
    onnx_open(&builder);
    onnx_input(&builder, "x", 2, (const int64_t[]){-1, FEATURES});
    onnx_matrix(&builder, "w", 2, 3, weight);
    onnx_initializer(&builder, onnx_ints(&builder, "shape", 2, shape));
    onnx_int(&builder, onnx_node(&builder, "Reshape", "", constant ? "w shape" : "x shape", "r"),
             "allowzero", allow_zero);
    onnx_node(&builder, "MatMul", "", constant ? "x r" : "r w", "y");
    onnx_output(&builder, "y");
    const enum status status = onnx_load(&builder, &model, error);
    model_close(&model);
    onnx_close(&builder);
    return status;
}

Test(onnx_limits, a_zero_in_a_reshape_copies_unless_it_is_allowed)
{
    struct error error;
    cr_assert(reshape("w", (const int64_t[]){0, 3}, 0, &error) == STATUS_OK, "%s", error.message);
    cr_assert(reshape("w", (const int64_t[]){0, 3}, 1, &error) == STATUS_INVALID);
    cr_assert(strstr(error.message, "a constant of 6 numbers cannot take that shape"), "%s",
              error.message);
    cr_assert(reshape("x", (const int64_t[]){0, 2}, 0, &error) == STATUS_OK, "%s", error.message);
    cr_assert(reshape("x", (const int64_t[]){0, 2}, 1, &error) == STATUS_UNSUPPORTED);
    cr_assert(strstr(error.message, "the shape [0, 2] joins or splits the rows of \"x\""), "%s",
              error.message);
    cr_assert(reshape("x", (const int64_t[]){-1, 0}, 0, &error) == STATUS_OK, "%s", error.message);
    cr_assert(reshape("x", (const int64_t[]){-1, 0}, 1, &error) != STATUS_OK);
}

/* Pools an image of two channels whose windows see two times two pixels, so far apart. */
static enum status pool(int64_t dilation, struct error *error)
{
    struct onnx_builder builder;
    struct model model;
    onnx_open(&builder);
    onnx_input(&builder, "x", 4, (const int64_t[]){-1, 2, 2, 2});
    Onnx__NodeProto *node = onnx_node(&builder, "MaxPool", "", "x", "y");
    onnx_list(&builder, node, "kernel_shape", 2, (const int64_t[]){2, 2});
    onnx_list(&builder, node, "dilations", 2, (const int64_t[]){dilation, dilation});
    onnx_list(&builder, node, "pads", 4, (const int64_t[]){dilation, dilation, 0, 0});
    onnx_output(&builder, "y");
    const enum status status = onnx_load(&builder, &model, error);
    model_close(&model);
    onnx_close(&builder);
    return status;
}

/* Two channels of 2896 x 2896 points are the last to stay within 2^24. */
Test(onnx_limits, a_window_spans_so_much_and_no_more)
{
    struct error error;
    cr_assert(pool(2895, &error) == STATUS_OK, "%s", error.message);
    cr_assert(pool(2896, &error) == STATUS_TOO_LARGE);
    cr_assert(strstr(error.message, "expected a window over at most 16777216 numbers"), "%s",
              error.message);
}
