/* random_net: a network drawn at random, as an ONNX model.
 *
 * Even seeds draw dense networks, odd ones convolutional ones. Blocks follow each other from a list
 * that each seed begins elsewhere, so that ten seeds in a row hold every kind: convolutions
 * (strided, padded, dilated, grouped, depthwise, with batch normalisation), residual, concatenated
 * and gated branches, pooling, local response normalisation, means; dense layers wider than a
 * panel; softmax or log softmax at the end. Weights and biases hold zeros of both signs and
 * denormals. */
#ifndef RELUD_TESTS_RANDOM_NET_H
#define RELUD_TESTS_RANDOM_NET_H

#include "onnx_builder.h"

/* One input "x"; two outputs, sums and their softmax or log softmax. */
void random_net(struct onnx_builder *onnx, uint64_t seed);

#endif
