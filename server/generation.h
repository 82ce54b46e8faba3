/* generation: a model as it is served, with a seat for every loop.
 *
 * Immutable but for what the seats count, and reference-counted: loops run jobs at its seats as
 * long as somebody holds it. A model that is loaded again becomes another generation. */
#ifndef RELUD_GENERATION_H
#define RELUD_GENERATION_H

#include <stdatomic.h>

#include "seat.h"

enum { GENERATION_SINCE_BYTES = sizeof "2026-01-01T00:00:00Z" };

struct generation {
    struct model model;
    size_t references;        /* the registry's thread alone holds and releases */
    _Atomic int64_t since;    /* when counting began, seconds of the epoch */
    size_t loops, seat_count; /* seats there is room for, and open ones */
    struct seat seats[];      /* by loop */
};

/* Loads the model at path, with room for the seats of so many loops; the caller holds the one
 * reference. */
enum status generation_open(struct generation **made, const char *path,
                            const struct model_options *options, size_t loops, struct error *error);

/* Opens the seats, before any job. */
enum status generation_seat(struct generation *generation, const struct kernels *kernels,
                            struct error *error);

/* Not thread-safe. The last one to let go frees the generation. */
void generation_hold(struct generation *generation);
void generation_release(struct generation *generation);

/* Adds what all seats have counted to into. Thread-safe. */
void generation_collect(struct generation *generation, struct counters *into);

/* Forgets what was counted and begins anew. Thread-safe; a row that is being run counts on one side
 * of it. */
void generation_reset(struct generation *generation);

/* When counting began, RFC 3339. */
void generation_since(const struct generation *generation, char text[GENERATION_SINCE_BYTES]);

#endif
