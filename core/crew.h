/* crew: parked threads that somebody who computes may borrow.
 *
 * A crew has helpers, and knows how many cores there are. Whoever computes on a core of its own
 * says so, with crew_occupy() and crew_vacate(); a helper is lent only together with a core that
 * nobody occupies, and goes back to it as soon as somebody does. So those who occupy cores and the
 * helpers at work never are more than the cores, but for the piece a helper is at just then.
 *
 *     struct crew_call call = {.work = work, .context = context};
 *     crew_borrow(crew, &call, 3);      up to three helpers, perhaps none
 *     crew_begin(&call, 3);             each calls work() on its own thread
 *     … the same work, here …
 *     crew_settle(&call);               nobody is at it any more
 *     crew_return(&call);
 *
 * Between borrowing and returning, begin and settle may be repeated. Nothing waits for a helper
 * that has not come by the time it is settled: it is not missed. A helper waits awake for some
 * microseconds before it sleeps, so that it is there at once when pieces follow each other; an idle
 * crew costs no time. What is written before crew_begin() can be read in work(), and what work()
 * has written after crew_settle(). */
#ifndef RELUD_CREW_H
#define RELUD_CREW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "status.h"

enum { CREW_HELPERS_MAX = 63 };

struct crew;

/* A helper, as the work it is called for sees it. */
struct crew_hand {
    size_t worker; /* 1 for a call's first helper, and so on: whoever called is 0 */
    void *memory;  /* its own, on a cache line; as much as was reserved */
    bool came;     /* once settled: whether work() was called */
    const _Atomic unsigned *occupants; /* of its core */
};

/* Whether somebody needs the core: then work() is to return after the piece it is at. */
static inline bool crew_wanted(const struct crew_hand *hand)
{
    return atomic_load_explicit(hand->occupants, memory_order_relaxed) > 0;
}

struct crew_call {
    void (*work)(void *context, struct crew_hand *hand);
    void *context;
    size_t count, begun; /* helpers lent; how many of them, the first ones, were last called */
    struct crew_hand *hands[CREW_HELPERS_MAX];
};

/* Starts helpers (0 to CREW_HELPERS_MAX) that share cores (at least 1) with those who occupy them.
 */
enum status crew_open(struct crew **crew, size_t helpers, size_t cores, struct error *error);

/* All helpers have been returned. */
void crew_close(struct crew *crew);

size_t crew_helpers(const struct crew *crew);

/* Sees to it that every helper's memory has at least so many bytes; what it held is lost. Waits for
 * helpers that are lent, which are not lent again before. Thread-safe. */
enum status crew_reserve(struct crew *crew, size_t bytes, struct error *error);

/* Whoever is at work on core, counted from 0 and taken modulo the cores, comes and goes.
 * Thread-safe and cheap: an addition to a cache line that is the core's own. */
void crew_occupy(struct crew *crew, size_t core);
void crew_vacate(struct crew *crew, size_t core);

/* Lends call more helpers until it has want of them; as many as are free, at once. Thread-safe. */
void crew_borrow(struct crew *crew, struct crew_call *call, size_t want);

/* The first most of the helpers begin to work, or all if they are fewer. */
void crew_begin(struct crew_call *call, size_t most);

/* Takes back the call from helpers that have not begun, waits until the others have come back from
 * work(). */
void crew_settle(struct crew_call *call);

/* Returns the helpers, which have settled, whose cores are wanted; or all of them. */
void crew_return_wanted(struct crew_call *call);
void crew_return(struct crew_call *call);

#endif
