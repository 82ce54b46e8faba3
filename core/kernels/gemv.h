/* gemv: one row times one panel, over the list of its non-zero inputs.
 *
 * Up to VEC_ROW_VECTORS accumulators run side by side: that many independent chains hide the
 * latency of the multiply-add, so that one chain per output costs nothing. */
#ifndef RELUD_GEMV_H
#define RELUD_GEMV_H

#include "vec.h"

VEC_INLINE void gemv_run(const int vectors, size_t count, size_t width, const uint32_t *index,
                         const float *inputs, const float *panel, const float *bias, float *y)
{
    vf sum[VEC_ROW_VECTORS];
    for (int v = 0; v < vectors; v++)
        sum[v] = vf_load(bias + v * VEC_LANES);
    for (size_t i = 0; i < count; i++) {
        const float *weights = vec_pointer(panel + index[i] * width);
        const vf x = vf_set1(inputs[index[i]]);
        for (int v = 0; v < vectors; v++)
            sum[v] = vf_fma(x, vf_load(weights + v * VEC_LANES), sum[v]);
    }
    for (int v = 0; v < vectors; v++)
        vf_store(y + v * VEC_LANES, sum[v] + vf_set1(0.0f));
}

/* The widest run, a power of two, that so many vectors fill. */
static int gemv_widest(size_t vectors)
{
    int run = 1;
    while (run < VEC_ROW_VECTORS && (size_t)run * 2 <= vectors)
        run *= 2;
    return run;
}

static void gemv(size_t count, size_t width, const uint32_t *index, const float *x,
                 const float *panel, const float *bias, float *y)
{
#define GEMV_RUN(vectors)                                                                   \
    gemv_run(vectors < VEC_ROW_VECTORS ? vectors : VEC_ROW_VECTORS, count, width, index, x, \
             panel + c, bias + c, y + c)
    int run;
    for (size_t c = 0; c < width; c += (size_t)run * VEC_LANES) {
        run = gemv_widest((width - c) / VEC_LANES);
        switch (run) {
        case 1:
            GEMV_RUN(1);
            break;
        case 2:
            GEMV_RUN(2);
            break;
        case 4:
            GEMV_RUN(4);
            break;
        case 8:
            GEMV_RUN(8);
            break;
        default:
            GEMV_RUN(16);
        }
    }
#undef GEMV_RUN
}

static size_t nonzero(size_t k, const float *x, uint32_t *index)
{
    size_t count = 0, i = 0;
    for (; i + VEC_LANES <= k; i += VEC_LANES)
        count += vec_nonzero(x + i, i, index + count);
    for (; i < k; i++) {
        index[count] = (uint32_t)i;
        count += !(x[i] == 0.0f);
    }
    return count;
}

#endif
