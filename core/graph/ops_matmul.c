/* The product of two computed matrices, or of stacks of them: what MatMul is without weights. The
 * right one is packed panel by panel as weights are, so that its chains are those of a dense layer,
 * but no zero is skipped, as nobody knows that its numbers are finite. */
#include <string.h>

#include "ops.h"
#include "panel.h"

size_t op_tiles_matmul(const struct graph *graph, const struct node *node, size_t rows)
{
    const struct shape *shape = &graph->values[node->output].shape;
    return rows * shape_count(shape) / (shape->dims[shape->rank - 2] * node->n);
}

/* Where the matrix of x begins that stands at matrix of a result of that shape: in front of the
 * last two, dimensions are aligned at the last and repeated where they are 1. */
static const float *matrix_of(const struct op_input *x, size_t row, const struct shape *result,
                              size_t matrix)
{
    const struct shape *shape = &x->value->shape;
    size_t at = 0, count = 1;
    for (size_t i = 3; i <= shape->rank; i++) {
        size_t dim = result->dims[result->rank - i], own = shape->dims[shape->rank - i];
        at += own == 1 ? 0 : matrix % dim * count;
        matrix /= dim;
        count *= own;
    }
    return x->data + row * x->row + at * shape->dims[shape->rank - 2] * x->value->stride;
}

/* Columns [first, first + width) of a matrix [k, n] as a panel. */
static void pack(const struct node *node, const float *from, size_t stride, size_t first,
                 size_t width, float *panel)
{
    const size_t columns = node->n - first < width ? node->n - first : width;
    for (size_t i = 0; i < node->k; i++, panel += width) {
        memcpy(panel, from + i * stride + first, columns * sizeof *panel);
        memset(panel + columns, 0, (width - columns) * sizeof *panel);
    }
}

static size_t matrix_rows(const struct value *y)
{
    return y->shape.dims[y->shape.rank - 2];
}

size_t matmul_scratch(const struct graph *graph, const struct node *node)
{
    const size_t pointers = matrix_rows(&graph->values[node->output]);
    return node->k * panel_width(node->n, 0) + pointers * sizeof(float *) / sizeof(float);
}

void op_run_matmul(struct op_run *run, size_t tile)
{
    static const float no_bias[PANEL_COLUMNS];
    static const ptrdiff_t start = 0;
    const struct node *node = run->node;
    const struct value *y = run->output;
    const struct op_input *left = &run->inputs[0], *right = &run->inputs[1];
    const size_t m = matrix_rows(y), matrices = y->positions / m;
    const size_t row = tile / matrices, matrix = tile % matrices;
    const float *from = matrix_of(left, row, &y->shape, matrix);
    const float *weights = matrix_of(right, row, &y->shape, matrix);
    const float **x = (const float **)(void *)(run->scratch + node->k * panel_width(node->n, 0));
    float *to = run->y + (row * y->positions + matrix * m) * y->stride;
    for (size_t i = 0; i < m; i++)
        x[i] = from + i * left->value->stride;
    for (size_t panel = 0; panel < panel_count(node->n); panel++, to += PANEL_COLUMNS) {
        const size_t width = panel_width(node->n, panel);
        pack(node, weights, right->value->stride, panel * PANEL_COLUMNS, width, run->scratch);
        run->kernels->gemm(
            &(struct gemm){.k = node->k,
                           .width = width,
                           .columns = panel_columns(node->n, panel),
                           .x = {.rows = m, .taps = 1, .length = node->k, .x = x, .at = &start},
                           .panel = run->scratch,
                           .bias = no_bias,
                           .y = to,
                           .y_stride = y->stride});
    }
}
