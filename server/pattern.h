/* pattern: the paths that routes.def writes: literal text, {m}, {v} and {f} for one segment each,
 * and at most one [optional part] that begins with literal text. */
#ifndef RELUD_PATTERN_H
#define RELUD_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

/* A segment of the path; text NULL where the pattern has none. */
struct capture {
    const char *text; /* borrowed from the path */
    size_t length;
};

struct captures {
    struct capture model, version, file; /* {m}, {v}, {f} */
};

/* Whether the whole of path fits pattern, and what it captures. No segment is empty. */
bool pattern_fits(const char *pattern, const char *path, struct captures *captures);

#endif
