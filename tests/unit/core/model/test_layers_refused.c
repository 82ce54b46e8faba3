/* Networks of model.json that are refused: one sentence that names the layer and the tensor. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers_net.h"

static void open_weights(struct weights_file *file)
{
    static const float numbers[64] = {1, 2, 3};
    weights_open(file);
    weights_floats(file, "fc.weight", 2, (const int64_t[]){2, 4}, numbers);
    weights_floats(file, "c.weight", 4, (const int64_t[]){4, 2, 3, 3}, (const float[72]){1});
    weights_floats(file, "c.bias", 1, (const int64_t[]){4}, numbers);
    weights_floats(file, "bn.running_mean", 1, (const int64_t[]){4}, numbers);
    weights_floats(file, "bn.running_var", 1, (const int64_t[]){4}, numbers);
    weights_floats(file, "five", 1, (const int64_t[]){5}, numbers);
    weights_floats(file, "none", 2, (const int64_t[]){0, 4}, numbers);
    weights_floats(file, "nan", 2, (const int64_t[]){1, 4},
                   (const float[]){1, 2, __builtin_nanf(""), 3});
    weights_add(file, "whole", "I32", 2, (const int64_t[]){1, 4}, numbers, 16);
}

static void check(const char *json, const char *says)
{
    struct weights_file file;
    struct model model;
    struct error error;
    open_weights(&file);
    cr_assert(layers_load(&model, json, &file, &error) != STATUS_OK, "%s is accepted", json);
    cr_assert(strstr(error.message, says), "%s: %s", json, error.message);
    cr_assert(!strchr(error.message, '\n'), "%s", error.message);
    model_close(&model);
    weights_close(&file);
}

struct refused {
    const char *text, *says;
};

#define INPUT(shape) "'input':{'name':'x','shape':" shape "},"
#define HEAD         "{'format':'relud-layers','version':1,"

/* One layer after an input of that shape. */
static void check_layers(const char *shape, const struct refused *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char json[1024];
        snprintf(json, sizeof json,
                 HEAD "'strict':false,'input':{'name':'x','shape':%s},'output':{'name':'y'},"
                      "'layers':[%s]}",
                 shape, cases[i].text);
        check(json, cases[i].says);
    }
}

#define CHECK_LAYERS(shape, ...)                               \
    check_layers(shape, (const struct refused[]){__VA_ARGS__}, \
                 sizeof(const struct refused[]){__VA_ARGS__} / sizeof(struct refused))

Test(layers_refused, documents)
{
    static const struct refused cases[] = {
        {"", "line 1"},
        {"[]", "expected an object"},
        {"{'format':'a','format':'b'}", "duplicate"},
        {"{'version':1}", "format: expected \"relud-layers\""},
        {"{'format':'onnx','version':1}", "format: expected \"relud-layers\""},
        {"{'format':'relud-layers'}", "version: expected 1, found 0"},
        {"{'format':'relud-layers','version':2}", "version: expected 1, found 2"},
        {"{'format':'relud-layers','version':'1'}", "version: expected a whole number"},
        {HEAD "'layer':[]}", "unknown key \"layer\""},
        {HEAD "'strict':0}", "strict: expected true or false"},
        {HEAD "'input':{}}", "layers: expected a list of 1 to 4096"},
        {HEAD "'layers':[]}", "layers: expected a list"},
        {HEAD "'layers':{}}", "layers: expected a list"},
        {HEAD "'layers':[1]}", "input: expected an object"},
        {HEAD "'input':{'shape':[4]},'layers':[1]}", "input: expected a name"},
        {HEAD "'input':{'name':''},'layers':[1]}", "input: name: expected a text"},
        {HEAD "'input':{'name':'x'},'layers':[1]}", "input: shape: expected 1 to 7 whole numbers"},
        {HEAD "'input':{'name':'x','shape':[4],'dtype':'F32'},'layers':[1]}",
         "input: unknown key \"dtype\""},
        {HEAD "'input':{'name':'five','shape':[4]},'layers':[1]}",
         "input: name: a tensor is called \"five\" already"},
        {HEAD INPUT("[4]") "'layers':[1]}", "layer 0: expected an object with a type"},
        {HEAD INPUT("[4]") "'layers':[{'name':'a'}]}", "layer 0: expected an object with a type"},
        {HEAD INPUT("[4]") "'layers':[{'type':'lstm'}]}", "layer 0: unknown type \"lstm\""},
        {HEAD INPUT("[4]") "'layers':[{'type':'flatten','name':3}]}", "layer 0: name"},
        {HEAD INPUT("[4]") "'layers':[{'type':'flatten'}]}", "output: expected an object"},
        {HEAD INPUT("[4]") "'output':{'name':'x'},'layers':[{'type':'flatten'}]}",
         "output: the input is called \"x\" already"},
        {HEAD INPUT("[4]") "'output':{'name':'y'},'layers':[{'type':'dense','name':'fc'}]}",
         "no layer uses the tensor \"bn.running_mean\" (\"strict\": false allows that)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check(cases[i].text, cases[i].says);
}

Test(layers_refused, shapes_of_the_input)
{
    static const char *const shapes[] = {"[]",
                                         "4",
                                         "[0]",
                                         "[-1,4]",
                                         "[4.0]",
                                         "['4']",
                                         "[1,1,1,1,1,1,1,1]",
                                         "[16777217]",
                                         "[4294967296,4294967296]"};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        check_layers(shapes[i], &(struct refused){"1", "input: shape: expected 1 to 7"}, 1);
}

Test(layers_refused, dense_layers)
{
    CHECK_LAYERS(
        "[4]", {"{'type':'dense','name':'fc','units':2}", "layer \"fc\": unknown key \"units\""},
        {"{'type':'dense','name':'fc','layout':'out'}",
         "layout: expected \"out_in\" or \"in_out\", found \"out\""},
        {"{'type':'dense','name':'fc1'}",
         "layer \"fc1\": weight: the weights have no tensor \"fc1.weight\""},
        {"{'type':'dense'}", "no tensor \"dense_0.weight\""},
        {"{'type':'dense','name':'fc','weight':3}", "weight: expected the name of a tensor"},
        {"{'type':'dense','name':'fc','weight':'c.weight'}",
         "weight \"c.weight\" [4, 2, 3, 3]: expected 2 dimensions"},
        {"{'type':'dense','name':'fc','weight':'none'}", "weight \"none\" [0, 4]: expected 2"},
        {"{'type':'dense','name':'fc','weight':'whole'}",
         "weight \"whole\": expected F32, F16, BF16 or F64, found I32"},
        {"{'type':'dense','name':'fc','layout':'in_out'}",
         "weight \"fc.weight\" [2, 4] takes 2 numbers, its input [4] has 4"},
        {"{'type':'dense','name':'fc','bias':'five'}", "bias \"five\" [5]: expected [2]"},
        {"{'type':'dense','name':'fc','bias':'six'}", "bias: the weights have no tensor \"six\""},
        {"{'type':'dense','name':'n','weight':'nan'}",
         "layer \"n\": tensor \"nan\": expected finite numbers, found nan at element 2"});
    CHECK_LAYERS("[4,1,2]", {"{'type':'dense','name':'fc'}",
                             "weight \"fc.weight\" [2, 4] takes 4 numbers, its input [4, 1, 2] has "
                             "8"});
}

Test(layers_refused, convolutions)
{
    CHECK_LAYERS(
        "[2,5,5]", {"{'type':'conv2d','name':'c','weight':'fc.weight'}", "expected 4 dimensions"},
        {"{'type':'conv2d','name':'c','groups':0}",
         "groups: expected a whole number of at least 1"},
        {"{'type':'conv2d','name':'c','groups':2}",
         "layer \"c\": weight \"c.weight\" [4, 2, 3, 3] does not fit an input [2, 5, 5], groups 2"},
        {"{'type':'conv2d','name':'c','kernel_size':5}", "kernel_size [5, 5]"},
        {"{'type':'conv2d','name':'c','stride':0}",
         "stride: expected a whole number of at least 1"},
        {"{'type':'conv2d','name':'c','stride':[1,2,3]}", "stride: expected"},
        {"{'type':'conv2d','name':'c','stride':1.5}", "stride: expected"},
        {"{'type':'conv2d','name':'c','padding':'full'}",
         "padding: expected numbers, \"same\" or \"valid\", found \"full\""},
        {"{'type':'conv2d','name':'c','padding':-1}", "padding: expected a whole number"},
        {"{'type':'conv2d','name':'c','dilation':3}", "a window of 7 does not fit"},
        {"{'type':'conv2d','name':'c','padding':2147483647}", "pads"},
        {"{'type':'conv2d','name':'c','bias':'five'}", "bias \"five\" [5]: expected [4]"});
    CHECK_LAYERS("[18]", {"{'type':'conv2d','name':'c'}",
                          "expected an input [channels, height, width], found [18]"});
    CHECK_LAYERS("[3,5,5]", {"{'type':'conv2d','name':'c'}", "does not fit an input [3, 5, 5]"});
    CHECK_LAYERS("[6,5,5]", {"{'type':'conv2d','name':'c','groups':3}", "does not fit an input"});
    CHECK_LAYERS("[5,5,5]", {"{'type':'conv2d','name':'c','groups':2}", "does not fit an input"});
}

Test(layers_refused, layers_without_weights)
{
    CHECK_LAYERS(
        "[4,5,5]", {"{'type':'max_pool2d'}", "layer \"max_pool2d_0\": expected a kernel_size"},
        {"{'type':'max_pool2d','kernel_size':0}", "kernel_size: expected a whole number"},
        {"{'type':'max_pool2d','kernel_size':2,'padding':2}",
         "at most half of the window, found 2"},
        {"{'type':'max_pool2d','kernel_size':2,'count_include_pad':true}", "unknown key"},
        {"{'type':'avg_pool2d','kernel_size':2,'ceil_mode':1}",
         "ceil_mode: expected true or false"},
        {"{'type':'avg_pool2d','kernel_size':2,'dilation':2}", "unknown key \"dilation\""},
        {"{'type':'max_pool2d','kernel_size':6}", "a window of 6 does not fit"},
        {"{'type':'dropout','p':'half'}", "p: expected a number"},
        {"{'type':'flatten','start_dim':1}", "unknown key"},
        {"{'type':'batch_norm','name':'b'}", "running_mean: the weights have no tensor"},
        {"{'type':'batch_norm','name':'bn','weight':'five'}", "weight \"five\" [5]: expected [4]"},
        {"{'type':'batch_norm','name':'bn','eps':-1}", "eps: expected 0 to 1, found -1"});
    CHECK_LAYERS(
        "[5]",
        {"{'type':'batch_norm','name':'bn'}", "running_mean \"bn.running_mean\" [4]: expected [5]"},
        {"{'type':'avg_pool2d','kernel_size':2}", "expected an input [channels"},
        {"{'type':'global_avg_pool2d'}", "expected an input [channels"});
}

Test(layers_refused, activations)
{
    CHECK_LAYERS(
        "[4]", {"{'type':'activation','name':'a'}", "layer \"a\": expected an activation"},
        {"{'type':'activation','activation':'swish'}", "unknown type \"swish\""},
        {"{'type':'activation','activation':7}", "unknown type \"\""},
        {"{'type':'activation','activation':{'type':'relu','alpha':1}}", "relu takes no parameter"},
        {"{'type':'activation','activation':{'type':'elu','alpha':'1'}}", "alpha must be a number"},
        {"{'type':'activation','activation':{'type':'prelu','slope':'five'}}",
         "slope \"five\" [5]: expected [4]"},
        {"{'type':'activation','activation':{'type':'prelu','slope':'six'}}",
         "slope: the weights have no tensor \"six\""},
        {"{'type':'activation','activation':{'type':'prelu','slope':'five','alpha':1}}",
         "unknown key \"alpha\""},
        {"{'type':'activation','activation':{'type':'softmax','dim':1}}", "unknown key \"dim\""},
        {"{'type':'activation','activation':{'type':'softmax','axis':2}}",
         "layer \"activation_0\": axis: expected -2 to 1, found 2"});
}
