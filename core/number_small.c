/* Reading small integers.
 *
 * What costs when one number is read after the other is to find where it ends before the next can
 * be begun, and to judge each of its characters. Here a window of 32 characters becomes sets of
 * them, a bit each, in which the grammar is a few shifts; what a number would be that ends with a
 * character is computed for all of them side by side; then each comma picks its own. */
#include "number_small.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define AVX2 __attribute__((target("avx2")))

enum { WINDOW_CHARS = 32, WINDOW_NUMBERS = WINDOW_CHARS / 2 };

struct window {
    __m256i digits, are_digits; /* 0 to 9, or 0 in place of others; all bits of a byte, or none */
    uint32_t commas;
};

AVX2 static inline uint32_t where(__m256i truth)
{
    return (uint32_t)_mm256_movemask_epi8(truth);
}

AVX2 static inline uint32_t where_is(__m256i chars, char c)
{
    return where(_mm256_cmpeq_epi8(chars, _mm256_set1_epi8(c)));
}

/* The commas are those behind integers to be read: none at or behind the first fault. Whether there
 * is one. */
AVX2 static inline bool open_window(struct window *window, const char *text)
{
    const __m256i chars = _mm256_loadu_si256((const __m256i *)(const void *)text);
    const __m256i values = _mm256_sub_epi8(chars, _mm256_set1_epi8('0'));
    window->are_digits = _mm256_cmpeq_epi8(_mm256_min_epu8(values, _mm256_set1_epi8(9)), values);
    window->digits = _mm256_and_si256(values, window->are_digits);
    const uint32_t commas = where_is(chars, ',');
    const uint32_t spaces = where_is(chars, ' '), zeros = where_is(chars, '0');
    const uint32_t digits = where(window->are_digits), behind = digits << 1;
    const uint32_t pairs = digits & behind;
    const uint32_t wrong = ~(digits | commas | spaces) | (commas & ~behind) |
                           (spaces & ~(commas << 1)) | (zeros & ~behind & digits >> 1) |
                           (pairs & pairs << 2);
    window->commas = commas & ((wrong & -wrong) - 1);
    return window->commas != 0;
}

/* Every byte in the place of the next one, 0 in the first. */
AVX2 static inline __m256i shifted(__m256i bytes)
{
    return _mm256_alignr_epi8(bytes, _mm256_permute2x128_si256(bytes, bytes, 0x08), 15);
}

/* Returns how many numbers the window has. */
AVX2 static inline size_t read_window(const struct window *window, float *values)
{
    uint8_t two[WINDOW_CHARS], hundreds[WINDOW_CHARS];
    const __m256i tens = shifted(window->digits), twenties = _mm256_add_epi8(tens, tens);
    const __m256i fifties = _mm256_add_epi8(_mm256_add_epi8(twenties, twenties), tens);
    _mm256_storeu_si256((__m256i *)(void *)two,
                        _mm256_add_epi8(window->digits, _mm256_add_epi8(fifties, fifties)));
    _mm256_storeu_si256((__m256i *)(void *)hundreds,
                        _mm256_and_si256(shifted(tens), shifted(window->are_digits)));
    size_t count = 0;
    for (uint32_t commas = window->commas; commas; commas &= commas - 1) {
        const unsigned last = (unsigned)__builtin_ctz(commas) - 1;
        values[count++] = (float)(two[last] + 100 * hundreds[last]);
    }
    return count;
}

AVX2 static size_t read_windows(const char *text, size_t length, float *values, size_t room,
                                size_t *used)
{
    size_t count = 0, at = 0;
    while (room - count >= WINDOW_NUMBERS) {
        char tail[WINDOW_CHARS] = {0};
        const bool whole = length - at >= sizeof tail;
        if (!whole)
            memcpy(tail, text + at, length - at);
        struct window window;
        if (!open_window(&window, whole ? text + at : tail))
            break;
        count += read_window(&window, values + count);
        at += 32 - (size_t)__builtin_clz(window.commas);
        at += at < length && text[at] == ' ';
    }
    *used = at;
    return count;
}

size_t number_read_small(const char *text, size_t length, float *values, size_t room, size_t *used)
{
    *used = 0;
    return __builtin_cpu_supports("avx2") ? read_windows(text, length, values, room, used) : 0;
}

#else

size_t number_read_small(const char *text, size_t length, float *values, size_t room, size_t *used)
{
    (void)text, (void)length, (void)values, (void)room;
    *used = 0;
    return 0;
}

#endif
