/* Gemm, MatMul, Conv: the operators with weights. */
#include <inttypes.h>
#include <string.h>

#include "graph/ops_arith.h"
#include "onnx_arith.h"
#include "onnx_import.h"
#include "onnx_window.h"
#include "panel.h"

/* A matrix of weights [k, n] as a file has it. */
struct weights {
    const char *name;
    const float *data;
    size_t k, n, row_stride, column_stride;
    float scale;
};

/* Room for the packed weights and the bias of node's groups, bias zero. */
static enum status allocate(struct importer *importer, struct node *node, struct error *error)
{
    struct arena *arena = &importer->model->arena;
    size_t padded = panel_padded(node->n / node->groups) * node->groups;
    node->panels = arena_alloc(arena, padded, node->k * sizeof(float));
    node->bias = arena_alloc(arena, padded, sizeof(float));
    if (!node->panels || !node->bias)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for %zu x %zu weights",
                         node->k, node->n);
    return STATUS_OK;
}

/* Adds scale times a bias of n numbers (or one) to node's. */
static enum status add_bias(struct node *node, const char *name, const struct tensor *tensor,
                            float scale, struct error *error)
{
    size_t count = tensor_count(tensor), group = node->n / node->groups;
    bool row = tensor->rank == 0 || (size_t)tensor->dims[tensor->rank - 1] == count;
    if (!row || (count != 1 && count != node->n)) {
        char text[DIMS_TEXT_BYTES];
        return error_set(error, STATUS_UNSUPPORTED,
                         "bias \"%s\": expected %zu numbers (or one), found the shape %s", name,
                         node->n, dims_text(text, tensor->dims, tensor->rank));
    }
    const float *from = tensor->data;
    float *bias = (float *)node->bias;
    for (size_t i = 0; i < node->n; i++)
        bias[i / group * panel_padded(group) + i % group] += scale * from[count == 1 ? 0 : i];
    return STATUS_OK;
}

/* The bias that input i of a node is, if it has one. */
static enum status read_bias(struct importer *importer, const Onnx__NodeProto *proto, size_t i,
                             float scale, struct node *node, struct error *error)
{
    struct tensor tensor;
    if (!importer_operand(importer, proto, i))
        return STATUS_OK;
    if (importer_constant(importer, proto, i, "the bias", DTYPE_FLOAT32, &tensor, error) !=
        STATUS_OK)
        return error->status;
    return add_bias(node, proto->input[i], &tensor, scale, error);
}

/* Dense */

static enum status pack_dense(struct importer *importer, const struct weights *weights,
                              struct node *node, struct error *error)
{
    node->op = OP_dense;
    node->k = weights->k;
    node->n = weights->n;
    node->groups = 1;
    if (weights->k == 0 || weights->n == 0 || weights->n > MODEL_FEATURES_MAX)
        return error_set(
            error, STATUS_INVALID,
            "weight \"%s\": expected 1 to %d outputs of 1 or more inputs, found [%zu, %zu]",
            weights->name, MODEL_FEATURES_MAX, weights->k, weights->n);
    if (onnx_check_finite(weights->name, weights->data, weights->k * weights->n, error) !=
            STATUS_OK ||
        allocate(importer, node, error) != STATUS_OK)
        return error->status;
    panel_pack((float *)node->panels, weights->k, weights->n, weights->data, weights->row_stride,
               weights->column_stride, weights->scale);
    if (onnx_check_finite(weights->name, node->panels, weights->k * panel_padded(weights->n),
                          error) == STATUS_OK)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, "tensor \"%s\": alpha %g makes a weight infinite",
                     weights->name, (double)weights->scale);
}

/* What the last axis of x times [k, n] gives: the same shape but for that axis. */
static enum status check_dense(const struct graph *graph, uint32_t x, const struct tensor *weight,
                               const struct weights *weights, struct shape *shape,
                               struct error *error)
{
    char text[DIMS_TEXT_BYTES];
    *shape = graph->values[x].shape;
    if (shape->rank > 0 && shape->dims[shape->rank - 1] == weights->k) {
        shape->dims[shape->rank - 1] = weights->n;
        return STATUS_OK;
    }
    return error_set(error, STATUS_INVALID,
                     "the shapes do not fit: weight \"%s\" %s takes %zu numbers, the input has %zu",
                     weights->name, dims_text(text, weight->dims, weight->rank), weights->k,
                     shape->rank > 0 ? shape->dims[shape->rank - 1] : 1);
}

/* Whether input 2 of a Gemm is one number for each output, or there is none; else it is a matrix.
 */
static bool has_row_bias(struct importer *importer, const Onnx__NodeProto *proto)
{
    const struct operand *c = importer_operand(importer, proto, 2);
    const struct tensor *tensor = c ? &c->tensor : NULL;
    return !c || (c->is_constant && (tensor->rank == 0 || (size_t)tensor->dims[tensor->rank - 1] ==
                                                              tensor_count(tensor)));
}

/* x + beta * input 2, which may be any matrix once the file is imported whole. */
static enum status add_matrix(struct importer *importer, const Onnx__NodeProto *proto, float beta,
                              uint32_t x, struct error *error)
{
    uint32_t c, scale;
    const struct operand *bias = importer_operand(importer, proto, 2);
    if (!importer->whole) {
        char text[DIMS_TEXT_BYTES] = "";
        if (bias->is_constant)
            dims_text(text, bias->tensor.dims, bias->tensor.rank);
        return importer_mixes(importer, error, "the bias \"%s\" %s is not one for all rows",
                              proto->input[2], text);
    }
    if (importer_value(importer, proto, 2, &c, error) != STATUS_OK ||
        arith_scalar(importer, beta, &scale, error) != STATUS_OK ||
        arith_make(importer, NULL, arithmetic_by_onnx_op("Mul"), (uint32_t[]){c, scale}, &c,
                   error) != STATUS_OK ||
        arith_make(importer, NULL, arithmetic_by_onnx_op("Add"), (uint32_t[]){x, c}, &x, error) !=
            STATUS_OK)
        return error->status;
    return importer_define_value(importer, proto, 0, x, error);
}

static enum status import_dense(struct importer *importer, const Onnx__NodeProto *proto,
                                bool transposed, const struct tensor *weight,
                                const struct weights *weights, float beta, struct error *error)
{
    const struct graph *graph = &importer->model->graph;
    const size_t swapped[] = {1, 0};
    struct node node = {
        .name = importer_layer_name(importer, proto, importer_operand(importer, proto, 1)),
        .input_count = 1};
    struct shape shape;
    uint32_t x;
    if (importer_value(importer, proto, 0, &x, error) != STATUS_OK ||
        (transposed && importer_transpose(importer, x, swapped, &x, error) != STATUS_OK) ||
        check_dense(graph, x, weight, weights, &shape, error) != STATUS_OK ||
        importer_layout(importer, x, LAYOUT_PLAIN, &x, error) != STATUS_OK ||
        pack_dense(importer, weights, &node, error) != STATUS_OK)
        return error->status;
    const bool row = has_row_bias(importer, proto);
    if (row && read_bias(importer, proto, 2, beta, &node, error) != STATUS_OK)
        return error->status;
    if (row)
        return importer_add(importer, proto, node, &x, &shape, LAYOUT_PLAIN, error);
    if (importer_make(importer, node, &x, &shape, LAYOUT_PLAIN, &x, error) != STATUS_OK)
        return error->status;
    return add_matrix(importer, proto, beta, x, error);
}

enum status import_gemm(struct importer *importer, const Onnx__NodeProto *proto,
                        struct error *error)
{
    struct tensor weight;
    int64_t trans_a, trans_b;
    float alpha, beta;
    if (importer_constant(importer, proto, 1, "the weight", DTYPE_FLOAT32, &weight, error) !=
            STATUS_OK ||
        onnx_attribute_int(proto, "transA", 0, &trans_a, error) != STATUS_OK ||
        onnx_attribute_int(proto, "transB", 0, &trans_b, error) != STATUS_OK ||
        onnx_attribute_float(proto, "alpha", 1, &alpha, error) != STATUS_OK ||
        onnx_attribute_float(proto, "beta", 1, &beta, error) != STATUS_OK)
        return error->status;
    if (trans_a && !importer->whole)
        return importer_mixes(importer, error,
                              "transA exchanges the batch of \"%s\" with its columns",
                              proto->input[0]);
    const struct operand *x = importer_operand(importer, proto, 0);
    if (trans_a &&
        (x->is_constant ? x->tensor.rank : importer->model->graph.values[x->value].shape.rank) != 2)
        return error_set(error, STATUS_INVALID, "transA: expected an input of 2 dimensions");
    if (weight.rank != 2)
        return error_set(error, STATUS_INVALID, "weight \"%s\": expected 2 dimensions, found %zu",
                         proto->input[1], weight.rank);
    size_t rows = (size_t)weight.dims[0], columns = (size_t)weight.dims[1];
    struct weights weights = {.name = proto->input[1],
                              .data = weight.data,
                              .k = trans_b ? columns : rows,
                              .n = trans_b ? rows : columns,
                              .row_stride = trans_b ? 1 : columns,
                              .column_stride = trans_b ? columns : 1,
                              .scale = alpha};
    return import_dense(importer, proto, trans_a != 0, &weight, &weights, beta, error);
}

enum status import_matmul(struct importer *importer, const Onnx__NodeProto *proto,
                          struct error *error)
{
    struct tensor weight;
    if (importer_constant(importer, proto, 1, "the second input", DTYPE_FLOAT32, &weight, error) !=
        STATUS_OK)
        return error->status;
    if (weight.rank != 2)
        return error_set(error, STATUS_UNSUPPORTED,
                         "weight \"%s\": expected 2 dimensions, found %zu", proto->input[1],
                         weight.rank);
    struct weights weights = {.name = proto->input[1],
                              .data = weight.data,
                              .k = (size_t)weight.dims[0],
                              .n = (size_t)weight.dims[1],
                              .row_stride = (size_t)weight.dims[1],
                              .column_stride = 1,
                              .scale = 1.0f};
    return import_dense(importer, proto, false, &weight, &weights, 1.0f, error);
}

/* Convolution */

/* ONNX has [n, channels of a group, kernel…], the chain wants kernel, then channel. */
static void pack_conv(const struct node *node, const float *data, size_t taps)
{
    size_t channels = node->k / taps, n = node->n / node->groups;
    size_t group = node->k * panel_padded(n);
    for (size_t g = 0; g < node->groups; g++) {
        float *panels = (float *)node->panels + g * group;
        for (size_t tap = 0; tap < taps; tap++) {
            for (size_t c = 0; c < channels; c++) {
                for (size_t j = 0; j < n; j++) {
                    size_t panel = j / PANEL_COLUMNS, k = tap * channels + c;
                    panels[panel_offset(node->k, panel) + k * panel_width(n, panel) +
                           j % PANEL_COLUMNS] = data[((g * n + j) * channels + c) * taps + tap];
                }
            }
        }
    }
}

/* One output channel for each input channel: [taps, padded channels]. */
static void pack_depthwise(const struct node *node, const float *data)
{
    for (size_t tap = 0; tap < node->k; tap++)
        for (size_t c = 0; c < node->n; c++)
            ((float *)node->panels)[tap * panel_padded(node->n) + c] = data[c * node->k + tap];
}

static enum status check_conv(const struct tensor *weight, const struct shape *x, int64_t groups,
                              const char *name, struct error *error)
{
    bool fits = weight->rank == x->rank + 1 && x->rank >= 2 && x->rank <= 1 + GRAPH_SPATIAL_MAX &&
                groups >= 1 && weight->dims[0] > 0 && weight->dims[0] % groups == 0 &&
                weight->dims[0] <= MODEL_FEATURES_MAX &&
                (size_t)weight->dims[1] * (size_t)groups == x->dims[0] && tensor_count(weight) > 0;
    if (fits)
        return STATUS_OK;
    char text[DIMS_TEXT_BYTES];
    return error_set(error, STATUS_INVALID,
                     "the shapes do not fit: weight \"%s\" %s with %" PRId64
                     " groups, an input of %zu dimensions and %zu channels",
                     name, dims_text(text, weight->dims, weight->rank), groups, x->rank,
                     x->rank ? x->dims[0] : 0);
}

static enum status pack_weights(struct importer *importer, const char *name,
                                const struct tensor *weight, struct node *node, struct error *error)
{
    if (onnx_check_finite(name, weight->data, tensor_count(weight), error) != STATUS_OK ||
        allocate(importer, node, error) != STATUS_OK)
        return error->status;
    if (node->op == OP_depthwise)
        pack_depthwise(node, weight->data);
    else
        pack_conv(node, weight->data, window_taps(&node->window));
    return STATUS_OK;
}

enum status import_conv(struct importer *importer, const Onnx__NodeProto *proto,
                        struct error *error)
{
    struct node node = {
        .name = importer_layer_name(importer, proto, importer_operand(importer, proto, 1)),
        .input_count = 1};
    struct tensor weight;
    struct shape shape;
    int64_t groups;
    uint32_t x;
    if (importer_image(importer, proto, 0, &x, &shape, error) != STATUS_OK ||
        importer_constant(importer, proto, 1, "the weight", DTYPE_FLOAT32, &weight, error) !=
            STATUS_OK ||
        onnx_attribute_int(proto, "group", 1, &groups, error) != STATUS_OK)
        return error->status;
    if (check_conv(&weight, &shape, groups, proto->input[1], error) != STATUS_OK ||
        onnx_window(proto, &shape, weight.dims + 2, &node.window, error) != STATUS_OK ||
        onnx_window_stack(importer, x, &shape, &node.window, error) != STATUS_OK)
        return error->status;
    bool depthwise = (size_t)groups == shape.dims[0] && weight.dims[0] == groups && groups > 1;
    node.op = depthwise ? OP_depthwise : OP_conv;
    node.groups = depthwise ? 1 : (size_t)groups;
    node.n = shape.dims[0] = (size_t)weight.dims[0];
    node.k = window_taps(&node.window) * (size_t)weight.dims[1];
    if (pack_weights(importer, proto->input[1], &weight, &node, error) != STATUS_OK ||
        read_bias(importer, proto, 2, 1.0f, &node, error) != STATUS_OK)
        return error->status;
    return importer_add_image(importer, proto, node, &x, &shape, error);
}
