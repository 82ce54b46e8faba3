/* What sound ONNX files become: operators, fusion, names, shapes. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "onnx_builder.h"
#include "randoms.h"

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

Test(onnx, a_small_network_computes_what_it_says)
{
    struct onnx_builder builder;
    struct model model;
    float y[4];
    onnx_open(&builder);
    onnx_small(&builder);
    load(&builder, &model);
    cr_assert(model.graph.node_count == 2 && model.plan.layer_count == 1);
    cr_assert_str_eq(model.inputs[0].name, "x");
    cr_assert_str_eq(model.outputs[0].name, "y");
    cr_assert(model.inputs[0].rank == 2 && model.inputs[0].features == 4);
    cr_assert(model.inputs[0].dims[0] == -1 && model.inputs[0].dims[1] == 4);
    cr_assert(model.outputs[0].features == 2 && model.outputs[0].dims[1] == 2);
    model_run(&model, (const float[]){1, 1, 1, 1, -1, 0, 0, 0}, 2, y);
    /* h = relu(10.5, -25, 0.625), relu(-0.5, 6, -1.5) */
    cr_assert(y[0] == 10.5f + 1.875f + 10 && y[1] == -10.5f + 1.875f + 20, "%g %g", (double)y[0],
              (double)y[1]);
    cr_assert(y[2] == 2 * 6 + 10 && y[3] == -2 * 6 + 20, "%g %g", (double)y[2], (double)y[3]);
    close_both(&builder, &model);
}

/* Gemm: y = alpha x w (or w transposed) + beta c */

struct gemm_case {
    bool trans_b;
    float alpha, beta;
    int bias; /* 0: none, 1: [5], 2: [1, 5], 3: one number, 4: a scalar */
};

enum { GEMM_K = 4, GEMM_N = 5, GEMM_BIASES = 5 };

static void build_gemm(struct onnx_builder *builder, const struct gemm_case *c, const float *w,
                       const float *bias)
{
    static const int64_t shapes[GEMM_BIASES][2] = {{0}, {5}, {1, 5}, {1}, {0}};
    static const size_t ranks[GEMM_BIASES] = {0, 1, 2, 1, 0};
    onnx_input(builder, "x", 2, open4);
    onnx_matrix(builder, "w", c->trans_b ? GEMM_N : GEMM_K, c->trans_b ? GEMM_K : GEMM_N, w);
    if (c->bias)
        onnx_initializer(builder, onnx_floats(builder, "c", ranks[c->bias], shapes[c->bias], bias));
    Onnx__NodeProto *node = onnx_node(builder, "Gemm", "", c->bias ? "x w c" : "x w", "y");
    onnx_int(builder, node, "transB", c->trans_b);
    if (c->alpha != 1)
        onnx_float(builder, node, "alpha", c->alpha);
    if (c->beta != 1)
        onnx_float(builder, node, "beta", c->beta);
    onnx_output(builder, "y");
}

static double gemm_expected(const struct gemm_case *c, const float *x, const float *w,
                            const float *bias, size_t j)
{
    double sum = 0;
    for (size_t i = 0; i < GEMM_K; i++)
        sum += (double)x[i] * (double)w[c->trans_b ? j * GEMM_K + i : i * GEMM_N + j];
    const double offset = c->bias == 0 ? 0 : (double)bias[c->bias < 3 ? j : 0];
    return (double)c->alpha * sum + (double)c->beta * offset;
}

static void check_gemm(const struct gemm_case *c)
{
    struct randoms random = {1};
    struct onnx_builder builder;
    struct model model;
    float w[GEMM_K * GEMM_N], bias[GEMM_N], x[GEMM_K], y[GEMM_N];
    random_floats(&random, RANDOM_PLAIN, w, GEMM_K * GEMM_N);
    random_floats(&random, RANDOM_PLAIN, bias, GEMM_N);
    random_floats(&random, RANDOM_PLAIN, x, GEMM_K);
    onnx_open(&builder);
    build_gemm(&builder, c, w, bias);
    load(&builder, &model);
    model_run(&model, x, 1, y);
    for (size_t j = 0; j < GEMM_N; j++)
        cr_assert_float_eq((double)y[j], gemm_expected(c, x, w, bias, j), 1e-5,
                           "transB %d, alpha %g, beta %g, bias %d", c->trans_b, (double)c->alpha,
                           (double)c->beta, c->bias);
    close_both(&builder, &model);
}

Test(onnx, gemm_takes_trans_b_alpha_beta_and_every_bias)
{
    static const float factors[] = {1, 0.5f, -2, 0};
    for (int trans_b = 0; trans_b < 2; trans_b++)
        for (size_t alpha = 0; alpha < 4; alpha++)
            for (size_t beta = 0; beta < 4; beta++)
                for (int bias = 0; bias < GEMM_BIASES; bias++)
                    check_gemm(&(struct gemm_case){trans_b, factors[alpha], factors[beta], bias});
}

/* MatMul + Add */

static void check_matmul_add(const char *operands)
{
    static const float w[4 * 2] = {1, 2, 3, 4, 5, 6, 7, 8}, bias[2] = {100, 200};
    struct onnx_builder builder;
    struct model model;
    float y[2];
    onnx_open(&builder);
    onnx_input(&builder, "x", 2, open4);
    onnx_matrix(&builder, "w", 4, 2, w);
    onnx_matrix(&builder, "b", 0, 2, bias);
    onnx_node(&builder, "MatMul", "", "x w", "m");
    onnx_node(&builder, "Add", "", operands, "y");
    onnx_output(&builder, "y");
    load(&builder, &model);
    cr_assert(model.graph.node_count == 1);
    model_run(&model, (const float[]){1, 0, 1, 0}, 1, y);
    cr_assert(y[0] == 106 && y[1] == 208, "%s: %g %g", operands, (double)y[0], (double)y[1]);
    close_both(&builder, &model);
}

Test(onnx, a_matmul_takes_its_bias_from_either_side)
{
    check_matmul_add("m b");
    check_matmul_add("b m");
}

/* Activations */

/* x [N, 4] -> MatMul with the identity -> op -> y; the parameter, where there is one, is 0.5. */
static Onnx__NodeProto *build_activation(struct onnx_builder *builder, const char *op,
                                         const char *inputs)
{
    static const float identity[16] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
    onnx_input(builder, "x", 2, open4);
    onnx_matrix(builder, "w", 4, 4, identity);
    onnx_node(builder, "MatMul", "", "x w", "z");
    onnx_output(builder, "y");
    return onnx_node(builder, op, "", inputs, "y");
}

static void check_values(const struct model *model, const char *what)
{
    static const float x[4] = {-2, -0.5f, 0.75f, 3};
    float y[4];
    model_run(model, x, 1, y);
    for (size_t i = 0; i < 4; i++) {
        const struct activation *activation = &model->graph.nodes[0].activation;
        const double expected = activation_value(activation, i, (double)x[i]);
        cr_assert_float_eq((double)y[i], expected, 1e-6, "%s of %g is %g", what, (double)x[i],
                           (double)y[i]);
    }
}

static void check_fused(const char *op, const char *attribute, enum activation_type type)
{
    struct onnx_builder builder;
    struct model model;
    onnx_open(&builder);
    Onnx__NodeProto *node = build_activation(&builder, op, "z");
    if (attribute)
        onnx_float(&builder, node, attribute, 0.5f);
    load(&builder, &model);
    cr_assert(model.graph.node_count == 1, "%s is not fused", op);
    cr_assert(model.graph.nodes[0].activation.type == type, "%s", op);
    cr_assert(!attribute || model.graph.nodes[0].activation.parameters[0] == 0.5f, "%s", op);
    check_values(&model, op);
    close_both(&builder, &model);
}

Test(onnx, an_activation_is_fused_into_its_layer)
{
    check_fused("Relu", NULL, ACTIVATION_relu);
    check_fused("LeakyRelu", "alpha", ACTIVATION_leaky_relu);
    check_fused("Elu", "alpha", ACTIVATION_elu);
    check_fused("Sigmoid", NULL, ACTIVATION_sigmoid);
    check_fused("Tanh", NULL, ACTIVATION_tanh);
}

static float loaded_parameter(const char *op)
{
    struct onnx_builder builder;
    struct model model;
    onnx_open(&builder);
    build_activation(&builder, op, "z");
    load(&builder, &model);
    const float parameter = model.graph.nodes[0].activation.parameters[0];
    close_both(&builder, &model);
    return parameter;
}

Test(onnx, a_missing_attribute_is_its_default)
{
    cr_assert(loaded_parameter("LeakyRelu") == 0.01f);
    cr_assert(loaded_parameter("Elu") == 1.0f);
}

static void check_slopes(size_t rank, const int64_t *dims, bool each)
{
    static const float slopes[4] = {0.5f, -1, 2, 0};
    struct onnx_builder builder;
    struct model model;
    onnx_open(&builder);
    build_activation(&builder, "PRelu", "z slope");
    onnx_initializer(&builder, onnx_floats(&builder, "slope", rank, dims, slopes));
    load(&builder, &model);
    const struct activation *activation = &model.graph.nodes[0].activation;
    cr_assert(activation->type == ACTIVATION_prelu && activation->slope);
    for (size_t i = 0; i < 4; i++)
        cr_assert(activation->slope[i] == slopes[each ? i : 0], "slope %zu", i);
    for (size_t i = 4; i < 16; i++)
        cr_assert(activation->slope[i] == 0, "padding");
    check_values(&model, "PRelu");
    close_both(&builder, &model);
}

Test(onnx, prelu_takes_one_slope_or_one_per_unit)
{
    check_slopes(1, (const int64_t[]){4}, true);
    check_slopes(2, (const int64_t[]){1, 4}, true);
    check_slopes(1, (const int64_t[]){1}, false);
    check_slopes(0, NULL, false);
}

Test(onnx, an_activation_of_an_input_stands_alone)
{
    struct onnx_builder builder;
    struct model model;
    float y[4];
    onnx_open(&builder);
    onnx_input(&builder, "x", 2, open4);
    onnx_node(&builder, "Relu", "first", "x", "y");
    onnx_output(&builder, "y");
    load(&builder, &model);
    cr_assert(model.graph.node_count == 1 && model.graph.nodes[0].op == OP_activation);
    cr_assert(model.plan.layer_count == 1);
    model_run(&model, (const float[]){-1, 2, NAN, -4}, 1, y);
    cr_assert(y[0] == 0 && y[1] == 2 && isnan(y[2]) && y[3] == 0);
    close_both(&builder, &model);
}

Test(onnx, a_second_activation_stands_alone)
{
    struct onnx_builder builder;
    struct model model;
    float y[4];
    onnx_open(&builder);
    build_activation(&builder, "Relu", "z");
    builder.graph->node[1]->output[0] = (char *)"h";
    onnx_node(&builder, "Tanh", "", "h", "y");
    load(&builder, &model);
    cr_assert(model.graph.node_count == 2 && model.plan.layer_count == 2);
    model_run(&model, (const float[]){-1, 0, 20, -4}, 1, y);
    cr_assert(y[0] == 0 && y[1] == 0 && y[2] == 1 && y[3] == 0);
    close_both(&builder, &model);
}

Test(onnx, softmax_is_a_node_of_its_own)
{
    static const int64_t axes[] = {-1, 1};
    for (size_t i = 0; i < 3; i++) {
        struct onnx_builder builder;
        struct model model;
        float y[4], sum = 0;
        onnx_open(&builder);
        Onnx__NodeProto *node = build_activation(&builder, "Softmax", "z");
        if (i < 2)
            onnx_int(&builder, node, "axis", axes[i]);
        load(&builder, &model);
        cr_assert(model.graph.node_count == 2 && model.graph.nodes[1].op == OP_softmax);
        cr_assert(model.plan.layer_count == 0, "softmax is not counted");
        model_run(&model, (const float[]){1, 2, 3, 4}, 1, y);
        for (size_t j = 0; j < 4; j++)
            sum += y[j];
        cr_assert_float_eq((double)sum, 1, 1e-6);
        cr_assert_float_eq((double)y[3], 0.64391425988797, 1e-6);
        close_both(&builder, &model);
    }
}

/* What two nodes read, or a node and the world, keeps its own value. */
static void check_not_fused(const char *second_reader)
{
    struct onnx_builder builder;
    struct model model;
    float y[4];
    onnx_open(&builder);
    build_activation(&builder, "Relu", "z");
    if (second_reader)
        onnx_node(&builder, second_reader, "", "z", "other");
    onnx_output(&builder, second_reader ? "other" : "z");
    load(&builder, &model);
    cr_assert(model.graph.nodes[0].activation.type == ACTIVATION_identity);
    cr_assert(model.graph.nodes[1].op == OP_activation);
    model_run(&model, (const float[]){-1, 2, -3, 4}, 1, y);
    cr_assert(y[0] == 0 && y[1] == 2 && y[2] == 0 && y[3] == 4);
    close_both(&builder, &model);
}

Test(onnx, a_value_that_is_read_twice_is_not_fused)
{
    check_not_fused("Tanh");
    check_not_fused("Identity");
    check_not_fused(NULL);
}

/* Read once under each of two names is read twice. */
Test(onnx, a_value_with_two_names_is_not_fused)
{
    struct onnx_builder builder;
    struct model model;
    onnx_open(&builder);
    onnx_input(&builder, "x", 2, open4);
    onnx_matrix(&builder, "w", 4, 1, (const float[]){1, 1, 1, 1});
    onnx_node(&builder, "MatMul", "", "x w", "z");
    onnx_node(&builder, "Identity", "", "z", "same");
    onnx_node(&builder, "Identity", "", "z", "copy");
    onnx_node(&builder, "Relu", "", "same", "y");
    onnx_output(&builder, "y");
    onnx_output(&builder, "copy");
    load(&builder, &model);
    cr_assert(model.graph.node_count == 2);
    cr_assert(model.graph.nodes[0].activation.type == ACTIVATION_identity);
    float y;
    model_run(&model, (const float[]){-1, -1, -1, -1}, 1, &y);
    cr_assert(y == 0);
    close_both(&builder, &model);
}

/* Operators that only rename or reshape */

static void check_alias(const char *op, const char *attribute, int64_t value)
{
    struct onnx_builder builder;
    struct model model;
    float y[4];
    onnx_open(&builder);
    build_activation(&builder, "Relu", "same");
    Onnx__NodeProto **nodes = builder.graph->node;
    Onnx__NodeProto *relu = nodes[1];
    builder.graph->n_node = 1;
    Onnx__NodeProto *node = onnx_node(&builder, op, "", "z", "same");
    if (attribute)
        onnx_int(&builder, node, attribute, value);
    nodes[builder.graph->n_node++] = relu;
    load(&builder, &model);
    cr_assert(model.graph.node_count == 1, "%s is no node", op);
    model_run(&model, (const float[]){-1, 2, -3, 4}, 1, y);
    cr_assert(y[0] == 0 && y[3] == 4);
    close_both(&builder, &model);
}

Test(onnx, what_only_renames_disappears)
{
    check_alias("Identity", NULL, 0);
    check_alias("Dropout", NULL, 0);
    check_alias("Cast", "to", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
    check_alias("Flatten", NULL, 0);
    check_alias("Flatten", "axis", 1);
    check_alias("Flatten", "axis", -1);
}

/* An image [batch, 1, 2, 2] becomes rows of 4. */
static void check_image(int64_t batch, const char *op, const int64_t *shape, int64_t axis)
{
    struct onnx_builder builder;
    struct model model;
    float y[2];
    onnx_open(&builder);
    onnx_input(&builder, "image", 4, (const int64_t[]){batch, 1, 2, 2});
    onnx_matrix(&builder, "fc.weight", 1, 4, (const float[]){1, 10, 100, 1000});
    if (shape)
        onnx_initializer(&builder, onnx_ints(&builder, "shape", 2, shape));
    Onnx__NodeProto *node = onnx_node(&builder, op, "", shape ? "image shape" : "image", "flat");
    if (!shape)
        onnx_int(&builder, node, "axis", axis);
    node = onnx_node(&builder, "Gemm", "", "flat fc.weight", "y");
    onnx_int(&builder, node, "transB", 1);
    onnx_output(&builder, "y");
    load(&builder, &model);
    cr_assert(model.inputs[0].rank == 4 && model.inputs[0].features == 4);
    cr_assert(model.inputs[0].dims[0] == -1 && model.inputs[0].dims[3] == 2);
    cr_assert(model.graph.node_count == 1);
    model_run(&model, (const float[]){1, 2, 3, 4, 5, 6, 7, 8}, 2, y);
    cr_assert(y[0] == 4321 && y[1] == 8765);
    close_both(&builder, &model);
}

Test(onnx, images_are_flattened)
{
    check_image(-1, "Flatten", NULL, 1);
    check_image(-1, "Flatten", NULL, -3);
    check_image(-1, "Reshape", (const int64_t[]){-1, 4}, 0);
    check_image(-1, "Reshape", (const int64_t[]){0, 4}, 0);
    check_image(-1, "Reshape", (const int64_t[]){0, -1}, 0);
    check_image(1, "Reshape", (const int64_t[]){1, 4}, 0);
    check_image(1, "Reshape", (const int64_t[]){1, -1}, 0);
}

Test(onnx, constants_may_come_from_nodes)
{
    struct onnx_builder builder;
    struct model model;
    float y;
    const int64_t dims[2] = {4, 1};
    onnx_open(&builder);
    onnx_input(&builder, "x", 2, open4);
    onnx_value(&builder, onnx_node(&builder, "Constant", "", "", "w"), "value",
               onnx_floats(&builder, "", 2, dims, (const float[]){1, 2, 3, 4}));
    onnx_value(&builder, onnx_node(&builder, "Constant", "", "", "shape"), "value",
               onnx_ints(&builder, "", 2, (const int64_t[]){-1, 4}));
    onnx_node(&builder, "Identity", "", "w", "v");
    onnx_node(&builder, "Reshape", "", "x shape", "flat");
    onnx_node(&builder, "MatMul", "", "flat v", "y");
    onnx_output(&builder, "y");
    load(&builder, &model);
    model_run(&model, (const float[]){1, 1, 1, 1}, 1, &y);
    cr_assert(y == 10);
    cr_assert_str_eq(model.graph.nodes[0].name, "matmul_0", "a constant node gives no name");
    close_both(&builder, &model);
}

/* An exporter that folds nothing leaves the transposition of the weights to the importer. */
Test(onnx, a_computed_weight_may_be_larger_than_any_row)
{
    enum { K = 4100, N = 4096 };
    _Static_assert(K * N > MODEL_FEATURES_MAX, "too large for a row");
    const float half = 0.5f;
    struct onnx_builder builder;
    struct model model;
    float *x = calloc(K, sizeof *x), *y = calloc(N, sizeof *y);
    onnx_open(&builder);
    onnx_input(&builder, "x", 2, (const int64_t[]){-1, K});
    onnx_initializer(&builder, onnx_ints(&builder, "shape", 2, (const int64_t[]){N, K}));
    onnx_value(&builder, onnx_node(&builder, "ConstantOfShape", "", "shape", "w"), "value",
               onnx_floats(&builder, "", 0, NULL, &half));
    onnx_node(&builder, "Transpose", "", "w", "t");
    onnx_node(&builder, "MatMul", "", "x t", "y");
    onnx_output(&builder, "y");
    load(&builder, &model);
    x[K - 1] = 4;
    model_run(&model, x, 1, y);
    for (size_t i = 0; i < N; i++)
        cr_assert(y[i] == 2, "element %zu: %g", i, (double)y[i]);
    close_both(&builder, &model);
    free(x);
    free(y);
}

/* As exporters compute pads and shapes: from a matrix, turned around. */
Test(onnx, whole_numbers_are_moved_at_load)
{
    struct onnx_builder builder;
    struct model model;
    onnx_open(&builder);
    onnx_input(&builder, "x", 2, (const int64_t[]){-1, 24});
    Onnx__TensorProto *matrix = onnx_ints(&builder, "m", 4, (const int64_t[]){2, 3, 4, 24});
    matrix->n_dims = 2;
    matrix->dims = (int64_t[]){2, 2};
    onnx_initializer(&builder, matrix);
    onnx_initializer(&builder, onnx_ints(&builder, "minus", 1, (const int64_t[]){-1}));
    onnx_initializer(&builder, onnx_ints(&builder, "least", 1, (const int64_t[]){INT64_MIN}));
    onnx_initializer(&builder, onnx_ints(&builder, "zero", 1, (const int64_t[]){0}));
    onnx_initializer(&builder, onnx_ints(&builder, "three", 1, (const int64_t[]){3}));
    onnx_initializer(&builder, onnx_ints(&builder, "one", 1, (const int64_t[]){1}));
    onnx_node(&builder, "Slice", "", "m minus least zero minus", "turned"); /* 4 24, 2 3 */
    onnx_node(&builder, "Transpose", "", "turned", "columns");              /* 4 2, 24 3 */
    onnx_node(&builder, "Gather", "", "columns zero", "row");               /* 4 2 */
    onnx_node(&builder, "Squeeze", "", "row zero", "list");
    onnx_node(&builder, "Expand", "", "three one", "last");
    onnx_int(&builder, onnx_node(&builder, "Concat", "", "zero list last", "shape"), "axis", 0);
    onnx_node(&builder, "Reshape", "", "x shape", "y");
    onnx_output(&builder, "y");
    load(&builder, &model);
    cr_assert(model.outputs[0].rank == 4 && model.outputs[0].dims[1] == 4 &&
              model.outputs[0].dims[2] == 2 && model.outputs[0].dims[3] == 3);
    close_both(&builder, &model);
}

Test(onnx, numbers_need_not_be_raw)
{
    struct onnx_builder builder;
    struct model model;
    float data[2] = {3, 4}, y;
    int64_t shape[2] = {-1, 2};
    onnx_open(&builder);
    onnx_input(&builder, "x", 2, (const int64_t[]){-1, 2});
    Onnx__TensorProto *w = onnx_matrix(&builder, "w", 2, 1, data);
    Onnx__TensorProto *s = onnx_initializer(&builder, onnx_ints(&builder, "s", 2, shape));
    w->has_raw_data = s->has_raw_data = 0;
    w->n_float_data = s->n_int64_data = 2;
    w->float_data = data;
    s->int64_data = shape;
    onnx_node(&builder, "Reshape", "", "x s", "r");
    onnx_node(&builder, "MatMul", "", "r w", "y");
    onnx_output(&builder, "y");
    load(&builder, &model);
    model_run(&model, (const float[]){1, 2}, 1, &y);
    cr_assert(y == 11);
    close_both(&builder, &model);
}

/* Old files list initializers among the inputs. */
Test(onnx, an_initializer_among_the_inputs_is_no_input)
{
    struct onnx_builder builder;
    struct model model;
    onnx_open(&builder);
    onnx_input(&builder, "fc1.weight", 2, (const int64_t[]){3, 4});
    onnx_small(&builder);
    load(&builder, &model);
    cr_assert(model.graph.input_count == 1);
    cr_assert_str_eq(model.inputs[0].name, "x");
    close_both(&builder, &model);
}

Test(onnx, an_input_may_be_an_output)
{
    struct onnx_builder builder;
    struct model model;
    float y[4];
    onnx_open(&builder);
    onnx_input(&builder, "x", 2, open4);
    onnx_node(&builder, "Identity", "", "x", "y");
    onnx_output(&builder, "y");
    load(&builder, &model);
    cr_assert(model.graph.node_count == 0 && model.outputs[0].features == 4);
    model_run(&model, (const float[]){1, 2, 3, 4}, 1, y);
    cr_assert(y[3] == 4);
    close_both(&builder, &model);
}
