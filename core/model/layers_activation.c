/* The activations of model.json. */
#include <string.h>

#include "fields.h"
#include "layers_types.h"
#include "onnx.h"

/* A slope for all channels, or one for each, shaped so that it is broadcast against them. */
static enum status add_prelu(struct layers *layers, const json_t *json, const char *name,
                             struct error *error)
{
    const struct safetensor *slope;
    const char *key;
    if (fields_check(json, "type slope", error) != STATUS_OK ||
        fields_text(json, "slope", &key, error) != STATUS_OK ||
        layers_take(layers, "slope", key, &slope, error) != STATUS_OK)
        return error->status;
    const bool shared = slope->rank == 1 && slope->dims[0] == 1;
    const size_t channels = layers->shape.dims[0];
    if (!shared && layers_expect_list("slope", slope, channels, error) != STATUS_OK)
        return error->status;
    int64_t dims[TENSOR_RANK_MAX] = {slope->dims[0]};
    for (size_t i = 1; i < layers->shape.rank; i++)
        dims[i] = 1;
    const char *shaped = layers_text(layers, "%s: %s", name, key);
    if (!shaped)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the layer");
    draft_tensor(&layers->draft, shaped, safetensors_onnx_type(slope->type),
                 shared ? 1 : layers->shape.rank, dims, slope->offset, slope->bytes);
    draft_reads(layers_node(layers, "PRelu", name), shaped);
    return STATUS_OK;
}

/* axis counts the batch, as PyTorch's dim does. */
static enum status add_softmax(struct layers *layers, const json_t *json, const char *op_type,
                               const char *name, struct error *error)
{
    int64_t axis;
    if ((json_is_object(json) && fields_check(json, "type axis", error) != STATUS_OK) ||
        fields_int(json, "axis", -1, -TENSOR_RANK_MAX, &axis, error) != STATUS_OK)
        return error->status;
    draft_int(layers_node(layers, op_type, name), "axis", axis);
    return STATUS_OK;
}

enum status layers_activate(struct layers *layers, const json_t *json, const char *name,
                            struct error *error)
{
    const char *type = fields_activation_type(json);
    struct activation activation;
    if (strcmp(type, "prelu") == 0 && json_is_string(json_object_get(json, "slope")))
        return add_prelu(layers, json, name, error);
    if (strcmp(type, "softmax") == 0)
        return add_softmax(layers, json, "Softmax", name, error);
    if (strcmp(type, "log_softmax") == 0)
        return add_softmax(layers, json, "LogSoftmax", name, error);
    if (fields_activation(json, &activation, error) != STATUS_OK)
        return error->status;
    if (activation.type == ACTIVATION_identity)
        return STATUS_OK;
    const struct activation_info *info = activation_info(activation.type);
    Onnx__NodeProto *node = layers_node(layers, info->name, name);
    node->domain = (char *)ONNX_DOMAIN_RELUD;
    for (size_t i = 0; i < ACTIVATION_PARAMETERS; i++)
        if (info->parameters[i].name[0])
            draft_float(node, info->parameters[i].name, activation.parameters[i]);
    if (activation.type == ACTIVATION_crelu) {
        draft_int(node, "axis", 1);
        layers->shape.dims[0] *= 2;
    }
    return STATUS_OK;
}
