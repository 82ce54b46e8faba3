/* What becomes of the file besides. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failing_malloc.h"
#include "sketch.h"

static const struct compact_options plain = {.fold = false};

static Onnx__ValueInfoProto *told(struct sketch *s, const char *name, size_t rank,
                                  const int64_t *dims)
{
    Onnx__ValueInfoProto *info = onnx_input(&s->onnx, name, rank, dims);
    s->onnx.graph->n_input--;
    return info;
}

Test(compact_file, what_is_not_cut_stays_as_it_was)
{
    struct sketch s;
    struct compacted c;
    Onnx__StringStringEntryProto entry, *entries[] = {&entry};
    Onnx__ValueInfoProto *infos[2];
    sketch_begin(&s);
    sketch_vector(&s);
    sketch_dense(&s, "a", "x", 8, 5, "147", "Relu");
    sketch_dense(&s, "out", "a_h", 3, 8, "", NULL);
    onnx__string_string_entry_proto__init(&entry);
    entry.key = (char *)"author";
    entry.value = (char *)"somebody";
    s.onnx.model->metadata_props = entries;
    s.onnx.model->n_metadata_props = 1;
    s.onnx.model->producer_name = (char *)"a test";
    infos[0] = told(&s, "a_h", 2, (const int64_t[]){-1, 8});
    infos[1] = told(&s, "out", 2, (const int64_t[]){-1, 3});
    s.onnx.graph->value_info = infos;
    s.onnx.graph->n_value_info = 2;
    sketch_finish(&s, &c, &plain, 0);
    Onnx__ModelProto *proto = compacted_proto(&c);
    cr_assert(proto->ir_version == 8 && proto->opset_import[0]->version == ONNX_BUILDER_OPSET);
    cr_assert_str_eq(proto->producer_name, "a test");
    cr_assert_str_eq(proto->metadata_props[0]->value, "somebody");
    cr_assert_str_eq(proto->graph->node[0]->name, "a");
    cr_assert_eq(proto->graph->n_value_info, 1);
    cr_assert_str_eq(proto->graph->value_info[0]->name, "out");
    onnx__model_proto__free_unpacked(proto, NULL);
    compacted_close(&c);
}

/* Format 3 lists initializers among the inputs. */
Test(compact_file, initializers_that_are_inputs)
{
    struct sketch s;
    struct compacted c;
    sketch_begin(&s);
    sketch_vector(&s);
    sketch_dense(&s, "a", "x", 8, 5, "147", "Relu");
    sketch_dense(&s, "out", "a_h", 3, 8, "", NULL);
    onnx_input(&s.onnx, "a.weight", 2, (const int64_t[]){8, 5});
    onnx_input(&s.onnx, "a.bias", 1, (const int64_t[]){8});
    onnx_input(&s.onnx, "out.weight", 2, (const int64_t[]){3, 8});
    onnx_input(&s.onnx, "out.bias", 1, (const int64_t[]){3});
    s.onnx.model->ir_version = 3;
    sketch_finish(&s, &c, &plain, 0);
    Onnx__ModelProto *proto = compacted_proto(&c);
    cr_assert_eq(proto->graph->input[1]->type->tensor_type->shape->dim[0]->dim_value, 5);
    cr_assert_eq(proto->graph->input[3]->type->tensor_type->shape->dim[1]->dim_value, 5);
    onnx__model_proto__free_unpacked(proto, NULL);
    compacted_close(&c);
}

/* Weights as a list of floats, of doubles, as half precision, and held by a Constant node. */
Test(compact_file, tensors_of_every_form)
{
    struct sketch s;
    struct compacted c;
    float floats[20];
    double doubles[20];
    uint16_t halves[4] = {0x3C00, 0x4000, 0xD640, 0x3800}; /* 1, 2, -100, 0.5 */
    sketch_begin(&s);
    sketch_vector(&s);
    random_floats(&s.random, RANDOM_PLAIN, floats, 20);
    for (size_t i = 0; i < 20; i++)
        doubles[i] = (double)floats[19 - i];
    Onnx__TensorProto *list = onnx_matrix(&s.onnx, "v", 5, 4, floats);
    list->has_raw_data = 0;
    list->n_float_data = 20;
    list->float_data = floats;
    Onnx__TensorProto *half = onnx_matrix(&s.onnx, "b", 0, 4, floats);
    half->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16;
    half->raw_data = (ProtobufCBinaryData){sizeof halves, (uint8_t *)halves};
    Onnx__TensorProto *wide = onnx_floats(&s.onnx, "", 2, (const int64_t[]){4, 5}, floats);
    wide->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE;
    wide->has_raw_data = 0;
    wide->n_double_data = 20;
    wide->double_data = doubles;
    onnx_value(&s.onnx, onnx_node(&s.onnx, "Constant", "", "", "w"), "value", wide);
    onnx_node(&s.onnx, "MatMul", "", "x v", "m");
    onnx_node(&s.onnx, "Add", "", "m b", "a");
    onnx_node(&s.onnx, "Relu", "", "a", "a_h");
    onnx_node(&s.onnx, "MatMul", "", "a_h w", "out");
    onnx_output(&s.onnx, "out");
    compacted_open(&c, &s.onnx, &plain);
    cr_assert_eq(compacted_compare(&c, 0), COMPACTED_ROWS + COMPACTED_MORE);
    cr_assert_eq(compacted_removed(&c, "v"), 1);
    EXPECT_DIMS(&c, "v", 5, 3);
    EXPECT_DIMS(&c, "b", 3);
    onnx_close(&s.onnx);
    compacted_close(&c);
}

/* Weights beside the model become part of the new file. */
Test(compact_file, external_data)
{
    struct sketch s;
    struct temporary directory;
    struct compacted c;
    size_t count;
    sketch_begin(&s);
    sketch_vector(&s);
    sketch_dense(&s, "a", "x", 8, 5, "147", "Relu");
    sketch_dense(&s, "out", "a_h", 3, 8, "", NULL);
    onnx_output(&s.onnx, "out");
    temporary_open(&directory);
    Onnx__TensorProto *weight = s.onnx.graph->initializer[2];
    temporary_write(&directory, "w.bin", weight->raw_data.data, weight->raw_data.len);
    Onnx__StringStringEntryProto entry, *entries[] = {&entry};
    onnx__string_string_entry_proto__init(&entry);
    entry.key = (char *)"location";
    entry.value = (char *)"w.bin";
    weight->has_raw_data = 0;
    weight->has_data_location = 1;
    weight->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    weight->n_external_data = 1;
    weight->external_data = entries;
    const uint8_t *bytes = onnx_pack(&s.onnx, &count);
    compacted_open_file(&c, temporary_write(&directory, "model.onnx", bytes, count), &plain);
    temporary_close(&directory);
    cr_assert_eq(compacted_compare(&c, 0), COMPACTED_ROWS + COMPACTED_MORE);
    EXPECT_DIMS(&c, "out.weight", 3, 5);
    onnx_close(&s.onnx);
    compacted_close(&c);
}

/* The texts of a classifier's labels are of no use to relud, and stay as they are. */
Test(compact_file, labels_that_nobody_reads)
{
    struct sketch s;
    struct compacted c;
    sketch_begin(&s);
    sketch_vector(&s);
    sketch_dense(&s, "a", "x", 8, 5, "147", "Relu");
    sketch_dense(&s, "out", "a_h", 3, 8, "", NULL);
    onnx_node(&s.onnx, "ArgMax", "", "out", "best");
    Onnx__NodeProto *node =
        onnx_node(&s.onnx, "ArrayFeatureExtractor", "", "classes best", "label");
    node->domain = (char *)"ai.onnx.ml";
    Onnx__TensorProto *classes = onnx_ints(&s.onnx, "classes", 3, (const int64_t[]){7, 8, 9});
    classes->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__STRING;
    onnx_initializer(&s.onnx, classes);
    onnx_output(&s.onnx, "out");
    onnx_output(&s.onnx, "label")->type->tensor_type->elem_type =
        ONNX__TENSOR_PROTO__DATA_TYPE__STRING;
    compacted_open(&c, &s.onnx, &plain);
    cr_assert_eq(compacted_compare(&c, 0), COMPACTED_ROWS + COMPACTED_MORE);
    cr_assert_eq(compacted_removed(&c, "a"), 3);
    EXPECT_DIMS(&c, "classes", 3);
    onnx_close(&s.onnx);
    compacted_close(&c);
}

static enum status try(const char *path, const struct compact_options *options, struct error *error)
{
    const struct model_options model_options = {.level = STATS_full};
    struct model model;
    struct compact compact;
    cr_assert(model_open(&model, path, &model_options, error) == STATUS_OK, "%s", error->message);
    malloc_fail_after(options->min_samples); /* here: that many requests succeed */
    const enum status status = compact_open(&compact, &model, path, NULL, options, error);
    malloc_stop_failing();
    compact_close(&compact);
    model_close(&model);
    return status;
}

Test(compact_file, a_failing_malloc_is_an_error)
{
    struct compact_options options = {.proven_only = true, .min_samples = 0};
    struct error error;
    size_t failed = 0;
    if (!malloc_watched())
        return;
    while (try("models/digits-dying/model.onnx", &options, &error) != STATUS_OK) {
        cr_assert_eq(error.status, STATUS_OUT_OF_MEMORY, "%zu: %s", failed, error.message);
        options.min_samples = ++failed;
    }
    cr_assert(failed > 10, "%zu", failed);
}

/* A file that adds the rows of its batch up is run whole. */
Test(compact_file, one_that_mixes_its_rows_is_refused)
{
    struct sketch s;
    struct temporary directory;
    struct error error;
    size_t count;
    sketch_begin(&s);
    onnx_input(&s.onnx, "x", 2, (const int64_t[]){3, 5});
    sketch_dense(&s, "a", "x", 8, 5, "147", "Relu");
    onnx_int(&s.onnx, onnx_node(&s.onnx, "Concat", "", "a_h a_h", "out"), "axis", 0);
    onnx_output(&s.onnx, "out");
    temporary_open(&directory);
    const uint8_t *bytes = onnx_pack(&s.onnx, &count);
    const char *path = temporary_write(&directory, "model.onnx", bytes, count);
    const struct compact_options options = {.proven_only = true, .min_samples = SIZE_MAX / 2};
    cr_assert(try(path, &options, &error) == STATUS_UNSUPPORTED);
    cr_assert(strstr(error.message, "the file does something to its batch"), "%s", error.message);
    temporary_close(&directory);
    onnx_close(&s.onnx);
}

/* Fields that are not ONNX's are skipped by the import and kept by what is written: one of number 0
 * cannot be. */
Test(compact_file, one_that_holds_an_impossible_field_is_refused)
{
    struct sketch s;
    struct temporary directory;
    struct error error;
    uint8_t bytes[1 << 12] = {0};
    size_t count;
    sketch_begin(&s);
    sketch_vector(&s);
    sketch_dense(&s, "out", "x", 3, 5, "", NULL);
    onnx_output(&s.onnx, "out");
    const uint8_t *packed = onnx_pack(&s.onnx, &count);
    cr_assert(count + 2 <= sizeof bytes);
    memcpy(bytes, packed, count);
    temporary_open(&directory);
    const char *path = temporary_write(&directory, "model.onnx", bytes, count + 2);
    const struct compact_options options = {.proven_only = true, .min_samples = SIZE_MAX / 2};
    cr_assert(try(path, &options, &error) == STATUS_INVALID, "%s", error.message);
    cr_assert(strstr(error.message, "expected an ONNX protobuf"), "%s", error.message);
    temporary_close(&directory);
    onnx_close(&s.onnx);
}
