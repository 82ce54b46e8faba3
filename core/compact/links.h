/* links: which channels of a network stand or fall together.
 *
 * A value of the file has channels along one axis, a constant along each of its axes. Walking over
 * the nodes, channels that must have the same fate are joined: those before and behind a
 * convolution's own rows of weights, the sides of an addition, a channel and the numbers it is
 * flattened to. What must stay is pinned, with the reason. Of every channel of a value is known
 * what it always is, if it is always the same. */
#ifndef RELUD_COMPACT_LINKS_H
#define RELUD_COMPACT_LINKS_H

#include <math.h>
#include <search.h>

#include "compact.h"
#include "model/onnx_import.h"

/* Channels [first, first + count). */
struct span {
    size_t first, count;
};

/* One channel of a value, or of an axis of a constant. */
struct channel {
    size_t parent;
    float constant; /* what it always is; NaN where it varies */
    uint32_t node;  /* that pinned it */
    uint8_t keep;   /* enum keep */
    bool stuck, removed;
};

/* What a name of the file stands for. */
struct item {
    const char *name;
    bool constant;
    Onnx__TensorProto *proto; /* of a constant that the file holds as it is; else NULL */
    struct tensor tensor;     /* of a constant */
    const float *floats;      /* its numbers, once they were asked for */
    size_t rank;
    size_t dims[TENSOR_RANK_MAX];        /* of a value with the batch, which is 0 */
    struct span axes[TENSOR_RANK_MAX];   /* of a constant each, of a value the one at axis */
    size_t axis;                         /* of a value, its channels */
    uint32_t value;                      /* of the graph; ONNX_NO_VALUE for none */
    size_t readers;                      /* nodes and outputs of the file */
    const struct compact_layer *layer;   /* whose units these are; NULL for none */
    const struct activation *activation; /* that the file applies there; NULL for none */
};

/* A node that multiplies channels with weights: where they are 0, they can go. */
struct sink {
    size_t node;
    struct span span;
    struct item *weight, *made;
    size_t in_axis, out_axis; /* of the weight */
    bool folds;               /* its bias can take what a constant channel adds */
};

/* A number of the file that counts channels. */
struct count_of {
    size_t node, place;
    struct span span;
};

struct links {
    struct arena *arena; /* borrowed */
    const Onnx__ModelProto *file;
    Onnx__GraphProto *proto;
    const struct model *model; /* the file's graph, nothing configured */
    struct hsearch_data names;
    struct item *items;
    size_t item_count, item_capacity;
    struct channel *channels; /* owned */
    size_t count, capacity;
    struct sink *sinks;
    size_t sink_count;
    struct count_of *groups, *targets; /* depthwise nodes; places of Reshape's shapes */
    size_t group_count, target_count;
    Onnx__NodeProto **inserted; /* by node: one to follow it; NULL for none */
    bool fold;
    struct error *error; /* borrowed: the first fault */
};

/* Files of an older format list initializers among the inputs, so that none can be added. */
enum { LINKS_CHANNELS_MAX = 1 << 26, LINKS_NODE_NONE = -1, LINKS_IR_MIN = 4 };

/* Walks over the file. trace is of its import into model; layers are those whose stuck units are
 * known. */
enum status links_open(struct links *links, const struct onnx_trace *trace,
                       struct compact_layer *layers, size_t layer_count);
void links_close(struct links *links);

static inline bool links_failed(const struct links *links)
{
    return links->error->status != STATUS_OK;
}

/* The item of a name; of input i of a node, NULL where it has none. */
struct item *links_find(const struct links *links, const char *name);
struct item *links_input(const struct links *links, size_t node, size_t i);

/* The numbers of a constant as float32; NULL when it has none such. */
const float *links_floats(struct links *links, struct item *item);

/* Channels */

/* The one that stands for all that are joined with channel. */
size_t links_root(const struct links *links, size_t channel);

/* Joins channels one by one, as many on each side. */
void links_join(struct links *links, struct span a, struct span b);

/* Whatever is joined with these stays. */
void links_pin(struct links *links, struct span span, enum keep keep, size_t node);

static inline size_t links_left(const struct links *links, struct span span)
{
    size_t left = 0;
    for (size_t i = 0; i < span.count; i++)
        left += !links->channels[span.first + i].removed;
    return left;
}

static inline struct span item_span(const struct item *item)
{
    return item->axes[item->axis];
}

/* The channels of the value a layer makes that are its units; none where they are something else.
 */
struct span links_units(const struct links *links, const struct compact_layer *layer);

/* Makes name of a value an item with new channels along axis. NULL without memory. */
struct item *links_value(struct links *links, const char *name, size_t rank, const size_t *dims,
                         size_t axis);

/* An axis of a constant that goes with channels. */
struct binding {
    size_t axis;
    struct span span;
};

/* Joins axes of a constant a node reads with channels; its other axes stay as they are. */
void links_bind(struct links *links, struct item *constant, size_t node,
                const struct binding *bindings, size_t count);

/* Everything the node reads or makes stays. */
void links_opaque(struct links *links, size_t node);

/* What the import has made of output 0 of a node as dimensions with the batch; 0 for nothing. */
size_t links_made_dims(const struct links *links, size_t node, size_t dims[TENSOR_RANK_MAX]);

/* Rules (rules.def) */

/* Links what a node reads and makes; false when it does not understand this one. */
typedef bool link_function(struct links *links, size_t node);

#define RULE(op, link) link_function link;
#include "rules.def"
#undef RULE

/* After the walk */

/* Decides which channels are removed. */
void links_choose(struct links *links);

/* Changes the file's messages accordingly: first biases, then what is cut out, then nodes that were
 * added. */
void links_fold(struct links *links);
void links_cut(struct links *links);
void links_insert(struct links *links);

/* A name like that one which the file does not have yet; and a new initializer of rank 1 that is
 * called so, its size and numbers still missing. NULL without memory. */
char *links_new_name(struct links *links, const char *like);
Onnx__TensorProto *links_constant(struct links *links, const char *like, int32_t type);

#endif
