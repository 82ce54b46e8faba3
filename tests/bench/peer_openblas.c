#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peers.h"

struct openblas {
    const struct peer_network *network; /* borrowed */
    size_t rows;
    float *outputs[PEER_LAYERS_MAX]; /* owned: [rows, n] */
};

struct openblas *openblas_open(const struct peer_network *network, size_t rows)
{
    struct openblas *peer = calloc(1, sizeof *peer);
    openblas_set_num_threads(1);
    for (size_t i = 0; peer && i < network->count; i++) {
        size_t bytes = (rows * network->layers[i].n * sizeof(float) + 63) / 64 * 64;
        peer->outputs[i] = aligned_alloc(64, bytes);
        if (!peer->outputs[i]) {
            openblas_close(peer);
            peer = NULL;
        }
    }
    if (!peer) {
        fputs("bench: OpenBLAS: out of memory\n", stderr);
        exit(1);
    }
    peer->network = network;
    peer->rows = rows;
    return peer;
}

void openblas_close(struct openblas *peer)
{
    for (size_t i = 0; i < PEER_LAYERS_MAX; i++)
        free(peer->outputs[i]);
    free(peer);
}

/* y += bias, then ReLU, row by row; compiled to vectors. */
static void finish(float *restrict y, const float *restrict bias, size_t n, bool relu)
{
    for (size_t j = 0; j < n; j++) {
        float z = y[j] + bias[j];
        y[j] = relu && !(z > 0) ? 0 : z;
    }
}

static void run_layer(const struct peer_layer *layer, size_t rows, const float *x, float *y)
{
    const int m = (int)rows, k = (int)layer->k, n = (int)layer->n;
    if (rows == 1)
        cblas_sgemv(CblasRowMajor, CblasTrans, k, n, 1, layer->weights, n, x, 1, 0, y, 1);
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, x, k, layer->weights, n,
                    0, y, n);
    for (size_t r = 0; r < rows; r++)
        finish(y + r * layer->n, layer->bias, layer->n, layer->relu);
}

const float *openblas_run(struct openblas *peer, const float *x)
{
    for (size_t i = 0; i < peer->network->count; i++) {
        run_layer(&peer->network->layers[i], peer->rows, x, peer->outputs[i]);
        x = peer->outputs[i];
    }
    return x;
}

const char *openblas_core(void)
{
    return openblas_get_corename();
}

const char *openblas_about(void)
{
    static char about[96];
    char config[64];
    snprintf(config, sizeof config, "%s", openblas_get_config());
    char *version = strtok(config, " ");
    version = version ? strtok(NULL, " ") : NULL;
    snprintf(about, sizeof about, "OpenBLAS %s (%s)", version ? version : "", openblas_core());
    return about;
}
