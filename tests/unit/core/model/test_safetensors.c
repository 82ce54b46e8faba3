/* safetensors files: what is read of a sound one, and that every other is refused. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "guarded.h"
#include "model/safetensors.h"
#include "weights_file.h"

static void open_small(struct weights_file *file)
{
    static const float matrix[6] = {1, 2, 3, 4, 5, 6};
    static const int64_t counter = 7;
    weights_open(file);
    weights_floats(file, "b", 2, (const int64_t[]){2, 3}, matrix);
    weights_add(file, "none", "U8", 2, (const int64_t[]){0, 5}, "", 0);
    weights_add(file, "half", "F16", 1, (const int64_t[]){3}, "\0\x3c\0\x40\0\x42", 6);
    weights_add(file, "a", "I64", 0, NULL, &counter, sizeof counter);
}

static enum status read_bytes(const uint8_t *bytes, size_t count, struct error *error)
{
    struct arena arena;
    struct safetensors tensors;
    struct files files;
    arena_init(&arena, 2 * SAFETENSORS_HEADER_BYTES_MAX);
    error->message[0] = '\0';
    files_of_bytes(&files, bytes, count);
    const enum status status = safetensors_read(&tensors, &arena, &files, error);
    arena_free(&arena);
    return status;
}

Test(safetensors, reads_every_tensor)
{
    struct weights_file file;
    struct arena arena;
    struct safetensors tensors;
    struct files files;
    struct error error;
    size_t count;
    open_small(&file);
    uint8_t *bytes = weights_pack(&file, &count);
    arena_init(&arena, 1 << 20);
    files_of_bytes(&files, bytes, count);
    cr_assert(safetensors_read(&tensors, &arena, &files, &error) == STATUS_OK, "%s", error.message);
    cr_assert(tensors.count == 4);
    const struct safetensor *b = safetensors_find(&tensors, "b");
    cr_assert(b && b->type == SAFETENSORS_F32 && b->rank == 2 && b->dims[0] == 2 &&
              b->dims[1] == 3);
    cr_assert(b->bytes == 24 && b->offset == count - 24 - 6 - 8 && !b->used);
    const struct safetensor *half = safetensors_find(&tensors, "half");
    cr_assert(half && half->type == SAFETENSORS_F16 && half->offset == b->offset + 24);
    const struct safetensor *a = safetensors_find(&tensors, "a");
    cr_assert(a && a->rank == 0 && a->bytes == 8 && a->offset + 8 == count);
    cr_assert(safetensors_find(&tensors, "none") && !safetensors_find(&tensors, "__metadata__"));
    cr_assert(!safetensors_find(&tensors, "c") && !safetensors_find(&tensors, ""));
    cr_assert_str_eq(safetensors_type_name(a->type), "I64");
    arena_free(&arena);
    free(bytes);
    weights_close(&file);
}

/* A header, how many bytes of data follow it, and what the sentence says. */
struct header_case {
    const char *header;
    size_t data_bytes;
    const char *says;
};

static void check_header(const struct header_case *c)
{
    static const uint8_t data[64];
    struct error error;
    size_t count;
    uint8_t *bytes = weights_join(c->header, data, c->data_bytes, &count);
    const enum status status = read_bytes(bytes, count, &error);
    if (c->says)
        cr_assert(status != STATUS_OK && strstr(error.message, c->says), "%s: %s", c->header,
                  error.message);
    else
        cr_assert(status == STATUS_OK, "%s: %s", c->header, error.message);
    free(bytes);
}

#define ENTRY(dtype, shape, offsets) \
    "{\"t\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define PAIR(first, second)                                               \
    "{\"t\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" first "}," \
    "\"u\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" second "}}"

Test(safetensors, sound_headers_are_accepted)
{
    static const struct header_case cases[] = {
        {"{}", 0, NULL},
        {"{\"__metadata__\":{}}", 0, NULL},
        {ENTRY("F32", "[2,3]", "[0,24]"), 24, NULL},
        {ENTRY("F32", "[2,3]", "[0,24]") "      ", 24, NULL},
        {ENTRY("F64", "[]", "[0,8]"), 8, NULL},
        {ENTRY("BOOL", "[3,0]", "[0,0]"), 0, NULL},
        {ENTRY("BF16", "[1,1,1,1,1,1,1,2]", "[0,4]"), 4, NULL},
        {PAIR("[0,4]", "[4,8]"), 8, NULL},
        {PAIR("[4,8]", "[0,4]"), 8, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_header(&cases[i]);
}

Test(safetensors, unsound_headers_are_refused_with_a_sentence)
{
    static const struct header_case cases[] = {
        {"", 0, "JSON object"},
        {"[]", 0, "JSON object as header, found other JSON"},
        {"{\"t\":", 0, "JSON object"},
        {"{\"t\":1,\"t\":1}", 0, "duplicate"},
        {"{\"t\":1}", 0, "tensor \"t\": expected dtype, shape and data_offsets"},
        {"{\"t\":{\"dtype\":\"F32\",\"shape\":[]}}", 0, "expected dtype"},
        {"{\"t\":{\"dtype\":1,\"shape\":[],\"data_offsets\":[0,4]}}", 4, "expected dtype"},
        {"{\"t\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1],\"x\":1}}", 1,
         "expected dtype"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "__metadata__"},
        {"{\"__metadata__\":[]}", 0, "__metadata__"},
        {ENTRY("F31", "[1]", "[0,4]"), 4, "tensor \"t\": unknown dtype \"F31\""},
        {ENTRY("F32", "4", "[0,16]"), 16, "shape: expected a list of at most 8 numbers"},
        {ENTRY("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, "at most 8"},
        {ENTRY("F32", "[1.0]", "[0,4]"), 4, "whole numbers"},
        {ENTRY("F32", "[-1]", "[0,4]"), 4, "0 or more"},
        {ENTRY("F32", "[9223372036854775808]", "[0,4]"), 4, "too big"},
        {ENTRY("F32", "[4611686018427387905,4]", "[0,16]"), 16, "does not fit the 16 bytes"},
        {ENTRY("F32", "[1152921504606846976]", "[0,0]"), 0, "does not fit the 0 bytes"},
        {ENTRY("F32", "[2]", "[0,4]"), 4, "the shape [2] in F32 does not fit the 4 bytes"},
        {ENTRY("F32", "[1]", "[0]"), 4, "data_offsets: expected two whole numbers"},
        {ENTRY("F32", "[1]", "[0,4,8]"), 4, "two whole numbers"},
        {ENTRY("F32", "[1]", "[0,4.0]"), 4, "two whole numbers"},
        {ENTRY("F32", "[1]", "{}"), 4, "two whole numbers"},
        {ENTRY("F32", "[1]", "[0,4]"), 3, "expected a place in the file's 3 bytes of data"},
        {ENTRY("F32", "[1]", "[-4,0]"), 4, "found -4 to 0"},
        {ENTRY("F32", "[1]", "[4,0]"), 4, "found 4 to 0"},
        {ENTRY("F32", "[1]", "[4,8]"), 8, "tensor \"t\": expected its data at 0"},
        {ENTRY("F32", "[1]", "[0,4]"), 5, "expected 4 bytes of data, as the tensors have, found 5"},
        {"{}", 1, "expected 0 bytes of data"},
        {PAIR("[0,4]", "[0,4]"), 4, "tensor \"u\": expected its data at 4"},
        {PAIR("[0,4]", "[3,7]"), 7, "expected its data at 4"},
        {PAIR("[0,4]", "[5,9]"), 9, "found them at 5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_header(&cases[i]);
}

/* A file that says its header has length bytes; it has available after the length. */
static enum status read_length(uint64_t length, size_t available, struct error *error)
{
    uint8_t *bytes = malloc(sizeof length + available);
    memcpy(bytes, &length, sizeof length);
    memset(bytes + sizeof length, ' ', available);
    if (available >= 2)
        memcpy(bytes + sizeof length, "{}", 2);
    const enum status status = read_bytes(bytes, sizeof length + available, error);
    free(bytes);
    return status;
}

Test(safetensors, the_length_of_the_header_is_bounded)
{
    const size_t most = SAFETENSORS_HEADER_BYTES_MAX;
    struct error error;
    cr_assert(read_length(most, most, &error) == STATUS_OK, "%s", error.message);
    cr_assert(read_length(most + 1, most + 1, &error) == STATUS_TOO_LARGE);
    cr_assert(strstr(error.message, "at most 16777216 bytes, found 16777217"), "%s", error.message);
    cr_assert(read_length(UINT64_MAX, 64, &error) == STATUS_TOO_LARGE);
    cr_assert(read_length(UINT64_MAX - 7, 64, &error) == STATUS_TOO_LARGE);
    cr_assert(read_length(65, 64, &error) == STATUS_INVALID);
    cr_assert(strstr(error.message, "a header of 65 bytes, found a file of 72"), "%s",
              error.message);
}

Test(safetensors, a_file_that_is_cut_anywhere_is_refused)
{
    struct weights_file file;
    struct error error;
    size_t count;
    open_small(&file);
    uint8_t *bytes = weights_pack(&file, &count);
    cr_assert(read_bytes(bytes, count, &error) == STATUS_OK);
    for (size_t cut = 0; cut < count; cut++) {
        struct guarded memory = {.count = 0};
        uint8_t *part = guarded_alloc(&memory, cut, 1);
        memcpy(part, bytes, cut);
        cr_assert(read_bytes(part, cut, &error) != STATUS_OK && error.message[0],
                  "accepted when cut to %zu bytes", cut);
        guarded_free(&memory);
    }
    free(bytes);
    weights_close(&file);
}
