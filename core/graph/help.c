#include "help.h"

#include "panel.h"
#include "stats/counters.h"

/* What a helper's memory begins with; behind it are its scratch and its tally. */
struct own {
    struct op_run run;
    struct tally tally;
    uint64_t nonfinite;
    size_t tiles; /* done since it was called */
};

static size_t round_up(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

static size_t scratch_bytes(size_t scratch)
{
    return round_up(scratch * sizeof(float));
}

size_t help_bytes(const struct plan *plan)
{
    size_t units = 0;
    for (size_t i = 0; i < plan->layer_count; i++)
        units = plan->layers[i].units > units ? plan->layers[i].units : units;
    return round_up(sizeof(struct own)) + scratch_bytes(plan->scratch) + tally_bytes(units);
}

/* Where the tiles are panels, each has units of its own. */
static bool shares_units(const struct node *node, size_t tiles)
{
    return node->op != OP_dense || tiles > panel_count(node->n);
}

void help_prepare(struct help *help, size_t macs)
{
    help->pays = help->crew && macs * OP_ALONE_COST >= 2 * help->worth;
}

/* Helpers that are there already need not be woken: less work is worth them. */
static size_t choose_workers(const struct help *help, struct op_run *run, size_t tiles)
{
    const size_t each = help->call.count > 0 ? help->worth / 2 : help->worth;
    const size_t all = crew_helpers(help->crew) + 1, most = all < tiles ? all : tiles;
    if (run->macs * run->rows * OP_ALONE_COST < 2 * each)
        return 1;
    const size_t workers = op_work(run) / each;
    return workers < 1 ? 1 : workers < most ? workers : most;
}

void help_cut(struct help *help, struct op_run *run, size_t tiles)
{
    shares_cut(&help->shares, tiles, choose_workers(help, run, tiles));
    help->apart = shares_units(run->node, tiles);
    help->run = *run;
    help->run.held = OP_NOTHING;
}

/* The node as a helper sees it. */
static void open_own(const struct help *help, struct own *own)
{
    char *memory = (char *)own + round_up(sizeof *own);
    const struct tally *tally = help->run.activity.tally;
    own->run = help->run;
    own->run.scratch = (float *)(void *)memory;
    if (!tally)
        return;
    own->run.activity.tally = &own->tally;
    if (help->apart) {
        own->tally = tally_like(tally, memory + scratch_bytes(help->scratch));
        return;
    }
    own->tally = *tally;
    own->tally.nonfinite = &own->nonfinite;
    own->nonfinite = 0;
}

static bool must_stop(const struct help *help, const struct crew_hand *hand)
{
    return crew_wanted(hand) || atomic_load_explicit(&help->stopped, memory_order_relaxed);
}

static void work(void *context, struct crew_hand *hand)
{
    struct help *help = context;
    struct own *own = hand->memory;
    size_t tile;
    for (own->tiles = 0; !must_stop(help, hand) && shares_take(&help->shares, hand->worker, &tile);
         own->tiles++) {
        if (own->tiles == 0)
            open_own(help, own);
        own->run.info->run(&own->run, tile);
    }
}

void help_begin(struct help *help)
{
    const size_t helpers = help->shares.count - 1;
    help->call.work = work;
    help->call.context = help;
    atomic_store_explicit(&help->stopped, false, memory_order_relaxed);
    crew_return_wanted(&help->call);
    crew_borrow(help->crew, &help->call, helpers);
    crew_begin(&help->call, helpers);
}

/* Adds what a helper has counted to the session's tally. */
static void add_own(const struct help *help, const struct own *own)
{
    const struct tally *tally = help->run.activity.tally;
    if (!tally || own->tiles == 0)
        return;
    if (help->apart)
        tally_merge(tally, &own->tally);
    else
        *tally->nonfinite += own->nonfinite;
}

void help_end(struct help *help)
{
    atomic_store_explicit(&help->stopped, true, memory_order_relaxed);
    crew_settle(&help->call);
    for (size_t i = 0; i < help->call.begun; i++)
        if (help->call.hands[i]->came)
            add_own(help, help->call.hands[i]->memory);
}
