/* Every whole number that an operator takes, in turn, is one that no sound file has: 2^60, the
 * smallest, … What comes of it loads and runs, or is refused with a sentence. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "onnx_builder.h"

/* Numbers of an operator: an attribute (one number, or a list), or an input that is a constant. */
enum kind { NONE, ONE, LIST, INPUT };

struct numbers {
    enum kind kind;
    const char *name;
    size_t count;
    int64_t values[8];
};

struct operator_case {
    const char *op_type;
    const char *inputs; /* before those of kind INPUT */
    struct numbers numbers[4];
};

/* clang-format off */
static const struct operator_case cases[] = {
    {"Conv", "x w", {{LIST, "kernel_shape", 2, {3, 3}}, {LIST, "strides", 2, {1, 1}},
                     {LIST, "pads", 4, {1, 1, 1, 1}}, {LIST, "dilations", 2, {1, 1}}}},
    {"Conv", "x w", {{ONE, "group", 1, {1}}}},
    {"ConvTranspose", "x w", {{LIST, "kernel_shape", 2, {3, 3}}, {LIST, "strides", 2, {2, 2}},
                              {LIST, "pads", 4, {1, 1, 1, 1}}, {LIST, "dilations", 2, {1, 1}}}},
    {"ConvTranspose", "x w", {{LIST, "strides", 2, {2, 2}}, {LIST, "output_padding", 2, {1, 1}}}},
    {"ConvTranspose", "x w", {{LIST, "strides", 2, {2, 2}}, {LIST, "output_shape", 2, {12, 12}}}},
    {"MaxPool", "x", {{LIST, "kernel_shape", 2, {3, 3}}, {LIST, "strides", 2, {1, 1}},
                      {LIST, "pads", 4, {1, 1, 1, 1}}, {LIST, "dilations", 2, {1, 1}}}},
    {"MaxPool", "x", {{LIST, "kernel_shape", 2, {3, 3}}, {ONE, "ceil_mode", 1, {1}}}},
    {"AveragePool", "x", {{LIST, "kernel_shape", 2, {3, 3}}, {LIST, "strides", 2, {1, 1}},
                          {LIST, "pads", 4, {1, 1, 1, 1}}, {ONE, "count_include_pad", 1, {1}}}},
    {"LRN", "x", {{ONE, "size", 1, {3}}}},
    {"Reshape", "x", {{INPUT, "shape", 3, {-1, 4, 36}}, {ONE, "allowzero", 1, {0}}}},
    {"Flatten", "x", {{ONE, "axis", 1, {1}}}},
    {"Unsqueeze", "x", {{INPUT, "axes", 2, {1, 3}}}},
    {"Squeeze", "v", {{INPUT, "axes", 1, {2}}}},
    {"Expand", "x", {{INPUT, "shape", 4, {1, 4, 6, 6}}}},
    {"Slice", "x", {{INPUT, "starts", 2, {0, 5}}, {INPUT, "ends", 2, {2, -7}},
                    {INPUT, "axes", 2, {1, 3}}, {INPUT, "steps", 2, {1, -2}}}},
    {"Gather", "x", {{INPUT, "indices", 2, {0, 3}}, {ONE, "axis", 1, {1}}}},
    {"Pad", "x", {{INPUT, "pads", 8, {0, 0, 1, 1, 0, 0, 1, 2}}}},
    {"Transpose", "x", {{LIST, "perm", 4, {0, 2, 3, 1}}}},
    {"Concat", "x x", {{ONE, "axis", 1, {1}}}},
    {"Split", "x", {{INPUT, "split", 1, {4}}, {ONE, "axis", 1, {1}}}},
    {"Softmax", "x", {{ONE, "axis", 1, {1}}}},
    {"ReduceSum", "x", {{INPUT, "axes", 2, {2, 3}}, {ONE, "keepdims", 1, {0}}}},
    {"ReduceMax", "x", {{LIST, "axes", 2, {1, 3}}, {ONE, "keepdims", 1, {1}}}},
    {"Shape", "x", {{ONE, "start", 1, {1}}, {ONE, "end", 1, {3}}}},
    {"Gemm", "f g", {{ONE, "transA", 1, {0}}, {ONE, "transB", 1, {1}}}},
    {"ConstantOfShape", "", {{INPUT, "shape", 2, {6, 6}}}},
    {"Range", "", {{INPUT, "start", 1, {0}}, {INPUT, "limit", 1, {6}}, {INPUT, "delta", 1, {1}}}},
    {"Cast", "x", {{ONE, "to", 1, {1}}}},
    {"BatchNormalization", "x n n n n", {{ONE, "training_mode", 1, {0}}}},
};
/* clang-format on */

static const int64_t strange[] = {(int64_t)1 << 60,
                                  -((int64_t)1 << 60),
                                  INT64_MAX,
                                  INT64_MIN,
                                  INT64_MAX - 1,
                                  INT32_MAX,
                                  (int64_t)INT32_MAX + 1,
                                  INT32_MIN,
                                  (int64_t)1 << 24,
                                  1000,
                                  7,
                                  2,
                                  1,
                                  0,
                                  -1,
                                  -2,
                                  -7};

/* Adds what the operators read: an image, weights, a value with an axis to squeeze, a flat one. */
static void add_inputs(struct onnx_builder *b)
{
    static const float ones[144] = {1};
    onnx_input(b, "x", 4, (const int64_t[]){-1, 4, 6, 6});
    onnx_initializer(b, onnx_floats(b, "w", 4, (const int64_t[]){4, 4, 3, 3}, ones));
    onnx_initializer(b, onnx_floats(b, "g", 2, (const int64_t[]){1, 144}, ones));
    onnx_initializer(b, onnx_floats(b, "n", 1, (const int64_t[]){4}, ones));
    onnx_initializer(b, onnx_ints(b, "first", 1, (const int64_t[]){0}));
    onnx_initializer(b, onnx_ints(b, "second", 1, (const int64_t[]){1}));
    onnx_initializer(b, onnx_ints(b, "third", 1, (const int64_t[]){2}));
    onnx_node(b, "Slice", "", "x first second third", "v");
    onnx_node(b, "Flatten", "", "x", "f");
}

static void add_numbers(struct onnx_builder *b, Onnx__NodeProto *node, const char *op_type,
                        const struct numbers *numbers, const int64_t *values)
{
    if (numbers->kind == ONE)
        onnx_int(b, node, numbers->name, values[0]);
    if (numbers->kind == LIST)
        onnx_int_list(b, node, numbers->name, numbers->count, values);
    if (numbers->kind != INPUT)
        return;
    Onnx__TensorProto *tensor = onnx_ints(b, numbers->name, numbers->count, values);
    tensor->n_dims = strcmp(op_type, "Range") != 0;
    onnx_initializer(b, tensor);
    node->input[node->n_input++] = tensor->name;
}

/* The case with number `which` of numbers `strange_one` changed to value; none when strange_one is
 * out of range. */
static void build(struct onnx_builder *b, const struct operator_case *c, size_t strange_one,
                  size_t which, int64_t value)
{
    add_inputs(b);
    Onnx__NodeProto *node = onnx_node(b, c->op_type, "", c->inputs, "y");
    char **room = arena_alloc(&b->arena, ONNX_BUILDER_MAX, sizeof *room);
    memcpy(room, node->input, node->n_input * sizeof *room);
    node->input = room;
    for (size_t i = 0; i < 4; i++) {
        int64_t values[8];
        memcpy(values, c->numbers[i].values, sizeof values);
        if (i == strange_one)
            values[which] = value;
        add_numbers(b, node, c->op_type, &c->numbers[i], values);
    }
    const bool whole = strcmp(c->op_type, "Shape") == 0 || strcmp(c->op_type, "Range") == 0;
    const char *made = "y";
    if (node->n_input == 1 && strcmp(c->op_type, "ConstantOfShape") == 0)
        onnx_node(b, "Add", "", "x y", made = "z");
    if (whole) /* whole numbers: they become a shape, of no use */
        onnx_node(b, "Identity", "", "x", made = "z");
    onnx_output(b, made);
}

/* Whether it is accepted. */
static bool survives(const struct operator_case *c, size_t strange_one, size_t which, int64_t value)
{
    enum { LARGEST = 1 << 14 };
    static float x[LARGEST], y[LARGEST];
    struct onnx_builder builder;
    struct model model;
    struct error error;
    onnx_open(&builder);
    build(&builder, c, strange_one, which, value);
    const bool accepted = onnx_load(&builder, &model, &error) == STATUS_OK;
    if (accepted && model.outputs[0].features <= LARGEST && model.plan.floats_per_row <= 1 << 20)
        model_run(&model, x, 1, y);
    cr_assert(accepted || (error.status != STATUS_OK && error.message[0]), "%s: no sentence",
              c->op_type);
    model_close(&model);
    onnx_close(&builder);
    return accepted;
}

enum { SECONDS = 60 };

Test(onnx_numbers, strange_ones_are_refused_or_harmless)
{
    alarm(SECONDS);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct operator_case *c = &cases[i];
        cr_assert(survives(c, SIZE_MAX, 0, 0), "%s %zu is not sound", c->op_type, i);
        for (size_t one = 0; one < 4; one++)
            for (size_t which = 0; which < c->numbers[one].count; which++)
                for (size_t value = 0; value < sizeof strange / sizeof strange[0]; value++)
                    survives(c, one, which, strange[value]);
    }
    alarm(0);
}
