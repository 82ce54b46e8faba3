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
    _Atomic size_t references;
    _Atomic int64_t since; /* when counting began, seconds of the epoch */
    size_t seat_count;
    struct seat seats[]; /* by loop */
};

/* Loads the model at path and opens seats for so many loops; the caller holds the one reference. */
enum status generation_open(struct generation **made, const char *path,
                            const struct model_options *options, const struct kernels *kernels,
                            size_t loops, struct error *error);

/* Thread-safe. The last one to let go frees the generation. */
void generation_hold(struct generation *generation);
void generation_release(struct generation *generation);

/* Adds what all seats have counted to into. Thread-safe. */
void generation_collect(struct generation *generation, struct counters *into);

/* The same for what requests took; false when there is no memory. Thread-safe. */
bool generation_usage(struct generation *generation, struct usage_sum *sum);

/* When counting began, RFC 3339. */
void generation_since(const struct generation *generation, char text[GENERATION_SINCE_BYTES]);

#endif
