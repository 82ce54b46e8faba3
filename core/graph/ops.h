/* ops: how each operation runs, tile by tile.
 *
 * A tile is the unit at which a run can stop and be resumed: some rows of some panels. Tiles of one
 * node are run in order, 0 first; the bits of the result do not depend on how rows are cut into
 * tiles. */
#ifndef RELUD_OPS_H
#define RELUD_OPS_H

#include "graph.h"
#include "kernels/kernels.h"

/* One node applied to the rows of one run. */
struct op_run {
    const struct kernels *kernels;
    const struct node *node;
    size_t rows;
    const float *x; /* [rows, k] */
    size_t x_stride;
    float *y; /* [rows, n], stride panel_padded(n); does not overlap x */
    size_t y_stride;
    uint8_t *bits; /* the layer's bitmap, NULL when it is not counted */
    size_t bits_stride;
    const struct tally *tally; /* NULL when it is not counted */
    uint32_t *index;           /* scratch of a dense node with one row: its non-zero inputs … */
    float *value;              /* … k + 16 each */
    size_t listed;             /* how many; kept from one tile of the node to the next */
};

struct op_info {
    size_t (*tiles)(const struct node *node, size_t rows);
    void (*run)(struct op_run *run, size_t tile);
};

const struct op_info *op_info(enum op op);

#endif
