/* The look at a protobuf message before it is unpacked: well-formed, not too deep, not too many. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "guarded.h"
#include "model/wire.h"
#include "onnx_builder.h"

/* Nesting by hand, innermost first: a message is a key, a length and what it holds. */
struct nested {
    uint8_t *bytes, *at; /* at: the first byte of what is written */
};

enum { MODEL_GRAPH = 7, GRAPH_NODE = 1, NODE_ATTRIBUTE = 5, ATTRIBUTE_GRAPH = 6 };

static void wrap(struct nested *nested, const uint8_t *end, unsigned field)
{
    uint8_t varint[10];
    size_t length = (size_t)(end - nested->at), bytes = 0;
    do {
        varint[bytes++] = (uint8_t)((length & 0x7F) | (length > 0x7F ? 0x80 : 0));
        length >>= 7;
    } while (length > 0);
    nested->at -= bytes;
    memcpy(nested->at, varint, bytes);
    *--nested->at = (uint8_t)(field << 3 | 2);
}

/* Calls look with a model whose messages are nested so deep, the model included. */
typedef enum status looker(const uint8_t *bytes, size_t count, struct error *error);

static enum status check_depth(size_t depth, looker *look, struct error *error)
{
    static const unsigned cycle[] = {GRAPH_NODE, NODE_ATTRIBUTE, ATTRIBUTE_GRAPH};
    const size_t room = 8 * depth + 16;
    struct nested nested = {.bytes = malloc(room)};
    const uint8_t *end = nested.at = nested.bytes + room;
    for (size_t level = depth - 1; level > 0; level--)
        wrap(&nested, end, level == 1 ? MODEL_GRAPH : cycle[(level - 2) % 3]);
    const enum status status = look(nested.at, (size_t)(end - nested.at), error);
    free(nested.bytes);
    return status;
}

static enum status look_only(const uint8_t *bytes, size_t count, struct error *error)
{
    const struct file file = file_of_bytes(bytes, count);
    struct wire wire;
    const enum status status = wire_read(&onnx__model_proto__descriptor, &file, &wire, error);
    wire_free(&wire);
    return status;
}

static enum status import(const uint8_t *bytes, size_t count, struct error *error)
{
    struct model model;
    const enum status status = onnx_load_bytes(&model, bytes, count, error);
    model_close(&model);
    return status;
}

Test(wire, nesting_has_a_limit)
{
    struct error error;
    cr_assert(check_depth(2, look_only, &error) == STATUS_OK);
    cr_assert(check_depth(WIRE_DEPTH_MAX, look_only, &error) == STATUS_OK);
    cr_assert(check_depth(WIRE_DEPTH_MAX + 1, look_only, &error) == STATUS_TOO_LARGE);
    cr_assert(strstr(error.message, "at most 32 nested") != NULL, "%s", error.message);
}

Test(wire, a_file_nested_very_deep_is_refused)
{
    struct error error;
    cr_assert(check_depth(100000, look_only, &error) == STATUS_TOO_LARGE);
    cr_assert(check_depth(100000, import, &error) == STATUS_TOO_LARGE);
    cr_assert(check_depth(WIRE_DEPTH_MAX + 1, import, &error) == STATUS_TOO_LARGE);
}

/* A graph of so many empty nodes; model and graph are two messages more. */
static enum status check_messages(size_t nodes)
{
    const size_t room = 2 * nodes + 16;
    struct nested nested = {.bytes = malloc(room)};
    const uint8_t *end = nested.at = nested.bytes + room;
    for (size_t i = 0; i < nodes; i++) {
        *--nested.at = 0;
        *--nested.at = GRAPH_NODE << 3 | 2;
    }
    wrap(&nested, end, MODEL_GRAPH);
    const enum status status = look_only(nested.at, (size_t)(end - nested.at), NULL);
    free(nested.bytes);
    return status;
}

Test(wire, messages_have_a_limit)
{
    cr_assert(check_messages(WIRE_MESSAGES_MAX - 2) == STATUS_OK);
    cr_assert(check_messages(WIRE_MESSAGES_MAX - 1) == STATUS_TOO_LARGE);
}

/* The answer for count bytes in front of a guard page. */
static enum status check(const char *bytes, size_t count)
{
    struct guarded memory = {.count = 0};
    uint8_t *copy = guarded_alloc(&memory, count, 1);
    memcpy(copy, bytes, count);
    const enum status status = look_only(copy, count, NULL);
    guarded_free(&memory);
    return status;
}

#define CHECK(bytes) check(bytes, sizeof bytes - 1)

Test(wire, well_formed_messages_pass)
{
    cr_assert(CHECK("") == STATUS_OK, "an empty message");
    cr_assert(CHECK("\x08\x07") == STATUS_OK, "a varint");
    cr_assert(CHECK("\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01") == STATUS_OK, "ten bytes");
    cr_assert(CHECK("\x12\x03"
                    "abc") == STATUS_OK,
              "a string");
    cr_assert(CHECK("\x3A\x00") == STATUS_OK, "an empty graph");
    cr_assert(CHECK("\x3A\x02\x0A\x00") == STATUS_OK, "an empty node");
    cr_assert(CHECK("\xFD\x7F"
                    "1234") == STATUS_OK,
              "an unknown field of 4 bytes");
    cr_assert(CHECK("\xF9\x7F"
                    "12345678") == STATUS_OK,
              "an unknown field of 8 bytes");
    cr_assert(CHECK("\xFA\x7F\x02\xFF\xFF") == STATUS_OK, "an unknown field is not looked into");
    cr_assert(CHECK("\x3D\xFF\xFF\xFF\xFF") == STATUS_OK, "nor a graph of the wrong wire type");
    cr_assert(CHECK("\x3A\x09\x0A\x07\x2A\x05\xA2\x01\x02\xFF\xFF") == STATUS_OK, "nor an enum");
}

Test(wire, malformed_messages_are_refused)
{
    cr_assert(CHECK("\x08") == STATUS_INVALID, "a key and nothing");
    cr_assert(CHECK("\x88") == STATUS_INVALID, "half a key");
    cr_assert(CHECK("\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01") == STATUS_INVALID,
              "eleven bytes");
    cr_assert(CHECK("\x12\x04"
                    "abc") == STATUS_INVALID,
              "a string that is cut");
    cr_assert(CHECK("\x12\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01") == STATUS_INVALID,
              "a length of 2^64 - 1");
    cr_assert(CHECK("\x3A\x01\x0A") == STATUS_INVALID, "half a node in a graph");
    cr_assert(CHECK("\x3A\x02\x0A\x05"
                    "abcde") == STATUS_INVALID,
              "a node longer than its graph");
    cr_assert(CHECK("\xFD\x7F"
                    "123") == STATUS_INVALID,
              "4 bytes that are 3");
    cr_assert(CHECK("\xF9\x7F"
                    "1234567") == STATUS_INVALID,
              "8 bytes that are 7");
    for (char type = 3; type <= 7; type++)
        cr_assert(type == 5 || check(&(char){(char)(8 | type)}, 1) == STATUS_INVALID,
                  "a group, or no wire type at all");
}

Test(wire, the_sentence_says_where)
{
    struct error error;
    look_only((const uint8_t *)"\x08\x07\x12\x09"
                               "abc",
              7, &error);
    cr_assert(strstr(error.message, "at byte 4 of 7") != NULL, "%s", error.message);
}

/* Large tensors */

/* The number that a wire_place says under key. */
static size_t place_of(const Onnx__TensorProto *tensor, const char *key)
{
    cr_assert(tensor->n_external_data == 3 && !tensor->has_raw_data);
    cr_assert(tensor->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL);
    for (size_t i = 0; i < 3; i++)
        if (strcmp(tensor->external_data[i]->key, key) == 0)
            return strtoul(tensor->external_data[i]->value, NULL, 10);
    cr_assert_fail("no %s", key);
    return 0;
}

Test(wire, the_data_of_large_tensors_stay_in_the_file)
{
    enum { LARGE = WIRE_LARGE_BYTES / sizeof(float) };
    static float numbers[LARGE];
    struct onnx_builder builder;
    struct wire wire;
    size_t count;
    for (size_t i = 0; i < LARGE; i++)
        numbers[i] = (float)i;
    onnx_open(&builder);
    onnx_small(&builder);
    onnx_matrix(&builder, "large", 0, LARGE, numbers);
    onnx_matrix(&builder, "small", 0, LARGE - 1, numbers);
    onnx_value(&builder, onnx_node(&builder, "Constant", "", "", "c"), "value",
               onnx_floats(&builder, "value", 1, (const int64_t[]){LARGE}, numbers));
    const uint8_t *bytes = onnx_pack(&builder, &count);
    const struct file file = file_of_bytes(bytes, count);
    cr_assert(wire_read(&onnx__model_proto__descriptor, &file, &wire, NULL) == STATUS_OK);
    Onnx__ModelProto *read = onnx__model_proto__unpack(NULL, wire.count, wire.bytes);
    cr_assert(read && wire.count < count - WIRE_LARGE_BYTES);
    const Onnx__TensorProto *large[2] = {read->graph->initializer[4],
                                         read->graph->node[4]->attribute[0]->t};
    for (size_t i = 0; i < 2; i++) {
        cr_assert(place_of(large[i], "length") == sizeof numbers);
        cr_assert(memcmp(bytes + place_of(large[i], "offset"), numbers, sizeof numbers) == 0);
        cr_assert(place_of(large[i], "location") == 0);
    }
    const Onnx__TensorProto *small = read->graph->initializer[5];
    cr_assert(small->has_raw_data && small->raw_data.len == sizeof numbers - sizeof(float));
    cr_assert(memcmp(small->raw_data.data, numbers, small->raw_data.len) == 0);
    onnx__model_proto__free_unpacked(read, NULL);
    wire_free(&wire);
    onnx_close(&builder);
}

/* Nothing else changes, however the lengths are written. */
Test(wire, all_else_is_copied)
{
    struct onnx_builder builder;
    struct wire wire;
    size_t count;
    onnx_open(&builder);
    onnx_small(&builder);
    const uint8_t *bytes = onnx_pack(&builder, &count);
    const struct file file = file_of_bytes(bytes, count);
    cr_assert(wire_read(&onnx__model_proto__descriptor, &file, &wire, NULL) == STATUS_OK);
    Onnx__ModelProto *read = onnx__model_proto__unpack(NULL, wire.count, wire.bytes);
    uint8_t *again = malloc(count);
    cr_assert(read && onnx__model_proto__get_packed_size(read) == count);
    onnx__model_proto__pack(read, again);
    cr_assert(memcmp(again, bytes, count) == 0);
    free(again);
    onnx__model_proto__free_unpacked(read, NULL);
    wire_free(&wire);
    onnx_close(&builder);
}

Test(wire, unknown_fields_are_dropped)
{
    static const char bytes[] = "\x08\x07\xFA\x7F\x02\xFF\xFF\xF9\x7F"
                                "12345678\xFD\x7F"
                                "1234\xF8\x7F\x05\x08\x08";
    const struct file file = file_of_bytes((const uint8_t *)bytes, sizeof bytes - 1);
    struct wire wire;
    cr_assert(wire_read(&onnx__model_proto__descriptor, &file, &wire, NULL) == STATUS_OK);
    cr_assert(wire.count == 4 && memcmp(wire.bytes, "\x08\x07\x08\x08", 4) == 0);
    wire_free(&wire);
}
