/* What scikit-learn's exports have beside a network: scalers, labels, dictionaries. */
#include <criterion/criterion.h>
#include <string.h>

#include "onnx_builder.h"

static const int64_t open3[2] = {-1, 3};

static Onnx__NodeProto *ml_node(struct onnx_builder *builder, const char *op_type,
                                const char *inputs, const char *output)
{
    Onnx__NodeProto *node = onnx_node(builder, op_type, "", inputs, output);
    node->domain = (char *)"ai.onnx.ml";
    return node;
}

/* x [N, 3] -> Relu -> "probabilities", whose largest is the label. */
static void build_classifier(struct onnx_builder *builder)
{
    onnx_open(builder);
    onnx_input(builder, "x", 2, open3);
    onnx_node(builder, "Relu", "", "x", "probabilities");
    onnx_node(builder, "ArgMax", "", "probabilities", "best");
    ml_node(builder, "ArrayFeatureExtractor", "classes best", "label");
    Onnx__TensorProto *classes = onnx_ints(builder, "classes", 3, (const int64_t[]){7, 8, 9});
    classes->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__STRING; /* of no use to relud */
    onnx_initializer(builder, classes);
    onnx_output(builder, "label")->type->tensor_type->elem_type =
        ONNX__TENSOR_PROTO__DATA_TYPE__STRING;
}

static void load(struct onnx_builder *builder, struct model *model)
{
    struct error error;
    cr_assert(onnx_load(builder, model, &error) == STATUS_OK, "%s", error.message);
}

static void expect_refused(struct onnx_builder *builder, const char *part)
{
    struct model model;
    struct error error;
    cr_assert(onnx_load(builder, &model, &error) != STATUS_OK);
    cr_assert(strstr(error.message, part), "%s", error.message);
    model_close(&model);
    onnx_close(builder);
}

/* Loads and closes: the only output is called name, the label is left out. */
static void expect_only(struct onnx_builder *builder, const char *name, const char *const *labels)
{
    struct model model;
    float y[3];
    load(builder, &model);
    cr_assert(model.graph.output_count == 1 && model.graph.node_count == 1);
    cr_assert_str_eq(model.outputs[0].name, name);
    cr_assert(model.left_out_count == 1);
    cr_assert_str_eq(model.left_out[0], "label");
    cr_assert(!labels == !model.outputs[0].labels);
    for (size_t i = 0; labels && i < 3; i++)
        cr_assert_str_eq(model.outputs[0].labels[i], labels[i]);
    model_run(&model, (const float[]){-1, 2, 3}, 1, y);
    cr_assert(y[0] == 0 && y[1] == 2 && y[2] == 3);
    model_close(&model);
    onnx_close(builder);
}

Test(onnx_ml, a_label_is_left_out_beside_probabilities)
{
    struct onnx_builder builder;
    build_classifier(&builder);
    onnx_output(&builder, "probabilities");
    expect_only(&builder, "probabilities", NULL);
}

Test(onnx_ml, what_a_left_out_output_needs_may_be_listed_as_an_input)
{
    struct onnx_builder builder;
    build_classifier(&builder);
    onnx_input(&builder, "classes", 1, (const int64_t[]){3});
    onnx_output(&builder, "probabilities");
    expect_only(&builder, "probabilities", NULL);
}

Test(onnx_ml, a_label_alone_is_refused)
{
    struct onnx_builder builder;
    build_classifier(&builder);
    builder.graph->initializer[0]->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
    expect_refused(&builder, "node 1 \"\" (ArgMax)");
}

/* Gives the classifier an output of dictionaries. */
static Onnx__NodeProto *zip(struct onnx_builder *builder)
{
    static Onnx__TypeProto__Sequence sequence = ONNX__TYPE_PROTO__SEQUENCE__INIT;
    Onnx__ValueInfoProto *info = onnx_output(builder, "zipped");
    info->type->value_case = ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE;
    info->type->sequence_type = &sequence;
    return ml_node(builder, "ZipMap", "probabilities", "zipped");
}

Test(onnx_ml, dictionaries_are_numbers_with_labels)
{
    int64_t numbers[] = {10, -2, 0};
    ProtobufCBinaryData names[] = {{3, (uint8_t *)"cat"}, {3, (uint8_t *)"dog"}, {0, NULL}};
    struct onnx_builder builder;
    build_classifier(&builder);
    Onnx__AttributeProto *list = onnx_int(&builder, zip(&builder), "classlabels_int64s", 0);
    list->ints = numbers;
    list->n_ints = 3;
    expect_only(&builder, "zipped", (const char *const[]){"10", "-2", "0"});
    build_classifier(&builder);
    list = onnx_int(&builder, zip(&builder), "classlabels_strings", 0);
    list->strings = names;
    list->n_strings = 3;
    expect_only(&builder, "zipped", (const char *const[]){"cat", "dog", ""});
}

Test(onnx_ml, labels_for_other_columns_are_no_labels)
{
    int64_t numbers[] = {1, 2};
    struct onnx_builder builder;
    build_classifier(&builder);
    Onnx__AttributeProto *list = onnx_int(&builder, zip(&builder), "classlabels_int64s", 0);
    list->ints = numbers;
    list->n_ints = 2;
    expect_only(&builder, "zipped", NULL);
}

/* Scaler */

static void build_scaler(struct onnx_builder *builder, float *offset, size_t offsets, float *scale,
                         size_t scales)
{
    onnx_open(builder);
    onnx_input(builder, "x", 2, open3);
    Onnx__NodeProto *node = ml_node(builder, "Scaler", "x", "y");
    Onnx__AttributeProto *lists[] = {offsets ? onnx_float(builder, node, "offset", 0) : NULL,
                                     scales ? onnx_float(builder, node, "scale", 0) : NULL};
    if (offsets)
        lists[0]->floats = offset, lists[0]->n_floats = offsets;
    if (scales)
        lists[1]->floats = scale, lists[1]->n_floats = scales;
    onnx_output(builder, "y");
}

Test(onnx_ml, a_scaler_takes_an_offset_and_then_a_scale)
{
    float offset[3] = {1, 2, 3}, scale[3] = {2, -4, 0.5f};
    const float x[3] = {5, 5, 5}, both[3] = {8, -12, 1}, one[3] = {8, 8, 8};
    struct onnx_builder builder;
    struct model model;
    float y[3];
    build_scaler(&builder, offset, 3, scale, 3);
    load(&builder, &model);
    model_run(&model, x, 1, y);
    cr_assert(memcmp(y, both, sizeof y) == 0, "%g %g %g", (double)y[0], (double)y[1], (double)y[2]);
    model_close(&model);
    onnx_close(&builder);
    build_scaler(&builder, offset, 1, scale, 1);
    load(&builder, &model);
    model_run(&model, x, 1, y);
    cr_assert(memcmp(y, one, sizeof y) == 0, "%g %g %g", (double)y[0], (double)y[1], (double)y[2]);
    model_close(&model);
    onnx_close(&builder);
}

Test(onnx_ml, a_scaler_that_does_not_fit_is_refused)
{
    float numbers[3] = {1, 2, 3};
    struct onnx_builder builder;
    build_scaler(&builder, numbers, 2, NULL, 0);
    expect_refused(&builder, "offset: expected 1 or 3 numbers, found 2");
    build_scaler(&builder, numbers, 3, numbers, 3);
    onnx_matrix(&builder, "c", 1, 3, numbers);
    builder.graph->node[0]->input[0] = (char *)"c";
    expect_refused(&builder, "expected an input that is no constant");
}

Test(onnx_ml, other_operators_of_the_domain_are_refused)
{
    struct onnx_builder builder;
    onnx_open(&builder);
    onnx_input(&builder, "x", 2, open3);
    ml_node(&builder, "Relu", "x", "y");
    onnx_output(&builder, "y");
    expect_refused(&builder, "operators of the domain \"ai.onnx.ml\" are not supported");
}
