#include "weights_file.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "model/file.h"
#include "model/model.h"
#include "onnx.pb-c.h"

void weights_open(struct weights_file *file)
{
    *file = (struct weights_file){.header = {.bytes = NULL}};
    text_put(&file->header, "{\"__metadata__\":{\"format\":\"pt\"}");
}

void weights_close(struct weights_file *file)
{
    text_free(&file->header);
    text_free(&file->data);
}

void weights_add(struct weights_file *file, const char *name, const char *type, size_t rank,
                 const int64_t *dims, const void *bytes, size_t count)
{
    struct text *header = &file->header;
    text_put(header, ",");
    text_quote(header, name, strlen(name));
    text_format(header, ":{\"dtype\":\"%s\",\"shape\":[", type);
    for (size_t i = 0; i < rank; i++)
        text_format(header, i ? ",%" PRId64 : "%" PRId64, dims[i]);
    text_format(header, "],\"data_offsets\":[%zu,%zu]}", file->data.count,
                file->data.count + count);
    text_add(&file->data, bytes, count);
}

void weights_floats(struct weights_file *file, const char *name, size_t rank, const int64_t *dims,
                    const float *values)
{
    size_t count;
    cr_assert(dims_count(dims, rank, &count));
    weights_add(file, name, "F32", rank, dims, values, count * sizeof *values);
}

void weights_of_onnx(struct weights_file *file, const char *path)
{
    struct arena arena;
    struct file onnx;
    struct error error;
    arena_init(&arena, MODEL_FILE_BYTES_MAX);
    cr_assert(file_load(&arena, path, MODEL_FILE_BYTES_MAX, &onnx, &error) == STATUS_OK, "%s: %s",
              path, error.message);
    Onnx__ModelProto *proto = onnx__model_proto__unpack(NULL, onnx.count, onnx.bytes);
    cr_assert(proto, "%s", path);
    for (size_t i = 0; i < proto->graph->n_initializer; i++) {
        const Onnx__TensorProto *tensor = proto->graph->initializer[i];
        cr_assert(tensor->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT &&
                  tensor->has_raw_data);
        weights_add(file, tensor->name, "F32", tensor->n_dims, tensor->dims, tensor->raw_data.data,
                    tensor->raw_data.len);
    }
    onnx__model_proto__free_unpacked(proto, NULL);
    arena_free(&arena);
}

uint8_t *weights_join(const char *header, const void *data, size_t data_bytes, size_t *count)
{
    const uint64_t length = strlen(header);
    uint8_t *bytes = malloc(sizeof length + length + data_bytes);
    memcpy(bytes, &length, sizeof length);
    memcpy(bytes + sizeof length, header, length);
    if (data_bytes > 0)
        memcpy(bytes + sizeof length + length, data, data_bytes);
    *count = sizeof length + length + data_bytes;
    return bytes;
}

uint8_t *weights_pack(const struct weights_file *file, size_t *count)
{
    char *header = malloc(file->header.count + 2);
    memcpy(header, file->header.bytes, file->header.count);
    memcpy(header + file->header.count, "}", 2);
    uint8_t *bytes = weights_join(header, file->data.bytes, file->data.count, count);
    free(header);
    return bytes;
}
