/* The parts of a layer in model.json: its activation, its names, the types of its tensors. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers_net.h"
#include "onnx_builder.h"
#include "randoms.h"

#define HEAD \
    "{'format':'relud-layers','version':1,'input':{'name':'x','shape':[3]},'output':{'name':'y'},"

static const int64_t square[2] = {3, 3};
static const float matrix[9] = {1, 2, 3, -4, 5, 6, 7, -8, 9}, three[3] = {0.5f, -0.25f, 2};

/* Loads a network of layers over fc.weight [3, 3], fc.bias, act.weight and var [3] and one.weight
 * [1]. */
static void load(struct model *model, const char *layers)
{
    struct weights_file file;
    struct error error;
    char json[1024];
    weights_open(&file);
    weights_floats(&file, "fc.weight", 2, square, matrix);
    weights_floats(&file, "fc.bias", 1, square, three);
    weights_floats(&file, "act.weight", 1, square, three);
    weights_floats(&file, "var", 1, square, matrix);
    weights_floats(&file, "one.weight", 1, (const int64_t[]){1}, three);
    snprintf(json, sizeof json, HEAD "'strict':false,'layers':[%s]}", layers);
    cr_assert(layers_load(model, json, &file, &error) == STATUS_OK, "%s: %s", layers,
              error.message);
    weights_close(&file);
}

static const struct node *last_node(const struct model *model)
{
    return &model->graph.nodes[model->graph.node_count - 1];
}

/* Activations */

/* Whether the activation is part of the first layer; that of crelu is followed by others, which
 * make its halves. */
static bool has_become(const struct model *model, enum activation_type type)
{
    return model->graph.nodes[0].activation.type == type &&
           (model->graph.node_count == 1) == (type != ACTIVATION_crelu);
}

/* A dense layer with that activation, which becomes part of it, with one parameter set. */
static void check_activation(enum activation_type type)
{
    const struct activation_info *info = activation_info(type);
    const char *parameter = info->parameters[0].name;
    char layer[256];
    struct model model;
    snprintf(layer, sizeof layer, "{'type':'dense','name':'fc','activation':'%s'}", info->name);
    load(&model, layer);
    const struct node *node = &model.graph.nodes[0];
    cr_assert(has_become(&model, type), "%s", info->name);
    for (size_t i = 0; i < ACTIVATION_PARAMETERS; i++)
        cr_assert(node->activation.parameters[i] == info->parameters[i].fallback, "%s", info->name);
    model_close(&model);
    snprintf(layer, sizeof layer,
             "{'type':'dense','name':'fc'},{'type':'activation','activation':{'type':'%s'%s%s%s}}",
             info->name, parameter[0] ? ",'" : "", parameter, parameter[0] ? "':0.75" : "");
    load(&model, layer);
    node = &model.graph.nodes[0];
    cr_assert(has_become(&model, type), "%s", info->name);
    cr_assert(!parameter[0] || node->activation.parameters[0] == 0.75f, "%s", info->name);
    cr_assert(node->activation.parameters[1] == info->parameters[1].fallback, "%s", info->name);
    model_close(&model);
}

Test(layers_fields, every_activation_becomes_that_of_the_layer)
{
    for (int type = 0; type < ACTIVATION_COUNT; type++)
        if (type != ACTIVATION_softmax && type != ACTIVATION_log_softmax)
            check_activation((enum activation_type)type);
}

Test(layers_fields, identity_is_no_activation)
{
    struct model model;
    load(&model, "{'type':'activation','activation':'identity'},{'type':'dense','name':'fc'}");
    cr_assert(model.graph.node_count == 1);
    model_close(&model);
}

Test(layers_fields, softmax_follows_the_layer)
{
    struct model model;
    load(&model, "{'type':'dense','name':'fc','activation':'softmax'}");
    cr_assert(model.graph.node_count == 2 && last_node(&model)->op == OP_softmax);
    cr_assert_str_eq(last_node(&model)->name, "fc.softmax");
    model_close(&model);
    load(&model, "{'type':'dense','name':'fc'},"
                 "{'type':'activation','name':'out','activation':{'type':'log_softmax','axis':1}}");
    cr_assert(last_node(&model)->activation.type == ACTIVATION_log_softmax);
    cr_assert_str_eq(last_node(&model)->name, "out");
    model_close(&model);
}

/* y of x = (1, 1, 1) after a dense layer of fc.weight, without its bias: (6, 7, 8); x is negated
 * where negative is set. */
static void run(const struct model *model, bool negative, float y[3])
{
    const float x[3] = {negative ? -1 : 1, negative ? -1 : 1, negative ? -1 : 1};
    model_run(model, x, 1, y);
}

static void check_prelu(const char *slope, const float expected[3])
{
    char layer[256];
    struct model model;
    float y[3];
    snprintf(layer, sizeof layer,
             "{'type':'dense','name':'fc','bias':null,'activation':{'type':'prelu','slope':%s}}",
             slope);
    load(&model, layer);
    cr_assert(model.graph.node_count == 1 && model.plan.layer_count == 1);
    run(&model, false, y);
    cr_assert(y[0] == 6 && y[1] == 7 && y[2] == 8);
    run(&model, true, y);
    cr_assert(memcmp(y, expected, sizeof y) == 0, "%s: %g %g %g", slope, (double)y[0], (double)y[1],
              (double)y[2]);
    model_close(&model);
}

Test(layers_fields, prelu_takes_a_number_or_a_tensor)
{
    check_prelu("0.25", (const float[]){-1.5f, -1.75f, -2});
    check_prelu("'one.weight'", (const float[]){-3, -3.5f, -4});
    check_prelu("'act.weight'", (const float[]){-3, 1.75f, -16});
}

/* Names */

static void check_names(const char *layers, const char *first, const char *last)
{
    struct model model;
    load(&model, layers);
    cr_assert_str_eq(model.graph.nodes[0].name, first);
    cr_assert_str_eq(last_node(&model)->name, last);
    model_close(&model);
}

Test(layers_fields, layers_have_the_names_of_model_json)
{
    check_names("{'type':'dense','name':'first','weight':'fc.weight'}", "first", "first");
    check_names("{'type':'dense','weight':'fc.weight'}", "fc", "fc");
    check_names("{'type':'dense','name':'/a/Gemm','weight':'fc.weight'}", "/a/Gemm", "/a/Gemm");
    check_names("{'type':'dense','name':'a','weight':'fc.weight'},"
                "{'type':'dense','name':'a','weight':'fc.weight'}",
                "a", "a_2");
    check_names("{'type':'activation','name':'first','activation':'relu'}", "first", "first");
    check_names("{'type':'activation','activation':'relu'}", "activation_0", "activation_0");
    check_names("{'type':'dense','name':'fc'},{'type':'batch_norm','name':'bn','running_mean':"
                "'act.weight','running_var':'var','activation':'relu'}",
                "fc", "fc");
}

/* A bias is found beside the weight, wherever that is. */
Test(layers_fields, a_bias_is_found_named_or_left_out)
{
    static const struct {
        const char *layer;
        float expected; /* y[0] */
    } cases[] = {
        {"{'type':'dense','name':'fc'}", 6.5f},
        {"{'type':'dense','name':'other','weight':'fc.weight'}", 6.5f},
        {"{'type':'dense','name':'fc','bias':null}", 6},
        {"{'type':'dense','name':'fc','bias':'act.weight'}", 6.5f},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model model;
        float y[3];
        load(&model, cases[i].layer);
        run(&model, false, y);
        cr_assert(y[0] == cases[i].expected, "%s: %g", cases[i].layer, (double)y[0]);
        model_close(&model);
    }
}

/* Types of tensors */

enum { WEIGHTS = 12 };

/* Numbers that F16 and BF16 hold exactly, in the encoding of each type. */
struct encoded {
    float f32[WEIGHTS];
    double f64[WEIGHTS];
    uint16_t f16[WEIGHTS], bf16[WEIGHTS];
};

__extension__ typedef _Float16 float16;

static void encode(struct encoded *encoded)
{
    for (size_t i = 0; i < WEIGHTS; i++) {
        const float value = ((float)i - 5) * (i % 2 ? 0.5f : 0.03125f);
        const float16 half = (float16)value;
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        memcpy(&encoded->f16[i], &half, sizeof half);
        encoded->f32[i] = value;
        encoded->f64[i] = (double)value;
        encoded->bf16[i] = (uint16_t)(bits >> 16);
        cr_assert((float)half == value && (bits & 0xFFFF) == 0);
    }
}

static void answer(const char *type, const void *weights, size_t bytes, float y[4])
{
    struct weights_file file;
    struct model model;
    struct error error;
    weights_open(&file);
    weights_add(&file, "fc.weight", type, 2, (const int64_t[]){4, 3}, weights, bytes);
    cr_assert(layers_load(&model, HEAD "'layers':[{'type':'dense','name':'fc'}]}", &file, &error) ==
                  STATUS_OK,
              "%s", error.message);
    model_run(&model, three, 1, y);
    model_close(&model);
    weights_close(&file);
}

Test(layers_fields, half_and_double_precision_are_read)
{
    struct encoded encoded;
    float y[4][4];
    encode(&encoded);
    answer("F32", encoded.f32, sizeof encoded.f32, y[0]);
    answer("F64", encoded.f64, sizeof encoded.f64, y[1]);
    answer("F16", encoded.f16, sizeof encoded.f16, y[2]);
    answer("BF16", encoded.bf16, sizeof encoded.bf16, y[3]);
    cr_assert(y[0][0] != 0);
    for (size_t i = 1; i < 4; i++)
        cr_assert(memcmp(y[0], y[i], sizeof y[0]) == 0, "type %zu", i);
}

/* F64 and F32 of a tensor that lies at an odd address. */
Test(layers_fields, tensors_lie_at_any_alignment)
{
    struct encoded encoded;
    float y[2][4];
    encode(&encoded);
    answer("F32", encoded.f32, sizeof encoded.f32, y[0]);
    for (size_t shift = 1; shift < 8; shift++) {
        struct weights_file file;
        struct model model;
        struct error error;
        weights_open(&file);
        weights_add(&file, "pad", "U8", 1, (const int64_t[]){(int64_t)shift}, "1234567", shift);
        weights_add(&file, "fc.weight", "F32", 2, (const int64_t[]){4, 3}, encoded.f32,
                    sizeof encoded.f32);
        cr_assert(layers_load(&model, HEAD "'layers':[{'type':'dense','name':'fc'}]}", &file,
                              &error) == STATUS_OK,
                  "%s", error.message);
        model_run(&model, three, 1, y[1]);
        cr_assert(memcmp(y[0], y[1], sizeof y[0]) == 0);
        model_close(&model);
        weights_close(&file);
    }
}
