/* Attributes of a node. */
#include <string.h>

#include "onnx_import.h"

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
