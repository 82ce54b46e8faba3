/* kernels: the arithmetic, one table of functions per instruction set.
 *
 * The promise (DESIGN: one chain per output): every dense output is bias, then one fused
 * multiply-add per input in increasing order of the input, then + 0.0f, then the activation. So the
 * bits of a result do not depend on rows computed together, on zeros skipped, or on the instruction
 * set. (x86 without FMA, the "baseline" there, multiplies and adds: outside the promise.) Denormals
 * are kept. Which NaN a result is, its sign and payload, is not promised.
 *
 * Rows of outputs have a stride of at least panel_padded(n); the padding is written too and means
 * nothing. Pointers need no alignment unless it is stated; nothing may overlap unless it is stated.
 */
#ifndef RELUD_KERNELS_H
#define RELUD_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "activation.h"

/* What a run has counted for one layer since it was last folded; arrays hold panel_padded(n)
 * elements. A NULL array is not counted. Padding columns hold rubbish. */
struct tally {
    size_t units;         /* of the layer: what lies behind is padding */
    uint32_t *active;     /* observations in which the unit was active */
    uint32_t *low, *high; /* and in which z was in either of activation_tails(); there where the
                             activation is tailed */
    double *sum;          /* of finite outputs */
    double *magnitude;    /* of |output|, finite ones; NULL where it equals sum */
    float *max;           /* largest pre-activation that is not NaN; begins at -inf */
    uint64_t *nonfinite;  /* one number: outputs of the layer that are NaN or infinite */
};

/* What follows a chain: an addition, an activation, its counts. Everything points at row 0 and
 * column 0 of y, but for the tally and the activation's slope, which point at unit 0 of the layer.
 */
struct epilogue {
    float *output; /* where outputs go, while y keeps what the activation is applied to; NULL: over
                      y. As wide as y, overlaps nothing */
    size_t output_stride;
    const float *residual; /* added to y; NULL for none */
    size_t residual_stride;
    const struct activation_rule *rule; /* of a counted one; activation.def states its error. NULL
                                           for none */
    size_t first;                       /* the unit of column 0, a multiple of 8 */
    uint8_t *bits; /* bit j of row r at bits[r * bits_stride + j / 8] says whether unit first + j
                      was active; NULL for none */
    size_t bits_stride;
    const struct tally *tally; /* NULL for none */
    bool one_row; /* rows are positions of one row of the batch, cut into tiles alike whatever the
                     batch: their sums may be rounded to float before they reach the tally */
};

/* Where the inputs of some rows of outputs lie: those of row i are taps runs of length numbers, run
 * t from x[i] + at[t] on. A dense layer's row is one run, a window over an image one or more for
 * each of its lines. */
struct view {
    size_t rows, taps, length; /* at least 1 each */
    const float *const *x;     /* [rows] */
    const ptrdiff_t *at;       /* [taps], in floats */
    size_t line, apart;        /* rows, a multiple of line, come in lines of so many, in which each
                                  begins so many floats after the one before; line 0: anywhere */
};

/* y[rows, width] = the chain over the inputs x and one panel [k, width] of packed weights
 * (panel.h), then the epilogue. */
struct gemm {
    size_t k, width; /* k = x.taps * x.length, at least 1 */
    size_t columns;  /* of the width that are not padding */
    struct view x;
    const float *panel, *bias; /* bias: [width] */
    bool streams;              /* the layer's weights do not stay in a core's cache */
    float *y;
    size_t y_stride;                 /* at least width */
    const struct epilogue *epilogue; /* NULL for none */
};

struct kernels {
    const char *name;

    void (*gemm)(const struct gemm *gemm);

    /* The chain for one row x, of which count inputs are listed, in increasing order: the others
     * are zero and their weights, which must be finite, are never read. */
    void (*gemv)(size_t count, size_t width, const uint32_t *index, const float *x,
                 const float *panel, const float *bias, float *y);

    /* Lists the elements of x[k] for which !(x == 0), so that NaN stays; index has room for k + 16.
     * Returns how many. */
    size_t (*nonzero)(size_t k, const float *x, uint32_t *index);

    /* The epilogue by itself over y[rows, width], width a multiple of 16. */
    void (*activate)(const struct epilogue *epilogue, size_t rows, size_t width, float *y,
                     size_t y_stride);

    /* The bits of rows that lie stride bytes apart (2, 4 or a multiple of 8, enough for the units),
     * folded into any[(units + 63) / 64], which holds those of every row. Returns how many bits of
     * the units are set in all rows. */
    size_t (*fold)(size_t units, size_t rows, const uint8_t *bits, size_t stride, uint64_t *any);

    /* Whether min <= x <= max for each of n numbers; NaN is not. */
    bool (*within)(size_t n, const float *x, const float *min, const float *max);

    /* Channel by channel over the taps of a window, in their order; x's runs are the channels (a
     * multiple of 16) of one pixel, y's rows lie y_stride apart and overlap nothing.
     *
     * depthwise: the chain bias[c] + x[t][c] * weights[t * x->length + c].
     * max: the largest x[t], NaN if there is one.
     * average: the sum of x[t], divided by row r's divisors[r]. */
    void (*depthwise)(const struct view *x, const float *weights, const float *bias, float *y,
                      size_t y_stride);
    void (*max)(const struct view *x, float *y, size_t y_stride);
    void (*average)(const struct view *x, const float *divisors, float *y, size_t y_stride);

    /* y[rows, n] = softmax(x[rows, n]) over each row: exp(x - max) summed in 16 lanes (column mod
     * 16, each in increasing order), the lanes folded in halves. A row with NaN or with +inf, or of
     * nothing but -inf, becomes NaN throughout. y may be x. With d = max - x, D the mean of d by
     * the probabilities and u = 2^-24, y is within (d + D + n / 16 + 14) u y + 2^-148. */
    void (*softmax)(size_t rows, size_t n, const float *x, size_t x_stride, float *y,
                    size_t y_stride);

    /* y[rows, n] = (x - max) - log of the same sum, with the same rule for NaN; within
     * (2 d + D + 2 log n + n / 16 + 10) u. */
    void (*log_softmax)(size_t rows, size_t n, const float *x, size_t x_stride, float *y,
                        size_t y_stride);
};

/* The kernels of that name, or the best usable ones for "auto"; NULL with a message when this
 * machine has none of that name. */
const struct kernels *kernels_select(const char *name, struct error *error);

/* The usable kernels, best first; *count receives how many. */
const struct kernels *const *kernels_usable(size_t *count);

#endif
