#include "text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "number.h"

enum { TEXT_FIRST_BYTES = 512 };

void text_free(struct text *text)
{
    free(text->bytes);
    *text = (struct text){.bytes = NULL};
}

static bool grow(struct text *text, size_t count)
{
    size_t capacity = text->capacity ? text->capacity : TEXT_FIRST_BYTES;
    while (capacity - text->count < count) {
        if (capacity > SIZE_MAX / 2)
            return false;
        capacity *= 2;
    }
    char *bytes = realloc(text->bytes, capacity);
    if (!bytes)
        return false;
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

char *text_room(struct text *text, size_t count)
{
    if (text->failed)
        return NULL;
    if (text->capacity - text->count < count && !grow(text, count)) {
        text->failed = true;
        return NULL;
    }
    return text->bytes + text->count;
}

void text_format(struct text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    char *room = length < 0 ? NULL : text_room(text, (size_t)length + 1);
    if (room)
        text->count += (size_t)vsnprintf(room, (size_t)length + 1, format, again);
    va_end(again);
    va_end(args);
}

/* Length of the well-formed UTF-8 sequence at string (RFC 3629), 0 when there is none. */
static size_t utf8_length(const unsigned char *string, size_t count)
{
    unsigned char lead = string[0];
    size_t length = lead < 0x80                   ? 1
                    : lead >= 0xC2 && lead < 0xE0 ? 2
                    : lead >= 0xE0 && lead < 0xF0 ? 3
                    : lead >= 0xF0 && lead < 0xF5 ? 4
                                                  : 0;
    if (length == 0 || length > count)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((string[i] & 0xC0) != 0x80)
            return 0;
    bool overlong = (lead == 0xE0 && string[1] < 0xA0) || (lead == 0xF0 && string[1] < 0x90);
    bool outside = (lead == 0xED && string[1] > 0x9F) || (lead == 0xF4 && string[1] > 0x8F);
    return overlong || outside ? 0 : length;
}

static void quote_control(struct text *text, char c)
{
    text_format(text, "\\u%04x", (unsigned char)c);
}

static void quote_control_of_label(struct text *text, char c)
{
    if (c == '\n')
        text_put(text, "\\n");
    else
        text_add(text, &c, 1);
}

/* length is that of the sequence at at, 0 when it is none. */
static void quote_one(struct text *text, const char *at, size_t length,
                      void (*control)(struct text *text, char c))
{
    if (length == 0)
        text_put(text, "\xEF\xBF\xBD");
    else if (*at == '"' || *at == '\\')
        text_format(text, "\\%c", *at);
    else if ((unsigned char)*at < 0x20)
        control(text, *at);
    else
        text_add(text, at, length);
}

/* How many bytes at the start of string are ASCII that stands for itself: as a rule, all. */
static size_t plain_length(const char *string, size_t count)
{
    size_t i = 0;
    while (i < count && string[i] >= 0x20 && string[i] < 0x7F && string[i] != '"' &&
           string[i] != '\\')
        i++;
    return i;
}

static void quote(struct text *text, const char *string, size_t count,
                  void (*control)(struct text *text, char c))
{
    text_put(text, "\"");
    for (size_t i = 0; i < count;) {
        size_t plain = plain_length(string + i, count - i);
        text_add(text, string + i, plain);
        i += plain;
        if (i == count)
            break;
        size_t length = utf8_length((const unsigned char *)string + i, count - i);
        quote_one(text, string + i, length, control);
        i += length ? length : 1;
    }
    text_put(text, "\"");
}

void text_quote(struct text *text, const char *string, size_t count)
{
    quote(text, string, count, quote_control);
}

void text_quote_label(struct text *text, const char *string, size_t count)
{
    quote(text, string, count, quote_control_of_label);
}

void text_float(struct text *text, float value)
{
    char *room = text_room(text, NUMBER_FLOAT_CHARS);
    if (!isfinite(value))
        text_put(text, "null");
    else if (room)
        text->count += number_write_float(room, value);
}

void text_double(struct text *text, double value)
{
    char *room = text_room(text, NUMBER_DOUBLE_CHARS);
    if (!isfinite(value))
        text_put(text, "null");
    else if (room)
        text->count += number_write_double(room, value);
}

void text_u64(struct text *text, uint64_t value)
{
    char *room = text_room(text, NUMBER_DOUBLE_CHARS);
    if (room)
        text->count += number_write_u64(room, value);
}
