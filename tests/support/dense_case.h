/* dense_case: one dense layer applied to some rows, in guarded buffers of exactly the sizes that
 * kernels.h states, and how gemm and gemv are asked for it. */
#ifndef RELUD_TESTS_DENSE_CASE_H
#define RELUD_TESTS_DENSE_CASE_H

#include "guarded.h"
#include "kernels/kernels.h"
#include "randoms.h"

struct dense_shape {
    size_t rows, k, n;
};

struct dense_case {
    size_t rows, k, n;
    size_t x_stride, y_stride;
    float *x;         /* [rows, k], row stride x_stride */
    struct view view; /* of x, its rows in as many runs as k allows: 1, 2, 3 or 4 */
    float *weights;   /* [k, n] */
    float *panels;    /* the same, packed */
    float *bias;      /* [panel_padded(n)] */
    float *y;         /* [rows, y_stride], before a run all NaN */
    uint32_t *index;  /* k + 16 */
    struct guarded memory;
};

/* x of kind x_kind; weights and biases of weight_kind, which is no RANDOM_WILD. */
void dense_open(struct dense_case *c, struct randoms *random, struct dense_shape shape,
                enum random_kind x_kind, enum random_kind weight_kind);
void dense_close(struct dense_case *c);

/* x[rows, k], its rows stride floats apart and in so many runs, whose places go to memory. */
enum { DENSE_RUNS_MAX = 4 };
struct view dense_view(struct guarded *memory, const float *x, size_t rows, size_t k, size_t stride,
                       size_t runs);

/* Runs all rows at once into y. */
void dense_gemm(const struct dense_case *c, const struct kernels *kernels, float *y);

/* Runs one row into y[y_stride]; from the list of its non-zero inputs, or of all. */
void dense_gemv(const struct dense_case *c, const struct kernels *kernels, size_t row, float *y);
void dense_gemv_full(const struct dense_case *c, const struct kernels *kernels, size_t row,
                     float *y);

#endif
