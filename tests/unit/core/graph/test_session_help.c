/* Runs with helpers, who come and go at any tile, against runs alone: the same answers, the same
 * counts. */
#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "failing_malloc.h"
#include "isas.h"
#include "nets.h"
#include "subject.h"

enum { HELPERS = 3, SKIPS = 3 };

/* A crew at whose cores somebody comes and goes all the time. */
struct restless {
    struct crew *crew;
    _Atomic bool over;
    pthread_t thread;
};

static void *disturb(void *argument)
{
    struct restless *restless = argument;
    for (size_t i = 0; !atomic_load(&restless->over); i++) {
        crew_occupy(restless->crew, i);
        for (size_t pause = 0; pause < 50 * (i % 7); pause++)
            cpu_pause();
        crew_vacate(restless->crew, i);
        if (i % 16 == 0)
            sched_yield();
    }
    return NULL;
}

static struct crew *open_crew(void)
{
    struct crew *crew;
    cr_assert(crew_open(&crew, HELPERS, HELPERS, NULL) == STATUS_OK);
    return crew;
}

static void restless_open(struct restless *restless)
{
    *restless = (struct restless){.crew = open_crew()};
    cr_assert(pthread_create(&restless->thread, NULL, disturb, restless) == 0);
}

static void restless_close(struct restless *restless)
{
    atomic_store(&restless->over, true);
    pthread_join(restless->thread, NULL);
    crew_close(restless->crew);
}

/* Every node is worth a helper, even the smallest. */
static void help(struct session *session, struct crew *crew)
{
    cr_assert(session_crew(session, crew, NULL) == STATUS_OK);
    session->help.worth = 2;
}

static void check_counts(const uint32_t *with, const uint32_t *alone, size_t units,
                         const char *layer)
{
    cr_assert(!with == !alone);
    for (size_t i = 0; with && i < units; i++)
        cr_assert(with[i] == alone[i], "%s: unit %zu counts %u, alone %u", layer, i, with[i],
                  alone[i]);
}

static void check_sums(const double *with, const double *alone, const double *size, size_t units,
                       const char *layer)
{
    for (size_t i = 0; with && i < units; i++)
        cr_assert(fabs(with[i] - alone[i]) <= 1e-12 * size[i], "%s: unit %zu sums to %g, alone %g",
                  layer, i, with[i], alone[i]);
}

static void check_tallies(struct session *with, struct session *alone)
{
    for (size_t i = 0; i < with->plan->layer_count; i++) {
        const struct tally *a = &session_tallies(with)[i], *b = &session_tallies(alone)[i];
        const char *name = with->plan->layers[i].name;
        check_counts(a->active, b->active, a->units, name);
        check_counts(a->low, b->low, a->units, name);
        check_counts(a->high, b->high, a->units, name);
        check_sums(a->sum, b->sum, b->magnitude ? b->magnitude : b->sum, a->units, name);
        check_sums(a->magnitude, b->magnitude, b->magnitude, a->units, name);
        cr_assert(*a->nonfinite == *b->nonfinite, "%s: %zu are not finite, alone %zu", name,
                  (size_t)*a->nonfinite, (size_t)*b->nonfinite);
        cr_assert(memcmp(a->max, b->max, a->units * sizeof *a->max) == 0, "%s", name);
    }
}

static void check_rows(const struct subject *subject, struct session *session, size_t rows)
{
    const size_t first = (rows * 7) % (SUBJECT_ROWS + 1 - rows), words = subject->answer_words;
    uint32_t *answer = malloc(words * sizeof *answer);
    subject_run(subject, session, first, rows);
    for (size_t row = 0; row < rows; row++) {
        subject_answer(session, row, answer);
        cr_assert(memcmp(answer, subject->alone + (first + row) * words, words * sizeof *answer) ==
                      0,
                  "%s: net %d: row %zu of %zu differs from itself alone", subject->kernels->name,
                  (int)subject->seed, row, rows);
    }
    free(answer);
}

static void check_net(const struct subject *subject, struct crew *crew)
{
    static const size_t batches[] = {1, 2, 7, 64, SUBJECT_ROWS};
    struct session with, alone;
    subject_session(subject, &with);
    subject_session(subject, &alone);
    help(&with, crew);
    for (size_t i = 0; i < sizeof batches / sizeof *batches * SKIPS; i++) {
        with.skip = alone.skip = (enum skip)(i % SKIPS);
        check_rows(subject, &with, batches[i / SKIPS]);
        check_rows(subject, &alone, batches[i / SKIPS]);
    }
    check_tallies(&with, &alone);
    session_close(&with);
    session_close(&alone);
}

static void check_nets(const struct kernels *kernels)
{
    struct restless restless;
    restless_open(&restless);
    for (uint64_t seed = 1; seed <= SUBJECT_NETS; seed++) {
        struct subject subject;
        subject_open(&subject, kernels, seed);
        check_net(&subject, restless.crew);
        subject_close(&subject);
    }
    restless_close(&restless);
}

Test(session_help, bits_and_counts_do_not_depend_on_helpers)
{
    for_each_isa(check_nets);
}

/* A chain of layers with several panels each. */
enum { IN = 300, OUT = 10, ROWS = 150 };

struct chain {
    struct net net;
    struct session alone, with;
    struct crew *crew;
    float *x;
};

static void chain_open(struct chain *chain)
{
    const struct kernels *kernels = kernels_select("auto", NULL);
    net_init(&chain->net, 7);
    net_chain(&chain->net, 5, (const size_t[]){IN, 1000, 700, 300, OUT},
              (const char *const[]){"relu", "leaky_relu", "relu6", "identity"});
    chain->x = random_rows(&chain->net.random, RANDOM_PLAIN, ROWS, IN);
    net_session(&chain->alone, &chain->net, kernels, STATS_full, ROWS);
    net_session(&chain->with, &chain->net, kernels, STATS_full, ROWS);
    chain->crew = open_crew();
    cr_assert(session_crew(&chain->with, chain->crew, NULL) == STATUS_OK);
}

static void chain_close(struct chain *chain)
{
    session_close(&chain->alone);
    session_close(&chain->with);
    crew_close(chain->crew);
    free(chain->x);
    net_free(&chain->net);
}

static void check_chain(struct chain *chain)
{
    for (size_t row = 0; row < chain->alone.rows; row++)
        cr_assert(memcmp(session_row(&chain->with, 0, row), session_row(&chain->alone, 0, row),
                         OUT * sizeof(float)) == 0,
                  "row %zu", row);
    check_tallies(&chain->with, &chain->alone);
}

/* It begins alone; one after the other come, and go again. */
Test(session_help, a_run_that_was_stopped_goes_on_with_whoever_is_free)
{
    struct chain chain;
    size_t stops = 0;
    chain_open(&chain);
    session_run_rows(&chain.alone, chain.x, ROWS);
    for (size_t core = 0; core < HELPERS; core++)
        crew_occupy(chain.crew, core);
    session_bind(&chain.with, 0, chain.x);
    session_begin(&chain.with, ROWS);
    for (; !session_advance(&chain.with, 0); stops++) {
        cr_assert(chain.with.help.call.count == 0, "they have been returned");
        if (stops >= HELPERS)
            (stops / HELPERS % 2 ? crew_vacate : crew_occupy)(chain.crew, stops);
    }
    cr_assert(stops >= HELPERS);
    check_chain(&chain);
    chain_close(&chain);
}

Test(session_help, a_run_that_was_given_up_leaves_nothing)
{
    struct chain chain;
    chain_open(&chain);
    session_bind(&chain.with, 0, chain.x);
    size_t attempts = 0;
    do { /* helpers may be so quick that nothing is left */
        session_begin(&chain.with, ROWS);
    } while (session_advance(&chain.with, 0) && ++attempts < 100);
    cr_assert(attempts < 100);
    session_forget(&chain.with);
    session_run_rows(&chain.with, chain.x, ROWS);
    session_run_rows(&chain.alone, chain.x, ROWS);
    check_chain(&chain);
    chain_close(&chain);
}

Test(session_help, rows_alone_are_counted_by_whoever_makes_them)
{
    struct chain chain;
    chain_open(&chain);
    for (size_t row = 3; row < ROWS; row += 7)
        chain.x[row * IN + 5] = NAN;
    chain.with.help.worth = 2;
    for (size_t row = 0; row < ROWS; row++)
        session_run_rows(&chain.with, chain.x + row * IN, 1);
    session_run_rows(&chain.alone, chain.x, ROWS);
    check_tallies(&chain.with, &chain.alone);
    chain_close(&chain);
}

/* In one block of rows, where tallies are shared, and in several. */
Test(session_help, outputs_that_are_not_finite_are_counted_by_whoever_makes_them)
{
    struct chain chain;
    chain_open(&chain);
    for (size_t row = 0; row < ROWS; row += 7)
        chain.x[row * IN + row] = row % 2 ? INFINITY : NAN;
    for (size_t round = 0; round < 20; round++)
        for (size_t rows = 60; rows <= ROWS; rows += ROWS - 60) {
            session_run_rows(&chain.with, chain.x, rows);
            session_run_rows(&chain.alone, chain.x, rows);
        }
    cr_assert(*session_tallies(&chain.alone)[0].nonfinite > 1000);
    check_tallies(&chain.with, &chain.alone);
    chain_close(&chain);
}

Test(session_help, a_run_with_helpers_allocates_nothing)
{
    struct chain chain;
    chain_open(&chain);
    const size_t before = malloc_count();
    session_run_rows(&chain.with, chain.x, ROWS);
    cr_assert(malloc_count() == before);
    chain_close(&chain);
}

/* How many helpers a run of rows of x has asked for. */
static size_t helpers_called(struct session *session, size_t worth, const float *x, size_t rows)
{
    session->help.worth = worth;
    session->help.call.begun = 0;
    session_run_rows(session, x, rows);
    return session->help.call.begun;
}

Test(session_help, as_many_are_called_as_there_is_work_for)
{
    struct net net;
    struct session session;
    struct crew *crew = open_crew();
    const float sparse[IN] = {[7] = 1};
    net_init(&net, 8);
    net_chain(&net, 2, (const size_t[]){IN, 1000}, (const char *const[]){"relu"});
    net_session(&session, &net, kernels_select("auto", NULL), STATS_full, 2);
    float *x = random_rows(&net.random, RANDOM_PLAIN, 2, IN);
    cr_assert(helpers_called(&session, 2, x, 2) == 0, "there is no crew");
    cr_assert(session_crew(&session, crew, NULL) == STATUS_OK);
    cr_assert(helpers_called(&session, IN * 1000, x, 2) == 1);
    cr_assert(helpers_called(&session, IN * 1000 + 1, x, 2) == 0);
    cr_assert(helpers_called(&session, IN * 1000, x, 1) == 2, "a row alone costs as much as three");
    cr_assert(helpers_called(&session, IN * 1000, sparse, 1) == 0, "one input counts");
    cr_assert(helpers_called(&session, 2, x, 1) == 3, "four panels, three helpers");
    crew_occupy(crew, 0);
    cr_assert(helpers_called(&session, 2, x, 1) == 2);
    session_close(&session);
    crew_close(crew);
    net_free(&net);
    free(x);
}

/* About half of the second layer's inputs are zero: that alone would not be worth waking anybody.
 */
Test(session_help, helpers_that_are_there_are_called_for_less)
{
    struct net net;
    struct session session;
    struct crew *crew = open_crew();
    net_init(&net, 9);
    net_chain(&net, 3, (const size_t[]){IN, 1000, 300}, (const char *const[]){"relu", "relu"});
    net_session(&session, &net, kernels_select("auto", NULL), STATS_full, 1);
    float *x = random_rows(&net.random, RANDOM_PLAIN, 1, IN);
    cr_assert(session_crew(&session, crew, NULL) == STATUS_OK);
    session_run_rows(&session, x, 1);
    const size_t second = session_active(&session, 0, 0) * 300 * OP_ALONE_COST;
    cr_assert(helpers_called(&session, second / 2, x, 1) == 1, "for the second");
    cr_assert(helpers_called(&session, second / 2 + 1, x, 1) == 1, "woken for the first");
    cr_assert(helpers_called(&session, IN * 1000 / 2 * OP_ALONE_COST + 1, x, 1) == 0);
    session_close(&session);
    crew_close(crew);
    net_free(&net);
    free(x);
}
