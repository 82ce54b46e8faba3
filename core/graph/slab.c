#include "slab.h"

#include <string.h>

#include "panel.h"

/* Floats that a tile should not read more of: a part of a core's second cache. */
enum { SLAB_FLOATS = 1 << 17, AXES = GRAPH_SPATIAL_MAX };

/* Windows see the image along an axis as a line of points. For a convolution these are its pixels;
 * for a transposed one, which passes between them, zeros lie between the pixels, and the window's
 * taps go backwards. */

/* From one output pixel's window to the next. */
static size_t point_step(const struct window *window, size_t axis)
{
    return window->transposed ? 1 : window->step[axis];
}

/* From one pixel of the image to the next. */
static size_t pixel_step(const struct window *window, size_t axis)
{
    return window->transposed ? window->step[axis] : 1;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Points under one window. */
static size_t reach(const struct window *window, size_t axis)
{
    return (window->kernel[axis] - 1) * window->dilation[axis] + 1;
}

/* Points under the windows of so many output pixels. */
static size_t span(const struct window *window, size_t axis, size_t count)
{
    return (count - 1) * point_step(window, axis) + reach(window, axis);
}

/* The first point under the window at place; negative in the padding. */
static ptrdiff_t first_point(const struct window *window, size_t axis, size_t place)
{
    const ptrdiff_t pad = (ptrdiff_t)window->pad[axis];
    if (window->transposed)
        return (ptrdiff_t)place + pad - (ptrdiff_t)reach(window, axis) + 1;
    return (ptrdiff_t)(place * window->step[axis]) - pad;
}

/* The pixel at a point, or SIZE_MAX. */
static size_t pixel_at(const struct window *window, size_t axis, ptrdiff_t point)
{
    const size_t step = pixel_step(window, axis);
    if (point < 0 || (size_t)point % step != 0 || (size_t)point / step >= window->in[axis])
        return SIZE_MAX;
    return (size_t)point / step;
}

/* How far behind a window's first point a tap is. */
static size_t tap_point(const struct window *window, size_t axis, size_t tap)
{
    const size_t at = tap * window->dilation[axis];
    return window->transposed ? reach(window, axis) - 1 - at : at;
}

static size_t tap_count(const struct window *window)
{
    return window->kernel[0] * window->kernel[1] * window->kernel[2];
}

/* Tiles */

static size_t pieces(size_t whole, size_t most)
{
    return (whole + most - 1) / most;
}

static size_t slab_floats(const struct window *window, size_t stride, size_t lines, size_t width)
{
    return reach(window, 0) * span(window, 1, lines) * span(window, 2, width) * stride;
}

/* Points that the windows of so many output pixels read: windows may leave some out. */
static size_t points_read(const struct window *window, size_t axis, size_t count)
{
    return smaller(span(window, axis, count), count * reach(window, axis));
}

static bool fits(const struct window *window, size_t stride, size_t lines, size_t width)
{
    return reach(window, 0) * points_read(window, 1, lines) * points_read(window, 2, width) *
               stride <=
           SLAB_FLOATS;
}

void slab_cut(struct window *window, size_t stride)
{
    const size_t *out = window->out;
    /* What would be one large tile becomes two, for two to work at. */
    const size_t pixels = out[1] * out[2] > SLAB_PIXELS ? SLAB_PIXELS : SLAB_PIXELS / 2;
    struct window_cut cut = {.lines = 1, .width = smaller(out[2], pixels)};
    while (cut.width > 1 && !fits(window, stride, 1, cut.width))
        cut.width = pieces(cut.width, 2);
    cut.across = pieces(out[2], cut.width);
    cut.width = pieces(out[2], cut.across);
    if (cut.across == 1) {
        const size_t most = pixels / cut.width;
        cut.lines = out[1] < most ? out[1] : most;
        while (cut.lines > 1 && !fits(window, stride, cut.lines, cut.width))
            cut.lines--;
    }
    cut.down = pieces(out[1], cut.lines);
    cut.lines = pieces(out[1], cut.down);
    window->cut = cut;
}

size_t slab_tiles(const struct window *window)
{
    return window->out[0] * window->cut.down * window->cut.across;
}

/* Whether no window reaches into padding, and none sees zeros between pixels. */
static bool is_plain(const struct window *window)
{
    bool plain = !window->transposed;
    for (size_t axis = 0; axis < AXES; axis++)
        plain &=
            window->pad[axis] == 0 && span(window, axis, window->out[axis]) <= window->in[axis];
    return plain;
}

/* Floats of the slab, as many as vectors need to lie in whole lines of the cache. */
static size_t copied_floats(const struct window *window, size_t stride)
{
    if (is_plain(window))
        return 0;
    return panel_padded(slab_floats(window, stride, window->cut.lines, window->cut.width));
}

struct slab_tile slab_tile(const struct op_run *run, size_t tile)
{
    const struct window *window = &run->node->window;
    const size_t *out = window->out;
    const size_t stride = run->inputs[0].value->stride;
    const struct window_cut cut = window->cut;
    const size_t line = tile / cut.across;
    struct slab_tile made = {.index = tile,
                             .row = line / cut.down / out[0],
                             .slab_floats = copied_floats(window, stride)};
    made.place[0] = line / cut.down % out[0];
    made.place[1] = line % cut.down * cut.lines;
    made.place[2] = tile % cut.across * cut.width;
    made.lines = smaller(cut.lines, out[1] - made.place[1]);
    made.width = smaller(cut.width, out[2] - made.place[2]);
    made.first = (made.place[0] * out[1] + made.place[1]) * out[2] + made.place[2];
    return made;
}

size_t slab_scratch(const struct graph *graph, const struct node *node)
{
    const struct window *window = &node->window;
    const size_t pointers = window->cut.lines * window->cut.width + tap_count(window);
    return copied_floats(window, graph->values[node->inputs[0]].stride) +
           pointers * sizeof(float *) / sizeof(float);
}

/* The copy */

/* Some points of the image, or of a slab: a pixel, a line and a plane lie that many floats apart.
 */
struct points {
    const float *first;
    size_t pixel, line, plane;
};

static void fill(float *to, size_t count, float pad)
{
    if (pad == 0.0f && count >= 16) { /* a call costs as much */
        memset(to, 0, count * sizeof *to);
        return;
    }
    for (size_t i = 0; i < count; i++)
        to[i] = pad;
}

/* count points of a line of the image from point on. */
static void copy_line(const struct window *window, const float *line, size_t stride,
                      ptrdiff_t point, size_t count, float pad, float *to)
{
    const size_t step = pixel_step(window, 2), in = window->in[2];
    const ptrdiff_t last = point + (ptrdiff_t)count;
    size_t pixel = point < 0 ? 0 : pieces((size_t)point, step);
    const size_t end = last <= 0 ? 0 : smaller(in, pieces((size_t)last, step));
    if (step > 1 || pixel >= end) {
        fill(to, count * stride, pad);
        for (; pixel < end; pixel++)
            memcpy(to + ((ptrdiff_t)(pixel * step) - point) * (ptrdiff_t)stride,
                   line + pixel * stride, stride * sizeof *to);
        return;
    }
    const size_t before = (size_t)((ptrdiff_t)pixel - point), inside = end - pixel;
    fill(to, before * stride, pad);
    memcpy(to + before * stride, line + pixel * stride, inside * stride * sizeof *to);
    fill(to + (before + inside) * stride, (count - before - inside) * stride, pad);
}

/* The image under tile's windows, or padding, into points. */
static void copy_points(const struct window *window, const struct slab_tile *tile,
                        const struct points *image, float pad, const struct points *points,
                        float *to)
{
    const size_t lines = span(window, 1, tile->lines), width = span(window, 2, tile->width);
    ptrdiff_t point[AXES];
    for (size_t axis = 0; axis < AXES; axis++)
        point[axis] = first_point(window, axis, tile->place[axis]);
    for (size_t i = 0; i < reach(window, 0); i++) {
        const size_t z = pixel_at(window, 0, point[0] + (ptrdiff_t)i);
        for (size_t j = 0; j < lines; j++, to += points->line) {
            const size_t y = pixel_at(window, 1, point[1] + (ptrdiff_t)j);
            if (z == SIZE_MAX || y == SIZE_MAX)
                fill(to, points->line, pad);
            else
                copy_line(window, image->first + z * image->plane + y * image->line, image->pixel,
                          point[2], width, pad, to);
        }
    }
}

static struct points copy_slab(struct op_run *run, const struct slab_tile *tile,
                               const struct points *image, float pad)
{
    const struct window *window = &run->node->window;
    const size_t line = span(window, 2, tile->width) * image->pixel;
    const struct points points = {run->scratch, image->pixel, line,
                                  span(window, 1, tile->lines) * line};
    if (run->held != tile->index)
        copy_points(window, tile, image, pad, &points, run->scratch);
    run->held = tile->index;
    return points;
}

/* Whether every point under tile's windows is a pixel of the image. */
static bool lies_inside(const struct window *window, const struct slab_tile *tile)
{
    const size_t count[AXES] = {1, tile->lines, tile->width};
    bool inside = !window->transposed;
    for (size_t axis = 0; axis < AXES && inside; axis++) {
        const ptrdiff_t first = first_point(window, axis, tile->place[axis]);
        inside = first >= 0 && (size_t)first + span(window, axis, count[axis]) <= window->in[axis];
    }
    return inside;
}

/* The points that begin with the first one under tile's windows. */
static struct points tile_points(struct op_run *run, const struct slab_tile *tile, float pad)
{
    const struct window *window = &run->node->window;
    const struct op_input *x = &run->inputs[0];
    const size_t pixel = x->value->stride, line = window->in[2] * pixel;
    struct points image = {x->data + tile->row * x->row, pixel, line, window->in[1] * line};
    if (!lies_inside(window, tile))
        return copy_slab(run, tile, &image, pad);
    image.first += (size_t)first_point(window, 0, tile->place[0]) * image.plane +
                   (size_t)first_point(window, 1, tile->place[1]) * image.line +
                   (size_t)first_point(window, 2, tile->place[2]) * image.pixel;
    return image;
}

/* Views */

/* Where each output pixel's window begins. */
static void place_windows(const struct window *window, const struct slab_tile *tile,
                          const struct points *points, const float **to)
{
    const size_t right = point_step(window, 2) * points->pixel;
    for (size_t i = 0; i < tile->lines; i++) {
        const float *at = points->first + i * point_step(window, 1) * points->line;
        for (size_t j = 0; j < tile->width; j++, at += right)
            *to++ = at;
    }
}

/* How far behind its first point a window's taps are; of each line only the first when they are one
 * run. Returns how many. */
static size_t place_taps(const struct window *window, const struct points *points, bool joined,
                         ptrdiff_t *to)
{
    const size_t width = joined ? 1 : window->kernel[2];
    size_t count = 0;
    for (size_t d = 0; d < window->kernel[0]; d++)
        for (size_t h = 0; h < window->kernel[1]; h++)
            for (size_t w = 0; w < width; w++)
                to[count++] = (ptrdiff_t)(tap_point(window, 0, d) * points->plane +
                                          tap_point(window, 1, h) * points->line +
                                          tap_point(window, 2, w) * points->pixel);
    return count;
}

struct slab slab_open(struct op_run *run, const struct slab_tile *tile, float pad, bool apart)
{
    const struct node *node = run->node;
    const struct window *window = &node->window;
    const struct value *x = run->inputs[0].value;
    const float **windows = (const float **)(void *)(run->scratch + tile->slab_floats);
    ptrdiff_t *taps = (ptrdiff_t *)(void *)(windows + tile->lines * tile->width);
    const struct points points = tile_points(run, tile, pad);
    const size_t groups = node->groups > 1 ? node->groups : 1;
    const bool joined = !apart && groups == 1 && !window->transposed && window->dilation[2] == 1 &&
                        x->stride == x->channels;
    place_windows(window, tile, &points, windows);
    struct slab slab = {.view.rows = tile->lines * tile->width,
                        .view.x = windows,
                        .view.taps = place_taps(window, &points, joined, taps),
                        .view.at = taps,
                        .view.line = tile->width,
                        .view.apart = point_step(window, 2) * points.pixel,
                        .view.length = x->channels / groups,
                        .taps = taps};
    if (apart)
        slab.view.length = panel_padded(x->channels);
    if (joined)
        slab.view.length = window->kernel[2] * x->channels;
    return slab;
}
