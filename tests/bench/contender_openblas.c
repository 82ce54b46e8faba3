/* OpenBLAS with sgemm (sgemv for one row) and a loop for bias and ReLU. */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contender.h"

struct openblas {
    const struct subject *subject;    /* borrowed */
    float *outputs[DENSE_LAYERS_MAX]; /* owned: [rows, n] */
};

static void *open_openblas(const struct subject *subject)
{
    struct openblas *peer = must_alloc(1, sizeof *peer);
    *peer = (struct openblas){.subject = subject};
    openblas_set_num_threads((int)subject->threads);
    for (size_t i = 0; i < subject->layer_count; i++)
        peer->outputs[i] = must_alloc(subject->rows * subject->layers[i].n, sizeof(float));
    return peer;
}

static void close_openblas(void *self)
{
    struct openblas *peer = self;
    for (size_t i = 0; i < DENSE_LAYERS_MAX; i++)
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

static void run_layer(const struct dense_layer *layer, size_t rows, const float *x, float *y)
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

static const float *run(void *self, size_t input)
{
    const struct openblas *peer = self;
    const float *x = peer->subject->inputs[input];
    for (size_t i = 0; i < peer->subject->layer_count; i++) {
        run_layer(&peer->subject->layers[i], peer->subject->rows, x, peer->outputs[i]);
        x = peer->outputs[i];
    }
    return x;
}

const char *openblas_core(void)
{
    return openblas_get_corename();
}

static const char *about(const struct subject *subject)
{
    (void)subject;
    static char about[96];
    char config[64];
    snprintf(config, sizeof config, "%s", openblas_get_config());
    char *version = strtok(config, " ");
    version = version ? strtok(NULL, " ") : NULL;
    snprintf(about, sizeof about, "OpenBLAS %s (%s)", version ? version : "", openblas_core());
    return about;
}

const struct contender contender_openblas = {"openblas",     true, open_openblas,
                                             close_openblas, run,  about};
