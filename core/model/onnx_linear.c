/* Gemm, MatMul: the products of matrices. */
#include <inttypes.h>
#include <string.h>

#include "graph/ops_arith.h"
#include "onnx_arith.h"
#include "onnx_weights.h"
#include "onnx_window.h"
#include "panel.h"

/* Dense */

static enum status pack_dense(struct importer *importer, const struct onnx_weights *weights,
                              struct node *node, struct error *error)
{
    if (weights->channels == 0 || weights->columns == 0 || weights->columns > MODEL_FEATURES_MAX)
        return error_set(
            error, STATUS_INVALID,
            "weight \"%s\": expected 1 to %d outputs of 1 or more inputs, found [%zu, %zu]",
            weights->name, MODEL_FEATURES_MAX, weights->channels, weights->columns);
    node->op = OP_dense;
    return onnx_weights_pack(importer, weights, node, error);
}

/* What the last axis of x times [k, n] gives: the same shape but for that axis. */
static enum status check_dense(const struct graph *graph, uint32_t x,
                               const struct onnx_weights *weights, struct shape *shape,
                               struct error *error)
{
    const struct tensor *weight = weights->tensor;
    char text[DIMS_TEXT_BYTES];
    *shape = graph->values[x].shape;
    if (shape->rank > 0 && shape->dims[shape->rank - 1] == weights->channels) {
        shape->dims[shape->rank - 1] = weights->columns;
        return STATUS_OK;
    }
    return error_set(error, STATUS_INVALID,
                     "the shapes do not fit: weight \"%s\" %s takes %zu numbers, the input has %zu",
                     weights->name, dims_text(text, weight->dims, weight->rank), weights->channels,
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
                                bool transposed, const struct onnx_weights *weights, float beta,
                                struct error *error)
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
        check_dense(graph, x, weights, &shape, error) != STATUS_OK ||
        importer_layout(importer, x, LAYOUT_PLAIN, &x, error) != STATUS_OK ||
        pack_dense(importer, weights, &node, error) != STATUS_OK)
        return error->status;
    const bool row = has_row_bias(importer, proto);
    if (row && onnx_weights_bias(importer, proto, 2, beta, &node, error) != STATUS_OK)
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
    if (importer_weight(importer, proto, 1, "the weight", &weight, error) != STATUS_OK ||
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
    struct onnx_weights weights = {.name = proto->input[1],
                                   .tensor = &weight,
                                   .groups = 1,
                                   .columns = (size_t)weight.dims[trans_b ? 0 : 1],
                                   .channels = (size_t)weight.dims[trans_b ? 1 : 0],
                                   .taps = 1,
                                   .channels_first = !trans_b,
                                   .scale = alpha};
    return import_dense(importer, proto, trans_a != 0, &weights, beta, error);
}

enum status import_matmul(struct importer *importer, const Onnx__NodeProto *proto,
                          struct error *error)
{
    struct tensor weight;
    if (importer_weight(importer, proto, 1, "the second input", &weight, error) != STATUS_OK)
        return error->status;
    if (weight.rank != 2)
        return error_set(error, STATUS_UNSUPPORTED,
                         "weight \"%s\": expected 2 dimensions, found %zu", proto->input[1],
                         weight.rank);
    struct onnx_weights weights = {.name = proto->input[1],
                                   .tensor = &weight,
                                   .groups = 1,
                                   .columns = (size_t)weight.dims[1],
                                   .channels = (size_t)weight.dims[0],
                                   .taps = 1,
                                   .channels_first = true,
                                   .scale = 1.0f};
    return import_dense(importer, proto, false, &weights, 1.0f, error);
}
