/* Reading: one multiplication or division of doubles for nearly every decimal; see number.h. */
#include <float.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digits.h"
#include "number.h"

enum { MANTISSA_DIGITS = 19 }; /* the most that always fit 64 bits */

/* A number as read: mantissa * 10^exponent, unless it has more digits than mantissa holds. */
struct token {
    uint64_t mantissa;
    int exponent;
    int digits; /* in the mantissa; leading zeros count as long as it holds them too */
    bool negative;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Appends the digits at text to *mantissa and returns the first byte that is none. One at a time:
 * best for the one or two in front of a point, whose number the processor predicts. */
static const char *read_few_digits(const char *text, const char *end, uint64_t *mantissa)
{
    for (; text < end && is_digit(*text); text++)
        *mantissa = 10 * *mantissa + (uint64_t)(*text - '0');
    return text;
}

/* The same, eight at a time: best behind a point, where nothing predicts their number. */
static const char *read_digits(const char *text, const char *end, uint64_t *mantissa)
{
    while (end - text >= 8) {
        uint64_t word;
        memcpy(&word, text, 8);
        word ^= DIGITS_ZERO;
        /* A digit is now below 10. Adding 6 carries out of a byte only if that is no digit, so the
         * first that is none is found. */
        uint64_t other = (word + UINT64_C(0x0606060606060606)) | word;
        other &= UINT64_C(0xf0f0f0f0f0f0f0f0);
        unsigned count = other == 0 ? 8 : (unsigned)__builtin_ctzll(other) / 8;
        /* What follows the digits is shifted out; two shifts, for no digits makes 64 bits. */
        unsigned half = 4 * (8 - count);
        *mantissa = *mantissa * digits_scale[count] + digits_join(word << half << half);
        text += count;
        if (count < 8)
            return text;
    }
    return read_few_digits(text, end, mantissa);
}

/* Reads what follows the 'e'. Beyond 10000 an exponent only means zero or infinity, since no token
 * is long enough to make up for it. */
static const char *read_exponent(const char *text, const char *end, int *exponent)
{
    bool negative = text < end && *text == '-';
    if (text < end && (*text == '-' || *text == '+'))
        text++;
    const char *first = text;
    int magnitude = 0;
    for (; text < end && is_digit(*text); text++)
        magnitude = magnitude < 10000 ? 10 * magnitude + (*text - '0') : magnitude;
    *exponent += negative ? -magnitude : magnitude;
    return text > first ? text : NULL;
}

static int count_leading_zeros(const char *text)
{
    int zeros = 0;
    for (; *text == '0' || *text == '.'; text++)
        zeros += *text == '0';
    return zeros;
}

/* The grammar. Returns the end of the token, NULL when there is none. */
static const char *read_token(const char *text, const char *end, struct token *token)
{
    *token = (struct token){.negative = text < end && *text == '-'};
    const char *first = text + token->negative;
    const char *after = read_few_digits(first, end, &token->mantissa);
    if (after == first || (after - first > 1 && *first == '0'))
        return NULL;
    token->digits = (int)(after - first);
    if (after < end && *after == '.') {
        const char *fraction = after + 1;
        after = read_digits(fraction, end, &token->mantissa);
        if (after == fraction)
            return NULL;
        token->exponent = -(int)(after - fraction);
        token->digits -= token->exponent;
    }
    /* Zeros in front rarely matter. Where they do, a digit that is none ends them before end. */
    if (token->digits > MANTISSA_DIGITS && token->mantissa != 0)
        token->digits -= count_leading_zeros(first);
    if (after < end && (*after == 'e' || *after == 'E'))
        after = read_exponent(after + 1, end, &token->exponent);
    return after;
}

enum {
    POWER_MAX = 56,  /* reaches every normal float32 from a mantissa of 19 digits */
    POWER_EXACT = 22 /* 10^22 = 2^22 5^22, and 5^22 < 2^53 */
};
static const double powers[POWER_MAX + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14,
    1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22, 1e23, 1e24, 1e25, 1e26, 1e27, 1e28, 1e29,
    1e30, 1e31, 1e32, 1e33, 1e34, 1e35, 1e36, 1e37, 1e38, 1e39, 1e40, 1e41, 1e42, 1e43, 1e44,
    1e45, 1e46, 1e47, 1e48, 1e49, 1e50, 1e51, 1e52, 1e53, 1e54, 1e55, 1e56,
};

/* Whether every double within 8 units in the last place of `near` rounds to the same float32. The
 * 29 bits that float32 lacks decide: they must not be close to one half. (Subnormals lack more.) */
static bool rounds_alike(double near)
{
    uint64_t bits;
    memcpy(&bits, &near, sizeof bits);
    int lacking = (int)(bits & 0x1fffffff);
    return near >= FLT_MIN && abs(lacking - 0x10000000) > 8;
}

/* False when one operation on doubles cannot tell the result for sure. Up to 2^53 and 10^22
 * mantissa and power are exact, and so is the double but for its one rounding. Otherwise mantissa,
 * power and result are each rounded, by 2^-53 at most: 3 units in the last place, and half a unit
 * for the double that the decimal itself rounds to. */
static bool convert_quickly(const struct token *token, double *value)
{
    if (token->digits > MANTISSA_DIGITS || abs(token->exponent) > POWER_MAX)
        return false;
    double mantissa = (double)token->mantissa;
    *value = token->exponent < 0 ? mantissa / powers[-token->exponent]
                                 : mantissa * powers[token->exponent];
    /* This first, for it is nearly always so, while 2^53 lies amid what 16 digits make. */
    if (rounds_alike(*value))
        return true;
    return token->mantissa <= UINT64_C(1) << 53 && abs(token->exponent) <= POWER_EXACT;
}

/* strtod of the digits, with the point moved into the exponent so that no locale matters. */
static double convert_slowly(const char *text, const char *after, int exponent)
{
    char plain[NUMBER_TOKEN_MAX + 16];
    size_t length = 0;
    for (; text < after && *text != 'e' && *text != 'E'; text++) {
        if (*text != '.')
            plain[length++] = *text;
    }
    snprintf(plain + length, sizeof plain - length, "e%d", exponent);
    return strtod(plain, NULL);
}

const char *number_read_float(const char *text, const char *end, float *value)
{
    /* One byte more than the longest token shows whether it ends there. */
    if (end - text > NUMBER_TOKEN_MAX + 1)
        end = text + NUMBER_TOKEN_MAX + 1;
    struct token token;
    const char *after = read_token(text, end, &token);
    if (after == NULL || after - text > NUMBER_TOKEN_MAX)
        return NULL;
    double magnitude;
    if (!convert_quickly(&token, &magnitude))
        magnitude = convert_slowly(text + token.negative, after, token.exponent);
    *value = (float)(magnitude * (1 - 2 * token.negative));
    return after;
}
