#include <criterion/criterion.h>
#include <pthread.h>

#include "budget.h"
#include "randoms.h"

Test(budget, a_single_purse_gives_all_and_no_more)
{
    static const uint64_t sizes[] = {1, 63, 64, 1000, 1 << 30, 1ull << 40};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct budget budget;
        struct purse purse = {&budget, 0};
        const uint64_t all = sizes[i];
        budget_init(&budget, all, 1);
        cr_assert(purse_take(&purse, all - 1), "%zu", i);
        cr_assert_not(purse_take(&purse, 2));
        cr_assert(purse_take(&purse, 1));
        cr_assert_not(purse_take(&purse, 1));
        cr_assert_not(purse_take(&purse, UINT64_MAX));
        cr_assert(purse_take(&purse, 0));
        purse_give(&purse, 1);
        purse_give(&purse, all - 1);
        cr_assert(purse_take(&purse, all), "what was given back is there again");
        cr_assert_not(purse_take(&purse, 1));
    }
}

/* What the others keep is at most a 32nd of all. */
Test(budget, purses_keep_little)
{
    enum { PURSES = 8, ALL = 1 << 20 };
    struct budget budget;
    struct purse purses[PURSES];
    budget_init(&budget, ALL, PURSES);
    for (size_t i = 0; i < PURSES; i++) {
        purses[i] = (struct purse){&budget, 0};
        cr_assert(purse_take(&purses[i], 100000 + i));
        cr_assert(purse_take(&purses[i], 1));
    }
    for (size_t i = 0; i < PURSES; i++) {
        purse_give(&purses[i], 1);
        purse_give(&purses[i], 100000 + i);
    }
    cr_assert(purse_take(&purses[0], ALL - ALL / 32));
}

struct spender {
    pthread_t thread;
    struct purse purse;
    _Atomic int64_t *spent;
    struct randoms random;
    uint64_t refused;
};

enum { SPENDERS = 4, SPENT_MAX = 1 << 20 };

static void *spend(void *context)
{
    struct spender *spender = context;
    for (int i = 0; i < 20000; i++) {
        uint64_t bytes = random_between(&spender->random, 0, SPENT_MAX / 3);
        if (!purse_take(&spender->purse, bytes)) {
            spender->refused++;
            continue;
        }
        int64_t spent = atomic_fetch_add(spender->spent, (int64_t)bytes) + (int64_t)bytes;
        if (spent > SPENT_MAX)
            return spender;
        atomic_fetch_sub(spender->spent, (int64_t)bytes);
        purse_give(&spender->purse, bytes);
    }
    return NULL;
}

Test(budget, holds_in_threads)
{
    struct budget budget;
    struct spender spenders[SPENDERS];
    _Atomic int64_t spent = 0;
    budget_init(&budget, SPENT_MAX, SPENDERS);
    for (size_t i = 0; i < SPENDERS; i++) {
        spenders[i] = (struct spender){.purse = {&budget, 0}, .spent = &spent, .random = {i + 1}};
        cr_assert_eq(pthread_create(&spenders[i].thread, NULL, spend, &spenders[i]), 0);
    }
    uint64_t left = 0;
    for (size_t i = 0; i < SPENDERS; i++) {
        void *failed;
        pthread_join(spenders[i].thread, &failed);
        cr_assert_null(failed, "more was spent than there was");
        left += spenders[i].purse.spare;
    }
    cr_assert_eq(left + atomic_load(&budget.left), SPENT_MAX);
}
