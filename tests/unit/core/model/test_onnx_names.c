/* Names of layers: API.md, "A layer's name". */
#include <criterion/criterion.h>
#include <string.h>

#include "onnx_builder.h"

static const int64_t open4[2] = {-1, 4};

/* Loads what was built, or fails the test. */
static void load(struct onnx_builder *builder, struct model *model)
{
    struct error error;
    cr_assert(onnx_load(builder, model, &error) == STATUS_OK, "%s", error.message);
}

static void close_both(struct onnx_builder *builder, struct model *model)
{
    model_close(model);
    onnx_close(builder);
}

struct name_case {
    const char *weight, *node, *expected;
};

static void check_name(const struct name_case *c)
{
    struct onnx_builder builder;
    struct model model;
    onnx_open(&builder);
    onnx_input(&builder, "x", 2, (const int64_t[]){-1, 1});
    onnx_matrix(&builder, c->weight, 1, 1, (const float[]){1});
    onnx_node(&builder, "MatMul", c->node, "x", "y");
    builder.graph->node[0]->input[1] = (char *)c->weight;
    builder.graph->node[0]->n_input = 2;
    onnx_output(&builder, "y");
    load(&builder, &model);
    cr_assert_str_eq(model.graph.nodes[0].name, c->expected);
    close_both(&builder, &model);
}

Test(onnx_names, a_layer_is_named_after_its_weight_else_its_node_else_its_place)
{
    static const struct name_case cases[] = {
        {"fc1.weight", "/fc1/Gemm", "fc1"},
        {"model.layers.0.weight", "n", "model.layers.0"},
        {"dense_3/kernel:0", "n", "dense_3"},
        {"coefficient", "n", "coefficient"},
        {".weight", "n", ".weight"},
        {"onnx::MatMul_17", "/encoder/fc2/MatMul", "encoder/fc2"},
        {"onnx::MatMul_17", "fc2", "fc2"},
        {"onnx::MatMul_17", "/MatMul", "MatMul"},
        {"onnx::MatMul_17", "/fc/Gemm", "fc/Gemm"},
        {"onnx::MatMul_17", "/fc/Linear", "fc/Linear"},
        {"onnx::MatMul_17", "//MatMul", "/MatMul"},
        {"onnx::MatMul_17", "", "matmul_0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_name(&cases[i]);
}

Test(onnx_names, a_second_layer_of_the_same_name_gets_a_number)
{
    struct onnx_builder builder;
    struct model model;
    onnx_open(&builder);
    onnx_input(&builder, "x", 2, open4);
    onnx_matrix(&builder, "shared.weight", 4, 4, (const float[16]){1});
    onnx_node(&builder, "MatMul", "", "x shared.weight", "a");
    onnx_node(&builder, "MatMul", "", "a shared.weight", "b");
    onnx_node(&builder, "Relu", "/act/Relu", "x", "c");
    onnx_node(&builder, "Relu", "/act/Relu", "x", "d");
    onnx_node(&builder, "Relu", "", "x", "e");
    onnx_output(&builder, "b");
    load(&builder, &model);
    static const char *const names[] = {"shared", "shared_2", "act", "act_2", "relu_4"};
    for (size_t i = 0; i < 5; i++)
        cr_assert_str_eq(model.graph.nodes[i].name, names[i]);
    close_both(&builder, &model);
}
