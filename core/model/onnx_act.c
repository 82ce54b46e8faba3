/* Activations and softmax. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "graph/ops_arith.h"
#include "onnx_arith.h"
#include "onnx_weights.h"
#include "panel.h"

/* A bound of Clip: an attribute up to opset 6, an input since 11; what is left out bounds nothing,
 * and neither does an infinity. */
static enum status read_bound(struct importer *importer, const Onnx__NodeProto *proto, size_t i,
                              float fallback, float *bound, struct error *error)
{
    struct tensor tensor;
    if (!importer_operand(importer, proto, i))
        return onnx_attribute_float(proto, i == 1 ? "min" : "max", fallback, bound, error);
    if (importer_constant(importer, proto, i, "a bound", DTYPE_FLOAT32, &tensor, error) !=
        STATUS_OK)
        return error->status;
    if (tensor_count(&tensor) != 1)
        return error_set(error, STATUS_INVALID, "expected one number as a bound, found %zu",
                         tensor_count(&tensor));
    *bound = *(const float *)tensor.data;
    return STATUS_OK;
}

void onnx_set_clip(struct activation *activation, float low, float high)
{
    activation_named(activation, low == 0 && high == 6 ? "relu6" : "clip");
    activation->parameters[0] = low;
    activation->parameters[1] = high;
}

static enum status read_clip(struct importer *importer, const Onnx__NodeProto *proto,
                             struct activation *activation, struct error *error)
{
    float low, high;
    if (read_bound(importer, proto, 1, -FLT_MAX, &low, error) != STATUS_OK ||
        read_bound(importer, proto, 2, FLT_MAX, &high, error) != STATUS_OK)
        return error->status;
    if (isnan(low) || isnan(high))
        return error_set(error, STATUS_INVALID, "expected numbers as bounds, found %g and %g",
                         (double)low, (double)high);
    onnx_set_clip(activation, low, high);
    return STATUS_OK;
}

/* ONNX's Gelu says by an attribute which of two functions it is. */
static enum status read_gelu(const Onnx__NodeProto *proto, struct activation *activation,
                             struct error *error)
{
    const Onnx__AttributeProto *approximate = onnx_attribute(proto, "approximate");
    if (!approximate || onnx_attribute_says(approximate, "none"))
        return STATUS_OK;
    if (!onnx_attribute_says(approximate, "tanh"))
        return error_set(error, STATUS_UNSUPPORTED, "approximate: expected \"none\" or \"tanh\"");
    activation_named(activation, "gelu_tanh");
    return STATUS_OK;
}

/* The attributes that have the names of parameters. */
static enum status read_parameters(const Onnx__NodeProto *proto, struct activation *activation,
                                   struct error *error)
{
    const struct activation_info *info = activation_info(activation->type);
    for (size_t i = 0; i < ACTIVATION_PARAMETERS; i++) {
        float value;
        const char *name = info->parameters[i].name;
        if (!name[0])
            continue;
        if (onnx_attribute_float(proto, name, info->parameters[i].fallback, &value, error) !=
                STATUS_OK ||
            activation_set(activation, name, (double)value, error) != STATUS_OK)
            return error->status;
    }
    return STATUS_OK;
}

enum status onnx_activation(struct importer *importer, const Onnx__NodeProto *proto,
                            struct activation *activation, struct error *error)
{
    if (activation->type == ACTIVATION_clip)
        return read_clip(importer, proto, activation, error);
    if (activation->type == ACTIVATION_gelu)
        return read_gelu(proto, activation, error);
    return read_parameters(proto, activation, error);
}

/* The halves of a crelu whose units are the values z: max(0, z) and max(0, -z) side by side. */
static enum status split_crelu(struct importer *importer, const Onnx__NodeProto *proto, uint32_t z,
                               struct error *error)
{
    const int max = arithmetic_by_onnx_op("Max"), sub = arithmetic_by_onnx_op("Sub");
    uint32_t zero, halves[2];
    if (arith_scalar(importer, 0.0f, &zero, error) != STATUS_OK ||
        arith_make(importer, NULL, sub, (uint32_t[]){zero, z}, &halves[1], error) != STATUS_OK ||
        arith_make(importer, NULL, max, (uint32_t[]){z, zero}, &halves[0], error) != STATUS_OK ||
        arith_make(importer, NULL, max, (uint32_t[]){halves[1], zero}, &halves[1], error) !=
            STATUS_OK)
        return error->status;
    return importer_concat(importer, proto, halves, 2, error);
}

static void note_activated(struct importer *importer, const Onnx__NodeProto *proto, size_t node)
{
    importer->activated[node] = proto->n_output > 0 ? proto->output[0] : NULL;
}

/* Makes activation that of the node which makes input 0, or a node of its own. */
static enum status apply(struct importer *importer, const Onnx__NodeProto *proto,
                         const struct activation *activation, struct error *error)
{
    const bool crelu = activation->type == ACTIVATION_crelu;
    struct node *producer = importer_linear_producer(importer, proto, 0);
    uint32_t x;
    if (producer) {
        const struct operand operand = *importer_operand(importer, proto, 0);
        producer->activation = *activation;
        if (!crelu)
            note_activated(importer, proto, (size_t)(producer - importer->model->graph.nodes));
        return crelu ? split_crelu(importer, proto, operand.value, error)
                     : importer_define(importer, proto, 0, operand, error);
    }
    if (importer_value(importer, proto, 0, &x, error) != STATUS_OK)
        return error->status;
    const struct value value = importer->model->graph.values[x];
    struct node node = {.op = OP_activation,
                        .name = importer_layer_name(importer, proto, NULL),
                        .input_count = 1,
                        .k = value.channels,
                        .n = value.channels,
                        .activation = *activation};
    if (!crelu) {
        note_activated(importer, proto, importer->model->graph.node_count);
        return importer_add(importer, proto, node, &x, &value.shape, value.layout, error);
    }
    if (importer_make(importer, node, &x, &value.shape, value.layout, &x, error) != STATUS_OK)
        return error->status;
    return split_crelu(importer, proto, x, error);
}

/* PRelu */

/* max(x, 0) + slope min(x, 0), for slopes that are not one for each unit. */
static enum status lower_prelu(struct importer *importer, const Onnx__NodeProto *proto,
                               struct error *error)
{
    const size_t rank = arith_rank(importer, proto);
    uint32_t x, zero, slope, high, low;
    if (arith_operand(importer, proto, 0, rank, &x, error) != STATUS_OK ||
        arith_operand(importer, proto, 1, rank, &slope, error) != STATUS_OK ||
        arith_scalar(importer, 0.0f, &zero, error) != STATUS_OK ||
        arith_make(importer, NULL, arithmetic_by_onnx_op("Max"), (uint32_t[]){x, zero}, &high,
                   error) != STATUS_OK ||
        arith_make(importer, NULL, arithmetic_by_onnx_op("Min"), (uint32_t[]){x, zero}, &low,
                   error) != STATUS_OK ||
        arith_make(importer, NULL, arithmetic_by_onnx_op("Mul"), (uint32_t[]){low, slope}, &low,
                   error) != STATUS_OK ||
        arith_make(importer, NULL, arithmetic_by_onnx_op("Add"), (uint32_t[]){high, low}, &high,
                   error) != STATUS_OK)
        return error->status;
    return importer_define_value(importer, proto, 0, high, error);
}

/* Whether a slope is one for each unit of a value, or one for all. */
static bool is_unit_slope(const struct importer *importer, const struct tensor *slope,
                          const struct value *value)
{
    const size_t count = tensor_count(slope), rank = value->shape.rank;
    const size_t hidden = importer_hidden(importer);
    if (slope->dtype != DTYPE_FLOAT32 || rank == 0)
        return false;
    if (count == 1)
        return slope->rank <= rank + hidden;
    size_t behind = rank - 1 - value_channel_axis(value);
    return slope->rank > behind && slope->rank <= rank + hidden && count == value->channels &&
           (size_t)slope->dims[slope->rank - 1 - behind] == count;
}

static enum status import_prelu(struct importer *importer, const Onnx__NodeProto *proto,
                                struct error *error)
{
    const struct operand *x = importer_operand(importer, proto, 0);
    const struct operand *slope = importer_operand(importer, proto, 1);
    struct activation activation;
    struct tensor tensor;
    if (slope->is_constant && (importer_constant(importer, proto, 1, "the slope", DTYPE_FLOAT32,
                                                 &tensor, error) != STATUS_OK ||
                               onnx_weights_check(proto->input[1], tensor.data,
                                                  tensor_count(&tensor), error) != STATUS_OK))
        return error->status;
    if (x->is_constant || !slope->is_constant ||
        !is_unit_slope(importer, &tensor, &importer->model->graph.values[x->value]))
        return lower_prelu(importer, proto, error);
    const size_t n = importer->model->graph.values[x->value].channels;
    const float *from = tensor.data;
    float *slopes = arena_alloc(&importer->model->arena, panel_padded(n), sizeof *slopes);
    if (!slopes)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for %zu slopes", n);
    for (size_t i = 0; i < n; i++)
        slopes[i] = from[tensor_count(&tensor) == 1 ? 0 : i];
    activation_named(&activation, "prelu");
    activation.slope = slopes;
    return apply(importer, proto, &activation, error);
}

/* Softmax */

/* The axes of a row from first on: softmax takes them all together up to opset 12, one since. */
static enum status softmax_axes(struct importer *importer, const Onnx__NodeProto *proto,
                                size_t rank, size_t *first, size_t *end, struct error *error)
{
    int64_t axis;
    const bool together = importer->opset < 13;
    if (onnx_attribute_int(proto, "axis", together ? 1 : -1, &axis, error) != STATUS_OK)
        return error->status;
    if (together && !importer->whole && axis == 1 && rank == 0)
        return importer_mixes(importer, error, "\"%s\" has no axis but the batch", proto->input[0]);
    if (importer_axis(importer, proto->input[0], axis, rank, first, error) != STATUS_OK)
        return error->status;
    *end = together ? rank : *first + 1;
    return STATUS_OK;
}

/* Softmax over the last axis. */
static enum status make_softmax(struct importer *importer, const Onnx__NodeProto *proto, bool log,
                                uint32_t *x, struct error *error)
{
    if (importer_layout(importer, *x, LAYOUT_PLAIN, x, error) != STATUS_OK)
        return error->status;
    const struct value value = importer->model->graph.values[*x];
    struct node node = {.op = OP_softmax,
                        .name = importer_layer_name(importer, proto, NULL),
                        .input_count = 1,
                        .k = value.channels,
                        .n = value.channels,
                        .detail = log};
    activation_named(&node.activation, log ? "log_softmax" : "softmax");
    return importer_make(importer, node, x, &value.shape, LAYOUT_PLAIN, x, error);
}

static enum status import_softmax(struct importer *importer, const Onnx__NodeProto *proto,
                                  struct error *error)
{
    const bool log = onnx_is_op(proto, "LogSoftmax");
    size_t first = 0, end = 0, axes[TENSOR_RANK_MAX];
    uint32_t x;
    if (importer_value(importer, proto, 0, &x, error) != STATUS_OK)
        return error->status;
    const struct shape shape = importer->model->graph.values[x].shape;
    if (softmax_axes(importer, proto, shape.rank, &first, &end, error) != STATUS_OK)
        return error->status;
    struct shape flat = {.rank = 2, .dims = {1, 1}};
    for (size_t i = 0; i < shape.rank; i++) {
        flat.dims[i >= first] *= shape.dims[i];
        axes[i] = i;
    }
    const bool together = end - first > 1, swap = end < shape.rank;
    if (swap) {
        axes[first] = shape.rank - 1;
        axes[shape.rank - 1] = first;
    }
    if ((together && importer_reshape(importer, x, &flat, &x, error) != STATUS_OK) ||
        (swap && importer_transpose(importer, x, axes, &x, error) != STATUS_OK) ||
        make_softmax(importer, proto, log, &x, error) != STATUS_OK ||
        (swap && importer_transpose(importer, x, axes, &x, error) != STATUS_OK) ||
        (together && importer_reshape(importer, x, &shape, &x, error) != STATUS_OK))
        return error->status;
    return importer_define_value(importer, proto, 0, x, error);
}

enum status import_activation(struct importer *importer, const Onnx__NodeProto *proto,
                              struct error *error)
{
    struct activation activation;
    activation_by_onnx_op(&activation, proto->op_type);
    if (activation.type == ACTIVATION_softmax || activation.type == ACTIVATION_log_softmax)
        return import_softmax(importer, proto, error);
    if (activation.type == ACTIVATION_prelu)
        return import_prelu(importer, proto, error);
    if (onnx_activation(importer, proto, &activation, error) != STATUS_OK)
        return error->status;
    return apply(importer, proto, &activation, error);
}

enum status import_fused(struct importer *importer, const struct step *step, struct error *error)
{
    return apply(importer, step->proto, step->fused, error);
}

enum status import_own_activation(struct importer *importer, const Onnx__NodeProto *proto,
                                  struct error *error)
{
    struct activation activation;
    if (!activation_named(&activation, proto->op_type))
        return error_set(error, STATUS_UNSUPPORTED, "the activation is not supported");
    if (read_parameters(proto, &activation, error) != STATUS_OK)
        return error->status;
    return apply(importer, proto, &activation, error);
}
