#include "counters.h"

#include <math.h>
#include <string.h>

#include "panel.h"

static const char *const level_names[] = {
#define LEVEL(name) #name,
#include "level.def"
#undef LEVEL
};

const char *stats_level_name(enum stats_level level)
{
    return level_names[level];
}

bool stats_level_named(enum stats_level *level, const char *name)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
        if (strcmp(level_names[i], name) == 0) {
            *level = (enum stats_level)i;
            return true;
        }
    }
    return false;
}

static bool has_magnitude(const struct layer *layer)
{
    return !activation_nonnegative(&layer->node->activation);
}

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for statistics");
}

static bool layer_init(struct layer_counters *counters, struct arena *arena,
                       const struct layer *layer, enum stats_level level)
{
    size_t units = layer->units;
    if (level == STATS_off)
        return true;
    counters->active = arena_alloc(arena, units, sizeof *counters->active);
    bool complete = counters->active;
    if (activation_tailed(&layer->node->activation)) {
        counters->low = arena_alloc(arena, units, sizeof *counters->low);
        counters->high = arena_alloc(arena, units, sizeof *counters->high);
        complete &= counters->low && counters->high;
    }
    if (level == STATS_counts)
        return complete;
    counters->sum = arena_alloc(arena, units, sizeof *counters->sum);
    counters->magnitude =
        has_magnitude(layer) ? arena_alloc(arena, units, sizeof *counters->sum) : counters->sum;
    counters->max = arena_alloc(arena, units, sizeof *counters->max);
    return complete && counters->sum && counters->magnitude && counters->max;
}

enum status counters_init(struct counters *counters, struct arena *arena, const struct plan *plan,
                          enum stats_level level, struct error *error)
{
    *counters = (struct counters){.level = level, .plan = plan};
    counters->layers = arena_alloc(arena, plan->layer_count, sizeof *counters->layers);
    if (!counters->layers)
        return no_memory(error);
    for (size_t i = 0; i < plan->layer_count; i++)
        if (!layer_init(&counters->layers[i], arena, &plan->layers[i], level))
            return no_memory(error);
    counters_reset(counters);
    return STATUS_OK;
}

static void layer_reset(struct layer_counters *counters, size_t units)
{
    counters->observations = 0;
    counters->nonfinite = 0;
    if (counters->active)
        memset(counters->active, 0, units * sizeof *counters->active);
    if (counters->low) {
        memset(counters->low, 0, units * sizeof *counters->low);
        memset(counters->high, 0, units * sizeof *counters->high);
    }
    if (!counters->sum)
        return;
    memset(counters->sum, 0, units * sizeof *counters->sum);
    memset(counters->magnitude, 0, units * sizeof *counters->magnitude);
    for (size_t i = 0; i < units; i++)
        counters->max[i] = -INFINITY;
}

void counters_reset(struct counters *counters)
{
    counters->samples = counters->out_of_range = 0;
    for (size_t i = 0; i < counters->plan->layer_count; i++)
        layer_reset(&counters->layers[i], counters->plan->layers[i].units);
}

static void layer_merge(struct layer_counters *into, const struct layer_counters *from,
                        size_t units)
{
    into->observations += from->observations;
    into->nonfinite += from->nonfinite;
    for (size_t i = 0; into->active && i < units; i++)
        into->active[i] += from->active[i];
    for (size_t i = 0; into->low && i < units; i++) {
        into->low[i] += from->low[i];
        into->high[i] += from->high[i];
    }
    for (size_t i = 0; into->sum && i < units; i++) {
        into->sum[i] += from->sum[i];
        into->max[i] = from->max[i] > into->max[i] ? from->max[i] : into->max[i];
    }
    if (into->magnitude != into->sum)
        for (size_t i = 0; i < units; i++)
            into->magnitude[i] += from->magnitude[i];
}

void counters_merge(struct counters *into, const struct counters *from)
{
    into->samples += from->samples;
    into->out_of_range += from->out_of_range;
    for (size_t i = 0; i < into->plan->layer_count; i++)
        layer_merge(&into->layers[i], &from->layers[i], into->plan->layers[i].units);
}

static void tally_reset(struct tally *tally, size_t units)
{
    memset(tally->active, 0, units * sizeof *tally->active);
    if (tally->low) {
        memset(tally->low, 0, units * sizeof *tally->low);
        memset(tally->high, 0, units * sizeof *tally->high);
    }
    *tally->nonfinite = 0;
    if (tally->sum)
        memset(tally->sum, 0, units * sizeof *tally->sum);
    if (tally->magnitude)
        memset(tally->magnitude, 0, units * sizeof *tally->magnitude);
    for (size_t i = 0; tally->max && i < units; i++)
        tally->max[i] = -INFINITY;
}

static bool tally_init(struct tally *tally, struct arena *arena, const struct layer *layer,
                       enum stats_level level)
{
    size_t units = panel_padded(layer->units);
    tally->units = layer->units;
    tally->active = arena_alloc(arena, units, sizeof *tally->active);
    tally->nonfinite = arena_alloc(arena, 1, sizeof *tally->nonfinite);
    bool complete = tally->active && tally->nonfinite;
    if (activation_tailed(&layer->node->activation)) {
        tally->low = arena_alloc(arena, units, sizeof *tally->low);
        tally->high = arena_alloc(arena, units, sizeof *tally->high);
        complete &= tally->low && tally->high;
    }
    if (level == STATS_full) {
        tally->sum = arena_alloc(arena, units, sizeof *tally->sum);
        tally->max = arena_alloc(arena, units, sizeof *tally->max);
        if (has_magnitude(layer))
            tally->magnitude = arena_alloc(arena, units, sizeof *tally->magnitude);
        complete &= tally->sum && tally->max && (tally->magnitude || !has_magnitude(layer));
    }
    if (complete)
        tally_reset(tally, units);
    return complete;
}

size_t tally_bytes(size_t units)
{
    const struct tally *tally = NULL;
    const size_t of_unit = sizeof *tally->active + sizeof *tally->low + sizeof *tally->high +
                           sizeof *tally->sum + sizeof *tally->magnitude + sizeof *tally->max;
    return sizeof *tally->nonfinite + panel_padded(units) * of_unit;
}

/* Takes bytes of memory for an array, if there is to be one like it. */
static void *lay(char **memory, const void *like, size_t bytes)
{
    void *array = *memory;
    *memory += like ? bytes : 0;
    return like ? array : NULL;
}

struct tally tally_like(const struct tally *like, void *memory)
{
    const size_t units = panel_padded(like->units);
    char *rest = memory;
    struct tally tally = {.units = like->units};
    tally.nonfinite = lay(&rest, like->nonfinite, sizeof *tally.nonfinite);
    tally.sum = lay(&rest, like->sum, units * sizeof *tally.sum);
    tally.magnitude = lay(&rest, like->magnitude, units * sizeof *tally.magnitude);
    tally.active = lay(&rest, like->active, units * sizeof *tally.active);
    tally.low = lay(&rest, like->low, units * sizeof *tally.low);
    tally.high = lay(&rest, like->high, units * sizeof *tally.high);
    tally.max = lay(&rest, like->max, units * sizeof *tally.max);
    tally_reset(&tally, units);
    return tally;
}

void tally_merge(const struct tally *into, const struct tally *from)
{
    const size_t units = into->units;
    *into->nonfinite += *from->nonfinite;
    for (size_t i = 0; i < units; i++)
        into->active[i] += from->active[i];
    for (size_t i = 0; into->low && i < units; i++) {
        into->low[i] += from->low[i];
        into->high[i] += from->high[i];
    }
    for (size_t i = 0; into->sum && i < units; i++)
        into->sum[i] += from->sum[i];
    for (size_t i = 0; into->magnitude && i < units; i++)
        into->magnitude[i] += from->magnitude[i];
    for (size_t i = 0; into->max && i < units; i++)
        into->max[i] = from->max[i] > into->max[i] ? from->max[i] : into->max[i];
}

enum status tallies_init(struct tally **tallies, struct arena *arena, const struct plan *plan,
                         enum stats_level level, struct error *error)
{
    *tallies = NULL;
    if (level == STATS_off)
        return STATUS_OK;
    struct tally *made = arena_alloc(arena, plan->layer_count, sizeof *made);
    if (!made)
        return no_memory(error);
    for (size_t i = 0; i < plan->layer_count; i++)
        if (!tally_init(&made[i], arena, &plan->layers[i], level))
            return no_memory(error);
    *tallies = made;
    return STATUS_OK;
}

/* One array of a tally. restrict tells the compiler that both may be taken a vector at a time. */

static void add_counts(uint64_t *restrict into, const uint32_t *restrict from, size_t units)
{
    for (size_t i = 0; i < units; i++)
        into[i] += from[i];
}

static void add_sum(double *restrict into, const double *restrict from, size_t units)
{
    for (size_t i = 0; i < units; i++)
        into[i] += from[i];
}

static void add_max(float *restrict into, const float *restrict from, size_t units)
{
    for (size_t i = 0; i < units; i++)
        into[i] = from[i] > into[i] ? from[i] : into[i];
}

void counters_add(struct counters *into, const struct tally *tallies, uint64_t rows)
{
    into->samples += rows;
    for (size_t i = 0; tallies && i < into->plan->layer_count; i++) {
        struct layer_counters *layer = &into->layers[i];
        const struct tally *tally = &tallies[i];
        size_t units = into->plan->layers[i].units;
        layer->observations += rows * into->plan->layers[i].positions;
        layer->nonfinite += *tally->nonfinite;
        add_counts(layer->active, tally->active, units);
        if (tally->low) {
            add_counts(layer->low, tally->low, units);
            add_counts(layer->high, tally->high, units);
        }
        if (tally->sum) {
            add_sum(layer->sum, tally->sum, units);
            add_max(layer->max, tally->max, units);
        }
        if (tally->magnitude)
            add_sum(layer->magnitude, tally->magnitude, units);
    }
}

void tallies_reset(struct tally *tallies, const struct plan *plan)
{
    for (size_t i = 0; tallies && i < plan->layer_count; i++)
        tally_reset(&tallies[i], panel_padded(plan->layers[i].units));
}

void counters_fold(struct counters *into, struct tally *tallies, uint64_t rows)
{
    counters_add(into, tallies, rows);
    tallies_reset(tallies, into->plan);
}
