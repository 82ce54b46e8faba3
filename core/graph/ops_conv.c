/* Convolution, and pooling: what its windows see comes from a slab. A convolution goes through the
 * same panels and the same GEMM as a dense layer, its chain in the order kernel depth, height,
 * width, then channel; a depthwise one multiplies channel by channel. */
#include <math.h>
#include <string.h>

#include "panel.h"
#include "slab.h"

static struct op_span tile_span(const struct op_run *run, const struct slab_tile *tile)
{
    return (struct op_span){tile->row * run->output->positions + tile->first,
                            tile->lines * tile->width};
}

/* A tile of whole pixels, all their channels. */
static size_t pixel_tiles(const struct node *node, size_t rows)
{
    return rows * slab_tiles(&node->window);
}

static void finish_pixels(const struct op_run *run, struct op_span span)
{
    const size_t channels = run->output->channels;
    for (size_t panel = 0; panel < panel_count(channels); panel++)
        op_epilogue(run, span.first, span.count, panel * PANEL_COLUMNS,
                    panel_width(channels, panel));
}

/* Convolution */

size_t op_tiles_conv(const struct graph *graph, const struct node *node, size_t rows)
{
    (void)graph;
    return pixel_tiles(node, rows) * (node->groups > 1 ? 1 : panel_count(node->n));
}

size_t conv_scratch(const struct graph *graph, const struct node *node)
{
    const size_t made = node->groups > 1 ? SLAB_PIXELS * panel_padded(node->n / node->groups) : 0;
    return made + slab_scratch(graph, node);
}

/* Groups end inside a vector: each is computed aside and copied to its place. */
static void conv_groups(struct op_run *run, const struct slab_tile *tile)
{
    const struct node *node = run->node;
    const struct op_span span = tile_span(run, tile);
    const size_t n = node->n / node->groups, stride = panel_padded(n);
    float *y = run->y + span.first * run->output->stride, *made = run->scratch;
    struct op_run rest = *run;
    rest.scratch += SLAB_PIXELS * stride;
    const struct slab slab = slab_open(&rest, tile, 0.0f, false);
    for (size_t group = 0; group < node->groups; group++, y += n) {
        for (size_t panel = 0; panel < panel_count(n); panel++) {
            struct gemm gemm = op_panel(node, group, panel);
            gemm.x = slab.view;
            gemm.y = made + panel * PANEL_COLUMNS;
            gemm.y_stride = stride;
            run->kernels->gemm(&gemm);
        }
        for (size_t i = 0; i < span.count; i++)
            memcpy(y + i * run->output->stride, made + i * stride, n * sizeof *y);
        for (size_t t = 0; t < slab.view.taps; t++)
            slab.taps[t] += (ptrdiff_t)slab.view.length;
    }
    finish_pixels(run, span);
}

void op_run_conv(struct op_run *run, size_t tile)
{
    const size_t panels = panel_count(run->node->n);
    if (run->node->groups > 1) {
        const struct slab_tile whole = slab_tile(run, tile);
        conv_groups(run, &whole);
        return;
    }
    const struct slab_tile pixels = slab_tile(run, tile / panels);
    const struct slab slab = slab_open(run, &pixels, 0.0f, false);
    op_gemm(run, tile % panels, tile_span(run, &pixels), &slab.view);
}

/* Depthwise */

size_t op_tiles_depthwise(const struct graph *graph, const struct node *node, size_t rows)
{
    (void)graph;
    return pixel_tiles(node, rows);
}

void op_run_depthwise(struct op_run *run, size_t tile)
{
    const struct node *node = run->node;
    const struct slab_tile pixels = slab_tile(run, tile);
    const struct slab slab = slab_open(run, &pixels, 0.0f, true);
    const struct op_span span = tile_span(run, &pixels);
    const size_t stride = run->output->stride;
    run->kernels->depthwise(&slab.view, node->panels, node->bias, run->y + span.first * stride,
                            stride);
    finish_pixels(run, span);
}

/* Pooling */

size_t op_tiles_max_pool(const struct graph *graph, const struct node *node, size_t rows)
{
    (void)graph;
    return pixel_tiles(node, rows);
}

size_t op_tiles_average_pool(const struct graph *graph, const struct node *node, size_t rows)
{
    (void)graph;
    return pixel_tiles(node, rows);
}

void op_run_max_pool(struct op_run *run, size_t tile)
{
    const struct slab_tile pixels = slab_tile(run, tile);
    const struct slab slab = slab_open(run, &pixels, -INFINITY, true);
    const size_t stride = run->output->stride;
    run->kernels->max(&slab.view, run->y + tile_span(run, &pixels).first * stride, stride);
}

/* How many taps of a window at place lie in the image along an axis, or in the image with its
 * padding. */
static size_t axis_taps(const struct window *window, size_t axis, size_t place)
{
    const size_t pad = window->pad[axis], in = window->in[axis];
    const size_t from = window->count_pad ? 0 : pad;
    const size_t end = pad + in + (window->count_pad ? window->pad_end[axis] : 0);
    size_t count = 0;
    for (size_t k = 0; k < window->kernel[axis]; k++) {
        const size_t at = place * window->step[axis] + k * window->dilation[axis];
        count += at >= from && at < end;
    }
    return count;
}

/* What the sums of a tile's windows are divided by. */
static void count_taps(const struct window *window, const struct slab_tile *tile, float *divisors)
{
    for (size_t i = 0; i < tile->lines; i++) {
        const size_t lines =
            axis_taps(window, 0, tile->place[0]) * axis_taps(window, 1, tile->place[1] + i);
        for (size_t j = 0; j < tile->width; j++)
            *divisors++ = (float)(lines * axis_taps(window, 2, tile->place[2] + j));
    }
}

void op_run_average_pool(struct op_run *run, size_t tile)
{
    float divisors[SLAB_PIXELS];
    const struct slab_tile pixels = slab_tile(run, tile);
    const struct slab slab = slab_open(run, &pixels, 0.0f, true);
    const size_t stride = run->output->stride;
    count_taps(&run->node->window, &pixels, divisors);
    run->kernels->average(&slab.view, divisors, run->y + tile_span(run, &pixels).first * stride,
                          stride);
}
