/* pool: channels side by side over the taps of a window, in the order of the taps. */
#ifndef RELUD_POOL_H
#define RELUD_POOL_H

#include "vec.h"

static void add(size_t width, const float *a, const float *b, float *y)
{
    for (size_t c = 0; c < width; c += VEC_LANES)
        vf_store(y + c, vf_load(a + c) + vf_load(b + c));
}

static void depthwise(size_t width, size_t taps, const float *const *x, const float *const *weights,
                      const float *bias, float *y)
{
    for (size_t c = 0; c < width; c += VEC_LANES) {
        vf sum = vf_load(bias + c);
        for (size_t t = 0; t < taps; t++)
            sum = vf_fma(vf_load(x[t] + c), vf_load(weights[t] + c), sum);
        vf_store(y + c, sum + vf_set1(0.0f));
    }
}

static void max(size_t width, size_t taps, const float *const *x, float *y)
{
    for (size_t c = 0; c < width; c += VEC_LANES) {
        vf most = vf_set1(-__builtin_inff());
        for (size_t t = 0; t < taps; t++) {
            const vf a = vf_load(x[t] + c);
            most = vm_select(vf_greater(a, most), a, most);
            most = vm_select(vf_is_nan(a), a, most); /* NaN comes in and stays */
        }
        vf_store(y + c, most);
    }
}

static void average(size_t width, size_t taps, const float *const *x, float divisor, float *y)
{
    for (size_t c = 0; c < width; c += VEC_LANES) {
        vf sum = vf_set1(0.0f);
        for (size_t t = 0; t < taps; t++)
            sum = sum + vf_load(x[t] + c);
        vf_store(y + c, sum / vf_set1(divisor));
    }
}

#endif
