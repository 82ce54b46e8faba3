#include "layers_types.h"

#include <inttypes.h>
#include <string.h>

#include "fields.h"
#include "onnx_window.h"

static char *shape_text(char text[DIMS_TEXT_BYTES], const struct shape *shape)
{
    int64_t dims[TENSOR_RANK_MAX];
    for (size_t i = 0; i < shape->rank; i++)
        dims[i] = (int64_t)shape->dims[i];
    return dims_text(text, dims, shape->rank);
}

static enum status expect_image(const struct layers *layers, struct error *error)
{
    char text[DIMS_TEXT_BYTES];
    if (layers->shape.rank == 3)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, "expected an input [channels, height, width], found %s",
                     shape_text(text, &layers->shape));
}

/* Weights and biases */

static enum status find_weight(struct layers *layers, const struct spec *spec, size_t rank,
                               const struct safetensor **weight, struct error *error)
{
    char text[DIMS_TEXT_BYTES];
    if (layers_tensor(layers, spec, "weight", true, weight, error) != STATUS_OK)
        return error->status;
    const struct safetensor *found = *weight;
    if (found->rank == rank && found->bytes > 0)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, "weight \"%s\" %s: expected %zu dimensions, none of 0",
                     found->name, dims_text(text, found->dims, found->rank), rank);
}

/* Adds a node with a weight, and with a bias for each of so many outputs if the layer has one;
 * NULL when that bias is refused. */
static Onnx__NodeProto *add_weighted(struct layers *layers, const struct spec *spec,
                                     const char *op_type, const struct safetensor *weight,
                                     size_t outputs, struct error *error)
{
    const struct safetensor *bias;
    if (layers_tensor(layers, spec, "bias", false, &bias, error) != STATUS_OK ||
        (bias && layers_expect_list("bias", bias, outputs, error) != STATUS_OK))
        return NULL;
    Onnx__NodeProto *node = layers_node(layers, op_type, spec->name);
    draft_reads(node, weight->name);
    if (bias)
        draft_reads(node, bias->name);
    return node;
}

/* Dense */

/* Whether the weight is [out, in]. */
static enum status read_layout(const struct spec *spec, bool *out_first, struct error *error)
{
    const char *layout;
    if (fields_text(spec->json, "layout", &layout, error) != STATUS_OK)
        return error->status;
    *out_first = !layout || strcmp(layout, "out_in") == 0;
    if (*out_first || strcmp(layout, "in_out") == 0)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "layout: expected \"out_in\" or \"in_out\", found \"%s\"", layout);
}

enum status add_dense(struct layers *layers, const struct spec *spec, struct error *error)
{
    const struct safetensor *weight;
    bool out_first;
    char dims[DIMS_TEXT_BYTES], shape[DIMS_TEXT_BYTES];
    if (read_layout(spec, &out_first, error) != STATUS_OK ||
        find_weight(layers, spec, 2, &weight, error) != STATUS_OK)
        return error->status;
    const size_t in = (size_t)weight->dims[out_first], out = (size_t)weight->dims[!out_first];
    const size_t found = shape_count(&layers->shape);
    if (in != found)
        return error_set(error, STATUS_INVALID,
                         "weight \"%s\" %s takes %zu numbers, its input %s has %zu", weight->name,
                         dims_text(dims, weight->dims, weight->rank), in,
                         shape_text(shape, &layers->shape), found);
    add_flatten(layers, spec, error);
    Onnx__NodeProto *node = add_weighted(layers, spec, "Gemm", weight, out, error);
    if (!node)
        return error->status;
    draft_int(node, "transB", out_first);
    layers->shape = shape_flat(out);
    return STATUS_OK;
}

enum status add_flatten(struct layers *layers, const struct spec *spec, struct error *error)
{
    (void)error;
    if (layers->shape.rank != 1)
        layers_node(layers, "Flatten", spec->name);
    layers->shape = shape_flat(shape_count(&layers->shape));
    return STATUS_OK;
}

/* Windows */

/* How a kernel moves over an image. */
struct slide {
    int64_t kernel[2], stride[2], dilation[2], padding[2];
    const char *auto_pad; /* ONNX's word in place of padding; NULL for none */
};

static const int64_t zeros[2] = {0, 0}, ones[2] = {1, 1};

/* Reads all but the kernel; strides is what stride is when it is left out. */
static enum status read_slide(const struct spec *spec, const int64_t strides[2],
                              struct slide *slide, struct error *error)
{
    if (fields_pair(spec->json, "stride", strides, 1, slide->stride, error) != STATUS_OK ||
        fields_pair(spec->json, "dilation", ones, 1, slide->dilation, error) != STATUS_OK)
        return error->status;
    return slide->auto_pad ? STATUS_OK
                           : fields_pair(spec->json, "padding", zeros, 0, slide->padding, error);
}

/* Makes node slide; the shape becomes that of what it makes. */
static enum status add_slide(struct layers *layers, Onnx__NodeProto *node,
                             const struct slide *slide, struct error *error)
{
    struct window window = {.count_pad = false};
    const int64_t *padding = slide->padding;
    draft_ints(node, "strides", 2, slide->stride);
    draft_ints(node, "dilations", 2, slide->dilation);
    if (slide->auto_pad)
        draft_text(node, "auto_pad", slide->auto_pad);
    else /* ONNX wants all beginnings, then all ends */
        draft_ints(node, "pads", 4,
                   (const int64_t[]){padding[0], padding[1], padding[0], padding[1]});
    return onnx_window(node, &layers->shape, slide->kernel, &window, error);
}

/* Convolution */

/* Whether weight [out, in / groups, kernel…] fits the groups, the image and the kernel_size, which
 * need not be given. */
static enum status check_conv(const struct layers *layers, const struct spec *spec,
                              const struct safetensor *weight, int64_t groups, struct error *error)
{
    const int64_t *kernel = weight->dims + 2, channels = (int64_t)layers->shape.dims[0];
    int64_t given[2];
    char dims[DIMS_TEXT_BYTES], shape[DIMS_TEXT_BYTES];
    if (fields_pair(spec->json, "kernel_size", kernel, 1, given, error) != STATUS_OK)
        return error->status;
    if (weight->dims[0] % groups != 0 || channels % groups != 0 ||
        weight->dims[1] != channels / groups || memcmp(given, kernel, sizeof given) != 0)
        return error_set(error, STATUS_INVALID,
                         "weight \"%s\" %s does not fit an input %s, groups %" PRId64
                         " and kernel_size [%" PRId64 ", %" PRId64 "]",
                         weight->name, dims_text(dims, weight->dims, weight->rank),
                         shape_text(shape, &layers->shape), groups, given[0], given[1]);
    return STATUS_OK;
}

/* padding may also be a word. */
static enum status read_auto_pad(const struct spec *spec, const char **auto_pad,
                                 struct error *error)
{
    const char *word = json_string_value(json_object_get(spec->json, "padding"));
    const bool same = word && strcmp(word, "same") == 0;
    *auto_pad = same ? "SAME_UPPER" : word ? "VALID" : NULL;
    if (!word || same || strcmp(word, "valid") == 0)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "padding: expected numbers, \"same\" or \"valid\", found \"%s\"", word);
}

enum status add_conv2d(struct layers *layers, const struct spec *spec, struct error *error)
{
    const struct safetensor *weight;
    struct slide slide;
    int64_t groups;
    if (expect_image(layers, error) != STATUS_OK ||
        find_weight(layers, spec, 4, &weight, error) != STATUS_OK ||
        fields_int(spec->json, "groups", 1, 1, &groups, error) != STATUS_OK ||
        check_conv(layers, spec, weight, groups, error) != STATUS_OK ||
        read_auto_pad(spec, &slide.auto_pad, error) != STATUS_OK ||
        read_slide(spec, ones, &slide, error) != STATUS_OK)
        return error->status;
    const size_t out = (size_t)weight->dims[0];
    Onnx__NodeProto *node = add_weighted(layers, spec, "Conv", weight, out, error);
    if (!node)
        return error->status;
    draft_int(node, "group", groups);
    memcpy(slide.kernel, weight->dims + 2, sizeof slide.kernel);
    layers->shape.dims[0] = out;
    return add_slide(layers, node, &slide, error);
}

/* Pooling */

/* As in PyTorch, so that no window lies in the padding alone. */
static enum status check_padding(const struct slide *slide, struct error *error)
{
    for (size_t i = 0; i < 2; i++)
        if (slide->padding[i] > ((slide->kernel[i] - 1) * slide->dilation[i] + 1) / 2)
            return error_set(error, STATUS_INVALID,
                             "padding: expected at most half of the window, found %" PRId64,
                             slide->padding[i]);
    return STATUS_OK;
}

static enum status add_pool(struct layers *layers, const struct spec *spec, const char *op_type,
                            struct error *error)
{
    struct slide slide = {.auto_pad = NULL};
    bool ceil_mode, count_pad;
    if (expect_image(layers, error) != STATUS_OK ||
        fields_pair(spec->json, "kernel_size", zeros, 1, slide.kernel, error) != STATUS_OK ||
        fields_flag(spec->json, "ceil_mode", false, &ceil_mode, error) != STATUS_OK ||
        fields_flag(spec->json, "count_include_pad", true, &count_pad, error) != STATUS_OK ||
        read_slide(spec, slide.kernel, &slide, error) != STATUS_OK)
        return error->status;
    if (slide.kernel[0] == 0)
        return error_set(error, STATUS_INVALID, "expected a kernel_size");
    if (check_padding(&slide, error) != STATUS_OK)
        return error->status;
    Onnx__NodeProto *node = layers_node(layers, op_type, spec->name);
    draft_ints(node, "kernel_shape", 2, slide.kernel);
    draft_int(node, "ceil_mode", ceil_mode);
    draft_int(node, "count_include_pad", count_pad);
    return add_slide(layers, node, &slide, error);
}

enum status add_max_pool2d(struct layers *layers, const struct spec *spec, struct error *error)
{
    return add_pool(layers, spec, "MaxPool", error);
}

enum status add_avg_pool2d(struct layers *layers, const struct spec *spec, struct error *error)
{
    return add_pool(layers, spec, "AveragePool", error);
}

enum status add_global_avg_pool2d(struct layers *layers, const struct spec *spec,
                                  struct error *error)
{
    if (expect_image(layers, error) != STATUS_OK)
        return error->status;
    layers_node(layers, "GlobalAveragePool", spec->name);
    layers->shape.dims[1] = layers->shape.dims[2] = 1;
    return STATUS_OK;
}

/* Batch normalisation */

/* Makes node read one number for each channel: a tensor of the file, or the same number count
 * times where the layer has none. */
static enum status read_channels(struct layers *layers, const struct spec *spec,
                                 Onnx__NodeProto *node, const char *key, const float *otherwise,
                                 struct error *error)
{
    const size_t count = layers->shape.dims[0];
    const struct safetensor *tensor;
    if (layers_tensor(layers, spec, key, !otherwise, &tensor, error) != STATUS_OK)
        return error->status;
    if (tensor) {
        draft_reads(node, tensor->name);
        return layers_expect_list(key, tensor, count, error);
    }
    const char *name = layers_text(layers, "%s: %s", spec->name, key);
    float *numbers = arena_alloc(layers->arena, count, sizeof *numbers);
    if (!name || !numbers)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the layer");
    for (size_t i = 0; i < count; i++)
        numbers[i] = *otherwise;
    draft_floats(&layers->draft, name, count, numbers);
    draft_reads(node, name);
    return STATUS_OK;
}

enum status add_batch_norm(struct layers *layers, const struct spec *spec, struct error *error)
{
    static const float zero = 0.0f, one = 1.0f;
    double epsilon;
    if (fields_number(spec->json, "eps", 1e-5, &epsilon, error) != STATUS_OK)
        return error->status;
    if (!(epsilon >= 0.0 && epsilon <= 1.0))
        return error_set(error, STATUS_INVALID, "eps: expected 0 to 1, found %g", epsilon);
    Onnx__NodeProto *node = layers_node(layers, "BatchNormalization", spec->name);
    draft_float(node, "epsilon", (float)epsilon);
    if (read_channels(layers, spec, node, "weight", &one, error) != STATUS_OK ||
        read_channels(layers, spec, node, "bias", &zero, error) != STATUS_OK ||
        read_channels(layers, spec, node, "running_mean", NULL, error) != STATUS_OK ||
        read_channels(layers, spec, node, "running_var", NULL, error) != STATUS_OK)
        return error->status;
    return STATUS_OK;
}

/* Layers without weights */

enum status add_dropout(struct layers *layers, const struct spec *spec, struct error *error)
{
    double p;
    (void)layers; /* it drops nothing while serving */
    return fields_number(spec->json, "p", 0.5, &p, error);
}

enum status add_activation(struct layers *layers, const struct spec *spec, struct error *error)
{
    const json_t *activation = json_object_get(spec->json, "activation");
    if (!activation)
        return error_set(error, STATUS_INVALID, "expected an activation");
    return layers_activate(layers, activation, spec->name, error);
}
