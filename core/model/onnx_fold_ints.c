/* Arithmetic of constants that are whole numbers, as shapes are. */
#include <inttypes.h>
#include <string.h>

#include "onnx_import.h"

/* What does not depend on how large the batch is only where both are known. */
static bool choose(const char *op, int64_t a, int64_t b, int64_t *y)
{
    const struct {
        const char *op;
        int64_t y;
    } choices[] = {{"Max", a > b ? a : b}, {"Min", a < b ? a : b},
                   {"Greater", a > b},     {"GreaterOrEqual", a >= b},
                   {"Less", a < b},        {"LessOrEqual", a <= b},
                   {"And", a && b},        {"Or", a || b},
                   {"Xor", !a != !b}};
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        if (strcmp(choices[i].op, op) == 0) {
            *y = choices[i].y;
            return a != ONNX_BATCH && b != ONNX_BATCH;
        }
    }
    return false;
}

static bool apply(const char *op, int64_t a, int64_t b, int64_t *y)
{
    if (strcmp(op, "Equal") == 0)
        return *y = a == b, true;
    if (choose(op, a, b, y))
        return true;
    if (a == ONNX_BATCH || b == ONNX_BATCH) { /* stays what it is, or is nothing a file may ask */
        bool same = (strcmp(op, "Mul") == 0 && (a == 1 || b == 1)) ||
                    (strcmp(op, "Add") == 0 && (a == 0 || b == 0)) ||
                    (strcmp(op, "Div") == 0 && b == 1) || (strcmp(op, "Sub") == 0 && b == 0);
        return *y = ONNX_BATCH, same;
    }
    if (strcmp(op, "Add") == 0)
        return !__builtin_add_overflow(a, b, y);
    if (strcmp(op, "Sub") == 0)
        return !__builtin_sub_overflow(a, b, y);
    if (strcmp(op, "Mul") == 0)
        return !__builtin_mul_overflow(a, b, y);
    if (strcmp(op, "Div") != 0 || b == 0 || b == -1)
        return strcmp(op, "Div") == 0 && b == -1 && !__builtin_sub_overflow(0, a, y);
    *y = a / b;
    return true;
}

/* Why apply() refuses. */
static enum status refuse(struct importer *importer, const char *op, int64_t a, int64_t b,
                          struct error *error)
{
    if (a == ONNX_BATCH || b == ONNX_BATCH)
        return importer_mixes(importer, error, "it computes with the size of the batch");
    return error_set(error, STATUS_INVALID, "%s of %" PRId64 " and %" PRId64 " has no result", op,
                     a, b);
}

/* The element of x that stands at place of the broadcast result. */
static size_t broadcast_at(const struct tensor *x, const struct tensor *result, size_t place)
{
    size_t at = 0, stride = 1;
    for (size_t i = 0; i < result->rank; i++) { /* from the last axis */
        size_t dim = (size_t)result->dims[result->rank - 1 - i], index = place % dim;
        place /= dim;
        if (i >= x->rank)
            continue;
        size_t own = (size_t)x->dims[x->rank - 1 - i];
        at += own == 1 ? 0 : index * stride;
        stride *= own;
    }
    return at;
}

static bool widen(struct tensor *result, const struct tensor *x)
{
    if (x->rank > result->rank) {
        size_t lead = x->rank - result->rank;
        memmove(result->dims + lead, result->dims, result->rank * sizeof *result->dims);
        for (size_t i = 0; i < lead; i++)
            result->dims[i] = 1;
        result->rank = x->rank;
    }
    for (size_t i = 0; i < x->rank; i++) {
        int64_t *dim = &result->dims[result->rank - 1 - i], own = x->dims[x->rank - 1 - i];
        if (*dim != own && *dim != 1 && own != 1)
            return false;
        *dim = *dim == 1 ? own : *dim;
    }
    return true;
}

/* Functions of two numbers; Where, of three. */
enum status onnx_fold_ints(struct importer *importer, const Onnx__NodeProto *node,
                           struct error *error)
{
    const bool where = onnx_is_op(node, "Where");
    const struct tensor *x[3] = {NULL};
    const size_t inputs = where ? 3 : 2;
    struct tensor result = {.dtype = DTYPE_INT64, .rank = 0};
    void *data;
    if (node->n_input != inputs)
        return error_set(error, STATUS_UNSUPPORTED, "expected %zu inputs, found %zu", inputs,
                         node->n_input);
    for (size_t i = 0; i < inputs; i++) {
        x[i] = onnx_fold_input(importer, node, i);
        if (!x[i] || x[i]->dtype != DTYPE_INT64 || !widen(&result, x[i]))
            return error_set(error, STATUS_UNSUPPORTED,
                             "expected whole numbers whose shapes fit each other");
    }
    if (onnx_fold_room(importer, &result, &data, error) != STATUS_OK)
        return error->status;
    int64_t *y = data;
    for (size_t i = 0; i < tensor_count(&result); i++) {
        int64_t from[3] = {0};
        for (size_t j = 0; j < inputs; j++)
            from[j] = ((const int64_t *)x[j]->data)[broadcast_at(x[j], &result, i)];
        if (where)
            y[i] = from[0] ? from[1] : from[2];
        else if (!apply(node->op_type, from[0], from[1], &y[i]))
            return refuse(importer, node->op_type, from[0], from[1], error);
    }
    return onnx_fold_define(importer, node, &result, error);
}

/* Neg, Not. */
enum status onnx_fold_int(struct importer *importer, const Onnx__NodeProto *node,
                          struct error *error)
{
    const char *with_zero = onnx_is_op(node, "Neg") ? "Sub" : "Equal";
    const struct tensor *x = onnx_fold_input(importer, node, 0);
    struct tensor result = *x;
    void *data;
    if (onnx_fold_room(importer, &result, &data, error) != STATUS_OK)
        return error->status;
    const int64_t *from = x->data;
    for (size_t i = 0; i < tensor_count(x); i++)
        if (!apply(with_zero, 0, from[i], &((int64_t *)data)[i]))
            return refuse(importer, with_zero, 0, from[i], error);
    return onnx_fold_define(importer, node, &result, error);
}

/* Gather, Slice, Transpose, Expand of input 0: the places of its numbers are moved in their stead,
 * as floats, which hold them exactly. */
enum status onnx_fold_moved(struct importer *importer, const Onnx__NodeProto *node,
                            struct error *error)
{
    enum { PLACES_MAX = 1 << 24 };
    struct operand *x = importer_operand(importer, node, 0);
    const struct tensor numbers = x->tensor;
    const size_t count = tensor_count(&numbers);
    float *places = arena_alloc(importer->scratch, count, sizeof *places);
    if (count > PLACES_MAX || !places)
        return error_set(error, STATUS_TOO_LARGE, "expected at most %d whole numbers, found %zu",
                         PLACES_MAX, count);
    for (size_t i = 0; i < count; i++)
        places[i] = (float)i;
    x->tensor.dtype = DTYPE_FLOAT32;
    x->tensor.data = places;
    enum status status = onnx_fold_floats(importer, node, error);
    x->tensor = numbers;
    struct operand *made = status == STATUS_OK ? importer_find(importer, node->output[0]) : NULL;
    if (!made)
        return status;
    const float *from = made->tensor.data;
    void *data;
    made->tensor.dtype = DTYPE_INT64;
    if (onnx_fold_room(importer, &made->tensor, &data, error) != STATUS_OK)
        return error->status;
    for (size_t i = 0; i < tensor_count(&made->tensor); i++)
        ((int64_t *)data)[i] = ((const int64_t *)numbers.data)[(size_t)from[i]];
    return STATUS_OK;
}
