/* BatchNormalization, and arithmetic with a constant for each unit. */
#include "onnx_affine.h"

#include <math.h>
#include <string.h>

#include "onnx_weights.h"
#include "panel.h"

/* y = x * scale + shift for each of the units. */
struct affine {
    float *scale, *shift; /* in the model's arena, padded with zeros to 16 */
    size_t units;
};

static enum status affine_init(struct importer *importer, struct affine *affine, size_t units,
                               struct error *error)
{
    struct arena *arena = &importer->model->arena;
    affine->units = units;
    affine->scale = arena_alloc(arena, panel_padded(units), sizeof(float));
    affine->shift = arena_alloc(arena, panel_padded(units), sizeof(float));
    return affine->scale && affine->shift
               ? STATUS_OK
               : error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for %zu factors", units);
}

/* Folding */

static bool scales(const struct affine *affine)
{
    for (size_t i = 0; i < affine->units; i++)
        if (affine->scale[i] != 1.0f)
            return true;
    return false;
}

/* Changes a producer's weights and bias, so that it makes what the affine function would. */
static enum status fold(struct node *node, const struct affine *affine, const char *name,
                        struct error *error)
{
    const size_t n = node->n / node->groups, padded = panel_padded(n);
    float *bias = (float *)node->bias;
    for (size_t i = 0; i < node->n; i++) {
        float *b = &bias[i / n * padded + i % n];
        *b = *b * affine->scale[i] + affine->shift[i];
    }
    struct error ignored;
    if (onnx_weights_check(name, bias, padded * node->groups, &ignored) != STATUS_OK)
        return error_set(error, STATUS_INVALID,
                         "tensor \"%s\" makes a bias of layer \"%s\" infinite", name, node->name);
    return scales(affine) ? onnx_weights_scale(node, name, affine->scale, error) : STATUS_OK;
}

/* What an affine function of input i can be folded into. */
static struct node *foldable(struct importer *importer, const Onnx__NodeProto *proto, size_t i)
{
    struct node *node = importer_linear_producer(importer, proto, i);
    return node && node->input_count == 1 ? node : NULL;
}

/* Arithmetic */

/* Whether a constant is one number for each of node's units, seen from the value it makes. */
static bool is_per_unit(const struct importer *importer, const struct tensor *tensor,
                        const struct value *value, const struct node *node)
{
    size_t count = tensor_count(tensor), rank = value->shape.rank;
    if (tensor->dtype != DTYPE_FLOAT32 || (count != 1 && count != node->n))
        return false;
    size_t behind = rank - 1 - value_channel_axis(value);
    if (count == 1)
        return tensor->rank <= rank;
    return tensor->rank > behind && tensor->rank <= rank + importer_hidden(importer) &&
           (size_t)tensor->dims[tensor->rank - 1 - behind] == count;
}

/* What op does with c: to input 0, or to input 1 when c comes first. False when that is no affine
 * function of finite factors. */
static bool affine_of(const char *op, float c, bool c_first, float *scale, float *shift)
{
    *scale = 1.0f;
    *shift = 0.0f;
    if (strcmp(op, "Add") == 0 || strcmp(op, "Sum") == 0)
        *shift = c;
    else if (strcmp(op, "Mul") == 0)
        *scale = c;
    else if (strcmp(op, "Sub") == 0 && c_first)
        *scale = -1.0f, *shift = c;
    else if (strcmp(op, "Sub") == 0)
        *shift = -c;
    else if (strcmp(op, "Div") == 0 && !c_first)
        *scale = 1.0f / c;
    else
        return false;
    return isfinite(*scale) && isfinite(*shift);
}

enum status onnx_fuse_affine(struct importer *importer, const Onnx__NodeProto *proto, size_t i,
                             bool *fused, struct error *error)
{
    const struct operand *x = importer_operand(importer, proto, i);
    struct operand *c = importer_operand(importer, proto, 1 - i);
    struct node *node = foldable(importer, proto, i);
    struct affine affine;
    *fused = false;
    if (!node || !c || !c->is_constant ||
        !is_per_unit(importer, &c->tensor, &importer->model->graph.values[x->value], node))
        return STATUS_OK;
    if (affine_init(importer, &affine, node->n, error) != STATUS_OK ||
        onnx_tensor_load(importer, &c->tensor, error) != STATUS_OK)
        return error->status;
    const float *numbers = c->tensor.data;
    const bool one = tensor_count(&c->tensor) == 1;
    for (size_t j = 0; j < node->n; j++)
        if (!affine_of(proto->op_type, numbers[one ? 0 : j], i == 1, &affine.scale[j],
                       &affine.shift[j]))
            return STATUS_OK;
    *fused = true;
    if (fold(node, &affine, proto->input[1 - i], error) != STATUS_OK)
        return error->status;
    return importer_define(importer, proto, 0, *x, error);
}

/* Batch normalisation */

static enum status read_affine(struct importer *importer, const Onnx__NodeProto *proto,
                               size_t channels, struct affine *affine, struct error *error)
{
    static const char *const names[] = {"scale", "bias", "mean", "variance"};
    struct tensor tensors[4];
    float epsilon;
    if (onnx_attribute_float(proto, "epsilon", 1e-5f, &epsilon, error) != STATUS_OK)
        return error->status;
    for (size_t i = 0; i < 4; i++) {
        if (importer_constant(importer, proto, i + 1, names[i], DTYPE_FLOAT32, &tensors[i],
                              error) != STATUS_OK)
            return error->status;
        if (tensor_count(&tensors[i]) != channels)
            return error_set(error, STATUS_INVALID, "%s: expected %zu numbers, found %zu", names[i],
                             channels, tensor_count(&tensors[i]));
        if (onnx_weights_check(proto->input[i + 1], tensors[i].data, channels, error) != STATUS_OK)
            return error->status;
    }
    if (affine_init(importer, affine, channels, error) != STATUS_OK)
        return error->status;
    const float *scale = tensors[0].data, *bias = tensors[1].data;
    const float *mean = tensors[2].data, *variance = tensors[3].data;
    for (size_t c = 0; c < channels; c++) {
        double s = (double)scale[c] / sqrt((double)variance[c] + (double)epsilon);
        affine->scale[c] = (float)s;
        affine->shift[c] = (float)((double)bias[c] - (double)mean[c] * s);
        if (!isfinite(affine->scale[c]) || !isfinite(affine->shift[c]))
            return error_set(error, STATUS_INVALID,
                             "channel %zu cannot be normalised: scale %g, bias %g, mean %g, "
                             "variance %g, epsilon %g",
                             c, (double)scale[c], (double)bias[c], (double)mean[c],
                             (double)variance[c], (double)epsilon);
    }
    return STATUS_OK;
}

/* A window of one pixel over an image of any shape. */
static struct window point_window(size_t positions)
{
    return (struct window){.kernel = {1, 1, 1},
                           .step = {1, 1, 1},
                           .dilation = {1, 1, 1},
                           .in = {1, 1, positions},
                           .out = {1, 1, positions}};
}

/* A normalisation by the batch's own mean is training; one for each element is an old form. */
static enum status check_batch_norm(const struct importer *importer, const Onnx__NodeProto *proto,
                                    struct error *error)
{
    int64_t training, spatial, testing;
    if (onnx_attribute_int(proto, "training_mode", 0, &training, error) != STATUS_OK ||
        onnx_attribute_int(proto, "is_test", 0, &testing, error) != STATUS_OK ||
        onnx_attribute_int(proto, "spatial", 1, &spatial, error) != STATUS_OK)
        return error->status;
    if (training || !spatial || (importer->opset < 7 && !testing))
        return error_set(error, STATUS_UNSUPPORTED, "expected training_mode 0 and spatial 1");
    return STATUS_OK;
}

/* The producer whose units are the channels a normalisation sees: axis 1 of the file. */
static struct node *normalised(struct importer *importer, const Onnx__NodeProto *proto)
{
    const struct graph *graph = &importer->model->graph;
    struct node *node = foldable(importer, proto, 0);
    bool fits =
        node && value_channel_axis(&graph->values[node->output]) + importer_hidden(importer) == 1;
    return fits ? node : NULL;
}

enum status import_batch_norm(struct importer *importer, const Onnx__NodeProto *proto,
                              struct error *error)
{
    const struct graph *graph = &importer->model->graph;
    struct node *producer = normalised(importer, proto);
    struct affine affine;
    struct shape shape;
    uint32_t x;
    if (check_batch_norm(importer, proto, error) != STATUS_OK)
        return error->status;
    if (producer) {
        if (read_affine(importer, proto, producer->n, &affine, error) != STATUS_OK ||
            fold(producer, &affine, proto->input[1], error) != STATUS_OK)
            return error->status;
        return importer_define(importer, proto, 0, *importer_operand(importer, proto, 0), error);
    }
    if (importer_image(importer, proto, 0, true, &x, &shape, error) != STATUS_OK ||
        read_affine(importer, proto, shape.dims[0], &affine, error) != STATUS_OK)
        return error->status;
    struct node node = {.op = OP_depthwise,
                        .name = importer_layer_name(importer, proto, NULL),
                        .input_count = 1,
                        .k = 1,
                        .n = affine.units,
                        .groups = 1,
                        .window = point_window(graph->values[x].positions),
                        .panels = affine.scale,
                        .bias = affine.shift};
    return importer_add_image(importer, proto, node, &x, &shape, error);
}
