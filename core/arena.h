/* arena: bump allocation with one free.
 *
 * Everything that lives and dies together (a model, a run's buffers, one request) shares an arena.
 * Every allocation is zeroed and aligned to 64 bytes, a cache line and a full vector. An arena has
 * a limit, so that no file or request can make it grow without bound. */
#ifndef RELUD_ARENA_H
#define RELUD_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* owned; newest first */
    size_t limit_bytes;         /* no allocation beyond this total */
    size_t used_bytes;          /* handed out so far, rounded up to the alignment */
};

enum { ARENA_ALIGNMENT = 64 };

void arena_init(struct arena *arena, size_t limit_bytes);
void arena_free(struct arena *arena);

/* count elements of element_bytes each, zeroed; NULL when the product overflows, the limit is
 * reached or memory is exhausted. A count of 0 gives a valid pointer to nothing. */
void *arena_alloc(struct arena *arena, size_t count, size_t element_bytes);

/* A NUL-terminated copy of the first length bytes of text, which may be NULL where length is 0. */
char *arena_text(struct arena *arena, const char *text, size_t length);

#endif
