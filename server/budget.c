#include "budget.h"

enum { GRAIN_BYTES_MAX = 64 * 1024, GRAINS = 64 };

void budget_init(struct budget *budget, uint64_t bytes, size_t purses)
{
    uint64_t grain = bytes / (GRAINS * purses);
    atomic_init(&budget->left, bytes);
    budget->bytes = bytes;
    budget->grain = grain < GRAIN_BYTES_MAX ? grain : GRAIN_BYTES_MAX;
}

static bool take(struct budget *budget, uint64_t bytes)
{
    uint64_t left = atomic_load_explicit(&budget->left, memory_order_relaxed);
    while (left >= bytes)
        if (atomic_compare_exchange_weak(&budget->left, &left, left - bytes))
            return true;
    return false;
}

/* With a grain to spare if there is one, else just enough. */
bool purse_take(struct purse *purse, uint64_t bytes)
{
    struct budget *budget = purse->budget;
    if (bytes > purse->spare) {
        uint64_t missing = bytes - purse->spare;
        uint64_t taken = missing + budget->grain;
        if (missing > budget->bytes)
            return false;
        if (!take(budget, taken)) {
            taken = missing;
            if (!take(budget, taken))
                return false;
        }
        purse->spare += taken;
    }
    purse->spare -= bytes;
    return true;
}

void purse_give(struct purse *purse, uint64_t bytes)
{
    struct budget *budget = purse->budget;
    purse->spare += bytes;
    if (purse->spare <= 2 * budget->grain)
        return;
    atomic_fetch_add(&budget->left, purse->spare - budget->grain);
    purse->spare = budget->grain;
}
