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

/* floor(log10(value)) for 1e-5 <= value < 1e14. */
static int floor_log10(double value)
{
    static const double powers[] = {1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1e0,  1e1,  1e2,  1e3,  1e4,
                                    1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14};
    const int least = (ilogb(value) * 1233) >> 12; /* log10(2) = 1233 / 2^12: right, or one less */
    return least + (value >= powers[least + 6]);
}

/* A double times a power of ten that gives it 17 digits: whole + rest / 2^shift. The distance to
 * the next double, times the power, is ulp / 2^shift. */
struct scaled {
    uint64_t whole;
    wide rest, ulp;
    int shift;
};

static struct scaled scale(double value, int places)
{
    const uint64_t one = (uint64_t)1 << 52;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint64_t mantissa = (bits & (one - 1)) | one;
    const int shift = 52 + 1023 - (int)(bits >> 52);
    const wide power = power_of_ten(places), product = mantissa * power;
    return (struct scaled){(uint64_t)(product >> shift), product & (((wide)1 << shift) - 1), power,
                           shift};
}

/* x / step rounded to even, and whether that comes back: whether it is nearer to this double than
 * to its neighbours. (That below a power of two is nearer by half, but the powers of these sizes
 * have at most 15 digits and are met exactly; what lies halfway has 20 digits or more.) */
static inline uint64_t round_to(const struct scaled *x, uint64_t step, bool *comes_back)
{
    const uint64_t down = x->whole / step;
    const wide unit = (wide)step << x->shift;
    const wide over = ((wide)(x->whole % step) << x->shift) + x->rest;
    const bool up = 2 * over > unit || (2 * over == unit && down % 2 == 1);
    const wide missed = up ? unit - over : over;
    *comes_back = 2 * missed < x->ulp;
    return down + up;
}

/* For 1e-5 <= value < 1e14, so that everything fits 128 bits. */
static void shortest_exactly(double value, struct digits *digits)
{
    const int least = floor_log10(value);
    const struct scaled x = scale(value, 16 - least);
    bool comes_back;
    int precision = 15;
    uint64_t rounded = round_to(&x, 100, &comes_back);
    if (!comes_back) {
        rounded = round_to(&x, 10, &comes_back);
        precision = 16;
    }
    if (!comes_back) {
        rounded = round_to(&x, 1, &comes_back);
        precision = 17;
    }
    digits->count = (int)number_write_u64(digits->text, rounded);
    digits->exponent = least + digits->count - precision; /* 9.99… may have become 10.0 */
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
    const int count = digits->count, whole = exponent + 1; /* digits before the point */
    if (whole <= 0) {
        const int zeros = 2 - whole;
        memset(out, '0', (size_t)zeros);
        out[1] = '.';
        memcpy(out + zeros, digits->text, (size_t)count);
        return (size_t)(zeros + count);
    }
    if (whole >= count) {
        memcpy(out, digits->text, (size_t)count);
        memset(out + count, '0', (size_t)(whole - count));
        return (size_t)whole;
    }
    memcpy(out, digits->text, (size_t)whole);
    out[whole] = '.';
    memcpy(out + whole + 1, digits->text + whole, (size_t)(count - whole));
    return (size_t)count + 1;
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
