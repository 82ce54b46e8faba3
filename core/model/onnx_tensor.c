/* Tensors of the file: what they hold, and where. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "onnx_import.h"
#include "wire.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "ONNX data is read as it is stored");

/* Formats */

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float from_bfloat16(uint16_t bits)
{
    return from_bits((uint32_t)bits << 16);
}

/* The exponent is rebiased by a multiplication, which is exact also for denormals; that of
 * infinities and NaNs is set again. */
static float from_float16(uint16_t bits)
{
    const float scaled = from_bits((uint32_t)(bits & 0x7FFF) << 13) * 0x1p112f;
    const uint32_t special = (bits & 0x7C00) == 0x7C00 ? 0x7F800000 : 0;
    uint32_t wide;
    memcpy(&wide, &scaled, sizeof wide);
    return from_bits(wide | special | (uint32_t)(bits & 0x8000) << 16);
}

/* Converts count elements that lie stride bytes apart. */
typedef void convert_function(const uint8_t *from, size_t stride, size_t count, void *to);

#define CONVERT(name, type, to_type, value)                                                  \
    static void convert_##name(const uint8_t *from, size_t stride, size_t count, void *data) \
    {                                                                                        \
        to_type *to = data;                                                                  \
        for (size_t i = 0; i < count; i++, from += stride) {                                 \
            type element;                                                                    \
            memcpy(&element, from, sizeof element);                                          \
            to[i] = value;                                                                   \
        }                                                                                    \
    }
CONVERT(float32, float, float, element)
CONVERT(float64, double, float, (float)element)
CONVERT(float16, uint16_t, float, from_float16(element))
CONVERT(bfloat16, uint16_t, float, from_bfloat16(element))
CONVERT(int64, int64_t, int64_t, element)
CONVERT(int32, int32_t, int64_t, element)
CONVERT(int16, int16_t, int64_t, element)
CONVERT(int8, int8_t, int64_t, element)
CONVERT(uint8, uint8_t, int64_t, element)
CONVERT(uint16, uint16_t, int64_t, element)
CONVERT(uint32, uint32_t, int64_t, element)
CONVERT(uint64, uint64_t, int64_t, (int64_t)element)
CONVERT(boolean, uint8_t, int64_t, element != 0)

enum list { LIST_FLOAT, LIST_DOUBLE, LIST_INT32, LIST_INT64, LIST_UINT64 };

/* A data type of ONNX: how an element is stored as raw data, what it is read as, and which of
 * protobuf's lists may hold it instead, an element in the first bytes of each. */
struct format {
    int32_t type;
    enum dtype dtype;
    size_t bytes;
    enum list list;
    convert_function *convert;
};

#define FORMAT(name, dtype, bytes, list, convert)                                 \
    {                                                                             \
        ONNX__TENSOR_PROTO__DATA_TYPE__##name, DTYPE_##dtype, bytes, LIST_##list, \
            convert_##convert                                                     \
    }
static const struct format formats[] = {
    FORMAT(FLOAT, FLOAT32, 4, FLOAT, float32),   FORMAT(DOUBLE, FLOAT32, 8, DOUBLE, float64),
    FORMAT(FLOAT16, FLOAT32, 2, INT32, float16), FORMAT(BFLOAT16, FLOAT32, 2, INT32, bfloat16),
    FORMAT(INT64, INT64, 8, INT64, int64),       FORMAT(INT32, INT64, 4, INT32, int32),
    FORMAT(INT16, INT64, 2, INT32, int16),       FORMAT(INT8, INT64, 1, INT32, int8),
    FORMAT(UINT8, INT64, 1, INT32, uint8),       FORMAT(UINT16, INT64, 2, INT32, uint16),
    FORMAT(UINT32, INT64, 4, UINT64, uint32),    FORMAT(UINT64, INT64, 8, UINT64, uint64),
    FORMAT(BOOL, INT64, 1, INT32, boolean),
};

static const struct format *find_format(int32_t type)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (formats[i].type == type)
            return &formats[i];
    return NULL;
}

/* Whether elements one after another are what the format is read as. */
static bool is_plain(const struct format *format)
{
    return format->convert == convert_float32 || format->convert == convert_int64;
}

/* Numbers that are read when they are wanted */

struct stored {
    const struct format *format;
    struct file file; /* borrowed: not to be closed here */
    size_t offset;    /* of the first element */
    size_t stride;    /* bytes from one element to the next; 0: one number stands for all */
};

static enum status read_stored(const struct stored *stored, size_t first, size_t count, void *to,
                               struct error *error)
{
    enum { CHUNK_BYTES = 4096 };
    const struct format *format = stored->format;
    const size_t stride = stored->stride, at = stored->offset + first * stride;
    if (is_plain(format) && stride == format->bytes)
        return file_read(&stored->file, at, count * stride, to, error);
    if (stored->file.bytes) {
        format->convert(stored->file.bytes + at, stride, count, to);
        return STATUS_OK;
    }
    for (size_t done = 0, some; done < count; done += some) {
        uint8_t chunk[CHUNK_BYTES];
        some = count - done < CHUNK_BYTES / stride ? count - done : CHUNK_BYTES / stride;
        if (file_read(&stored->file, at + done * stride, some * stride, chunk, error) != STATUS_OK)
            return error->status;
        format->convert(chunk, stride, some, (char *)to + done * dtype_bytes(format->dtype));
    }
    return STATUS_OK;
}

enum status onnx_tensor_numbers(const struct tensor *tensor, size_t first, size_t count, void *to,
                                struct error *error)
{
    const size_t bytes = dtype_bytes(tensor->dtype);
    if (!tensor->data)
        return read_stored(tensor->stored, first, count, to, error);
    if (count > 0)
        memcpy(to, (const char *)tensor->data + first * bytes, count * bytes);
    return STATUS_OK;
}

enum status onnx_tensor_load(struct importer *importer, struct tensor *tensor, struct error *error)
{
    const size_t count = tensor_count(tensor);
    if (tensor->data)
        return STATUS_OK;
    void *data = arena_alloc(importer->scratch, count, dtype_bytes(tensor->dtype));
    if (!data)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for a constant");
    if (onnx_tensor_numbers(tensor, 0, count, data, error) != STATUS_OK)
        return error->status;
    tensor->data = data;
    return STATUS_OK;
}

enum status onnx_tensor_keep(struct arena *arena, struct tensor *tensor, struct error *error)
{
    const void *from = tensor->data ? tensor->data : tensor->stored;
    const size_t bytes =
        tensor->data ? tensor_count(tensor) * dtype_bytes(tensor->dtype) : sizeof *tensor->stored;
    if (!from) /* of a constant whose numbers nobody can read, such as a label's text */
        return STATUS_OK;
    void *copy = arena_alloc(arena, bytes, 1);
    if (!copy)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for a constant");
    memcpy(copy, from, bytes);
    if (tensor->data)
        tensor->data = copy;
    else
        tensor->stored = copy;
    return STATUS_OK;
}

static enum status store(struct importer *importer, struct stored stored, struct tensor *tensor,
                         struct error *error)
{
    struct stored *copy = arena_alloc(importer->scratch, 1, sizeof *copy);
    if (!copy)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for a constant");
    *copy = stored;
    tensor->stored = copy;
    tensor->data = NULL;
    const bool small = tensor_count(tensor) <= WIRE_LARGE_BYTES / dtype_bytes(tensor->dtype);
    return small ? onnx_tensor_load(importer, tensor, error) : STATUS_OK;
}

enum status onnx_tensor_repeat(struct importer *importer, const struct tensor *number,
                               struct tensor *tensor, struct error *error)
{
    const int32_t type = number->dtype == DTYPE_FLOAT32 ? ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT
                                                        : ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
    const struct stored stored = {.format = find_format(type),
                                  .file = file_of_bytes(number->data, dtype_bytes(number->dtype))};
    tensor->dtype = number->dtype;
    return store(importer, stored, tensor, error);
}

/* Where the file has them */

static enum status read_dims(const Onnx__TensorProto *proto, struct tensor *tensor, size_t *count,
                             struct error *error)
{
    if (proto->n_dims > TENSOR_RANK_MAX)
        return error_set(error, STATUS_UNSUPPORTED, "expected at most %d dimensions, found %zu",
                         TENSOR_RANK_MAX, proto->n_dims);
    tensor->rank = proto->n_dims;
    for (size_t i = 0; i < proto->n_dims; i++)
        tensor->dims[i] = proto->dims[i];
    if (!dims_count(tensor->dims, tensor->rank, count)) {
        char text[DIMS_TEXT_BYTES];
        return error_set(error, STATUS_INVALID, "an impossible shape %s",
                         dims_text(text, tensor->dims, tensor->rank));
    }
    return STATUS_OK;
}

/* A number of external data: decimal digits; NULL leaves the fallback. */
static bool read_place(const char *text, size_t fallback, size_t *number)
{
    *number = text ? 0 : fallback;
    if (text && !text[0])
        return false;
    for (; text && *text; text++)
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, (size_t)(*text - '0'), number))
            return false;
    return true;
}

static bool has_key(const Onnx__StringStringEntryProto *entry, const char *key)
{
    return entry->key && strcmp(entry->key, key) == 0;
}

const char *onnx_tensor_location(const Onnx__TensorProto *proto)
{
    for (size_t i = 0; i < proto->n_external_data; i++)
        if (has_key(proto->external_data[i], "location"))
            return proto->external_data[i]->value;
    return NULL;
}

/* The part of a file that holds the tensor's numbers. */
static enum status find_external(const struct files *files, const Onnx__TensorProto *proto,
                                 struct stored *stored, size_t *bytes, struct error *error)
{
    static const char *const keys[] = {"location", "offset", "length"};
    const char *values[3] = {NULL};
    for (size_t i = 0; i < proto->n_external_data; i++)
        for (size_t key = 0; key < 3; key++)
            if (has_key(proto->external_data[i], keys[key])) {
                if (values[key])
                    return error_set(error, STATUS_INVALID, "its %s is given twice", keys[key]);
                values[key] = proto->external_data[i]->value;
            }
    const struct file *file = values[0] ? files_find(files, values[0]) : NULL;
    if (!file)
        return error_set(error, STATUS_INVALID, "its external data has no known location");
    stored->file = *file;
    if (!read_place(values[1], 0, &stored->offset) || stored->offset > file->count ||
        !read_place(values[2], file->count - stored->offset, bytes) ||
        *bytes > file->count - stored->offset)
        return error_set(error, STATUS_INVALID,
                         "its external data lies at offset %s, length %s, of a file of %zu bytes",
                         values[1] ? values[1] : "0", values[2] ? values[2] : "unknown",
                         file->count);
    return STATUS_OK;
}

/* One of protobuf's lists, element by element. */
static size_t find_list(const Onnx__TensorProto *proto, enum list list, struct stored *stored)
{
    const struct {
        const void *elements;
        size_t count, stride;
    } lists[] = {
        [LIST_FLOAT] = {proto->float_data, proto->n_float_data, sizeof *proto->float_data},
        [LIST_DOUBLE] = {proto->double_data, proto->n_double_data, sizeof *proto->double_data},
        [LIST_INT32] = {proto->int32_data, proto->n_int32_data, sizeof *proto->int32_data},
        [LIST_INT64] = {proto->int64_data, proto->n_int64_data, sizeof *proto->int64_data},
        [LIST_UINT64] = {proto->uint64_data, proto->n_uint64_data, sizeof *proto->uint64_data},
    };
    stored->stride = lists[list].stride;
    stored->file = file_of_bytes(lists[list].elements, lists[list].count * lists[list].stride);
    return lists[list].count * stored->stride;
}

/* Where the numbers are; bytes receives how many bytes of them, and of what lies between. */
static enum status find_data(const struct importer *importer, const Onnx__TensorProto *proto,
                             struct stored *stored, size_t *bytes, struct error *error)
{
    stored->stride = stored->format->bytes;
    if (proto->n_external_data > 0) {
        if (proto->has_raw_data)
            return error_set(error, STATUS_INVALID, "it has raw data and external data");
        return find_external(importer->files, proto, stored, bytes, error);
    }
    *bytes = proto->raw_data.len;
    if (proto->has_raw_data)
        stored->file = file_of_bytes(proto->raw_data.data, proto->raw_data.len);
    else
        *bytes = find_list(proto, stored->format->list, stored);
    return STATUS_OK;
}

/* The numbers in memory, when they are there as they are wanted; NULL otherwise. */
static const void *borrowed(const struct stored *stored)
{
    const size_t bytes = stored->format->bytes;
    const uint8_t *data = stored->file.bytes ? stored->file.bytes + stored->offset : NULL;
    const bool fits =
        is_plain(stored->format) && stored->stride == bytes && (uintptr_t)data % bytes == 0;
    return fits ? (const void *)data : NULL;
}

static enum status read_tensor(struct importer *importer, const Onnx__TensorProto *proto,
                               struct tensor *tensor, struct error *error)
{
    struct stored stored = {.format = proto->has_data_type ? find_format(proto->data_type) : NULL};
    size_t count, bytes;
    *tensor = (struct tensor){.rank = 0};
    if (!stored.format)
        return error_set(error, STATUS_UNSUPPORTED, "ONNX data type %" PRId32 " is not supported",
                         proto->data_type);
    if (read_dims(proto, tensor, &count, error) != STATUS_OK ||
        find_data(importer, proto, &stored, &bytes, error) != STATUS_OK)
        return error->status;
    if (bytes % stored.stride != 0)
        return error_set(error, STATUS_INVALID,
                         "its shape needs %zu numbers of %zu bytes, the file holds %zu bytes",
                         count, stored.stride, bytes);
    if (bytes / stored.stride != count)
        return error_set(error, STATUS_INVALID, "its shape needs %zu numbers, the file holds %zu",
                         count, bytes / stored.stride);
    tensor->dtype = stored.format->dtype;
    tensor->data = borrowed(&stored);
    return tensor->data ? STATUS_OK : store(importer, stored, tensor, error);
}

enum status onnx_tensor(struct importer *importer, const Onnx__TensorProto *proto,
                        struct tensor *tensor, struct error *error)
{
    if (read_tensor(importer, proto, tensor, error) == STATUS_OK)
        return STATUS_OK;
    return error_prefix(error, "tensor \"%s\"", proto->name ? proto->name : "");
}

enum status onnx_tensor_embed(struct arena *arena, const struct files *files,
                              Onnx__TensorProto *proto, struct error *error)
{
    struct stored stored = {.stride = 0};
    size_t bytes;
    if (proto->n_external_data == 0)
        return STATUS_OK;
    if (find_external(files, proto, &stored, &bytes, error) != STATUS_OK)
        return error->status;
    uint8_t *data = arena_alloc(arena, bytes, 1);
    if (!data)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for a tensor");
    proto->has_raw_data = 1;
    proto->raw_data = (ProtobufCBinaryData){.len = bytes, .data = data};
    proto->n_external_data = 0;
    proto->has_data_location = 0;
    return file_read(&stored.file, stored.offset, bytes, data, error);
}
