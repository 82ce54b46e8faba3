#include "ops.h"

#include <string.h>

#include "panel.h"
#include "skip.h"
#include "slab.h"

/* Weights of a layer that alone fill a core's second cache. */
enum { STREAM_FLOATS = 1 << 19 };

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
    switch (node->op) {
    case OP_dense:
        return node->k + PANEL_UNIT;
    case OP_matmul:
        return matmul_scratch(graph, node);
    case OP_conv:
        return conv_scratch(graph, node);
    case OP_depthwise:
    case OP_max_pool:
    case OP_average_pool:
        return slab_scratch(graph, node);
    default:
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
    if (value->positions == 1)
        return input->data + p * input->row;
    return input->data + p / value->positions * input->row + p % value->positions * value->stride;
}

/* The epilogue */

/* Bytes of one position's bits that are to be folded: of a whole panel, or of so many units. */
enum { FOLD_BYTES_MAX = PANEL_COLUMNS / 8 };

static size_t fold_bytes(size_t width)
{
    return width <= 16 ? 2 : width <= 32 ? 4 : width <= 64 ? 8 : FOLD_BYTES_MAX;
}

/* Adds count positions of one row, units from channel on, to what the row did. Other workers may be
 * adding other tiles of the row; most find their bits set already. */
static void fold_row(const struct op_run *run, size_t row, const uint8_t *bits, size_t count,
                     size_t channel, size_t width)
{
    const struct activity *activity = &run->activity;
    uint64_t *into =
        (uint64_t *)(void *)(activity->bits + row * activity->bits_stride + channel / 8);
    const size_t rest = run->output->channels - channel, units = rest < width ? rest : width;
    uint64_t any[PANEL_COLUMNS / 64];
    const size_t fired = run->kernels->fold(units, count, bits, fold_bytes(width), any);
    for (size_t i = 0; i < (units + 63) / 64; i++)
        if (any[i] & ~__atomic_load_n(&into[i], __ATOMIC_RELAXED))
            __atomic_fetch_or(&into[i], any[i], __ATOMIC_RELAXED);
    __atomic_fetch_add(&activity->fired[row], (uint32_t)fired, __ATOMIC_RELAXED);
}

/* Several positions of a row share its bitmap: a unit is active in the row where it is at any.
 * Bitmaps are whole words, and panels begin on one. */
static void fold_bits(const struct op_run *run, const uint8_t *bits, size_t first, size_t count,
                      size_t channel, size_t width)
{
    const size_t positions = run->output->positions;
    for (size_t p = first, of_row; p < first + count; p += of_row) {
        const size_t to_end = positions - p % positions, left = first + count - p;
        of_row = to_end < left ? to_end : left;
        fold_row(run, p / positions, bits, of_row, channel, width);
        bits += of_row * fold_bytes(width);
    }
}

/* Where the chains end: over them go the outputs, but where they are kept. */
static float *chains(const struct op_run *run)
{
    return run->later ? run->later : run->y;
}

/* What follows the chains of positions from first and of width channels from channel on. Bits that
 * are to be folded go to scratch. */
static struct epilogue epilogue_of(const struct op_run *run, size_t first, size_t channel,
                                   size_t width, uint8_t *scratch)
{
    const struct activity *activity = &run->activity;
    struct epilogue epilogue = {.first = channel,
                                .tally = run->later ? NULL : activity->tally,
                                .one_row =
                                    run->node->op == OP_conv || run->node->op == OP_depthwise};
    if (run->node->op != OP_activation && run->node->input_count > 1) {
        epilogue.residual = run->inputs[1].data + first * run->output->stride + channel;
        epilogue.residual_stride = run->output->stride;
    }
    if (!activation_counted(&run->node->activation))
        return epilogue;
    epilogue.rule = &run->rule;
    if (run->later) {
        epilogue.output = run->y + first * run->output->stride + channel;
        epilogue.output_stride = run->output->stride;
    }
    if (activity->fired) {
        epilogue.bits = scratch;
        epilogue.bits_stride = fold_bytes(width);
    } else if (activity->bits) {
        epilogue.bits = activity->bits + first * activity->bits_stride + channel / 8;
        epilogue.bits_stride = activity->bits_stride;
    }
    return epilogue;
}

struct gemm op_panel(const struct node *node, size_t group, size_t panel)
{
    const size_t n = node->n / node->groups, padded = panel_padded(n);
    return (struct gemm){.k = node->k,
                         .width = panel_width(n, panel),
                         .columns = panel_columns(n, panel),
                         .panel =
                             node->panels + group * node->k * padded + panel_offset(node->k, panel),
                         .bias = node->bias + group * padded + panel * PANEL_COLUMNS,
                         .streams = node->k * padded > STREAM_FLOATS};
}

void op_gemm(const struct op_run *run, size_t panel, struct op_span span, const struct view *x)
{
    uint8_t bits[OP_TILE_ROWS_MAX * FOLD_BYTES_MAX];
    const size_t channel = panel * PANEL_COLUMNS, y_stride = run->output->stride;
    struct gemm gemm = op_panel(run->node, 0, panel);
    const struct epilogue epilogue = epilogue_of(run, span.first, channel, gemm.width, bits);
    gemm.x = *x;
    gemm.y = chains(run) + span.first * y_stride + channel;
    gemm.y_stride = y_stride;
    gemm.epilogue = &epilogue;
    run->kernels->gemm(&gemm);
    if (run->activity.fired)
        fold_bits(run, bits, span.first, span.count, channel, gemm.width);
}

void op_epilogue(const struct op_run *run, size_t first, size_t count, size_t channel, size_t width)
{
    uint8_t bits[OP_TILE_ROWS_MAX * FOLD_BYTES_MAX];
    const struct epilogue e = epilogue_of(run, first, channel, width, bits);
    const size_t stride = run->output->stride;
    float *y = chains(run) + first * stride + channel;
    run->kernels->activate(&e, count, width, y, stride);
    if (run->activity.fired)
        fold_bits(run, bits, first, count, channel, width);
}

void op_count_backlog(const struct op_run *run, size_t panel, size_t rows)
{
    const size_t channel = panel * PANEL_COLUMNS;
    const struct epilogue count = {
        .rule = &run->rule, .first = channel, .tally = run->activity.tally};
    run->kernels->activate(&count, rows, panel_width(run->node->n, panel), run->backlog + channel,
                           run->output->stride);
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

/* The scratch of a dense layer: the inputs of a row that are not zero. */
static uint32_t *list_of(const struct op_run *run)
{
    return (uint32_t *)(void *)run->scratch;
}

/* How many of a few positions' inputs, of the span's first, middle and last, are not zero. */
static size_t sample_listed(const struct op_run *run, struct op_span span)
{
    const size_t places[] = {0, span.count / 2, span.count - 1};
    size_t listed = 0;
    for (size_t i = 0; i < 3; i++)
        listed += run->kernels->nonzero(
            run->node->k, input_position(&run->inputs[0], span.first + places[i]), list_of(run));
    return listed / 3;
}

/* Whether span's rows, of so many, are taken one by one. */
static bool dense_skips(struct op_run *run, struct op_span span, size_t rows, size_t panel)
{
    const struct node *node = run->node;
    if (run->skip != SKIP_AUTO || rows == 1)
        return run->skip != SKIP_NEVER;
    struct skip_case c = {.rows = span.count,
                          .k = node->k,
                          .width = panel_width(node->n, panel),
                          .weight_bytes = node->k * panel_padded(node->n) * sizeof(float)};
    if (!skip_may_pay(&c))
        return false;
    run->held = OP_NOTHING;
    c.listed = sample_listed(run, span);
    return skip_pays(&c);
}

/* Lists the inputs of position p that are not zero. */
static void hold_position(struct op_run *run, size_t p)
{
    if (run->held != p)
        run->listed =
            run->kernels->nonzero(run->node->k, input_position(&run->inputs[0], p), list_of(run));
    run->held = p;
}

/* Row by row: only the weights of non-zero inputs are read. The list of a row that is alone lasts
 * for all its panels. */
static void dense_rows_skipping(struct op_run *run, struct op_span span, size_t panel)
{
    const struct node *node = run->node;
    const size_t width = panel_width(node->n, panel);
    float *y = chains(run) + panel * PANEL_COLUMNS;
    for (size_t p = span.first; p < span.first + span.count; p++) {
        hold_position(run, p);
        run->kernels->gemv(run->listed, width, list_of(run), input_position(&run->inputs[0], p),
                           node->panels + panel_offset(node->k, panel),
                           node->bias + panel * PANEL_COLUMNS, y + p * run->output->stride);
    }
    op_epilogue(run, span.first, span.count, panel * PANEL_COLUMNS, width);
}

/* The positions of span, each one run of numbers. */
static void dense_span(const struct op_run *run, struct op_span span, size_t panel)
{
    static const ptrdiff_t start = 0;
    const float *x[OP_TILE_ROWS];
    for (size_t i = 0; i < span.count; i++)
        x[i] = input_position(&run->inputs[0], span.first + i);
    op_gemm(run, panel, span,
            &(struct view){
                .rows = span.count, .taps = 1, .length = run->node->k, .x = x, .at = &start});
}

size_t op_work(struct op_run *run)
{
    const bool alone = run->node->op == OP_dense && dense_rows(run->output, run->rows) == 1;
    if (!alone || run->skip == SKIP_NEVER)
        return run->macs * run->rows;
    hold_position(run, 0);
    return run->listed * run->node->n * OP_ALONE_COST;
}

void op_run_dense(struct op_run *run, size_t tile)
{
    const size_t panels = panel_count(run->node->n), rows = dense_rows(run->output, run->rows);
    const size_t block = rows > OP_TILE_ROWS ? tile / panels : 0; /* a division costs a small row */
    const size_t passed = tile - block * panels;
    const size_t panel = run->backward ? panels - 1 - passed : passed;
    const struct op_span span = op_row_span(rows, block);
    if (run->overdue)
        op_count_backlog(run, panel, OP_BACKLOG_ROWS);
    if (dense_skips(run, span, rows, panel))
        dense_rows_skipping(run, span, panel);
    else
        dense_span(run, span, panel);
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
    for (size_t panel = 0; panel < panel_count(y->channels); panel++)
        op_epilogue(run, span.first, span.count, panel * PANEL_COLUMNS,
                    panel_width(y->channels, panel));
}

/* Softmax over the last dimension */

/* How many of the positions of span from p on lie in memory one stride apart: all, but where a row
 * shows memory that has padding at its end. */
static size_t adjoining(const struct op_input *input, struct op_span span, size_t p)
{
    const size_t positions = input->value->positions;
    const size_t rest = span.first + span.count - p, of_row = positions - p % positions;
    return input->row == positions * input->value->stride || rest < of_row ? rest : of_row;
}

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
