/* eltwise: functions of one number.
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
    return vf_max(vf_set1(low), vf_min(vf_set1(high), x));
}

/* e^x within 1.5 ulp, denormal results and NaN included. 2^n is applied in two halves, because n
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

/* log(1 + u) for 0 <= u <= 1 within 2 ulp: 2 artanh(u / (2 + u)), a series in the square of its
 * argument. */
VEC_INLINE vf vf_log1p(vf u)
{
    const vf s = u / (vf_set1(2.0f) + u);
    const vf s2 = s * s;
    vf q = vf_set1(0x1.f1aeep-4f);
    q = vf_fma(q, s2, vf_set1(0x1.b6d6a4p-4f));
    q = vf_fma(q, s2, vf_set1(0x1.250972p-3f));
    q = vf_fma(q, s2, vf_set1(0x1.9996a8p-3f));
    q = vf_fma(q, s2, vf_set1(0x1.555558p-2f));
    return vf_fma(s * s2, q + q, s + s);
}

/* log(1 + e^x), written so that neither tail loses its digits. */
VEC_INLINE vf vf_softplus(vf x)
{
    const vf zero = vf_set1(0.0f);
    const vf tail = vf_log1p(vf_exp(zero - vf_abs(x)));
    return vm_select(vf_greater(zero, x), tail, x + tail);
}

/* erf(x) / x for |x| <= 1. */
VEC_INLINE vf vf_erf_quotient(vf x)
{
    const vf x2 = x * x;
    vf p = vf_set1(0x1.496a5cp-14f);
    p = vf_fma(p, x2, vf_set1(-0x1.a3f712p-11f));
    p = vf_fma(p, x2, vf_set1(0x1.5405b4p-8f));
    p = vf_fma(p, x2, vf_set1(-0x1.b7f90ep-6f));
    p = vf_fma(p, x2, vf_set1(0x1.ce2cf8p-4f));
    p = vf_fma(p, x2, vf_set1(-0x1.81273ep-2f));
    return vf_fma(p, x2, vf_set1(0x1.20dd74p+0f));
}

/* erfc(x) for x >= 0.75 (0 from 10.2 on): e^(-x^2) times a polynomial in 1 / (1 + x / 2). The
 * square is split, because e^ of it would multiply its rounding error by up to 100. */
VEC_INLINE vf vf_erfc_large(vf x)
{
    x = vf_clamp(x, 0.0f, 10.2f);
    const vf t = vf_set1(1.0f) / vf_fma(x, vf_set1(0.5f), vf_set1(1.0f));
    const vf square = x * x;
    const vf rest = vf_fma(x, x, vf_set1(0.0f) - square);
    vf p = vf_set1(0x1.057566p-4f);
    p = vf_fma(p, t, vf_set1(-0x1.0c1d72p-3f));
    p = vf_fma(p, t, vf_set1(-0x1.87fb9cp-5f));
    p = vf_fma(p, t, vf_set1(0x1.470f74p-3f));
    p = vf_fma(p, t, vf_set1(0x1.1185dap-3f));
    p = vf_fma(p, t, vf_set1(0x1.0a045ep-2f));
    p = vf_fma(p, t, vf_set1(0x1.1e9052p-2f));
    p = vf_fma(p, t, vf_set1(0x1.211496p-2f));
    p = vf_fma(p, t, vf_set1(-0x1.13fa4ep-17f));
    const vf e = vf_exp(vf_set1(0.0f) - square);
    return vf_fma(vf_set1(0.0f) - rest, e, e) * p;
}

/* The standard normal distribution at z, (1 + erf(z / sqrt 2)) / 2, beyond the middle from the
 * nearer tail. */
VEC_INLINE vf vf_normal_cdf(vf z)
{
    const vf half = vf_set1(0.5f), one = vf_set1(1.0f);
    const vf x = z * vf_set1(0x1.6a09e6p-1f), size = vf_abs(x);
    const vf near = vf_fma(half * x, vf_erf_quotient(x), half);
    const vf tail = half * vf_erfc_large(size);
    const vf far = vm_select(vf_greater(vf_set1(0.0f), z), tail, one - tail);
    return vm_select(vf_greater(size, vf_set1(0.75f)), far, near);
}

/* z tanh(log(1 + e^z)) as a quotient in e^-|z|, which needs no logarithm. */
VEC_INLINE vf vf_mish(vf z)
{
    const vf zero = vf_set1(0.0f), two = vf_set1(2.0f);
    const vf e = vf_exp(zero - vf_abs(z));
    const vm negative = vf_greater(zero, z);
    const vf above = vm_select(negative, vf_fma(e, e, two * e), vf_fma(two, e, vf_set1(1.0f)));
    const vf below = above + vm_select(negative, two, two * e * e);
    return z * (above / below);
}

/* a (e^(z / a) - 1), which is z where z / a would be next to nothing, or underflow. */
VEC_INLINE vf vf_celu(vf a, vf z)
{
    const vf x = z / a;
    return vm_select(vf_greater(vf_set1(0x1p-26f), vf_abs(x)), z, a * vf_expm1(x));
}

/* min(max(z, low), high) as ONNX nests them: NaN stays, and high wins where the bounds cross. */
VEC_INLINE vf vf_clip(vf z, vf low, vf high)
{
    return vf_min(high, vf_max(low, z));
}

/* f(z) of the function; a and b hold this vector's constants (struct activation_rule), a the slopes
 * of prelu. A new row of activation.def is a case here. */
VEC_INLINE vf activation_vector(const enum activation_type type, vf a, vf b, vf z)
{
    const vf zero = vf_set1(0.0f), one = vf_set1(1.0f);
    switch (type) {
    case ACTIVATION_relu:
        return vf_max(zero, z);
    case ACTIVATION_relu6:
    case ACTIVATION_clip:
        return vf_clip(z, a, b);
    case ACTIVATION_leaky_relu:
    case ACTIVATION_prelu:
    case ACTIVATION_rrelu:
        return vm_select(vf_greater(zero, z), a * z, z);
    case ACTIVATION_elu:
        return vm_select(vf_greater(zero, z), a * vf_expm1(z), z);
    case ACTIVATION_selu:
        return b * vm_select(vf_greater(zero, z), a * vf_expm1(z), z);
    case ACTIVATION_celu:
        return vm_select(vf_greater(zero, z), vf_celu(a, z), z);
    case ACTIVATION_thresholded_relu:
        return vm_select(vf_greater(z, a), z, zero);
    case ACTIVATION_shifted_relu:
        return vf_max(a, z);
    case ACTIVATION_squared_relu:
        return vf_max(zero, z) * vf_max(zero, z);
    case ACTIVATION_gelu:
        return z * vf_normal_cdf(z);
    case ACTIVATION_gelu_tanh:
        return z * vf_sigmoid(vf_set1(0x1.988454p+0f) * vf_fma(z * z * z, vf_set1(0.044715f), z));
    case ACTIVATION_silu:
        return z * vf_sigmoid(z);
    case ACTIVATION_mish:
        return vf_mish(z);
    case ACTIVATION_hard_swish:
        return z * vf_clip(vf_fma(z, vf_set1(0x1.555556p-3f), vf_set1(0.5f)), zero, one);
    case ACTIVATION_softplus:
        return vf_softplus(z);
    case ACTIVATION_hard_sigmoid:
        return vf_clip(vf_fma(a, z, b), zero, one);
    case ACTIVATION_sigmoid:
        return vf_sigmoid(z);
    case ACTIVATION_tanh:
        return vf_tanh(z);
    default:
        return z;
    }
}

#endif
