/* Gemm, MatMul: the products of matrices. */
#include <string.h>

#include "graph/ops_arith.h"
#include "onnx_arith.h"
#include "onnx_weights.h"

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

/* y + beta * input 2, which may be any matrix once the file is imported whole. */
static enum status add_matrix(struct importer *importer, const Onnx__NodeProto *proto, float beta,
                              uint32_t *y, struct error *error)
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
                   error) != STATUS_OK)
        return error->status;
    return arith_make(importer, NULL, arithmetic_by_onnx_op("Add"), (uint32_t[]){*y, c}, y, error);
}

/* x times constant weights, plus beta times input 2 if there is one. */
static enum status make_dense(struct importer *importer, const Onnx__NodeProto *proto, uint32_t x,
                              const struct onnx_weights *weights, float beta, uint32_t *y,
                              struct error *error)
{
    struct node node = {
        .name = importer_layer_name(importer, proto, importer_operand(importer, proto, 1)),
        .input_count = 1};
    struct shape shape;
    if (check_dense(&importer->model->graph, x, weights, &shape, error) != STATUS_OK ||
        importer_layout(importer, x, LAYOUT_PLAIN, &x, error) != STATUS_OK ||
        pack_dense(importer, weights, &node, error) != STATUS_OK)
        return error->status;
    const bool row = has_row_bias(importer, proto);
    if ((row && onnx_weights_bias(importer, proto, 2, beta, &node, error) != STATUS_OK) ||
        importer_make(importer, node, &x, &shape, LAYOUT_PLAIN, y, error) != STATUS_OK)
        return error->status;
    return row ? STATUS_OK : add_matrix(importer, proto, beta, y, error);
}

/* Products of two values */

/* A stack of matrices [..., m, k] times one of [..., k, n]; what stands in front is broadcast. */
static enum status make_product(struct importer *importer, const Onnx__NodeProto *proto, uint32_t a,
                                uint32_t b, uint32_t *y, struct error *error)
{
    const struct graph *graph = &importer->model->graph;
    struct shape left = graph->values[a].shape, right = graph->values[b].shape, shape;
    left.rank -= 2; /* what stands in front */
    right.rank -= 2;
    const size_t m = left.dims[left.rank], k = left.dims[left.rank + 1];
    const size_t rows = right.dims[right.rank], n = right.dims[right.rank + 1];
    if (rows != k)
        return error_set(error, STATUS_INVALID,
                         "the shapes do not fit: a matrix of %zu columns times one of %zu rows", k,
                         rows);
    if (arith_broadcast(&left, &right, &shape, error) != STATUS_OK ||
        importer_layout(importer, a, LAYOUT_PLAIN, &a, error) != STATUS_OK ||
        importer_layout(importer, b, LAYOUT_PLAIN, &b, error) != STATUS_OK)
        return error->status;
    shape.dims[shape.rank++] = m;
    shape.dims[shape.rank++] = n;
    struct node node = {.op = OP_matmul,
                        .name = importer_layer_name(importer, proto, NULL),
                        .input_count = 2,
                        .k = k,
                        .n = n};
    return importer_make(importer, node, (uint32_t[]){a, b}, &shape, LAYOUT_PLAIN, y, error);
}

/* Inserts a dimension of 1 at axis of a value, or takes it out. */
static enum status insert_axis(struct importer *importer, size_t axis, uint32_t *value,
                               struct error *error)
{
    struct shape shape = importer->model->graph.values[*value].shape;
    memmove(shape.dims + axis + 1, shape.dims + axis, (shape.rank - axis) * sizeof *shape.dims);
    shape.dims[axis] = 1;
    shape.rank++;
    return importer_reshape(importer, *value, &shape, value, error);
}

static enum status remove_axis(struct importer *importer, size_t from_end, uint32_t *value,
                               struct error *error)
{
    struct shape shape = importer->model->graph.values[*value].shape;
    const size_t axis = shape.rank - from_end;
    shape.rank--;
    memmove(shape.dims + axis, shape.dims + axis + 1, (shape.rank - axis) * sizeof *shape.dims);
    return importer_reshape(importer, *value, &shape, value, error);
}

/* Input i of a MatMul as rows of matrices, or of a vector. */
static enum status read_factor(struct importer *importer, const Onnx__NodeProto *proto, size_t i,
                               uint32_t *value, struct error *error)
{
    const size_t rank = arith_rank(importer, proto);
    if (arith_operand(importer, proto, i, rank, value, error) != STATUS_OK)
        return error->status;
    const size_t own = importer->model->graph.values[*value].shape.rank;
    const bool constant = importer_operand(importer, proto, i)->is_constant;
    if (!importer->whole && !constant && own < 2)
        return importer_mixes(importer, error,
                              "the batch of \"%s\" would be multiplied like a matrix's rows",
                              proto->input[i]);
    if (own == 0)
        return error_set(error, STATUS_INVALID, "\"%s\": expected a matrix, found one number",
                         proto->input[i]);
    return STATUS_OK;
}

/* NumPy's rule: a vector on the left is a row, on the right a column, and the dimension it lacks is
 * missing in the result. */
static enum status multiply_values(struct importer *importer, const Onnx__NodeProto *proto,
                                   uint32_t *y, struct error *error)
{
    uint32_t factors[2];
    bool vectors[2];
    for (size_t i = 2; i-- > 0;) { /* the right one says best why a batch cannot stay */
        if (read_factor(importer, proto, i, &factors[i], error) != STATUS_OK)
            return error->status;
        vectors[i] = importer->model->graph.values[factors[i]].shape.rank == 1;
        if (vectors[i] && insert_axis(importer, i, &factors[i], error) != STATUS_OK)
            return error->status;
    }
    if (make_product(importer, proto, factors[0], factors[1], y, error) != STATUS_OK ||
        (vectors[0] && remove_axis(importer, 2, y, error) != STATUS_OK))
        return error->status;
    return vectors[1] ? remove_axis(importer, 1, y, error) : STATUS_OK;
}

/* MatMul */

/* Whether a constant on the right is one matrix, or a column, for all that stands on the left. */
static bool is_matrix(const struct tensor *tensor, size_t left_rank)
{
    for (size_t i = 0; i + 2 < tensor->rank; i++)
        if (tensor->dims[i] != 1)
            return false;
    return tensor->rank > 0 && (tensor->rank <= 2 || tensor->rank <= left_rank);
}

static enum status multiply_weights(struct importer *importer, const Onnx__NodeProto *proto,
                                    uint32_t *y, struct error *error)
{
    struct tensor tensor;
    uint32_t x;
    if (importer_value(importer, proto, 0, &x, error) != STATUS_OK ||
        importer_weight(importer, proto, 1, "the second input", &tensor, error) != STATUS_OK)
        return error->status;
    const bool column = tensor.rank == 1;
    const struct onnx_weights weights = {
        .name = proto->input[1],
        .tensor = &tensor,
        .groups = 1,
        .columns = column ? 1 : (size_t)tensor.dims[tensor.rank - 1],
        .channels = (size_t)tensor.dims[column ? 0 : tensor.rank - 2],
        .taps = 1,
        .channels_first = true,
        .scale = 1.0f};
    if (!importer->whole && importer->model->graph.values[x].shape.rank == 0)
        return importer_mixes(importer, error, "\"%s\" has no dimension but its batch",
                              proto->input[0]);
    if (make_dense(importer, proto, x, &weights, 1.0f, y, error) != STATUS_OK)
        return error->status;
    return column ? remove_axis(importer, 1, y, error) : STATUS_OK;
}

enum status import_matmul(struct importer *importer, const Onnx__NodeProto *proto,
                          struct error *error)
{
    const struct operand *right = importer_operand(importer, proto, 1);
    uint32_t y = 0;
    bool weights =
        right->is_constant && is_matrix(&right->tensor, arith_file_rank(importer, proto, 0));
    if ((weights ? multiply_weights : multiply_values)(importer, proto, &y, error) != STATUS_OK)
        return error->status;
    return importer_define_value(importer, proto, 0, y, error);
}

/* Gemm: alpha A B + beta C, A and B turned around or not */

struct gemm_form {
    int64_t trans_a, trans_b;
    float alpha, beta;
};

static enum status read_form(const Onnx__NodeProto *proto, struct gemm_form *form,
                             struct error *error)
{
    if (onnx_attribute_int(proto, "transA", 0, &form->trans_a, error) != STATUS_OK ||
        onnx_attribute_int(proto, "transB", 0, &form->trans_b, error) != STATUS_OK ||
        onnx_attribute_float(proto, "alpha", 1, &form->alpha, error) != STATUS_OK)
        return error->status;
    return onnx_attribute_float(proto, "beta", 1, &form->beta, error);
}

/* Input i as a matrix, turned around when the file wants it. */
static enum status gemm_factor(struct importer *importer, const Onnx__NodeProto *proto, size_t i,
                               bool turned, uint32_t *value, struct error *error)
{
    const size_t swapped[] = {1, 0}, rank = arith_file_rank(importer, proto, i);
    if (importer_value(importer, proto, i, value, error) != STATUS_OK)
        return error->status;
    if (!turned)
        return STATUS_OK;
    if (!importer->whole)
        return importer_mixes(importer, error,
                              "transA exchanges the batch of \"%s\" with its columns",
                              proto->input[i]);
    if (rank != 2)
        return error_set(error, STATUS_INVALID, "\"%s\": expected 2 dimensions, found %zu",
                         proto->input[i], rank);
    return importer_transpose(importer, *value, swapped, value, error);
}

static enum status gemm_weights(struct importer *importer, const Onnx__NodeProto *proto,
                                const struct gemm_form *form, uint32_t x, uint32_t *y,
                                struct error *error)
{
    struct tensor tensor;
    if (importer_weight(importer, proto, 1, "the weight", &tensor, error) != STATUS_OK)
        return error->status;
    if (tensor.rank != 2)
        return error_set(error, STATUS_INVALID, "weight \"%s\": expected 2 dimensions, found %zu",
                         proto->input[1], tensor.rank);
    const struct onnx_weights weights = {.name = proto->input[1],
                                         .tensor = &tensor,
                                         .groups = 1,
                                         .columns = (size_t)tensor.dims[form->trans_b ? 0 : 1],
                                         .channels = (size_t)tensor.dims[form->trans_b ? 1 : 0],
                                         .taps = 1,
                                         .channels_first = !form->trans_b,
                                         .scale = form->alpha};
    return make_dense(importer, proto, x, &weights, form->beta, y, error);
}

static enum status gemm_values(struct importer *importer, const Onnx__NodeProto *proto,
                               const struct gemm_form *form, uint32_t x, uint32_t *y,
                               struct error *error)
{
    const struct graph *graph = &importer->model->graph;
    uint32_t right, alpha;
    if (!importer->whole)
        return importer_mixes(importer, error,
                              "the batch of \"%s\" would be multiplied like a matrix's rows",
                              proto->input[1]);
    if (gemm_factor(importer, proto, 1, form->trans_b != 0, &right, error) != STATUS_OK)
        return error->status;
    if (graph->values[x].shape.rank != 2 || graph->values[right].shape.rank != 2)
        return error_set(error, STATUS_INVALID, "expected two matrices of 2 dimensions");
    if (make_product(importer, proto, x, right, y, error) != STATUS_OK ||
        arith_scalar(importer, form->alpha, &alpha, error) != STATUS_OK ||
        arith_make(importer, NULL, arithmetic_by_onnx_op("Mul"), (uint32_t[]){*y, alpha}, y,
                   error) != STATUS_OK)
        return error->status;
    return importer_operand(importer, proto, 2) ? add_matrix(importer, proto, form->beta, y, error)
                                                : STATUS_OK;
}

enum status import_gemm(struct importer *importer, const Onnx__NodeProto *proto,
                        struct error *error)
{
    struct gemm_form form;
    uint32_t x, y = 0;
    if (read_form(proto, &form, error) != STATUS_OK ||
        gemm_factor(importer, proto, 0, form.trans_a != 0, &x, error) != STATUS_OK)
        return error->status;
    const bool weights = importer_operand(importer, proto, 1)->is_constant;
    if ((weights ? gemm_weights : gemm_values)(importer, proto, &form, x, &y, error) != STATUS_OK)
        return error->status;
    return importer_define_value(importer, proto, 0, y, error);
}
