/* number: decimal text <-> numbers, as JSON writes them.
 *
 * An answer of a small network takes less time to compute than printf takes to print it, and a
 * request less than strtod takes to read it. So floats are written with Schubfach (Raffaello
 * Giulietti, "The Schubfach way to render doubles", 2020, the float32 variant), and read with one
 * multiplication or division of exact numbers where that is exact (William Clinger, "How to read
 * floating point numbers accurately", 1990) or provably rounds to the same float32; what is left
 * goes to strtod. Digits are read eight at a time, as one word (Daniel Lemire,
 * "Number parsing at a gigabyte per second", 2021). Nothing here depends on the
 * locale. Rounding must be to nearest, the default. */
#ifndef RELUD_NUMBER_H
#define RELUD_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NUMBER_FLOAT_CHARS = 16,  /* "-0.0000123456789" */
    NUMBER_DOUBLE_CHARS = 25, /* "-0.000012345678901234567" and one to spare */
    NUMBER_U64_CHARS = 20,
    NUMBER_TOKEN_MAX = 1024 /* a longer number in a request is refused */
};

/* The writers return the length of the text, which is valid JSON and has no terminating NUL. out
 * has room for the number of characters above; what the text leaves of it may be overwritten. */

/* Writes the shortest decimal that reads back as the same float32, of several the closest, of two
 * equally close the even one. value must be finite. Positional for 1e-5 <= |value| < 1e9 (0.25, 5,
 * -0, 123456790), else with an exponent (1.5e-7, 3.4028235e38).
 * "Reads back" is meant of strtof, which rounds once. Of all floats one, 7.038531e-26 with either
 * sign, comes back as its neighbour from a reader that rounds to double first, such as NumPy or the
 * one below. */
size_t number_write_float(char *out, float value);

/* Writes a decimal that reads back as the same double: that of 15, 16 or 17 digits (from 1 digit
 * where value is subnormal), the first that does, without trailing zeros. value must be finite.
 * Positional for 1e-5 <= |value| < 1e16. Beyond 1e14 and below 1e-5 it costs a microsecond. */
size_t number_write_double(char *out, double value);

size_t number_write_u64(char *out, uint64_t value);

/* Reads the number at the start of [text, end) by the grammar of RFC 8259, as far as it goes, and
 * stores the decimal rounded to double, then to float32, as NumPy does; -0 stays -0. *value is
 * infinite when the decimal exceeds float32's range. Returns the first byte after the number (end,
 * when it ends there), or NULL, and *value is undefined, when there is none: anything but '-' or a
 * digit first, a leading zero, '.' or 'e' without a digit after it, more than NUMBER_TOKEN_MAX
 * characters. What follows the number is the caller's to judge: "0x1" reads as 0 and leaves "x1".
 * No byte at or after end is read. */
const char *number_read_float(const char *text, const char *end, float *value);

struct number_run {
    size_t count;
    bool open; /* a comma follows the last number */
};

/* Reads numbers as number_read_float does, with commas and white space between them, from the start
 * of [text, end) into values, at most room: as long as each is finite and a byte behind it shows
 * that it is complete. Returns the end of the run, white space included; text, when nothing was
 * read. values beyond the run are undefined. */
const char *number_read_run(const char *text, const char *end, float *values, size_t room,
                            struct number_run *run);

#endif
