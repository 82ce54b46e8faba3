/* Nodes whose inputs are all constant: shapes, casts, lists and what is done to them here,
 * arithmetic of whole numbers in onnx_fold_ints.c, everything else in onnx_fold_floats.c. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "onnx_import.h"

bool onnx_foldable(struct importer *importer, const Onnx__NodeProto *node)
{
    for (size_t i = 0; i < node->n_input; i++) {
        const struct operand *operand = importer_operand(importer, node, i);
        if (node->input[i][0] && (!operand || !operand->is_constant))
            return false;
    }
    return true;
}

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for a constant");
}

static enum status check_size(const struct tensor *result, size_t *count, struct error *error)
{
    char text[DIMS_TEXT_BYTES];
    if (dims_count(result->dims, result->rank, count) && *count <= FOLD_COUNT_MAX)
        return STATUS_OK;
    return error_set(error, STATUS_TOO_LARGE, "a constant of the shape %s is too large",
                     dims_text(text, result->dims, result->rank));
}

enum status onnx_fold_room(struct importer *importer, struct tensor *result, void **data,
                           struct error *error)
{
    size_t count;
    if (check_size(result, &count, error) != STATUS_OK)
        return error->status;
    *data = arena_alloc(importer->scratch, count, dtype_bytes(result->dtype));
    result->data = *data;
    return *data ? STATUS_OK : no_memory(error);
}

enum status onnx_fold_define(struct importer *importer, const Onnx__NodeProto *node,
                             const struct tensor *result, struct error *error)
{
    return importer_define(importer, node, 0,
                           (struct operand){.is_constant = true, .tensor = *result}, error);
}

const struct tensor *onnx_fold_input(struct importer *importer, const Onnx__NodeProto *node,
                                     size_t i)
{
    const struct operand *operand = importer_operand(importer, node, i);
    return operand ? &operand->tensor : NULL;
}

/* Brings the numbers of all inputs into memory. */
static enum status load_inputs(struct importer *importer, const Onnx__NodeProto *node,
                               struct error *error)
{
    for (size_t i = 0; i < node->n_input; i++) {
        struct operand *operand = importer_operand(importer, node, i);
        if (operand && onnx_tensor_load(importer, &operand->tensor, error) != STATUS_OK)
            return error->status;
    }
    return STATUS_OK;
}

/* Shape, Size */

static enum status fold_shape(struct importer *importer, const Onnx__NodeProto *node,
                              struct error *error)
{
    const struct tensor *x = onnx_fold_input(importer, node, 0);
    struct tensor result = {.dtype = DTYPE_INT64, .rank = 1, .dims = {(int64_t)x->rank}};
    void *data;
    if (onnx_is_op(node, "Size"))
        result.rank = 0;
    if (onnx_fold_room(importer, &result, &data, error) != STATUS_OK)
        return error->status;
    if (onnx_is_op(node, "Size"))
        *(int64_t *)data = (int64_t)tensor_count(x);
    else
        memcpy(data, x->dims, x->rank * sizeof *x->dims);
    return onnx_fold_define(importer, node, &result, error);
}

/* Cast */

static enum status fold_cast(struct importer *importer, const Onnx__NodeProto *node,
                             struct error *error)
{
    const struct tensor *x = onnx_fold_input(importer, node, 0);
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
        return onnx_fold_define(importer, node, x, error);
    if (load_inputs(importer, node, error) != STATUS_OK ||
        onnx_fold_room(importer, &result, &data, error) != STATUS_OK)
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
    return onnx_fold_define(importer, node, &result, error);
}

/* ConstantOfShape, Range */

static enum status fold_constant_of_shape(struct importer *importer, const Onnx__NodeProto *node,
                                          struct error *error)
{
    const Onnx__AttributeProto *attribute = onnx_attribute(node, "value");
    static const float zero = 0.0f;
    struct tensor value = {.dtype = DTYPE_FLOAT32, .rank = 0, .data = &zero};
    struct ints dims;
    if (importer_ints(importer, node, 0, "shape", &dims, error) != STATUS_OK)
        return error->status;
    if (attribute && attribute->t &&
        onnx_tensor(importer, attribute->t, &value, error) != STATUS_OK)
        return error->status;
    if (tensor_count(&value) != 1 || dims.count > TENSOR_RANK_MAX)
        return error_set(error, STATUS_INVALID, "expected one value and at most %d dimensions",
                         TENSOR_RANK_MAX);
    struct tensor result = {.dtype = value.dtype, .rank = dims.count};
    for (size_t i = 0; i < dims.count; i++) {
        result.dims[i] = dims.numbers[i];
        if (dims.numbers[i] == ONNX_BATCH)
            return importer_mixes(importer, error, "the shape repeats a constant for each row");
    }
    size_t count;
    if (check_size(&result, &count, error) != STATUS_OK ||
        onnx_tensor_repeat(importer, &value, &result, error) != STATUS_OK)
        return error->status;
    return onnx_fold_define(importer, node, &result, error);
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
    return onnx_fold_define(importer, node, &result, error);
}

/* Gather, Concat, Slice of lists of whole numbers, which is what shapes are, and may be empty */

static enum status fold_gather(struct importer *importer, const Onnx__NodeProto *node,
                               struct error *error)
{
    const struct tensor *x = onnx_fold_input(importer, node, 0),
                        *indices = onnx_fold_input(importer, node, 1);
    void *data;
    if (x->rank != 1 || !indices)
        return onnx_fold_moved(importer, node, error);
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
    return onnx_fold_define(importer, node, &result, error);
}

static enum status fold_concat(struct importer *importer, const Onnx__NodeProto *node,
                               struct error *error)
{
    struct tensor result = {.dtype = DTYPE_INT64, .rank = 1, .dims = {0}};
    void *data;
    for (size_t i = 0; i < node->n_input; i++) {
        const struct tensor *x = onnx_fold_input(importer, node, i);
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
        const struct tensor *x = onnx_fold_input(importer, node, i);
        memcpy(to, x->data, (size_t)x->dims[0] * sizeof *to);
        to += x->dims[0];
    }
    return onnx_fold_define(importer, node, &result, error);
}

static enum status fold_slice(struct importer *importer, const Onnx__NodeProto *node,
                              struct error *error)
{
    const struct tensor *x = onnx_fold_input(importer, node, 0);
    struct ints starts, ends, steps;
    if (importer_ints(importer, node, 1, "starts", &starts, error) != STATUS_OK ||
        importer_ints(importer, node, 2, "ends", &ends, error) != STATUS_OK ||
        importer_ints(importer, node, 4, "steps", &steps, error) != STATUS_OK)
        return error->status;
    if (x->rank != 1 || starts.count != 1 || ends.count != 1 ||
        (steps.count > 0 && steps.numbers[0] != 1))
        return onnx_fold_moved(importer, node, error);
    const int64_t size = x->dims[0];
    int64_t start = starts.numbers[0], end = ends.numbers[0];
    start += start < 0 ? size : 0;
    end += end < 0 ? size : 0;
    start = start < 0 ? 0 : start > size ? size : start;
    end = end < start ? start : end > size ? size : end;
    struct tensor result = *x;
    result.dims[0] = end - start;
    result.data = (const int64_t *)x->data + start;
    return onnx_fold_define(importer, node, &result, error);
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
    const bool adds = onnx_is_op(node, "Unsqueeze");
    const struct tensor *x = onnx_fold_input(importer, node, 0);
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
    return onnx_fold_define(importer, node, &result, error);
}

static enum status fold_reshape(struct importer *importer, const Onnx__NodeProto *node,
                                struct error *error)
{
    const struct tensor *x = onnx_fold_input(importer, node, 0);
    struct tensor result = *x;
    struct ints dims;
    size_t known = 1, all = tensor_count(x), open = SIZE_MAX;
    int64_t allow_zero;
    if (importer_ints(importer, node, 1, "shape", &dims, error) != STATUS_OK ||
        onnx_attribute_int(node, "allowzero", 0, &allow_zero, error) != STATUS_OK)
        return error->status;
    bool fits = dims.count <= TENSOR_RANK_MAX;
    result.rank = dims.count;
    for (size_t i = 0; fits && i < dims.count; i++) {
        const bool copies = dims.numbers[i] == 0 && !allow_zero && i < x->rank;
        int64_t dim = copies ? x->dims[i] : dims.numbers[i];
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
    return onnx_fold_define(importer, node, &result, error);
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
        bool floats; /* not for whole numbers only, of which all are loaded */
    } folds[] = {
        {"Shape", fold_shape, true},
        {"Size", fold_shape, true},
        {"Cast", fold_cast, true},
        {"ConstantOfShape", fold_constant_of_shape, true},
        {"Range", fold_range, true},
        {"Squeeze", fold_squeeze, true},
        {"Unsqueeze", fold_squeeze, true},
        {"Reshape", fold_reshape, true},
        {"Identity", fold_alias, true},
        {"Dropout", fold_alias, true},
        {"Gather", fold_gather, false},
        {"Concat", fold_concat, false},
        {"Slice", fold_slice, false},
        {"Transpose", onnx_fold_moved, false},
        {"Expand", onnx_fold_moved, false},
        {"Where", onnx_fold_ints, false},
        {"Equal", onnx_fold_ints, false},
        {"Greater", onnx_fold_ints, false},
        {"GreaterOrEqual", onnx_fold_ints, false},
        {"Less", onnx_fold_ints, false},
        {"LessOrEqual", onnx_fold_ints, false},
        {"And", onnx_fold_ints, false},
        {"Or", onnx_fold_ints, false},
        {"Xor", onnx_fold_ints, false},
        {"Add", onnx_fold_ints, false},
        {"Sub", onnx_fold_ints, false},
        {"Mul", onnx_fold_ints, false},
        {"Div", onnx_fold_ints, false},
        {"Max", onnx_fold_ints, false},
        {"Min", onnx_fold_ints, false},
        {"Neg", onnx_fold_int, false},
        {"Not", onnx_fold_int, false},
    };
    bool whole = true;
    for (size_t i = 0; i < node->n_input; i++)
        whole &= !onnx_fold_input(importer, node, i) ||
                 onnx_fold_input(importer, node, i)->dtype == DTYPE_INT64;
    for (size_t i = 0; i < sizeof folds / sizeof folds[0]; i++)
        if (onnx_is_op(node, folds[i].op_type) && (folds[i].floats || whole)) {
            if (!folds[i].floats && load_inputs(importer, node, error) != STATUS_OK)
                return error->status;
            return folds[i].fold(importer, node, error);
        }
    return onnx_fold_floats(importer, node, error);
}
