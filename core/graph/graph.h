/* graph: a feed-forward network as values and the nodes that make them.
 *
 * A value is a float32 matrix [rows, features]; rows is the batch. A node reads values made before
 * it, so the order of the nodes is an order to run them in. A graph lives in its model's arena and
 * never changes once it is loaded. */
#ifndef RELUD_GRAPH_H
#define RELUD_GRAPH_H

#include <stddef.h>
#include <stdint.h>

#include "activation.h"
#include "arena.h"
#include "tensor.h"

enum op {
#define OP(name, kind) OP_##name,
#include "ops.def"
#undef OP
    OP_COUNT
};

enum { GRAPH_IO_MAX = 32, GRAPH_NODE_NONE = -1 };

struct value {
    const char *name;
    size_t features;
    int producer; /* index of the node that makes it, GRAPH_NODE_NONE for an input of the graph */
};

struct node {
    enum op op;
    const char *name; /* unique in the graph: what users call the layer */
    uint32_t input, output;
    size_t k, n; /* features read and made */
    struct activation activation;
    const float *panels; /* dense: packed weights [k, n] (panel.h), all finite */
    const float *bias;   /* dense: panel_padded(n) floats */
};

/* A name that is taken, and the number to try next for another node that wants it. */
struct graph_name {
    const char *name;
    size_t next;
};

struct graph {
    struct arena *arena; /* borrowed */
    struct value *values;
    size_t value_count, value_capacity;
    struct node *nodes;
    size_t node_count, node_capacity;
    uint32_t inputs[GRAPH_IO_MAX], outputs[GRAPH_IO_MAX];
    size_t input_count, output_count;
    struct graph_name *names; /* a hash table, twice as large as there are nodes */
    size_t name_slots;
};

/* What `relud inspect` calls a layer of that operation. */
const char *op_kind(enum op op);

/* An empty graph with room for so many nodes. */
enum status graph_init(struct graph *graph, struct arena *arena, size_t node_capacity,
                       struct error *error);

/* Adds an input of the graph; *value receives its index. TOO_LARGE beyond GRAPH_IO_MAX. */
enum status graph_add_input(struct graph *graph, const char *name, size_t features, uint32_t *value,
                            struct error *error);

/* Adds a copy of node, whose output is made here; *value receives the output's index. The name is
 * made unique ("fc", "fc_2", …). */
enum status graph_add_node(struct graph *graph, struct node node, uint32_t *value,
                           struct error *error);

/* Declares value an output of the graph. */
enum status graph_add_output(struct graph *graph, uint32_t value, struct error *error);

/* Multiply-adds of one row through node; for nodes without weights, one per element. */
size_t node_macs(const struct node *node);

/* Weights, biases and slopes of node. */
size_t node_parameters(const struct node *node);

#endif
