/* inflate: gzip and deflate bodies, piece by piece. */
#ifndef RELUD_INFLATE_H
#define RELUD_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "status.h"

struct inflate {
    z_stream stream;
    bool open, ended;
    uint64_t count, limit_bytes; /* bytes that came out, and may */
};

/* What takes the inflated bytes. */
typedef enum status inflate_sink(void *context, const char *bytes, size_t count,
                                 struct error *error);

/* Reads gzip and zlib streams (deflate, as HTTP means it). */
enum status inflate_open(struct inflate *in, uint64_t limit_bytes, struct error *error);
void inflate_close(struct inflate *in);

/* Inflates the next piece into sink. TOO_LARGE beyond the limit. */
enum status inflate_feed(struct inflate *in, const char *bytes, size_t count, inflate_sink *sink,
                         void *context, struct error *error);

/* The body is complete: INVALID when the stream is not. */
enum status inflate_finish(const struct inflate *in, struct error *error);

#endif
