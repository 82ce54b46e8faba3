/* MaxPool, AveragePool, their global forms, LRN: operators on images without weights. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "onnx_import.h"
#include "onnx_window.h"

/* The kernel of a pooling: that of the node, or the whole image. */
static enum status read_kernel(const Onnx__NodeProto *proto, const struct shape *shape, bool global,
                               int64_t kernel[GRAPH_SPATIAL_MAX], struct error *error)
{
    const Onnx__AttributeProto *list = onnx_attribute(proto, "kernel_shape");
    const size_t spatial = shape->rank - 1;
    if (shape->rank < 2 || spatial > GRAPH_SPATIAL_MAX)
        return error_set(error, STATUS_UNSUPPORTED,
                         "expected an image of 1 to %d dimensions, found %zu", GRAPH_SPATIAL_MAX,
                         spatial);
    for (size_t i = 0; global && i < spatial; i++)
        kernel[i] = (int64_t)shape->dims[1 + i];
    if (global)
        return STATUS_OK;
    if (!list || list->n_ints != spatial)
        return error_set(error, STATUS_INVALID, "kernel_shape: expected %zu numbers, found %zu",
                         spatial, list ? list->n_ints : 0);
    memcpy(kernel, list->ints, spatial * sizeof *kernel);
    return STATUS_OK;
}

enum status import_pool(struct importer *importer, const Onnx__NodeProto *proto,
                        struct error *error)
{
    const bool global = strncmp(proto->op_type, "Global", 6) == 0;
    const bool average = strstr(proto->op_type, "Average") != NULL;
    struct node node = {.op = average ? OP_average_pool : OP_max_pool,
                        .name = importer_layer_name(importer, proto, NULL),
                        .input_count = 1};
    struct shape shape;
    uint32_t x;
    int64_t kernel[GRAPH_SPATIAL_MAX] = {0}, count_pad;
    if (importer_image(importer, proto, 0, true, &x, &shape, error) != STATUS_OK ||
        onnx_attribute_int(proto, "count_include_pad", 0, &count_pad, error) != STATUS_OK ||
        read_kernel(proto, &shape, global, kernel, error) != STATUS_OK ||
        onnx_window(proto, &shape, kernel, &node.window, error) != STATUS_OK ||
        onnx_window_stack(importer, x, &shape, &node.window, error) != STATUS_OK)
        return error->status;
    node.k = window_taps(&node.window);
    node.n = shape.dims[0];
    node.window.count_pad = count_pad != 0;
    return importer_add_image(importer, proto, node, &x, &shape, error);
}

enum status import_lrn(struct importer *importer, const Onnx__NodeProto *proto, struct error *error)
{
    struct node node = {
        .op = OP_lrn, .name = importer_layer_name(importer, proto, NULL), .input_count = 1};
    struct shape shape;
    int64_t size;
    uint32_t x;
    if (importer_image(importer, proto, 0, true, &x, &shape, error) != STATUS_OK ||
        onnx_attribute_int(proto, "size", 0, &size, error) != STATUS_OK ||
        onnx_attribute_float(proto, "alpha", 1e-4f, &node.numbers[0], error) != STATUS_OK ||
        onnx_attribute_float(proto, "beta", 0.75f, &node.numbers[1], error) != STATUS_OK ||
        onnx_attribute_float(proto, "bias", 1.0f, &node.numbers[2], error) != STATUS_OK)
        return error->status;
    for (size_t i = 0; i < 3; i++)
        if (!isfinite(node.numbers[i]))
            return error_set(error, STATUS_INVALID,
                             "expected finite numbers as alpha, beta and bias, found %g",
                             (double)node.numbers[i]);
    if (size < 1 || size > INT32_MAX)
        return error_set(error, STATUS_INVALID, "size: expected 1 or more, found %" PRId64, size);
    node.detail = (int)size;
    node.k = node.n = shape.dims[0];
    return importer_add_image(importer, proto, node, &x, &shape, error);
}
