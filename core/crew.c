#include "crew.h"

#include <assert.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cpu.h"

/* How long a helper, or who waits for one, stays awake before it sleeps: longer than it takes to
 * wake it, so that waiting costs at most twice what it must. A helper that came too late, because
 * its core had to be woken as well, stays until the next run calls, or it would be late for all of
 * them. */
enum { AWAKE_NS = 10000, LATE_NS = 200000, PAUSES = 16 /* between two looks at the clock */ };

/* Between two looks whether a helper has been returned. */
enum { RESERVE_US = 50 };

/* A helper's state is one word that both sides change, and wait on:
 *
 *     FREE -> HELD -> CALLED -> WORKING -> HELD -> FREE
 *
 * Only the step from CALLED to WORKING and the one back to HELD are the helper's, all others belong
 * to who has borrowed it; a call that it has not answered is taken back. ASLEEP is set beside the
 * state by the one who sleeps until it changes: the helper while it has no work, the borrower while
 * the helper is at work. */
enum { FREE = 1, HELD = 2, CALLED = 4, WORKING = 8, ENDING = 16, ASLEEP = 32 };

struct helper {
    _Alignas(64) struct crew_hand hand; /* first: a pointer to it is one to the helper */
    _Atomic uint32_t state;
    struct crew_call *call;
    struct core *core;          /* lent with it */
    _Atomic unsigned reserving; /* how many wait to give it more memory: then it is not lent */
    size_t bytes;               /* of its memory */
    pthread_t thread;
};

struct core {
    _Alignas(64) _Atomic unsigned occupants;
    _Atomic bool lent;
};

struct crew {
    size_t helper_count, core_count;
    _Atomic size_t reserved; /* bytes that every helper has */
    struct helper *helpers;  /* owned */
    struct core *cores;      /* owned */
};

/* Waiting */

static void futex(_Atomic uint32_t *word, int operation, uint32_t value)
{
    syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

static bool is(uint32_t state, uint32_t states)
{
    return state & states;
}

/* Waits while the state is one of states, but no longer than that. */
static void wait_awake(const struct helper *helper, uint32_t states, uint64_t awake_ns)
{
    const uint64_t end = cpu_clock_ns() + awake_ns;
    do {
        for (size_t i = 0; i < PAUSES; i++) {
            if (!is(atomic_load_explicit(&helper->state, memory_order_relaxed), states))
                return;
            cpu_pause();
        }
    } while (cpu_clock_ns() < end);
}

/* Returns the state once it is none of states. */
static uint32_t wait_while(struct helper *helper, uint32_t states)
{
    for (uint64_t awake_ns = AWAKE_NS;;) {
        uint32_t state = atomic_load_explicit(&helper->state, memory_order_acquire);
        if (!is(state, states))
            return state;
        if (awake_ns > 0) {
            wait_awake(helper, states, awake_ns);
            awake_ns = 0;
            continue;
        }
        if (!is(state, ASLEEP) &&
            !atomic_compare_exchange_strong(&helper->state, &state, state | ASLEEP))
            continue;
        futex(&helper->state, FUTEX_WAIT_PRIVATE, state | ASLEEP);
        awake_ns = LATE_NS; /* woken, and if it still has to wait, too late */
    }
}

/* Sets the state, and wakes who sleeps until then. */
static void change(struct helper *helper, uint32_t to)
{
    if (is(atomic_exchange(&helper->state, to), ASLEEP))
        futex(&helper->state, FUTEX_WAKE_PRIVATE, 1);
}

/* Takes one step if the helper is in that state, which nobody waits to see left. */
static bool step(struct helper *helper, uint32_t from, uint32_t to)
{
    uint32_t state = atomic_load_explicit(&helper->state, memory_order_relaxed);
    while (is(state, from))
        if (atomic_compare_exchange_weak(&helper->state, &state, to | (state & ASLEEP)))
            return true;
    return false;
}

/* The thread */

static void *live(void *argument)
{
    struct helper *helper = argument;
    while (wait_while(helper, FREE | HELD) != ENDING) {
        if (!step(helper, CALLED, WORKING))
            continue;
        helper->call->work(helper->call->context, &helper->hand);
        change(helper, HELD);
    }
    return NULL;
}

/* Signals are for the threads that were there before. */
static int start(struct helper *helper)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    atomic_init(&helper->state, FREE);
    int failed = pthread_create(&helper->thread, NULL, live, helper);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

static enum status start_all(struct crew *crew, size_t helpers, struct error *error)
{
    for (; crew->helper_count < helpers; crew->helper_count++) {
        int failed = start(&crew->helpers[crew->helper_count]);
        if (failed)
            return error_set(error, STATUS_IO, "a helper does not start: %s", strerror(failed));
    }
    return STATUS_OK;
}

/* count elements of a multiple of 64 bytes, zeroed. */
static void *alloc_lines(size_t count, size_t bytes)
{
    void *lines = aligned_alloc(64, count * bytes);
    return lines ? memset(lines, 0, count * bytes) : NULL;
}

enum status crew_open(struct crew **made, size_t helpers, size_t cores, struct error *error)
{
    assert(helpers <= CREW_HELPERS_MAX && cores > 0);
    enum status status = STATUS_OK;
    struct crew *crew = calloc(1, sizeof *crew);
    if (crew) {
        crew->core_count = cores;
        crew->cores = alloc_lines(cores, sizeof *crew->cores);
        crew->helpers = alloc_lines(helpers + 1, sizeof *crew->helpers);
    }
    if (crew && crew->cores && crew->helpers)
        status = start_all(crew, helpers, error);
    else
        status = error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for %zu helpers", helpers);
    if (status == STATUS_OK)
        *made = crew;
    else
        crew_close(crew);
    return status;
}

void crew_close(struct crew *crew)
{
    if (!crew)
        return;
    for (size_t i = 0; i < crew->helper_count; i++) {
        change(&crew->helpers[i], ENDING);
        pthread_join(crew->helpers[i].thread, NULL);
        free(crew->helpers[i].hand.memory);
    }
    free(crew->helpers);
    free(crew->cores);
    free(crew);
}

size_t crew_helpers(const struct crew *crew)
{
    return crew->helper_count;
}

static bool grow(struct helper *helper, size_t bytes)
{
    if (bytes <= helper->bytes)
        return true;
    void *memory = bytes <= SIZE_MAX - 64 ? alloc_lines(bytes / 64 + 1, 64) : NULL;
    if (!memory)
        return false;
    free(helper->hand.memory);
    helper->hand.memory = memory;
    helper->bytes = bytes;
    return true;
}

enum status crew_reserve(struct crew *crew, size_t bytes, struct error *error)
{
    bool grown = true;
    if (bytes <= atomic_load(&crew->reserved))
        return STATUS_OK;
    for (size_t i = 0; grown && i < crew->helper_count; i++) {
        struct helper *helper = &crew->helpers[i];
        atomic_fetch_add(&helper->reserving, 1);
        while (!step(helper, FREE, HELD))
            usleep(RESERVE_US);
        grown = grow(helper, bytes);
        step(helper, HELD, FREE);
        atomic_fetch_sub(&helper->reserving, 1);
    }
    if (!grown)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for %zu helpers",
                         crew->helper_count);
    atomic_store(&crew->reserved, bytes);
    return STATUS_OK;
}

/* Cores */

void crew_occupy(struct crew *crew, size_t core)
{
    atomic_fetch_add_explicit(&crew->cores[core % crew->core_count].occupants, 1,
                              memory_order_relaxed);
}

void crew_vacate(struct crew *crew, size_t core)
{
    atomic_fetch_sub_explicit(&crew->cores[core % crew->core_count].occupants, 1,
                              memory_order_relaxed);
}

static bool is_free(const struct core *core)
{
    return atomic_load_explicit(&core->occupants, memory_order_relaxed) == 0 &&
           !atomic_load_explicit(&core->lent, memory_order_relaxed);
}

/* A core that nobody uses, from then on lent; NULL for none. */
static struct core *lend_core(struct crew *crew)
{
    for (size_t i = 0; i < crew->core_count; i++)
        if (is_free(&crew->cores[i]) && !atomic_exchange(&crew->cores[i].lent, true))
            return &crew->cores[i];
    return NULL;
}

static void return_core(struct core *core)
{
    atomic_store(&core->lent, false);
}

/* Lending */

static struct helper *lend_helper(struct crew *crew)
{
    for (size_t i = 0; i < crew->helper_count; i++)
        if (atomic_load_explicit(&crew->helpers[i].reserving, memory_order_relaxed) == 0 &&
            step(&crew->helpers[i], FREE, HELD))
            return &crew->helpers[i];
    return NULL;
}

static struct helper *helper_of(struct crew_hand *hand)
{
    return (struct helper *)(void *)hand;
}

void crew_borrow(struct crew *crew, struct crew_call *call, size_t want)
{
    while (call->count < want) {
        struct core *core = lend_core(crew);
        struct helper *helper = core ? lend_helper(crew) : NULL;
        if (!helper) {
            if (core)
                return_core(core);
            return;
        }
        call->hands[call->count++] = &helper->hand;
        helper->call = call;
        helper->core = core;
        helper->hand.worker = call->count;
        helper->hand.occupants = &core->occupants;
    }
}

void crew_begin(struct crew_call *call, size_t most)
{
    call->begun = most < call->count ? most : call->count;
    for (size_t i = 0; i < call->begun; i++)
        change(helper_of(call->hands[i]), CALLED);
}

void crew_settle(struct crew_call *call)
{
    for (size_t i = 0; i < call->begun; i++) {
        struct helper *helper = helper_of(call->hands[i]);
        helper->hand.came = !step(helper, CALLED, HELD);
        if (helper->hand.came)
            wait_while(helper, WORKING);
    }
}

/* Returns the call's helper at i; the last one takes its place. */
static void return_helper(struct crew_call *call, size_t i)
{
    struct helper *helper = helper_of(call->hands[i]);
    call->hands[i] = call->hands[--call->count];
    call->hands[i]->worker = i + 1;
    return_core(helper->core);
    step(helper, HELD, FREE);
}

void crew_return_wanted(struct crew_call *call)
{
    for (size_t i = call->count; i-- > 0;)
        if (crew_wanted(call->hands[i]))
            return_helper(call, i);
}

void crew_return(struct crew_call *call)
{
    while (call->count > 0)
        return_helper(call, call->count - 1);
}
