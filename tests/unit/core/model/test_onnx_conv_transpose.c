/* ConvTranspose against its definition: every input pixel adds to the outputs it reaches. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "onnx_builder.h"
#include "randoms.h"
#include "reference.h"

enum { DIMENSIONS_MAX = 3, ROWS = 3 };

/* What one axis has. */
enum { IN, KERNEL, STRIDE, DILATION, BEFORE, AFTER, MORE, OUT, FIELDS };

struct axis {
    int64_t has[FIELDS];
};

/* Of an image with fewer dimensions. */
static const struct axis idle_axis = {
    {[IN] = 1, [KERNEL] = 1, [STRIDE] = 1, [DILATION] = 1, [OUT] = 1}};

struct layer_case {
    size_t dimensions;
    int64_t groups, channels, made; /* of all groups */
    struct axis axes[DIMENSIONS_MAX];
    bool relu;
};

static int64_t between(struct randoms *random, size_t low, size_t high)
{
    return (int64_t)random_between(random, low, high);
}

static struct axis random_axis(struct randoms *random)
{
    struct axis axis = {.has = {[IN] = between(random, 1, 5),
                                [KERNEL] = between(random, 1, 4),
                                [STRIDE] = between(random, 1, 3),
                                [DILATION] = between(random, 1, 2),
                                [MORE] = between(random, 0, 1)}};
    int64_t *has = axis.has;
    const int64_t all = (has[IN] - 1) * has[STRIDE] + (has[KERNEL] - 1) * has[DILATION] + 1;
    has[BEFORE] = between(random, 0, (size_t)(all < 4 ? all - 1 : 3));
    has[AFTER] = between(random, 0, all - has[BEFORE] < 4 ? 0 : 2);
    has[OUT] = all + has[MORE] - has[BEFORE] - has[AFTER];
    return axis;
}

static struct layer_case random_case(struct randoms *random)
{
    struct layer_case c = {.dimensions = random_between(random, 1, DIMENSIONS_MAX),
                           .groups = between(random, 1, 3),
                           .relu = random_between(random, 0, 1)};
    const bool depthwise = random_between(random, 0, 3) == 0;
    c.channels = c.groups * (depthwise ? 1 : between(random, 1, 5));
    c.made = c.groups * (depthwise ? 1 : between(random, 1, 20));
    for (size_t i = 0; i < DIMENSIONS_MAX; i++)
        c.axes[i] = i < DIMENSIONS_MAX - c.dimensions ? idle_axis : random_axis(random);
    return c;
}

static const struct axis *own_axes(const struct layer_case *c)
{
    return c->axes + DIMENSIONS_MAX - c->dimensions;
}

static size_t volume(const struct layer_case *c, size_t field)
{
    size_t product = 1;
    for (size_t i = 0; i < DIMENSIONS_MAX; i++)
        product *= (size_t)c->axes[i].has[field];
    return product;
}

/* The output that tap reaches from an input pixel; -1 where padding cuts it off. */
static ptrdiff_t reached(const struct layer_case *c, size_t pixel, size_t tap)
{
    int64_t place[DIMENSIONS_MAX], at = 0;
    for (size_t i = DIMENSIONS_MAX; i-- > 0;) {
        const int64_t *has = c->axes[i].has;
        place[i] = (int64_t)pixel % has[IN] * has[STRIDE] +
                   (int64_t)tap % has[KERNEL] * has[DILATION] - has[BEFORE];
        pixel /= (size_t)has[IN];
        tap /= (size_t)has[KERNEL];
        if (place[i] < 0 || place[i] >= has[OUT])
            return -1;
    }
    for (size_t i = 0; i < DIMENSIONS_MAX; i++)
        at = at * c->axes[i].has[OUT] + place[i];
    return at;
}

/* One row; the chain of an output goes tap by tap, and of a tap channel by channel. */
static void expect_row(const struct layer_case *c, const float *x, const float *weights,
                       const float *bias, float *y)
{
    const size_t in = volume(c, IN), taps = volume(c, KERNEL), out = volume(c, OUT);
    const size_t channels = (size_t)(c->channels / c->groups), made = (size_t)(c->made / c->groups);
    for (size_t j = 0; j < (size_t)c->made; j++)
        for (size_t o = 0; o < out; o++)
            y[j * out + o] = bias[j];
    for (size_t j = 0; j < (size_t)c->made; j++)
        for (size_t tap = 0; tap < taps; tap++)
            for (size_t i = 0; i < channels; i++)
                for (size_t pixel = 0; pixel < in; pixel++) {
                    const size_t channel = j / made * channels + i;
                    const ptrdiff_t o = reached(c, pixel, tap);
                    if (o >= 0)
                        y[j * out + (size_t)o] =
                            fmaf(x[channel * in + pixel],
                                 weights[(channel * made + j % made) * taps + tap],
                                 y[j * out + (size_t)o]);
                }
    for (size_t i = 0; i < (size_t)c->made * out; i++)
        y[i] = c->relu && y[i] <= 0 ? 0 : y[i] + 0.0f;
}

static void add_list(struct onnx_builder *builder, Onnx__NodeProto *node, const char *name,
                     const struct layer_case *c, size_t field)
{
    int64_t list[DIMENSIONS_MAX];
    for (size_t i = 0; i < c->dimensions; i++)
        list[i] = own_axes(c)[i].has[field];
    onnx_int_list(builder, node, name, c->dimensions, list);
}

static void build(struct onnx_builder *builder, const struct layer_case *c, const float *weights,
                  const float *bias)
{
    int64_t shape[2 + DIMENSIONS_MAX] = {-1, c->channels}, pads[2 * DIMENSIONS_MAX];
    int64_t weight_shape[2 + DIMENSIONS_MAX] = {c->channels, c->made / c->groups};
    for (size_t i = 0; i < c->dimensions; i++) {
        shape[2 + i] = own_axes(c)[i].has[IN];
        weight_shape[2 + i] = own_axes(c)[i].has[KERNEL];
        pads[i] = own_axes(c)[i].has[BEFORE];
        pads[c->dimensions + i] = own_axes(c)[i].has[AFTER];
    }
    onnx_open(builder);
    onnx_input(builder, "x", 2 + c->dimensions, shape);
    onnx_initializer(builder,
                     onnx_floats(builder, "up.weight", 2 + c->dimensions, weight_shape, weights));
    onnx_matrix(builder, "up.bias", 0, c->made, bias);
    Onnx__NodeProto *node =
        onnx_node(builder, "ConvTranspose", "", "x up.weight up.bias", c->relu ? "z" : "y");
    onnx_int(builder, node, "group", c->groups);
    onnx_int_list(builder, node, "pads", 2 * c->dimensions, pads);
    add_list(builder, node, "strides", c, STRIDE);
    add_list(builder, node, "dilations", c, DILATION);
    add_list(builder, node, "output_padding", c, MORE);
    if (c->relu)
        onnx_node(builder, "Relu", "", "z", "y");
    onnx_output(builder, "y");
}

static void load(struct onnx_builder *builder, struct model *model)
{
    struct error error;
    cr_assert(onnx_load(builder, model, &error) == STATUS_OK, "%s", error.message);
}

static void check_case(uint64_t seed, const struct layer_case *c, struct randoms *random)
{
    const size_t in = (size_t)c->channels * volume(c, IN), out = (size_t)c->made * volume(c, OUT);
    const size_t count = (size_t)(c->channels * c->made / c->groups) * volume(c, KERNEL);
    float *memory = malloc((count + (size_t)c->made + ROWS * (in + 2 * out)) * sizeof *memory);
    float *weights = memory, *bias = weights + count, *x = bias + c->made;
    float *y = x + ROWS * in, *expected = y + ROWS * out;
    struct onnx_builder builder;
    struct model model;
    random_floats(random, RANDOM_PLAIN, memory, count + (size_t)c->made + ROWS * in);
    build(&builder, c, weights, bias);
    load(&builder, &model);
    cr_assert(model.outputs[0].features == out, "seed %d", (int)seed);
    cr_assert(model.plan.layer_count == c->relu);
    cr_assert(!c->relu || model.plan.layers[0].units == (size_t)c->made);
    for (size_t row = 0; row < ROWS; row++)
        expect_row(c, x + row * in, weights, bias, expected + row * out);
    for (size_t rows = 1; rows <= ROWS; rows++) {
        model_run(&model, x, rows, y);
        if (reference_fused(kernels_select("auto", NULL)))
            cr_assert(memcmp(y, expected, rows * out * sizeof *y) == 0, "seed %d, %d rows",
                      (int)seed, (int)rows);
    }
    model_close(&model);
    onnx_close(&builder);
    free(memory);
}

Test(onnx_conv_transpose, random_layers)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct randoms random = {seed};
        const struct layer_case c = random_case(&random);
        check_case(seed, &c, &random);
    }
}

/* Kernels of one pixel that make as many pixels as they read, but not those. */
Test(onnx_conv_transpose, pixels_that_only_look_untouched)
{
    static const struct axis axes[] = {
        {{[IN] = 3,
          [KERNEL] = 1,
          [STRIDE] = 1,
          [DILATION] = 1,
          [BEFORE] = 1,
          [MORE] = 1,
          [OUT] = 3}},
        {{[IN] = 2, [KERNEL] = 1, [STRIDE] = 2, [DILATION] = 1, [AFTER] = 1, [OUT] = 2}},
        {{[IN] = 3,
          [KERNEL] = 1,
          [STRIDE] = 2,
          [DILATION] = 1,
          [BEFORE] = 1,
          [AFTER] = 1,
          [OUT] = 3}},
    };
    for (size_t i = 0; i < sizeof axes / sizeof axes[0]; i++) {
        struct randoms random = {i + 1};
        struct layer_case c = {.dimensions = 1, .groups = 1, .channels = 2, .made = 3};
        for (size_t axis = 0; axis < DIMENSIONS_MAX; axis++)
            c.axes[axis] = axis + 1 == DIMENSIONS_MAX ? axes[i] : idle_axis;
        check_case(i, &c, &random);
    }
}

/* x [N, 1, 3] with a kernel of 3 and a stride of 2: ten outputs at most, 7 without padding. */
static void check_width(const char *attribute, const char *text, const int64_t *list, size_t count,
                        int64_t width)
{
    struct onnx_builder builder;
    struct model model;
    onnx_open(&builder);
    onnx_input(&builder, "x", 3, (const int64_t[]){-1, 1, 3});
    onnx_initializer(&builder, onnx_floats(&builder, "w", 3, (const int64_t[]){1, 1, 3},
                                           (const float[]){1, 2, 4}));
    Onnx__NodeProto *node = onnx_node(&builder, "ConvTranspose", "", "x w", "y");
    onnx_int_list(&builder, node, "strides", 1, (const int64_t[]){2});
    if (text)
        onnx_text(&builder, node, attribute, text);
    else
        onnx_int_list(&builder, node, attribute, count, list);
    onnx_output(&builder, "y");
    load(&builder, &model);
    cr_assert(model.outputs[0].dims[2] == width, "%s: expected %d, found %d", attribute, (int)width,
              (int)model.outputs[0].dims[2]);
    model_close(&model);
    onnx_close(&builder);
}

Test(onnx_conv_transpose, sizes)
{
    check_width("auto_pad", "NOTSET", NULL, 0, 7);
    check_width("auto_pad", "VALID", NULL, 0, 7);
    check_width("auto_pad", "SAME_UPPER", NULL, 0, 6);
    check_width("auto_pad", "SAME_LOWER", NULL, 0, 6);
    check_width("output_shape", NULL, (const int64_t[]){10}, 1, 10);
    check_width("output_shape", NULL, (const int64_t[]){1}, 1, 1);
    check_width("pads", NULL, (const int64_t[]){3, 3}, 2, 1);
    check_width("output_padding", NULL, (const int64_t[]){1}, 1, 8);
}
