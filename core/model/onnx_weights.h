/* onnx_weights: packs the weights of a node, piece by piece, from where the file has them. */
#ifndef RELUD_ONNX_WEIGHTS_H
#define RELUD_ONNX_WEIGHTS_H

#include "onnx_import.h"

/* A tensor of weights as a file has it: [groups, columns, channels, taps], or with channels before
 * columns. A column is an output of its group; the chain of an output takes tap after tap, and of
 * each the channels in order. */
struct onnx_weights {
    const char *name;
    const struct tensor *tensor;
    size_t groups, columns, channels, taps;
    bool channels_first;
    float scale; /* for all of them */
};

/* Sets node's k, n and groups, makes its panels of weights, and room for its bias, which is zero.
 * INVALID unless all weights are finite, as zeros are skipped against them, and stay so when
 * scaled. For OP_depthwise the channels are columns, of one channel each. */
enum status onnx_weights_pack(struct importer *importer, const struct onnx_weights *weights,
                              struct node *node, struct error *error);

/* Makes node's bias scale times input i of proto, which holds a number for each of its outputs or
 * one for all; nothing when there is no such input. INVALID unless all are finite. */
enum status onnx_weights_bias(struct importer *importer, const Onnx__NodeProto *proto, size_t i,
                              float scale, struct node *node, struct error *error);

/* Checks that all numbers are finite; name is that of their tensor. */
enum status onnx_weights_check(const char *name, const float *data, size_t count,
                               struct error *error);

/* Multiplies node's packed weights of output i by scale[i]. INVALID when one becomes infinite; name
 * is that of the factors. */
enum status onnx_weights_scale(struct node *node, const char *name, const float *scale,
                               struct error *error);

#endif
