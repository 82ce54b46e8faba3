/* External tensor data: numbers that lie in files beside the model. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "refusals.h"
#include "temporary.h"

/* Moves a tensor's raw data out of the message: entries are keys and values, ended by NULL. */
static void make_external(struct onnx_builder *b, Onnx__TensorProto *tensor,
                          const char *const *entries)
{
    tensor->external_data = arena_alloc(&b->arena, 8, sizeof *tensor->external_data);
    tensor->n_external_data = 0;
    tensor->has_raw_data = 0;
    tensor->has_data_location = 1;
    tensor->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    for (; *entries; entries += 2) {
        Onnx__StringStringEntryProto *entry = arena_alloc(&b->arena, 1, sizeof *entry);
        onnx__string_string_entry_proto__init(entry);
        entry->key = (char *)entries[0];
        entry->value = (char *)entries[1];
        tensor->external_data[tensor->n_external_data++] = entry;
    }
}

/* The weights of onnx_small(), fc1's from byte 3 on, fc2's behind them. */
enum { FC1_AT = 3, FC1_BYTES = 48, FC2_AT = FC1_AT + FC1_BYTES, FC2_BYTES = 24 };

static void write_weights(struct temporary *directory, const struct onnx_builder *b)
{
    uint8_t bytes[FC2_AT + FC2_BYTES] = {0};
    memcpy(bytes + FC1_AT, b->graph->initializer[FC1_WEIGHT]->raw_data.data, FC1_BYTES);
    memcpy(bytes + FC2_AT, b->graph->initializer[FC2_WEIGHT]->raw_data.data, FC2_BYTES);
    temporary_write(directory, "w.bin", bytes, sizeof bytes);
}

static enum status open_packed(struct temporary *directory, struct onnx_builder *b,
                               struct model *model, struct error *error)
{
    const struct model_options options = {.level = STATS_off};
    size_t count;
    const uint8_t *bytes = onnx_pack(b, &count);
    const char *path = temporary_write(directory, "m.onnx", bytes, count);
    return model_open(model, path, &options, error);
}

static void check_same(struct temporary *directory, struct onnx_builder *b, const float *expected)
{
    const float x[8] = {1, -2, 3, -4, 0.5f, 0.25f, -8, 16};
    struct model model;
    struct error error;
    float y[4];
    cr_assert(open_packed(directory, b, &model, &error) == STATUS_OK, "%s", error.message);
    model_run(&model, x, 2, y);
    cr_assert(memcmp(y, expected, sizeof y) == 0);
    model_close(&model);
}

Test(onnx_external, numbers_are_read_from_beside_the_model)
{
    static const char *const fc1[] = {"location", "w.bin",    "offset",  "3", "length",
                                      "48",       "checksum", "ignored", NULL};
    static const char *const fc2[] = {"offset", "51", "location", "w.bin", NULL};
    const float x[8] = {1, -2, 3, -4, 0.5f, 0.25f, -8, 16};
    struct onnx_builder builder;
    struct temporary directory;
    struct model model;
    struct error error;
    float y[4];
    onnx_open(&builder);
    onnx_small(&builder);
    temporary_open(&directory);
    write_weights(&directory, &builder);
    cr_assert(onnx_load(&builder, &model, &error) == STATUS_OK);
    model_run(&model, x, 2, y);
    model_close(&model);
    make_external(&builder, tensor(&builder, FC1_WEIGHT), fc1);
    check_same(&directory, &builder, y);
    make_external(&builder, tensor(&builder, FC2_WEIGHT), fc2);
    check_same(&directory, &builder, y);
    temporary_close(&directory);
    onnx_close(&builder);
}

Test(onnx_external, the_digest_covers_the_files)
{
    static const char *const fc2[] = {"location", "w.bin", "offset", "51", NULL};
    struct onnx_builder builder;
    struct temporary directory;
    struct model first, second;
    struct error error;
    onnx_open(&builder);
    onnx_small(&builder);
    temporary_open(&directory);
    write_weights(&directory, &builder);
    make_external(&builder, tensor(&builder, FC2_WEIGHT), fc2);
    cr_assert(open_packed(&directory, &builder, &first, &error) == STATUS_OK, "%s", error.message);
    cr_assert(open_packed(&directory, &builder, &second, &error) == STATUS_OK);
    cr_assert_str_eq(first.digest, second.digest);
    model_close(&second);
    temporary_write(&directory, "w.bin", "more", 4);
    cr_assert(open_packed(&directory, &builder, &second, &error) != STATUS_OK);
    float *unread = (float *)(void *)tensor(&builder, FC1_WEIGHT)->raw_data.data;
    *unread += 1;
    write_weights(&directory, &builder);
    *unread -= 1;
    cr_assert(open_packed(&directory, &builder, &second, &error) == STATUS_OK);
    cr_assert(strcmp(first.digest, second.digest) != 0);
    model_close(&second);
    model_close(&first);
    temporary_close(&directory);
    onnx_close(&builder);
}

/* Entries of fc1.weight, whose 48 bytes lie at 3 of 75, and what the sentence says. */
static const struct {
    const char *const entries[10];
    const char *says;
} refused[] = {
    {{"location", "/etc/passwd"}, "external data \"/etc/passwd\": expected a place inside"},
    {{"location", "../w.bin"}, "external data \"../w.bin\": expected a place inside"},
    {{"location", "link"}, "external data \"link\": expected directories and a regular file"},
    {{"location", "nowhere"}, "external data \"nowhere\": No such file"},
    {{"location", "."}, "external data \".\": expected a regular file"},
    {{"location", "w.bin"}, "needs 12 numbers of 4 bytes, the file holds 75 bytes"},
    {{"location", "w.bin", "offset", "28"}, "needs 12 numbers of 4 bytes, the file holds 47 bytes"},
    {{"location", "w.bin", "length", "44"}, "needs 12 numbers, the file holds 11"},
    {{"location", "w.bin", "length", "49"}, "needs 12 numbers"},
    {{"location", "w.bin", "offset", "28", "length", "48"},
     "offset 28, length 48, of a file of 75 bytes"},
    {{"location", "w.bin", "offset", "76"}, "offset 76, length unknown, of a file of 75 bytes"},
    {{"location", "w.bin", "offset", "3", "length", "18446744073709551615"}, "of a file of 75"},
    {{"location", "w.bin", "offset", "18446744073709551616", "length", "48"}, "of a file of 75"},
    {{"location", "w.bin", "offset", "184467440737095516160", "length", "48"}, "of a file of 75"},
    {{"location", "w.bin", "offset", "-1", "length", "48"}, "offset -1"},
    {{"location", "w.bin", "offset", "3 ", "length", "48"}, "offset 3 "},
    {{"location", "w.bin", "offset", "", "length", "48"}, "offset "},
    {{"location", "w.bin", "offset", "0x3", "length", "48"}, "offset 0x3"},
    {{"location", "w.bin", "offset", "3", "offset", "3"}, "its offset is given twice"},
    {{"location", "w.bin", "location", "w.bin"}, "its location is given twice"},
    {{"offset", "3", "length", "48"}, "no known location"},
    {{"locations", "w.bin"}, "no known location"},
};

static void check_refused(struct temporary *directory, const char *const *entries, const char *says)
{
    struct onnx_builder builder;
    struct model model;
    struct error error;
    onnx_open(&builder);
    onnx_small(&builder);
    make_external(&builder, tensor(&builder, FC1_WEIGHT), entries);
    cr_assert(open_packed(directory, &builder, &model, &error) != STATUS_OK, "%s", says);
    cr_assert(strstr(error.message, "tensor \"fc1.weight\": "), "%s", error.message);
    cr_assert(strstr(error.message, says), "expected %s, found %s", says, error.message);
    onnx_close(&builder);
}

Test(onnx_external, what_is_not_there_is_refused)
{
    struct onnx_builder builder;
    struct temporary directory;
    char link[96];
    onnx_open(&builder);
    onnx_small(&builder);
    temporary_open(&directory);
    write_weights(&directory, &builder);
    snprintf(link, sizeof link, "%s/link", directory.path);
    cr_assert(symlink("/etc/passwd", link) == 0);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        check_refused(&directory, refused[i].entries, refused[i].says);
    temporary_close(&directory);
    onnx_close(&builder);
}

static void external_in_memory(struct onnx_builder *b)
{
    static const char *const entries[] = {"location", "w.bin", NULL};
    make_external(b, tensor(b, FC1_WEIGHT), entries);
}

static void external_constant(struct onnx_builder *b)
{
    static const char *const entries[] = {"location", "/etc/passwd", NULL};
    node(b, RELU)->op_type = (char *)"Constant";
    onnx_value(b, node(b, RELU), "value", tensor(b, FC1_WEIGHT));
    b->graph->initializer[FC1_WEIGHT] = tensor(b, FC1_BIAS);
    make_external(b, node(b, RELU)->attribute[0]->t, entries);
}

static void raw_and_external(struct onnx_builder *b)
{
    static const char *const entries[] = {"location", "", "offset", "0", "length", "48", NULL};
    make_external(b, tensor(b, FC1_WEIGHT), entries);
    tensor(b, FC1_WEIGHT)->has_raw_data = 1;
}

static void a_key_without_text(struct onnx_builder *b)
{
    static const char *const entries[] = {"location", "", "offset", "0", "length", "48", NULL};
    make_external(b, tensor(b, FC1_WEIGHT), entries);
    tensor(b, FC1_WEIGHT)->external_data[0]->key = NULL;
}

static void a_value_without_text(struct onnx_builder *b)
{
    static const char *const entries[] = {"location", "", "offset", "0", "length", "48", NULL};
    make_external(b, tensor(b, FC1_WEIGHT), entries);
    tensor(b, FC1_WEIGHT)->external_data[0]->value = NULL;
}

static const struct refusal refusals[] = {
    {BREAK(external_in_memory), "external data \"w.bin\"|does not come from a directory"},
    {BREAK(external_constant), "external data \"/etc/passwd\"|does not come from a directory"},
    {BREAK(raw_and_external), "tensor \"fc1.weight\"|raw data and external data"},
    {BREAK(a_key_without_text), "tensor \"fc1.weight\"|no known location"},
    {BREAK(a_value_without_text), "tensor \"fc1.weight\"|no known location"},
};

Test(onnx_external, what_is_broken_is_named)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        check_refusal(&refusals[i]);
}
