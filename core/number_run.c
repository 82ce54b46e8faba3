/* Reading runs of numbers.
 *
 * Most numbers of a request have fifteen characters at most and a comma behind them, and of those
 * most have seven. Such a number is read from two words of eight, or from one, and decides no
 * branch on the way, for nothing would predict it: what depends on where its sign, point and comma
 * are stands in a table of these shapes. Digits are told from the other three by bit 4 of a byte,
 * and
 * ',' and '-' from '.' by bit 1. */
#include <math.h>
#include <string.h>

#include "digits.h"
#include "number.h"
#include "number_small.h"

/* expected: exclusive or makes numbers of the digits, and 0 of the sign and the point.
 * margin: what a byte may grow by before its highest bit is set, if it is right.
 * nonzero: 1 in the first digit, where more of them follow before the point.
 * whole: the bytes in front of the point; 0 without a point.
 * divisor: 10^decimals, and the sign. Numerator and divisor are exact as floats, so that the
 * quotient is rounded as if over double. */
struct shape {
    uint64_t expected, margin, nonzero, whole;
    float divisor;
};

#define BYTE(i, value) ((uint64_t)(value) << 8 * (i))
#define TEN_TO(n)      \
    ((n) <= 0   ? 1e0f \
     : (n) == 1 ? 1e1f \
     : (n) == 2 ? 1e2f \
     : (n) == 3 ? 1e3f \
     : (n) == 4 ? 1e4f \
     : (n) == 5 ? 1e5f \
                : 1e6f)

/* negative: 0 or 1; the comma and the point in bytes, the same for integers. A comma at 8 is one
 * beyond the word. Where a digit is missing, before or behind the point, nothing passes. */
#define SHAPE(comma, point, negative)                                                  \
    {                                                                                  \
        .expected = DIGITS_ZERO ^ BYTE(0, (negative) * ('-' ^ '0')) ^                  \
                    BYTE(point, ((point) < (comma)) * ('.' ^ '0')),                    \
        .margin = (point) > (negative) && (point) <= (comma) && (point) + 1 != (comma) \
                      ? 0x76 * DIGITS_EACH + BYTE(0, (negative)*9) +                   \
                            BYTE(point, ((point) < (comma)) * 9)                       \
                      : 0x80 * DIGITS_EACH,                                            \
        .nonzero = BYTE(negative, (point) > (negative) + 1),                           \
        .whole = (point) < (comma) ? BYTE(point, 1) - 1 : 0,                           \
        .divisor = ((negative) ? -1 : 1) * TEN_TO((comma) - (point)-1),                \
    }
#define SHAPES_OF_POINT(comma, point) SHAPE(comma, point, 0), SHAPE(comma, point, 1)
#define SHAPES(comma)                                                                    \
    SHAPES_OF_POINT(comma, 0), SHAPES_OF_POINT(comma, 1), SHAPES_OF_POINT(comma, 2),     \
        SHAPES_OF_POINT(comma, 3), SHAPES_OF_POINT(comma, 4), SHAPES_OF_POINT(comma, 5), \
        SHAPES_OF_POINT(comma, 6), SHAPES_OF_POINT(comma, 7)
static const struct shape shapes[9 * 8 * 2] = {SHAPES(0), SHAPES(1), SHAPES(2),
                                               SHAPES(3), SHAPES(4), SHAPES(5),
                                               SHAPES(6), SHAPES(7), SHAPES(8)};

static uint64_t load(const char *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
    return word;
}

/* Bits 4 of bytes, but of the first, which may be the sign. */
static const uint64_t MARKS = 0x10 * DIGITS_EACH - 0x10;

/* comma, point: the index of bit 4 in that byte */
static const struct shape *shape_of(uint64_t word, unsigned comma, unsigned point)
{
    return &shapes[2 * (comma - 4) + (point - 4) / 4 + (~word >> 4 & 1)];
}

/* The highest bits of bytes are set where digits, the word ^ shape->expected, has a wrong one. */
static uint64_t faults(uint64_t digits, const struct shape *shape)
{
    return ((digits + shape->margin) | digits | (digits - shape->nonzero)) & 0x80 * DIGITS_EACH;
}

/* Moves the digits in front of the point over it. */
static uint64_t close_gap(uint64_t digits, const struct shape *shape)
{
    return digits + (digits & shape->whole) * 255;
}

/* Reads [-]digits[.digits] in front of a comma, all among the eight characters at text. Returns
 * where the comma is, or NULL for anything else, right or wrong. */
static const char *read_brief(const char *text, float *value)
{
    uint64_t word = load(text);
    uint64_t commas = ~(word | word << 3) & MARKS;
    if (commas == 0)
        return NULL;
    uint64_t number = commas ^ (commas - 1); /* the bits up to the comma's */
    unsigned comma = (unsigned)__builtin_ctzll(commas);
    const struct shape *shape =
        shape_of(word, comma, (unsigned)__builtin_ctzll(~word & number & MARKS));
    uint64_t digits = word ^ shape->expected;
    if ((faults(digits, shape) & number) != 0 || text[comma / 8] != ',')
        return NULL;
    digits = close_gap(digits, shape) << (64 - (comma - 4));
    *value = (float)(int32_t)digits_join(digits) / shape->divisor;
    return text + comma / 8;
}

/* The same of numbers with a point whose comma is among the eight characters behind those. Their 14
 * digits are exact as double. */
static const char *read_long(const char *text, float *value)
{
    uint64_t word = load(text), rest = load(text + 8);
    uint64_t points = ~word & MARKS, commas = ~(rest | rest << 3) & 0x10 * DIGITS_EACH;
    if (points == 0 || commas == 0)
        return NULL;
    unsigned comma = (unsigned)__builtin_ctzll(commas), decimals = comma / 8;
    const struct shape *shape = shape_of(word, 64 + 4, (unsigned)__builtin_ctzll(points));
    uint64_t digits = word ^ shape->expected, others = rest ^ DIGITS_ZERO;
    uint64_t wrong = ((others + 0x76 * DIGITS_EACH) | others) & (commas ^ (commas - 1));
    if ((faults(digits, shape) | (wrong & 0x80 * DIGITS_EACH)) != 0 || text[8 + decimals] != ',')
        return NULL;
    /* Two shifts, for no digits makes 64 bits. */
    unsigned half = 4 * (8 - decimals);
    uint64_t mantissa = digits_join(close_gap(digits, shape)) * digits_scale[decimals] +
                        digits_join(others << half << half);
    *value = (float)((double)(int64_t)mantissa / ((double)shape->divisor * digits_scale[decimals]));
    return text + 8 + decimals;
}

/* A run that is being read: where, and where its next number goes. */
struct cursor {
    const char *text, *end;
    float *value, *values_end;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static const char *skip_space(const char *text, const char *end)
{
    while (text < end && is_space(*text))
        text++;
    return text;
}

enum { ZEROS_CHARS = 32, ZEROS_MAX = ZEROS_CHARS / 2 };

/* How many zeros the next characters are if they are "0,0,…" or "0.0,0.0,…" throughout, else 0. */
static size_t count_zeros(const char *text)
{
    uint64_t words[ZEROS_CHARS / 8], integers, decimals;
    memcpy(words, text, sizeof words);
    memcpy(&integers, "0,0,0,0,", 8);
    memcpy(&decimals, "0.0,0.0,", 8);
    uint64_t other = (words[0] ^ words[1]) | (words[0] ^ words[2]) | (words[0] ^ words[3]);
    size_t zeros = words[0] == integers ? ZEROS_MAX : words[0] == decimals ? ZEROS_MAX / 2 : 0;
    return other == 0 ? zeros : 0;
}

/* Most of an image is zeros, side by side. */
static void read_zeros(struct cursor *at)
{
    size_t zeros;
    while (at->end - at->text >= ZEROS_CHARS && at->values_end - at->value >= ZEROS_MAX &&
           (zeros = count_zeros(at->text)) > 0) {
        memset(at->value, 0, ZEROS_MAX * sizeof *at->value);
        at->value += zeros;
        at->text = skip_space(at->text + ZEROS_CHARS, at->end);
    }
}

/* Whether an integer for number_read_small() may stand there; no branch, as above. */
static bool may_be_small(const char *text)
{
    return (text[1] != '.') & ((text[1] == ',') | (text[2] == ',') | (text[3] == ','));
}

/* Pixels, counts and marks stand side by side, as zeros do. */
static void read_small(struct cursor *at)
{
    size_t length = (size_t)(at->end - at->text), room = (size_t)(at->values_end - at->value), used;
    if (length < 4 || !may_be_small(at->text))
        return;
    at->value += number_read_small(at->text, length, at->value, room, &used);
    if (used > 0)
        at->text = skip_space(at->text + used, at->end);
}

/* Reads brief numbers, a few only, for zeros may follow; false when something else stands there. */
static bool read_few(struct cursor *at)
{
    const char *text = at->text, *end = at->end, *comma;
    float *value = at->value;
    float *last = at->values_end - value > 8 ? value + 8 : at->values_end;
    while (value < last && end - text >= 16 &&
           ((comma = read_brief(text, value)) || (comma = read_long(text, value)))) {
        value++;
        text = skip_space(comma + 1, end);
    }
    at->text = text;
    at->value = value;
    return value == last;
}

/* Reads a number of any length and what separates it from the next; false when there is none. */
static bool read_any(struct cursor *at, bool *open)
{
    const char *after = number_read_float(at->text, at->end, at->value);
    if (after == NULL || after == at->end || isinf(*at->value))
        return false;
    *open = *after == ',';
    at->text = skip_space(after + *open, at->end);
    at->value++;
    return true;
}

const char *number_read_run(const char *text, const char *end, float *values, size_t room,
                            struct number_run *run)
{
    struct cursor at = {text, end, values, values + room};
    bool open = true;
    do {
        do {
            read_zeros(&at);
            read_small(&at);
        } while (at.value < at.values_end && read_few(&at));
    } while (at.value < at.values_end && read_any(&at, &open) && open);
    *run = (struct number_run){(size_t)(at.value - values), open};
    return at.text;
}
