#include "number.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "digits.h"

/* floor(10^j 2^(63 - floor(log2 10^j))) + 1 for j = -31 to 45: the 64 leading bits of 10^j, a
 * little too large. Generated with exact integers in Python. */
enum { SCALE_MIN = -31 };
static const uint64_t scales[] = {
    UINT64_C(0x81ceb32c4b43fcf5), UINT64_C(0xa2425ff75e14fc32), UINT64_C(0xcad2f7f5359a3b3f),
    UINT64_C(0xfd87b5f28300ca0e), UINT64_C(0x9e74d1b791e07e49), UINT64_C(0xc612062576589ddb),
    UINT64_C(0xf79687aed3eec552), UINT64_C(0x9abe14cd44753b53), UINT64_C(0xc16d9a0095928a28),
    UINT64_C(0xf1c90080baf72cb2), UINT64_C(0x971da05074da7bef), UINT64_C(0xbce5086492111aeb),
    UINT64_C(0xec1e4a7db69561a6), UINT64_C(0x9392ee8e921d5d08), UINT64_C(0xb877aa3236a4b44a),
    UINT64_C(0xe69594bec44de15c), UINT64_C(0x901d7cf73ab0acda), UINT64_C(0xb424dc35095cd810),
    UINT64_C(0xe12e13424bb40e14), UINT64_C(0x8cbccc096f5088cc), UINT64_C(0xafebff0bcb24aaff),
    UINT64_C(0xdbe6fecebdedd5bf), UINT64_C(0x89705f4136b4a598), UINT64_C(0xabcc77118461cefd),
    UINT64_C(0xd6bf94d5e57a42bd), UINT64_C(0x8637bd05af6c69b6), UINT64_C(0xa7c5ac471b478424),
    UINT64_C(0xd1b71758e219652c), UINT64_C(0x83126e978d4fdf3c), UINT64_C(0xa3d70a3d70a3d70b),
    UINT64_C(0xcccccccccccccccd), UINT64_C(0x8000000000000001), UINT64_C(0xa000000000000001),
    UINT64_C(0xc800000000000001), UINT64_C(0xfa00000000000001), UINT64_C(0x9c40000000000001),
    UINT64_C(0xc350000000000001), UINT64_C(0xf424000000000001), UINT64_C(0x9896800000000001),
    UINT64_C(0xbebc200000000001), UINT64_C(0xee6b280000000001), UINT64_C(0x9502f90000000001),
    UINT64_C(0xba43b74000000001), UINT64_C(0xe8d4a51000000001), UINT64_C(0x9184e72a00000001),
    UINT64_C(0xb5e620f480000001), UINT64_C(0xe35fa931a0000001), UINT64_C(0x8e1bc9bf04000001),
    UINT64_C(0xb1a2bc2ec5000001), UINT64_C(0xde0b6b3a76400001), UINT64_C(0x8ac7230489e80001),
    UINT64_C(0xad78ebc5ac620001), UINT64_C(0xd8d726b7177a8001), UINT64_C(0x878678326eac9001),
    UINT64_C(0xa968163f0a57b401), UINT64_C(0xd3c21bcecceda101), UINT64_C(0x84595161401484a1),
    UINT64_C(0xa56fa5b99019a5c9), UINT64_C(0xcecb8f27f4200f3b), UINT64_C(0x813f3978f8940985),
    UINT64_C(0xa18f07d736b90be6), UINT64_C(0xc9f2c9cd04674edf), UINT64_C(0xfc6f7c4045812297),
    UINT64_C(0x9dc5ada82b70b59e), UINT64_C(0xc5371912364ce306), UINT64_C(0xf684df56c3e01bc7),
    UINT64_C(0x9a130b963a6c115d), UINT64_C(0xc097ce7bc90715b4), UINT64_C(0xf0bdc21abb48db21),
    UINT64_C(0x96769950b50d88f5), UINT64_C(0xbc143fa4e250eb32), UINT64_C(0xeb194f8e1ae525fe),
    UINT64_C(0x92efd1b8d0cf37bf), UINT64_C(0xb7abc627050305ae), UINT64_C(0xe596b7b0c643c71a),
    UINT64_C(0x8f7e32ce7bea5c70), UINT64_C(0xb35dbf821ae4f38c),
};

/* digits * 10^exponent */
struct decimal {
    uint32_t digits;
    int exponent;
};

/* floor(log10(2^q)), or of 3/4 2^q: the constants were compared with exact arithmetic for -149 <= q
 * <= 104. >> of a negative int rounds down on every compiler we use. */
static int floor_log10(int q, bool three_quarters)
{
    return (q * 1233 - (three_quarters ? 512 : 0)) >> 12;
}

/* floor(log2(10^j)), for -31 <= j <= 45 */
static int floor_log2(int j)
{
    return (j * 1701) >> 9;
}

/* scale * x / 2^64 rounded to odd: truncated, with the lowest bit set when something was cut off,
 * so that comparisons with even bounds come out as with the exact value. A fraction of at most
 * 1/2^32 is the excess of the scale, not of the number. */
static uint32_t scale_to_odd(uint64_t scale, uint32_t x)
{
    uint64_t product = (scale >> 32) * x + ((scale & UINT32_MAX) * x >> 32);
    return (uint32_t)(product >> 32) | ((uint32_t)product > 1);
}

/* Chooses between the multiples of 10, then of 1, next to the value: all three arguments are in
 * quarters, low and high bound what reads back as the value. The spacing is such that at most one
 * multiple of 10 lies within the bounds and at least one of 1. */
static uint32_t choose(uint32_t value, uint32_t low, uint32_t high)
{
    uint32_t tens = value / 40;
    bool below = low <= 40 * tens;
    bool above = 40 * tens + 40 <= high;
    if (below != above)
        return 10 * (tens + above);
    uint32_t ones = value / 4;
    below = low <= 4 * ones;
    above = 4 * ones + 4 <= high;
    if (below != above)
        return ones + above;
    uint32_t half = 4 * ones + 2;
    return ones + (value > half || (value == half && ones % 2 == 1));
}

/* The shortest decimal of the positive float with these bits; digits may end in zeros. Names as in
 * the paper: the value is c 2^q, 10^k at most the distance of its neighbours. At a power of two the
 * neighbour below is half as far. That 64 bits of scale suffice was checked with every float. */
static struct decimal shortest(uint32_t bits)
{
    uint32_t fraction = bits & 0x7fffff, biased = bits >> 23;
    uint32_t c = biased > 0 ? fraction | 0x800000 : fraction;
    int q = biased > 0 ? (int)biased - 150 : -149;
    bool uneven = fraction == 0 && biased > 1;
    int k = floor_log10(q, uneven);
    int shift = q + floor_log2(-k) + 1;
    uint64_t scale = scales[-k - SCALE_MIN];
    /* The bounds themselves are halfway to the neighbours, and read back as the even one. */
    uint32_t odd = c & 1;
    uint32_t value = scale_to_odd(scale, (4 * c) << shift);
    uint32_t low = scale_to_odd(scale, (4 * c - 2 + uneven) << shift) + odd;
    uint32_t high = scale_to_odd(scale, (4 * c + 2) << shift) - odd;
    return (struct decimal){choose(value, low, high), k};
}

/* Writes x < 10^8, in eight bytes of which the text may leave some. */
static size_t write_small(char *out, uint32_t x)
{
    uint64_t word = digits_split(x);
    unsigned leading = (unsigned)__builtin_ctzll(word | UINT64_C(1) << 56) / 8;
    word = (word | DIGITS_ZERO) >> 8 * leading;
    memcpy(out, &word, 8);
    return 8 - leading;
}

size_t number_write_u64(char *out, uint64_t value)
{
    if (value < 100000000)
        return write_small(out, (uint32_t)value);
    /* Calls itself twice at most: 20 digits are four, eight and eight. */
    size_t written = number_write_u64(out, value / 100000000);
    uint64_t word = digits_split((uint32_t)(value % 100000000)) | DIGITS_ZERO;
    memcpy(out + written, &word, 8);
    return written + 8;
}

/* of x < 2^29 */
static unsigned count_digits(uint32_t x)
{
    unsigned bits = 32 - (unsigned)__builtin_clz(x | 1);
    unsigned guess = bits * 1233 >> 12; /* log10(2) = 1233 / 2^12: right, or one too few */
    return guess + (guess == 0 || x >= digits_scale[guess]);
}

static size_t write_exponent(char *out, int exponent)
{
    char *end = out;
    *end++ = 'e';
    if (exponent < 0)
        *end++ = '-';
    exponent = abs(exponent);
    if (exponent >= 100)
        *end++ = (char)('0' + exponent / 100);
    if (exponent >= 10)
        *end++ = (char)('0' + exponent / 10 % 10);
    *end++ = (char)('0' + exponent % 10);
    return (size_t)(end - out);
}

/* Writes first, then rest, eight characters of which only `count` in all are wanted, with a point
 * after 1 + whole digits, 0 <= whole <= 8; whole digits are never left out. */
static size_t write_with_point(char *out, char first, uint64_t rest, int count, int whole)
{
    /* Two shifts, for whole = 8 makes 64 bits. */
    uint64_t fraction = UINT64_MAX << 4 * whole << 4 * whole;
    uint64_t word =
        (rest & ~fraction) | (rest & fraction) << 8 | (uint64_t)'.' << 4 * whole << 4 * whole;
    out[0] = first;
    memcpy(out + 1, &word, 8);
    out[9] = (char)(rest >> 56);
    return (size_t)(count > whole + 1 ? count + 1 : whole + 1);
}

static size_t write_decimal(char *out, struct decimal decimal)
{
    unsigned length = count_digits(decimal.digits);
    int exponent = decimal.exponent + (int)length - 1;
    uint32_t nine = decimal.digits * digits_scale[9 - length];
    char first = (char)('0' + nine / 100000000);
    uint64_t rest = digits_split(nine % 100000000);
    int count = rest == 0 ? 1 : 9 - __builtin_clzll(rest) / 8;
    rest |= DIGITS_ZERO;
    if (exponent >= 0 && exponent < 9)
        return write_with_point(out, first, rest, count, exponent);
    if (exponent < 0 && exponent >= -5) {
        memcpy(out, "0.000000", 8);
        out[1 - exponent] = first;
        memcpy(out + 2 - exponent, &rest, 8);
        return (size_t)(1 - exponent + count);
    }
    size_t written = write_with_point(out, first, rest, count, 0);
    return written + write_exponent(out + written, exponent);
}

size_t number_write_float(char *out, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bool negative = bits >> 31;
    *out = '-';
    float magnitude = fabsf(value);
    /* Integers below 2^24 are their own shortest decimal, and a layer of zeros is full of them. */
    if (magnitude < 0x1p24f && magnitude == (float)(uint32_t)magnitude)
        return negative + write_small(out + negative, (uint32_t)magnitude);
    return negative + write_decimal(out + negative, shortest(bits & 0x7fffffff));
}
