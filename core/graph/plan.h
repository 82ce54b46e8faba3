/* plan: how a graph is run: where each value lies, which nodes are counted, what a row costs.
 *
 * Every value that a node makes gets an offset in one block of memory; values whose lifetimes do
 * not overlap share it. Offsets are in floats per row: in a session of R rows a value begins at
 * offset * R, and its rows follow each other at value_row() floats. */
#ifndef RELUD_PLAN_H
#define RELUD_PLAN_H

#include "graph.h"

/* A node whose activation is counted: one bitmap row and one set of counters. */
struct layer {
    const char *name;
    const struct node *node;
    size_t units;
    size_t positions;   /* observations of a unit in one row */
    size_t bits_offset; /* of its bitmap, in bytes per row */
    size_t bits_stride; /* bytes of one row of its bitmap, a multiple of 8 */
};

enum { PLAN_LAYER_NONE = -1 };

struct plan {
    const struct graph *graph;
    size_t *offsets;       /* by value; unused for inputs of the graph */
    size_t floats_per_row; /* of all values */
    size_t bits_per_row;   /* bytes, of all bitmaps */
    struct layer *layers;
    size_t layer_count;
    int *node_layer; /* by node: its layer, or PLAN_LAYER_NONE */
    size_t scratch;  /* floats, the most a node needs */
    size_t macs_per_row;
};

/* Plans graph into its arena. */
enum status plan_init(struct plan *plan, const struct graph *graph, struct error *error);

/* The layer of that name, PLAN_LAYER_NONE when there is none. */
int plan_find_layer(const struct plan *plan, const char *name);

#endif
