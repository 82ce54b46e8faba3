#include "random_net.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "randoms.h"

struct name {
    char text[16];
};

/* What is being drawn: its tip is the value that the next block reads, an image of channels x size
 * x size pixels or, after flatten(), a vector of channels. */
struct drawing {
    struct onnx_builder *onnx;
    struct randoms random;
    struct name tip;
    size_t channels, size;
    unsigned names;
};

static size_t between(struct drawing *d, size_t low, size_t high)
{
    return random_between(&d->random, low, high);
}

static bool coin(struct drawing *d)
{
    return between(d, 0, 1);
}

static struct name new_name(struct drawing *d)
{
    struct name name;
    snprintf(name.text, sizeof name.text, "v%u", ++d->names);
    return name;
}

/* Adds a node that reads the values named (printf-like) and becomes the tip. */
__attribute__((format(printf, 3, 4))) static Onnx__NodeProto *follow(struct drawing *d,
                                                                     const char *op,
                                                                     const char *inputs, ...)
{
    char names[128];
    va_list arguments;
    va_start(arguments, inputs);
    vsnprintf(names, sizeof names, inputs, arguments);
    va_end(arguments);
    d->tip = new_name(d);
    return onnx_node(d->onnx, op, "", names, d->tip.text);
}

/* An initializer of offset + scale * random numbers. */
static struct name numbers(struct drawing *d, size_t rank, const int64_t *dims, float offset,
                           float scale)
{
    const struct name name = new_name(d);
    size_t count = 1;
    for (size_t i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    float *data = malloc(count * sizeof *data);
    random_floats(&d->random, RANDOM_SMALL, data, count);
    for (size_t i = 0; i < count; i++) /* -0 + 0 would be 0 */
        data[i] = offset == 0 ? data[i] * scale : offset + data[i] * scale;
    onnx_initializer(d->onnx, onnx_floats(d->onnx, name.text, rank, dims, data));
    free(data);
    return name;
}

static struct name channel_numbers(struct drawing *d, float offset, float scale)
{
    return numbers(d, 1, (const int64_t[]){(int64_t)d->channels}, offset, scale);
}

/* Of weights that keep signals at their size. */
static float weight_scale(size_t k)
{
    return sqrtf(6.0f / (float)k);
}

static void activate(struct drawing *d)
{
    static const char *const ops[] = {
        "Relu",     "LeakyRelu", "Elu",         "Selu", "Celu", "Sigmoid", "Tanh",
        "Softplus", "HardSwish", "HardSigmoid", "Gelu", "Mish", "Identity"};
    const size_t i = between(d, 0, sizeof ops / sizeof ops[0]);
    if (i < sizeof ops / sizeof ops[0])
        follow(d, ops[i], "%s", d->tip.text);
    else
        follow(d, "Clip", "%s %s %s", d->tip.text, numbers(d, 0, NULL, -0.25f, 0).text,
               numbers(d, 0, NULL, 0.75f, 0).text);
}

static void normalise(struct drawing *d)
{
    follow(d, "BatchNormalization", "%s %s %s %s %s", d->tip.text, channel_numbers(d, 1, 0.5f).text,
           channel_numbers(d, 0, 0.3f).text, channel_numbers(d, 0, 0.3f).text,
           channel_numbers(d, 1, 0.5f).text);
}

/* Images */

struct conv {
    size_t n, kernel, groups;
    bool same; /* the output is of the input's size */
};

/* Kernel, strides, dilations and pads of a square window; the image becomes as large as it leaves
 * it. */
static void set_window(struct drawing *d, Onnx__NodeProto *node, size_t kernel, bool same)
{
    const size_t dilation = coin(d) && d->size > 2 * kernel ? 2 : 1;
    const size_t reach = dilation * (kernel - 1);
    const size_t stride = !same && d->size > 6 ? between(d, 1, 2) : 1;
    const size_t least = d->size > reach ? 0 : (reach + 1) / 2; /* pads that leave a pixel */
    const size_t before =
        same ? reach / 2 : between(d, least, kernel - 1 < least ? least : kernel - 1);
    const size_t after = same ? reach - before : before;
    const int64_t k = (int64_t)kernel, b = (int64_t)before, a = (int64_t)after;
    onnx_int_list(d->onnx, node, "kernel_shape", 2, (const int64_t[]){k, k});
    onnx_int_list(d->onnx, node, "pads", 4, (const int64_t[]){b, b, a, a});
    onnx_int_list(d->onnx, node, "dilations", 2,
                  (const int64_t[]){(int64_t)dilation, (int64_t)dilation});
    onnx_int_list(d->onnx, node, "strides", 2, (const int64_t[]){(int64_t)stride, (int64_t)stride});
    d->size = (d->size + before + after - reach - 1) / stride + 1;
}

static void conv(struct drawing *d, const struct conv *c)
{
    const size_t channels = d->channels / c->groups, k = channels * c->kernel * c->kernel;
    const struct name weights = numbers(
        d, 4,
        (const int64_t[]){(int64_t)c->n, (int64_t)channels, (int64_t)c->kernel, (int64_t)c->kernel},
        0, weight_scale(k));
    d->channels = c->n;
    Onnx__NodeProto *node = coin(d) ? follow(d, "Conv", "%s %s", d->tip.text, weights.text)
                                    : follow(d, "Conv", "%s %s %s", d->tip.text, weights.text,
                                             channel_numbers(d, 0, 0.3f).text);
    onnx_int(d->onnx, node, "group", (int64_t)c->groups);
    set_window(d, node, c->kernel, c->same);
}

static void draw_conv(struct drawing *d)
{
    conv(d, &(struct conv){between(d, 1, 24), 1 + 2 * between(d, 0, 2), 1, false});
    if (coin(d))
        normalise(d);
    activate(d);
}

static void draw_separable(struct drawing *d)
{
    conv(d, &(struct conv){d->channels, 3, d->channels, false});
    normalise(d);
    activate(d);
    conv(d, &(struct conv){between(d, 2, 24), 1, 1, true});
    activate(d);
}

static void draw_grouped(struct drawing *d)
{
    const size_t groups = between(d, 2, 4);
    conv(d, &(struct conv){groups * between(d, 2, 6), 1, 1, true});
    activate(d);
    conv(d, &(struct conv){groups * between(d, 2, 9), 3, groups, false});
    activate(d);
}

static void draw_residual(struct drawing *d)
{
    const struct name x = d->tip;
    conv(d, &(struct conv){d->channels, 3, 1, true});
    normalise(d);
    if (coin(d))
        follow(d, "Add", "%s %s", x.text, d->tip.text);
    else
        follow(d, "Add", "%s %s", d->tip.text, x.text);
    activate(d);
}

static void draw_branches(struct drawing *d)
{
    const struct name x = d->tip;
    const size_t channels = d->channels;
    conv(d, &(struct conv){between(d, 1, 20), 1, 1, true});
    activate(d);
    const struct name left = d->tip;
    const size_t left_channels = d->channels;
    d->tip = x;
    d->channels = channels;
    conv(d, &(struct conv){between(d, 1, 20), 3, 1, true});
    activate(d);
    onnx_int(d->onnx, follow(d, "Concat", "%s %s %s", left.text, x.text, d->tip.text), "axis", 1);
    d->channels += left_channels + channels;
}

/* Every channel times a number made from the means of all. */
static void draw_gated(struct drawing *d)
{
    const struct name x = d->tip;
    const size_t size = d->size;
    follow(d, "GlobalAveragePool", "%s", x.text);
    d->size = 1;
    conv(d, &(struct conv){d->channels, 1, 1, true});
    follow(d, "Sigmoid", "%s", d->tip.text);
    follow(d, "Mul", "%s %s", x.text, d->tip.text);
    d->size = size;
}

static void draw_pool(struct drawing *d)
{
    const bool average = coin(d);
    Onnx__NodeProto *node = follow(d, average ? "AveragePool" : "MaxPool", "%s", d->tip.text);
    if (average)
        onnx_int(d->onnx, node, "count_include_pad", coin(d));
    set_window(d, node, between(d, 2, 3), false);
}

static void draw_lrn(struct drawing *d)
{
    Onnx__NodeProto *node = follow(d, "LRN", "%s", d->tip.text);
    onnx_int(d->onnx, node, "size", (int64_t)between(d, 2, 5));
    onnx_float(d->onnx, node, "alpha", 0.5f);
    normalise(d);
}

/* An image becomes a vector. */
static void flatten(struct drawing *d, size_t way)
{
    static const char *const pools[] = {"GlobalAveragePool", "GlobalMaxPool"};
    if (way < 2) {
        follow(d, pools[way], "%s", d->tip.text);
    } else if (way == 2) {
        Onnx__NodeProto *node = follow(d, "ReduceMean", "%s", d->tip.text);
        onnx_int_list(d->onnx, node, "axes", 2, (const int64_t[]){2, 3});
    } else {
        d->channels *= d->size * d->size;
    }
    follow(d, "Flatten", "%s", d->tip.text);
}

/* Vectors */

static void dense(struct drawing *d, size_t n)
{
    const struct name weights = numbers(d, 2, (const int64_t[]){(int64_t)d->channels, (int64_t)n},
                                        0, weight_scale(d->channels));
    d->channels = n;
    if (coin(d))
        follow(d, "MatMul", "%s %s", d->tip.text, weights.text);
    else
        follow(d, "Gemm", "%s %s %s", d->tip.text, weights.text, channel_numbers(d, 0, 0.3f).text);
}

static void draw_dense(struct drawing *d)
{
    dense(d, between(d, 1, 100));
    activate(d);
}

/* Of more than one panel. */
static void draw_wide(struct drawing *d)
{
    dense(d, between(d, 257, 400));
    normalise(d);
    activate(d);
}

static void draw_dense_residual(struct drawing *d)
{
    const struct name x = d->tip;
    dense(d, d->channels);
    follow(d, "Add", "%s %s", d->tip.text, x.text);
    activate(d);
}

static void draw_dense_branches(struct drawing *d)
{
    const struct name x = d->tip;
    const size_t channels = d->channels;
    dense(d, between(d, 1, 40));
    activate(d);
    onnx_int(d->onnx, follow(d, "Concat", "%s %s", d->tip.text, x.text), "axis", 1);
    d->channels += channels;
}

/* The whole */

typedef void draw_function(struct drawing *d);

static void draw_blocks(struct drawing *d, size_t count, size_t first, size_t list_count,
                        draw_function *const *list)
{
    for (size_t i = 0; i < count; i++)
        list[(first + i) % list_count](d);
}

static void draw_image_blocks(struct drawing *d, uint64_t seed)
{
    static draw_function *const blocks[] = {draw_conv, draw_residual, draw_pool,    draw_separable,
                                            draw_lrn,  draw_branches, draw_grouped, draw_gated};
    const int64_t channels = (int64_t)(d->channels = between(d, 1, 4));
    const int64_t size = (int64_t)(d->size = between(d, 6, 9));
    onnx_input(d->onnx, "x", 4, (const int64_t[]){-1, channels, size, size});
    draw_conv(d);
    draw_blocks(d, 6, seed, sizeof blocks / sizeof blocks[0], blocks);
    flatten(d, seed / 2 % 4);
}

static void draw_vector_blocks(struct drawing *d, uint64_t seed)
{
    static draw_function *const blocks[] = {draw_dense, draw_dense_residual, draw_wide,
                                            draw_dense_branches};
    d->channels = between(d, 10, 100);
    onnx_input(d->onnx, "x", 2, (const int64_t[]){-1, (int64_t)d->channels});
    draw_blocks(d, 5, seed / 2, sizeof blocks / sizeof blocks[0], blocks);
}

void random_net(struct onnx_builder *onnx, uint64_t seed)
{
    struct drawing d = {.onnx = onnx, .random = {seed * 0x9E3779B97F4A7C15u}, .tip = {"x"}};
    if (seed % 2)
        draw_image_blocks(&d, seed);
    else
        draw_vector_blocks(&d, seed);
    dense(&d, between(&d, 2, 30));
    onnx_output(onnx, d.tip.text);
    follow(&d, seed % 4 < 2 ? "Softmax" : "LogSoftmax", "%s", d.tip.text);
    onnx_output(onnx, d.tip.text);
}
