/* digits: eight decimal digits as one word, whose lowest byte is the first of them. */
#ifndef RELUD_DIGITS_H
#define RELUD_DIGITS_H

#include <stdint.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "digits.h needs a little-endian machine");

#define DIGITS_EACH UINT64_C(0x0101010101010101) /* times a byte: the same in every byte */
#define DIGITS_ZERO (DIGITS_EACH * '0')

/* What a number grows by when so many digits are appended. */
static const uint32_t digits_scale[] = {1,      10,      100,      1000,     10000,
                                        100000, 1000000, 10000000, 100000000};

/* The digits of x < 10^8 as numbers, one a byte, the first digit lowest. Halves, then quarters, are
 * divided side by side; the multipliers are reciprocals rounded up, exact for these ranges. */
static inline uint64_t digits_split(uint32_t x)
{
    uint64_t word = x / 10000 | (uint64_t)(x % 10000) << 32;
    uint64_t hundreds = (word * 10486 >> 20) & UINT64_C(0x0000007f0000007f);
    word = hundreds | (word - 100 * hundreds) << 16;
    uint64_t tens = (word * 103 >> 10) & UINT64_C(0x000f000f000f000f);
    return tens | (word - 10 * tens) << 8;
}

/* The inverse: neighbours are joined into twos, fours, eight. */
static inline uint64_t digits_join(uint64_t word)
{
    word = (word * (1 + (10 << 8)) >> 8) & UINT64_C(0x00ff00ff00ff00ff);
    word = (word * (1 + (100 << 16)) >> 16) & UINT64_C(0x0000ffff0000ffff);
    return word * (1 + (UINT64_C(10000) << 32)) >> 32;
}

#endif
