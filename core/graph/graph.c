#include "graph.h"

#include <stdio.h>
#include <string.h>

#include "panel.h"
#include "slab.h"

const char *op_kind(enum op op)
{
    static const char *const kinds[] = {
#define OP(name, kind) kind,
#include "ops.def"
#undef OP
    };
    return kinds[op];
}

const char *node_kind(const struct node *node)
{
    return node->kind ? node->kind : op_kind(node->op);
}

bool op_has_units(enum op op)
{
    return op == OP_dense || op == OP_conv || op == OP_depthwise || op == OP_activation;
}

/* Shapes and values */

struct shape shape_flat(size_t n)
{
    return (struct shape){.rank = 1, .dims = {n}};
}

size_t shape_count(const struct shape *shape)
{
    size_t count = 1;
    for (size_t i = 0; i < shape->rank; i++)
        if (__builtin_mul_overflow(count, shape->dims[i], &count))
            return 0;
    return count;
}

/* Pixels that lie a multiple of half a page apart share a few sets of the first cache: a tile of
 * them would drive itself out. */
enum { CROWDED_FLOATS = 512 };

static size_t stride_of(const struct value *value)
{
    const size_t padded = panel_padded(value->channels);
    const bool pixels = value->layout != LAYOUT_PLAIN && value->positions > 1;
    return pixels && padded % CROWDED_FLOATS == 0 ? padded + PANEL_UNIT : padded;
}

struct value value_of(const char *name, const struct shape *shape, enum layout layout)
{
    struct value value = {.name = name,
                          .shape = *shape,
                          .layout = layout,
                          .features = shape_count(shape),
                          .channels = 1,
                          .producer = GRAPH_NODE_NONE};
    if (shape->rank > 0)
        value.channels = shape->dims[value_channel_axis(&value)];
    value.positions = value.channels ? value.features / value.channels : 0;
    value.stride = stride_of(&value);
    return value;
}

size_t value_channel_axis(const struct value *value)
{
    switch (value->layout) {
    case LAYOUT_CHANNELS_LAST:
        return 0;
    case LAYOUT_IMAGES:
        return 1;
    default:
        return value->shape.rank > 0 ? value->shape.rank - 1 : 0;
    }
}

size_t value_row(const struct value *value)
{
    return value->positions * value->stride;
}

void value_strides(const struct value *value, size_t strides[TENSOR_RANK_MAX])
{
    const struct shape *shape = &value->shape;
    const size_t channel_axis = value_channel_axis(value);
    size_t stride = value->stride;
    for (size_t i = shape->rank; i-- > 0;) {
        if (i == channel_axis) {
            strides[i] = 1;
            continue;
        }
        strides[i] = stride;
        stride *= shape->dims[i];
    }
}

/* The graph */

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the graph");
}

enum status graph_init(struct graph *graph, struct arena *arena, size_t node_capacity,
                       size_t constant_capacity, struct error *error)
{
    *graph = (struct graph){.arena = arena, .node_capacity = node_capacity};
    graph->value_capacity = node_capacity + constant_capacity + GRAPH_IO_MAX;
    graph->nodes = arena_alloc(arena, graph->node_capacity, sizeof *graph->nodes);
    graph->values = arena_alloc(arena, graph->value_capacity, sizeof *graph->values);
    graph->name_slots = 2 * node_capacity + 1;
    graph->names = arena_alloc(arena, graph->name_slots, sizeof *graph->names);
    return graph->nodes && graph->values && graph->names ? STATUS_OK : no_memory(error);
}

static enum status add_value(struct graph *graph, struct value value, uint32_t *index,
                             struct error *error)
{
    if (graph->value_count == graph->value_capacity)
        return error_set(error, STATUS_TOO_LARGE, "expected at most %zu values",
                         graph->value_capacity);
    *index = (uint32_t)graph->value_count;
    value.storage = *index;
    graph->values[graph->value_count++] = value;
    return STATUS_OK;
}

enum status graph_add_input(struct graph *graph, const char *name, const struct shape *shape,
                            uint32_t *value, struct error *error)
{
    if (graph->input_count == GRAPH_IO_MAX)
        return error_set(error, STATUS_TOO_LARGE, "expected at most %d inputs", GRAPH_IO_MAX);
    struct value made = value_of(name, shape, LAYOUT_PLAIN);
    made.stride = made.channels;
    enum status status = add_value(graph, made, value, error);
    if (status == STATUS_OK)
        graph->inputs[graph->input_count++] = *value;
    return status;
}

enum status graph_add_constant(struct graph *graph, const char *name, const struct shape *shape,
                               const float *data, uint32_t *value, struct error *error)
{
    struct value made = value_of(name, shape, LAYOUT_PLAIN);
    made.stride = made.channels;
    made.constant = data;
    return add_value(graph, made, value, error);
}

enum status graph_add_view(struct graph *graph, const char *name, uint32_t other,
                           const struct shape *shape, uint32_t *value, struct error *error)
{
    const struct value *seen = &graph->values[other];
    struct value made = value_of(name, shape, LAYOUT_PLAIN);
    if (made.positions > 1 || seen->positions > 1)
        made.stride = made.channels;
    else
        made.stride = seen->stride;
    made.producer = seen->producer;
    made.constant = seen->constant;
    enum status status = add_value(graph, made, value, error);
    if (status == STATUS_OK)
        graph->values[*value].storage = seen->storage;
    return status;
}

enum status graph_add_turned(struct graph *graph, const char *name, uint32_t other,
                             const struct shape *shape, enum layout layout, uint32_t *value,
                             struct error *error)
{
    const struct value *seen = &graph->values[other];
    struct value made = value_of(name, shape, layout);
    made.stride = seen->stride;
    made.producer = seen->producer;
    made.constant = seen->constant;
    enum status status = add_value(graph, made, value, error);
    if (status == STATUS_OK)
        graph->values[*value].storage = seen->storage;
    return status;
}

/* The slot of name: where it is, or where it would be (FNV-1a, linear probing). */
static struct graph_name *name_slot(const struct graph *graph, const char *name)
{
    uint64_t hash = 14695981039346656037u;
    for (const char *c = name; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    size_t i = hash % graph->name_slots;
    while (graph->names[i].name && strcmp(graph->names[i].name, name) != 0)
        i = (i + 1) % graph->name_slots;
    return &graph->names[i];
}

/* name, or name_2, name_3, … when it is taken; NULL without memory. */
static const char *unique_name(struct graph *graph, const char *name)
{
    size_t length = strlen(name);
    char *text = arena_alloc(graph->arena, length + 24, 1);
    if (!text)
        return NULL;
    memcpy(text, name, length);
    struct graph_name *wanted = name_slot(graph, name), *slot = wanted;
    while (slot->name) {
        sprintf(text + length, "_%zu", ++wanted->next);
        slot = name_slot(graph, text);
    }
    *slot = (struct graph_name){text, 1};
    return text;
}

enum status graph_add_node(struct graph *graph, struct node node, const uint32_t *inputs,
                           const struct shape *shape, enum layout layout, uint32_t *value,
                           struct error *error)
{
    if (graph->node_count == graph->node_capacity)
        return error_set(error, STATUS_TOO_LARGE, "expected at most %zu nodes",
                         graph->node_capacity);
    node.name = unique_name(graph, node.name);
    node.inputs = arena_alloc(graph->arena, node.input_count, sizeof *inputs);
    if (!node.name || !node.inputs)
        return no_memory(error);
    memcpy(node.inputs, inputs, node.input_count * sizeof *inputs);
    struct value made = value_of(node.name, shape, layout);
    made.producer = (int)graph->node_count;
    enum status status = add_value(graph, made, value, error);
    if (status != STATUS_OK)
        return status;
    node.output = *value;
    if (node.window.kernel[0] > 0)
        slab_cut(&node.window, graph->values[inputs[0]].stride);
    graph->nodes[graph->node_count++] = node;
    return STATUS_OK;
}

enum status graph_add_output(struct graph *graph, uint32_t value, struct error *error)
{
    if (graph->output_count == GRAPH_IO_MAX)
        return error_set(error, STATUS_TOO_LARGE, "expected at most %d outputs", GRAPH_IO_MAX);
    graph->outputs[graph->output_count++] = value;
    return STATUS_OK;
}

static bool has_weights(const struct node *node)
{
    return node->op == OP_dense || node->op == OP_conv || node->op == OP_depthwise;
}

size_t node_macs(const struct graph *graph, const struct node *node)
{
    const struct value *output = &graph->values[node->output];
    return output->features * (has_weights(node) || node->op == OP_matmul ? node->k : 1);
}

size_t node_flops(const struct graph *graph, const struct node *node)
{
    const size_t made = graph->values[node->output].features;
    const size_t *in = node->window.in;
    if (node->window.transposed)
        return 2 * node->k * node->n * in[0] * in[1] * in[2];
    if (has_weights(node) || node->op == OP_matmul)
        return 2 * node->k * made;
    if (node->op == OP_max_pool || node->op == OP_average_pool)
        return node->k * made;
    return node->op == OP_move ? 0 : made;
}

size_t node_parameters(const struct node *node)
{
    size_t weights = has_weights(node) ? (node->k + 1) * node->n : 0;
    return weights + (node->activation.slope ? node->n : 0);
}

size_t node_weight_bytes(const struct node *node)
{
    if (!has_weights(node))
        return 0;
    return (node->k + 1) * panel_padded(node->n / node->groups) * node->groups * sizeof(float);
}
