#include "safetensors.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "onnx.pb-c.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the header's length is read as it is stored");

enum { LENGTH_BYTES = 8 };

static const struct {
    const char *name;
    size_t bytes;
    int32_t onnx;
} types[] = {
#define SAFETENSORS_TYPE(name, bytes, onnx) {#name, bytes, ONNX__TENSOR_PROTO__DATA_TYPE__##onnx},
#include "safetensors.def"
#undef SAFETENSORS_TYPE
};

const char *safetensors_type_name(enum safetensors_type type)
{
    return types[type].name;
}

int32_t safetensors_onnx_type(enum safetensors_type type)
{
    return types[type].onnx;
}

/* One tensor of the header */

static enum status read_type(const char *name, struct safetensor *tensor, struct error *error)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].name, name) == 0) {
            tensor->type = (enum safetensors_type)i;
            return STATUS_OK;
        }
    }
    return error_set(error, STATUS_UNSUPPORTED, "unknown dtype \"%s\"", name);
}

static enum status read_shape(const json_t *shape, struct safetensor *tensor, struct error *error)
{
    tensor->rank = json_array_size(shape);
    if (!json_is_array(shape) || tensor->rank > TENSOR_RANK_MAX)
        return error_set(error, STATUS_UNSUPPORTED, "shape: expected a list of at most %d numbers",
                         TENSOR_RANK_MAX);
    for (size_t i = 0; i < tensor->rank; i++) {
        const json_t *dim = json_array_get(shape, i);
        tensor->dims[i] = json_integer_value(dim);
        if (!json_is_integer(dim) || tensor->dims[i] < 0)
            return error_set(error, STATUS_INVALID,
                             "shape: expected whole numbers of 0 or more as dimensions");
    }
    return STATUS_OK;
}

/* Where the tensor lies in the data of so many bytes, which must be as much as it needs. */
static enum status read_place(const json_t *offsets, size_t data, size_t data_bytes,
                              struct safetensor *tensor, struct error *error)
{
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    const int64_t begin = json_integer_value(first), end = json_integer_value(last);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(last))
        return error_set(error, STATUS_INVALID, "data_offsets: expected two whole numbers");
    if (begin < 0 || begin > end || (uint64_t)end > data_bytes)
        return error_set(error, STATUS_INVALID,
                         "data_offsets: expected a place in the file's %zu bytes of data, found "
                         "%" PRId64 " to %" PRId64,
                         data_bytes, begin, end);
    char text[DIMS_TEXT_BYTES];
    size_t count;
    if (!dims_count(tensor->dims, tensor->rank, &count) ||
        count * types[tensor->type].bytes != (size_t)(end - begin))
        return error_set(
            error, STATUS_INVALID,
            "the shape %s in %s does not fit the %" PRId64 " bytes of its data_offsets",
            dims_text(text, tensor->dims, tensor->rank), types[tensor->type].name, end - begin);
    tensor->offset = data + (size_t)begin;
    tensor->bytes = (size_t)(end - begin);
    return STATUS_OK;
}

static enum status read_tensor(const json_t *json, size_t data, size_t data_bytes,
                               struct safetensor *tensor, struct error *error)
{
    const char *type = json_string_value(json_object_get(json, "dtype"));
    if (!type || json_object_size(json) != 3)
        return error_set(error, STATUS_INVALID, "expected dtype, shape and data_offsets");
    if (read_type(type, tensor, error) != STATUS_OK ||
        read_shape(json_object_get(json, "shape"), tensor, error) != STATUS_OK)
        return error->status;
    return read_place(json_object_get(json, "data_offsets"), data, data_bytes, tensor, error);
}

/* The header */

/* What the file says of itself: text by name. */
static enum status check_metadata(json_t *json, struct error *error)
{
    const char *key;
    json_t *value;
    bool texts = json_is_object(json);
    json_object_foreach(json, key, value)
    {
        texts &= json_is_string(value);
    }
    return texts ? STATUS_OK
                 : error_set(error, STATUS_INVALID, "__metadata__: expected texts by name");
}

static enum status read_entries(struct safetensors *tensors, struct arena *arena, json_t *header,
                                size_t data, size_t data_bytes, struct error *error)
{
    const char *name;
    json_t *json;
    tensors->items = arena_alloc(arena, json_object_size(header), sizeof *tensors->items);
    if (!tensors->items)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the list of tensors");
    json_object_foreach(header, name, json)
    {
        if (strcmp(name, "__metadata__") == 0) {
            if (check_metadata(json, error) != STATUS_OK)
                return error->status;
            continue;
        }
        struct safetensor *tensor = &tensors->items[tensors->count++];
        tensor->name = arena_text(arena, name, strlen(name));
        if (!tensor->name)
            return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the list of tensors");
        if (read_tensor(json, data, data_bytes, tensor, error) != STATUS_OK)
            return error_prefix(error, "tensor \"%s\"", name);
    }
    return STATUS_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct safetensor *left = a, *right = b;
    if (left->offset != right->offset)
        return left->offset < right->offset ? -1 : 1;
    return left->bytes < right->bytes ? -1 : left->bytes > right->bytes;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct safetensor *)a)->name, ((const struct safetensor *)b)->name);
}

/* The tensors must follow each other from data to its end, so that nothing hides in the file. */
static enum status check_places(struct safetensors *tensors, size_t data, size_t data_bytes,
                                struct error *error)
{
    size_t end = data;
    qsort(tensors->items, tensors->count, sizeof *tensors->items, by_place);
    for (size_t i = 0; i < tensors->count; i++) {
        const struct safetensor *tensor = &tensors->items[i];
        if (tensor->offset != end)
            return error_set(error, STATUS_INVALID,
                             "tensor \"%s\": expected its data at %zu, where those before it end, "
                             "found them at %zu",
                             tensor->name, end - data, tensor->offset - data);
        end += tensor->bytes;
    }
    if (end != data + data_bytes)
        return error_set(error, STATUS_INVALID,
                         "expected %zu bytes of data, as the tensors have, found %zu", end - data,
                         data_bytes);
    qsort(tensors->items, tensors->count, sizeof *tensors->items, by_name);
    return STATUS_OK;
}

static enum status check_length(uint64_t length, size_t count, struct error *error)
{
    if (length > SAFETENSORS_HEADER_BYTES_MAX)
        return error_set(error, STATUS_TOO_LARGE,
                         "expected a header of at most %d bytes, found %" PRIu64,
                         SAFETENSORS_HEADER_BYTES_MAX, length);
    if (length > count - LENGTH_BYTES)
        return error_set(error, STATUS_INVALID,
                         "expected a header of %" PRIu64 " bytes, found a file of %zu", length,
                         count);
    return STATUS_OK;
}

/* The header as text in arena, which the file's data follow. */
static enum status read_header(const struct file *file, struct arena *arena, char **text,
                               size_t *length, struct error *error)
{
    uint64_t said;
    if (file->count < LENGTH_BYTES)
        return error_set(error, STATUS_INVALID, "expected a safetensors file, found %zu bytes",
                         file->count);
    if (file_read(file, 0, LENGTH_BYTES, &said, error) != STATUS_OK ||
        check_length(said, file->count, error) != STATUS_OK)
        return error->status;
    *length = (size_t)said;
    *text = arena_alloc(arena, *length, 1);
    if (!*text)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the header");
    return file_read(file, LENGTH_BYTES, *length, *text, error);
}

enum status safetensors_read(struct safetensors *tensors, struct arena *arena,
                             const struct files *files, struct error *error)
{
    const struct file *file = &files->list[0];
    json_error_t at;
    size_t length = 0;
    char *text = NULL;
    *tensors = (struct safetensors){.files = files};
    error->status = STATUS_OK;
    if (read_header(file, arena, &text, &length, error) != STATUS_OK)
        return error->status;
    json_t *header = json_loadb(text, length, JSON_REJECT_DUPLICATES, &at);
    if (!json_is_object(header))
        error_set(error, STATUS_INVALID, "expected a JSON object as header, found %s",
                  header ? "other JSON" : at.text);
    const size_t data = LENGTH_BYTES + length, data_bytes = file->count - data;
    if (error->status == STATUS_OK &&
        read_entries(tensors, arena, header, data, data_bytes, error) == STATUS_OK)
        check_places(tensors, data, data_bytes, error);
    json_decref(header);
    return error->status;
}

struct safetensor *safetensors_find(const struct safetensors *tensors, const char *name)
{
    const struct safetensor key = {.name = name};
    return bsearch(&key, tensors->items, tensors->count, sizeof key, by_name);
}
