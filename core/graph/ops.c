#include "ops.h"

#include <string.h>

#include "panel.h"

const struct op_info *op_info(enum op op)
{
    static const struct op_info infos[OP_COUNT] = {
#define OP(name, kind) {op_tiles_##name, op_run_##name},
#include "ops.def"
#undef OP
    };
    return &infos[op];
}

size_t op_scratch(const struct graph *graph, const struct node *node)
{
    const struct window *window = &node->window;
    size_t taps = window->kernel[0] * window->kernel[1] * window->kernel[2];
    switch (node->op) {
    case OP_dense:
        return node->k + PANEL_UNIT;
    case OP_conv:
        return conv_tile_pixels(node) * (node->k + panel_padded(node->n / node->groups));
    case OP_depthwise:
    case OP_max_pool:
    case OP_average_pool:
        return 4 * taps; /* two pointers per tap */
    default:
        (void)graph;
        return 0;
    }
}

size_t op_row_blocks(size_t rows)
{
    return (rows + OP_TILE_ROWS - 1) / OP_TILE_ROWS;
}

struct op_span op_row_span(size_t rows, size_t tile)
{
    size_t first = tile * OP_TILE_ROWS;
    size_t rest = rows - first;
    return (struct op_span){first, rest < OP_TILE_ROWS ? rest : OP_TILE_ROWS};
}

/* Position p of all rows' positions of an input. */
static const float *input_position(const struct op_input *input, size_t p)
{
    const struct value *value = input->value;
    return input->data + p / value->positions * input->row + p % value->positions * value->stride;
}

/* How many of the positions of span from p on lie in memory one stride apart: all, but where a row
 * shows memory that has padding at its end. */
static size_t adjoining(const struct op_input *input, struct op_span span, size_t p)
{
    const size_t positions = input->value->positions;
    const size_t rest = span.first + span.count - p, of_row = positions - p % positions;
    return input->row == positions * input->value->stride || rest < of_row ? rest : of_row;
}

/* The epilogue */

static void add_residual(const struct op_run *run, size_t first, size_t count, size_t channel,
                         size_t width)
{
    const struct op_input *residual = &run->inputs[1];
    size_t stride = run->output->stride;
    for (size_t p = first; p < first + count; p++)
        run->kernels->add(width, run->y + p * stride + channel,
                          residual->data + p * stride + channel, run->y + p * stride + channel);
}

/* Sums of padding are rubbish, which must not be counted as an output that is not finite. */
static void clear_padding(const struct op_run *run, size_t first, size_t count)
{
    const struct value *output = run->output;
    for (size_t p = first; p < first + count; p++)
        memset(run->y + p * output->stride + output->channels, 0,
               (output->stride - output->channels) * sizeof *run->y);
}

/* Several positions of a row share its bitmap: a unit is active in the row where it is at any. */
static void fold_bits(const struct op_run *run, const uint8_t *bits, size_t stride, size_t first,
                      size_t count, size_t channel, size_t width)
{
    const struct activity *activity = &run->activity;
    size_t units =
        run->output->channels - channel < width ? run->output->channels - channel : width;
    for (size_t i = 0; i < count; i++) {
        size_t row = (first + i) / run->output->positions;
        uint8_t *into = activity->bits + row * activity->bits_stride + channel / 8;
        for (size_t unit = 0; unit < units; unit += 8) {
            unsigned mask = units - unit < 8 ? 0xFFu >> (8 - (units - unit)) : 0xFFu;
            unsigned byte = bits[i * stride + unit / 8] & mask;
            into[unit / 8] |= (uint8_t)byte;
            activity->fired[row] += (uint32_t)__builtin_popcount(byte);
        }
    }
}

void op_epilogue(const struct op_run *run, size_t first, size_t count, size_t channel, size_t width)
{
    const struct activation *activation = &run->node->activation;
    const struct activity *activity = &run->activity;
    uint8_t scratch[OP_TILE_ROWS * PANEL_COLUMNS / 8];
    size_t stride = run->output->stride;
    if (run->node->op != OP_activation && run->node->input_count > 1)
        add_residual(run, first, count, channel, width);
    if (channel + width > run->output->channels &&
        (run->node->op != OP_dense || run->node->input_count > 1))
        clear_padding(run, first, count);
    if (!activation_counted(activation))
        return;
    bool shared = activity->bits && activity->fired;
    uint8_t *bits = shared ? scratch : activity->bits;
    size_t bits_stride = shared ? PANEL_COLUMNS / 8 : activity->bits_stride;
    if (activity->bits && !shared)
        bits += first * bits_stride + channel / 8;
    run->kernels->activate(activation, channel, count, width, run->y + first * stride + channel,
                           stride, bits, bits_stride, activity->tally);
    if (shared)
        fold_bits(run, bits, bits_stride, first, count, channel, width);
}

/* Dense */

static size_t dense_rows(const struct value *output, size_t rows)
{
    return rows * output->positions;
}

size_t op_tiles_dense(const struct graph *graph, const struct node *node, size_t rows)
{
    const struct value *output = &graph->values[node->output];
    return op_row_blocks(dense_rows(output, rows)) * panel_count(node->n);
}

static bool dense_skips(const struct op_run *run, size_t rows)
{
    return run->skip == SKIP_AUTO ? rows == 1 : run->skip == SKIP_ALWAYS;
}

/* Row by row: only the weights of non-zero inputs are read. The list of a row that is alone lasts
 * for all its panels, which follow each other. */
static void dense_rows_skipping(struct op_run *run, struct op_span span, size_t panel)
{
    const struct node *node = run->node;
    float *y = run->y + panel * PANEL_COLUMNS;
    for (size_t p = span.first; p < span.first + span.count; p++) {
        if (panel == 0 || span.count > 1)
            run->listed = run->kernels->nonzero(node->k, input_position(&run->inputs[0], p),
                                                run->index, run->scratch);
        run->kernels->gemv(run->listed, panel_width(node->n, panel), run->index, run->scratch,
                           node->panels + panel_offset(node->k, panel),
                           node->bias + panel * PANEL_COLUMNS, y + p * run->output->stride);
    }
}

static void dense_span(const struct op_run *run, struct op_span span, size_t panel)
{
    const struct node *node = run->node;
    const struct op_input *x = &run->inputs[0];
    const size_t first = panel * PANEL_COLUMNS, stride = run->output->stride;
    for (size_t p = span.first, count; p < span.first + span.count; p += count) {
        count = adjoining(x, span, p);
        run->kernels->gemm(count, node->k, panel_width(node->n, panel), input_position(x, p),
                           x->value->stride, node->panels + panel_offset(node->k, panel),
                           node->bias + first, run->y + p * stride + first, stride);
    }
}

void op_run_dense(struct op_run *run, size_t tile)
{
    const struct node *node = run->node;
    size_t panels = panel_count(node->n), panel = tile % panels;
    size_t rows = dense_rows(run->output, run->rows);
    struct op_span span = op_row_span(rows, tile / panels);
    size_t width = panel_width(node->n, panel), first = panel * PANEL_COLUMNS;
    if (dense_skips(run, rows))
        dense_rows_skipping(run, span, panel);
    else
        dense_span(run, span, panel);
    op_epilogue(run, span.first, span.count, first, width);
}

/* Activation */

size_t op_tiles_activation(const struct graph *graph, const struct node *node, size_t rows)
{
    return op_row_blocks(rows * graph->values[node->output].positions);
}

void op_run_activation(struct op_run *run, size_t tile)
{
    const struct value *y = run->output;
    struct op_span span = op_row_span(run->rows * y->positions, tile);
    for (size_t p = span.first; p < span.first + span.count; p++) {
        float *to = run->y + p * y->stride;
        memcpy(to, input_position(&run->inputs[0], p), y->channels * sizeof *to);
        memset(to + y->channels, 0, (y->stride - y->channels) * sizeof *to);
    }
    for (size_t channel = 0; channel < y->stride; channel += PANEL_COLUMNS) {
        size_t rest = y->stride - channel;
        op_epilogue(run, span.first, span.count, channel,
                    rest < PANEL_COLUMNS ? rest : PANEL_COLUMNS);
    }
}

/* Softmax over the last dimension */

size_t op_tiles_softmax(const struct graph *graph, const struct node *node, size_t rows)
{
    return op_row_blocks(rows * graph->values[node->output].positions);
}

void op_run_softmax(struct op_run *run, size_t tile)
{
    const struct value *y = run->output;
    const struct op_input *x = &run->inputs[0];
    struct op_span span = op_row_span(run->rows * y->positions, tile);
    const struct kernels *kernels = run->kernels;
    for (size_t p = span.first, count; p < span.first + span.count; p += count) {
        count = adjoining(x, span, p);
        (run->node->detail ? kernels->log_softmax
                           : kernels->softmax)(count, y->channels, input_position(x, p),
                                               x->value->stride, run->y + p * y->stride, y->stride);
    }
}
