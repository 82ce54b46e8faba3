/* Doubles as decimals: in 128 bits exactly for the sizes that statistics have, else by printf. */
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

__extension__ typedef unsigned __int128 wide;

/* The first digits of a number, as text, and what the first of them stands for. */
struct digits {
    char text[24];
    int count, exponent;
};

/* 10^n, 0 <= n <= 22. */
static wide power_of_ten(int n)
{
    static const uint64_t powers[] = {1,         10,         100,         1000,
                                      10000,     100000,     1000000,     10000000,
                                      100000000, 1000000000, 10000000000, 100000000000};
    return (wide)powers[n / 2] * powers[n - n / 2];
}

/* A double: mantissa / 2^shift, 2^52 <= mantissa < 2^53. */
struct fixed {
    uint64_t mantissa;
    int shift;
};

/* The double times 10^places, rounded to even, and whether that comes back: whether it is nearer to
 * this double than to its neighbours. (That below a power of two is nearer by half, but the powers
 * of these sizes have at most 15 digits and are met exactly.) */
static uint64_t scale(struct fixed x, int places, bool *comes_back)
{
    const wide power = power_of_ten(places), scaled = x.mantissa * power;
    const wide half = (wide)1 << (x.shift - 1), rest = scaled & (2 * half - 1);
    const uint64_t down = (uint64_t)(scaled >> x.shift);
    const bool up = rest > half || (rest == half && down % 2 == 1);
    const wide missed = up ? 2 * half - rest : rest;
    *comes_back = 2 * missed < power || (2 * missed == power && x.mantissa % 2 == 0);
    return down + up;
}

/* The digits of a precision; least is floor(log10(x)) or one less. */
static bool round_to(struct fixed x, int least, int precision, struct digits *digits)
{
    bool comes_back;
    uint64_t rounded = scale(x, precision - 1 - least, &comes_back);
    digits->exponent = least;
    if (rounded >= power_of_ten(precision)) {
        rounded = scale(x, precision - 2 - least, &comes_back);
        digits->exponent++;
    }
    digits->count = (int)number_write_u64(digits->text, rounded);
    return comes_back;
}

/* For 1e-5 <= value < 1e14, so that everything fits 128 bits. */
static void shortest_exactly(double value, struct digits *digits)
{
    int exponent;
    const double mantissa = frexp(value, &exponent);
    const struct fixed x = {(uint64_t)ldexp(mantissa, 53), 53 - exponent};
    const int least = ((exponent - 1) * 1233) >> 12; /* log10(2) = 1233 / 2^12 */
    int precision = 15;
    while (!round_to(x, least, precision, digits) && precision < 17)
        precision++;
}

/* Prints value with this many digits, as d.ddde+xx, and keeps the digits alone, whatever the locale
 * put between them. */
static void print_digits(double value, int precision, struct digits *digits)
{
    char text[48];
    snprintf(text, sizeof text, "%.*e", precision - 1, value);
    const char *exponent = strchr(text, 'e');
    digits->count = 0;
    for (const char *p = text; p < exponent; p++)
        if (*p >= '0' && *p <= '9')
            digits->text[digits->count++] = *p;
    digits->exponent = atoi(exponent + 1);
}

/* Without a point, so that strtod needs no locale either. */
static bool reads_back(const struct digits *digits, double value)
{
    char text[48];
    snprintf(text, sizeof text, "%.*se%d", digits->count, digits->text,
             digits->exponent - digits->count + 1);
    return strtod(text, NULL) == value;
}

static void shortest_printed(double value, struct digits *digits)
{
    int precision = value < DBL_MIN && value > 0 ? 1 : 15;
    print_digits(value, precision, digits);
    while (precision < 17 && !reads_back(digits, value))
        print_digits(value, ++precision, digits);
}

/* Writes the digits, the first standing for 10^exponent, and zeros wherever positions need them. */
static size_t write_positions(char *out, const struct digits *digits, int exponent)
{
    char *end = out;
    int highest = exponent > 0 ? exponent : 0;
    int lowest = exponent - digits->count + 1 < 0 ? exponent - digits->count + 1 : 0;
    for (int position = highest; position >= lowest; position--) {
        int digit = exponent - position;
        if (position == -1)
            *end++ = '.';
        *end++ = digit >= 0 && digit < digits->count ? digits->text[digit] : '0';
    }
    return (size_t)(end - out);
}

size_t number_write_double(char *out, double value)
{
    struct digits digits = {.text = "0", .count = 1};
    char exponent[8];
    const bool negative = signbit(value);
    const double magnitude = fabs(value);
    if (magnitude >= 1e-5 && magnitude < 1e14)
        shortest_exactly(magnitude, &digits);
    else if (magnitude > 0)
        shortest_printed(magnitude, &digits);
    while (digits.count > 1 && digits.text[digits.count - 1] == '0')
        digits.count--;
    *out = '-';
    out += negative;
    if (digits.exponent >= -5 && digits.exponent < 16)
        return negative + write_positions(out, &digits, digits.exponent);
    const size_t written = write_positions(out, &digits, 0);
    const int length = snprintf(exponent, sizeof exponent, "e%d", digits.exponent);
    memcpy(out + written, exponent, (size_t)length);
    return negative + written + (size_t)length;
}
