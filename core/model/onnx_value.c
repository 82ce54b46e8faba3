/* Values of the graph under construction: made from constants, converted, named. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "onnx_import.h"
#include "panel.h"

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the graph");
}

static enum status check_size(const struct importer *importer, const struct shape *shape,
                              struct error *error)
{
    size_t count = shape_count(shape);
    if (count > 0 && count <= importer->row_max)
        return STATUS_OK;
    return error_set(error, STATUS_TOO_LARGE,
                     "expected 1 to %zu numbers in a row of what the node makes, found %zu",
                     importer->row_max, count);
}

/* Constants as values */

enum status importer_constant_value(struct importer *importer, const struct tensor *tensor,
                                    const struct shape *shape, uint32_t *value, struct error *error)
{
    if (tensor->dtype != DTYPE_FLOAT32)
        return error_set(error, STATUS_UNSUPPORTED,
                         "expected floating-point numbers, found whole ones");
    if (check_size(importer, shape, error) != STATUS_OK)
        return error->status;
    size_t count = tensor_count(tensor);
    float *data = arena_alloc(&importer->model->arena, count, sizeof *data);
    if (!data)
        return no_memory(error);
    if (onnx_tensor_numbers(tensor, 0, count, data, error) != STATUS_OK)
        return error->status;
    return graph_add_constant(&importer->model->graph, "constant", shape, data, value, error);
}

static struct shape tensor_shape(const struct tensor *tensor)
{
    struct shape shape = {.rank = tensor->rank};
    for (size_t i = 0; i < tensor->rank; i++)
        shape.dims[i] = (size_t)tensor->dims[i];
    return shape;
}

enum status importer_value(struct importer *importer, const Onnx__NodeProto *node, size_t i,
                           uint32_t *value, struct error *error)
{
    const struct operand *operand = importer_operand(importer, node, i);
    if (!operand)
        return error_set(error, STATUS_INVALID, "input %zu is missing", i);
    *value = operand->value;
    if (!operand->is_constant)
        return STATUS_OK;
    struct shape shape = tensor_shape(&operand->tensor);
    return importer_constant_value(importer, &operand->tensor, &shape, value, error);
}

/* Producers */

struct node *importer_sole_producer(struct importer *importer, const Onnx__NodeProto *node,
                                    size_t i, enum op op)
{
    struct graph *graph = &importer->model->graph;
    const struct operand *operand = importer_operand(importer, node, i);
    if (!operand || operand->is_constant || operand->uses != 1)
        return NULL;
    const struct value *value = &graph->values[operand->value];
    if (value->producer == GRAPH_NODE_NONE || value->storage != operand->value)
        return NULL;
    struct node *producer = &graph->nodes[value->producer];
    bool plain = producer->op == op && producer->activation.type == ACTIVATION_identity;
    return plain ? producer : NULL;
}

struct node *importer_linear_producer(struct importer *importer, const Onnx__NodeProto *node,
                                      size_t i)
{
    static const enum op ops[] = {OP_conv, OP_dense, OP_depthwise};
    struct node *producer = NULL;
    for (size_t op = 0; op < sizeof ops / sizeof ops[0] && !producer; op++)
        producer = importer_sole_producer(importer, node, i, ops[op]);
    return producer;
}

/* Layouts */

static bool has_layout(const struct value *value, enum layout layout)
{
    struct value other = *value;
    other.layout = layout;
    return value_channel_axis(&other) == value_channel_axis(value);
}

static enum status convert(struct importer *importer, uint32_t value, enum layout layout,
                           bool padded, uint32_t *as, struct error *error)
{
    const struct graph *graph = &importer->model->graph;
    uint32_t *known = &importer->converted[value][layout][padded];
    if (*known) {
        *as = *known;
        return STATUS_OK;
    }
    const struct shape shape = graph->values[value].shape;
    struct value made = value_of("", &shape, layout);
    if (!padded)
        made.stride = made.channels;
    struct move move = move_same(&graph->values[value], &made);
    if (importer_make_moves(importer, NULL, &move, 1, &value, 1, NULL, &shape, layout, as, error) !=
        STATUS_OK)
        return error->status;
    graph->values[*as].stride = made.stride;
    *known = *as;
    return STATUS_OK;
}

enum status importer_layout(struct importer *importer, uint32_t value, enum layout layout,
                            uint32_t *as, struct error *error)
{
    *as = value;
    if (has_layout(&importer->model->graph.values[value], layout))
        return STATUS_OK;
    return convert(importer, value, layout, true, as, error);
}

enum status importer_padded(struct importer *importer, uint32_t value, enum layout layout,
                            uint32_t *as, struct error *error)
{
    const struct value *v = &importer->model->graph.values[value];
    *as = value;
    if (has_layout(v, layout) && v->stride >= panel_padded(v->channels))
        return STATUS_OK;
    return convert(importer, value, layout, true, as, error);
}

/* Images */

/* In that layout, with whatever padding it has; without any when it has to be copied. */
static enum status bare(struct importer *importer, uint32_t value, enum layout layout, uint32_t *as,
                        struct error *error)
{
    *as = value;
    if (has_layout(&importer->model->graph.values[value], layout))
        return STATUS_OK;
    return convert(importer, value, layout, false, as, error);
}

enum status importer_image(struct importer *importer, const Onnx__NodeProto *node, size_t i,
                           bool padded, uint32_t *value, struct shape *shape, struct error *error)
{
    const struct graph *graph = &importer->model->graph;
    if (importer_value(importer, node, i, value, error) != STATUS_OK)
        return error->status;
    *shape = graph->values[*value].shape;
    if (shape->rank < (importer->whole ? 2 : 1))
        return error_set(error, STATUS_INVALID, "expected an input with channels");
    if (importer->whole)
        memmove(shape->dims, shape->dims + 1, --shape->rank * sizeof *shape->dims);
    return (padded ? importer_padded : bare)(
        importer, *value, importer->whole ? LAYOUT_IMAGES : LAYOUT_CHANNELS_LAST, value, error);
}

enum status importer_add_image(struct importer *importer, const Onnx__NodeProto *proto,
                               struct node node, const uint32_t *inputs, const struct shape *shape,
                               struct error *error)
{
    struct shape row = {.rank = shape->rank + 1};
    if (!importer->whole)
        return importer_add(importer, proto, node, inputs, shape, LAYOUT_CHANNELS_LAST, error);
    row.dims[0] = importer->model->graph.values[inputs[0]].shape.dims[0];
    memcpy(row.dims + 1, shape->dims, shape->rank * sizeof *row.dims);
    return importer_add(importer, proto, node, inputs, &row, LAYOUT_IMAGES, error);
}

/* Shapes */

/* Whether the numbers lie one after another in the order of the shape. */
static bool is_run(const struct value *value)
{
    return value->positions == 1 ||
           (value->layout == LAYOUT_PLAIN && value->stride == value->channels);
}

static bool same_shape(const struct shape *a, const struct shape *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, a->rank * sizeof *a->dims) == 0;
}

enum status importer_reshape(struct importer *importer, uint32_t value, const struct shape *shape,
                             uint32_t *as, struct error *error)
{
    struct graph *graph = &importer->model->graph;
    const struct value *from = &graph->values[value];
    *as = value;
    if (same_shape(&from->shape, shape))
        return STATUS_OK;
    if (check_size(importer, shape, error) != STATUS_OK)
        return error->status;
    if (!is_run(from)) {
        struct shape flat = shape_flat(from->features);
        struct value to = value_of("", &from->shape, LAYOUT_PLAIN);
        to.stride = to.channels;
        struct move move = move_same(from, &to);
        if (importer_make_moves(importer, NULL, &move, 1, &value, 1, NULL, &flat, LAYOUT_PLAIN,
                                &value, error) != STATUS_OK)
            return error->status;
    }
    return graph_add_view(graph, "view", value, shape, as, error);
}

/* Whether the axes of value in that order are its memory in some layout. */
static bool turns_layout(const struct value *value, const size_t *axes, enum layout *layout)
{
    const size_t rank = value->shape.rank, channels = value_channel_axis(value);
    size_t next = 0, at = 0;
    for (size_t i = 0; i < rank; i++) {
        next += next == channels;
        if (axes[i] == channels)
            at = i;
        else if (axes[i] != next++)
            return false;
    }
    *layout = at == 0 ? LAYOUT_CHANNELS_LAST : LAYOUT_IMAGES;
    if (at + 1 == rank)
        *layout = LAYOUT_PLAIN;
    return rank > 1 && (at < 2 || at + 1 == rank);
}

enum status importer_transpose(struct importer *importer, uint32_t value, const size_t *axes,
                               uint32_t *as, struct error *error)
{
    struct graph *graph = &importer->model->graph;
    const struct value *from = &graph->values[value];
    struct shape shape = {.rank = from->shape.rank};
    for (size_t i = 0; i < shape.rank; i++)
        shape.dims[i] = from->shape.dims[axes[i]];
    enum layout layout;
    if (turns_layout(from, axes, &layout))
        return graph_add_turned(graph, "view", value, &shape, layout, as, error);
    struct value to = value_of("", &shape, LAYOUT_PLAIN);
    struct move move = move_same(&to, &to);
    size_t strides[TENSOR_RANK_MAX];
    value_strides(from, strides);
    for (size_t i = 0; i < shape.rank; i++)
        move.from[i] = (ptrdiff_t)strides[axes[i]];
    return importer_make_moves(importer, NULL, &move, 1, &value, 1, NULL, &shape, LAYOUT_PLAIN, as,
                               error);
}

/* Nodes */

/* An operator as a kind of layer: MaxPool is max_pool, PRelu prelu; NULL without memory. */
static const char *kind_of(struct arena *arena, const char *op_type)
{
    char *kind = arena_alloc(arena, 2 * strlen(op_type) + 1, 1), *to = kind;
    for (const char *c = op_type; kind && *c; c++) {
        if (c > op_type && isupper((unsigned char)*c) && islower((unsigned char)c[-1]))
            *to++ = '_';
        *to++ = (char)tolower((unsigned char)*c);
    }
    return kind;
}

/* What inspect says of a node: layers with weights or an activation have a kind by what they do,
 * the others by the operator they come from. */
static enum status describe(struct importer *importer, struct node *node, struct error *error)
{
    node->helper = node->op == OP_move && !node->name;
    if (node->helper || node->op == OP_dense || node->op == OP_activation ||
        node->op == OP_softmax || !importer->current)
        return STATUS_OK;
    node->kind = kind_of(&importer->model->arena, importer->current->op_type);
    return node->kind ? STATUS_OK : no_memory(error);
}

enum status importer_make(struct importer *importer, struct node node, const uint32_t *inputs,
                          const struct shape *shape, enum layout layout, uint32_t *value,
                          struct error *error)
{
    struct graph *graph = &importer->model->graph;
    char text[64];
    if (check_size(importer, shape, error) != STATUS_OK ||
        describe(importer, &node, error) != STATUS_OK)
        return error->status;
    if (!node.name) {
        int length = snprintf(text, sizeof text, "%s_%zu", op_kind(node.op), graph->node_count);
        node.name = arena_text(graph->arena, text, (size_t)length);
    }
    if (!node.name)
        return no_memory(error);
    return graph_add_node(graph, node, inputs, shape, layout, value, error);
}

enum status importer_add(struct importer *importer, const Onnx__NodeProto *proto, struct node node,
                         const uint32_t *inputs, const struct shape *shape, enum layout layout,
                         struct error *error)
{
    uint32_t value;
    if (importer_make(importer, node, inputs, shape, layout, &value, error) != STATUS_OK)
        return error->status;
    return importer_define_value(importer, proto, 0, value, error);
}

/* Names */

/* The part of an initializer's name that a person gave it. */
static size_t weight_name_length(const char *name)
{
    static const char *const suffixes[] = {".weight", "/kernel:0"};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        size_t suffix = strlen(suffixes[i]);
        if (length > suffix && strcmp(name + length - suffix, suffixes[i]) == 0)
            return length - suffix;
    }
    return length;
}

/* "/block/fc/Gemm" is called "block/fc". */
static const char *node_name(struct arena *arena, const Onnx__NodeProto *node)
{
    const char *from = node->name + (node->name[0] == '/');
    size_t length = strlen(from), op = strlen(node->op_type);
    if (length > op + 1 && from[length - op - 1] == '/' &&
        strcmp(from + length - op, node->op_type) == 0)
        length -= op + 1;
    return arena_text(arena, from, length);
}

const char *importer_layer_name(struct importer *importer, const Onnx__NodeProto *node,
                                const struct operand *weight)
{
    struct graph *graph = &importer->model->graph;
    char text[256];
    if (importer->layers)
        return arena_text(graph->arena, node->name, strlen(node->name));
    if (weight && weight->initializer && strncmp(weight->name, "onnx::", 6) != 0)
        return arena_text(graph->arena, weight->name, weight_name_length(weight->name));
    if (node->name && node->name[0])
        return node_name(graph->arena, node);
    size_t length = 0;
    for (const char *c = node->op_type; *c && length < 200; c++)
        text[length++] = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    length += (size_t)snprintf(text + length, sizeof text - length, "_%zu", graph->node_count);
    return arena_text(graph->arena, text, length);
}
