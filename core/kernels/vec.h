/* vec: the vector vocabulary; the only place that asks for an instruction set.
 *
 * vf holds VEC_LANES floats, vi as many int32, vm one truth value per lane, vd as many doubles.
 * GCC's vector operators (+ - * / on vf and vi, << >> on vi) are part of the vocabulary; what they
 * lack stands here three times: AVX-512, AVX2 with FMA, and portable GCC vectors (SSE2, NEON,
 * anything). VEC_TILE_ROWS and VEC_TILE_VECTORS are the register tile of the GEMM,
 * VEC_ROW_VECTORS the widest run of the GEMV. */
#ifndef RELUD_VEC_H
#define RELUD_VEC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VEC_INLINE static inline __attribute__((always_inline))

#if defined(__AVX512F__)
#include <immintrin.h>
#define VEC_LANES        16
#define VEC_TILE_ROWS    6
#define VEC_TILE_VECTORS 4
#define VEC_ROW_VECTORS  16
typedef __m512 vf;
typedef __mmask16 vm;
typedef struct {
    __m512d low, high;
} vd;
#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define VEC_LANES        8
#define VEC_TILE_ROWS    6
#define VEC_TILE_VECTORS 2
#define VEC_ROW_VECTORS  8
typedef __m256 vf;
typedef __m256 vm;
typedef struct {
    __m256d low, high;
} vd;
#else
#define VEC_LANES        8
#define VEC_TILE_ROWS    4
#define VEC_TILE_VECTORS 2
#define VEC_ROW_VECTORS  4
typedef float vf __attribute__((vector_size(32)));
typedef int32_t vm __attribute__((vector_size(32)));
typedef struct {
    double lane[8];
} vd;
#endif

typedef int32_t vi __attribute__((vector_size(4 * VEC_LANES)));

/* The compiler forgets what memory holds: it would rather keep all of it in registers it has not.
 */
VEC_INLINE void vec_forget(void)
{
    __asm__ volatile("" ::: "memory");
}

/* The same pointer, of which the compiler forgets what it was made of: it would rather work out
 * each address near it anew, from all of that. */
VEC_INLINE const float *vec_pointer(const float *p)
{
    __asm__("" : "+r"(p));
    return p;
}

#if defined(__AVX512F__)

VEC_INLINE vf vf_load(const float *from)
{
    return _mm512_loadu_ps(from);
}
VEC_INLINE void vf_store(float *to, vf a)
{
    _mm512_storeu_ps(to, a);
}
VEC_INLINE vf vf_set1(float a)
{
    return _mm512_set1_ps(a);
}
VEC_INLINE vf vf_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}
/* b where either is NaN or both are zero */
VEC_INLINE vf vf_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}
/* b where either is NaN or both are zero */
VEC_INLINE vf vf_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}
VEC_INLINE vm vf_greater(vf a, vf b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ);
}
VEC_INLINE vm vf_is_nan(vf a)
{
    return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);
}
VEC_INLINE vf vm_select(vm mask, vf yes, vf no)
{
    return _mm512_mask_blend_ps(mask, no, yes);
}
/* counts + 1 where mask */
VEC_INLINE vi vm_count(vi counts, vm mask)
{
    const __m512i c = (__m512i)counts;
    return (vi)_mm512_mask_add_epi32(c, mask, c, _mm512_set1_epi32(1));
}
/* one bit per lane, lane 0 lowest: VEC_LANES / 8 bytes */
VEC_INLINE void vm_store_bits(uint8_t *to, vm mask)
{
    memcpy(to, &mask, sizeof mask);
}
VEC_INLINE vd vd_load(const double *from)
{
    return (vd){_mm512_loadu_pd(from), _mm512_loadu_pd(from + 8)};
}
VEC_INLINE void vd_store(double *to, vd a)
{
    _mm512_storeu_pd(to, a.low);
    _mm512_storeu_pd(to + 8, a.high);
}
VEC_INLINE vd vd_add(vd sum, vf a)
{
    const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(a));
    const __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1));
    return (vd){sum.low + low, sum.high + high};
}
VEC_INLINE int vd_all_finite(vd a)
{
    const __m512d zero = _mm512_setzero_pd();
    const __m512d low = a.low - a.low, high = a.high - a.high;
    return _mm512_cmp_pd_mask(low + high, zero, _CMP_EQ_OQ) == 0xFF;
}
/* Whether any lane is NaN. */
VEC_INLINE int vf_any_nan(vf a)
{
    return vf_is_nan(a) != 0;
}
/* Lists the lanes of x[VEC_LANES] that are not zero, NaN included, as first + lane. Returns how
 * many; index has room for all lanes. */
VEC_INLINE size_t vec_nonzero(const float *x, size_t first, uint32_t *index)
{
    const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __mmask16 mask = _mm512_cmp_ps_mask(_mm512_loadu_ps(x), _mm512_setzero_ps(), _CMP_NEQ_UQ);
    const __m512i at = _mm512_add_epi32(lanes, _mm512_set1_epi32((int)first));
    _mm512_storeu_si512(index, _mm512_maskz_compress_epi32(mask, at));
    return (size_t)__builtin_popcount(mask);
}

/* from[0] in the even lanes, from[1] in the odd ones */
VEC_INLINE vf vf_pairs(const float *from)
{
    double pair;
    memcpy(&pair, from, sizeof pair);
    return (vf)_mm512_set1_pd(pair);
}
/* each number of the lower half twice, side by side */
VEC_INLINE vf vf_doubled(vf a)
{
    const __m512i lanes = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    return _mm512_permutexvar_ps(lanes, a);
}
/* The even lanes to one vector and the odd ones to another, with zeros behind them. */
VEC_INLINE void vf_store_apart(float *even, float *odd, vf a)
{
    const __m512i lanes = _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i others = _mm512_add_epi32(lanes, _mm512_set1_epi32(1));
    _mm512_storeu_ps(even, _mm512_maskz_permutexvar_ps(0xFF, lanes, a));
    _mm512_storeu_ps(odd, _mm512_maskz_permutexvar_ps(0xFF, others, a));
}

#elif defined(__AVX2__) && defined(__FMA__)

VEC_INLINE vf vf_load(const float *from)
{
    return _mm256_loadu_ps(from);
}
VEC_INLINE void vf_store(float *to, vf a)
{
    _mm256_storeu_ps(to, a);
}
VEC_INLINE vf vf_set1(float a)
{
    return _mm256_set1_ps(a);
}
VEC_INLINE vf vf_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}
VEC_INLINE vf vf_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}
VEC_INLINE vf vf_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}
VEC_INLINE vm vf_greater(vf a, vf b)
{
    return _mm256_cmp_ps(a, b, _CMP_GT_OQ);
}
VEC_INLINE vm vf_is_nan(vf a)
{
    return _mm256_cmp_ps(a, a, _CMP_UNORD_Q);
}
VEC_INLINE vf vm_select(vm mask, vf yes, vf no)
{
    return _mm256_blendv_ps(no, yes, mask);
}
VEC_INLINE vi vm_count(vi counts, vm mask)
{
    return counts - (vi)mask;
}
VEC_INLINE void vm_store_bits(uint8_t *to, vm mask)
{
    *to = (uint8_t)_mm256_movemask_ps(mask);
}
VEC_INLINE vd vd_load(const double *from)
{
    return (vd){_mm256_loadu_pd(from), _mm256_loadu_pd(from + 4)};
}
VEC_INLINE void vd_store(double *to, vd a)
{
    _mm256_storeu_pd(to, a.low);
    _mm256_storeu_pd(to + 4, a.high);
}
VEC_INLINE vd vd_add(vd sum, vf a)
{
    const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(a));
    const __m256d high = _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1));
    return (vd){sum.low + low, sum.high + high};
}
VEC_INLINE int vd_all_finite(vd a)
{
    const __m256d zero = _mm256_setzero_pd();
    const __m256d low = a.low - a.low, high = a.high - a.high;
    return _mm256_movemask_pd(_mm256_cmp_pd(low + high, zero, _CMP_EQ_OQ)) == 0xF;
}
VEC_INLINE int vf_any_nan(vf a)
{
    return _mm256_movemask_ps(vf_is_nan(a)) != 0;
}

#else

VEC_INLINE vf vf_load(const float *from)
{
    vf a;
    memcpy(&a, from, sizeof a);
    return a;
}
VEC_INLINE void vf_store(float *to, vf a)
{
    memcpy(to, &a, sizeof a);
}
VEC_INLINE vf vf_set1(float a)
{
    return (vf){a, a, a, a, a, a, a, a};
}
/* x86 without FMA multiplies and adds: a call of fmaf per lane would be 50 times slower. */
VEC_INLINE vf vf_fma(vf a, vf b, vf c)
{
#if defined(__x86_64__)
    return a * b + c;
#else
    for (int i = 0; i < VEC_LANES; i++)
        c[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return c;
#endif
}
VEC_INLINE vm vf_greater(vf a, vf b)
{
    return a > b;
}
VEC_INLINE vm vf_is_nan(vf a)
{
    return a != a;
}
VEC_INLINE vf vm_select(vm mask, vf yes, vf no)
{
    return (vf)((mask & (vm)yes) | (~mask & (vm)no));
}
VEC_INLINE vf vf_max(vf a, vf b)
{
    return vm_select(vf_greater(a, b), a, b);
}
VEC_INLINE vf vf_min(vf a, vf b)
{
    return vm_select(vf_greater(b, a), a, b);
}
VEC_INLINE vi vm_count(vi counts, vm mask)
{
    return counts - mask;
}
VEC_INLINE void vm_store_bits(uint8_t *to, vm mask)
{
    unsigned bits = 0;
    for (int i = 0; i < VEC_LANES; i++)
        bits |= (unsigned)(mask[i] & 1) << i;
    *to = (uint8_t)bits;
}
VEC_INLINE vd vd_load(const double *from)
{
    vd a;
    memcpy(&a, from, sizeof a);
    return a;
}
VEC_INLINE void vd_store(double *to, vd a)
{
    memcpy(to, &a, sizeof a);
}
VEC_INLINE vd vd_add(vd sum, vf a)
{
    for (int i = 0; i < VEC_LANES; i++)
        sum.lane[i] += (double)a[i];
    return sum;
}
VEC_INLINE int vd_all_finite(vd a)
{
    int finite = 1;
    for (int i = 0; i < VEC_LANES; i++)
        finite &= a.lane[i] - a.lane[i] == 0.0;
    return finite;
}
VEC_INLINE int vf_any_nan(vf a)
{
    int found = 0;
    for (int i = 0; i < VEC_LANES; i++)
        found |= a[i] != a[i];
    return found;
}

#endif

#if !defined(__AVX512F__)
VEC_INLINE size_t vec_nonzero(const float *x, size_t first, uint32_t *index)
{
    size_t count = 0;
    for (size_t i = 0; i < VEC_LANES; i++) {
        index[count] = (uint32_t)(first + i);
        count += !(x[i] == 0.0f);
    }
    return count;
}
#endif

VEC_INLINE vf vf_abs(vf a)
{
    return (vf)((vi)a & (vi)(INT32_MAX - (vi){0}));
}

#endif
