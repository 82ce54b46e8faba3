/* guarded: buffers that end where a page begins which nobody may touch.
 *
 * A read or write one byte beyond the end is a crash; what lies before the beginning holds a
 * pattern that guarded_free() checks. */
#ifndef RELUD_TESTS_GUARDED_H
#define RELUD_TESTS_GUARDED_H

#include <stddef.h>
#include <stdint.h>

enum { GUARDED_MAX = 16 };

struct guarded {
    struct guarded_buffer {
        uint8_t *mapping; /* owned */
        size_t bytes;     /* mapped and accessible; the guard page follows */
        size_t slack;     /* of them before the buffer */
    } buffers[GUARDED_MAX];
    size_t count;
};

/* count elements of element_bytes each, filled with a pattern that is a NaN as float. */
void *guarded_alloc(struct guarded *guarded, size_t count, size_t element_bytes);

/* Fails the test when something was written before a buffer. */
void guarded_free(struct guarded *guarded);

#endif
