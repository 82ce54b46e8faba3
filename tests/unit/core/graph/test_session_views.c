/* Nodes that read a value under another shape, whose rows end with padding. */
#include <criterion/criterion.h>
#include <string.h>

#include "onnx_builder.h"
#include "randoms.h"

enum { ROWS = 30, INPUTS = 10, POSITIONS = 7, CHANNELS = 5, MADE = POSITIONS * CHANNELS };

/* x [N, 10] -> MatMul [N, 35] -> Reshape [N, 7, 5] -> op -> y */
static void build(struct onnx_builder *builder, struct randoms *random, const char *op,
                  const char *inputs)
{
    float first[INPUTS * MADE], second[CHANNELS * CHANNELS];
    random_floats(random, RANDOM_PLAIN, first, INPUTS * MADE);
    random_floats(random, RANDOM_PLAIN, second, CHANNELS * CHANNELS);
    onnx_open(builder);
    onnx_input(builder, "x", 2, (const int64_t[]){-1, INPUTS});
    onnx_matrix(builder, "first", INPUTS, MADE, first);
    onnx_matrix(builder, "second", CHANNELS, CHANNELS, second);
    onnx_initializer(builder,
                     onnx_ints(builder, "shape", 3, (const int64_t[]){0, POSITIONS, CHANNELS}));
    onnx_node(builder, "MatMul", "", "x first", "h");
    onnx_node(builder, "Reshape", "", "h shape", "view");
    onnx_node(builder, op, "", inputs, "y");
    onnx_output(builder, "y");
}

static void check_rows(const struct model *model, const float *x)
{
    float together[ROWS * MADE], alone[MADE];
    model_run(model, x, ROWS, together);
    for (size_t row = 0; row < ROWS; row++) {
        model_run(model, x + row * INPUTS, 1, alone);
        cr_assert(memcmp(alone, together + row * MADE, sizeof alone) == 0, "row %zu", row);
    }
}

Test(session_views, rows_are_the_same_together_and_alone)
{
    static const char *const ops[][2] = {
        {"MatMul", "view second"}, {"Softmax", "view"}, {"LogSoftmax", "view"}, {"Relu", "view"}};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        struct randoms random = {i + 1};
        struct onnx_builder builder;
        struct model model;
        struct error error;
        float x[ROWS * INPUTS];
        build(&builder, &random, ops[i][0], ops[i][1]);
        random_floats(&random, RANDOM_PLAIN, x, ROWS * INPUTS);
        cr_assert(onnx_load(&builder, &model, &error) == STATUS_OK, "%s", error.message);
        check_rows(&model, x);
        model_close(&model);
        onnx_close(&builder);
    }
}

/* x [N, 8, 1, 1] -> Conv [N, channels, 1, 1] -> Relu -> Reshape [N, 2, channels / 2] = view;
 * view x v + view. */
enum { IMAGE_INPUTS = 8, WIDE = 1024 };

static void build_residual(struct onnx_builder *builder, int64_t channels, const float *numbers)
{
    const int64_t half = channels / 2;
    onnx_open(builder);
    onnx_input(builder, "x", 4, (const int64_t[]){-1, IMAGE_INPUTS, 1, 1});
    onnx_initializer(
        builder,
        onnx_floats(builder, "w", 4, (const int64_t[]){channels, IMAGE_INPUTS, 1, 1}, numbers));
    onnx_initializer(builder, onnx_floats(builder, "v", 2, (const int64_t[]){half, half}, numbers));
    onnx_initializer(builder, onnx_ints(builder, "shape", 3, (const int64_t[]){0, 2, half}));
    onnx_node(builder, "Conv", "", "x w", "c");
    onnx_node(builder, "Relu", "", "c", "h");
    onnx_node(builder, "Reshape", "", "h shape", "view");
    onnx_node(builder, "MatMul", "", "view v", "product");
    onnx_node(builder, "Add", "", "product view", "y");
    onnx_output(builder, "y");
}

static void check_residual(int64_t channels)
{
    static float numbers[WIDE / 2 * WIDE / 2], x[ROWS * IMAGE_INPUTS], all[ROWS * WIDE], one[WIDE];
    struct onnx_builder builder;
    struct model model;
    struct error error;
    struct randoms random = {3};
    random_floats(&random, RANDOM_PLAIN, numbers, sizeof numbers / sizeof *numbers);
    random_floats(&random, RANDOM_PLAIN, x, ROWS * IMAGE_INPUTS);
    build_residual(&builder, channels, numbers);
    cr_assert(onnx_load(&builder, &model, &error) == STATUS_OK, "%s", error.message);
    model_run(&model, x, ROWS, all);
    for (size_t row = 0; row < ROWS; row++) {
        model_run(&model, x + row * IMAGE_INPUTS, 1, one);
        cr_assert(memcmp(one, all + row * (size_t)channels, (size_t)channels * sizeof *one) == 0,
                  "%d channels: row %zu", (int)channels, row);
    }
    model_close(&model);
    onnx_close(&builder);
}

Test(session_views, a_residual_may_be_an_image_under_another_shape)
{
    check_residual(480);
    check_residual(512);
    check_residual(1024);
}
