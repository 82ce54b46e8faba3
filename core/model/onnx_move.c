/* Strided copies, and the nodes made of them. */
#include <string.h>

#include "onnx_import.h"

struct move move_same(const struct value *from, const struct value *to)
{
    struct move move = {.rank = from->shape.rank};
    size_t from_strides[TENSOR_RANK_MAX], to_strides[TENSOR_RANK_MAX];
    value_strides(from, from_strides);
    value_strides(to, to_strides);
    for (size_t i = 0; i < move.rank; i++) {
        move.dims[i] = from->shape.dims[i];
        move.from[i] = (ptrdiff_t)from_strides[i];
        move.to[i] = (ptrdiff_t)to_strides[i];
    }
    return move;
}

static void set_axis(struct move *move, size_t to, const struct move *other, size_t from)
{
    move->dims[to] = other->dims[from];
    move->from[to] = other->from[from];
    move->to[to] = other->to[from];
}

static size_t magnitude(ptrdiff_t stride)
{
    return stride < 0 ? (size_t)-stride : (size_t)stride;
}

/* A few channels side by side make short runs: better to go along the axis before them. */
static void lengthen_runs(struct move *move)
{
    const size_t last = move->rank - 1;
    if (move->rank == 1 || move->dims[last] >= 8 || move->dims[last - 1] <= move->dims[last])
        return;
    const struct move before = *move;
    set_axis(move, last, &before, last - 1);
    set_axis(move, last - 1, &before, last);
}

void move_settle(struct move *move)
{
    struct move sorted = *move;
    sorted.rank = 0;
    for (size_t i = 0; i < move->rank; i++) {
        if (move->dims[i] == 1)
            continue;
        size_t at = sorted.rank++;
        for (; at > 0 && magnitude(sorted.to[at - 1]) < magnitude(move->to[i]); at--)
            set_axis(&sorted, at, &sorted, at - 1);
        set_axis(&sorted, at, move, i);
    }
    *move = sorted;
    move->rank = 0;
    for (size_t i = 0; i < sorted.rank; i++) { /* axes that follow each other become one */
        size_t last = move->rank - 1;
        ptrdiff_t count = (ptrdiff_t)sorted.dims[i];
        if (move->rank > 0 && move->from[last] == sorted.from[i] * count &&
            move->to[last] == sorted.to[i] * count) {
            count *= (ptrdiff_t)move->dims[last];
            set_axis(move, last, &sorted, i);
            move->dims[last] = (size_t)count;
        } else {
            set_axis(move, move->rank++, &sorted, i);
        }
    }
    if (move->rank == 0) {
        move->dims[0] = 1;
        move->from[0] = move->to[0] = 1;
        move->rank = 1;
    }
    lengthen_runs(move);
}

enum status importer_make_moves(struct importer *importer, const char *name,
                                const struct move *moves, size_t move_count, const uint32_t *inputs,
                                size_t input_count, const float *fill, const struct shape *shape,
                                enum layout layout, uint32_t *value, struct error *error)
{
    struct move *kept = arena_alloc(&importer->model->arena, move_count, sizeof *kept);
    if (!kept)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the graph");
    memcpy(kept, moves, move_count * sizeof *kept);
    for (size_t i = 0; i < move_count; i++)
        move_settle(&kept[i]);
    struct node node = {.op = OP_move,
                        .name = name,
                        .input_count = input_count,
                        .moves = kept,
                        .move_count = move_count,
                        .fills = fill != NULL,
                        .numbers = {fill ? *fill : 0.0f}};
    return importer_make(importer, node, inputs, shape, layout, value, error);
}
