#include "ops.h"

#include <string.h>

#include "panel.h"

/* Rows of one tile: twelve register tiles of six, so that a tile's weights are read from L2 often
 * enough to pay for bringing them there. */
enum { TILE_ROWS = 72 };

static size_t row_blocks(size_t rows)
{
    return (rows + TILE_ROWS - 1) / TILE_ROWS;
}

static size_t block_rows(size_t rows, size_t block)
{
    size_t rest = rows - block * TILE_ROWS;
    return rest < TILE_ROWS ? rest : TILE_ROWS;
}

/* The epilogue of columns [first, first + width) of some rows. */
static void activate_tile(const struct op_run *run, size_t row, size_t rows, size_t first,
                          size_t width)
{
    if (!activation_counted(&run->node->activation))
        return;
    uint8_t *bits = run->bits ? run->bits + row * run->bits_stride + first / 8 : NULL;
    run->kernels->activate(&run->node->activation, first, rows, width,
                           run->y + row * run->y_stride + first, run->y_stride, bits,
                           run->bits_stride, run->tally);
}

static size_t op_tiles_dense(const struct node *node, size_t rows)
{
    return row_blocks(rows) * panel_count(node->n);
}

/* One row: only the weights of its non-zero inputs are read. */
static void dense_row(struct op_run *run, size_t panel, size_t width)
{
    const struct node *node = run->node;
    size_t first = panel * PANEL_COLUMNS;
    if (panel == 0)
        run->listed = run->kernels->nonzero(node->k, run->x, run->index, run->value);
    run->kernels->gemv(run->listed, width, run->index, run->value,
                       node->panels + panel_offset(node->k, panel), node->bias + first,
                       run->y + first);
}

static void op_run_dense(struct op_run *run, size_t tile)
{
    const struct node *node = run->node;
    size_t panels = panel_count(node->n);
    size_t panel = tile % panels;
    size_t row = tile / panels * TILE_ROWS;
    size_t rows = block_rows(run->rows, tile / panels);
    size_t width = panel_width(node->n, panel);
    size_t first = panel * PANEL_COLUMNS;
    if (run->rows == 1)
        dense_row(run, panel, width);
    else
        run->kernels->gemm(rows, node->k, width, run->x + row * run->x_stride, run->x_stride,
                           node->panels + panel_offset(node->k, panel), node->bias + first,
                           run->y + row * run->y_stride + first, run->y_stride);
    activate_tile(run, row, rows, first, width);
}

static size_t op_tiles_activation(const struct node *node, size_t rows)
{
    (void)node;
    return row_blocks(rows);
}

static void op_run_activation(struct op_run *run, size_t tile)
{
    size_t row = tile * TILE_ROWS;
    size_t rows = block_rows(run->rows, tile);
    for (size_t r = row; r < row + rows; r++) {
        float *y = run->y + r * run->y_stride;
        memcpy(y, run->x + r * run->x_stride, run->node->n * sizeof *y);
        memset(y + run->node->n, 0, (run->y_stride - run->node->n) * sizeof *y);
    }
    activate_tile(run, row, rows, 0, run->y_stride);
}

static size_t op_tiles_softmax(const struct node *node, size_t rows)
{
    (void)node;
    return row_blocks(rows);
}

static void op_run_softmax(struct op_run *run, size_t tile)
{
    size_t row = tile * TILE_ROWS;
    run->kernels->softmax(block_rows(run->rows, tile), run->node->n, run->x + row * run->x_stride,
                          run->x_stride, run->y + row * run->y_stride, run->y_stride);
}

const struct op_info *op_info(enum op op)
{
    static const struct op_info infos[OP_COUNT] = {
#define OP(name, kind) {op_tiles_##name, op_run_##name},
#include "ops.def"
#undef OP
    };
    return &infos[op];
}
