/* ring: what was counted lately.
 *
 * What comes in is what was counted since the last addition; it goes into the slot of its time in
 * every window (window.def), with its own maxima, which could not be told from running totals. A
 * window is answered by merging the slots that reach into it, so that it is never shorter than it
 * is called and longer by at most a slot. Slots get their memory when they first have something to
 * hold: a network nobody asks costs nothing. One that never rests keeps RING_SLOTS counters of 20
 * bytes for each unit (level full): ResNet-50's 26,560 units take 24 MB. Times are those of one
 * monotonic clock, in nanoseconds, and never go back. Not thread-safe. */
#ifndef RELUD_RING_H
#define RELUD_RING_H

#include "counters.h"

enum ring_window {
#define WINDOW(id, name, seconds, slot_seconds) RING_##id,
#include "window.def"
#undef WINDOW
    RING_WINDOW_COUNT
};

enum {
    RING_SLOTS_MAX = 16, /* of one window */
    RING_SLOTS = 0
#define WINDOW(id, name, seconds, slot_seconds) +(seconds) / (slot_seconds) + 1
#include "window.def"
#undef WINDOW
};

/* The window of that name; false when there is none. */
bool ring_window_named(enum ring_window *window, const char *name);

struct ring_slot {
    uint64_t turn;            /* which stretch of the clock it holds: a time / the slot's length */
    uint64_t begin_ns;        /* of the first of what it holds */
    struct counters counters; /* no samples: it holds nothing */
};

struct ring {
    struct arena arena; /* owned: the slots' counters */
    const struct plan *plan;
    enum stats_level level;
    uint64_t begin_ns; /* when counting began */
    uint64_t last_ns;  /* of the last addition */
    struct ring_slot slots[RING_WINDOW_COUNT][RING_SLOTS_MAX];
};

void ring_init(struct ring *ring, const struct plan *plan, enum stats_level level, uint64_t now_ns);
void ring_free(struct ring *ring);

/* Forgets everything; counting begins now. */
void ring_reset(struct ring *ring, uint64_t now_ns);

/* Adds what was counted since the last addition until now. OUT_OF_MEMORY: a window lacks it. */
enum status ring_add(struct ring *ring, uint64_t now_ns, const struct counters *counted,
                     struct error *error);

/* Adds what was counted in the window that ends now to into, but for what was counted since the
 * last addition, which the caller has. Returns when it all begins: the window's length ago, or the
 * age of the oldest slot that is in it, but not before counting began. */
uint64_t ring_collect(const struct ring *ring, enum ring_window window, uint64_t now_ns,
                      struct counters *into);

#endif
