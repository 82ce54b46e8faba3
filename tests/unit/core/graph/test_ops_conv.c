/* Convolution and pooling over random shapes, in one, two and three dimensions, against plain loops
 * over the ONNX order. Loops call an assertion only on failure. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "isas.h"
#include "onnx_builder.h"
#include "randoms.h"
#include "reference.h"

enum { AXES_MAX = 3, ROWS = 3, SHAPES = 60 };

/* A window over an image, both of so many axes. */
struct window_case {
    size_t axes, channels;
    size_t in[AXES_MAX], kernel[AXES_MAX], step[AXES_MAX], dilation[AXES_MAX];
    size_t pad[AXES_MAX], pad_end[AXES_MAX], out[AXES_MAX];
    bool ceil; /* the last window may reach beyond the padding, if it begins before it */
};

static size_t product(const size_t *factors, size_t count)
{
    size_t result = 1;
    for (size_t i = 0; i < count; i++)
        result *= factors[i];
    return result;
}

/* What a line has more than it needs: often enough to be several register tiles, now and then to be
 * longer than a tile. */
static size_t draw_length(struct randoms *random)
{
    const size_t draw = random_between(random, 0, 7);
    return draw == 0 ? 400 : draw <= 3 ? 40 : 6;
}

/* Padding is less than the window, and the image padded is no smaller. */
static void draw_axis(struct window_case *c, size_t axis, struct randoms *random)
{
    c->kernel[axis] = random_between(random, 1, 4);
    c->dilation[axis] = random_between(random, 1, 3);
    c->step[axis] = random_between(random, 1, 3);
    const size_t reach = (c->kernel[axis] - 1) * c->dilation[axis];
    c->pad[axis] = random_between(random, 0, reach);
    c->pad_end[axis] = random_between(random, 0, reach);
    const size_t pads = c->pad[axis] + c->pad_end[axis];
    const size_t least = reach + 1 > pads ? reach + 1 - pads : 1;
    const size_t most = axis + 1 == c->axes ? draw_length(random) : 6;
    c->in[axis] = random_between(random, least, least + most);
    const size_t beyond = c->ceil ? c->step[axis] - 1 : 0;
    size_t steps = (c->in[axis] + pads - reach - 1 + beyond) / c->step[axis];
    while (c->ceil && steps * c->step[axis] >= c->pad[axis] + c->in[axis])
        steps--;
    c->out[axis] = steps + 1;
}

static struct window_case draw_window(size_t axes, size_t channels, bool ceil,
                                      struct randoms *random)
{
    struct window_case c = {.axes = axes, .channels = channels, .ceil = ceil};
    for (size_t i = 0; i < axes; i++)
        draw_axis(&c, i, random);
    return c;
}

static void places(const size_t *sizes, size_t axes, size_t index, size_t place[AXES_MAX])
{
    for (size_t i = axes; i-- > 0; index /= sizes[i])
        place[i] = index % sizes[i];
}

/* The pixel of the image under that tap of the window at that output pixel; false in the padding.
 */
static bool tap_pixel(const struct window_case *c, size_t output, size_t tap, size_t *pixel)
{
    size_t at[AXES_MAX], offset[AXES_MAX];
    places(c->out, c->axes, output, at);
    places(c->kernel, c->axes, tap, offset);
    *pixel = 0;
    for (size_t i = 0; i < c->axes; i++) {
        const size_t place = at[i] * c->step[i] + offset[i] * c->dilation[i];
        if (place < c->pad[i] || place >= c->pad[i] + c->in[i])
            return false;
        *pixel = *pixel * c->in[i] + place - c->pad[i];
    }
    return true;
}

/* The model: x -> one node -> y */

static void set_window(struct onnx_builder *onnx, Onnx__NodeProto *node,
                       const struct window_case *c)
{
    int64_t kernel[AXES_MAX], step[AXES_MAX], dilation[AXES_MAX], pads[2 * AXES_MAX];
    for (size_t i = 0; i < c->axes; i++) {
        kernel[i] = (int64_t)c->kernel[i];
        step[i] = (int64_t)c->step[i];
        dilation[i] = (int64_t)c->dilation[i];
        pads[i] = (int64_t)c->pad[i];
        pads[c->axes + i] = (int64_t)c->pad_end[i];
    }
    onnx_int_list(onnx, node, "kernel_shape", c->axes, kernel);
    onnx_int_list(onnx, node, "strides", c->axes, step);
    onnx_int_list(onnx, node, "dilations", c->axes, dilation);
    onnx_int_list(onnx, node, "pads", 2 * c->axes, pads);
}

static Onnx__NodeProto *build(struct onnx_builder *onnx, const struct window_case *c,
                              const char *op, const char *inputs)
{
    int64_t dims[2 + AXES_MAX] = {-1, (int64_t)c->channels};
    for (size_t i = 0; i < c->axes; i++)
        dims[2 + i] = (int64_t)c->in[i];
    onnx_open(onnx);
    onnx_input(onnx, "x", 2 + c->axes, dims);
    onnx_output(onnx, "y");
    Onnx__NodeProto *node = onnx_node(onnx, op, "", inputs, "y");
    set_window(onnx, node, c);
    return node;
}

static float *draw(size_t count, enum random_kind kind, struct randoms *random)
{
    float *x = malloc(count * sizeof *x);
    random_floats(random, kind, x, count);
    return x;
}

/* Rows of random images, and what the model makes of them on some kernels. */
struct trial {
    struct window_case window;
    struct model model;
    const struct kernels *kernels;
    float *x, *y; /* [ROWS, channels, pixels] */
};

static void trial_run(struct trial *trial, struct onnx_builder *onnx, enum random_kind kind,
                      struct randoms *random)
{
    struct error error;
    cr_assert(onnx_load(onnx, &trial->model, &error) == STATUS_OK, "%s", error.message);
    trial->x = draw(ROWS * trial->model.inputs[0].features, kind, random);
    trial->y = malloc(ROWS * trial->model.outputs[0].features * sizeof *trial->y);
    model_run_on(&trial->model, trial->kernels, trial->x, ROWS, trial->y);
}

static void trial_close(struct trial *trial)
{
    free(trial->x);
    free(trial->y);
    model_close(&trial->model);
}

/* Convolution */

/* What the convolution has besides its window; k inputs to each of n outputs. */
struct conv_case {
    size_t n, groups, k;
    float *weights, *bias; /* [n, channels of a group, taps], [n] */
};

/* Now and then so many that pixels lie further apart than they need. */
static size_t draw_channels(size_t most, struct randoms *random)
{
    return random_between(random, 0, 3) == 0 ? 512 : random_between(random, 1, most);
}

/* One group, several, or one for each channel. */
static void draw_groups(struct trial *trial, struct conv_case *conv, struct randoms *random)
{
    const size_t kind = random_between(random, 0, 2);
    conv->groups = kind == 0   ? 1
                   : kind == 1 ? random_between(random, 2, 4)
                               : draw_channels(40, random);
    const size_t channels = kind == 2 ? 1 : random_between(random, 1, kind == 0 ? 40 : 6);
    conv->n = conv->groups * (kind == 2   ? 1
                              : kind == 1 ? random_between(random, 1, 20)
                                          : draw_channels(300, random));
    trial->window =
        draw_window(random_between(random, 1, AXES_MAX), conv->groups * channels, false, random);
    conv->k = channels * product(trial->window.kernel, trial->window.axes);
    conv->weights = draw(conv->n * conv->k, RANDOM_SMALL, random);
    conv->bias = draw(conv->n, RANDOM_SMALL, random);
}

static void add_weights(struct onnx_builder *onnx, Onnx__NodeProto *node,
                        const struct window_case *c, const struct conv_case *conv)
{
    int64_t dims[2 + AXES_MAX] = {(int64_t)conv->n, (int64_t)(c->channels / conv->groups)};
    for (size_t i = 0; i < c->axes; i++)
        dims[2 + i] = (int64_t)c->kernel[i];
    onnx_int(onnx, node, "group", (int64_t)conv->groups);
    onnx_initializer(onnx, onnx_floats(onnx, "w", 2 + c->axes, dims, conv->weights));
    onnx_initializer(onnx, onnx_floats(onnx, "b", 1, dims, conv->bias));
}

/* The k inputs and weights of channel j at an output pixel, in the order of the chain. */
static void gather(const struct trial *trial, const struct conv_case *conv, size_t row, size_t j,
                   size_t output, float *x, float *weights)
{
    const struct window_case *c = &trial->window;
    const size_t taps = product(c->kernel, c->axes), pixels = product(c->in, c->axes);
    const size_t channels = c->channels / conv->groups, group = j / (conv->n / conv->groups);
    for (size_t tap = 0; tap < taps; tap++) {
        size_t pixel;
        const bool inside = tap_pixel(c, output, tap, &pixel);
        const float *from = trial->x + (row * c->channels + group * channels) * pixels + pixel;
        for (size_t i = 0; i < channels; i++) {
            *x++ = inside ? from[i * pixels] : 0.0f;
            *weights++ = conv->weights[(j * channels + i) * taps + tap];
        }
    }
}

static void check_channel(const struct trial *trial, const struct conv_case *conv, size_t row,
                          size_t j, float *x, float *weights)
{
    const size_t outputs = product(trial->window.out, trial->window.axes);
    const float *y = trial->y + (row * conv->n + j) * outputs;
    for (size_t i = 0; i < outputs; i++) {
        gather(trial, conv, row, j, i, x, weights);
        const struct bounded sum = reference_dot(conv->k, x, weights, 1, conv->bias[j]);
        const float chain =
            reference_chain(reference_fused(trial->kernels), conv->k, x, weights, 1, conv->bias[j]);
        if (fabs((double)y[i] - sum.value) > sum.bound || !reference_same(&y[i], &chain, 1))
            cr_assert_fail("%s: %zu axes, %zu channels, %zu groups: y[%zu, %zu, %zu] is %a, "
                           "expected %a, nearly %a",
                           trial->kernels->name, trial->window.axes, trial->window.channels,
                           conv->groups, row, j, i, (double)y[i], (double)chain, sum.value);
    }
}

static void check_conv(const struct kernels *kernels, struct randoms *random)
{
    struct trial trial = {.kernels = kernels};
    struct conv_case conv;
    struct onnx_builder onnx;
    draw_groups(&trial, &conv, random);
    add_weights(&onnx, build(&onnx, &trial.window, "Conv", "x w b"), &trial.window, &conv);
    trial_run(&trial, &onnx, RANDOM_SMALL, random);
    float *x = malloc(conv.k * sizeof *x), *weights = malloc(conv.k * sizeof *weights);
    for (size_t row = 0; row < ROWS; row++)
        for (size_t j = 0; j < conv.n; j++)
            check_channel(&trial, &conv, row, j, x, weights);
    free(x);
    free(weights);
    free(conv.weights);
    free(conv.bias);
    trial_close(&trial);
    onnx_close(&onnx);
}

static void check_convs(const struct kernels *kernels)
{
    struct randoms random = {31};
    for (size_t i = 0; i < SHAPES; i++)
        check_conv(kernels, &random);
}

Test(ops_conv, convolutions_are_the_chain_of_plain_loops)
{
    for_each_isa(check_convs);
}

/* Pooling */

static float max_of(const struct window_case *c, const float *x, size_t output)
{
    float most = -INFINITY;
    for (size_t tap = 0, pixel; tap < product(c->kernel, c->axes); tap++)
        if (tap_pixel(c, output, tap, &pixel) && !isnan(most))
            most = x[pixel] <= most ? most : x[pixel];
    return most;
}

/* Whether a tap is on the image or in its padding, not beyond. */
static bool in_padded(const struct window_case *c, size_t output, size_t tap)
{
    size_t at[AXES_MAX], offset[AXES_MAX];
    bool inside = true;
    places(c->out, c->axes, output, at);
    places(c->kernel, c->axes, tap, offset);
    for (size_t i = 0; i < c->axes; i++)
        inside &=
            at[i] * c->step[i] + offset[i] * c->dilation[i] < c->pad[i] + c->in[i] + c->pad_end[i];
    return inside;
}

static float average_of(const struct window_case *c, bool count_pad, const float *x, size_t output)
{
    float sum = 0.0f;
    size_t count = 0;
    for (size_t tap = 0, pixel; tap < product(c->kernel, c->axes); tap++) {
        const bool inside = tap_pixel(c, output, tap, &pixel);
        sum += inside ? x[pixel] : 0.0f;
        count += count_pad ? in_padded(c, output, tap) : inside;
    }
    return sum / (float)count;
}

static void check_pool(const struct kernels *kernels, bool average, struct randoms *random)
{
    const bool count_pad = average && random_between(random, 0, 1);
    struct trial trial = {.kernels = kernels};
    struct onnx_builder onnx;
    const size_t axes = random_between(random, 1, AXES_MAX), channels = draw_channels(40, random);
    struct window_case *c = &trial.window;
    *c = draw_window(axes, channels, random_between(random, 0, 1), random);
    Onnx__NodeProto *node = build(&onnx, c, average ? "AveragePool" : "MaxPool", "x");
    onnx_int(&onnx, node, "ceil_mode", c->ceil);
    if (average)
        onnx_int(&onnx, node, "count_include_pad", count_pad);
    trial_run(&trial, &onnx, RANDOM_WILD, random);
    const size_t pixels = product(c->in, axes), outputs = product(c->out, axes);
    for (size_t i = 0; i < ROWS * channels * outputs; i++) {
        const float *x = trial.x + i / outputs * pixels;
        const float expected =
            average ? average_of(c, count_pad, x, i % outputs) : max_of(c, x, i % outputs);
        if (!reference_same(&trial.y[i], &expected, 1))
            cr_assert_fail("%s: %zu axes, %zu channels: y[%zu] is %a, expected %a", kernels->name,
                           axes, channels, i, (double)trial.y[i], (double)expected);
    }
    trial_close(&trial);
    onnx_close(&onnx);
}

static void check_pools(const struct kernels *kernels)
{
    struct randoms random = {32};
    for (size_t i = 0; i < 2 * SHAPES; i++)
        check_pool(kernels, i % 2, &random);
}

Test(ops_conv, pools_are_those_of_plain_loops)
{
    for_each_isa(check_pools);
}
