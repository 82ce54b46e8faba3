/* Arithmetic element by element with broadcasting, functions of one number, reductions, local
 * response normalisation. Correct before fast: where speed counts, an exporter's pattern is fused
 * into something else. */
#include <math.h>
#include <string.h>

#include "ops.h"
#include "ops_arith.h"

/* Walking over the elements of a value in the order of its shape, with offsets into others */

enum { WALK_MAX = 3 };

struct walk {
    size_t rank, dims[TENSOR_RANK_MAX], at[TENSOR_RANK_MAX];
    size_t strides[WALK_MAX][TENSOR_RANK_MAX];
    size_t offsets[WALK_MAX];
    size_t count;
};

static void walk_init(struct walk *walk, const struct shape *shape)
{
    *walk = (struct walk){.rank = shape->rank, .count = shape_count(shape)};
    memcpy(walk->dims, shape->dims, sizeof walk->dims);
}

/* Follows value, whose dimensions are aligned at the last and repeated where they are 1 (ONNX's
 * broadcasting). */
static void walk_follow(struct walk *walk, size_t which, const struct value *value)
{
    size_t strides[TENSOR_RANK_MAX];
    value_strides(value, strides);
    size_t missing = walk->rank - value->shape.rank;
    for (size_t i = 0; i < value->shape.rank; i++)
        walk->strides[which][missing + i] = value->shape.dims[i] == 1 ? 0 : strides[i];
}

static void walk_next(struct walk *walk)
{
    for (size_t i = walk->rank; i-- > 0;) {
        for (size_t which = 0; which < WALK_MAX; which++)
            walk->offsets[which] += walk->strides[which][i];
        if (++walk->at[i] < walk->dims[i])
            return;
        for (size_t which = 0; which < WALK_MAX; which++)
            walk->offsets[which] -= walk->strides[which][i] * walk->dims[i];
        walk->at[i] = 0;
    }
}

/* Binary */

size_t op_tiles_arithmetic(const struct graph *graph, const struct node *node, size_t rows)
{
    (void)graph;
    (void)node;
    return rows;
}

#define BINARY(name, onnx_op, formula)           \
    static float binary_##name(float a, float b) \
    {                                            \
        return formula;                          \
    }
#include "arithmetic.def"
#undef BINARY

/* Rows laid out alike go through side by side; others are walked. */
static bool alike(const struct value *a, const struct value *b)
{
    return a->layout == b->layout && a->stride == b->stride && a->shape.rank == b->shape.rank &&
           memcmp(a->shape.dims, b->shape.dims, a->shape.rank * sizeof *a->shape.dims) == 0;
}

#define BINARY(name, onnx_op, formula)                                              \
    static void rows_##name(size_t count, const float *a, const float *b, float *y) \
    {                                                                               \
        for (size_t i = 0; i < count; i++)                                          \
            y[i] = binary_##name(a[i], b[i]);                                       \
    }
#include "arithmetic.def"
#undef BINARY

static const struct {
    const char *onnx_op;
    float (*one)(float a, float b);
    void (*rows)(size_t count, const float *a, const float *b, float *y);
} binaries[] = {
#define BINARY(name, onnx_op, formula) {onnx_op, binary_##name, rows_##name},
#include "arithmetic.def"
#undef BINARY
};

void op_run_arithmetic(struct op_run *run, size_t tile)
{
    const struct op_input *a = &run->inputs[0], *b = &run->inputs[1];
    const float *a_row = a->data + tile * a->row, *b_row = b->data + tile * b->row;
    float *y = run->y + tile * value_row(run->output);
    if (alike(a->value, run->output) && alike(b->value, run->output)) {
        binaries[run->node->detail].rows(value_row(run->output), a_row, b_row, y);
        return;
    }
    struct walk walk;
    walk_init(&walk, &run->output->shape);
    walk_follow(&walk, 0, run->output);
    walk_follow(&walk, 1, a->value);
    walk_follow(&walk, 2, b->value);
    for (size_t i = 0; i < walk.count; i++, walk_next(&walk))
        y[walk.offsets[0]] =
            binaries[run->node->detail].one(a_row[walk.offsets[1]], b_row[walk.offsets[2]]);
}

int arithmetic_by_onnx_op(const char *onnx_op)
{
    for (size_t i = 0; i < sizeof binaries / sizeof binaries[0]; i++)
        if (strcmp(binaries[i].onnx_op, onnx_op) == 0)
            return (int)i;
    return -1;
}

/* Unary */

#define UNARY(name, onnx_op, formula)  \
    static float unary_##name(float x) \
    {                                  \
        return formula;                \
    }
#include "arithmetic.def"
#undef UNARY

static const struct {
    const char *onnx_op;
    float (*one)(float x);
} unaries[] = {
#define UNARY(name, onnx_op, formula) {onnx_op, unary_##name},
#include "arithmetic.def"
#undef UNARY
};

int unary_by_onnx_op(const char *onnx_op)
{
    for (size_t i = 0; i < sizeof unaries / sizeof unaries[0]; i++)
        if (strcmp(unaries[i].onnx_op, onnx_op) == 0)
            return (int)i;
    return -1;
}

size_t op_tiles_unary(const struct graph *graph, const struct node *node, size_t rows)
{
    (void)graph;
    (void)node;
    return rows;
}

void op_run_unary(struct op_run *run, size_t tile)
{
    const struct value *x = run->inputs[0].value, *y = run->output;
    const float *from = run->inputs[0].data + tile * run->inputs[0].row;
    float *to = run->y + tile * value_row(y);
    for (size_t p = 0; p < y->positions; p++)
        for (size_t c = 0; c < y->channels; c++)
            to[p * y->stride + c] = unaries[run->node->detail].one(from[p * x->stride + c]);
}

/* Reduce: each result is one chain over the reduced elements, in the order of the shape */

size_t op_tiles_reduce(const struct graph *graph, const struct node *node, size_t rows)
{
    (void)graph;
    (void)node;
    return rows;
}

#define REDUCE(name, onnx_op, begin, step, result)     \
    static float reduce_##name(float sum, float x)     \
    {                                                  \
        return step;                                   \
    }                                                  \
    static float result_##name(float sum, float count) \
    {                                                  \
        (void)count;                                   \
        return result;                                 \
    }
#include "arithmetic.def"
#undef REDUCE

static const struct {
    const char *onnx_op;
    float begin;
    float (*step)(float sum, float x);
    float (*result)(float sum, float count);
} reductions[] = {
#define REDUCE(name, onnx_op, begin, step, result) {onnx_op, begin, reduce_##name, result_##name},
#include "arithmetic.def"
#undef REDUCE
};

int reduce_by_onnx_op(const char *onnx_op, unsigned axes)
{
    for (size_t i = 0; i < sizeof reductions / sizeof reductions[0]; i++)
        if (strcmp(reductions[i].onnx_op, onnx_op) == 0)
            return (int)(axes << REDUCTION_BITS | (unsigned)i);
    return -1;
}

/* The input has the output's shape with the reduced axes in it: the output is walked along the
 * input with stride 0 there, so that every element meets its result in order. */
static void reduce_walk(struct walk *walk, const struct op_run *run, unsigned axes)
{
    const struct value *x = run->inputs[0].value, *y = run->output;
    size_t y_strides[TENSOR_RANK_MAX], kept = 0;
    bool keeps = y->shape.rank == x->shape.rank;
    walk_init(walk, &x->shape);
    walk_follow(walk, 0, x);
    value_strides(x, walk->strides[0]);
    value_strides(y, y_strides);
    for (size_t i = 0; i < x->shape.rank; i++) {
        bool reduced = axes >> i & 1;
        walk->strides[1][i] = reduced ? 0 : y_strides[keeps ? i : kept];
        kept += !reduced;
    }
}

void op_run_reduce(struct op_run *run, size_t tile)
{
    const unsigned detail = (unsigned)run->node->detail, which = detail % (1 << REDUCTION_BITS);
    const float *x = run->inputs[0].data + tile * run->inputs[0].row;
    const struct value *output = run->output;
    float *y = run->y + tile * value_row(output);
    struct walk walk;
    for (size_t i = 0; i < value_row(output); i++)
        y[i] = reductions[which].begin;
    reduce_walk(&walk, run, detail >> REDUCTION_BITS);
    for (size_t i = 0; i < walk.count; i++, walk_next(&walk)) {
        float *to = &y[walk.offsets[1]];
        *to = reductions[which].step(*to, x[walk.offsets[0]]);
    }
    const float count = (float)(walk.count / output->features);
    for (size_t i = 0; i < value_row(output); i++)
        y[i] = reductions[which].result(y[i], count);
}

/* Local response normalisation across channels: x / (bias + alpha / size * the sum of squares
 * around)^beta */

size_t op_tiles_lrn(const struct graph *graph, const struct node *node, size_t rows)
{
    (void)graph;
    (void)node;
    return rows;
}

static void lrn_pixel(const struct node *node, size_t channels, const float *x, float *y)
{
    const float alpha = node->numbers[0], beta = node->numbers[1], bias = node->numbers[2];
    const size_t size = (size_t)node->detail, before = (size - 1) / 2;
    for (size_t c = 0; c < channels; c++) {
        size_t first = c < before ? 0 : c - before;
        size_t end = c + size - before < channels ? c + size - before : channels;
        float squares = 0;
        for (size_t i = first; i < end; i++)
            squares += x[i] * x[i];
        y[c] = x[c] / (float)pow((double)(bias + alpha / (float)size * squares), (double)beta);
    }
}

void op_run_lrn(struct op_run *run, size_t tile)
{
    const struct value *x = run->inputs[0].value, *y = run->output;
    const float *from = run->inputs[0].data + tile * run->inputs[0].row;
    float *to = run->y + tile * value_row(y);
    for (size_t p = 0; p < y->positions; p++)
        lrn_pixel(run->node, y->channels, from + p * x->stride, to + p * y->stride);
}
