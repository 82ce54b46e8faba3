/* Arithmetic with constants is folded into the weights of what comes before it. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "onnx_builder.h"
#include "randoms.h"

enum { CHANNELS = 6, SIDE = 3, FEATURES = CHANNELS * SIDE * SIDE, OUTPUTS_MAX = 300 };
enum { ROOM = OUTPUTS_MAX * SIDE * SIDE };

/* What makes z: weights of that shape, in groups; a matrix is a Gemm. */
struct producer {
    const char *op_type;
    size_t rank;
    int64_t dims[4];
    int64_t groups;
};

static const struct producer producers[] = {
    {"Conv", 4, {OUTPUTS_MAX, CHANNELS, 1, 1}, 1},
    {"Conv", 4, {4, CHANNELS / 2, 3, 3}, 2},
    {"Conv", 4, {CHANNELS, 1, 2, 2}, CHANNELS},
    {"Gemm", 2, {OUTPUTS_MAX, FEATURES}, 1},
};

/* An operator with c, the constant, on one side of z. */
struct arithmetic {
    const char *op_type, *inputs;
    bool folds;
};

static const struct arithmetic arithmetics[] = {
    {"Add", "z c", true},  {"Add", "c z", true},  {"Sum", "z c", true},  {"Sub", "z c", true},
    {"Sub", "c z", true},  {"Mul", "z c", true},  {"Mul", "c z", true},  {"Div", "z c", true},
    {"Div", "c z", false}, {"Max", "z c", false}, {"Pow", "z c", false},
};

static float weights[OUTPUTS_MAX * FEATURES], factors[OUTPUTS_MAX], x[FEATURES];

static void build(struct onnx_builder *builder, const struct producer *p,
                  const struct arithmetic *a, size_t factor_count)
{
    const bool conv = p->rank == 4;
    const int64_t dims[4] = {-1, conv ? CHANNELS : FEATURES, SIDE, SIDE};
    const int64_t shape[3] = {(int64_t)factor_count, 1, 1};
    onnx_open(builder);
    onnx_input(builder, "x", p->rank, dims);
    onnx_initializer(builder, onnx_floats(builder, "w", p->rank, p->dims, weights));
    onnx_initializer(builder, onnx_floats(builder, "c", conv ? 3 : 1, shape, factors));
    Onnx__NodeProto *node = onnx_node(builder, p->op_type, "", "x w", "z");
    onnx_int(builder, node, conv ? "group" : "transB", p->groups);
    onnx_node(builder, a->op_type, "", a->inputs, "y");
    onnx_output(builder, "y");
}

/* Runs what was built; returns whether it still has arithmetic of its own. */
static bool run(struct onnx_builder *builder, float *y)
{
    struct model model;
    struct error error;
    bool found = false;
    cr_assert(onnx_load(builder, &model, &error) == STATUS_OK, "%s", error.message);
    cr_assert(model.outputs[0].features <= ROOM);
    model_run(&model, x, 1, y);
    for (size_t i = 0; i < model.graph.node_count; i++)
        found |= model.graph.nodes[i].op == OP_arithmetic;
    model_close(&model);
    return found;
}

static bool same(float a, float b)
{
    return isfinite(b) ? fabsf(a - b) <= 1e-5f * (1 + fabsf(b)) : a == b || (isnan(a) && isnan(b));
}

/* The answer is what it is when z is an output as well, and nothing may be folded into it. */
static void check(const struct producer *p, const struct arithmetic *a, size_t factor_count)
{
    float folded[ROOM] = {0}, apart[ROOM] = {0};
    struct onnx_builder builder;
    build(&builder, p, a, factor_count);
    cr_expect(run(&builder, folded) != a->folds, "%s %s (%s)", p->op_type, a->op_type, a->inputs);
    onnx_output(&builder, "z");
    cr_expect(run(&builder, apart), "%s %s (%s)", p->op_type, a->op_type, a->inputs);
    for (size_t i = 0; i < ROOM; i++)
        cr_expect(same(folded[i], apart[i]), "%s %s (%s), element %zu: expected %g, found %g",
                  p->op_type, a->op_type, a->inputs, i, (double)apart[i], (double)folded[i]);
    onnx_close(&builder);
}

static void fill(void)
{
    struct randoms random = {1};
    random_floats(&random, RANDOM_PLAIN, weights, OUTPUTS_MAX * FEATURES);
    random_floats(&random, RANDOM_PLAIN, x, FEATURES);
    for (size_t i = 0; i < OUTPUTS_MAX; i++)
        factors[i] = 1.5f + random_plain(&random);
}

Test(onnx_affine, arithmetic_with_a_number_for_each_unit_is_folded)
{
    fill();
    for (size_t p = 0; p < sizeof producers / sizeof producers[0]; p++)
        for (size_t a = 0; a < sizeof arithmetics / sizeof arithmetics[0]; a++)
            check(&producers[p], &arithmetics[a], (size_t)producers[p].dims[0]);
}

Test(onnx_affine, arithmetic_with_one_number_is_folded)
{
    fill();
    for (size_t p = 0; p < sizeof producers / sizeof producers[0]; p++)
        for (size_t a = 0; a < sizeof arithmetics / sizeof arithmetics[0]; a++)
            check(&producers[p], &arithmetics[a], 1);
}

Test(onnx_affine, factors_that_are_not_finite_stay_outside_the_weights)
{
    const struct arithmetic times = {"Mul", "z c", false}, over = {"Div", "z c", false};
    fill();
    factors[1] = INFINITY;
    check(&producers[1], &times, 4);
    factors[1] = 0;
    check(&producers[1], &over, 4);
}

Test(onnx_affine, a_sum_of_two_is_a_residual_like_an_addition)
{
    static const char *const ops[] = {"Sum", "Add"};
    static const int64_t open[] = {-1, FEATURES};
    float y[2][ROOM];
    fill();
    for (size_t i = 0; i < 2; i++) {
        struct onnx_builder builder;
        onnx_open(&builder);
        onnx_input(&builder, "x", 2, open);
        onnx_matrix(&builder, "w", FEATURES, FEATURES, weights);
        onnx_node(&builder, "Relu", "", "x", "h");
        onnx_node(&builder, "MatMul", "", "h w", "z");
        onnx_node(&builder, ops[i], "", "z h", "y");
        onnx_output(&builder, "y");
        cr_expect(!run(&builder, y[i]), "%s", ops[i]);
        onnx_close(&builder);
    }
    cr_assert(memcmp(y[0], y[1], FEATURES * sizeof(float)) == 0);
}
