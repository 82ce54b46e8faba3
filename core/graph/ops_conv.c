/* Convolution: the pixels of a tile are gathered side by side (kernel depth, height, width, then
 * channel: the order of the chain) and go through the same panels and the same GEMM as a dense
 * layer. A 1x1 convolution needs no gathering. A depthwise one multiplies channel by channel. */
#include <string.h>

#include "ops.h"
#include "panel.h"

/* Floats a tile may gather: half of a small L2. */
enum { GATHER_FLOATS = 128 * 1024 };

size_t conv_tile_pixels(const struct node *node)
{
    size_t pixels = GATHER_FLOATS / node->k / 6 * 6;
    return pixels < 6 ? 6 : pixels > OP_TILE_ROWS ? OP_TILE_ROWS : pixels;
}

static size_t pixel_blocks(const struct value *output, size_t pixels)
{
    return (output->positions + pixels - 1) / pixels;
}

/* Where a tile lies: a row, and some of its output pixels. */
struct pixels {
    size_t row, first, count;
};

static struct pixels tile_pixels(const struct value *output, size_t pixels, size_t tile)
{
    size_t blocks = pixel_blocks(output, pixels);
    size_t first = tile % blocks * pixels;
    size_t rest = output->positions - first;
    return (struct pixels){tile / blocks, first, rest < pixels ? rest : pixels};
}

/* The panels of a block of pixels are tiles of their own; groups are not. */
static size_t conv_panels(const struct node *node)
{
    return node->groups > 1 ? 1 : panel_count(node->n);
}

size_t op_tiles_conv(const struct graph *graph, const struct node *node, size_t rows)
{
    const size_t blocks = pixel_blocks(&graph->values[node->output], conv_tile_pixels(node));
    return rows * blocks * conv_panels(node);
}

/* The output pixel's place along each axis. */
static void pixel_place(const struct window *window, size_t pixel, size_t place[GRAPH_SPATIAL_MAX])
{
    place[2] = pixel % window->out[2];
    place[1] = pixel / window->out[2] % window->out[1];
    place[0] = pixel / window->out[2] / window->out[1];
}

/* Along one axis, the input pixel under a tap of the window at place: beyond all of them in the
 * padding, and where a transposed convolution passes between two pixels. */
static size_t axis_pixel(const struct window *window, size_t axis, size_t place, size_t tap)
{
    const size_t step = window->step[axis], offset = tap * window->dilation[axis];
    if (!window->transposed)
        return place * step + offset - window->pad[axis];
    const size_t at = place + window->pad[axis] - offset;
    return at % step ? SIZE_MAX : at / step;
}

/* An index that no image has. */
#define NO_PIXEL UINT32_MAX

static size_t tap_count(const struct window *window)
{
    return window->kernel[0] * window->kernel[1] * window->kernel[2];
}

/* Lists the input pixel under each tap of the window at an output pixel; NO_PIXEL in the padding.
 */
static void list_pixels(const struct window *window, size_t pixel, uint32_t *to)
{
    const size_t *kernel = window->kernel, *in = window->in;
    size_t place[GRAPH_SPATIAL_MAX];
    pixel_place(window, pixel, place);
    for (size_t d = 0; d < kernel[0]; d++) {
        const size_t z = axis_pixel(window, 0, place[0], d);
        for (size_t h = 0; h < kernel[1]; h++) {
            const size_t y = axis_pixel(window, 1, place[1], h);
            const bool inside = z < in[0] && y < in[1];
            const size_t line = inside ? (z * in[1] + y) * in[2] : 0;
            for (size_t w = 0; w < kernel[2]; w++) {
                const size_t x = axis_pixel(window, 2, place[2], w);
                *to++ = inside && x < in[2] ? (uint32_t)(line + x) : NO_PIXEL;
            }
        }
    }
}

static void gather(const struct op_run *run, const struct pixels *pixels, size_t group, float *to)
{
    const struct window *window = &run->node->window;
    const struct value *x = run->inputs[0].value;
    const size_t channels = x->channels / run->node->groups, taps = tap_count(window);
    const float *row = run->inputs[0].data + pixels->row * run->inputs[0].row + group * channels;
    for (size_t i = 0; i < pixels->count; i++) {
        list_pixels(window, pixels->first + i, run->index);
        for (size_t tap = 0; tap < taps; tap++, to += channels) {
            const uint32_t pixel = run->index[tap];
            if (pixel == NO_PIXEL)
                memset(to, 0, channels * sizeof *to);
            else
                memcpy(to, row + pixel * x->stride, channels * sizeof *to);
        }
    }
}

static bool is_pointwise(const struct node *node)
{
    const struct window *w = &node->window;
    bool pointwise = node->groups == 1 && !w->transposed;
    for (size_t axis = 0; axis < GRAPH_SPATIAL_MAX; axis++)
        pointwise &= w->kernel[axis] == 1 && w->step[axis] == 1 && w->in[axis] == w->out[axis];
    return pointwise;
}

/* Groups end inside a vector: each is computed aside and copied to its place. */
static void conv_groups(const struct op_run *run, const struct pixels *pixels, float *y)
{
    const struct node *node = run->node;
    const size_t n = node->n / node->groups, stride = panel_padded(n);
    float *gathered = run->scratch;
    float *made = gathered + conv_tile_pixels(node) * node->k;
    for (size_t group = 0; group < node->groups; group++) {
        gather(run, pixels, group, gathered);
        for (size_t panel = 0; panel < panel_count(n); panel++) {
            struct gemm gemm = op_panel(node, group, panel);
            gemm.rows = pixels->count;
            gemm.x = gathered;
            gemm.x_stride = node->k;
            gemm.y = made + panel * PANEL_COLUMNS;
            gemm.y_stride = stride;
            run->kernels->gemm(&gemm);
        }
        for (size_t i = 0; i < pixels->count; i++)
            memcpy(y + i * run->output->stride + group * n, made + i * stride, n * sizeof *y);
    }
}

static void finish_pixels(const struct op_run *run, const struct pixels *pixels)
{
    size_t first = pixels->row * run->output->positions + pixels->first;
    for (size_t channel = 0; channel < run->output->stride; channel += PANEL_COLUMNS) {
        size_t rest = run->output->stride - channel;
        op_epilogue(run, first, pixels->count, channel,
                    rest < PANEL_COLUMNS ? rest : PANEL_COLUMNS);
    }
}

static float *pixels_output(const struct op_run *run, const struct pixels *pixels)
{
    return run->y + (pixels->row * run->output->positions + pixels->first) * run->output->stride;
}

/* Gathers a block of pixels, unless it is the one the scratch holds. */
static void hold_pixels(struct op_run *run, const struct pixels *pixels, size_t block)
{
    if (run->held != block)
        gather(run, pixels, 0, run->scratch);
    run->held = block;
}

void op_run_conv(struct op_run *run, size_t tile)
{
    const struct node *node = run->node;
    const struct value *x = run->inputs[0].value;
    const size_t panels = conv_panels(node), block = tile / panels;
    const struct pixels pixels = tile_pixels(run->output, conv_tile_pixels(node), block);
    const struct op_span span = {pixels.row * run->output->positions + pixels.first, pixels.count};
    if (node->groups > 1) {
        conv_groups(run, &pixels, pixels_output(run, &pixels));
        finish_pixels(run, &pixels);
    } else if (is_pointwise(node)) {
        const float *row = run->inputs[0].data + pixels.row * run->inputs[0].row;
        op_gemm(run, tile % panels, span, row + pixels.first * x->stride, x->stride);
    } else {
        hold_pixels(run, &pixels, block);
        op_gemm(run, tile % panels, span, run->scratch, node->k);
    }
}

/* Depthwise and pooling: the taps of a window as pointers */

size_t op_tiles_depthwise(const struct graph *graph, const struct node *node, size_t rows)
{
    return rows * pixel_blocks(&graph->values[node->output], OP_TILE_ROWS);
}

/* The input pixels under the window at an output pixel, and the tap of each; returns how many. */
static size_t list_taps(const struct op_run *run, const struct pixels *pixels, size_t i,
                        const float **from, uint32_t *taps)
{
    const struct window *window = &run->node->window;
    const float *row = run->inputs[0].data + pixels->row * run->inputs[0].row;
    const size_t stride = run->inputs[0].value->stride;
    size_t count = 0;
    list_pixels(window, pixels->first + i, taps);
    for (uint32_t tap = 0; tap < tap_count(window); tap++) {
        if (taps[tap] == NO_PIXEL)
            continue;
        from[count] = row + taps[tap] * stride;
        taps[count++] = tap;
    }
    return count;
}

void op_run_depthwise(struct op_run *run, size_t tile)
{
    const struct node *node = run->node;
    const size_t stride = run->output->stride, taps = tap_count(&node->window);
    struct pixels pixels = tile_pixels(run->output, OP_TILE_ROWS, tile);
    float *y = pixels_output(run, &pixels);
    const float **from = (const float **)(void *)run->scratch;
    const float **weights = from + taps;
    for (size_t i = 0; i < pixels.count; i++, y += stride) {
        size_t count = list_taps(run, &pixels, i, from, run->index);
        for (size_t t = 0; t < count; t++)
            weights[t] = node->panels + run->index[t] * stride;
        run->kernels->depthwise(stride, count, from, weights, node->bias, y);
    }
    finish_pixels(run, &pixels);
}

size_t op_tiles_max_pool(const struct graph *graph, const struct node *node, size_t rows)
{
    return op_tiles_depthwise(graph, node, rows);
}

size_t op_tiles_average_pool(const struct graph *graph, const struct node *node, size_t rows)
{
    return op_tiles_depthwise(graph, node, rows);
}

void op_run_max_pool(struct op_run *run, size_t tile)
{
    struct pixels pixels = tile_pixels(run->output, OP_TILE_ROWS, tile);
    float *y = pixels_output(run, &pixels);
    const float **from = (const float **)(void *)run->scratch;
    for (size_t i = 0; i < pixels.count; i++, y += run->output->stride) {
        size_t count = list_taps(run, &pixels, i, from, run->index);
        run->kernels->max(run->output->stride, count, from, y);
    }
}

/* How much of the window at an output pixel lies inside the padded image. */
static size_t padded_taps(const struct window *window, size_t pixel)
{
    size_t place[GRAPH_SPATIAL_MAX], count = 1;
    pixel_place(window, pixel, place);
    for (size_t axis = 0; axis < GRAPH_SPATIAL_MAX; axis++) {
        size_t end = window->pad[axis] + window->in[axis] + window->pad_end[axis], inside = 0;
        for (size_t k = 0; k < window->kernel[axis]; k++)
            inside += place[axis] * window->step[axis] + k * window->dilation[axis] < end;
        count *= inside;
    }
    return count;
}

void op_run_average_pool(struct op_run *run, size_t tile)
{
    const struct window *window = &run->node->window;
    struct pixels pixels = tile_pixels(run->output, OP_TILE_ROWS, tile);
    float *y = pixels_output(run, &pixels);
    const float **from = (const float **)(void *)run->scratch;
    for (size_t i = 0; i < pixels.count; i++, y += run->output->stride) {
        size_t count = list_taps(run, &pixels, i, from, run->index);
        size_t divisor = window->count_pad ? padded_taps(window, pixels.first + i) : count;
        run->kernels->average(run->output->stride, count, from, (float)divisor, y);
    }
}
