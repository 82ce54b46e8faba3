/* ops: how each operation runs, tile by tile.
 *
 * A tile is the unit at which a run can stop and be resumed. Tiles of one node do not depend on
 * each other: any order and any number of workers, each with an op_run of its own, give the same
 * bits, which do not depend on how rows are cut into tiles either. Ops that make units (dense,
 * conv, depthwise, activation) end each tile with its epilogue: residual, activation, bitmap,
 * counts. */
#ifndef RELUD_OPS_H
#define RELUD_OPS_H

#include "graph.h"
#include "kernels/kernels.h"

/* One row of an input, or all of them. */
struct op_input {
    const struct value *value;
    const float *data;
    size_t row; /* floats from one row to the next: 0 for a constant */
};

/* What the rows of one layer did in one run. Workers share bits and fired, and have a tally each.
 */
struct activity {
    uint8_t *bits; /* [rows, bits_stride] bit u of row r: unit u was active at some position; NULL:
                      uncounted */
    size_t bits_stride;
    uint32_t *fired; /* [rows] active observations over all positions; NULL with one position */
    const struct tally *tally; /* NULL at level off */
};

/* Whether a dense layer takes its rows one by one, reading only the weights of inputs that are not
 * zero. The bits are the same: tests force either. */
enum skip { SKIP_AUTO /* where that is faster */, SKIP_ALWAYS, SKIP_NEVER };

/* Counting a row alone costs several times what counting it among others does: a dense layer keeps
 * the pre-activations of rows that were run alone, and counts them together. */
enum { OP_BACKLOG_ROWS = 16 };

/* What the scratch holds when a worker comes to a node. */
#define OP_NOTHING SIZE_MAX

/* One node applied to the rows of one run, as one worker sees it. */
struct op_run {
    const struct kernels *kernels;
    const struct op_info *info;
    const struct node *node;
    size_t macs; /* multiply-adds of a row */
    enum skip skip;
    size_t rows;
    bool backward;           /* dense: from the last panel to the first */
    struct op_input *inputs; /* node->input_count */
    bool bound;              /* one of them is the caller's, and elsewhere at every run */
    const struct value *output;
    float *y;       /* rows follow each other without a gap; does not overlap any input */
    float *backlog; /* [OP_BACKLOG_ROWS, output->stride] pre-activations of rows that are counted
                       later, together; NULL: they are counted at once */
    float *later;   /* where in the backlog this run's row goes; NULL: it is counted at once */
    bool overdue;   /* a whole backlog is counted first, each panel by whoever runs it: its core
                       made those numbers, mostly, and holds the tally */
    struct activation_rule rule; /* of a counted activation */
    struct activity activity;
    float *scratch; /* the worker's own: op_scratch() floats of this node */
    size_t held;    /* the row whose inputs, or the pixels whose windows the scratch holds for other
                       tiles that need them too; OP_NOTHING */
    size_t listed;  /* dense: inputs of the row that is held */
};

struct op_info {
    size_t (*tiles)(const struct graph *graph, const struct node *node, size_t rows);
    void (*run)(struct op_run *run, size_t tile);
};

const struct op_info *op_info(enum op op);

/* A multiply-add of a row that is alone takes as long as so many in a register tile: its weight is
 * read for it only. */
enum { OP_ALONE_COST = 3 };

/* What the node's rows take, in multiply-adds of a register tile. Of a row that will be taken input
 * by input only the inputs that are not zero count, which are listed for its tiles to come. */
size_t op_work(struct op_run *run);

/* Floats of scratch a node needs. */
size_t op_scratch(const struct graph *graph, const struct node *node);

enum {
    OP_TILE_ROWS = 72,     /* twelve register tiles of six */
    OP_TILE_ROWS_MAX = 256 /* of any op */
};

/* For the files that implement operations */

/* The functions of every operation. */
#define OP(name, kind)                                                                       \
    size_t op_tiles_##name(const struct graph *graph, const struct node *node, size_t rows); \
    void op_run_##name(struct op_run *run, size_t tile);
#include "ops.def"
#undef OP

/* Tiles of an op that takes whole rows. */
size_t op_row_blocks(size_t rows);

/* First row and number of rows of such a tile. */
struct op_span {
    size_t first, count;
};
struct op_span op_row_span(size_t rows, size_t tile);

/* The epilogue of positions [first, first + count) of all rows' positions (position p of row r is r
 * * positions + p) and of channels [channel, channel + width), a multiple of 16: adds the residual
 * input, if the node has one, then activates and counts in place. */
void op_epilogue(const struct op_run *run, size_t first, size_t count, size_t channel,
                 size_t width);

/* One panel of a group's weights, without x, y and epilogue. */
struct gemm op_panel(const struct node *node, size_t group, size_t panel);

/* A panel of the first group times x, whose rows are span's positions of the run's output, with the
 * epilogue. */
void op_gemm(const struct op_run *run, size_t panel, struct op_span span, const struct view *x);

/* Counts what the first rows of the backlog have in a panel. */
void op_count_backlog(const struct op_run *run, size_t panel, size_t rows);

/* Floats of scratch these need. */
size_t conv_scratch(const struct graph *graph, const struct node *node);
size_t matmul_scratch(const struct graph *graph, const struct node *node);

#endif
