/* Activations that exporters write out as several nodes: recognised, and nothing else is. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "onnx_builder.h"
#include "subgraph.h"

enum { UNITS = 4 };

static const float inputs[] = {-30,    -6.5f, -3.25f, -3,    -2.5f, -1,    -0.75f, -0.125f,
                               -1e-3f, 0,     1e-3f,  0.25f, 0.5f,  1,     1.5f,   2,
                               3,      5.75f, 6,      6.25f, 20,    20.5f, 30,     NAN};
enum { ROWS = sizeof inputs / sizeof inputs[0] };

static void load(struct onnx_builder *builder, struct model *model, const char *text)
{
    struct error error;
    cr_assert(onnx_load(builder, model, &error) == STATUS_OK, "%s: %s", text, error.message);
}

/* x -> a dense layer "fc" that changes nothing -> z -> the sub-graph -> y */
static void build(struct onnx_builder *builder, const char *text)
{
    static const float identity[UNITS * UNITS] = {
        [0] = 1, [UNITS + 1] = 1, [2 * UNITS + 2] = 1, [3 * UNITS + 3] = 1};
    struct subgraph subgraph;
    subgraph_parse(&subgraph, text);
    onnx_open(builder);
    onnx_input(builder, "x", 2, (const int64_t[]){-1, UNITS});
    onnx_matrix(builder, "fc.weight", UNITS, UNITS, identity);
    onnx_node(builder, "MatMul", "", "x fc.weight", "z");
    subgraph_build(&subgraph, builder);
    onnx_output(builder, "y");
}

/* Runs all inputs and compares with the sub-graph in double precision. */
static void check_values(const struct model *model, const char *text)
{
    float x[ROWS * UNITS], y[ROWS * UNITS];
    struct subgraph subgraph;
    subgraph_parse(&subgraph, text);
    for (size_t i = 0; i < ROWS * UNITS; i++)
        x[i] = inputs[i / UNITS];
    model_run(model, x, ROWS, y);
    for (size_t i = 0; i < ROWS * UNITS; i++) {
        const double expected = subgraph_value(&subgraph, (double)x[i], i % UNITS);
        cr_assert(isnan(expected) ? isnan(y[i])
                                  : fabs((double)y[i] - expected) <= 1e-6 * (1 + fabs(expected)),
                  "%s of %g: expected %.9g, found %.9g", text, (double)x[i], expected,
                  (double)y[i]);
    }
}

struct fused {
    const char *activation, *subgraph;
};

static void check_fused(const struct fused *fused)
{
    struct onnx_builder builder;
    struct activation activation;
    struct model model;
    cr_assert(activation_parse(&activation, fused->activation, NULL) == STATUS_OK);
    build(&builder, fused->subgraph);
    load(&builder, &model, fused->subgraph);
    const struct node *node = &model.graph.nodes[0];
    cr_assert(model.graph.node_count == 1 && model.plan.layer_count == 1, "%s: %zu nodes",
              fused->subgraph, model.graph.node_count);
    cr_assert_str_eq(node->name, "fc");
    cr_assert_str_eq(activation_info(node->activation.type)->name,
                     activation_info(activation.type)->name, "%s", fused->subgraph);
    for (size_t i = 0; i < ACTIVATION_PARAMETERS; i++)
        cr_assert_float_eq((double)node->activation.parameters[i], (double)activation.parameters[i],
                           1e-7, "%s", fused->subgraph);
    check_values(&model, fused->subgraph);
    model_close(&model);
    onnx_close(&builder);
}

static void check_all(const struct fused *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_fused(&cases[i]);
}

#define CHECK_ALL(...)                                     \
    do {                                                   \
        static const struct fused cases[] = {__VA_ARGS__}; \
        check_all(cases, sizeof cases / sizeof cases[0]);  \
    } while (0)

Test(onnx_fuse, bounds)
{
    CHECK_ALL(
        {"relu", "Max(z, 0)"}, {"relu", "Max([0], z)"}, {"shifted_relu", "Max(z, -1)"},
        {"relu6", "Clip(z, 0, 6)"}, {"relu6", "Clip(z, min=0, max=6)"},
        {"relu6", "Min(Relu(z), 6)"}, {"relu6", "Clip(Relu(z), 0, 6)"},
        {"relu6", "Clip(Relu(z), min=-1, max=6)"}, {"relu6", "Min(6, Max(0, z))"},
        {"relu6", "Max(Min(z, 6), 0)"}, {"clip(min=-1,max=2)", "Min(Max(z, -1), 2)"},
        {"clip(min=-1,max=2)", "Max(Min(z, 2), -1)"}, {"clip(min=2,max=2)", "Max(Min(z, 2), 2)"},
        {"clip(min=2,max=-1)", "Clip(z, min=2, max=-1)"}, {"clip(min=0,max=3)", "Min(Relu(z), 3)"},
        {"clip(min=0,max=3)", "Clip(Max(z, 0), -2, 3)"});
}

Test(onnx_fuse, slopes)
{
    CHECK_ALL({"leaky_relu(alpha=0.1)", "Max(z, Mul(z, 0.1))"},
              {"leaky_relu(alpha=0.1)", "Max(Mul(0.1, z), z)"},
              {"leaky_relu(alpha=0.1)", "Max(z, Div(z, 10))"},
              {"leaky_relu(alpha=0.2)", "Where(Greater(z, 0), z, Mul(z, 0.2))"},
              {"leaky_relu(alpha=-2)", "Where(GreaterOrEqual(z, 0), z, Mul(-2, z))"},
              {"leaky_relu(alpha=0.2)", "Where(Less(z, 0), Mul(z, 0.2), z)"},
              {"leaky_relu(alpha=0.2)", "Where(LessOrEqual(z, 0), Mul(z, 0.2), z)"},
              {"leaky_relu(alpha=0.3)", "Sub(Relu(z), Mul(0.3, Relu(Neg(z))))"},
              {"leaky_relu(alpha=0.3)", "Add(Relu(z), Mul(-0.3, Relu(Neg(z))))"},
              {"leaky_relu(alpha=0.3)", "Add(Relu(z), Mul(Mul(0.3, Sub(z, Abs(z))), 0.5))"},
              {"prelu", "Sub(Relu(z), Mul(Relu(Neg(z)), [0.5 -1 2 0]))"},
              {"prelu", "Add(Mul([0.5 -1 2 0], Relu(Neg(z))), Relu(z))"},
              {"prelu", "Add(Relu(z), Mul(Mul([0.5 -1 2 0], Sub(z, Abs(z))), 0.5))"});
}

Test(onnx_fuse, products_with_a_gate)
{
    CHECK_ALL({"squared_relu", "Pow(Relu(z), 2)"}, {"squared_relu", "h = Relu(z); Mul(h, h)"},
              {"squared_relu", "Mul(Relu(z), Max(z, 0))"}, {"silu", "Mul(z, Sigmoid(z))"},
              {"silu", "Mul(Sigmoid(z), z)"}, {"silu", "Mul(z, Sigmoid(Mul(1, z)))"},
              {"softplus", "Log(Add(Exp(z), 1))"}, {"softplus", "Log(Add(1, Exp(z)))"},
              {"softplus", "Where(Greater(z, 20), z, Softplus(z))"},
              {"mish", "Mul(z, Tanh(Softplus(z)))"}, {"mish", "Mul(Tanh(Log(Add(Exp(z), 1))), z)"});
}

Test(onnx_fuse, hard_functions)
{
    CHECK_ALL({"hard_sigmoid(alpha=0.2)", "Clip(Add(Mul(z, 0.2), 0.5), 0, 1)"},
              {"hard_sigmoid(alpha=0.2)", "Max(Min(Add(0.5, Mul(0.2, z)), 1), 0)"},
              {"hard_sigmoid(alpha=0.25,beta=0.125)", "Clip(Add(Div(z, 4), 0.125), min=0, max=1)"},
              {"hard_sigmoid(alpha=0.16666667)", "Div(Clip(Add(z, 3), 0, 6), 6)"},
              {"hard_sigmoid(alpha=0.16666667)", "Mul(Min(Relu(Add(3, z)), 6), 0.16666667)"},
              {"hard_swish", "Mul(z, HardSigmoid(z, alpha=0.16666667, beta=0.5))"},
              {"hard_swish", "Mul(Div(Clip(Add(z, 3), min=0, max=6), 6), z)"},
              {"hard_swish", "Div(Mul(z, Clip(Relu(Add(z, 3)), 0, 6)), 6)"},
              {"hard_swish", "Mul(0.16666667, Mul(Clip(Add(z, 3), 0, 6), z))"},
              {"hard_swish", "Mul(Div(z, 6), Clip(Add(z, 3), 0, 6))"});
}

Test(onnx_fuse, gelu_of_the_normal_distribution)
{
    CHECK_ALL({"gelu", "Mul(Mul(z, Add(Erf(Div(z, 1.4142135)), 1)), 0.5)"},
              {"gelu", "Mul(0.5, Mul(Add(1, Erf(Mul(z, 0.70710677))), z))"},
              {"gelu", "Mul(Mul(z, 0.5), Add(1, Erf(Mul(0.70710678, z))))"},
              {"gelu", "Mul(Add(Erf(Div(z, 1.4142137)), 1), Div(z, 2))"},
              {"gelu", "Mul(z, Mul(0.5, Add(Erf(Div(z, 1.41421356)), 1)))"},
              {"gelu", "Mul(z, Mul(0.5, Add(Erf(Div(z, Sqrt(2))), 1)))"},
              {"gelu", "Div(Mul(z, Add(Erf(Div(z, Identity(1.4142135))), 1)), 2)"});
}

Test(onnx_fuse, gelu_by_tanh)
{
    CHECK_ALL({"gelu_tanh", "Mul(Mul(z, 0.5), Add(Tanh(Mul(Add(z, Mul(Pow(z, 3), 0.044715)), "
                            "0.7978846)), 1))"},
              {"gelu_tanh", "Mul(0.5, Mul(z, Add(1, Tanh(Mul(0.7978846, Add(z, Mul(0.044715, "
                            "Mul(z, Mul(z, z)))))))))"},
              {"gelu_tanh", "c = Mul(Mul(z, z), z); Mul(z, Mul(Add(Tanh(Mul(Add(Mul(c, 0.044715), "
                            "z), 0.7978846)), 1), 0.5))"},
              {"gelu_tanh", "Mul(Mul(0.5, z), Add(1, Tanh(Mul(Mul(0.7978846, z), Add(1, "
                            "Mul(Mul(0.044715, z), z))))))"},
              {"gelu_tanh", "Mul(Mul(0.5, z), Add(1, Tanh(Mul(Mul(0.7978846, z), Add(1, "
                            "Mul(0.044715, Pow(z, 2)))))))"});
}

/* What looks alike and is something else stays what it is; activation is what it must not become.
 */
static void check_apart(const struct fused *apart)
{
    struct onnx_builder builder;
    struct model model;
    build(&builder, apart->subgraph);
    load(&builder, &model, apart->subgraph);
    for (size_t i = 0; i < model.graph.node_count; i++)
        cr_assert_str_neq(activation_info(model.graph.nodes[i].activation.type)->name,
                          apart->activation, "%s", apart->subgraph);
    check_values(&model, apart->subgraph);
    model_close(&model);
    onnx_close(&builder);
}

#define CHECK_APART(...)                                          \
    do {                                                          \
        static const struct fused cases[] = {__VA_ARGS__};        \
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) \
            check_apart(&cases[i]);                               \
    } while (0)

Test(onnx_fuse, another_constant_is_another_function)
{
    CHECK_APART(
        {"relu", "Max(z, 0.1)"}, {"relu", "Max(z, [0 0 0 0.5])"}, {"shifted_relu", "Max(z, -1.1)"},
        {"clip", "Min(Relu(z), [1 2 3 4])"}, {"clip", "Max(Min(z, -1), 1)"},
        {"relu6", "Clip(Relu(z), 1, 6)"}, {"leaky_relu", "Max(z, Mul(z, 1.5))"},
        {"leaky_relu", "Max(z, Mul(z, -0.5))"}, {"leaky_relu", "Max(z, Mul(z, 1))"},
        {"leaky_relu", "Max(z, Mul(z, [1 2 3 4]))"},
        {"leaky_relu", "Where(Greater(z, 1), z, Mul(z, 0.2))"},
        {"leaky_relu", "Where(Less(z, 0), z, Mul(z, 0.2))"}, {"squared_relu", "Pow(Relu(z), 3)"},
        {"silu", "Mul(z, Sigmoid(Mul(z, 1.702)))"}, {"softplus", "Log(Add(Exp(z), 2))"},
        {"softplus", "Where(Greater(z, 2), z, Log(Add(Exp(z), 1.5)))"},
        {"hard_sigmoid", "Clip(Add(Mul(z, 0.2), 0.5), 0, 2)"},
        {"hard_sigmoid", "Div(Clip(Add(z, 3), 0, 6), 5)"},
        {"hard_sigmoid", "Div(6, Clip(Add(z, 3), 1, 6))"},
        {"hard_sigmoid", "Div(Clip(Add(z, 2), 0, 6), 6)"},
        {"hard_swish", "Mul(z, HardSigmoid(z, alpha=0.2, beta=0.5))"},
        {"hard_swish", "Mul(z, HardSigmoid(z, alpha=0.16666667, beta=0.4))"},
        {"gelu", "Mul(Mul(z, Add(Erf(Mul(z, 0.707108)), 1)), 0.5)"},
        {"gelu", "Mul(Mul(z, Add(Erf(Mul(z, 0.70710677)), 1.001)), 0.5)"},
        {"gelu", "Mul(Mul(z, Add(Erf(Mul(z, 0.70710677)), 1)), 0.501)"},
        {"gelu_tanh",
         "Mul(Mul(z, 0.5), Add(Tanh(Mul(Add(z, Mul(Pow(z, 3), 0.0447)), 0.7978846)), 1))"},
        {"gelu_tanh",
         "Mul(Mul(z, 0.5), Add(Tanh(Mul(Add(z, Mul(Pow(z, 2), 0.044715)), 0.7978846)), 1))"});
}

Test(onnx_fuse, another_tensor_is_another_function)
{
    CHECK_APART(
        {"silu", "Mul(Relu(z), Sigmoid(z))"}, {"squared_relu", "Mul(Relu(z), Relu(Neg(z)))"},
        {"silu", "h = Mul(z, 2); Mul(h, Sigmoid(z))"}, {"silu", "Mul([1 2 3 4], Sigmoid(z))"},
        {"leaky_relu", "h = Mul(z, 2); Max(h, Mul(z, 0.1))"},
        {"leaky_relu", "h = Abs(z); Where(Greater(h, 0), z, Mul(z, 0.2))"},
        {"leaky_relu", "h = Neg(z); Sub(Relu(z), Mul(Relu(Neg(h)), 0.1))"},
        {"gelu", "h = Mul(z, 2); Mul(Mul(z, Add(Erf(Mul(h, 0.70710677)), 1)), 0.5)"},
        {"mish", "h = Add(z, 1); Mul(z, Tanh(Softplus(h)))"},
        {"hard_swish", "h = Add(z, 1); Div(Mul(h, Clip(Add(z, 3), 0, 6)), 6)"});
}

Test(onnx_fuse, what_is_read_elsewhere_is_not_swallowed)
{
    CHECK_APART({"silu", "h = Sigmoid(z); Add(Mul(z, h), h)"},
                {"squared_relu", "h = Relu(z); Add(Mul(h, h), h)"},
                {"leaky_relu", "h = Mul(z, 0.1); Sub(Max(z, h), h)"},
                {"hard_swish", "h = Add(z, 3); Add(Div(Mul(z, Clip(h, 0, 6)), 6), h)"},
                {"gelu", "h = Erf(Mul(z, 0.70710677)); Add(Mul(Mul(z, Add(h, 1)), 0.5), h)"},
                {"softplus", "h = Exp(z); Div(Log(Add(h, 1)), Add(h, 1))"});
}

/* The world reads an output of the graph. */
Test(onnx_fuse, an_output_is_not_swallowed)
{
    struct onnx_builder builder;
    struct model model;
    build(&builder, "Mul(z, Sigmoid(z))");
    onnx_output(&builder, "t1");
    load(&builder, &model, "two outputs");
    cr_assert(model.graph.node_count == 3);
    check_values(&model, "Mul(z, Sigmoid(z))");
    model_close(&model);
    onnx_close(&builder);
}

/* The input may be read by others: the activation is a layer of its own then. */
Test(onnx_fuse, an_input_that_others_read_stays)
{
    static const char text[] = "h = Sub(z, 1); Mul(Mul(h, Sigmoid(h)), h)";
    struct onnx_builder builder;
    struct model model;
    build(&builder, text);
    load(&builder, &model, text);
    cr_assert(model.graph.node_count == 3);
    cr_assert(model.graph.nodes[0].activation.type == ACTIVATION_identity);
    cr_assert(model.graph.nodes[1].op == OP_activation);
    cr_assert(model.graph.nodes[1].activation.type == ACTIVATION_silu);
    check_values(&model, text);
    model_close(&model);
    onnx_close(&builder);
}

Test(onnx_fuse, two_in_a_row_are_two_layers)
{
    static const char text[] = "h = Mul(z, Sigmoid(z)); Mul(h, Tanh(Softplus(h)))";
    struct onnx_builder builder;
    struct model model;
    build(&builder, text);
    load(&builder, &model, text);
    cr_assert(model.graph.node_count == 2 && model.plan.layer_count == 2);
    cr_assert(model.graph.nodes[0].activation.type == ACTIVATION_silu);
    cr_assert(model.graph.nodes[1].activation.type == ACTIVATION_mish);
    check_values(&model, text);
    model_close(&model);
    onnx_close(&builder);
}

/* Names: the scope of the nodes, where the exporter has one. */
static void check_name(const char *sigmoid, const char *mul, const char *expected)
{
    struct onnx_builder builder;
    struct model model;
    onnx_open(&builder);
    onnx_input(&builder, "x", 2, (const int64_t[]){-1, UNITS});
    onnx_node(&builder, "Sigmoid", sigmoid, "x", "s");
    onnx_node(&builder, "Mul", mul, "s x", "y");
    onnx_output(&builder, "y");
    load(&builder, &model, mul);
    cr_assert(model.graph.node_count == 1 && model.graph.nodes[0].op == OP_activation);
    cr_assert_str_eq(model.graph.nodes[0].name, expected);
    model_close(&model);
    onnx_close(&builder);
}

Test(onnx_fuse, one_that_stands_alone_has_the_name_of_its_scope)
{
    check_name("/act/Sigmoid", "/act/Mul", "act");
    check_name("/net/act/Sigmoid", "/net/act/Mul_1", "net/act");
    check_name("model/swish/Sigmoid", "model/swish/mul_12", "model/swish");
    check_name("/net/Sigmoid", "/net/gate", "net/gate");
    check_name("gate", "swish", "swish");
    check_name("/Sigmoid", "/Mul", "silu_0");
    check_name("", "", "silu_0");
}

/* Convolutions: one slope for each channel. */
Test(onnx_fuse, slopes_of_channels_are_prelus)
{
    static const float weight[2] = {1, 1}, slopes[2] = {0.5f, -2};
    struct onnx_builder builder;
    struct model model;
    float y[4];
    onnx_open(&builder);
    onnx_input(&builder, "x", 4, (const int64_t[]){-1, 1, 1, 2});
    onnx_initializer(
        &builder, onnx_floats(&builder, "conv.weight", 4, (const int64_t[]){2, 1, 1, 1}, weight));
    onnx_initializer(&builder,
                     onnx_floats(&builder, "slopes", 3, (const int64_t[]){2, 1, 1}, slopes));
    onnx_node(&builder, "Conv", "", "x conv.weight", "z");
    onnx_node(&builder, "Relu", "", "z", "positive");
    onnx_node(&builder, "Neg", "", "z", "opposite");
    onnx_node(&builder, "Relu", "", "opposite", "negative");
    onnx_node(&builder, "Mul", "", "slopes negative", "falling");
    onnx_node(&builder, "Add", "", "positive falling", "y");
    onnx_output(&builder, "y");
    load(&builder, &model, "prelu");
    for (size_t i = 0; i < model.graph.node_count; i++)
        cr_assert(model.graph.nodes[i].op == OP_conv
                      ? model.graph.nodes[i].activation.type == ACTIVATION_prelu
                      : model.graph.nodes[i].op == OP_move);
    model_run(&model, (const float[]){3, -4}, 1, y);
    cr_assert(y[0] == 3 && y[1] == 2 && y[2] == 3 && y[3] == -8);
    model_close(&model);
    onnx_close(&builder);
}

/* Where the batch is an axis like the others, a value may be one number without dimensions: a
 * constant that has one adds it. */
Test(onnx_fuse, a_constant_that_adds_a_dimension_is_not_swallowed)
{
    struct onnx_builder builder;
    struct model model;
    float y;
    onnx_open(&builder);
    onnx_input(&builder, "x", 2, (const int64_t[]){2, UNITS});
    onnx_matrix(&builder, "zero", 0, 1, (const float[]){0});
    Onnx__NodeProto *sum = onnx_node(&builder, "ReduceSum", "", "x", "s");
    onnx_int(&builder, sum, "keepdims", 0);
    onnx_node(&builder, "Max", "", "s zero", "y");
    onnx_output(&builder, "y");
    load(&builder, &model, "Max");
    cr_assert(model.whole && model.outputs[0].rank == 1 && model.outputs[0].dims[0] == 1);
    model_run(&model, (const float[2 * UNITS]){1, 2}, 1, &y);
    cr_assert(y == 3);
    model_close(&model);
    onnx_close(&builder);
}

Test(onnx_fuse, a_name_inside_cannot_be_taken_again)
{
    struct onnx_builder builder;
    struct model model;
    struct error error;
    build(&builder, "Mul(z, Sigmoid(z))");
    onnx_node(&builder, "Relu", "", "y", "t1");
    cr_assert(onnx_load(&builder, &model, &error) != STATUS_OK);
    cr_assert(strstr(error.message, "\"t1\" is defined twice"), "%s", error.message);
    model_close(&model);
    onnx_close(&builder);
}
