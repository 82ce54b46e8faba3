/* Conv and ConvTranspose. */
#include <inttypes.h>

#include "onnx_weights.h"
#include "onnx_window.h"

/* A file has the weights as [made, channels of a group, kernel…], those of a transposed convolution
 * as [channels, made by a group, kernel…]. */
static enum status read_weights(const struct tensor *tensor, const struct shape *x, int64_t groups,
                                bool transposed, struct onnx_weights *weights, struct error *error)
{
    bool fits = tensor->rank == x->rank + 1 && x->rank >= 2 && x->rank <= 1 + GRAPH_SPATIAL_MAX &&
                groups >= 1 && tensor_count(tensor) > 0 && tensor->dims[0] % groups == 0;
    const size_t first = fits ? (size_t)(tensor->dims[0] / groups) : 0;
    const size_t second = fits ? (size_t)tensor->dims[1] : 0;
    weights->tensor = tensor;
    weights->groups = (size_t)groups;
    weights->columns = transposed ? second : first;
    weights->channels = transposed ? first : second;
    weights->channels_first = transposed;
    if (fits && weights->channels * weights->groups == x->dims[0] &&
        weights->columns <= MODEL_FEATURES_MAX / weights->groups)
        return STATUS_OK;
    char text[DIMS_TEXT_BYTES];
    return error_set(error, STATUS_INVALID,
                     "the shapes do not fit: weight \"%s\" %s with %" PRId64
                     " groups, an input of %zu dimensions and %zu channels",
                     weights->name, dims_text(text, tensor->dims, tensor->rank), groups, x->rank,
                     x->rank ? x->dims[0] : 0);
}

/* One output of one channel in every group: the channels become columns. */
static bool is_depthwise(const struct onnx_weights *weights)
{
    return weights->groups > 1 && weights->columns == 1 && weights->channels == 1;
}

enum status import_conv(struct importer *importer, const Onnx__NodeProto *proto,
                        struct error *error)
{
    const bool transposed = onnx_is_op(proto, "ConvTranspose");
    struct node node = {
        .op = OP_conv,
        .kind = transposed ? "conv_transpose" : NULL,
        .name = importer_layer_name(importer, proto, importer_operand(importer, proto, 1)),
        .input_count = 1};
    struct onnx_weights weights = {.name = proto->input[1], .scale = 1.0f};
    struct tensor tensor;
    struct shape shape;
    int64_t groups;
    uint32_t x;
    if (onnx_attribute_int(proto, "group", 1, &groups, error) != STATUS_OK ||
        importer_image(importer, proto, 0, groups > 1, &x, &shape, error) != STATUS_OK ||
        importer_weight(importer, proto, 1, "the weight", &tensor, error) != STATUS_OK ||
        read_weights(&tensor, &shape, groups, transposed, &weights, error) != STATUS_OK ||
        (transposed ? onnx_window_transposed : onnx_window)(proto, &shape, tensor.dims + 2,
                                                            &node.window, error) != STATUS_OK ||
        onnx_window_stack(importer, x, &shape, &node.window, error) != STATUS_OK)
        return error->status;
    shape.dims[0] = weights.columns * weights.groups;
    weights.taps = window_taps(&node.window);
    if (is_depthwise(&weights)) {
        node.op = OP_depthwise;
        weights.columns = weights.groups;
        weights.groups = 1;
        weights.channels_first = false;
    }
    if (onnx_weights_pack(importer, &weights, &node, error) != STATUS_OK ||
        onnx_weights_bias(importer, proto, 2, 1.0f, &node, error) != STATUS_OK)
        return error->status;
    return importer_add_image(importer, proto, node, &x, &shape, error);
}
