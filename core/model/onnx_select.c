/* Concat, Split, Slice, Gather, Pad: operators that take or place parts of a value. */
#include <inttypes.h>
#include <string.h>

#include "onnx_import.h"

/* Copies of one node; indices of a Gather that are no progression need one each. */
enum { MOVES_MAX = 1 << 16 };

/* Adds a node that copies parts of x into a value of that shape; output i of the ONNX node. */
static enum status define_part(struct importer *importer, const Onnx__NodeProto *proto, size_t i,
                               const struct move *moves, size_t move_count, uint32_t x,
                               const struct shape *shape, enum layout layout, struct error *error)
{
    uint32_t value;
    if (importer_make_moves(importer, importer_layer_name(importer, proto, NULL), moves, move_count,
                            &x, 1, NULL, shape, layout, &value, error) != STATUS_OK)
        return error->status;
    return importer_define_value(importer, proto, i, value, error);
}

/* A copy into all of a value of that shape, from elements first, first + step, … of from along
 * axis. */
static struct move part(const struct value *from, const struct shape *shape, size_t axis,
                        ptrdiff_t first, ptrdiff_t step)
{
    const struct value to = value_of("", shape, from->layout);
    struct move move = move_same(from, &to);
    memcpy(move.dims, shape->dims, sizeof move.dims);
    move.from_first = first * move.from[axis];
    move.from[axis] *= step;
    return move;
}

/* Concat */

/* Input i without its batch, which a constant must have as 1. */
static enum status concat_operand(struct importer *importer, const Onnx__NodeProto *proto, size_t i,
                                  uint32_t *value, struct error *error)
{
    const struct operand *operand = importer_operand(importer, proto, i);
    if (!operand || !operand->is_constant || importer->whole)
        return importer_value(importer, proto, i, value, error);
    const struct tensor *tensor = &operand->tensor;
    if (tensor->rank < 1 || tensor->dims[0] != 1 || importer->batch != 1)
        return importer_mixes(importer, error, "the constant \"%s\" is no row of a batch",
                              proto->input[i]);
    struct shape shape = {.rank = tensor->rank - 1};
    for (size_t axis = 0; axis < shape.rank; axis++)
        shape.dims[axis] = (size_t)tensor->dims[axis + 1];
    return importer_constant_value(importer, tensor, &shape, value, error);
}

/* The shape of all inputs side by side along axis. */
static enum status concat_shape(const struct graph *graph, const uint32_t *inputs, size_t count,
                                size_t axis, struct shape *shape, enum layout *layout,
                                struct error *error)
{
    *shape = graph->values[inputs[0]].shape;
    *layout = graph->values[inputs[0]].layout;
    shape->dims[axis] = 0;
    for (size_t i = 0; i < count; i++) {
        const struct value *value = &graph->values[inputs[i]];
        bool fits = value->shape.rank == shape->rank;
        for (size_t d = 0; fits && d < shape->rank; d++)
            fits = d == axis || value->shape.dims[d] == shape->dims[d];
        if (!fits)
            return error_set(error, STATUS_INVALID, "the shape of input %zu does not fit", i);
        shape->dims[axis] += value->shape.dims[axis];
        if (value->layout != *layout)
            *layout = LAYOUT_PLAIN;
    }
    return STATUS_OK;
}

enum status importer_concat(struct importer *importer, const Onnx__NodeProto *proto,
                            const uint32_t *inputs, size_t count, struct error *error)
{
    const struct graph *graph = &importer->model->graph;
    struct move *moves = arena_alloc(importer->scratch, count, sizeof *moves);
    struct shape shape;
    enum layout layout;
    int64_t axis;
    size_t of_row;
    uint32_t value;
    if (!moves)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the graph");
    if (onnx_attribute_int(proto, "axis", 1, &axis, error) != STATUS_OK ||
        importer_axis(importer, proto->input[0], axis, graph->values[inputs[0]].shape.rank, &of_row,
                      error) != STATUS_OK ||
        concat_shape(graph, inputs, count, of_row, &shape, &layout, error) != STATUS_OK)
        return error->status;
    const struct value to = value_of("", &shape, layout);
    ptrdiff_t at = 0;
    for (size_t i = 0; i < count; i++) {
        struct value all = to;
        const struct value *from = &graph->values[inputs[i]];
        moves[i] = move_same(from, &all);
        moves[i].input = i;
        moves[i].to_first = at * moves[i].to[of_row];
        at += (ptrdiff_t)from->shape.dims[of_row];
    }
    if (importer_make_moves(importer, importer_layer_name(importer, proto, NULL), moves, count,
                            inputs, count, NULL, &shape, layout, &value, error) != STATUS_OK)
        return error->status;
    return importer_define_value(importer, proto, 0, value, error);
}

enum status import_concat(struct importer *importer, const Onnx__NodeProto *proto,
                          struct error *error)
{
    uint32_t *inputs = arena_alloc(importer->scratch, proto->n_input, sizeof *inputs);
    if (!inputs)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the graph");
    for (size_t i = 0; i < proto->n_input; i++)
        if (concat_operand(importer, proto, i, &inputs[i], error) != STATUS_OK)
            return error->status;
    return importer_concat(importer, proto, inputs, proto->n_input, error);
}

/* Split */

/* How many elements output i takes. */
static int64_t split_size(const struct ints *sizes, size_t all, size_t outputs, size_t i)
{
    if (sizes->count > 0)
        return sizes->numbers[i];
    size_t each = (all + outputs - 1) / outputs;
    return (int64_t)(i + 1 < outputs ? each : all - each * (outputs - 1));
}

enum status import_split(struct importer *importer, const Onnx__NodeProto *proto,
                         struct error *error)
{
    struct ints sizes;
    int64_t axis;
    size_t of_row, at = 0;
    uint32_t x;
    if (importer_value(importer, proto, 0, &x, error) != STATUS_OK ||
        importer_ints(importer, proto, 1, "split", &sizes, error) != STATUS_OK ||
        onnx_attribute_int(proto, "axis", 0, &axis, error) != STATUS_OK)
        return error->status;
    const struct value from = importer->model->graph.values[x];
    if (importer_axis(importer, proto->input[0], axis, from.shape.rank, &of_row, error) !=
        STATUS_OK)
        return error->status;
    if (sizes.count > 0 && sizes.count != proto->n_output)
        return error_set(error, STATUS_INVALID, "split: expected %zu sizes, found %zu",
                         proto->n_output, sizes.count);
    const size_t all = from.shape.dims[of_row];
    for (size_t i = 0; i < proto->n_output; i++) {
        int64_t size = split_size(&sizes, all, proto->n_output, i);
        if (size < 1 || (size_t)size > all - at)
            return error_set(error, STATUS_INVALID, "output %zu cannot have %" PRId64 " of %zu", i,
                             size, all);
        struct shape shape = from.shape;
        shape.dims[of_row] = (size_t)size;
        struct move move = part(&from, &shape, of_row, (ptrdiff_t)at, 1);
        if (define_part(importer, proto, i, &move, 1, x, &shape, from.layout, error) != STATUS_OK)
            return error->status;
        at += (size_t)size;
    }
    return STATUS_OK;
}

/* Slice */

struct slice {
    int64_t start, end, step;
};

static int64_t clamp(int64_t number, int64_t low, int64_t high)
{
    return number < low ? low : number > high ? high : number;
}

/* Brings a slice of an axis of size elements within it; how many elements it takes. */
static size_t settle_slice(struct slice *slice, int64_t size)
{
    const bool down = slice->step < 0;
    slice->start += slice->start < 0 ? size : 0;
    slice->end += slice->end < 0 ? size : 0;
    slice->start = clamp(slice->start, 0, down ? size - 1 : size);
    slice->end = clamp(slice->end, down ? -1 : 0, size);
    int64_t span = down ? slice->start - slice->end : slice->end - slice->start;
    uint64_t step = down ? -(uint64_t)slice->step : (uint64_t)slice->step;
    return span <= 0 ? 0 : (size_t)(((uint64_t)span - 1) / step + 1);
}

static struct slice slice_of(const struct ints lists[4], size_t i)
{
    struct slice slice = {lists[0].numbers[i], lists[1].numbers[i], 1};
    if (lists[3].count > 0)
        slice.step = lists[3].numbers[i];
    return slice;
}

/* starts, ends, axes, steps */
static enum status read_slices(struct importer *importer, const Onnx__NodeProto *proto,
                               struct ints lists[4], struct error *error)
{
    static const char *const names[] = {"starts", "ends", "axes", "steps"};
    for (size_t i = 0; i < 4; i++) {
        if (importer_ints(importer, proto, i + 1, names[i], &lists[i], error) != STATUS_OK)
            return error->status;
        if ((i < 2 || lists[i].count > 0) && lists[i].count != lists[0].count)
            return error_set(error, STATUS_INVALID, "%s: expected %zu numbers, found %zu", names[i],
                             lists[0].count, lists[i].count);
    }
    for (size_t i = 0; i < lists[3].count; i++)
        if (lists[3].numbers[i] == 0)
            return error_set(error, STATUS_INVALID, "a step of 0");
    for (size_t list = 0; list < 2; list++)
        for (size_t i = 0; i < lists[0].count; i++)
            if (lists[list].numbers[i] == ONNX_BATCH)
                return importer_mixes(importer, error,
                                      "the part of \"%s\" depends on the size of the batch",
                                      proto->input[0]);
    return STATUS_OK;
}

enum status import_slice(struct importer *importer, const Onnx__NodeProto *proto,
                         struct error *error)
{
    struct ints lists[4];
    uint32_t x;
    if (importer_value(importer, proto, 0, &x, error) != STATUS_OK ||
        read_slices(importer, proto, lists, error) != STATUS_OK)
        return error->status;
    const struct value from = importer->model->graph.values[x];
    struct shape shape = from.shape;
    struct move move = move_same(&from, &from);
    for (size_t i = 0; i < lists[0].count; i++) {
        int64_t number = lists[2].count > 0 ? lists[2].numbers[i] : (int64_t)i;
        struct slice slice = slice_of(lists, i);
        bool everything = slice.start == 0 && slice.end >= INT32_MAX && slice.step == 1;
        size_t axis;
        if (!importer->whole && everything &&
            (number == 0 || number == -(int64_t)from.shape.rank - 1))
            continue; /* the batch as it is */
        if (importer_axis(importer, proto->input[0], number, from.shape.rank, &axis, error) !=
            STATUS_OK)
            return error->status;
        shape.dims[axis] = settle_slice(&slice, (int64_t)from.shape.dims[axis]);
        move.from_first += (ptrdiff_t)slice.start * move.from[axis];
        if (shape.dims[axis] > 1)
            move.from[axis] *= (ptrdiff_t)slice.step;
    }
    const struct value to = value_of("", &shape, from.layout);
    const struct move target = move_same(&to, &to);
    memcpy(move.dims, target.dims, sizeof move.dims);
    memcpy(move.to, target.to, sizeof move.to);
    return define_part(importer, proto, 0, &move, 1, x, &shape, from.layout, error);
}

/* Gather */

/* One copy for each index, or one for all where they are a progression; returns how many. */
static size_t gather_moves(struct move *moves, const struct move *one, ptrdiff_t from_stride,
                           ptrdiff_t to_stride, const size_t *indices, size_t count)
{
    ptrdiff_t step = count > 1 ? (ptrdiff_t)(indices[1] - indices[0]) : 0;
    bool progression = one->rank < TENSOR_RANK_MAX;
    for (size_t i = 1; i < count; i++)
        progression &= (ptrdiff_t)(indices[i] - indices[i - 1]) == step;
    for (size_t i = 0; i < (progression ? 1 : count); i++) {
        moves[i] = *one;
        moves[i].from_first += (ptrdiff_t)indices[i] * from_stride;
        moves[i].to_first += (ptrdiff_t)i * to_stride;
    }
    if (!progression)
        return count;
    moves->dims[moves->rank] = count;
    moves->from[moves->rank] = step * from_stride;
    moves->to[moves->rank++] = to_stride;
    return 1;
}

static enum status read_indices(struct importer *importer, const struct tensor *tensor, size_t size,
                                size_t **indices, struct error *error)
{
    const size_t count = tensor_count(tensor);
    const int64_t *numbers = tensor->data;
    if (count < 1 || count > MOVES_MAX)
        return error_set(error, STATUS_TOO_LARGE, "expected 1 to %d indices, found %zu", MOVES_MAX,
                         count);
    *indices = arena_alloc(importer->scratch, count, sizeof **indices);
    if (!*indices)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the indices");
    for (size_t i = 0; i < count; i++) {
        int64_t index = numbers[i] + (numbers[i] < 0 ? (int64_t)size : 0);
        if (index < 0 || index >= (int64_t)size)
            return error_set(error, STATUS_INVALID, "index %" PRId64 " lies outside %zu elements",
                             numbers[i], size);
        (*indices)[i] = (size_t)index;
    }
    return STATUS_OK;
}

enum status import_gather(struct importer *importer, const Onnx__NodeProto *proto,
                          struct error *error)
{
    struct tensor tensor;
    int64_t number;
    size_t axis, *indices = NULL;
    uint32_t x;
    if (importer_value(importer, proto, 0, &x, error) != STATUS_OK ||
        importer_constant(importer, proto, 1, "the indices", DTYPE_INT64, &tensor, error) !=
            STATUS_OK ||
        onnx_attribute_int(proto, "axis", 0, &number, error) != STATUS_OK)
        return error->status;
    const struct value from = importer->model->graph.values[x];
    const size_t rank = from.shape.rank, inner = tensor.rank;
    if (importer_axis(importer, proto->input[0], number, rank, &axis, error) != STATUS_OK ||
        read_indices(importer, &tensor, from.shape.dims[axis], &indices, error) != STATUS_OK)
        return error->status;
    if (rank - 1 + inner > TENSOR_RANK_MAX)
        return error_set(error, STATUS_UNSUPPORTED, "more than %d dimensions", TENSOR_RANK_MAX);
    /* Seen with all indices in one axis, the result lies without padding. */
    const size_t count = tensor_count(&tensor);
    struct shape shape = {.rank = rank - 1 + inner}, flat = from.shape;
    for (size_t i = 0; i < shape.rank; i++)
        shape.dims[i] = i < axis           ? from.shape.dims[i]
                        : i < axis + inner ? (size_t)tensor.dims[i - axis]
                                           : from.shape.dims[i - inner + 1];
    flat.dims[axis] = count;
    struct value to = value_of("", &flat, LAYOUT_PLAIN);
    to.stride = to.channels;
    struct move one = move_same(&from, &to);
    const ptrdiff_t from_stride = one.from[axis], to_stride = one.to[axis];
    one.dims[axis] = one.dims[rank - 1];
    one.from[axis] = one.from[rank - 1];
    one.to[axis] = one.to[rank - 1];
    one.rank--;
    struct move *moves = arena_alloc(importer->scratch, count, sizeof *moves);
    if (!moves)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the graph");
    const size_t move_count = gather_moves(moves, &one, from_stride, to_stride, indices, count);
    const struct shape run = shape_flat(shape_count(&flat));
    if (importer_make_moves(importer, importer_layer_name(importer, proto, NULL), moves, move_count,
                            &x, 1, NULL, &run, LAYOUT_PLAIN, &x, error) != STATUS_OK ||
        importer_reshape(importer, x, &shape, &x, error) != STATUS_OK)
        return error->status;
    return importer_define_value(importer, proto, 0, x, error);
}

/* Pad */

enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE };

static enum status read_mode(const Onnx__NodeProto *proto, enum pad_mode *mode, struct error *error)
{
    static const char *const names[] = {"constant", "reflect", "edge"};
    const Onnx__AttributeProto *attribute = onnx_attribute(proto, "mode");
    *mode = PAD_CONSTANT;
    for (size_t i = 0; attribute && i < 3; i++) {
        if (onnx_attribute_says(attribute, names[i])) {
            *mode = (enum pad_mode)i;
            return STATUS_OK;
        }
    }
    return attribute ? error_set(error, STATUS_UNSUPPORTED, "mode: unknown value") : STATUS_OK;
}

/* The element of an axis that stands at place, which may lie before or behind it. */
static ptrdiff_t mirrored(enum pad_mode mode, ptrdiff_t place, ptrdiff_t size)
{
    if (mode == PAD_EDGE || size == 1)
        return place < 0 ? 0 : place >= size ? size - 1 : place;
    ptrdiff_t period = 2 * (size - 1), at = (place % period + period) % period;
    return at < size ? at : period - at;
}

/* Pads one axis: what is there stays in one copy, each element around it is one more. */
static enum status pad_axis(struct importer *importer, enum pad_mode mode, float fill, size_t axis,
                            int64_t before, int64_t after, uint32_t *x, struct error *error)
{
    const struct value from = importer->model->graph.values[*x];
    const int64_t size = (int64_t)from.shape.dims[axis];
    struct shape shape = from.shape;
    if (before < -size || after < -size || before > MOVES_MAX / 4 || after > MOVES_MAX / 4 ||
        size + before + after < 1)
        return error_set(error, STATUS_INVALID, "pads: %" PRId64 " and %" PRId64 " around %" PRId64,
                         before, after, size);
    shape.dims[axis] = (size_t)(size + before + after);
    struct move *moves = arena_alloc(importer->scratch, MOVES_MAX / 2 + 1, sizeof *moves);
    if (!moves)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the graph");
    const int64_t first = before < 0 ? -before : 0, end = after < 0 ? size + after : size;
    size_t count = 1;
    struct move one = part(&from, &shape, axis, 0, 1);
    moves[0] = one;
    moves[0].dims[axis] = end > first ? (size_t)(end - first) : 0;
    moves[0].from_first = (ptrdiff_t)first * one.from[axis];
    moves[0].to_first = (ptrdiff_t)(before + first) * one.to[axis];
    one.dims[axis] = 1;
    for (int64_t i = 0; mode != PAD_CONSTANT && i < (int64_t)shape.dims[axis]; i++) {
        if (i >= before && i < before + size)
            continue;
        moves[count] = one;
        moves[count].from_first =
            mirrored(mode, (ptrdiff_t)(i - before), (ptrdiff_t)size) * one.from[axis];
        moves[count++].to_first = (ptrdiff_t)i * one.to[axis];
    }
    if (moves[0].dims[axis] == 0)
        return error_set(error, STATUS_UNSUPPORTED, "nothing is left of an axis but its padding");
    return importer_make_moves(importer, NULL, moves, count, x, 1,
                               mode == PAD_CONSTANT ? &fill : NULL, &shape, from.layout, x, error);
}

/* The number to pad with: an attribute up to opset 10, an input since. */
static enum status read_fill(struct importer *importer, const Onnx__NodeProto *proto, float *fill,
                             struct error *error)
{
    struct tensor tensor;
    if (!importer_operand(importer, proto, 2))
        return onnx_attribute_float(proto, "value", 0.0f, fill, error);
    if (importer_constant(importer, proto, 2, "the number to pad with", DTYPE_FLOAT32, &tensor,
                          error) != STATUS_OK)
        return error->status;
    if (tensor_count(&tensor) != 1)
        return error_set(error, STATUS_INVALID, "expected one number to pad with, found %zu",
                         tensor_count(&tensor));
    *fill = *(const float *)tensor.data;
    return STATUS_OK;
}

enum status import_pad(struct importer *importer, const Onnx__NodeProto *proto, struct error *error)
{
    const size_t hidden = importer_hidden(importer);
    enum pad_mode mode;
    struct ints pads;
    float fill;
    uint32_t x;
    if (importer_value(importer, proto, 0, &x, error) != STATUS_OK ||
        importer_ints(importer, proto, 1, "pads", &pads, error) != STATUS_OK ||
        read_mode(proto, &mode, error) != STATUS_OK ||
        read_fill(importer, proto, &fill, error) != STATUS_OK)
        return error->status;
    const size_t rank = importer->model->graph.values[x].shape.rank + hidden;
    if (pads.count != 2 * rank)
        return error_set(error, STATUS_UNSUPPORTED, "pads: expected %zu numbers, found %zu",
                         2 * rank, pads.count);
    if (hidden && (pads.numbers[0] || pads.numbers[rank]))
        return importer_mixes(importer, error, "pads adds rows to the batch of \"%s\"",
                              proto->input[0]);
    for (size_t axis = hidden; axis < rank; axis++) {
        int64_t before = pads.numbers[axis], after = pads.numbers[rank + axis];
        if ((before || after) &&
            pad_axis(importer, mode, fill, axis - hidden, before, after, &x, error) != STATUS_OK)
            return error->status;
    }
    return importer_define_value(importer, proto, 0, x, error);
}
