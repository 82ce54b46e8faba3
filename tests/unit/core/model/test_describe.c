/* A model as JSON. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

#include "model/describe.h"
#include "onnx_builder.h"

static json_t *described(void (*write)(struct text *text, const struct model *model),
                         const struct model *model)
{
    struct text text = {.bytes = NULL};
    json_error_t error;
    text_put(&text, "{");
    write(&text, model);
    text_put(&text, "}");
    json_t *json = json_loadb(text.bytes, text.count, JSON_REJECT_DUPLICATES, &error);
    cr_assert(json, "%s: %.*s", error.text, (int)text.count, text.bytes);
    text_free(&text);
    return json;
}

static void expect(json_t *json, const char *expected)
{
    json_t *other = json_loads(expected, 0, NULL);
    char *text = json_dumps(json, JSON_COMPACT);
    cr_assert(other && json_equal(json, other), "%s", text);
    free(text);
    json_decref(other);
    json_decref(json);
}

Test(describe, signature_and_layers)
{
    struct onnx_builder builder;
    struct model model;
    struct error error;
    onnx_open(&builder);
    onnx_small(&builder);
    cr_assert(onnx_load(&builder, &model, &error) == STATUS_OK);
    model.name = "a \"name\"";
    strcpy(model.digest, "sha256:0");
    expect(described(describe_signature, &model),
           "{\"name\": \"a \\\"name\\\"\", \"version\": \"1\", \"digest\": \"sha256:0\","
           " \"inputs\": [{\"name\": \"x\", \"datatype\": \"FP32\", \"shape\": [-1, 4]}],"
           " \"outputs\": [{\"name\": \"y\", \"datatype\": \"FP32\", \"shape\": [-1, 2]}]}");
    expect(
        described(describe_layers, &model),
        "{\"layers\": [{\"name\": \"fc1\", \"kind\": \"dense\", \"input_shapes\": [[4]],"
        " \"output_shape\": [3], \"activation\": {\"type\": \"relu\"}, \"parameters\": 15,"
        " \"mflops\": 0.000024, \"bytes\": 320},"
        " {\"name\": \"fc2\", \"kind\": \"dense\", \"input_shapes\": [[3]], \"output_shape\": [2],"
        " \"activation\": {\"type\": \"identity\"}, \"parameters\": 8, \"mflops\": 0.000012,"
        " \"bytes\": 256}]}");
    model_close(&model);
    onnx_close(&builder);
}

/* A range that is the same for all features is one number; the Open Inference Protocol has neither
 * range nor labels. */
Test(describe, declared_ranges_and_labels)
{
    static const float min[] = {-1, -1, -1, -1}, max[] = {1, 0.1F, 2, 2};
    static const char *const labels[] = {"no", "\"yes\""};
    struct onnx_builder builder;
    struct model model;
    struct error error;
    onnx_open(&builder);
    onnx_small(&builder);
    cr_assert(onnx_load(&builder, &model, &error) == STATUS_OK);
    model.name = "a";
    model.digest[0] = '\0';
    model.inputs[0].min = min;
    model.inputs[0].max = max;
    model.outputs[0].labels = labels;
    expect(described(describe_signature, &model),
           "{\"name\": \"a\", \"version\": \"1\", \"digest\": \"\", \"inputs\": [{\"name\": \"x\","
           " \"datatype\": \"FP32\", \"shape\": [-1, 4], \"min\": -1, \"max\": [1, 0.1, 2, 2]}],"
           " \"outputs\": [{\"name\": \"y\", \"datatype\": \"FP32\", \"shape\": [-1, 2],"
           " \"labels\": [\"no\", \"\\\"yes\\\"\"]}]}");
    expect(described(describe_ports, &model),
           "{\"inputs\": [{\"name\": \"x\", \"datatype\": \"FP32\", \"shape\": [-1, 4]}],"
           " \"outputs\": [{\"name\": \"y\", \"datatype\": \"FP32\", \"shape\": [-1, 2]}]}");
    model_close(&model);
    onnx_close(&builder);
}

/* x [2, 6, 5] -> two convolutions, pooled, next to each other, added to themselves, and flattened.
 */
static void build_images(struct onnx_builder *b)
{
    static const float weights[54];
    onnx_input(b, "x", 4, (const int64_t[]){-1, 2, 6, 5});
    onnx_initializer(b, onnx_floats(b, "deep.weight", 4, (const int64_t[]){2, 1, 3, 3}, weights));
    onnx_initializer(b, onnx_floats(b, "wide.weight", 4, (const int64_t[]){3, 2, 3, 3}, weights));
    onnx_int(b, onnx_node(b, "Conv", "", "x deep.weight", "a"), "group", 2);
    onnx_list(b, onnx_node(b, "Conv", "", "x wide.weight", "c"), "strides", 2,
              (const int64_t[]){1, 1});
    onnx_list(b, onnx_node(b, "MaxPool", "stem/pool", "c", "d"), "kernel_shape", 2,
              (const int64_t[]){1, 1});
    onnx_int(b, onnx_node(b, "Concat", "", "a d", "e"), "axis", 1);
    onnx_node(b, "Add", "", "e e", "f");
    onnx_node(b, "Flatten", "", "f", "y");
    onnx_output(b, "y");
}

/* One layer of those that describe_layers() writes. */
static json_t *layer_named(const json_t *layers, const char *name)
{
    size_t i;
    json_t *layer;
    json_array_foreach(layers, i, layer)
    {
        if (strcmp(json_string_value(json_object_get(layer, "name")), name) == 0)
            return json_incref(layer);
    }
    cr_assert_fail("no layer \"%s\"", name);
    return NULL;
}

Test(describe, windows_shapes_and_copies)
{
    struct onnx_builder builder;
    struct model model;
    struct error error;
    onnx_open(&builder);
    build_images(&builder);
    cr_assert(onnx_load(&builder, &model, &error) == STATUS_OK, "%s", error.message);
    json_t *json = described(describe_layers, &model);
    const json_t *layers = json_object_get(json, "layers");
    expect(layer_named(layers, "deep"),
           "{\"name\": \"deep\", \"kind\": \"conv\", \"input_shapes\": [[2, 6, 5]],"
           " \"output_shape\": [2, 4, 3], \"kernel\": [3, 3], \"stride\": [1, 1],"
           " \"dilation\": [1, 1], \"groups\": 2, \"activation\": {\"type\": \"identity\"},"
           " \"parameters\": 20, \"mflops\": 0.000432, \"bytes\": 640}");
    expect(layer_named(layers, "stem/pool"),
           "{\"name\": \"stem/pool\", \"kind\": \"max_pool\", \"input_shapes\": [[3, 4, 3]],"
           " \"output_shape\": [3, 4, 3], \"kernel\": [1, 1], \"stride\": [1, 1],"
           " \"dilation\": [1, 1], \"activation\": {\"type\": \"identity\"}, \"parameters\": 0,"
           " \"mflops\": 0.000036, \"bytes\": 0}");
    json_t *concat = json_array_get(layers, 3);
    cr_assert_str_eq(json_string_value(json_object_get(concat, "kind")), "concat");
    expect(json_incref(json_object_get(concat, "input_shapes")), "[[2, 4, 3], [3, 4, 3]]");
    cr_assert_eq(json_integer_value(json_object_get(concat, "mflops")), 0);
    cr_assert_eq(json_array_size(layers), 5);
    json_decref(json);
    const struct costs costs = describe_costs(&model);
    cr_assert_eq(costs.copies, model.graph.node_count - 5);
    cr_assert(costs.copies >= 1 && costs.parameters == 20 + 57);
    cr_assert_eq(costs.row_bytes, model.plan.floats_per_row * sizeof(float));
    model_close(&model);
    onnx_close(&builder);
}

/* The dimensions in front of those a window slides along are the channels, and images in a file run
 * whole. */
Test(describe, windows_slide_along_the_last_dimensions)
{
    uint32_t input = 0;
    struct value value = {.layout = LAYOUT_CHANNELS_LAST, .shape = {.rank = 4}};
    const struct graph graph = {.values = &value, .value_count = 1};
    struct node node = {.op = OP_conv, .inputs = &input, .k = 9, .window = {.kernel = {1, 3, 3}}};
    cr_assert_eq(describe_spatial(&graph, &node), 3);
    value.layout = LAYOUT_IMAGES;
    cr_assert_eq(describe_spatial(&graph, &node), 2);
    node.op = OP_depthwise;
    node.k = 1;
    cr_assert_eq(describe_spatial(&graph, &node), 0, "a normalisation");
    node = (struct node){.op = OP_arithmetic, .inputs = &input};
    cr_assert_eq(describe_spatial(&graph, &node), 0);
}
