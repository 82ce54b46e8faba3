/* onnx_window: the attributes that convolutions and poolings have in common. */
#ifndef RELUD_ONNX_WINDOW_H
#define RELUD_ONNX_WINDOW_H

#include "onnx_import.h"

/* Reads strides, dilations, pads, auto_pad and ceil_mode for an image of shape [channels, spatial…]
 * and a kernel of as many spatial dimensions; shape's spatial dimensions become those of the
 * result. */
enum status onnx_window(const Onnx__NodeProto *node, struct shape *shape, const int64_t *kernel,
                        struct window *window, struct error *error);

/* The same for a transposed convolution, with output_padding and output_shape. */
enum status onnx_window_transposed(const Onnx__NodeProto *node, struct shape *shape,
                                   const int64_t *kernel, struct window *window,
                                   struct error *error);

/* Lets window, over images of that shape, pass over all images of x, one after the other: they lie
 * along an axis that one image leaves unused. UNSUPPORTED when it uses all. */
enum status onnx_window_stack(const struct importer *importer, uint32_t x,
                              const struct shape *shape, struct window *window,
                              struct error *error);

/* Positions of the kernel. */
size_t window_taps(const struct window *window);

#endif
