/* Arithmetic element by element, functions of one number, reductions. */
#include <math.h>
#include <string.h>

#include "graph/ops_arith.h"
#include "onnx_affine.h"
#include "onnx_arith.h"

/* Broadcasting */

size_t arith_file_rank(struct importer *importer, const Onnx__NodeProto *proto, size_t i)
{
    const struct operand *operand = importer_operand(importer, proto, i);
    if (!operand)
        return 0;
    if (operand->is_constant)
        return operand->tensor.rank;
    return importer->model->graph.values[operand->value].shape.rank + importer_hidden(importer);
}

/* A constant as a value; whole numbers, such as an exponent may be, become floats. */
static enum status constant_value(struct importer *importer, const struct tensor *tensor,
                                  const struct shape *shape, uint32_t *value, struct error *error)
{
    if (tensor->dtype == DTYPE_FLOAT32)
        return importer_constant_value(importer, tensor, shape, value, error);
    struct tensor whole = *tensor;
    if (onnx_tensor_load(importer, &whole, error) != STATUS_OK)
        return error->status;
    const size_t count = tensor_count(tensor);
    float *floats = arena_alloc(importer->scratch, count, sizeof *floats);
    if (!floats)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for a constant");
    for (size_t i = 0; i < count; i++)
        floats[i] = (float)((const int64_t *)whole.data)[i];
    struct tensor widened = *tensor;
    widened.dtype = DTYPE_FLOAT32;
    widened.data = floats;
    return importer_constant_value(importer, &widened, shape, value, error);
}

enum status arith_operand(struct importer *importer, const Onnx__NodeProto *proto, size_t i,
                          size_t rank, uint32_t *value, struct error *error)
{
    const struct operand *operand = importer_operand(importer, proto, i);
    if (!operand)
        return error_set(error, STATUS_INVALID, "input %zu is missing", i);
    const size_t own = arith_file_rank(importer, proto, i), hidden = importer_hidden(importer);
    if (!operand->is_constant) {
        *value = operand->value;
        if (own == rank || importer->whole)
            return STATUS_OK;
        return importer_mixes(importer, error,
                              "\"%s\" has %zu dimensions and another input %zu, so that its batch "
                              "would not stay in front",
                              proto->input[i], own, rank);
    }
    const struct tensor *tensor = &operand->tensor;
    const size_t drop = own == rank ? hidden : 0;
    if (own > rank || (drop && own > 0 && tensor->dims[0] != 1)) {
        char text[DIMS_TEXT_BYTES];
        return importer_mixes(importer, error,
                              "the constant \"%s\" %s is not the same for each row of a batch",
                              proto->input[i], dims_text(text, tensor->dims, tensor->rank));
    }
    struct shape shape = {.rank = tensor->rank - (own > 0 ? drop : 0)};
    for (size_t axis = 0; axis < shape.rank; axis++)
        shape.dims[axis] = (size_t)tensor->dims[tensor->rank - shape.rank + axis];
    return constant_value(importer, tensor, &shape, value, error);
}

size_t arith_rank(struct importer *importer, const Onnx__NodeProto *proto)
{
    size_t rank = 0;
    for (size_t i = 0; i < proto->n_input; i++) {
        size_t own = arith_file_rank(importer, proto, i);
        const struct operand *operand = importer_operand(importer, proto, i);
        bool counts = importer->whole || (operand && !operand->is_constant);
        rank = counts && own > rank ? own : rank;
    }
    return rank;
}

static char *shape_text(char text[DIMS_TEXT_BYTES], const struct shape *shape)
{
    int64_t dims[TENSOR_RANK_MAX];
    for (size_t i = 0; i < shape->rank; i++)
        dims[i] = (int64_t)shape->dims[i];
    return dims_text(text, dims, shape->rank);
}

enum status arith_broadcast(const struct shape *a, const struct shape *b, struct shape *shape,
                            struct error *error)
{
    const struct shape *longer = a->rank >= b->rank ? a : b, *other = longer == a ? b : a;
    const size_t lead = longer->rank - other->rank;
    *shape = *longer;
    for (size_t i = 0; i < other->rank; i++) {
        size_t *dim = &shape->dims[lead + i], with = other->dims[i];
        if (*dim != with && *dim != 1 && with != 1) {
            char first[DIMS_TEXT_BYTES], second[DIMS_TEXT_BYTES];
            return error_set(error, STATUS_INVALID,
                             "the shapes do not fit: rows of %s and of %s, %zu and %zu along one "
                             "axis",
                             shape_text(first, a), shape_text(second, b), *dim, with);
        }
        *dim = *dim == 1 ? with : *dim;
    }
    return STATUS_OK;
}

static bool has_shape(const struct value *value, const struct shape *shape)
{
    return value->shape.rank == shape->rank &&
           memcmp(value->shape.dims, shape->dims, shape->rank * sizeof *shape->dims) == 0;
}

enum status arith_make(struct importer *importer, const char *name, int detail, const uint32_t *ab,
                       uint32_t *value, struct error *error)
{
    const struct graph *graph = &importer->model->graph;
    const struct value *a = &graph->values[ab[0]], *b = &graph->values[ab[1]];
    struct shape shape;
    if (arith_broadcast(&a->shape, &b->shape, &shape, error) != STATUS_OK)
        return error->status;
    enum layout layout = has_shape(a, &shape) ? a->layout : LAYOUT_PLAIN;
    if (layout == LAYOUT_PLAIN && has_shape(b, &shape))
        layout = b->layout;
    struct node node = {.op = OP_arithmetic, .name = name, .input_count = 2, .detail = detail};
    return importer_make(importer, node, ab, &shape, layout, value, error);
}

/* Two inputs */

static bool adds(const Onnx__NodeProto *proto)
{
    return strcmp(proto->op_type, "Add") == 0 || strcmp(proto->op_type, "Sum") == 0;
}

/* Makes the other input the residual of the node that makes input i, when that node runs later. */
static bool fuse_residual(struct importer *importer, const Onnx__NodeProto *proto, size_t i)
{
    const struct graph *graph = &importer->model->graph;
    const struct operand *x = importer_operand(importer, proto, i);
    const struct operand *other = importer_operand(importer, proto, 1 - i);
    struct node *node = importer_linear_producer(importer, proto, i);
    if (!node || node->input_count != 1 || other->is_constant)
        return false;
    const struct value *y = &graph->values[x->value], *r = &graph->values[other->value];
    if (r->producer >= y->producer || r->layout != y->layout || r->stride != y->stride ||
        !has_shape(r, &y->shape))
        return false;
    uint32_t *inputs = arena_alloc(graph->arena, 2, sizeof *inputs);
    if (!inputs)
        return false;
    inputs[0] = node->inputs[0];
    inputs[1] = other->value;
    node->inputs = inputs;
    node->input_count = 2;
    return true;
}

enum status import_binary(struct importer *importer, const Onnx__NodeProto *proto,
                          struct error *error)
{
    uint32_t ab[2], value;
    if (importer->opset < 7 && onnx_attribute(proto, "axis"))
        return error_set(error, STATUS_UNSUPPORTED,
                         "broadcasting from an axis, as operator sets before 7 have it");
    for (size_t i = 0; i < 2; i++) {
        bool fused;
        if (onnx_fuse_affine(importer, proto, i, &fused, error) != STATUS_OK || fused)
            return error->status;
        if (adds(proto) && fuse_residual(importer, proto, i))
            return importer_define(importer, proto, 0, *importer_operand(importer, proto, i),
                                   error);
    }
    const size_t rank = arith_rank(importer, proto);
    for (size_t i = 0; i < 2; i++)
        if (arith_operand(importer, proto, i, rank, &ab[i], error) != STATUS_OK)
            return error->status;
    if (arith_make(importer, importer_layer_name(importer, proto, NULL),
                   arithmetic_by_onnx_op(adds(proto) ? "Add" : proto->op_type), ab, &value,
                   error) != STATUS_OK)
        return error->status;
    return importer_define_value(importer, proto, 0, value, error);
}

/* A number as a value of rank 0. */
enum status arith_scalar(struct importer *importer, float number, uint32_t *value,
                         struct error *error)
{
    const struct tensor tensor = {.dtype = DTYPE_FLOAT32, .rank = 0, .data = &number};
    const struct shape shape = {.rank = 0};
    return importer_constant_value(importer, &tensor, &shape, value, error);
}

enum status import_variadic(struct importer *importer, const Onnx__NodeProto *proto,
                            struct error *error)
{
    const bool mean = onnx_is_op(proto, "Mean");
    const bool sum = onnx_is_op(proto, "Sum");
    const int detail = arithmetic_by_onnx_op(mean || sum ? "Add" : proto->op_type);
    const size_t rank = arith_rank(importer, proto);
    uint32_t ab[2];
    if (sum && proto->n_input == 2)
        return import_binary(importer, proto, error);
    if (arith_operand(importer, proto, 0, rank, &ab[0], error) != STATUS_OK)
        return error->status;
    for (size_t i = 1; i < proto->n_input; i++)
        if (arith_operand(importer, proto, i, rank, &ab[1], error) != STATUS_OK ||
            arith_make(importer, importer_layer_name(importer, proto, NULL), detail, ab, &ab[0],
                       error) != STATUS_OK)
            return error->status;
    if (mean &&
        (arith_scalar(importer, (float)proto->n_input, &ab[1], error) != STATUS_OK ||
         arith_make(importer, NULL, arithmetic_by_onnx_op("Div"), ab, &ab[0], error) != STATUS_OK))
        return error->status;
    if (proto->n_input == 1 && !mean && !importer_operand(importer, proto, 0)->is_constant)
        return importer_define(importer, proto, 0, *importer_operand(importer, proto, 0), error);
    return importer_define_value(importer, proto, 0, ab[0], error);
}

/* Where the condition holds the one, elsewhere the other; what is not taken is 0 in a sum. */
enum status import_where(struct importer *importer, const Onnx__NodeProto *proto,
                         struct error *error)
{
    const size_t rank = arith_rank(importer, proto);
    uint32_t inputs[3], chosen[2], value;
    for (size_t i = 0; i < 3; i++)
        if (arith_operand(importer, proto, i, rank, &inputs[i], error) != STATUS_OK)
            return error->status;
    for (size_t i = 0; i < 2; i++)
        if (arith_make(importer, NULL, arithmetic_by_onnx_op(i == 0 ? "when" : "unless"),
                       (uint32_t[]){inputs[0], inputs[1 + i]}, &chosen[i], error) != STATUS_OK)
            return error->status;
    if (arith_make(importer, importer_layer_name(importer, proto, NULL),
                   arithmetic_by_onnx_op("Add"), chosen, &value, error) != STATUS_OK)
        return error->status;
    return importer_define_value(importer, proto, 0, value, error);
}

enum status arith_unary(struct importer *importer, const Onnx__NodeProto *proto, int detail,
                        struct error *error)
{
    uint32_t x;
    if (importer_value(importer, proto, 0, &x, error) != STATUS_OK)
        return error->status;
    const struct value value = importer->model->graph.values[x];
    struct node node = {.op = OP_unary,
                        .name = importer_layer_name(importer, proto, NULL),
                        .input_count = 1,
                        .detail = detail};
    return importer_add(importer, proto, node, &x, &value.shape, value.layout, error);
}

enum status import_unary(struct importer *importer, const Onnx__NodeProto *proto,
                         struct error *error)
{
    return arith_unary(importer, proto, unary_by_onnx_op(proto->op_type), error);
}

/* Reductions */

/* The axes as a set of bits of the row's. */
static enum status read_axes(struct importer *importer, const Onnx__NodeProto *proto, size_t rank,
                             unsigned *axes, struct error *error)
{
    struct ints list;
    int64_t noop;
    *axes = 0;
    if (importer_ints(importer, proto, 1, "axes", &list, error) != STATUS_OK ||
        onnx_attribute_int(proto, "noop_with_empty_axes", 0, &noop, error) != STATUS_OK)
        return error->status;
    for (size_t i = 0; i < list.count; i++) {
        size_t axis;
        if (importer_axis(importer, proto->input[0], list.numbers[i], rank, &axis, error) !=
            STATUS_OK)
            return error->status;
        *axes |= 1u << axis;
    }
    if (list.count > 0 || noop)
        return STATUS_OK;
    *axes = (1u << rank) - 1;
    if (importer->whole)
        return STATUS_OK;
    return importer_mixes(importer, error,
                          "without axes, \"%s\" is reduced along its batch as well",
                          proto->input[0]);
}

enum status import_reduce(struct importer *importer, const Onnx__NodeProto *proto,
                          struct error *error)
{
    uint32_t x;
    unsigned axes;
    int64_t keep;
    if (importer_value(importer, proto, 0, &x, error) != STATUS_OK)
        return error->status;
    const struct shape from = importer->model->graph.values[x].shape;
    if (read_axes(importer, proto, from.rank, &axes, error) != STATUS_OK ||
        onnx_attribute_int(proto, "keepdims", 1, &keep, error) != STATUS_OK)
        return error->status;
    struct shape shape = {.rank = 0};
    for (size_t i = 0; i < from.rank; i++) {
        if (!(axes >> i & 1))
            shape.dims[shape.rank++] = from.dims[i];
        else if (keep)
            shape.dims[shape.rank++] = 1;
    }
    struct node node = {.op = OP_reduce,
                        .name = importer_layer_name(importer, proto, NULL),
                        .input_count = 1,
                        .detail = reduce_by_onnx_op(proto->op_type, axes)};
    return importer_add(importer, proto, node, &x, &shape, LAYOUT_PLAIN, error);
}
