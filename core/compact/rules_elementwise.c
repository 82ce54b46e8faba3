/* Nodes that take number by number: activations, arithmetic, whatever an activation is written out
 * as. Operands are aligned at their last axes. */
#include <string.h>

#include "links.h"

enum { OPERANDS_MAX = 64 };

/* Values of one rank that have their channels along one axis, and constants. */
struct operands {
    struct item *items[OPERANDS_MAX];
    size_t count;
    size_t rank, axis;            /* of the values */
    size_t dims[TENSOR_RANK_MAX]; /* of what is made */
};

static bool read_operands(const struct links *links, size_t node, struct operands *operands)
{
    const Onnx__NodeProto *proto = links->proto->node[node];
    const struct item *value = NULL;
    *operands = (struct operands){.count = proto->n_input};
    if (proto->n_input > OPERANDS_MAX)
        return false;
    for (size_t i = 0; i < proto->n_input; i++) {
        const struct item *item = operands->items[i] = links_input(links, node, i);
        if (!item || item->constant)
            continue;
        if (value && (item->rank != value->rank || item->axis != value->axis))
            return false;
        value = item;
    }
    operands->rank = value->rank;
    operands->axis = value->axis;
    return true;
}

/* The dimensions of the result; false when an operand adds one, or they do not fit. */
static bool broadcast(struct operands *operands)
{
    for (size_t axis = 0; axis < operands->rank; axis++)
        operands->dims[axis] = axis > 0;
    for (size_t i = 0; i < operands->count; i++) {
        const struct item *item = operands->items[i];
        if (item && item->rank > operands->rank)
            return false;
        for (size_t axis = 0; item && axis < item->rank; axis++) {
            size_t *made = &operands->dims[operands->rank - item->rank + axis];
            if (item->dims[axis] != 1 && made != operands->dims && *made != 1 &&
                *made != item->dims[axis])
                return false;
            if (item->dims[axis] != 1 && made != operands->dims)
                *made = item->dims[axis];
        }
    }
    return true;
}

/* Which axis of a constant lies at the channels; false when it is one number for all of them. */
static bool channel_axis(const struct operands *operands, const struct item *item, size_t *axis)
{
    const size_t hidden = operands->rank - item->rank;
    *axis = operands->axis - hidden;
    return operands->axis >= hidden && item->dims[*axis] == operands->dims[operands->axis] &&
           item->dims[*axis] > 1;
}

static void join_operand(struct links *links, size_t node, const struct operands *operands,
                         struct item *item, struct span made)
{
    struct binding binding = {.span = made};
    if (item->constant) {
        const bool bound = channel_axis(operands, item, &binding.axis);
        links_bind(links, item, node, &binding, bound);
    } else if (item_span(item).count == made.count) {
        links_join(links, made, item_span(item));
    } else { /* one for all channels */
        links_pin(links, item_span(item), KEEP_operator, node);
    }
}

/* What is always the same */

/* The number that operand i always is at a channel; NaN when it varies. */
static float constant_at(struct links *links, const struct operands *operands, size_t i, size_t c)
{
    struct item *item = operands->items[i];
    size_t axis;
    if (!item)
        return NAN;
    if (!item->constant) {
        const struct span span = item_span(item);
        return links->channels[span.first + (span.count > 1 ? c : 0)].constant;
    }
    const size_t count = tensor_count(&item->tensor);
    const bool per_channel = channel_axis(operands, item, &axis) && count == item->dims[axis];
    const float *floats = count == 1 || per_channel ? links_floats(links, item) : NULL;
    return floats ? floats[per_channel ? c : 0] : NAN;
}

/* Arithmetic of float32 numbers, as it is computed; NaN for what is left alone. */
static float combine(const char *op, float a, float b)
{
    if (strcmp(op, "Add") == 0 || strcmp(op, "Sum") == 0)
        return a + b;
    if (strcmp(op, "Sub") == 0)
        return a - b;
    if (strcmp(op, "Mul") == 0)
        return a * b;
    if (strcmp(op, "Div") == 0)
        return a / b;
    if (isnan(a) || isnan(b))
        return NAN;
    if (strcmp(op, "Max") == 0)
        return a > b ? a : b;
    if (strcmp(op, "Min") == 0)
        return a < b ? a : b;
    return NAN;
}

static float compute(struct links *links, size_t node, const struct operands *operands,
                     const struct activation *activation, size_t c)
{
    const Onnx__NodeProto *proto = links->proto->node[node];
    float result = constant_at(links, operands, 0, c);
    if (onnx_is_op(proto, "Identity") || onnx_is_op(proto, "Dropout"))
        return result;
    if (activation)
        return isnan(result) ? NAN : (float)activation_value(activation, c, (double)result);
    for (size_t i = 1; i < operands->count; i++)
        result = combine(proto->op_type, result, constant_at(links, operands, i, c));
    return operands->count > 1 && isfinite(result) ? result : NAN;
}

/* Whether an activation is this node alone, not a sub-graph that ends here. */
static bool is_of_node(const struct activation *activation, const Onnx__NodeProto *proto)
{
    struct activation own;
    return activation && activation_by_onnx_op(&own, proto->op_type) &&
           (own.type == activation->type ||
            (own.type == ACTIVATION_clip && activation->type == ACTIVATION_relu6));
}

bool link_elementwise(struct links *links, size_t node)
{
    const Onnx__NodeProto *proto = links->proto->node[node];
    struct operands operands;
    if (!read_operands(links, node, &operands) || !broadcast(&operands))
        return false;
    struct item *made =
        links_value(links, proto->output[0], operands.rank, operands.dims, operands.axis);
    if (!made)
        return true;
    const struct span span = item_span(made);
    for (size_t i = 0; i < operands.count; i++)
        if (operands.items[i])
            join_operand(links, node, &operands, operands.items[i], span);
    const struct activation *activation =
        is_of_node(made->activation, proto) ? made->activation : NULL;
    for (size_t c = 0; c < span.count; c++)
        links->channels[span.first + c].constant = compute(links, node, &operands, activation, c);
    return true;
}
