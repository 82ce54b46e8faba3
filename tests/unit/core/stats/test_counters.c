/* Counters: what runs counted is folded, merged and reset, exactly. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nets.h"
#include "stats/counters.h"

/* 6 -> 20 relu -> 9 tanh -> 5 prelu: two layers have a magnitude of their own, one has not. */
static void make_net(struct net *net)
{
    net_init(net, 1);
    net_chain(net, 4, (const size_t[]){6, 20, 9, 5},
              (const char *const[]){"relu", "tanh", "prelu(slope=-0.5)"});
}

static void init(struct counters *counters, struct net *net, enum stats_level level)
{
    cr_assert(counters_init(counters, &net->arena, &net->plan, level, NULL) == STATUS_OK);
}

/* Runs rows of x and folds what was counted into counters. */
static void run(struct session *session, struct counters *counters, const float *x, size_t rows)
{
    session_run_rows(session, x, rows);
    counters_fold(counters, session_tallies(session), rows);
}

static bool same_layer(const struct layer_counters *a, const struct layer_counters *b, size_t units)
{
    if (a->observations != b->observations || a->nonfinite != b->nonfinite ||
        (a->active && memcmp(a->active, b->active, units * sizeof *a->active) != 0) ||
        (a->low && (memcmp(a->low, b->low, units * sizeof *a->low) != 0 ||
                    memcmp(a->high, b->high, units * sizeof *a->high) != 0)))
        return false;
    for (size_t i = 0; a->sum && i < units; i++)
        if (fabs(a->sum[i] - b->sum[i]) > 1e-12 * a->magnitude[i] ||
            fabs(a->magnitude[i] - b->magnitude[i]) > 1e-12 * a->magnitude[i])
            return false;
    return !a->max || memcmp(a->max, b->max, units * sizeof *a->max) == 0;
}

static bool same_counters(const struct counters *a, const struct counters *b)
{
    for (size_t i = 0; i < a->plan->layer_count; i++)
        if (!same_layer(&a->layers[i], &b->layers[i], a->plan->layers[i].units))
            return false;
    return a->samples == b->samples;
}

Test(counters, levels_have_names)
{
    for (enum stats_level level = STATS_off; level <= STATS_full; level++) {
        enum stats_level found;
        cr_assert(stats_level_named(&found, stats_level_name(level)) && found == level);
    }
    enum stats_level none;
    cr_assert(!stats_level_named(&none, "") && !stats_level_named(&none, "Full"));
}

Test(counters, begin_empty)
{
    struct net net;
    struct counters counters;
    make_net(&net);
    init(&counters, &net, STATS_full);
    cr_assert(counters.samples == 0 && counters.plan->layer_count == 3);
    for (size_t i = 0; i < 3; i++) {
        const struct layer_counters *layer = &counters.layers[i];
        cr_assert(layer->observations == 0 && layer->nonfinite == 0);
        for (size_t unit = 0; unit < net.plan.layers[i].units; unit++)
            cr_assert(layer->active[unit] == 0 && layer->sum[unit] == 0 &&
                      layer->magnitude[unit] == 0 && layer->max[unit] == -INFINITY);
    }
    cr_assert(counters.layers[0].magnitude == counters.layers[0].sum, "relu is never negative");
    cr_assert(counters.layers[1].magnitude != counters.layers[1].sum, "tanh is");
    cr_assert(!counters.layers[0].low && !counters.layers[0].high, "relu has no flat tail");
    cr_assert(counters.layers[1].low && counters.layers[1].high, "tanh has two");
    net_free(&net);
}

Test(counters, below_full_only_firing_is_counted)
{
    struct net net;
    struct counters counters;
    struct session session;
    make_net(&net);
    init(&counters, &net, STATS_counts);
    net_session(&session, &net, kernels_select("auto", NULL), STATS_counts, 4);
    float *x = random_rows(&net.random, RANDOM_PLAIN, 4, 6);
    run(&session, &counters, x, 4);
    const struct layer_counters *layer = &counters.layers[1];
    cr_assert(layer->observations == 4 && !layer->sum && !layer->magnitude && !layer->max);
    uint64_t active = 0;
    for (size_t unit = 0; unit < 9; unit++)
        active += layer->active[unit];
    cr_assert(active > 0 && active < 4 * 9);
    counters_reset(&counters);
    cr_assert(counters.samples == 0 && layer->observations == 0 && layer->active[0] == 0);
    session_close(&session);
    free(x);
    net_free(&net);
}

Test(counters, at_level_off_rows_are_counted_and_nothing_else)
{
    struct net net;
    struct counters counters;
    struct session session;
    make_net(&net);
    init(&counters, &net, STATS_off);
    net_session(&session, &net, kernels_select("auto", NULL), STATS_off, 4);
    cr_assert(!session_tallies(&session));
    float *x = random_rows(&net.random, RANDOM_PLAIN, 4, 6);
    run(&session, &counters, x, 4);
    cr_assert(counters.samples == 4);
    for (size_t i = 0; i < 3; i++)
        cr_assert(counters.layers[i].observations == 0);
    session_close(&session);
    free(x);
    net_free(&net);
}

/* As if unit 3 of layer 1 had been seen in some rows. */
static void tally_unit(struct tally *tallies, uint32_t active, float max)
{
    tallies[1].active[3] = active;
    tallies[1].low[3] = active + 1;
    tallies[1].high[3] = active + 2;
    tallies[1].sum[3] = -1.5;
    tallies[1].magnitude[3] = 2.5;
    tallies[1].max[3] = max;
    *tallies[1].nonfinite = 2;
}

static bool empty_unit(const struct tally *tallies)
{
    return tallies[1].active[3] == 0 && tallies[1].low[3] == 0 && tallies[1].high[3] == 0 &&
           tallies[1].sum[3] == 0 && tallies[1].magnitude[3] == 0 &&
           tallies[1].max[3] == -INFINITY && *tallies[1].nonfinite == 0;
}

/* Twice, so that adding can be told from setting; what was not seen stays as it was. */
static void check_added(const struct counters *counters)
{
    const struct layer_counters *layer = &counters->layers[1];
    cr_assert(counters->samples == 30 && layer->observations == 30);
    cr_assert(layer->low[3] == 23 && layer->high[3] == 25);
    cr_assert(layer->active[3] == 21 && layer->sum[3] == -3 && layer->magnitude[3] == 5);
    cr_assert(layer->max[3] == 4 && layer->nonfinite == 4);
    cr_assert(layer->active[2] == 0 && layer->max[2] == -INFINITY);
}

Test(counters, a_fold_adds_and_empties)
{
    struct net net;
    struct counters added, folded;
    struct tally *tallies;
    make_net(&net);
    init(&added, &net, STATS_full);
    init(&folded, &net, STATS_full);
    cr_assert(tallies_init(&tallies, &net.arena, &net.plan, STATS_full, NULL) == STATUS_OK);
    for (uint32_t i = 1; i <= 2; i++) {
        tally_unit(tallies, 7 * i, i == 1 ? 4.0f : 3.0f);
        counters_add(&added, tallies, 10 * i);
        cr_assert(!empty_unit(tallies), "adding leaves the tallies alone");
        counters_fold(&folded, tallies, 10 * i);
        cr_assert(empty_unit(tallies));
    }
    check_added(&added);
    check_added(&folded);
    net_free(&net);
}

/* Where magnitude is sum it must not be added twice. */
Test(counters, a_nonnegative_layer_adds_its_sum_once)
{
    struct net net;
    struct counters counters, other;
    struct tally *tallies;
    make_net(&net);
    init(&counters, &net, STATS_full);
    init(&other, &net, STATS_full);
    cr_assert(tallies_init(&tallies, &net.arena, &net.plan, STATS_full, NULL) == STATUS_OK);
    cr_assert(!tallies[0].magnitude);
    tallies[0].sum[0] = 8;
    counters_fold(&counters, tallies, 1);
    cr_assert(counters.layers[0].magnitude[0] == 8);
    counters_merge(&other, &counters);
    counters_merge(&other, &counters);
    cr_assert(other.layers[0].sum[0] == 16 && other.layers[0].magnitude[0] == 16);
    net_free(&net);
}

enum { SHARDS = 7 };

/* Rows shared out to several loops, in several folds, merge to what one loop counts. */
static void check_merge(enum stats_level level, enum random_kind kind)
{
    struct net net;
    struct counters all, merged, shards[SHARDS];
    struct session session;
    make_net(&net);
    init(&all, &net, level);
    init(&merged, &net, level);
    net_session(&session, &net, kernels_select("auto", NULL), level, 100);
    float *x = random_rows(&net.random, kind, 300, 6);
    for (size_t i = 0; i < SHARDS; i++)
        init(&shards[i], &net, level);
    for (size_t row = 0, rows; row < 300; row += rows) {
        rows = random_between(&net.random, 1, 300 - row < 40 ? 300 - row : 40);
        run(&session, &shards[random_between(&net.random, 0, SHARDS - 1)], x + 6 * row, rows);
    }
    for (size_t row = 0; row < 300; row += 100)
        run(&session, &all, x + 6 * row, 100);
    for (size_t i = 0; i < SHARDS; i++)
        counters_merge(&merged, &shards[i]);
    cr_assert(same_counters(&merged, &all), "level %s", stats_level_name(level));
    cr_assert(level == STATS_off || all.layers[0].observations == 300);
    session_close(&session);
    free(x);
    net_free(&net);
}

Test(counters, merging_is_exact)
{
    for (enum stats_level level = STATS_off; level <= STATS_full; level++) {
        check_merge(level, RANDOM_PLAIN);
        check_merge(level, RANDOM_WILD);
    }
}

Test(counters, a_reset_is_a_beginning)
{
    struct net net;
    struct counters fresh, used;
    struct session session;
    make_net(&net);
    init(&fresh, &net, STATS_full);
    init(&used, &net, STATS_full);
    net_session(&session, &net, kernels_select("auto", NULL), STATS_full, 8);
    float *x = random_rows(&net.random, RANDOM_WILD, 8, 6);
    run(&session, &used, x, 8);
    cr_assert(!same_counters(&used, &fresh));
    counters_reset(&used);
    cr_assert(same_counters(&used, &fresh));
    session_close(&session);
    free(x);
    net_free(&net);
}

/* Makes something of layers of tanh and relu; when it says that all went well, all is there. */
typedef enum status initializer(struct net *net, struct error *error);

static enum status init_counters(struct net *net, struct error *error)
{
    struct counters counters;
    const enum status status = counters_init(&counters, &net->arena, &net->plan, STATS_full, error);
    for (size_t i = 0; status == STATUS_OK && i < net->plan.layer_count; i++)
        cr_assert((counters.layers[i].low && counters.layers[i].high) || i == 1);
    for (size_t i = 0; status == STATUS_OK && i < net->plan.layer_count; i++)
        cr_assert(counters.layers[i].active && counters.layers[i].sum &&
                  counters.layers[i].magnitude && counters.layers[i].max);
    return status;
}

static enum status init_tallies(struct net *net, struct error *error)
{
    struct tally *tallies;
    const enum status status = tallies_init(&tallies, &net->arena, &net->plan, STATS_full, error);
    for (size_t i = 0; status == STATUS_OK && i < net->plan.layer_count; i++)
        cr_assert((tallies[i].low && tallies[i].high) || i == 1);
    for (size_t i = 0; status == STATUS_OK && i < net->plan.layer_count; i++)
        cr_assert(tallies[i].active && tallies[i].nonfinite && tallies[i].sum && tallies[i].max &&
                  (tallies[i].magnitude || i == 1));
    return status;
}

/* Each allocation in turn finds the arena full. */
static void check_memory(initializer *make)
{
    size_t failures = 0;
    for (enum status status = STATUS_IO; status != STATUS_OK; failures++) {
        struct net net;
        struct error error;
        net_init(&net, 1);
        net_chain(&net, 3, (const size_t[]){6, 9, 20}, (const char *const[]){"tanh", "relu"});
        net.arena.limit_bytes = net.arena.used_bytes + failures * ARENA_ALIGNMENT;
        status = make(&net, &error);
        cr_assert(status == STATUS_OK || status == STATUS_OUT_OF_MEMORY);
        net_free(&net);
    }
    cr_assert(failures > 10);
}

Test(counters, without_memory_is_an_error)
{
    check_memory(init_counters);
    check_memory(init_tallies);
}
