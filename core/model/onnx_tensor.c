#include <inttypes.h>
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

enum status onnx_tensor(const Onnx__TensorProto *proto, enum dtype dtype, struct tensor *tensor,
                        struct error *error)
{
    static const struct {
        int32_t onnx;
        const char *name;
    } types[] = {[DTYPE_FLOAT32] = {ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, "float32"},
                 [DTYPE_INT64] = {ONNX__TENSOR_PROTO__DATA_TYPE__INT64, "int64"}};
    const char *name = proto->name ? proto->name : "";
    size_t count;
    *tensor = (struct tensor){.dtype = dtype};
    enum status status = read_dims(proto, tensor, &count, error);
    if (status != STATUS_OK)
        return status;
    if (!proto->has_data_type || proto->data_type != types[dtype].onnx)
        return error_set(error, STATUS_UNSUPPORTED,
                         "tensor \"%s\": expected %s, found ONNX data type %" PRId32, name,
                         types[dtype].name, proto->data_type);
    if (proto->n_external_data > 0)
        return error_set(error, STATUS_UNSUPPORTED,
                         "tensor \"%s\" lies in an external file, which is not supported", name);
    size_t found;
    if (proto->has_raw_data) {
        tensor->data = proto->raw_data.data;
        found = proto->raw_data.len / dtype_bytes(dtype);
    } else if (dtype == DTYPE_FLOAT32) {
        tensor->data = proto->float_data;
        found = proto->n_float_data;
    } else {
        tensor->data = proto->int64_data;
        found = proto->n_int64_data;
    }
    if (found != count || (proto->has_raw_data && proto->raw_data.len % dtype_bytes(dtype)))
        return error_set(error, STATUS_INVALID,
                         "tensor \"%s\": its shape needs %zu numbers, the file holds %zu", name,
                         count, found);
    return STATUS_OK;
}
