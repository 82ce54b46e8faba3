/* Weights that are packed piece by piece from where the file has them. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/onnx.h"
#include "onnx_builder.h"
#include "panel.h"
#include "randoms.h"
#include "temporary.h"

/* A layer with weights, as ONNX has them: [groups * columns, channels, taps] or, of MatMul,
 * [channels, columns]. */
struct weighted {
    const char *op_type;
    size_t groups, columns, channels, taps;
};

static size_t weight_count(const struct weighted *layer)
{
    return layer->groups * layer->columns * layer->channels * layer->taps;
}

static void build(struct onnx_builder *builder, const struct weighted *layer, const float *weights)
{
    const int64_t columns = (int64_t)layer->columns, channels = (int64_t)layer->channels;
    const int64_t groups = (int64_t)layer->groups, taps = (int64_t)layer->taps;
    const bool conv = strcmp(layer->op_type, "Conv") == 0;
    const bool dense = strcmp(layer->op_type, "Gemm") == 0;
    Onnx__NodeProto *node = onnx_node(builder, layer->op_type, "", "x w", "y");
    onnx_input(builder, "x", conv ? 3 : 2, (const int64_t[]){-1, groups * channels, taps});
    if (conv)
        onnx_int(builder, node, "group", groups);
    if (dense)
        onnx_int(builder, node, "transB", 1);
    const int64_t dims[3] = {conv || dense ? groups * columns : channels,
                             conv || dense ? channels : columns, taps};
    onnx_initializer(builder, onnx_floats(builder, "w", conv ? 3 : 2, dims, weights));
    onnx_output(builder, "y");
}

/* Where ONNX has the weight of a tap and a channel that output j of a group reads. */
static size_t place(const struct weighted *layer, size_t group, size_t j, size_t channel,
                    size_t tap)
{
    if (strcmp(layer->op_type, "MatMul") == 0)
        return channel * layer->columns + j;
    return ((group * layer->columns + j) * layer->channels + channel) * layer->taps + tap;
}

/* The place of the same weight in the panels of node. */
static const float *packed(const struct node *node, const struct weighted *layer, size_t group,
                           size_t j, size_t channel, size_t tap)
{
    const size_t k = tap * layer->channels + channel, panel = j / PANEL_COLUMNS;
    if (node->op == OP_depthwise)
        return node->panels + tap * panel_padded(node->n) + group;
    return node->panels + group * node->k * panel_padded(layer->columns) +
           panel_offset(node->k, panel) + k * panel_width(layer->columns, panel) +
           j % PANEL_COLUMNS;
}

static void check_panels(const struct model *model, const struct weighted *layer,
                         const float *weights)
{
    const struct node *node = model->graph.nodes;
    while (!node->panels)
        node++;
    for (size_t group = 0; group < layer->groups; group++)
        for (size_t j = 0; j < layer->columns; j++)
            for (size_t channel = 0; channel < layer->channels; channel++)
                for (size_t tap = 0; tap < layer->taps; tap++) {
                    const float *found = packed(node, layer, group, j, channel, tap);
                    const float expected = weights[place(layer, group, j, channel, tap)];
                    if (memcmp(found, &expected, sizeof expected) != 0)
                        cr_assert_fail("%s %zu x %zu: weight %zu, %zu, %zu is %g, not %g",
                                       layer->op_type, layer->columns, layer->channels, j, channel,
                                       tap, (double)*found, (double)expected);
                }
}

static float *random_weights(const struct weighted *layer)
{
    struct randoms random = {weight_count(layer)};
    float *weights = malloc(weight_count(layer) * sizeof *weights);
    random_floats(&random, RANDOM_FINITE, weights, weight_count(layer));
    return weights;
}

/* From memory, and from a file, in which nothing is aligned. */
static void check_layer(const struct weighted *layer)
{
    const struct model_options options = {.level = STATS_off};
    float *weights = random_weights(layer);
    struct onnx_builder builder;
    struct temporary directory;
    struct model model;
    struct error error;
    size_t count;
    onnx_open(&builder);
    build(&builder, layer, weights);
    cr_assert(onnx_load(&builder, &model, &error) == STATUS_OK, "%s", error.message);
    check_panels(&model, layer, weights);
    model_close(&model);
    for (size_t shift = 0; shift < 4; shift++) {
        builder.graph->name = (char *)"shift" + shift;
        const uint8_t *bytes = onnx_pack(&builder, &count);
        temporary_open(&directory);
        const char *path = temporary_write(&directory, "m.onnx", bytes, count);
        cr_assert(model_open(&model, path, &options, &error) == STATUS_OK, "%s", error.message);
        check_panels(&model, layer, weights);
        model_close(&model);
        temporary_close(&directory);
    }
    onnx_close(&builder);
    free(weights);
}

Test(onnx_weights, are_packed_from_pieces)
{
    static const struct weighted layers[] = {
        {"Conv", 1, 5, 3, 1},       {"Conv", 1, 300, 70, 9},    {"Conv", 3, 40, 130, 5},
        {"Conv", 1, 17, 600, 3},    {"Conv", 2, 257, 40, 1},    {"Conv", 300, 1, 1, 9},
        {"Conv", 1, 3, 40, 1000},   {"Gemm", 1, 300, 700, 1},   {"Gemm", 1, 5, 70000, 1},
        {"Gemm", 1, 1000, 33, 1},   {"Gemm", 1, 1, 5000, 1},    {"MatMul", 1, 300, 700, 1},
        {"MatMul", 1, 70001, 5, 1}, {"MatMul", 1, 33, 1000, 1}, {"MatMul", 1, 1, 5000, 1},
    };
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++)
        check_layer(&layers[i]);
}

/* A weight that is not finite is named by its place in the tensor, whatever piece it is in. */
Test(onnx_weights, one_that_is_not_finite_is_named)
{
    static const struct weighted layer = {"Gemm", 1, 300, 700, 1};
    static const size_t places[] = {0, 1, 14, 65535, 65536, 123456, 209999};
    float *weights = random_weights(&layer);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const float old = weights[places[i]];
        char says[64];
        struct onnx_builder builder;
        struct model model;
        struct error error;
        weights[places[i]] = i % 2 ? NAN : -INFINITY;
        onnx_open(&builder);
        build(&builder, &layer, weights);
        cr_assert(onnx_load(&builder, &model, &error) == STATUS_INVALID);
        snprintf(says, sizeof says, "found %s at element %zu", i % 2 ? "nan" : "-inf", places[i]);
        cr_assert(strstr(error.message, says), "%s: %s", says, error.message);
        model_close(&model);
        onnx_close(&builder);
        weights[places[i]] = old;
    }
    free(weights);
}

/* Every number of 16 bits, widened. */

static void check_half(int32_t type, uint32_t first, float (*widen)(uint16_t bits))
{
    enum { COUNT = 1 << 14 };
    static uint16_t halves[COUNT];
    struct onnx_builder builder;
    struct model model;
    struct error error;
    size_t bad = 0;
    onnx_open(&builder);
    for (size_t i = 0; i < COUNT; i++)
        halves[i] = (uint16_t)(first + i);
    Onnx__TensorProto *tensor =
        onnx_floats(&builder, "c", 1, (const int64_t[]){COUNT / 2}, (const float *)(void *)halves);
    tensor->dims[0] = COUNT;
    tensor->data_type = type;
    onnx_initializer(&builder, tensor);
    onnx_input(&builder, "x", 2, (const int64_t[]){-1, COUNT});
    onnx_node(&builder, "Max", "", "x c", "y");
    onnx_output(&builder, "y");
    cr_assert(onnx_load(&builder, &model, &error) == STATUS_OK, "%s", error.message);
    const float *constant = NULL;
    for (size_t i = 0; i < model.graph.value_count && !constant; i++)
        constant = model.graph.values[i].constant;
    cr_assert(constant);
    for (size_t i = 0; i < COUNT; i++) {
        const float expected = widen(halves[i]);
        bad += isnan(expected) ? !isnan(constant[i])
                               : memcmp(&expected, &constant[i], sizeof expected) != 0;
    }
    cr_assert(bad == 0, "%zu of the numbers from %x on are wrong", bad, first);
    model_close(&model);
    onnx_close(&builder);
}

/* By its definition: sign, 5 bits of exponent, 10 of fraction. */
static float widen_float16(uint16_t bits)
{
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    float value = exponent == 0    ? ldexpf((float)fraction, -24)
                  : exponent == 31 ? (fraction ? NAN : INFINITY)
                                   : ldexpf((float)(1024 + fraction), exponent - 25);
    return bits & 0x8000 ? -value : value;
}

static float widen_bfloat16(uint16_t bits)
{
    return float_of_bits((uint32_t)bits << 16);
}

Test(onnx_weights, numbers_of_16_bits_are_widened)
{
    for (uint32_t first = 0; first < 65536; first += 1 << 14) {
        check_half(ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16, first, widen_float16);
        check_half(ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16, first, widen_bfloat16);
    }
}
