/* generation: a model as it is served, with a seat for every loop.
 *
 * Immutable but for what was counted, and reference-counted: loops run jobs at its seats as long
 * as somebody holds it. A model that is loaded again becomes another generation. Every
 * GENERATION_TICK_NS what the seats have counted moves to the history, from which windows are
 * answered. */
#ifndef RELUD_GENERATION_H
#define RELUD_GENERATION_H

#include <stdatomic.h>

#include "baseline.h"
#include "seat.h"
#include "stats/ring.h"

#define GENERATION_TICK_NS 5000000000ull

enum { GENERATION_SINCE_BYTES = sizeof "2026-01-01T00:00:00Z" };

struct generation {
    struct model model;
    struct baseline baseline; /* owned */
    size_t references;        /* the registry's thread alone holds and releases */
    pthread_mutex_t lock;
    struct arena arena;    /* owned, of base and moved */
    int64_t since;         /* under lock, as the next: when counting began, of the epoch */
    struct counters base;  /* what the seats counted before the last tick */
    struct counters moved; /* for a tick to move it in */
    struct ring ring;      /* the latest of it */
    struct {
        bool retired; /* its file is another's */
        uint64_t samples;
        char since[GENERATION_SINCE_BYTES];
    } kept;                   /* the store's, under its lock: what its file says */
    size_t loops, seat_count; /* seats there is room for, and open ones */
    struct seat seats[];      /* by loop */
};

/* Loads the model at path, with room for the seats of so many loops; the caller holds the one
 * reference. */
enum status generation_open(struct generation **made, const char *path,
                            const struct model_options *options, size_t loops, struct error *error);

/* Opens the seats, before any job. */
enum status generation_seat(struct generation *generation, const struct engine *engine,
                            struct error *error);

/* Not thread-safe. The last one to let go frees the generation. */
void generation_hold(struct generation *generation);
void generation_release(struct generation *generation);

/* Adds what a snapshot of the same model holds: counting began when it did. INVALID when nobody can
 * tell when. Thread-safe. */
enum status generation_restore(struct generation *generation, const struct snapshot *snapshot,
                               struct error *error);

/* Before any job: goes on where other, a generation of the same model, is now. */
void generation_inherit(struct generation *generation, struct generation *other);

/* Adds what was counted since counting began, or in the window that ends now (cpu_clock_ns), to
 * into, and writes when that began, RFC 3339, unless since is NULL. Thread-safe. */
void generation_collect(struct generation *generation, struct counters *into,
                        char since[GENERATION_SINCE_BYTES]);
void generation_collect_window(struct generation *generation, enum ring_window window,
                               uint64_t now_ns, struct counters *into,
                               char since[GENERATION_SINCE_BYTES]);

/* Moves what the seats have counted to the history. Thread-safe. OUT_OF_MEMORY: windows lack it. */
enum status generation_tick(struct generation *generation, uint64_t now_ns, struct error *error);

/* Forgets what was counted and begins anew, now. Thread-safe; a row that is being run counts on one
 * side of it. */
void generation_reset(struct generation *generation, uint64_t now_ns,
                      char since[GENERATION_SINCE_BYTES]);

#endif
