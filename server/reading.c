#include "reading.h"

#include <math.h>

#include "loop.h"
#include "stats/verdict.h"

/* Whether entry is the version of its model that answers requests that name none. */
static bool is_current(const struct catalog *catalog, const struct entry *entry)
{
    return entry->generation && catalog_find(catalog, entry->name, NULL) == entry;
}

static double count_of(enum verdict verdict, const struct layer_view *view)
{
    if (!verdict_is_measured(verdict, view))
        return NAN;
    return (double)verdict_count(verdict, view, VERDICT_TAU_DEFAULT);
}

static struct layer_reading read_layer(const struct entry *entry, const struct layer_view *view,
                                       uint64_t min_samples)
{
    const struct layer_counters *counters = view->counters;
    bool decided = layer_is_decided(view, min_samples) && counters->observations > 0;
    struct layer_reading layer = {.model = entry->name,
                                  .layer = view->layer->name,
                                  .units = (double)view->layer->units,
                                  .nonfinite =
                                      counters->active ? (double)counters->nonfinite : NAN};
    layer.dead = decided ? count_of(VERDICT_dead, view) : NAN;
    layer.silent = decided ? count_of(VERDICT_silent, view) : NAN;
    layer.dormant = decided ? count_of(VERDICT_dormant, view) : NAN;
    layer.always_on = decided ? count_of(VERDICT_always_on, view) : NAN;
    layer.sparsity = decided ? layer_sparsity(view) : NAN;
    layer.drift = layer.mean_shift = NAN;
    return layer;
}

/* How the layers from first on have shifted, when there is a baseline and rows enough. */
static bool read_drift(struct reading *reading, const struct generation *generation,
                       const struct counters *now, struct layer_reading *first)
{
    struct drift drift;
    struct error error;
    if (!generation->baseline.usable)
        return true;
    if (baseline_compare(&generation->baseline, now, reading->server->options.stats_min_samples,
                         &reading->arena, &drift, &error) != STATUS_OK)
        return false;
    for (size_t i = 0; drift_decided(&drift) && i < now->plan->layer_count; i++) {
        first[i].drift = (double)drift.layers[i].shifted;
        first[i].mean_shift = drift.layers[i].mean_shift;
    }
    return true;
}

static bool read_model(struct reading *reading, const struct entry *entry)
{
    const struct model *model = &entry->generation->model;
    struct counters merged;
    struct error error;
    if (counters_init(&merged, &reading->arena, &model->plan, model->level, &error) != STATUS_OK)
        return false;
    struct layer_reading *first = reading->layers + reading->layer_count;
    generation_collect(entry->generation, &merged, NULL);
    for (size_t i = 0; i < model->plan.layer_count; i++) {
        struct layer_view view = layer_view_of(&merged, i);
        reading->layers[reading->layer_count++] =
            read_layer(entry, &view, reading->server->options.stats_min_samples);
    }
    return read_drift(reading, entry->generation, &merged, first);
}

static bool read_layers(struct reading *reading)
{
    const struct catalog *catalog = reading->catalog;
    size_t count = 0;
    for (size_t i = 0; i < catalog->count; i++)
        if (is_current(catalog, &catalog->entries[i]))
            count += catalog->entries[i].generation->model.plan.layer_count;
    reading->layers = arena_alloc(&reading->arena, count, sizeof *reading->layers);
    bool complete = reading->layers != NULL;
    for (size_t i = 0; i < catalog->count && complete; i++)
        if (is_current(catalog, &catalog->entries[i]))
            complete = read_model(reading, &catalog->entries[i]);
    return complete;
}

static bool add_up(struct reading *reading)
{
    for (size_t i = 0; i < reading->accounts.count; i++) {
        const struct account *account = &reading->accounts.items[i];
        if (!account->version && !usage_merge(&reading->total, &account->sum))
            return false;
    }
    return true;
}

bool reading_take(struct reading *reading, struct server *server, const struct catalog *catalog)
{
    *reading = (struct reading){.server = server, .catalog = catalog};
    arena_init(&reading->arena, SIZE_MAX);
    process_read(&reading->process);
    for (size_t i = 0; i < server->loop_count; i++)
        reading->connections += loop_load(server->loops[i]);
    bool complete = book_read(&server->registry.book, &reading->accounts) && add_up(reading) &&
                    read_layers(reading);
    if (!complete)
        reading_free(reading);
    return complete;
}

void reading_free(struct reading *reading)
{
    accounts_free(&reading->accounts);
    usage_sum_free(&reading->total);
    arena_free(&reading->arena);
}
