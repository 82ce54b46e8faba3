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

/* Some rows and columns of a layer, in the epilogue. */
struct activate_tile {
    size_t rows, width;
    float *y;
    size_t y_stride;
    uint8_t *bits; /* NULL for none */
    size_t bits_stride;
    const float *slope; /* of column 0; NULL: parameter is everyone's */
    float parameter;
    struct tally tally; /* already at column 0; .active NULL for none */
};

/* Adds the outputs of columns [j, j + VEC_LANES) again, leaving out what is not finite; the rare
 * case. */
static __attribute__((noinline)) void recount_finite(const struct activate_tile *t, size_t j)
{
    for (size_t r = 0; r < t->rows; r++) {
        for (size_t i = j; i < j + VEC_LANES && i < t->tally.units; i++) {
            float h = t->y[r * t->y_stride + i];
            int finite = h - h == 0.0f;
            *t->tally.nonfinite += !finite;
            if (finite && t->tally.sum)
                t->tally.sum[i] += (double)h;
            if (finite && t->tally.magnitude)
                t->tally.magnitude[i] += (double)__builtin_fabsf(h);
        }
    }
}

/* What one vector of columns has counted over all rows. */
struct column_counts {
    vi active;
    vf max;
    vf poison; /* NaN once an output was not finite */
    vd sum, magnitude;
};

/* full, magnitude: constants, as in activate_columns. */
VEC_INLINE struct column_counts load_counts(const int full, const int magnitude,
                                            const struct tally *tally, size_t j)
{
    struct column_counts counts = {.poison = vf_set1(0.0f)};
    memcpy(&counts.active, tally->active + j, sizeof counts.active);
    if (full) {
        counts.max = vf_load(tally->max + j);
        counts.sum = vd_load(tally->sum + j);
    }
    if (magnitude)
        counts.magnitude = vd_load(tally->magnitude + j);
    return counts;
}

VEC_INLINE void store_counts(const int full, const int magnitude, const struct activate_tile *t,
                             size_t j, const struct column_counts *counts)
{
    memcpy(t->tally.active + j, &counts->active, sizeof counts->active);
    if (full)
        vf_store(t->tally.max + j, counts->max);
    if (__builtin_expect(vf_any_nan(counts->poison), 0)) {
        recount_finite(t, j);
        return;
    }
    if (full)
        vd_store(t->tally.sum + j, counts->sum);
    if (magnitude)
        vd_store(t->tally.magnitude + j, counts->magnitude);
}

/* counted, full, magnitude: constants, so that each combination is a loop of its own. */
VEC_INLINE void activate_columns(const enum activation_type type, const int counted, const int full,
                                 const int magnitude, const struct activate_tile *tile)
{
    const struct activate_tile t =
        *tile; /* its own copy: the bytes of bits alias everything else */
    const vf zero = vf_set1(0.0f);
    for (size_t j = 0; j < t.width; j += VEC_LANES) {
        const vf slope = t.slope ? vf_load(t.slope + j) : vf_set1(t.parameter);
        struct column_counts counts;
        if (counted)
            counts = load_counts(full, magnitude, &t.tally, j);
        for (size_t r = 0; r < t.rows; r++) {
            float *y = t.y + r * t.y_stride + j;
            const vf z = vf_load(y);
            const vf h = activation_vector(type, slope, z);
            const vm active = vf_greater(z, zero);
            vf_store(y, h);
            if (t.bits)
                vm_store_bits(t.bits + r * t.bits_stride + j / 8, active);
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
            store_counts(full, magnitude, tile, j, &counts);
    }
}

VEC_INLINE void activate_level(const enum activation_type type, const struct activate_tile *tile)
{
    if (!tile->tally.active)
        activate_columns(type, 0, 0, 0, tile);
    else if (!tile->tally.max)
        activate_columns(type, 1, 0, 0, tile);
    else if (!tile->tally.magnitude)
        activate_columns(type, 1, 1, 0, tile);
    else
        activate_columns(type, 1, 1, 1, tile);
}

static struct tally tally_at(const struct tally *tally, size_t unit)
{
    if (!tally)
        return (struct tally){.active = NULL};
    return (struct tally){.units = tally->units - unit,
                          .active = tally->active + unit,
                          .sum = tally->sum ? tally->sum + unit : NULL,
                          .magnitude = tally->magnitude ? tally->magnitude + unit : NULL,
                          .max = tally->max ? tally->max + unit : NULL,
                          .nonfinite = tally->nonfinite};
}

static void activate(const struct activation *activation, size_t first, size_t rows, size_t width,
                     float *y, size_t y_stride, uint8_t *bits, size_t bits_stride,
                     const struct tally *tally)
{
    const struct activate_tile tile = {.rows = rows,
                                       .width = width,
                                       .y = y,
                                       .y_stride = y_stride,
                                       .bits = bits,
                                       .bits_stride = bits_stride,
                                       .slope =
                                           activation->slope ? activation->slope + first : NULL,
                                       .parameter = activation->parameter,
                                       .tally = tally_at(tally, first)};
    switch (activation->type) {
#define ACTIVATION(name, onnx_op, trait, parameter, fallback) \
    case ACTIVATION_##name:                                   \
        activate_level(ACTIVATION_##name, &tile);             \
        break;
#include "activation.def"
#undef ACTIVATION
    case ACTIVATION_COUNT:
        break;
    }
}

#endif
