/* text: a growing buffer of bytes, written as JSON.
 *
 * Memory that cannot be had sets failed and drops what follows, so that a writer checks once, at
 * its end. */
#ifndef RELUD_TEXT_H
#define RELUD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
    char *bytes; /* owned */
    size_t count, capacity;
    bool failed;
};

void text_free(struct text *text);

/* Room for count more bytes, at text->bytes + text->count; NULL when there is none. */
char *text_room(struct text *text, size_t count);

static inline void text_add(struct text *text, const char *bytes, size_t count)
{
    bool fits = !text->failed && text->capacity - text->count > count;
    char *room = fits ? text->bytes + text->count : text_room(text, count);
    if (!room)
        return;
    memcpy(room, bytes, count);
    text->count += count;
}

static inline void text_put(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

/* Takes about as long as twenty text_put: not for what is written with every answer. */
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A JSON string of the UTF-8 text, quoted and escaped; what is no UTF-8 becomes U+FFFD. */
void text_quote(struct text *text, const char *string, size_t count);

/* The same as the value of a Prometheus label, where control characters stand as they are but for
 * the end of a line. */
void text_quote_label(struct text *text, const char *string, size_t count);

/* JSON numbers: the shortest decimal that reads back the same; null when not finite. */
void text_float(struct text *text, float value);
void text_double(struct text *text, double value);
void text_u64(struct text *text, uint64_t value);

#endif
