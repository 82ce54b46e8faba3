#include "csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

enum { SHOWN_BYTES = 32 };

static bool is_blank(char c)
{
    return c == ' ' || c == '\r' || c == '\n';
}

static bool is_separator(char c)
{
    return c == ',' || c == ';' || c == '\t';
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && is_blank(*at))
        at++;
    return at;
}

bool csv_is_blank(const char *line, size_t length)
{
    return skip_blanks(line, line + length) == line + length;
}

static const char *field_end(const char *at, const char *end)
{
    while (at < end && !is_separator(*at))
        at++;
    return at;
}

/* What JSON does not call a number, but others do: +1, .5, 5., 007. */
static const char *read_other(const char *at, const char *end, float *number)
{
    char text[NUMBER_TOKEN_MAX + 1], *stop;
    size_t length = 0;
    while (at + length < end && length < NUMBER_TOKEN_MAX &&
           strchr("+-.0123456789eE", at[length]) && at[length])
        length++;
    memcpy(text, at, length);
    text[length] = '\0';
    *number = (float)strtod(text, &stop);
    return stop == text ? NULL : at + (stop - text);
}

/* The number that fills the field [at, end) but for blanks; whether there is one. */
static bool read_field(const char *at, const char *end, float *number)
{
    at = skip_blanks(at, end);
    const char *stop = number_read_float(at, end, number);
    if (!stop || skip_blanks(stop, end) != end)
        stop = read_other(at, end, number);
    return stop && skip_blanks(stop, end) == end;
}

bool csv_is_header(const char *line, size_t length)
{
    float number;
    return !csv_is_blank(line, length) &&
           !read_field(line, field_end(line, line + length), &number);
}

static enum status refuse_count(const char *line, const char *end, size_t count,
                                struct error *error)
{
    size_t found = 1;
    for (; line < end; line++)
        found += is_separator(*line);
    return error_set(error, STATUS_INVALID, "expected %zu numbers, found %zu", count, found);
}

static enum status refuse_field(const char *at, const char *end, size_t column, bool is_number,
                                struct error *error)
{
    if (is_number)
        return error_set(error, STATUS_INVALID, "number %zu is beyond float32's range", column);
    at = skip_blanks(at, end);
    while (end > at && is_blank(end[-1]))
        end--;
    const size_t length = (size_t)(end - at);
    return error_set(error, STATUS_INVALID, "expected a number in column %zu, found \"%.*s\"",
                     column, (int)(length < SHOWN_BYTES ? length : SHOWN_BYTES), at);
}

enum status csv_read(const char *line, size_t length, size_t count, float *x, struct error *error)
{
    const char *at = line, *end = line + length;
    for (size_t column = 0; column < count; column++) {
        const char *stop = field_end(at, end);
        const bool last = column + 1 == count;
        if ((stop == end) != last)
            return refuse_count(line, end, count, error);
        const bool is_number = read_field(at, stop, &x[column]);
        if (!is_number || !isfinite(x[column]))
            return refuse_field(at, stop, column, is_number, error);
        at = last ? end : stop + 1;
    }
    return STATUS_OK;
}
