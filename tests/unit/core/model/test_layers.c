/* What networks of model.json become: the same, bit for bit, as their twins in ONNX. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers_net.h"
#include "onnx_builder.h"
#include "randoms.h"
#include "temporary.h"

/* A network of model.json and its twin, over the same tensors. */
struct twins {
    struct weights_file file;
    struct onnx_builder builder;
    struct randoms random;
};

static void open_twins(struct twins *twins)
{
    twins->random = (struct randoms){1};
    weights_open(&twins->file);
    onnx_open(&twins->builder);
}

/* A tensor of random numbers in [low, low + 2] for both. */
static void add_tensor(struct twins *twins, const char *name, size_t rank, const int64_t *dims,
                       float low)
{
    float values[4096];
    size_t count;
    cr_assert(dims_count(dims, rank, &count) && count <= sizeof values / sizeof values[0]);
    for (size_t i = 0; i < count; i++)
        values[i] = random_plain(&twins->random) + 1 + low;
    weights_floats(&twins->file, name, rank, dims, values);
    onnx_initializer(&twins->builder, onnx_floats(&twins->builder, name, rank, dims, values));
}

static void add_list(struct twins *twins, const char *name, int64_t count, float low)
{
    add_tensor(twins, name, 1, &count, low);
}

/* Runs both on the same rows and compares the bits. */
static void check_equal(const struct model *model, const struct model *twin)
{
    enum { ROWS = 3 };
    struct randoms random = {2};
    const size_t in = model->inputs[0].features, out = model->outputs[0].features;
    float *x = malloc(ROWS * in * sizeof *x);
    float *y = malloc(2 * ROWS * out * sizeof *y);
    cr_assert(twin->inputs[0].features == in && twin->outputs[0].features == out);
    random_floats(&random, RANDOM_PLAIN, x, ROWS * in);
    model_run(model, x, ROWS, y);
    model_run(twin, x, ROWS, y + ROWS * out);
    cr_assert(memcmp(y, y + ROWS * out, ROWS * out * sizeof *y) == 0);
    free(x);
    free(y);
}

/* Loads both, compares them and closes all; returns how many layers are counted. */
static size_t close_equal(struct twins *twins, const char *json)
{
    struct model model, twin;
    struct error error;
    cr_assert(layers_load(&model, json, &twins->file, &error) == STATUS_OK, "%s", error.message);
    cr_assert(onnx_load(&twins->builder, &twin, &error) == STATUS_OK, "%s", error.message);
    check_equal(&model, &twin);
    cr_assert(model.graph.node_count == twin.graph.node_count);
    const size_t layers = model.plan.layer_count;
    cr_assert(layers == twin.plan.layer_count);
    model_close(&model);
    model_close(&twin);
    onnx_close(&twins->builder);
    weights_close(&twins->file);
    return layers;
}

#define HEAD(shape)                                                           \
    "{'format':'relud-layers','version':1,'input':{'name':'x','shape':" shape \
    "},'output':{'name':'y'},"

/* Dense */

Test(layers, a_dense_network_is_its_onnx_twin)
{
    struct twins twins;
    open_twins(&twins);
    add_tensor(&twins, "net.0.weight", 2, (const int64_t[]){19, 7}, -1);
    add_list(&twins, "net.0.bias", 19, -1);
    add_tensor(&twins, "kernel", 2, (const int64_t[]){19, 33}, -1);
    add_tensor(&twins, "out.weight", 2, (const int64_t[]){5, 33}, -1);
    add_list(&twins, "shift", 5, -1);
    onnx_input(&twins.builder, "x", 2, (const int64_t[]){-1, 7});
    onnx_int(&twins.builder,
             onnx_node(&twins.builder, "Gemm", "", "x net.0.weight net.0.bias", "a"), "transB", 1);
    onnx_node(&twins.builder, "Relu", "", "a", "b");
    onnx_node(&twins.builder, "MatMul", "", "b kernel", "c");
    onnx_node(&twins.builder, "Elu", "", "c", "d");
    onnx_int(&twins.builder, onnx_node(&twins.builder, "Gemm", "", "d out.weight shift", "e"),
             "transB", 1);
    onnx_node(&twins.builder, "Softmax", "", "e", "y");
    onnx_output(&twins.builder, "y");
    cr_assert(
        close_equal(
            &twins,
            HEAD("[7]") "'layers':["
                        "{'type':'dense','name':'first','weight':'net.0.weight','activation':'relu'"
                        "},"
                        "{'type':'dropout','p':0.5},"
                        "{'type':'dense','name':'keras','weight':'kernel','layout':'in_out'},"
                        "{'type':'activation','activation':{'type':'elu','alpha':1}},"
                        "{'type':'dense','name':'out','bias':'shift','activation':'softmax'}]}") ==
        2);
}

Test(layers, a_crelu_doubles_what_the_next_layer_takes)
{
    struct twins twins;
    open_twins(&twins);
    add_tensor(&twins, "first.weight", 2, (const int64_t[]){5, 7}, -1);
    add_tensor(&twins, "second.weight", 2, (const int64_t[]){4, 10}, -1);
    onnx_input(&twins.builder, "x", 2, (const int64_t[]){-1, 7});
    onnx_int(&twins.builder, onnx_node(&twins.builder, "Gemm", "", "x first.weight", "a"), "transB",
             1);
    onnx_node(&twins.builder, "Relu", "", "a", "b");
    onnx_node(&twins.builder, "Neg", "", "a", "c");
    onnx_node(&twins.builder, "Relu", "", "c", "d");
    onnx_int(&twins.builder, onnx_node(&twins.builder, "Concat", "", "b d", "e"), "axis", 1);
    onnx_int(&twins.builder, onnx_node(&twins.builder, "Gemm", "", "e second.weight", "y"),
             "transB", 1);
    onnx_output(&twins.builder, "y");
    cr_assert(close_equal(&twins, HEAD("[7]") "'layers':["
                                              "{'type':'dense','name':'first','activation':'crelu'"
                                              "},{'type':'dense','name':'second'}]}") == 1);
}

Test(layers, the_digits_network_answers_the_same_from_safetensors)
{
    const struct model_options options = {.level = STATS_full};
    struct temporary directory;
    struct model model, twin;
    struct error error;
    layers_write_digits(&directory);
    cr_assert(model_open(&model, directory.path, &options, &error) == STATUS_OK, "%s",
              error.message);
    cr_assert(model_open(&twin, "models/digits", &options, &error) == STATUS_OK, "%s",
              error.message);
    check_equal(&model, &twin);
    cr_assert_str_eq(model.inputs[0].name, "pixels");
    cr_assert_str_eq(model.outputs[0].name, "scores");
    cr_assert(model.inputs[0].rank == 2 && model.inputs[0].dims[0] == -1);
    cr_assert_str_eq(model.plan.layers[1].name, "fc2");
    cr_assert(strcmp(model.digest, twin.digest) != 0);
    model_close(&model);
    model_close(&twin);
    temporary_close(&directory);
}

Test(layers, a_dense_layer_takes_an_image_flattened)
{
    struct twins twins;
    open_twins(&twins);
    add_tensor(&twins, "fc.weight", 2, (const int64_t[]){6, 30}, -1);
    onnx_input(&twins.builder, "x", 4, (const int64_t[]){-1, 2, 3, 5});
    onnx_node(&twins.builder, "Flatten", "", "x", "f");
    onnx_int(&twins.builder, onnx_node(&twins.builder, "Gemm", "", "f fc.weight", "y"), "transB",
             1);
    onnx_output(&twins.builder, "y");
    cr_assert(close_equal(&twins, HEAD("[2,3,5]") "'layers':[{'type':'dense','name':'fc'}]}") == 0);
}

/* Convolution */

/* Attributes of a window: kernel_shape, unless it is 0, strides, pads, dilations. */
static void set_window(struct twins *twins, Onnx__NodeProto *node, int64_t kernel, int64_t stride,
                       int64_t pad, int64_t dilation)
{
    const int64_t kernels[2] = {kernel, kernel}, strides[2] = {stride, stride};
    const int64_t pads[4] = {pad, pad, pad, pad}, dilations[2] = {dilation, dilation};
    if (kernel > 0)
        onnx_list(&twins->builder, node, "kernel_shape", 2, kernels);
    onnx_list(&twins->builder, node, "strides", 2, strides);
    onnx_list(&twins->builder, node, "pads", 4, pads);
    if (dilation > 1)
        onnx_list(&twins->builder, node, "dilations", 2, dilations);
}

static void add_norm(struct twins *twins, const char *name, int64_t channels, bool affine)
{
    static const char *const keys[] = {"weight", "bias", "running_mean", "running_var"};
    static const float lows[] = {0.5f, -1, -1, 0.5f};
    for (size_t i = affine ? 0 : 2; i < 4; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s.%s", name, keys[i]);
        add_list(twins, text, channels, lows[i]);
    }
}

static const float numbers_1[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
static const float numbers_0[16];

static void build_conv_twin(struct twins *twins)
{
    struct onnx_builder *b = &twins->builder;
    onnx_input(b, "x", 4, (const int64_t[]){-1, 3, 13, 11});
    set_window(twins, onnx_node(b, "Conv", "", "x c1.weight", "a1"), 0, 2, 1, 1);
    onnx_node(b, "BatchNormalization", "",
              "a1 bn1.weight bn1.bias bn1.running_mean bn1.running_var", "a2");
    onnx_node(b, "Relu", "", "a2", "a3");
    Onnx__NodeProto *pool = onnx_node(b, "MaxPool", "", "a3", "a4");
    set_window(twins, pool, 2, 2, 0, 1);
    onnx_int(b, pool, "ceil_mode", 1);
    Onnx__NodeProto *depthwise = onnx_node(b, "Conv", "", "a4 dw.weight dw.bias", "a5");
    set_window(twins, depthwise, 0, 1, 2, 2);
    onnx_int(b, depthwise, "group", 16);
    onnx_node(b, "PRelu", "", "a5 slope", "a6");
    onnx_matrix(b, "ones", 0, 16, numbers_1);
    onnx_matrix(b, "zeros", 0, 16, numbers_0);
    Onnx__NodeProto *norm = onnx_node(b, "BatchNormalization", "",
                                      "a6 ones zeros bn2.running_mean bn2.running_var", "a7");
    onnx_float(b, norm, "epsilon", 1e-3f);
    Onnx__NodeProto *average = onnx_node(b, "AveragePool", "", "a7", "a8");
    set_window(twins, average, 3, 2, 1, 1);
    onnx_int(b, average, "count_include_pad", 1);
    Onnx__NodeProto *grouped = onnx_node(b, "Conv", "", "a8 gr.weight", "a9");
    set_window(twins, grouped, 0, 1, 0, 1);
    onnx_int(b, grouped, "group", 4);
    onnx_node(b, "Relu", "", "a9", "a10");
    onnx_node(b, "GlobalAveragePool", "", "a10", "a11");
    onnx_node(b, "Flatten", "", "a11", "a12");
    onnx_int(b, onnx_node(b, "Gemm", "", "a12 fc.weight fc.bias", "y"), "transB", 1);
    onnx_output(b, "y");
}

static const char conv_json[] = HEAD(
    "[3,13,11]") "'layers':["
                 "{'type':'conv2d','name':'c1','stride':2,'padding':[1,1],'kernel_size':3},"
                 "{'type':'batch_norm','name':'bn1','activation':'relu'},"
                 "{'type':'max_pool2d','kernel_size':2,'ceil_mode':true},"
                 "{'type':'conv2d','name':'dw','groups':16,'dilation':2,'padding':'same',"
                 " 'activation':{'type':'prelu','slope':'act.weight'}},"
                 "{'type':'batch_norm','name':'bn2','eps':1e-3},"
                 "{'type':'avg_pool2d','kernel_size':[3,3],'stride':2,'padding':1},"
                 "{'type':'conv2d','name':'gr','groups':4,'padding':'valid','activation':'relu'},"
                 "{'type':'global_avg_pool2d'},{'type':'flatten'},"
                 "{'type':'dense','name':'fc'}]}";

Test(layers, a_convolutional_network_is_its_onnx_twin)
{
    struct twins twins;
    const int64_t slopes[3] = {16, 1, 1};
    float slope[16];
    open_twins(&twins);
    add_tensor(&twins, "c1.weight", 4, (const int64_t[]){16, 3, 3, 3}, -1);
    add_norm(&twins, "bn1", 16, true);
    weights_add(&twins.file, "bn1.num_batches_tracked", "I64", 0, NULL, "\7\0\0\0\0\0\0", 8);
    add_tensor(&twins, "dw.weight", 4, (const int64_t[]){16, 1, 3, 3}, -1);
    add_list(&twins, "dw.bias", 16, -1);
    random_floats(&twins.random, RANDOM_PLAIN, slope, 16);
    weights_floats(&twins.file, "act.weight", 1, slopes, slope);
    onnx_initializer(&twins.builder, onnx_floats(&twins.builder, "slope", 3, slopes, slope));
    add_norm(&twins, "bn2", 16, false);
    add_tensor(&twins, "gr.weight", 4, (const int64_t[]){8, 4, 1, 1}, -1);
    add_tensor(&twins, "fc.weight", 2, (const int64_t[]){4, 8}, -1);
    add_list(&twins, "fc.bias", 4, -1);
    build_conv_twin(&twins);
    cr_assert(close_equal(&twins, conv_json) == 3);
}

/* Where padding cannot be the same on both sides, "same" pads more at the end, as PyTorch and
 * TensorFlow do. */
Test(layers, same_pads_more_at_the_end)
{
    struct twins twins;
    open_twins(&twins);
    add_tensor(&twins, "c.weight", 4, (const int64_t[]){3, 2, 4, 3}, -1);
    onnx_input(&twins.builder, "x", 4, (const int64_t[]){-1, 2, 9, 9});
    onnx_list(&twins.builder, onnx_node(&twins.builder, "Conv", "", "x c.weight", "y"), "pads", 4,
              (const int64_t[]){1, 1, 2, 1});
    onnx_output(&twins.builder, "y");
    cr_assert(close_equal(&twins,
                          HEAD("[2,9,9]") "'layers':["
                                          "{'type':'conv2d','name':'c','padding':'same'}]}") == 0);
}

/* What a layer makes of an image [3, 13, 11]. */
struct shape_case {
    const char *layer;
    int64_t shape[3];
};

static void check_shape(const struct shape_case *c)
{
    static const float weight[2 * 3 * 4 * 3];
    struct weights_file file;
    struct model model;
    struct error error;
    char json[512];
    weights_open(&file);
    weights_floats(&file, "c.weight", 4, (const int64_t[]){2, 3, 4, 3}, weight);
    snprintf(json, sizeof json, HEAD("[3,13,11]") "'strict':false,'layers':[{%s}]}", c->layer);
    cr_assert(layers_load(&model, json, &file, &error) == STATUS_OK, "%s: %s", c->layer,
              error.message);
    cr_assert(model.outputs[0].rank == 4 &&
                  memcmp(model.outputs[0].dims + 1, c->shape, sizeof c->shape) == 0,
              "%s", c->layer);
    model_close(&model);
    weights_close(&file);
}

Test(layers, windows_have_the_defaults_of_pytorch)
{
    static const struct shape_case cases[] = {
        {"'type':'conv2d','name':'c'", {2, 10, 9}},
        {"'type':'conv2d','name':'c','kernel_size':[4,3],'bias':null", {2, 10, 9}},
        {"'type':'conv2d','name':'c','stride':[2,3]", {2, 5, 3}},
        {"'type':'conv2d','name':'c','stride':2,'padding':1", {2, 6, 6}},
        {"'type':'conv2d','name':'c','padding':[2,0],'dilation':[2,1]", {2, 11, 9}},
        {"'type':'conv2d','name':'c','padding':'same'", {2, 13, 11}},
        {"'type':'conv2d','name':'c','padding':'same','stride':2", {2, 7, 6}},
        {"'type':'conv2d','name':'c','padding':'valid'", {2, 10, 9}},
        {"'type':'max_pool2d','kernel_size':2", {3, 6, 5}},
        {"'type':'max_pool2d','kernel_size':2,'stride':null", {3, 6, 5}},
        {"'type':'max_pool2d','kernel_size':2,'ceil_mode':true", {3, 7, 6}},
        {"'type':'max_pool2d','kernel_size':[3,2],'stride':1,'padding':[1,0]", {3, 13, 10}},
        {"'type':'max_pool2d','kernel_size':3,'dilation':2,'padding':2", {3, 5, 4}},
        {"'type':'avg_pool2d','kernel_size':3,'stride':2,'padding':1,'ceil_mode':true", {3, 7, 6}},
        {"'type':'global_avg_pool2d'", {3, 1, 1}},
        {"'type':'dropout'", {3, 13, 11}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_shape(&cases[i]);
}
