/* Attributes and tensors of the file. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "onnx_import.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "ONNX raw data is read in place");

const Onnx__AttributeProto *onnx_attribute(const Onnx__NodeProto *node, const char *name)
{
    for (size_t i = 0; i < node->n_attribute; i++)
        if (node->attribute[i]->name && strcmp(node->attribute[i]->name, name) == 0)
            return node->attribute[i];
    return NULL;
}

bool onnx_attribute_says(const Onnx__AttributeProto *attribute, const char *text)
{
    return attribute->s.len == strlen(text) && memcmp(attribute->s.data, text, strlen(text)) == 0;
}

enum status onnx_attribute_float(const Onnx__NodeProto *node, const char *name, float fallback,
                                 float *value, struct error *error)
{
    const Onnx__AttributeProto *attribute = onnx_attribute(node, name);
    *value = attribute ? attribute->f : fallback;
    if (attribute && !attribute->has_f)
        return error_set(error, STATUS_INVALID, "attribute \"%s\" must be a float", name);
    return STATUS_OK;
}

enum status onnx_attribute_int(const Onnx__NodeProto *node, const char *name, int64_t fallback,
                               int64_t *value, struct error *error)
{
    const Onnx__AttributeProto *attribute = onnx_attribute(node, name);
    *value = attribute ? attribute->i : fallback;
    if (attribute && !attribute->has_i)
        return error_set(error, STATUS_INVALID, "attribute \"%s\" must be an integer", name);
    return STATUS_OK;
}

static enum status read_dims(const Onnx__TensorProto *proto, struct tensor *tensor, size_t *count,
                             struct error *error)
{
    const char *name = proto->name ? proto->name : "";
    if (proto->n_dims > TENSOR_RANK_MAX)
        return error_set(error, STATUS_UNSUPPORTED,
                         "tensor \"%s\": expected at most %d dimensions, found %zu", name,
                         TENSOR_RANK_MAX, proto->n_dims);
    tensor->rank = proto->n_dims;
    for (size_t i = 0; i < proto->n_dims; i++)
        tensor->dims[i] = proto->dims[i];
    if (!dims_count(tensor->dims, tensor->rank, count)) {
        char text[DIMS_TEXT_BYTES];
        return error_set(error, STATUS_INVALID, "tensor \"%s\" has the impossible shape %s", name,
                         dims_text(text, tensor->dims, tensor->rank));
    }
    return STATUS_OK;
}

/* Where a tensor's numbers are: raw bytes, or one of protobuf's lists. */
struct source {
    const uint8_t *raw; /* NULL: the lists */
    const Onnx__TensorProto *proto;
};

static float from_bfloat16(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

__extension__ typedef _Float16 float16;

static float from_float16(uint16_t bits)
{
    float16 half;
    memcpy(&half, &bits, sizeof half);
    return (float)half;
}

/* Element i of a raw list of that C type, or of the protobuf list. */
#define ELEMENT(type, list)                                                 \
    type element;                                                           \
    if (source->raw)                                                        \
        memcpy(&element, source->raw + i * sizeof element, sizeof element); \
    else                                                                    \
        element = (type)source->proto->list[i]

#define READ(name, type, list, to, value)                                      \
    static void read_##name(const struct source *source, size_t i, void *data) \
    {                                                                          \
        ELEMENT(type, list);                                                   \
        ((to *)data)[i] = value;                                               \
    }
READ(float32, float, float_data, float, element)
READ(float64, double, double_data, float, (float)element)
READ(float16, uint16_t, int32_data, float, from_float16(element))
READ(bfloat16, uint16_t, int32_data, float, from_bfloat16(element))
READ(int64, int64_t, int64_data, int64_t, element)
READ(int32, int32_t, int32_data, int64_t, element)
READ(int16, int16_t, int32_data, int64_t, element)
READ(int8, int8_t, int32_data, int64_t, element)
READ(uint8, uint8_t, int32_data, int64_t, element)
READ(uint16, uint16_t, int32_data, int64_t, element)
READ(uint32, uint32_t, uint64_data, int64_t, (int64_t)element)
READ(uint64, uint64_t, uint64_data, int64_t, (int64_t)element)
READ(boolean, uint8_t, int32_data, int64_t, element != 0)

enum list { LIST_FLOAT, LIST_DOUBLE, LIST_INT32, LIST_INT64, LIST_UINT64 };

static const struct reader {
    int32_t type;
    enum dtype dtype;
    size_t bytes;
    enum list list;
    void (*read)(const struct source *source, size_t i, void *data);
} readers[] = {
    {ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, DTYPE_FLOAT32, 4, LIST_FLOAT, read_float32},
    {ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE, DTYPE_FLOAT32, 8, LIST_DOUBLE, read_float64},
    {ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16, DTYPE_FLOAT32, 2, LIST_INT32, read_float16},
    {ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16, DTYPE_FLOAT32, 2, LIST_INT32, read_bfloat16},
    {ONNX__TENSOR_PROTO__DATA_TYPE__INT64, DTYPE_INT64, 8, LIST_INT64, read_int64},
    {ONNX__TENSOR_PROTO__DATA_TYPE__INT32, DTYPE_INT64, 4, LIST_INT32, read_int32},
    {ONNX__TENSOR_PROTO__DATA_TYPE__INT16, DTYPE_INT64, 2, LIST_INT32, read_int16},
    {ONNX__TENSOR_PROTO__DATA_TYPE__INT8, DTYPE_INT64, 1, LIST_INT32, read_int8},
    {ONNX__TENSOR_PROTO__DATA_TYPE__UINT8, DTYPE_INT64, 1, LIST_INT32, read_uint8},
    {ONNX__TENSOR_PROTO__DATA_TYPE__UINT16, DTYPE_INT64, 2, LIST_INT32, read_uint16},
    {ONNX__TENSOR_PROTO__DATA_TYPE__UINT32, DTYPE_INT64, 4, LIST_UINT64, read_uint32},
    {ONNX__TENSOR_PROTO__DATA_TYPE__UINT64, DTYPE_INT64, 8, LIST_UINT64, read_uint64},
    {ONNX__TENSOR_PROTO__DATA_TYPE__BOOL, DTYPE_INT64, 1, LIST_INT32, read_boolean},
};

static const struct reader *find_reader(const Onnx__TensorProto *proto)
{
    for (size_t i = 0; proto->has_data_type && i < sizeof readers / sizeof readers[0]; i++)
        if (readers[i].type == proto->data_type)
            return &readers[i];
    return NULL;
}

static size_t list_count(const Onnx__TensorProto *proto, enum list list)
{
    switch (list) {
    case LIST_FLOAT:
        return proto->n_float_data;
    case LIST_DOUBLE:
        return proto->n_double_data;
    case LIST_INT32:
        return proto->n_int32_data;
    case LIST_INT64:
        return proto->n_int64_data;
    default:
        return proto->n_uint64_data;
    }
}

/* The numbers in the file, when they are there as they are wanted; NULL otherwise. */
static const void *borrowed(const Onnx__TensorProto *proto)
{
    if (proto->has_raw_data && (uintptr_t)proto->raw_data.data % sizeof(int64_t) != 0)
        return NULL;
    if (proto->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT)
        return proto->has_raw_data ? (const void *)proto->raw_data.data : proto->float_data;
    if (proto->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64)
        return proto->has_raw_data ? (const void *)proto->raw_data.data : proto->int64_data;
    return NULL;
}

static enum status check_data(const Onnx__TensorProto *proto, const struct reader *reader,
                              size_t count, struct error *error)
{
    const char *name = proto->name ? proto->name : "";
    if (!reader)
        return error_set(error, STATUS_UNSUPPORTED,
                         "tensor \"%s\": ONNX data type %" PRId32 " is not supported", name,
                         proto->data_type);
    if (proto->n_external_data > 0)
        return error_set(error, STATUS_UNSUPPORTED,
                         "tensor \"%s\" lies in an external file, which is not supported", name);
    bool raw = proto->has_raw_data;
    size_t found = raw ? proto->raw_data.len / reader->bytes : list_count(proto, reader->list);
    if (found == count && (!raw || proto->raw_data.len % reader->bytes == 0))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "tensor \"%s\": its shape needs %zu numbers, the file holds %zu", name, count,
                     found);
}

enum status onnx_tensor(struct arena *arena, const Onnx__TensorProto *proto, struct tensor *tensor,
                        struct error *error)
{
    const struct reader *reader = find_reader(proto);
    size_t count;
    *tensor = (struct tensor){.rank = 0};
    if (read_dims(proto, tensor, &count, error) != STATUS_OK ||
        check_data(proto, reader, count, error) != STATUS_OK)
        return error->status;
    tensor->dtype = reader->dtype;
    tensor->data = borrowed(proto);
    if (tensor->data)
        return STATUS_OK;
    void *data = arena_alloc(arena, count, dtype_bytes(reader->dtype));
    if (!data)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for tensor \"%s\"",
                         proto->name ? proto->name : "");
    const struct source source = {proto->has_raw_data ? proto->raw_data.data : NULL, proto};
    for (size_t i = 0; i < count; i++)
        reader->read(&source, i, data);
    tensor->data = data;
    return STATUS_OK;
}

enum status onnx_check_finite(const char *name, const float *data, size_t count,
                              struct error *error)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(data[i]))
            return error_set(error, STATUS_INVALID,
                             "tensor \"%s\": expected finite weights, found %g at element %zu",
                             name, (double)data[i], i);
    return STATUS_OK;
}
