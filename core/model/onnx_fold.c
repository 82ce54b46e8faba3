/* Nodes whose inputs are all constant. Whole numbers, which shapes are made of, are computed here;
 * floating-point ones in onnx_fold_floats.c. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "onnx_import.h"

enum { FOLD_COUNT_MAX = 1 << 28 }; /* numbers in a computed constant */

bool onnx_foldable(struct importer *importer, const Onnx__NodeProto *node)
{
    for (size_t i = 0; i < node->n_input; i++) {
        const struct operand *operand = importer_operand(importer, node, i);
        if (operand && !operand->is_constant)
            return false;
    }
    return node->n_input > 0;
}

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for a constant");
}

enum status onnx_fold_room(struct importer *importer, struct tensor *result, void **data,
                           struct error *error)
{
    size_t count;
    if (!dims_count(result->dims, result->rank, &count) || count > FOLD_COUNT_MAX) {
        char text[DIMS_TEXT_BYTES];
        return error_set(error, STATUS_TOO_LARGE, "a constant of the shape %s is too large",
                         dims_text(text, result->dims, result->rank));
    }
    *data = arena_alloc(importer->scratch, count, dtype_bytes(result->dtype));
    result->data = *data;
    return *data ? STATUS_OK : no_memory(error);
}

static enum status define(struct importer *importer, const Onnx__NodeProto *node,
                          const struct tensor *result, struct error *error)
{
    return importer_define(importer, node, 0,
                           (struct operand){.is_constant = true, .tensor = *result}, error);
}

static const struct tensor *input(struct importer *importer, const Onnx__NodeProto *node, size_t i)
{
    const struct operand *operand = importer_operand(importer, node, i);
    return operand ? &operand->tensor : NULL;
}

static bool is_op(const Onnx__NodeProto *node, const char *op_type)
{
    return strcmp(node->op_type, op_type) == 0;
}

/* Shape, Size */

static enum status fold_shape(struct importer *importer, const Onnx__NodeProto *node,
                              struct error *error)
{
    const struct tensor *x = input(importer, node, 0);
    struct tensor result = {.dtype = DTYPE_INT64, .rank = 1, .dims = {(int64_t)x->rank}};
    void *data;
    if (is_op(node, "Size"))
        result.rank = 0;
    if (onnx_fold_room(importer, &result, &data, error) != STATUS_OK)
        return error->status;
    if (is_op(node, "Size"))
        *(int64_t *)data = (int64_t)tensor_count(x);
    else
        memcpy(data, x->dims, x->rank * sizeof *x->dims);
    return define(importer, node, &result, error);
}

/* Cast */

static enum status fold_cast(struct importer *importer, const Onnx__NodeProto *node,
                             struct error *error)
{
    const struct tensor *x = input(importer, node, 0);
    struct tensor result = *x;
    int64_t to;
    void *data;
    if (onnx_attribute_int(node, "to", 0, &to, error) != STATUS_OK)
        return error->status;
    const bool boolean = to == ONNX__TENSOR_PROTO__DATA_TYPE__BOOL;
    const bool whole = boolean || to == ONNX__TENSOR_PROTO__DATA_TYPE__INT64 ||
                       to == ONNX__TENSOR_PROTO__DATA_TYPE__INT32;
    if (!whole && to != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT &&
        to != ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE)
        return error_set(error, STATUS_UNSUPPORTED, "a cast to ONNX data type %" PRId64, to);
    result.dtype = whole ? DTYPE_INT64 : DTYPE_FLOAT32;
    if (result.dtype == x->dtype && !boolean)
        return define(importer, node, x, error);
    if (onnx_fold_room(importer, &result, &data, error) != STATUS_OK)
        return error->status;
    const float *floats = x->data;
    const int64_t *ints = x->data;
    for (size_t i = 0; i < tensor_count(x); i++) {
        const double from = x->dtype == DTYPE_FLOAT32 ? (double)floats[i] : 0;
        const bool fits = fabs(from) < 0x1p62;
        if (whole && x->dtype == DTYPE_INT64)
            ((int64_t *)data)[i] = ints[i] != 0;
        else if (whole)
            ((int64_t *)data)[i] = boolean ? from != 0 : fits ? (int64_t)from : 0;
        else
            ((float *)data)[i] = (float)ints[i];
    }
    return define(importer, node, &result, error);
}

/* ConstantOfShape, Range */

static enum status fold_constant_of_shape(struct importer *importer, const Onnx__NodeProto *node,
                                          struct error *error)
{
    const Onnx__AttributeProto *attribute = onnx_attribute(node, "value");
    const float zero = 0.0f;
    struct tensor value = {.dtype = DTYPE_FLOAT32, .rank = 0, .data = &zero};
    struct ints dims;
    if (importer_ints(importer, node, 0, "shape", &dims, error) != STATUS_OK)
        return error->status;
    if (attribute && attribute->t &&
        onnx_tensor(importer->scratch, attribute->t, &value, error) != STATUS_OK)
        return error->status;
    if (tensor_count(&value) != 1 || dims.count > TENSOR_RANK_MAX)
        return error_set(error, STATUS_INVALID, "expected one value and at most %d dimensions",
                         TENSOR_RANK_MAX);
    struct tensor result = {.dtype = value.dtype, .rank = dims.count};
    for (size_t i = 0; i < dims.count; i++)
        result.dims[i] = dims.numbers[i];
    void *data;
    if (onnx_fold_room(importer, &result, &data, error) != STATUS_OK)
        return error->status;
    const size_t bytes = dtype_bytes(value.dtype);
    for (size_t i = 0; i < tensor_count(&result); i++)
        memcpy((char *)data + i * bytes, value.data, bytes);
    return define(importer, node, &result, error);
}

static enum status fold_range(struct importer *importer, const Onnx__NodeProto *node,
                              struct error *error)
{
    int64_t bounds[3];
    void *data;
    for (size_t i = 0; i < 3; i++) {
        struct tensor tensor;
        if (importer_constant(importer, node, i, "a bound", DTYPE_INT64, &tensor, error) !=
            STATUS_OK)
            return error->status;
        bounds[i] = tensor_count(&tensor) == 1 ? *(const int64_t *)tensor.data : INT64_MAX;
        if (bounds[i] > INT32_MAX || bounds[i] < -INT32_MAX)
            return error_set(error, STATUS_TOO_LARGE, "bound %zu is too large", i);
    }
    const int64_t start = bounds[0], limit = bounds[1], delta = bounds[2];
    if (delta == 0)
        return error_set(error, STATUS_INVALID, "a step of 0");
    int64_t count = (limit - start + delta - (delta > 0 ? 1 : -1)) / delta;
    struct tensor result = {.dtype = DTYPE_INT64, .rank = 1, .dims = {count < 0 ? 0 : count}};
    if (onnx_fold_room(importer, &result, &data, error) != STATUS_OK)
        return error->status;
    for (int64_t i = 0; i < count; i++)
        ((int64_t *)data)[i] = start + i * delta;
    return define(importer, node, &result, error);
}

/* Arithmetic of whole numbers */

static bool apply(const char *op, int64_t a, int64_t b, int64_t *y)
{
    if (strcmp(op, "Equal") == 0)
        return *y = a == b, true;
    if (strcmp(op, "Max") == 0)
        return *y = a > b ? a : b, a != ONNX_BATCH && b != ONNX_BATCH;
    if (strcmp(op, "Min") == 0)
        return *y = a < b ? a : b, a != ONNX_BATCH && b != ONNX_BATCH;
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

/* Add, Sub, Mul, Div, Max, Min, Equal of two; Where of three. */
static enum status fold_ints(struct importer *importer, const Onnx__NodeProto *node,
                             struct error *error)
{
    const bool where = is_op(node, "Where");
    const struct tensor *x[3] = {NULL};
    const size_t inputs = where ? 3 : 2;
    struct tensor result = {.dtype = DTYPE_INT64, .rank = 0};
    void *data;
    if (node->n_input != inputs)
        return error_set(error, STATUS_UNSUPPORTED, "expected %zu inputs, found %zu", inputs,
                         node->n_input);
    for (size_t i = 0; i < inputs; i++) {
        x[i] = input(importer, node, i);
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
            return importer_mixes(importer, error);
    }
    return define(importer, node, &result, error);
}

static enum status fold_negative(struct importer *importer, const Onnx__NodeProto *node,
                                 struct error *error)
{
    const struct tensor *x = input(importer, node, 0);
    struct tensor result = *x;
    void *data;
    if (onnx_fold_room(importer, &result, &data, error) != STATUS_OK)
        return error->status;
    for (size_t i = 0; i < tensor_count(x); i++)
        if (!apply("Sub", 0, ((const int64_t *)x->data)[i], &((int64_t *)data)[i]))
            return importer_mixes(importer, error);
    return define(importer, node, &result, error);
}

/* Gather, Concat, Slice of lists of whole numbers, which is what shapes are */

static enum status fold_gather(struct importer *importer, const Onnx__NodeProto *node,
                               struct error *error)
{
    const struct tensor *x = input(importer, node, 0), *indices = input(importer, node, 1);
    void *data;
    if (x->rank != 1 || !indices || indices->dtype != DTYPE_INT64)
        return error_set(error, STATUS_UNSUPPORTED, "expected a list and whole indices");
    struct tensor result = *indices;
    if (onnx_fold_room(importer, &result, &data, error) != STATUS_OK)
        return error->status;
    for (size_t i = 0; i < tensor_count(indices); i++) {
        int64_t at = ((const int64_t *)indices->data)[i];
        at += at < 0 ? x->dims[0] : 0;
        if (at < 0 || at >= x->dims[0])
            return error_set(error, STATUS_INVALID,
                             "index %" PRId64 " lies outside %" PRId64 " elements", at, x->dims[0]);
        ((int64_t *)data)[i] = ((const int64_t *)x->data)[at];
    }
    return define(importer, node, &result, error);
}

static enum status fold_concat(struct importer *importer, const Onnx__NodeProto *node,
                               struct error *error)
{
    struct tensor result = {.dtype = DTYPE_INT64, .rank = 1, .dims = {0}};
    void *data;
    for (size_t i = 0; i < node->n_input; i++) {
        const struct tensor *x = input(importer, node, i);
        if (!x || x->rank != 1 || x->dtype != DTYPE_INT64)
            return error_set(error, STATUS_UNSUPPORTED, "expected lists of whole numbers");
        if (x->dims[0] > FOLD_COUNT_MAX || result.dims[0] > FOLD_COUNT_MAX)
            return error_set(error, STATUS_TOO_LARGE, "expected at most %d numbers",
                             FOLD_COUNT_MAX);
        result.dims[0] += x->dims[0];
    }
    if (onnx_fold_room(importer, &result, &data, error) != STATUS_OK)
        return error->status;
    int64_t *to = data;
    for (size_t i = 0; i < node->n_input; i++) {
        const struct tensor *x = input(importer, node, i);
        memcpy(to, x->data, (size_t)x->dims[0] * sizeof *to);
        to += x->dims[0];
    }
    return define(importer, node, &result, error);
}

static enum status fold_slice(struct importer *importer, const Onnx__NodeProto *node,
                              struct error *error)
{
    const struct tensor *x = input(importer, node, 0);
    struct ints starts, ends, steps;
    if (importer_ints(importer, node, 1, "starts", &starts, error) != STATUS_OK ||
        importer_ints(importer, node, 2, "ends", &ends, error) != STATUS_OK ||
        importer_ints(importer, node, 4, "steps", &steps, error) != STATUS_OK)
        return error->status;
    if (x->rank != 1 || starts.count != 1 || ends.count != 1 ||
        (steps.count > 0 && steps.numbers[0] != 1))
        return error_set(error, STATUS_UNSUPPORTED, "expected one slice of a list, without steps");
    const int64_t size = x->dims[0];
    int64_t start = starts.numbers[0], end = ends.numbers[0];
    start += start < 0 ? size : 0;
    end += end < 0 ? size : 0;
    start = start < 0 ? 0 : start > size ? size : start;
    end = end < start ? start : end > size ? size : end;
    struct tensor result = *x;
    result.dims[0] = end - start;
    result.data = (const int64_t *)x->data + start;
    return define(importer, node, &result, error);
}

/* Squeeze, Unsqueeze, Reshape, Flatten, Identity, Dropout: the same numbers */

static enum status resolve_axes(const struct ints *axes, size_t rank, unsigned *set,
                                struct error *error)
{
    *set = 0;
    for (size_t i = 0; i < axes->count; i++) {
        int64_t axis = axes->numbers[i] + (axes->numbers[i] < 0 ? (int64_t)rank : 0);
        if (axis < 0 || axis >= (int64_t)rank)
            return error_set(error, STATUS_INVALID, "axis %" PRId64 " lies outside %zu dimensions",
                             axes->numbers[i], rank);
        *set |= 1u << axis;
    }
    return STATUS_OK;
}

static enum status fold_squeeze(struct importer *importer, const Onnx__NodeProto *node,
                                struct error *error)
{
    const bool adds = is_op(node, "Unsqueeze");
    const struct tensor *x = input(importer, node, 0);
    struct tensor result = *x;
    struct ints axes;
    unsigned set;
    if (importer_ints(importer, node, 1, "axes", &axes, error) != STATUS_OK)
        return error->status;
    const size_t rank = adds ? x->rank + axes.count : x->rank;
    if (rank > TENSOR_RANK_MAX)
        return error_set(error, STATUS_UNSUPPORTED, "more than %d dimensions", TENSOR_RANK_MAX);
    if (resolve_axes(&axes, rank, &set, error) != STATUS_OK)
        return error->status;
    if (adds && (size_t)__builtin_popcount(set) != axes.count)
        return error_set(error, STATUS_INVALID, "an axis is named twice");
    result.rank = 0;
    for (size_t i = 0, next = 0; i < rank; i++) {
        bool marked = set >> i & 1;
        if (adds)
            result.dims[result.rank++] = marked ? 1 : x->dims[next++];
        else if (!(axes.count == 0 ? x->dims[i] == 1 : marked))
            result.dims[result.rank++] = x->dims[i];
        else if (x->dims[i] != 1)
            return error_set(error, STATUS_INVALID,
                             "a squeezed axis has %" PRId64 " elements, not 1", x->dims[i]);
    }
    return define(importer, node, &result, error);
}

static enum status fold_reshape(struct importer *importer, const Onnx__NodeProto *node,
                                struct error *error)
{
    const struct tensor *x = input(importer, node, 0);
    struct tensor result = *x;
    struct ints dims;
    size_t known = 1, all = tensor_count(x), open = SIZE_MAX;
    if (importer_ints(importer, node, 1, "shape", &dims, error) != STATUS_OK)
        return error->status;
    bool fits = dims.count <= TENSOR_RANK_MAX;
    result.rank = dims.count;
    for (size_t i = 0; fits && i < dims.count; i++) {
        int64_t dim = i < x->rank && dims.numbers[i] == 0 ? x->dims[i] : dims.numbers[i];
        result.dims[i] = dim;
        if (dim == -1 && open == SIZE_MAX)
            open = i;
        else
            fits = dim >= 0 && !__builtin_mul_overflow(known, (size_t)dim, &known);
    }
    if (fits && open != SIZE_MAX && known > 0)
        result.dims[open] = (int64_t)(all / known);
    if (!fits || (open != SIZE_MAX ? known == 0 || all % known != 0 : all != known))
        return error_set(error, STATUS_INVALID, "a constant of %zu numbers cannot take that shape",
                         all);
    return define(importer, node, &result, error);
}

static enum status fold_alias(struct importer *importer, const Onnx__NodeProto *node,
                              struct error *error)
{
    return importer_define(importer, node, 0, *importer_operand(importer, node, 0), error);
}

enum status onnx_fold(struct importer *importer, const Onnx__NodeProto *node, struct error *error)
{
    static const struct {
        const char *op_type;
        import_function *fold;
        bool floats; /* not for whole numbers only */
    } folds[] = {
        {"Shape", fold_shape, true},       {"Size", fold_shape, true},
        {"Cast", fold_cast, true},         {"ConstantOfShape", fold_constant_of_shape, true},
        {"Range", fold_range, true},       {"Squeeze", fold_squeeze, true},
        {"Unsqueeze", fold_squeeze, true}, {"Reshape", fold_reshape, true},
        {"Identity", fold_alias, true},    {"Dropout", fold_alias, true},
        {"Where", fold_ints, true},        {"Equal", fold_ints, true},
        {"Add", fold_ints, false},         {"Sub", fold_ints, false},
        {"Mul", fold_ints, false},         {"Div", fold_ints, false},
        {"Max", fold_ints, false},         {"Min", fold_ints, false},
        {"Neg", fold_negative, false},     {"Gather", fold_gather, false},
        {"Concat", fold_concat, false},    {"Slice", fold_slice, false},
    };
    const struct tensor *first = input(importer, node, 0);
    const bool floats = !first || first->dtype == DTYPE_FLOAT32;
    for (size_t i = 0; i < sizeof folds / sizeof folds[0]; i++)
        if (is_op(node, folds[i].op_type) && (folds[i].floats || !floats))
            return folds[i].fold(importer, node, error);
    return onnx_fold_floats(importer, node, error);
}
