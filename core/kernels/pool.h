/* pool: channels side by side over the taps of windows, in the order of the taps.
 *
 * A few windows are walked together: that many chains hide the latency of an addition, and a tap's
 * weights are read once for all of them. */
#ifndef RELUD_POOL_H
#define RELUD_POOL_H

#include "vec.h"

static void add(size_t width, const float *a, const float *b, float *y)
{
    for (size_t c = 0; c < width; c += VEC_LANES)
        vf_store(y + c, vf_load(a + c) + vf_load(b + c));
}

/* What is done with the taps. */
enum pool { POOL_DEPTHWISE, POOL_MAX, POOL_AVERAGE };

struct pool_window {
    const struct view *x;
    const float *weights, *bias; /* of a depthwise one */
    const float *divisors;       /* of an average */
    float *y;
    size_t y_stride;
};

VEC_INLINE vf pool_step(const enum pool pool, vf sum, vf x, vf weight)
{
    switch (pool) {
    case POOL_DEPTHWISE:
        return vf_fma(x, weight, sum);
    case POOL_MAX:
        sum = vm_select(vf_greater(x, sum), x, sum);
        return vm_select(vf_is_nan(x), x, sum); /* NaN comes in and stays */
    default:
        return sum + x;
    }
}

/* One vector of channels of windows [row, row + rows). */
VEC_INLINE void pool_tile(const enum pool pool, const int rows, const struct pool_window *w,
                          size_t row, size_t c)
{
    const struct view *x = w->x;
    vf sum[VEC_TILE_ROWS], weight = vf_set1(pool == POOL_MAX ? -__builtin_inff() : 0.0f);
    for (int r = 0; r < rows; r++)
        sum[r] = pool == POOL_DEPTHWISE ? vf_load(w->bias + c) : weight;
    for (size_t t = 0; t < x->taps; t++) {
        if (pool == POOL_DEPTHWISE)
            weight = vf_load(w->weights + t * x->length + c);
        const ptrdiff_t at = x->at[t] + (ptrdiff_t)c;
        for (int r = 0; r < rows; r++)
            sum[r] = pool_step(pool, sum[r], vf_load(x->x[row + (size_t)r] + at), weight);
    }
    for (int r = 0; r < rows; r++) {
        if (pool == POOL_DEPTHWISE)
            sum[r] += vf_set1(0.0f);
        if (pool == POOL_AVERAGE)
            sum[r] /= vf_set1(w->divisors[row + (size_t)r]);
        vf_store(w->y + (row + (size_t)r) * w->y_stride + c, sum[r]);
    }
}

VEC_INLINE void pool_windows(const enum pool pool, const struct pool_window *w)
{
    for (size_t c = 0; c < w->x->length; c += VEC_LANES) {
        size_t row = 0;
        for (; row + VEC_TILE_ROWS <= w->x->rows; row += VEC_TILE_ROWS)
            pool_tile(pool, VEC_TILE_ROWS, w, row, c);
        for (; row < w->x->rows; row++)
            pool_tile(pool, 1, w, row, c);
    }
}

static void depthwise(const struct view *x, const float *weights, const float *bias, float *y,
                      size_t y_stride)
{
    pool_windows(POOL_DEPTHWISE,
                 &(struct pool_window){
                     .x = x, .weights = weights, .bias = bias, .y = y, .y_stride = y_stride});
}

static void max(const struct view *x, float *y, size_t y_stride)
{
    pool_windows(POOL_MAX, &(struct pool_window){.x = x, .y = y, .y_stride = y_stride});
}

static void average(const struct view *x, const float *divisors, float *y, size_t y_stride)
{
    pool_windows(POOL_AVERAGE,
                 &(struct pool_window){.x = x, .divisors = divisors, .y = y, .y_stride = y_stride});
}

#endif
