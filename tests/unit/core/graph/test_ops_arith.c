/* Reductions and local response normalisation over random shapes against plain loops in double
 * precision. Loops call an assertion only on failure. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "isas.h"
#include "onnx_builder.h"
#include "randoms.h"
#include "reference.h"

enum { RANK_MAX = 4, ROWS = 3, SHAPES = 40, ELEMENTS_MAX = 7 * 7 * 7 * 7 };

static const double u = 0x1p-24; /* the unit roundoff of float32 */

/* A row's dimensions. */
struct dims {
    size_t rank, size[RANK_MAX];
};

static size_t count_of(const struct dims *dims)
{
    size_t count = 1;
    for (size_t i = 0; i < dims->rank; i++)
        count *= dims->size[i];
    return count;
}

static struct dims draw_dims(size_t least_rank, struct randoms *random)
{
    struct dims dims = {.rank = random_between(random, least_rank, RANK_MAX)};
    for (size_t i = 0; i < dims.rank; i++)
        dims.size[i] = random_between(random, 1, 7);
    return dims;
}

/* An input x, and for images by chance a pooling that changes nothing but how they are stored;
 * returns what the op under test is to read. */
static const char *build_input(struct onnx_builder *onnx, const struct dims *dims,
                               struct randoms *random)
{
    int64_t all[1 + RANK_MAX] = {-1};
    for (size_t i = 0; i < dims->rank; i++)
        all[1 + i] = (int64_t)dims->size[i];
    onnx_open(onnx);
    onnx_input(onnx, "x", 1 + dims->rank, all);
    onnx_output(onnx, "y");
    if (dims->rank < 2 || random_between(random, 0, 1))
        return "x";
    onnx_int_list(onnx, onnx_node(onnx, "MaxPool", "", "x", "p"), "kernel_shape", dims->rank - 1,
                  (const int64_t[]){1, 1, 1});
    return "p";
}

/* Runs rows of x through what was built, which has so many outputs; the caller frees them. */
static float *run(struct onnx_builder *onnx, const struct kernels *kernels, const float *x,
                  size_t outputs)
{
    struct model model;
    struct error error;
    cr_assert(onnx_load(onnx, &model, &error) == STATUS_OK, "%s", error.message);
    cr_assert(model.outputs[0].features == outputs, "%zu outputs, expected %zu",
              model.outputs[0].features, outputs);
    float *y = malloc(ROWS * outputs * sizeof *y);
    model_run_on(&model, kernels, x, ROWS, y);
    model_close(&model);
    onnx_close(onnx);
    return y;
}

static float *draw_rows(const struct dims *dims, struct randoms *random)
{
    const size_t count = ROWS * count_of(dims);
    float *x = malloc(count * sizeof *x);
    random_floats(random, RANDOM_PLAIN, x, count);
    return x;
}

static bool agrees(float found, struct bounded expected)
{
    if (isinf(expected.bound))
        return true;
    return isnan(expected.value) ? isnan(found)
                                 : fabs((double)found - expected.value) <= expected.bound;
}

/* Reductions of n numbers */

static struct bounded sum_of(size_t n, const float *x)
{
    static const float one = 1.0f;
    return reference_dot(n, x, &one, 0, 0.0f);
}

static struct bounded mean_of(size_t n, const float *x)
{
    const struct bounded sum = sum_of(n, x);
    const double mean = sum.value / (double)n;
    return (struct bounded){mean, sum.bound / (double)n + u * fabs(mean)};
}

static struct bounded max_of(size_t n, const float *x)
{
    struct bounded max = {(double)x[0], 0};
    for (size_t i = 1; i < n; i++)
        max.value = fmax(max.value, (double)x[i]);
    return max;
}

static struct bounded min_of(size_t n, const float *x)
{
    struct bounded min = {(double)x[0], 0};
    for (size_t i = 1; i < n; i++)
        min.value = fmin(min.value, (double)x[i]);
    return min;
}

static struct bounded product_of(size_t n, const float *x)
{
    double product = 1;
    for (size_t i = 0; i < n; i++)
        product *= (double)x[i];
    return (struct bounded){product, 2 * u * (double)n * fabs(product) + 0x1p-148};
}

static struct bounded magnitude_of(size_t n, const float *x)
{
    float magnitudes[ELEMENTS_MAX];
    for (size_t i = 0; i < n; i++)
        magnitudes[i] = fabsf(x[i]);
    return sum_of(n, magnitudes);
}

static struct bounded squares_of(size_t n, const float *x)
{
    return reference_dot(n, x, x, 1, 0.0f);
}

static struct bounded length_of(size_t n, const float *x)
{
    const struct bounded squares = squares_of(n, x);
    const double length = sqrt(squares.value);
    return (struct bounded){length, sqrt(squares.value + squares.bound) - length + u * length};
}

/* NaN where the sum is negative; anything where that is not certain. */
static struct bounded log_of_sum(size_t n, const float *x)
{
    const struct bounded sum = sum_of(n, x);
    const double value = log(sum.value);
    if (sum.value + sum.bound < 0)
        return (struct bounded){value, 0};
    if (sum.value - sum.bound <= 0)
        return (struct bounded){value, INFINITY};
    return (struct bounded){value, value - log(sum.value - sum.bound) + u * fabs(value)};
}

static const struct {
    const char *op;
    struct bounded (*of)(size_t n, const float *x);
} reductions[] = {
    {"ReduceSum", sum_of},   {"ReduceMean", mean_of},         {"ReduceMax", max_of},
    {"ReduceMin", min_of},   {"ReduceProd", product_of},      {"ReduceL1", magnitude_of},
    {"ReduceL2", length_of}, {"ReduceSumSquare", squares_of}, {"ReduceLogSum", log_of_sum},
};

enum { REDUCTIONS = sizeof reductions / sizeof reductions[0] };

/* The output that element i of a row belongs to: its place along the axes that stay. */
static size_t output_of(const struct dims *dims, unsigned axes, size_t i)
{
    size_t place[RANK_MAX], output = 0;
    for (size_t axis = dims->rank; axis-- > 0; i /= dims->size[axis])
        place[axis] = i % dims->size[axis];
    for (size_t axis = 0; axis < dims->rank; axis++)
        if (!(axes >> axis & 1))
            output = output * dims->size[axis] + place[axis];
    return output;
}

static void check_row(const struct dims *dims, unsigned axes, size_t which, const float *x,
                      const float *y, size_t outputs)
{
    float list[ELEMENTS_MAX];
    for (size_t output = 0; output < outputs; output++) {
        size_t n = 0;
        for (size_t i = 0; i < count_of(dims); i++)
            if (output_of(dims, axes, i) == output)
                list[n++] = x[i];
        const struct bounded expected = reductions[which].of(n, list);
        if (!agrees(y[output], expected))
            cr_assert_fail("%s of %zu numbers: y[%zu] is %a, expected %a", reductions[which].op, n,
                           output, (double)y[output], expected.value);
    }
}

static void check_reduction(const struct kernels *kernels, size_t which, struct randoms *random)
{
    const struct dims dims = draw_dims(1, random);
    const unsigned axes = (unsigned)random_between(random, 1, (1u << dims.rank) - 1);
    struct onnx_builder onnx;
    int64_t list[RANK_MAX];
    size_t count = 0, outputs = 1;
    for (size_t axis = 0; axis < dims.rank; axis++) {
        if (axes >> axis & 1)
            list[count++] = (int64_t)axis + 1;
        else
            outputs *= dims.size[axis];
    }
    const char *input = build_input(&onnx, &dims, random);
    Onnx__NodeProto *node = onnx_node(&onnx, reductions[which].op, "", input, "y");
    onnx_int_list(&onnx, node, "axes", count, list);
    onnx_int(&onnx, node, "keepdims", (int64_t)random_between(random, 0, 1));
    float *x = draw_rows(&dims, random), *y = run(&onnx, kernels, x, outputs);
    for (size_t row = 0; row < ROWS; row++)
        check_row(&dims, axes, which, x + row * count_of(&dims), y + row * outputs, outputs);
    free(x);
    free(y);
}

static void check_reductions(const struct kernels *kernels)
{
    struct randoms random = {41};
    for (size_t i = 0; i < REDUCTIONS * SHAPES; i++)
        check_reduction(kernels, i % REDUCTIONS, &random);
}

Test(ops_arith, reductions_agree_with_double)
{
    for_each_isa(check_reductions);
}

/* Local response normalisation */

struct lrn {
    size_t size;
    float alpha, beta, bias;
};

/* u for each of the squares' additions, for their product with alpha / size, which is rounded
 * itself, and for the sum with bias; the power raises them to beta, is rounded, and divides. */
static struct bounded lrn_of(const struct lrn *lrn, size_t channels, size_t pixels, size_t channel,
                             const float *x)
{
    const size_t before = (lrn->size - 1) / 2;
    double squares = 0;
    for (size_t i = 0; i < lrn->size; i++) {
        if (channel + i < before || channel + i - before >= channels)
            continue;
        const double near = (double)x[(channel + i - before) * pixels];
        squares += near * near;
    }
    const double base = (double)lrn->bias + (double)lrn->alpha / (double)lrn->size * squares;
    const double value = (double)x[channel * pixels] / pow(base, (double)lrn->beta);
    return (struct bounded){value,
                            fabs(value) * u * (((double)lrn->size + 4) * (double)lrn->beta + 3)};
}

static void check_lrn(const struct kernels *kernels, struct randoms *random)
{
    const struct dims dims = draw_dims(2, random);
    const struct lrn lrn = {.size = random_between(random, 1, 9),
                            .alpha = 1 + random_plain(random),
                            .beta = 0.75f + random_plain(random) / 4,
                            .bias = 1.5f + random_plain(random) / 2};
    const size_t count = count_of(&dims), channels = dims.size[0], pixels = count / channels;
    struct onnx_builder onnx;
    const char *input = build_input(&onnx, &dims, random);
    Onnx__NodeProto *node = onnx_node(&onnx, "LRN", "", input, "y");
    onnx_int(&onnx, node, "size", (int64_t)lrn.size);
    onnx_float(&onnx, node, "alpha", lrn.alpha);
    onnx_float(&onnx, node, "beta", lrn.beta);
    onnx_float(&onnx, node, "bias", lrn.bias);
    float *x = draw_rows(&dims, random), *y = run(&onnx, kernels, x, count);
    for (size_t i = 0; i < ROWS * count; i++) {
        const float *row = x + i / count * count;
        const struct bounded expected =
            lrn_of(&lrn, channels, pixels, i % count / pixels, row + i % pixels);
        if (!agrees(y[i], expected))
            cr_assert_fail("size %zu over %zu channels: y[%zu] is %a, expected %a", lrn.size,
                           channels, i, (double)y[i], expected.value);
    }
    free(x);
    free(y);
}

static void check_lrns(const struct kernels *kernels)
{
    struct randoms random = {42};
    for (size_t i = 0; i < 2 * SHAPES; i++)
        check_lrn(kernels, &random);
}

Test(ops_arith, response_normalisation_agrees_with_double)
{
    for_each_isa(check_lrns);
}
