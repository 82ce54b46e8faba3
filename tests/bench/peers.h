/* peers: the libraries relud's kernels are measured against, each running a dense network as well
 * as its interface allows: oneDNN with bias and ReLU fused and weights in the layout it prefers,
 * OpenBLAS with sgemm (sgemv for one row) and a loop for bias and ReLU. One thread each. */
#ifndef RELUD_PEERS_H
#define RELUD_PEERS_H

#include <stdbool.h>
#include <stddef.h>

enum { PEER_LAYERS_MAX = 16 };

/* One layer, y = x w + bias, then ReLU or nothing. */
struct peer_layer {
    size_t k, n;
    const float *weights; /* [k, n], borrowed */
    const float *bias;    /* [n], borrowed */
    bool relu;
};

struct peer_network {
    struct peer_layer layers[PEER_LAYERS_MAX];
    size_t count;
};

struct onednn;

/* Prepares the network for batches of rows; a failure ends the program with a message. */
struct onednn *onednn_open(const struct peer_network *network, size_t rows);
void onednn_close(struct onednn *peer);

/* The outputs [rows, n of the last layer] for x [rows, k of the first], valid until the next run.
 */
const float *onednn_run(struct onednn *peer, const float *x);

/* Version and the instruction set it uses, for the machine line. */
const char *onednn_about(void);

struct openblas;

struct openblas *openblas_open(const struct peer_network *network, size_t rows);
void openblas_close(struct openblas *peer);
const float *openblas_run(struct openblas *peer, const float *x);
const char *openblas_about(void);

/* The processor OpenBLAS takes this one for. */
const char *openblas_core(void);

#endif
