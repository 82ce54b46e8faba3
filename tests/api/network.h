/* network: ONNX files of multi-layer perceptrons with random weights, for tests that need another
 * network than the bundled ones. */
#ifndef RELUD_TEST_NETWORK_H
#define RELUD_TEST_NETWORK_H

#include <stddef.h>

#include "onnx_builder.h"

enum { CHAIN_WIDTHS_MAX = 8 };

/* input -> dense + activation -> … -> dense -> output. */
struct chain {
    const char *input, *output;
    size_t widths[CHAIN_WIDTHS_MAX]; /* of the input and every layer; ends with 0 */
    const char *activation;          /* ONNX operator of the hidden layers */
};

/* Makes a model of independent chains in a file in memory; PATH is where this process and its
 * children can open it, until the descriptor that is returned is closed. Layers are called fc1,
 * fc2, … in the order of the chains. The same arguments give the same weights. */
enum { NETWORK_PATH_BYTES = 64 };
int network_file(char path[NETWORK_PATH_BYTES], const struct chain *chains, size_t count);

/* The same of any model: packs the builder's and closes it. */
int network_pack(char path[NETWORK_PATH_BYTES], struct onnx_builder *builder);

#endif
