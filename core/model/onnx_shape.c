/* Operators that rename, reshape, reorder or repeat. */
#include <inttypes.h>
#include <string.h>

#include "graph/ops_arith.h"
#include "onnx_arith.h"

enum status import_alias(struct importer *importer, const Onnx__NodeProto *proto,
                         struct error *error)
{
    struct tensor training;
    if (proto->n_input > 2 && proto->input[2][0]) { /* Dropout's third input switches it on */
        if (importer_constant(importer, proto, 2, "training_mode", DTYPE_INT64, &training, error) !=
            STATUS_OK)
            return error->status;
        if (tensor_count(&training) != 1 || *(const int64_t *)training.data)
            return error_set(error, STATUS_UNSUPPORTED, "expected training_mode to be false");
    }
    return importer_define(importer, proto, 0, *importer_operand(importer, proto, 0), error);
}

enum status import_cast(struct importer *importer, const Onnx__NodeProto *proto,
                        struct error *error)
{
    int64_t to;
    if (onnx_attribute_int(proto, "to", 0, &to, error) != STATUS_OK)
        return error->status;
    if (to == ONNX__TENSOR_PROTO__DATA_TYPE__BOOL)
        return arith_unary(importer, proto, unary_by_onnx_op("truth"), error);
    if (to != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT)
        return error_set(
            error, STATUS_UNSUPPORTED,
            "expected a cast to float32 (1) or bool (9), found ONNX data type %" PRId64, to);
    return importer_define(importer, proto, 0, *importer_operand(importer, proto, 0), error);
}

/* One of the attributes that give a Constant its value. */
static enum status read_constant(struct importer *importer, const Onnx__AttributeProto *attribute,
                                 struct tensor *tensor, struct error *error)
{
    const char *name = attribute->name ? attribute->name : "";
    const bool list = strstr(name, "s") != NULL;
    const bool ints = strcmp(name, "value_int") == 0 || strcmp(name, "value_ints") == 0;
    const size_t count = !list ? 1 : ints ? attribute->n_ints : attribute->n_floats;
    if (strcmp(name, "value") == 0 && !attribute->t)
        return error_set(error, STATUS_INVALID, "attribute \"value\" must be a tensor");
    if (attribute->t)
        return onnx_tensor(importer, attribute->t, tensor, error);
    if (!ints && strcmp(name, "value_float") != 0 && strcmp(name, "value_floats") != 0)
        return error_set(error, STATUS_UNSUPPORTED, "expected numbers, found attribute \"%s\"",
                         name);
    *tensor = (struct tensor){.dtype = ints ? DTYPE_INT64 : DTYPE_FLOAT32, .rank = list};
    tensor->dims[0] = (int64_t)count;
    if (ints)
        tensor->data = list ? attribute->ints : &attribute->i;
    else
        tensor->data = list ? attribute->floats : &attribute->f;
    return STATUS_OK;
}

enum status import_constant(struct importer *importer, const Onnx__NodeProto *proto,
                            struct error *error)
{
    struct operand operand = {.is_constant = true};
    if (proto->n_attribute == 0)
        return error_set(error, STATUS_INVALID, "expected the attribute \"value\"");
    if (read_constant(importer, proto->attribute[0], &operand.tensor, error) != STATUS_OK)
        return error->status;
    return importer_define(importer, proto, 0, operand, error);
}

enum status import_constant_only(struct importer *importer, const Onnx__NodeProto *proto,
                                 struct error *error)
{
    (void)importer;
    return error_set(error, STATUS_UNSUPPORTED, "the inputs of %s must be constants",
                     proto->op_type);
}

/* Shape */

enum status import_shape(struct importer *importer, const Onnx__NodeProto *proto,
                         struct error *error)
{
    const struct operand *x = importer_operand(importer, proto, 0);
    const struct shape shape = importer->model->graph.values[x->value].shape;
    const size_t hidden = importer_hidden(importer);
    const int64_t rank = (int64_t)(shape.rank + hidden);
    int64_t start, end;
    if (onnx_attribute_int(proto, "start", 0, &start, error) != STATUS_OK ||
        onnx_attribute_int(proto, "end", rank, &end, error) != STATUS_OK)
        return error->status;
    start += start < 0 ? rank : 0;
    end += end < 0 ? rank : 0;
    start = start < 0 ? 0 : start > rank ? rank : start;
    end = end < start ? start : end > rank ? rank : end;
    int64_t *dims = arena_alloc(importer->scratch, (size_t)rank, sizeof *dims);
    if (!dims)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for a shape");
    if (hidden)
        dims[0] = ONNX_BATCH;
    for (size_t i = 0; i < shape.rank; i++)
        dims[hidden + i] = (int64_t)shape.dims[i];
    struct operand operand = {
        .is_constant = true,
        .tensor = {.dtype = DTYPE_INT64, .rank = 1, .dims = {end - start}, .data = dims + start}};
    return importer_define(importer, proto, 0, operand, error);
}

/* Reshape */

static enum status define_reshaped(struct importer *importer, const Onnx__NodeProto *proto,
                                   uint32_t x, const struct shape *shape, struct error *error)
{
    if (importer_reshape(importer, x, shape, &x, error) != STATUS_OK)
        return error->status;
    return importer_define_value(importer, proto, 0, x, error);
}

/* Resolves a Reshape's dimensions behind the first hidden ones: 0 copies, -1 is what is left. */
static enum status resolve(const struct shape *from, const int64_t *dims, size_t count,
                           bool allow_zero, struct shape *shape, struct error *error)
{
    size_t known = 1, all = shape_count(from), open = SIZE_MAX;
    *shape = (struct shape){.rank = count};
    for (size_t i = 0; i < count; i++) {
        int64_t dim =
            dims[i] == 0 && !allow_zero && i < from->rank ? (int64_t)from->dims[i] : dims[i];
        if (dim == -1 && open == SIZE_MAX)
            open = i;
        else if (dim < 1 || __builtin_mul_overflow(known, (size_t)dim, &known))
            return error_set(error, STATUS_INVALID, "the shape has an impossible dimension %zu", i);
        shape->dims[i] = (size_t)dim;
    }
    if (open != SIZE_MAX)
        shape->dims[open] = all / known;
    if (open != SIZE_MAX ? all % known == 0 : all == known)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "a reshape of %zu numbers in a row to %zu changes how many there are", all,
                     known);
}

/* Whether dim says "the batch, as it is" at the front of a shape, whose other dimensions multiply
 * to the numbers of a row. */
static bool keeps_batch(const struct importer *importer, const struct ints *dims, bool allow_zero,
                        size_t features)
{
    int64_t dim = dims->numbers[0];
    if (dim == ONNX_BATCH || (dim == 0 && !allow_zero) || (dim > 0 && dim == importer->batch))
        return true;
    size_t product = 1;
    for (size_t i = 1; i < dims->count; i++)
        if (dims->numbers[i] < 0 ||
            __builtin_mul_overflow(product, (size_t)dims->numbers[i], &product))
            return false;
    return dim == -1 && product == features;
}

/* The sentence that says so, with the shape as the file has it. */
static enum status reshapes_batch(struct importer *importer, const char *name,
                                  const struct ints *dims, struct error *error)
{
    char text[DIMS_TEXT_BYTES];
    for (size_t i = 0; i < dims->count; i++)
        if (dims->numbers[i] == ONNX_BATCH)
            return importer_mixes(importer, error,
                                  "the shape that \"%s\" gets has its batch elsewhere", name);
    return importer_mixes(importer, error, "the shape %s joins or splits the rows of \"%s\"",
                          dims_text(text, dims->numbers, dims->count), name);
}

enum status import_reshape(struct importer *importer, const Onnx__NodeProto *proto,
                           struct error *error)
{
    struct ints dims;
    struct shape shape;
    int64_t allow_zero;
    uint32_t x;
    const size_t hidden = importer_hidden(importer);
    if (importer_value(importer, proto, 0, &x, error) != STATUS_OK ||
        importer_ints(importer, proto, 1, "shape", &dims, error) != STATUS_OK ||
        onnx_attribute_int(proto, "allowzero", 0, &allow_zero, error) != STATUS_OK)
        return error->status;
    const struct shape *from = &importer->model->graph.values[x].shape;
    if (dims.count > TENSOR_RANK_MAX)
        return error_set(error, STATUS_UNSUPPORTED, "expected at most %d dimensions, found %zu",
                         TENSOR_RANK_MAX, dims.count);
    if (hidden) { /* a -1 in front may also stand for the batch when zeros copy dimensions */
        int64_t copied[TENSOR_RANK_MAX];
        for (size_t i = 0; i < dims.count; i++) {
            bool copies = i > 0 && dims.numbers[i] == 0 && !allow_zero && i - 1 < from->rank;
            copied[i] = copies ? (int64_t)from->dims[i - 1] : dims.numbers[i];
        }
        const struct ints seen = {copied, dims.count};
        if (dims.count == 0 || !keeps_batch(importer, &seen, allow_zero != 0, shape_count(from)))
            return reshapes_batch(importer, proto->input[0], &dims, error);
    }
    if (resolve(from, dims.numbers + hidden, dims.count - hidden, allow_zero != 0, &shape, error) !=
        STATUS_OK)
        return error->status;
    return define_reshaped(importer, proto, x, &shape, error);
}

enum status import_flatten(struct importer *importer, const Onnx__NodeProto *proto,
                           struct error *error)
{
    uint32_t x;
    int64_t axis;
    if (importer_value(importer, proto, 0, &x, error) != STATUS_OK ||
        onnx_attribute_int(proto, "axis", 1, &axis, error) != STATUS_OK)
        return error->status;
    const struct shape *from = &importer->model->graph.values[x].shape;
    const int64_t rank = (int64_t)from->rank + (int64_t)importer_hidden(importer);
    axis += axis < 0 ? rank : 0;
    if (axis < 0 || axis > rank)
        return error_set(error, STATUS_INVALID,
                         "axis %" PRId64 " lies outside %" PRId64 " dimensions", axis, rank);
    struct shape shape = shape_flat(shape_count(from));
    if (!importer->whole && axis != 1)
        return importer_mixes(importer, error, "flattening \"%s\" at axis %" PRId64 " %s",
                              proto->input[0], axis,
                              axis == 0 ? "joins its rows" : "joins other axes to the batch");
    if (importer->whole) {
        shape = (struct shape){.rank = 2, .dims = {1, 1}};
        for (int64_t i = 0; i < rank; i++)
            shape.dims[i >= axis] *= from->dims[i];
    }
    return define_reshaped(importer, proto, x, &shape, error);
}

/* A set of axes of a row, one bit each. */
static enum status read_axes(struct importer *importer, const char *name, const struct ints *list,
                             size_t rank, unsigned *axes, struct error *error)
{
    *axes = 0;
    for (size_t i = 0; i < list->count; i++) {
        size_t axis;
        if (importer_axis(importer, name, list->numbers[i], rank, &axis, error) != STATUS_OK)
            return error->status;
        if (*axes >> axis & 1)
            return error_set(error, STATUS_INVALID, "axis %" PRId64 " is named twice",
                             list->numbers[i]);
        *axes |= 1u << axis;
    }
    return STATUS_OK;
}

enum status import_squeeze(struct importer *importer, const Onnx__NodeProto *proto,
                           struct error *error)
{
    struct ints list;
    unsigned axes;
    uint32_t x;
    if (importer_value(importer, proto, 0, &x, error) != STATUS_OK ||
        importer_ints(importer, proto, 1, "axes", &list, error) != STATUS_OK)
        return error->status;
    const struct shape from = importer->model->graph.values[x].shape;
    struct shape shape = {.rank = 0};
    if (read_axes(importer, proto->input[0], &list, from.rank, &axes, error) != STATUS_OK)
        return error->status;
    if (list.count == 0 && importer->batch == 1)
        return importer_mixes(importer, error, "without axes, the batch of \"%s\" goes as well",
                              proto->input[0]);
    for (size_t i = 0; i < from.rank; i++) {
        bool goes = list.count == 0 ? from.dims[i] == 1 : axes >> i & 1;
        if (goes && from.dims[i] != 1)
            return error_set(error, STATUS_INVALID, "a squeezed axis has %zu elements, not 1",
                             from.dims[i]);
        if (!goes)
            shape.dims[shape.rank++] = from.dims[i];
    }
    return define_reshaped(importer, proto, x, &shape, error);
}

enum status import_unsqueeze(struct importer *importer, const Onnx__NodeProto *proto,
                             struct error *error)
{
    struct ints list;
    unsigned axes;
    uint32_t x;
    if (importer_value(importer, proto, 0, &x, error) != STATUS_OK ||
        importer_ints(importer, proto, 1, "axes", &list, error) != STATUS_OK)
        return error->status;
    const struct shape from = importer->model->graph.values[x].shape;
    struct shape shape = {.rank = from.rank + list.count};
    if (list.count == 0 || shape.rank > TENSOR_RANK_MAX)
        return error_set(error, STATUS_INVALID, "axes: expected 1 to %zu, found %zu",
                         TENSOR_RANK_MAX - from.rank, list.count);
    if (read_axes(importer, proto->input[0], &list, shape.rank, &axes, error) != STATUS_OK)
        return error->status;
    for (size_t i = 0, next = 0; i < shape.rank; i++)
        shape.dims[i] = axes >> i & 1 ? 1 : from.dims[next++];
    return define_reshaped(importer, proto, x, &shape, error);
}

/* Transpose and Expand */

enum status import_transpose(struct importer *importer, const Onnx__NodeProto *proto,
                             struct error *error)
{
    const Onnx__AttributeProto *perm = onnx_attribute(proto, "perm");
    const size_t hidden = importer_hidden(importer);
    size_t axes[TENSOR_RANK_MAX];
    unsigned seen = 0;
    uint32_t x;
    if (importer_value(importer, proto, 0, &x, error) != STATUS_OK)
        return error->status;
    const size_t rank = importer->model->graph.values[x].shape.rank + hidden;
    if (perm && perm->n_ints != rank)
        return error_set(error, STATUS_INVALID, "perm: expected %zu axes, found %zu", rank,
                         perm->n_ints);
    for (size_t i = 0; i < rank; i++) {
        int64_t axis = perm ? perm->ints[i] : (int64_t)(rank - 1 - i);
        if (axis < 0 || axis >= (int64_t)rank || seen >> axis & 1)
            return error_set(error, STATUS_INVALID, "perm: axis %" PRId64 " is wrong or twice",
                             axis);
        seen |= 1u << axis;
        if (i < hidden && axis != 0)
            return importer_mixes(importer, error, "perm moves the batch of \"%s\" from axis 0",
                                  proto->input[0]);
        if (i >= hidden)
            axes[i - hidden] = (size_t)axis - hidden;
    }
    if (importer_transpose(importer, x, axes, &x, error) != STATUS_OK)
        return error->status;
    return importer_define_value(importer, proto, 0, x, error);
}

enum status import_expand(struct importer *importer, const Onnx__NodeProto *proto,
                          struct error *error)
{
    const size_t hidden = importer_hidden(importer);
    struct ints dims;
    uint32_t x;
    if (importer_value(importer, proto, 0, &x, error) != STATUS_OK ||
        importer_ints(importer, proto, 1, "shape", &dims, error) != STATUS_OK)
        return error->status;
    const struct value from = importer->model->graph.values[x];
    const size_t rank = from.shape.rank + hidden;
    if (dims.count > TENSOR_RANK_MAX)
        return error_set(error, STATUS_UNSUPPORTED, "expected at most %d dimensions, found %zu",
                         TENSOR_RANK_MAX, dims.count);
    if (hidden && (dims.count > rank ||
                   (dims.count == rank && dims.numbers[0] != 1 && dims.numbers[0] != ONNX_BATCH &&
                    dims.numbers[0] != importer->batch)))
        return importer_mixes(importer, error, "the shape repeats the batch of \"%s\"",
                              proto->input[0]);
    const size_t all = (dims.count > rank ? dims.count : rank) - hidden;
    struct shape shape = {.rank = all};
    size_t strides[TENSOR_RANK_MAX];
    value_strides(&from, strides);
    struct move move = {.rank = all};
    for (size_t i = 0; i < all; i++) { /* counted from the last axis */
        size_t own = i < from.shape.rank ? from.shape.dims[from.shape.rank - 1 - i] : 1;
        int64_t wish = i < dims.count ? dims.numbers[dims.count - 1 - i] : 1;
        if (wish == ONNX_BATCH)
            return importer_mixes(importer, error, "the shape repeats \"%s\" for each row",
                                  proto->input[0]);
        if (wish < 1 || (own != 1 && wish != 1 && (size_t)wish != own))
            return error_set(error, STATUS_INVALID, "%zu elements cannot become %" PRId64, own,
                             wish);
        shape.dims[all - 1 - i] = own == 1 ? (size_t)wish : own;
        move.from[all - 1 - i] = own == 1 ? 0 : (ptrdiff_t)strides[from.shape.rank - 1 - i];
    }
    const struct value to = value_of("", &shape, LAYOUT_PLAIN);
    const struct move target = move_same(&to, &to);
    memcpy(move.dims, target.dims, sizeof move.dims);
    memcpy(move.to, target.to, sizeof move.to);
    if (importer_make_moves(importer, importer_layer_name(importer, proto, NULL), &move, 1, &x, 1,
                            NULL, &shape, LAYOUT_PLAIN, &x, error) != STATUS_OK)
        return error->status;
    return importer_define_value(importer, proto, 0, x, error);
}
