/* eltwise: functions of one number, and the epilogue that applies and counts an activation.
 *
 * Every polynomial is one fixed sequence of multiply-adds, so that its bits do not depend on the
 * width of a vector. */
#ifndef RELUD_ELTWISE_H
#define RELUD_ELTWISE_H

#include "kernels.h"
#include "vec.h"

/* x = n ln 2 + r with |r| <= ln 2 / 2; expm1 is e^r - 1 = r + r^2 q(r), q fitted for least relative
 * error (2.5e-10). ln 2 is split in two so that r is exact to the last bit (Cody and Waite). */
struct exp_parts {
    vi n;
    vf expm1;
};

VEC_INLINE struct exp_parts exp_parts(vf x)
{
    const vf magic = vf_set1(0x1.8p23f); /* adding it leaves the nearest integer in the low bits */
    const vf shifted = vf_fma(x, vf_set1(0x1.715476p0f), magic);
    const vf n = shifted - magic;
    vf r = vf_fma(n, vf_set1(-0x1.62e4p-1f), x);
    r = vf_fma(n, vf_set1(-0x1.7f7d1cp-20f), r);
    vf q = vf_set1(0x1.a1a53ep-13f);
    q = vf_fma(q, r, vf_set1(0x1.6d77f6p-10f));
    q = vf_fma(q, r, vf_set1(0x1.11108ep-7f));
    q = vf_fma(q, r, vf_set1(0x1.5554aap-5f));
    q = vf_fma(q, r, vf_set1(0x1.555556p-3f));
    q = vf_fma(q, r, vf_set1(0.5f));
    return (struct exp_parts){(vi)shifted - (vi)magic, vf_fma(r * r, q, r)};
}

/* 2^n for -126 <= n <= 127. */
VEC_INLINE vf vf_exp2_int(vi n)
{
    return (vf)((n + 127) << 23);
}

/* x kept within [low, high]; NaN stays. */
VEC_INLINE vf vf_clamp(vf x, float low, float high)
{
    x = vm_select(vf_greater(x, vf_set1(high)), vf_set1(high), x);
    return vm_select(vf_greater(vf_set1(low), x), vf_set1(low), x);
}

/* e^x within 2 ulp, denormal results and NaN included. 2^n is applied in two halves, because n
 * alone may be no float's exponent. */
VEC_INLINE vf vf_exp(vf x)
{
    const struct exp_parts e = exp_parts(vf_clamp(x, -105.0f, 90.0f));
    const vi half = e.n >> 1;
    return (e.expm1 + vf_set1(1.0f)) * vf_exp2_int(half) * vf_exp2_int(e.n - half);
}

/* e^x - 1 for x <= 30 within 3 ulp, near zero too; NaN stays. */
VEC_INLINE vf vf_expm1(vf x)
{
    const struct exp_parts e = exp_parts(vf_clamp(x, -30.0f, 30.0f));
    const vf scale = vf_exp2_int(e.n);
    return vf_fma(e.expm1, scale, scale - vf_set1(1.0f));
}

/* 1 / (1 + e^-x), written so that neither tail loses its digits. */
VEC_INLINE vf vf_sigmoid(vf x)
{
    const vf one = vf_set1(1.0f);
    const vf e = vf_exp(vf_set1(0.0f) - vf_abs(x));
    return vm_select(vf_greater(vf_set1(0.0f), x), e, one) / (one + e);
}

/* tanh |x| = (e^2|x| - 1) / (e^2|x| + 1), with the sign of x. */
VEC_INLINE vf vf_tanh(vf x)
{
    const vf e = vf_expm1(vf_abs(x) * vf_set1(2.0f));
    const vi sign = (vi)x & (INT32_MIN - (vi){0});
    return (vf)((vi)(e / (e + vf_set1(2.0f))) | sign);
}

/* f(z) of the function; slope holds this vector's slopes. A new row of activation.def is a case
 * here. */
VEC_INLINE vf activation_vector(const enum activation_type type, vf slope, vf z)
{
    const vf zero = vf_set1(0.0f);
    switch (type) {
    case ACTIVATION_relu:
        return vf_max(zero, z);
    case ACTIVATION_leaky_relu:
    case ACTIVATION_prelu:
        return vm_select(vf_greater(zero, z), slope * z, z);
    case ACTIVATION_elu:
        return vm_select(vf_greater(zero, z), slope * vf_expm1(z), z);
    case ACTIVATION_sigmoid:
        return vf_sigmoid(z);
    case ACTIVATION_tanh:
        return vf_tanh(z);
    default:
        return z;
    }
}

/* One vector of columns over all rows of a tile. */
struct column {
    const struct activation *activation;
    size_t rows;
    float *y;
    size_t y_stride;
    uint8_t *bits;
    size_t bits_stride;
    struct tally tally; /* already at this column */
};

/* Adds one vector of outputs again, leaving out what is not finite; the rare case. */
static void recount_finite(const struct column *c)
{
    for (size_t r = 0; r < c->rows; r++) {
        for (size_t i = 0; i < VEC_LANES; i++) {
            float h = c->y[r * c->y_stride + i];
            int finite = h - h == 0.0f;
            *c->tally.nonfinite += !finite;
            if (finite && c->tally.sum)
                c->tally.sum[i] += (double)h;
            if (finite && c->tally.magnitude)
                c->tally.magnitude[i] += (double)__builtin_fabsf(h);
        }
    }
}

struct column_counts {
    vi active;
    vf max;
    vf poison; /* NaN once an output was not finite */
    vd sum, magnitude;
};

static void add_counts(const struct column *c, const struct column_counts *counts)
{
    vi active;
    memcpy(&active, c->tally.active, sizeof active);
    active += counts->active;
    memcpy(c->tally.active, &active, sizeof active);
    if (c->tally.max)
        vf_store(c->tally.max, counts->max);
    if (vf_any_nan(counts->poison)) {
        recount_finite(c);
        return;
    }
    if (c->tally.sum)
        vd_store(c->tally.sum, counts->sum);
    if (c->tally.magnitude)
        vd_store(c->tally.magnitude, counts->magnitude);
}

/* counted, full, magnitude: constants, so that each combination is a loop of its own. */
VEC_INLINE void activate_column(const enum activation_type type, const int counted, const int full,
                                const int magnitude, const struct column *c, vf slope)
{
    struct column_counts counts = {.active = {0}};
    const vf zero = vf_set1(0.0f);
    counts.poison = zero;
    if (full) {
        counts.max = vf_load(c->tally.max);
        counts.sum = vd_load(c->tally.sum);
    }
    if (magnitude)
        counts.magnitude = vd_load(c->tally.magnitude);
    for (size_t r = 0; r < c->rows; r++) {
        float *y = c->y + r * c->y_stride;
        const vf z = vf_load(y);
        const vf h = activation_vector(type, slope, z);
        const vm active = vf_greater(z, zero);
        vf_store(y, h);
        if (c->bits)
            vm_store_bits(c->bits + r * c->bits_stride, active);
        if (!counted)
            continue;
        counts.active = vm_count(counts.active, active);
        counts.poison = vf_fma(h, zero, counts.poison);
        if (full) {
            counts.max = vf_max(z, counts.max);
            counts.sum = vd_add(counts.sum, h);
        }
        if (magnitude)
            counts.magnitude = vd_add(counts.magnitude, vf_abs(h));
    }
    if (counted)
        add_counts(c, &counts);
}

VEC_INLINE void activate_counted(const enum activation_type type, const struct column *c, vf slope)
{
    if (!c->tally.active)
        activate_column(type, 0, 0, 0, c, slope);
    else if (!c->tally.max)
        activate_column(type, 1, 0, 0, c, slope);
    else if (!c->tally.magnitude)
        activate_column(type, 1, 1, 0, c, slope);
    else
        activate_column(type, 1, 1, 1, c, slope);
}

static void activate_one(const struct column *c, vf slope)
{
    switch (c->activation->type) {
#define ACTIVATION(name, onnx_op, trait, parameter, fallback) \
    case ACTIVATION_##name:                                   \
        activate_counted(ACTIVATION_##name, c, slope);        \
        break;
#include "activation.def"
#undef ACTIVATION
    case ACTIVATION_COUNT:
        break;
    }
}

static struct tally tally_at(const struct tally *tally, size_t unit)
{
    if (!tally)
        return (struct tally){.active = NULL};
    return (struct tally){.active = tally->active + unit,
                          .sum = tally->sum ? tally->sum + unit : NULL,
                          .magnitude = tally->magnitude ? tally->magnitude + unit : NULL,
                          .max = tally->max ? tally->max + unit : NULL,
                          .nonfinite = tally->nonfinite};
}

static void activate(const struct activation *activation, size_t first, size_t rows, size_t width,
                     float *y, size_t y_stride, uint8_t *bits, size_t bits_stride,
                     const struct tally *tally)
{
    for (size_t j = 0; j < width; j += VEC_LANES) {
        const struct column column = {.activation = activation,
                                      .rows = rows,
                                      .y = y + j,
                                      .y_stride = y_stride,
                                      .bits = bits ? bits + j / 8 : NULL,
                                      .bits_stride = bits_stride,
                                      .tally = tally_at(tally, first + j)};
        activate_one(&column, activation->slope ? vf_load(activation->slope + first + j)
                                                : vf_set1(activation->parameter));
    }
}

#endif
