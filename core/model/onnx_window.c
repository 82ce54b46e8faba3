#include "onnx_window.h"

#include <inttypes.h>
#include <string.h>

/* A window and an image must stay countable. */
enum { WINDOW_SIZE_MAX = 1 << 20 };

size_t window_taps(const struct window *window)
{
    return window->kernel[0] * window->kernel[1] * window->kernel[2];
}

/* Number i of a list of ints, fallback when node has no such list. */
static enum status read_int(const Onnx__NodeProto *node, const char *name, size_t count, size_t i,
                            int64_t fallback, int64_t least, size_t *value, struct error *error)
{
    const Onnx__AttributeProto *list = onnx_attribute(node, name);
    if (list && list->n_ints != count)
        return error_set(error, STATUS_INVALID, "%s: expected %zu numbers, found %zu", name, count,
                         list->n_ints);
    int64_t number = list ? list->ints[i] : fallback;
    if (number < least || number > WINDOW_SIZE_MAX)
        return error_set(error, STATUS_INVALID, "%s: expected %" PRId64 " to %d, found %" PRId64,
                         name, least, WINDOW_SIZE_MAX, number);
    *value = (size_t)number;
    return STATUS_OK;
}

enum auto_pad { PAD_GIVEN, PAD_VALID, PAD_SAME_UPPER, PAD_SAME_LOWER };

static enum status read_auto_pad(const Onnx__NodeProto *node, enum auto_pad *pad,
                                 struct error *error)
{
    static const char *const names[] = {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"};
    const Onnx__AttributeProto *attribute = onnx_attribute(node, "auto_pad");
    *pad = PAD_GIVEN;
    for (size_t i = 0; attribute && i < 4; i++) {
        if (onnx_attribute_says(attribute, names[i])) {
            *pad = (enum auto_pad)i;
            return STATUS_OK;
        }
    }
    return attribute ? error_set(error, STATUS_INVALID, "auto_pad: unknown value") : STATUS_OK;
}

/* The output along an axis, and for SAME the padding that gives it. */
static enum status fit_axis(struct window *w, size_t axis, enum auto_pad pad, bool ceil_mode,
                            struct error *error)
{
    size_t reach = (w->kernel[axis] - 1) * w->dilation[axis] + 1, in = w->in[axis];
    if (pad == PAD_SAME_UPPER || pad == PAD_SAME_LOWER) {
        w->out[axis] = (in + w->step[axis] - 1) / w->step[axis];
        size_t needed = (w->out[axis] - 1) * w->step[axis] + reach;
        size_t total = needed > in ? needed - in : 0;
        w->pad[axis] = pad == PAD_SAME_UPPER ? total / 2 : total - total / 2;
        w->pad_end[axis] = total - w->pad[axis];
        return STATUS_OK;
    }
    size_t padded = w->pad[axis] + in + w->pad_end[axis];
    if (padded < reach)
        return error_set(error, STATUS_INVALID,
                         "a window of %zu does not fit an image of %zu with padding", reach,
                         padded);
    size_t steps = (padded - reach + (ceil_mode ? w->step[axis] - 1 : 0)) / w->step[axis];
    /* A last window that would begin in the padding behind the image is left out. */
    if (ceil_mode && steps * w->step[axis] >= w->pad[axis] + in)
        steps--;
    w->out[axis] = steps + 1;
    return STATUS_OK;
}

/* Where spatial axis i of so many stands in a window. */
static size_t window_axis(size_t spatial, size_t i)
{
    return GRAPH_SPATIAL_MAX - spatial + i;
}

static enum status read_axis(const Onnx__NodeProto *node, size_t spatial, size_t i,
                             struct window *w, struct error *error)
{
    const size_t axis = window_axis(spatial, i);
    if (read_int(node, "strides", spatial, i, 1, 1, &w->step[axis], error) != STATUS_OK ||
        read_int(node, "dilations", spatial, i, 1, 1, &w->dilation[axis], error) != STATUS_OK ||
        read_int(node, "pads", 2 * spatial, i, 0, 0, &w->pad[axis], error) != STATUS_OK)
        return error->status;
    return read_int(node, "pads", 2 * spatial, spatial + i, 0, 0, &w->pad_end[axis], error);
}

/* The numbers under one window are copied where padding is among them. */
static enum status check_reach(const struct window *w, size_t channels, struct error *error)
{
    size_t count = channels;
    bool counts = true;
    for (size_t axis = 0; axis < GRAPH_SPATIAL_MAX; axis++)
        counts &=
            !__builtin_mul_overflow(count, (w->kernel[axis] - 1) * w->dilation[axis] + 1, &count);
    if (counts && count <= MODEL_FEATURES_MAX)
        return STATUS_OK;
    return error_set(error, STATUS_TOO_LARGE,
                     "expected a window over at most %d numbers, dilation included",
                     MODEL_FEATURES_MAX);
}

/* Everything but how large the result is. */
static enum status read_window(const Onnx__NodeProto *node, const struct shape *shape,
                               const int64_t *kernel, enum auto_pad *pad, struct window *w,
                               struct error *error)
{
    const size_t spatial = shape->rank - 1;
    if (read_auto_pad(node, pad, error) != STATUS_OK)
        return error->status;
    for (size_t axis = 0; axis < GRAPH_SPATIAL_MAX; axis++)
        w->kernel[axis] = w->step[axis] = w->dilation[axis] = w->in[axis] = w->out[axis] = 1;
    for (size_t i = 0; i < spatial; i++) {
        const size_t axis = window_axis(spatial, i);
        if (kernel[i] < 1 || kernel[i] > WINDOW_SIZE_MAX)
            return error_set(error, STATUS_INVALID, "kernel: expected 1 to %d, found %" PRId64,
                             WINDOW_SIZE_MAX, kernel[i]);
        w->kernel[axis] = (size_t)kernel[i];
        w->in[axis] = shape->dims[1 + i];
        if (read_axis(node, spatial, i, w, error) != STATUS_OK)
            return error->status;
        if (*pad == PAD_VALID)
            w->pad[axis] = w->pad_end[axis] = 0;
    }
    return check_reach(w, shape->dims[0], error);
}

enum status onnx_window(const Onnx__NodeProto *node, struct shape *shape, const int64_t *kernel,
                        struct window *w, struct error *error)
{
    const size_t spatial = shape->rank - 1;
    enum auto_pad pad;
    int64_t ceil_mode;
    if (read_window(node, shape, kernel, &pad, w, error) != STATUS_OK ||
        onnx_attribute_int(node, "ceil_mode", 0, &ceil_mode, error) != STATUS_OK)
        return error->status;
    for (size_t i = 0; i < spatial; i++) {
        const size_t axis = window_axis(spatial, i);
        if (fit_axis(w, axis, pad, ceil_mode != 0, error) != STATUS_OK)
            return error->status;
        shape->dims[1 + i] = w->out[axis];
    }
    return STATUS_OK;
}

/* The output of a transposed convolution along an axis: all that the image reaches, but what
 * padding cuts off, and more at the end. wish is the size the file wants it to have, 0 for none. */
static enum status transpose_axis(struct window *w, size_t axis, enum auto_pad pad, size_t more,
                                  size_t wish, struct error *error)
{
    const size_t reach = (w->kernel[axis] - 1) * w->dilation[axis] + 1;
    const size_t whole = (w->in[axis] - 1) * w->step[axis] + reach + more;
    size_t before = w->pad[axis], cut = before + w->pad_end[axis];
    if (wish == 0 && (pad == PAD_SAME_UPPER || pad == PAD_SAME_LOWER))
        wish = w->in[axis] * w->step[axis];
    if (wish > 0) {
        cut = whole > wish ? whole - wish : 0;
        before = pad == PAD_SAME_UPPER ? cut / 2 : cut - cut / 2;
    } else if (cut < whole) {
        wish = whole - cut;
    } else {
        return error_set(error, STATUS_INVALID, "padding of %zu leaves nothing of %zu", cut, whole);
    }
    w->out[axis] = wish;
    w->pad[axis] = before;
    return STATUS_OK;
}

enum status onnx_window_transposed(const Onnx__NodeProto *node, struct shape *shape,
                                   const int64_t *kernel, struct window *w, struct error *error)
{
    const size_t spatial = shape->rank - 1;
    enum auto_pad pad;
    w->transposed = true;
    if (read_window(node, shape, kernel, &pad, w, error) != STATUS_OK)
        return error->status;
    for (size_t i = 0; i < spatial; i++) {
        const size_t axis = window_axis(spatial, i);
        size_t more, wish;
        if (read_int(node, "output_padding", spatial, i, 0, 0, &more, error) != STATUS_OK ||
            read_int(node, "output_shape", spatial, i, 0, 0, &wish, error) != STATUS_OK ||
            transpose_axis(w, axis, pad, more, wish, error) != STATUS_OK)
            return error->status;
        shape->dims[1 + i] = w->out[axis];
    }
    return STATUS_OK;
}

enum status onnx_window_stack(const struct importer *importer, uint32_t x,
                              const struct shape *shape, struct window *window, struct error *error)
{
    const size_t images = importer->whole ? importer->model->graph.values[x].shape.dims[0] : 1;
    if (images == 1)
        return STATUS_OK;
    if (shape->rank > GRAPH_SPATIAL_MAX)
        return error_set(error, STATUS_UNSUPPORTED,
                         "%zu images of %d dimensions in a file whose nodes do something to the "
                         "batch; expected one, or fewer dimensions",
                         images, GRAPH_SPATIAL_MAX);
    const size_t axis = GRAPH_SPATIAL_MAX - shape->rank;
    window->in[axis] = window->out[axis] = images;
    return STATUS_OK;
}
