/* budget: how many bytes the bodies of all requests in flight may have together.
 *
 * Every loop has a purse, which takes from the budget in grains and keeps a little for the next
 * small body, so that the loops do not write to one cache line with every request. What purses
 * keep is at most a 32nd of the budget. */
#ifndef RELUD_BUDGET_H
#define RELUD_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct budget {
    _Alignas(64) _Atomic uint64_t left;
    uint64_t bytes, grain;
};

/* Not thread-safe. */
struct purse {
    struct budget *budget; /* borrowed */
    uint64_t spare;
};

void budget_init(struct budget *budget, uint64_t bytes, size_t purses);

/* Takes so many bytes; false when they are not there. */
bool purse_take(struct purse *purse, uint64_t bytes);
void purse_give(struct purse *purse, uint64_t bytes);

#endif
