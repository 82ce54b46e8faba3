/* graph: a feed-forward network as values and the nodes that make them.
 *
 * A value is a float32 tensor per row of the batch; its shape leaves the batch out. It is stored as
 * `positions` runs of `channels` numbers, `stride` floats apart: a dense layer's output is one run,
 * an image [C, H, W] is stored channels last, H x W runs of C. So one row of a value is positions *
 * stride floats, and rows follow each other. A node reads values made before it: the order of the
 * nodes is an order to run them in. A graph lives in its model's arena and never changes once it is
 * loaded. */
#ifndef RELUD_GRAPH_H
#define RELUD_GRAPH_H

#include <stdbool.h>
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

enum { GRAPH_IO_MAX = 32, GRAPH_NODE_NONE = -1, GRAPH_SPATIAL_MAX = 3 };

/* The dimensions of one row of a value. */
struct shape {
    size_t rank;
    size_t dims[TENSOR_RANK_MAX];
};

enum layout {
    LAYOUT_PLAIN,         /* the last dimension is the channels, as ONNX orders it */
    LAYOUT_CHANNELS_LAST, /* the first dimension is the channels, stored last */
    LAYOUT_IMAGES,        /* the second dimension is, the first counts images */
    LAYOUT_COUNT
};

struct value {
    const char *name;
    struct shape shape;
    enum layout layout;
    size_t features; /* the product of the dimensions */
    size_t channels, positions, stride;
    uint32_t storage; /* the value in whose memory this one lies: itself, or another it renames */
    int producer;     /* the node that makes it, GRAPH_NODE_NONE for inputs and constants */
    const float *constant; /* the same for every row; NULL for what is computed */
};

/* A copy of some elements from one value to another: element i of the dims goes from from_first +
 * sum i * from to to_first + sum i * to. */
struct move {
    size_t input; /* which of the node's */
    size_t rank, dims[TENSOR_RANK_MAX];
    ptrdiff_t from_first, from[TENSOR_RANK_MAX];
    ptrdiff_t to_first, to[TENSOR_RANK_MAX];
};

/* How a convolution or pooling walks over an image: depth, height, width (1 where the image has
 * fewer dimensions). */
struct window {
    size_t kernel[GRAPH_SPATIAL_MAX], step[GRAPH_SPATIAL_MAX], dilation[GRAPH_SPATIAL_MAX];
    size_t pad[GRAPH_SPATIAL_MAX];     /* before the first */
    size_t pad_end[GRAPH_SPATIAL_MAX]; /* after the last, where padding counts for an average */
    size_t in[GRAPH_SPATIAL_MAX], out[GRAPH_SPATIAL_MAX];
    bool transposed; /* it walks over the output, and padding is cut off there */
    bool count_pad;  /* an average divides by the padded window */
    struct window_cut {
        size_t lines, width; /* of the largest tile of the output */
        size_t down, across; /* tiles below each other, and side by side */
    } cut;                   /* slab.h; graph_add_node() sets it */
};

struct node {
    enum op op;
    const char *name; /* unique in the graph: what users call the layer */
    const char *kind; /* what the file calls such a layer; NULL: op_kind() */
    bool helper;      /* a copy the import needed, not a layer of the file */
    uint32_t *inputs; /* values; a dense or conv node's second is a residual to add before the
                         activation */
    size_t input_count;
    uint32_t output;
    size_t k, n; /* numbers read for each output of a group, channels made; the inputs of a matmul
                    node are [..., m, k] and [..., k, n] in plain layout */
    struct activation activation;
    const float *panels; /* dense, conv: packed weights [k, n / groups] of each group, all finite */
    const float *bias;   /* dense, conv: panel_padded(n / groups) floats of each group */
    size_t groups;       /* conv: 1 or more */
    struct window window;
    int detail;       /* which of its kind an op does: enum arithmetic, enum unary, … */
    float numbers[4]; /* what else the op needs; see its function */
    const struct move
        *moves; /* move: move_count of them; elements no move reaches are numbers[0] */
    size_t move_count;
    bool fills; /* move: there are such elements */
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

/* What `relud inspect` calls a layer of that operation, unless the node says otherwise. */
const char *op_kind(enum op op);
const char *node_kind(const struct node *node);

/* Whether an op ends with an activation of units. */
bool op_has_units(enum op op);

/* The shape [n]. */
struct shape shape_flat(size_t n);

/* The product of a shape's dimensions: 1 for rank 0; 0 when it overflows. */
size_t shape_count(const struct shape *shape);

/* A value of that shape as ops write it: its stride is channels rounded up to 16, and 16 more where
 * pixels would crowd the same lines of a cache; nobody writes those. */
struct value value_of(const char *name, const struct shape *shape, enum layout layout);

/* The dimension that is a value's channels; 0 for rank 0. */
size_t value_channel_axis(const struct value *value);

/* Floats of one row of a value, padding included. */
size_t value_row(const struct value *value);

/* Floats from one element to the next along each dimension of the shape, as stored. */
void value_strides(const struct value *value, size_t strides[TENSOR_RANK_MAX]);

/* An empty graph with room for so many nodes, and for so many constants. */
enum status graph_init(struct graph *graph, struct arena *arena, size_t node_capacity,
                       size_t constant_capacity, struct error *error);

/* Adds an input of the graph, whose rows come without padding; *value receives its index. TOO_LARGE
 * beyond GRAPH_IO_MAX. */
enum status graph_add_input(struct graph *graph, const char *name, const struct shape *shape,
                            uint32_t *value, struct error *error);

/* Adds a value that is the same for every row: data, in the order of shape and without padding, is
 * borrowed and must outlive the graph. */
enum status graph_add_constant(struct graph *graph, const char *name, const struct shape *shape,
                               const float *data, uint32_t *value, struct error *error);

/* Adds a copy of node, reading inputs[node.input_count] and making a value of that shape and
 * layout, whose index *value receives. The name is made unique ("fc", "fc_2", …). */
enum status graph_add_node(struct graph *graph, struct node node, const uint32_t *inputs,
                           const struct shape *shape, enum layout layout, uint32_t *value,
                           struct error *error);

/* Adds a value that shows the memory of another under another shape of as many elements; the other
 * must be without padding (stride = channels, or one position). *value receives its index. */
enum status graph_add_view(struct graph *graph, const char *name, uint32_t other,
                           const struct shape *shape, uint32_t *value, struct error *error);

/* The same with the dimensions in an order for which that layout has the same memory, whatever its
 * padding: the channels are at another place among them, the others follow each other as before. */
enum status graph_add_turned(struct graph *graph, const char *name, uint32_t other,
                             const struct shape *shape, enum layout layout, uint32_t *value,
                             struct error *error);

/* Declares value an output of the graph. */
enum status graph_add_output(struct graph *graph, uint32_t value, struct error *error);

/* Multiply-adds of one row through node; for nodes without weights, one per element made. */
size_t node_macs(const struct graph *graph, const struct node *node);

/* Additions, multiplications and comparisons of one row through node; none for one that copies. An
 * activation counts as part of the layer that ends with it, as nothing. */
size_t node_flops(const struct graph *graph, const struct node *node);

/* Weights, biases and slopes of node; and the bytes of its weights and biases, as packed. */
size_t node_parameters(const struct node *node);
size_t node_weight_bytes(const struct node *node);

#endif
