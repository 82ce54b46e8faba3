/* contender: somebody who runs a subject: relud, or a library it is measured against, each as well
 * as its interface allows.
 *
 * A subject is a model and the batches it is run on. The window of rows that makes a batch slides
 * over the file of inputs, so that the batches differ: repeated inputs would teach the branch
 * predictor, and flatter skipping. */
#ifndef RELUD_BENCH_CONTENDER_H
#define RELUD_BENCH_CONTENDER_H

#include "model/model.h"

enum { DIFFERENT_INPUTS = 64, DENSE_LAYERS_MAX = 16 };

/* One layer, y = x w + bias, then ReLU or nothing. */
struct dense_layer {
    size_t k, n;
    float *weights;    /* owned: [k, n] */
    const float *bias; /* [n], the model's */
    bool relu;
};

struct subject {
    const char *path;        /* of the ONNX file */
    const char *ort_library; /* libonnxruntime.so; NULL: without it */
    size_t rows, threads;    /* of a run */
    struct model model;
    size_t features, outputs;   /* of a row */
    struct dense_layer *layers; /* owned; NULL unless the model is a chain of them */
    size_t layer_count;
    float *numbers;                        /* owned: all rows of the inputs' file */
    const float *inputs[DIFFERENT_INPUTS]; /* [rows, features] each */
};

/* Opens the model at subject->path and reads rows of float32 from the file inputs: there must be
 * DIFFERENT_INPUTS more than subject->rows. Failures end the program with a message, here and in
 * whatever contenders do. */
void subject_open(struct subject *subject, const char *inputs);
void subject_close(struct subject *subject);

struct contender {
    const char *name;
    bool dense; /* runs chains of dense layers only */
    void *(*open)(const struct subject *subject);
    void (*close)(void *self);

    /* Runs inputs[input]; the result, [rows, outputs], is valid until the next run. */
    const float *(*run)(void *self, size_t input);

    /* Version and the instruction set it uses, for the machine line; of a subject that has no more
     * than an ort_library. */
    const char *(*about)(const struct subject *subject);
};

/* relud at a level of statistics, and at full with the fold that the daemon does once per turn of
 * its loop. */
extern const struct contender contender_off, contender_counts, contender_full, contender_folded;
extern const struct contender contender_onednn, contender_openblas, contender_ort;

/* The share of inactive outputs of layer in all runs of a contender_folded. */
double folded_zeros(const void *self, size_t layer);

/* The processor OpenBLAS takes this one for. */
const char *openblas_core(void);

_Noreturn void fail(const char *what, const char *why);

/* count * bytes on cache lines, as fast code wants them. */
void *must_alloc(size_t count, size_t bytes);

#endif
