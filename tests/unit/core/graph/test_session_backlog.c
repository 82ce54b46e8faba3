/* Rows that are run alone are counted later, together: nobody can tell. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "nets.h"

/* So wide a layer takes longer than a run lasts between two looks at the clock. */
enum { IN = 30, WIDE = 300, TOO_WIDE = 20000, ROWS = 3 * OP_BACKLOG_ROWS + 5 };

struct backlog {
    struct net net;
    struct session alone, together;
    float *x; /* [ROWS, IN] */
};

static void backlog_init(struct backlog *b, enum stats_level level, size_t wide)
{
    const struct kernels *kernels = kernels_select("auto", NULL);
    net_init(&b->net, 71);
    uint32_t value = net_dense(&b->net, net_input(&b->net, IN), 33, "relu");
    value = net_dense(&b->net, value, wide, "leaky_relu");
    value = net_dense(&b->net, value, 17, "sigmoid");
    net_output(&b->net, net_dense(&b->net, value, 20, "identity"));
    net_plan(&b->net);
    b->x = random_rows(&b->net.random, RANDOM_PLAIN, ROWS, IN);
    net_session(&b->alone, &b->net, kernels, level, ROWS);
    net_session(&b->together, &b->net, kernels, level, ROWS);
}

static void backlog_free(struct backlog *b)
{
    session_close(&b->alone);
    session_close(&b->together);
    free(b->x);
    net_free(&b->net);
}

static void run_alone(struct backlog *b, size_t first, size_t rows)
{
    for (size_t row = first; row < first + rows; row++)
        session_run_rows(&b->alone, b->x + row * IN, 1);
}

static bool same(const void *a, const void *b, size_t count, size_t size)
{
    return (!a && !b) || (a && b && memcmp(a, b, count * size) == 0);
}

static void check_counts(struct backlog *b)
{
    const struct tally *alone = session_tallies(&b->alone);
    const struct tally *together = session_tallies(&b->together);
    for (size_t i = 0; i < b->net.plan.layer_count; i++) {
        const struct tally *c = &alone[i], *d = &together[i];
        const size_t units = c->units;
        cr_assert(*c->nonfinite == *d->nonfinite, "layer %zu", i);
        cr_assert(same(c->active, d->active, units, sizeof *c->active), "layer %zu", i);
        cr_assert(same(c->low, d->low, units, sizeof *c->low), "layer %zu", i);
        cr_assert(same(c->high, d->high, units, sizeof *c->high), "layer %zu", i);
        cr_assert(same(c->sum, d->sum, units, sizeof *c->sum), "layer %zu", i);
        cr_assert(same(c->magnitude, d->magnitude, units, sizeof *c->magnitude), "layer %zu", i);
        cr_assert(same(c->max, d->max, units, sizeof *c->max), "layer %zu", i);
    }
}

static void check_level(enum stats_level level)
{
    struct backlog b;
    backlog_init(&b, level, WIDE);
    b.x[7 * IN + 3] = NAN;
    for (size_t rows = 1; rows <= ROWS; rows++) {
        run_alone(&b, 0, rows);
        session_run_rows(&b.together, b.x, rows);
        check_counts(&b);
    }
    backlog_free(&b);
}

Test(session_backlog, rows_alone_count_as_in_a_batch)
{
    check_level(STATS_full);
    check_level(STATS_counts);
}

/* The order in which rows reach a sum is the same, too: of numbers so different it shows. */
Test(session_backlog, batches_may_come_between_rows_alone)
{
    struct backlog b;
    backlog_init(&b, STATS_full, WIDE);
    for (size_t i = 0; i < ROWS * IN; i++)
        b.x[i] *= powf(10, (float)(i / IN % 13));
    run_alone(&b, 0, 5);
    session_run_rows(&b.alone, b.x + 5 * IN, 20);
    run_alone(&b, 25, ROWS - 25);
    session_run_rows(&b.together, b.x, ROWS);
    check_counts(&b);
    backlog_free(&b);
}

Test(session_backlog, what_is_forgotten_is_not_counted_later)
{
    struct backlog b;
    backlog_init(&b, STATS_full, WIDE);
    session_run_rows(&b.alone, b.x, 5);
    run_alone(&b, 5, 3);
    session_forget(&b.alone);
    run_alone(&b, 9, 6);
    session_run_rows(&b.together, b.x + 9 * IN, 6);
    check_counts(&b);
    backlog_free(&b);
}

static void give_up(size_t rows)
{
    struct backlog b;
    backlog_init(&b, STATS_full, TOO_WIDE);
    run_alone(&b, 0, 5);
    session_bind(&b.alone, 0, b.x + 5 * IN);
    session_begin(&b.alone, rows);
    cr_assert(!session_advance(&b.alone, 0), "it stops in the wide layer");
    session_forget(&b.alone);
    run_alone(&b, 6, 3);
    session_run_rows(&b.together, b.x + 6 * IN, 3);
    check_counts(&b);
    backlog_free(&b);
}

/* A run that was begun and given up leaves nothing behind. */
Test(session_backlog, a_run_given_up_is_not_counted)
{
    give_up(1);
    give_up(2);
}
