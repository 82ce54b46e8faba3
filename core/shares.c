#include "shares.h"

void shares_cut(struct shares *shares, size_t pieces, size_t count)
{
    shares->count = count;
    for (size_t i = 0, first = 0, end; i < count; i++, first = end) {
        end = i + 1 == count ? pieces : pieces * (i + 1) / count;
        atomic_store_explicit(&shares->list[i].next, first, memory_order_relaxed);
        shares->list[i].end = end;
    }
}

/* Looks before it takes, so that an empty share is not written to again and again. */
static bool take(struct share *share, size_t *piece)
{
    *piece = atomic_load_explicit(&share->next, memory_order_relaxed);
    if (*piece >= share->end)
        return false;
    *piece = atomic_fetch_add_explicit(&share->next, 1, memory_order_relaxed);
    return *piece < share->end;
}

bool shares_take_any(struct shares *shares, size_t worker, size_t *piece)
{
    for (size_t i = 0; i < shares->count; i++)
        if (take(&shares->list[(worker + i) % shares->count], piece))
            return true;
    return false;
}

bool shares_left(const struct shares *shares)
{
    for (size_t i = 0; i < shares->count; i++)
        if (atomic_load_explicit(&shares->list[i].next, memory_order_relaxed) < shares->list[i].end)
            return true;
    return false;
}
