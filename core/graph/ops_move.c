/* Move: elements from here to there. Transpose, slice, concatenate, pad, expand, reshape and the
 * change between layouts are all lists of strided copies. */
#include <string.h>

#include "ops.h"

size_t op_tiles_move(const struct graph *graph, const struct node *node, size_t rows)
{
    (void)graph;
    (void)node;
    return rows;
}

/* The innermost dimension: a run of elements, side by side where both strides are 1. */
static void copy_run(size_t count, const float *from, ptrdiff_t from_stride, float *to,
                     ptrdiff_t to_stride)
{
    if (from_stride == 1 && to_stride == 1) {
        memcpy(to, from, count * sizeof *to);
        return;
    }
    for (size_t i = 0; i < count; i++)
        to[(ptrdiff_t)i * to_stride] = from[(ptrdiff_t)i * from_stride];
}

static void run_move(const struct move *move, const float *from, float *to)
{
    size_t at[TENSOR_RANK_MAX] = {0};
    size_t last = move->rank - 1;
    from += move->from_first;
    to += move->to_first;
    for (;;) {
        copy_run(move->dims[last], from, move->from[last], to, move->to[last]);
        size_t i = last;
        for (; i-- > 0;) {
            from += move->from[i];
            to += move->to[i];
            if (++at[i] < move->dims[i])
                break;
            from -= move->from[i] * (ptrdiff_t)move->dims[i];
            to -= move->to[i] * (ptrdiff_t)move->dims[i];
            at[i] = 0;
        }
        if (i == (size_t)-1)
            return;
    }
}

void op_run_move(struct op_run *run, size_t tile)
{
    const struct node *node = run->node;
    size_t row = value_row(run->output);
    float *y = run->y + tile * row;
    for (size_t i = 0; node->fills && i < row; i++)
        y[i] = node->numbers[0];
    for (size_t i = 0; i < node->move_count; i++) {
        const struct op_input *input = &run->inputs[node->moves[i].input];
        run_move(&node->moves[i], input->data + tile * input->row, y);
    }
}
