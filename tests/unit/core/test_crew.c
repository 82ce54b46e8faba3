#include "crew.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "failing_malloc.h"

enum { HELPERS = 3, BYTES = 1000 };

static struct crew *open_crew(size_t helpers, size_t cores)
{
    struct crew *crew;
    struct error error;
    cr_assert(crew_open(&crew, helpers, cores, &error) == STATUS_OK, "%s", error.message);
    return crew;
}

/* Work that counts who has come, and stays until it is told to go. */
struct visit {
    struct crew_call call;
    _Atomic size_t came, went;
    _Atomic bool go;
    _Atomic bool by_worker[HELPERS + 1];
    _Atomic bool twice; /* two were the same worker */
};

static void stay(void *context, struct crew_hand *hand)
{
    struct visit *visit = context;
    if (atomic_exchange(&visit->by_worker[hand->worker], true))
        atomic_store(&visit->twice, true);
    atomic_fetch_add(&visit->came, 1);
    while (!atomic_load(&visit->go) && !crew_wanted(hand))
        sched_yield();
    atomic_store(&visit->by_worker[hand->worker], false);
    atomic_fetch_add(&visit->went, 1);
}

static void wait_for(_Atomic size_t *number, size_t value)
{
    while (atomic_load(number) < value)
        sched_yield();
}

Test(crew, helpers_come_work_and_go, .timeout = 60)
{
    struct crew *crew = open_crew(HELPERS, HELPERS + 1);
    cr_assert(crew_helpers(crew) == HELPERS);
    struct visit visit = {.call = {.work = stay, .context = &visit}};
    crew_occupy(crew, 0);
    crew_borrow(crew, &visit.call, HELPERS);
    cr_assert(visit.call.count == HELPERS);
    for (size_t round = 1; round <= 1000; round++) {
        atomic_store(&visit.go, false);
        crew_begin(&visit.call, HELPERS);
        wait_for(&visit.came, round * HELPERS);
        atomic_store(&visit.go, true);
        crew_settle(&visit.call);
        cr_assert(atomic_load(&visit.went) == round * HELPERS);
        for (size_t i = 0; i < HELPERS; i++)
            cr_assert(visit.call.hands[i]->came);
    }
    cr_assert(!atomic_load(&visit.twice));
    crew_return(&visit.call);
    cr_assert(visit.call.count == 0);
    crew_close(crew);
}

Test(crew, only_as_many_begin_as_are_wanted, .timeout = 60)
{
    struct crew *crew = open_crew(HELPERS, HELPERS);
    struct visit visit = {.call = {.work = stay, .context = &visit}};
    crew_borrow(crew, &visit.call, HELPERS);
    crew_begin(&visit.call, 1);
    wait_for(&visit.came, 1);
    usleep(1000);
    cr_assert(atomic_load(&visit.came) == 1 && atomic_load(&visit.by_worker[1]));
    atomic_store(&visit.go, true);
    crew_settle(&visit.call);
    crew_return(&visit.call);
    crew_close(crew);
}

Test(crew, a_core_is_lent_when_nobody_uses_it)
{
    struct crew *crew = open_crew(HELPERS, 3);
    struct crew_call first = {.count = 0}, second = {.count = 0};
    crew_occupy(crew, 0);
    crew_occupy(crew, 3); /* the same core */
    crew_occupy(crew, 1);
    crew_borrow(crew, &first, HELPERS);
    cr_assert(first.count == 1, "%zu", first.count);
    crew_vacate(crew, 0);
    crew_vacate(crew, 1);
    crew_borrow(crew, &second, HELPERS);
    cr_assert(second.count == 1, "somebody still uses core 0");
    crew_vacate(crew, 3);
    crew_borrow(crew, &second, HELPERS);
    cr_assert(second.count == 2);
    crew_return(&first);
    crew_borrow(crew, &second, HELPERS);
    cr_assert(second.count == 3);
    crew_borrow(crew, &first, 1);
    cr_assert(first.count == 0);
    crew_return(&second);
    crew_close(crew);
}

Test(crew, no_more_are_lent_than_there_are)
{
    struct crew *crew = open_crew(2, 8), *nobody = open_crew(0, 8);
    struct crew_call call = {.count = 0};
    crew_borrow(nobody, &call, 4);
    cr_assert(call.count == 0);
    crew_borrow(crew, &call, 1);
    cr_assert(call.count == 1 && call.hands[0]->worker == 1);
    crew_borrow(crew, &call, 4);
    cr_assert(call.count == 2 && call.hands[1]->worker == 2);
    crew_return(&call);
    crew_close(nobody);
    crew_close(crew);
}

Test(crew, a_helper_leaves_when_its_core_is_wanted, .timeout = 60)
{
    struct crew *crew = open_crew(HELPERS, HELPERS);
    struct visit visit = {.call = {.work = stay, .context = &visit}};
    crew_borrow(crew, &visit.call, HELPERS);
    crew_begin(&visit.call, HELPERS);
    wait_for(&visit.came, HELPERS);
    crew_occupy(crew, 1);
    wait_for(&visit.went, 1);
    usleep(1000);
    cr_assert(atomic_load(&visit.went) == 1, "the cores of the others are free");
    atomic_store(&visit.go, true);
    crew_settle(&visit.call);
    crew_return_wanted(&visit.call);
    cr_assert(visit.call.count == HELPERS - 1);
    for (size_t i = 0; i < visit.call.count; i++)
        cr_assert(visit.call.hands[i]->worker == i + 1 && !crew_wanted(visit.call.hands[i]));
    crew_borrow(crew, &visit.call, HELPERS);
    cr_assert(visit.call.count == HELPERS - 1);
    crew_return(&visit.call);
    crew_close(crew);
}

static void count(void *context, struct crew_hand *hand)
{
    (void)hand;
    atomic_fetch_add((_Atomic size_t *)context, 1);
}

/* Whoever is late is not waited for, and does not come later either. */
Test(crew, a_call_can_be_taken_back, .timeout = 60)
{
    struct crew *crew = open_crew(HELPERS, HELPERS);
    _Atomic size_t worked = 0;
    size_t came = 0;
    struct crew_call call = {.work = count, .context = (void *)&worked};
    crew_borrow(crew, &call, HELPERS);
    for (size_t round = 0; round < 20000; round++) {
        crew_begin(&call, HELPERS);
        if (round % 1000 == 0)
            usleep(100); /* they come, and go to sleep */
        crew_settle(&call);
        for (size_t i = 0; i < HELPERS; i++)
            came += call.hands[i]->came;
        cr_assert(came == atomic_load(&worked), "round %zu", round);
    }
    cr_assert(came > 0);
    crew_return(&call);
    crew_close(crew);
}

static void fill(void *context, struct crew_hand *hand)
{
    memset(hand->memory, (int)hand->worker, *(const size_t *)context);
}

Test(crew, every_helper_has_the_memory_that_was_reserved, .timeout = 60)
{
    struct crew *crew = open_crew(HELPERS, HELPERS);
    for (size_t bytes = 1; bytes < 100000; bytes = bytes * 10 + 1) {
        struct crew_call call = {.work = fill, .context = &bytes};
        cr_assert(crew_reserve(crew, bytes, NULL) == STATUS_OK);
        cr_assert(crew_reserve(crew, 1, NULL) == STATUS_OK, "it does not shrink");
        crew_borrow(crew, &call, HELPERS);
        do {
            crew_begin(&call, HELPERS);
            usleep(10);
            crew_settle(&call);
        } while (!call.hands[0]->came || !call.hands[1]->came || !call.hands[2]->came);
        for (size_t i = 0; i < HELPERS; i++) {
            const char *memory = call.hands[i]->memory;
            cr_assert((size_t)memory % 64 == 0);
            cr_assert(memory[0] == (char)(i + 1) && memory[bytes - 1] == (char)(i + 1));
        }
        crew_return(&call);
    }
    crew_close(crew);
}

Test(crew, without_memory_nothing_stays_behind)
{
    struct crew *crew;
    struct error error;
    for (size_t successes = 0; malloc_watched() && successes < 3; successes++) {
        malloc_fail_after(successes);
        enum status status = crew_open(&crew, HELPERS, 2, &error);
        cr_assert(malloc_stop_failing() && status == STATUS_OUT_OF_MEMORY, "after %zu", successes);
    }
    crew = open_crew(HELPERS, 2);
    cr_assert(crew_reserve(crew, SIZE_MAX - 10, &error) == STATUS_OUT_OF_MEMORY);
    cr_assert(crew_reserve(crew, 10, &error) == STATUS_OK);
    crew_close(crew);
}

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

Test(crew, an_idle_crew_costs_no_time)
{
    struct crew *crew = open_crew(HELPERS, HELPERS);
    struct crew_call call = {.work = count, .context = (void *)&(_Atomic size_t){0}};
    crew_borrow(crew, &call, 2);
    crew_begin(&call, 2);
    usleep(20000);
    crew_settle(&call);
    const double begun = cpu_seconds();
    usleep(300000);
    cr_assert(cpu_seconds() - begun < 0.1, "two are lent and wait, one is free");
    crew_return(&call);
    crew_close(crew);
}

/* Everybody at once: borrowers who call whomever they get, and somebody who comes and goes at the
 * cores. */
struct borrower {
    struct crew *crew;
    _Atomic bool *over;
    struct crew_call call;
    _Atomic size_t inside;
    _Atomic bool wrong; /* a helper was at two places, or at work when all had settled */
    size_t plain;       /* written by turns: by a helper, and by who has borrowed it */
    pthread_t thread;
};

static void enter(void *context, struct crew_hand *hand)
{
    struct borrower *borrower = context;
    _Atomic unsigned *busy = hand->memory;
    atomic_fetch_add(&borrower->inside, 1);
    if (atomic_exchange(busy, 1) != 0)
        atomic_store(&borrower->wrong, true);
    if (hand->worker == 1)
        borrower->plain++;
    atomic_store(busy, 0);
    atomic_fetch_sub(&borrower->inside, 1);
}

static void *borrow(void *argument)
{
    struct borrower *borrower = argument;
    borrower->call = (struct crew_call){.work = enter, .context = borrower};
    for (size_t round = 0; !atomic_load(borrower->over); round++) {
        crew_borrow(borrower->crew, &borrower->call, 1 + round % HELPERS);
        for (size_t i = 0; i < round % 5; i++) {
            crew_begin(&borrower->call, 1 + i % HELPERS);
            if (round % 64 == 0)
                usleep(50);
            crew_settle(&borrower->call);
            if (atomic_load(&borrower->inside) > 0)
                atomic_store(&borrower->wrong, true);
            borrower->plain++;
            crew_return_wanted(&borrower->call);
        }
        crew_return(&borrower->call);
    }
    return NULL;
}

Test(crew, many_borrow_from_one_crew, .timeout = 60)
{
    struct crew *crew = open_crew(HELPERS, HELPERS);
    _Atomic bool over = false;
    struct borrower borrowers[3];
    cr_assert(crew_reserve(crew, BYTES, NULL) == STATUS_OK);
    for (size_t i = 0; i < 3; i++) {
        borrowers[i] = (struct borrower){.crew = crew, .over = &over};
        cr_assert(pthread_create(&borrowers[i].thread, NULL, borrow, &borrowers[i]) == 0);
    }
    for (size_t i = 0; i < 1000; i++) {
        crew_occupy(crew, i);
        if (i % 8 == 0)
            cr_assert(crew_reserve(crew, BYTES + i, NULL) == STATUS_OK);
        sched_yield();
        crew_vacate(crew, i);
    }
    atomic_store(&over, true);
    for (size_t i = 0; i < 3; i++) {
        pthread_join(borrowers[i].thread, NULL);
        cr_assert(!atomic_load(&borrowers[i].wrong));
    }
    crew_close(crew);
}
