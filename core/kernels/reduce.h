/* reduce: results of a whole row, in one order whatever the vector width: 16 lanes (column mod 16),
 * each in increasing column order, folded in halves. Plain loops over the 16 lanes, which the
 * compiler turns into vectors without changing the order. */
#ifndef RELUD_REDUCE_H
#define RELUD_REDUCE_H

#include "eltwise.h"

enum { REDUCE_LANES = 16 };

static float fold_sum(float *lanes)
{
    for (size_t half = REDUCE_LANES / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            lanes[i] += lanes[i + half];
    return lanes[0];
}

/* The largest element that is not NaN; -inf when there is none. */
static float row_max(const float *x, size_t n)
{
    float max = -__builtin_inff();
    for (size_t i = 0; i < n; i++)
        max = x[i] > max ? x[i] : max;
    return max;
}

/* Without a branch, so that it is a vector compare. */
static bool within(size_t n, const float *x, const float *min, const float *max)
{
    int inside = 1;
    for (size_t i = 0; i < n; i++)
        inside &= (x[i] >= min[i]) & (x[i] <= max[i]);
    return inside;
}

/* e^(x - max) of up to 16 elements into y; lanes beyond count become 0. */
static void exp_lanes(const float *x, size_t count, float max, float *y)
{
    float t[REDUCE_LANES];
    for (size_t i = 0; i < REDUCE_LANES; i++)
        t[i] = i < count ? x[i] - max : -__builtin_inff();
    for (size_t i = 0; i < REDUCE_LANES; i += VEC_LANES)
        vf_store(y + i, vf_exp(vf_load(t + i)));
}

/* e^(x - max) of a row into y, unless it is NULL; their sum. */
static float exp_row(size_t n, const float *x, float max, float *y)
{
    float sums[REDUCE_LANES] = {0};
    for (size_t c = 0; c < n; c += REDUCE_LANES) {
        float e[REDUCE_LANES];
        size_t count = n - c < REDUCE_LANES ? n - c : REDUCE_LANES;
        exp_lanes(x + c, count, max, e);
        for (size_t i = 0; i < REDUCE_LANES; i++)
            sums[i] += e[i];
        if (y)
            memcpy(y + c, e, count * sizeof *e);
    }
    return fold_sum(sums);
}

static void softmax(size_t rows, size_t n, const float *x, size_t x_stride, float *y,
                    size_t y_stride)
{
    for (size_t r = 0; r < rows; r++, x += x_stride, y += y_stride) {
        const float sum = exp_row(n, x, row_max(x, n), y);
        for (size_t i = 0; i < n; i++)
            y[i] /= sum;
    }
}

static void log_softmax(size_t rows, size_t n, const float *x, size_t x_stride, float *y,
                        size_t y_stride)
{
    for (size_t r = 0; r < rows; r++, x += x_stride, y += y_stride) {
        const float max = row_max(x, n);
        const float log_sum = (float)__builtin_log((double)exp_row(n, x, max, NULL));
        for (size_t i = 0; i < n; i++)
            y[i] = (x[i] - max) - log_sum;
    }
}

#endif
