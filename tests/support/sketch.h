/* sketch: a small network written layer by layer, to be compacted.
 *
 * Weights are random and so small that a bias of 1 keeps a unit alive; a unit that is to be dead
 * gets one of -100. */
#ifndef RELUD_TESTS_SKETCH_H
#define RELUD_TESTS_SKETCH_H

#include "compacted.h"
#include "randoms.h"

struct sketch {
    struct onnx_builder onnx;
    struct randoms random;
};

void sketch_begin(struct sketch *s);

/* The input "x": [N, 2, 6, 6], or [N, 5]. */
void sketch_image(struct sketch *s);
void sketch_vector(struct sketch *s);

/* An initializer of random numbers. */
Onnx__TensorProto *sketch_numbers(struct sketch *s, const char *name, size_t rank,
                                  const int64_t *dims);

/* One of a number for each unit, those of dead units negative: a text of their digits. */
Onnx__TensorProto *sketch_bias(struct sketch *s, const char *name, int64_t units, const char *dead);

/* A node from x to the value NAME with NAME.weight of dims, and NAME.bias of dims[0]; then the
 * activation act, unless it is NULL, from there to NAME_h. */
Onnx__NodeProto *sketch_layer(struct sketch *s, const char *op, const char *name, const char *x,
                              size_t rank, const int64_t *dims, const char *dead, const char *act);

/* Such a Gemm, and such a Conv of a square window, padded to keep the image's size. */
void sketch_dense(struct sketch *s, const char *name, const char *x, int64_t n, int64_t k,
                  const char *dead, const char *act);
Onnx__NodeProto *sketch_conv(struct sketch *s, const char *name, const char *x, int64_t n,
                             int64_t k, int64_t size, const char *dead, const char *act);

/* The largest number of each channel of x as "f", and three of them from k as "out". */
void sketch_end(struct sketch *s, const char *x, int64_t k);

/* Compacts the network, whose output is "out", and expects the same answers to all rows, as
 * compacted_compare() does, from a file that onnx.checker takes. */
void sketch_finish(struct sketch *s, struct compacted *c, const struct compact_options *options,
                   double tolerance);

/* Expects an initializer of the new file to have such dimensions. */
void sketch_expect_dims(const struct compacted *c, const char *name, size_t rank,
                        const int64_t *dims);
#define EXPECT_DIMS(c, name, ...)                                                             \
    sketch_expect_dims((c), (name), sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t), \
                       (const int64_t[]){__VA_ARGS__})

#endif
