/* shares: pieces of work, 0 to count - 1, that several workers take between them, each piece once.
 *
 * Every worker has a share, pieces that follow each other: worker w is given the same ones whenever
 * as many pieces are cut into as many shares, and finds in its core's cache what they need. Whoever
 * has no more of its own takes what others have left. */
#ifndef RELUD_SHARES_H
#define RELUD_SHARES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct share {
    _Alignas(64) _Atomic size_t next; /* beyond end: nothing is left */
    size_t end;
};

struct shares {
    size_t count;
    struct share *list; /* borrowed */
};

/* Cuts pieces into count shares, the first elements of shares->list. */
void shares_cut(struct shares *shares, size_t pieces, size_t count);

/* Leaves all pieces in one share. */
static inline void shares_keep(struct shares *shares, size_t pieces)
{
    shares->count = 1;
    atomic_store_explicit(&shares->list->next, 0, memory_order_relaxed);
    shares->list->end = pieces;
}

/* What shares_take() does where there are several shares. */
bool shares_take_any(struct shares *shares, size_t worker, size_t *piece);

/* The next piece for worker, a number below the count of shares; false when all are taken.
 * Thread-safe, unless there is but one share, whose worker is alone. */
static inline bool shares_take(struct shares *shares, size_t worker, size_t *piece)
{
    if (shares->count > 1)
        return shares_take_any(shares, worker, piece);
    *piece = atomic_load_explicit(&shares->list->next, memory_order_relaxed);
    atomic_store_explicit(&shares->list->next, *piece + 1, memory_order_relaxed);
    return *piece < shares->list->end;
}

/* Whether there is still a piece to take. */
bool shares_left(const struct shares *shares);

#endif
