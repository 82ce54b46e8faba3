#include "shelf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overrides.h"

void shelf_init(struct shelf *shelf, const struct options *options, const struct engine *engine,
                struct book *book, struct store *store)
{
    *shelf = (struct shelf){
        .options = options, .engine = engine, .book = book, .store = store, .default_name = ""};
}

/* What a generation has counted outlives it in the store. */
static void retire(const struct shelf *shelf, struct slot *slot)
{
    if (!slot->generation)
        return;
    store_retire(shelf->store, slot->generation);
    generation_release(slot->generation);
    slot->generation = NULL;
}

static void free_slot(struct slot *slot)
{
    if (slot->generation)
        generation_release(slot->generation);
    if (slot->ledger)
        ledger_release(slot->ledger);
    free(slot);
}

static struct slot *new_slot(const struct shelf *shelf, const struct source *source)
{
    struct slot *slot = calloc(1, sizeof *slot);
    if (!slot)
        return NULL;
    slot->source = *source;
    slot->ledger = book_find(shelf->book, source->name, source->version);
    if (slot->ledger)
        return slot;
    free_slot(slot);
    return NULL;
}

void shelf_free(struct shelf *shelf)
{
    for (size_t i = 0; i < shelf->count; i++)
        free_slot(shelf->slots[i]);
    free(shelf->slots);
    sources_free(&shelf->sources);
}

/* Looking for the sources */

static int compare(const struct source *a, const struct source *b)
{
    int names = strcmp(a->name, b->name);
    size_t a_length = strlen(a->version), b_length = strlen(b->version);
    if (names != 0)
        return names;
    if (a_length != b_length)
        return a_length < b_length ? -1 : 1;
    return strcmp(a->version, b->version);
}

static int by_source(const void *a, const void *b)
{
    return compare(&(*(struct slot *const *)a)->source, &(*(struct slot *const *)b)->source);
}

static struct slot *find_slot(const struct shelf *shelf, const struct source *source)
{
    for (size_t i = 0; i < shelf->count; i++)
        if (compare(&shelf->slots[i]->source, source) == 0)
            return shelf->slots[i];
    return NULL;
}

static bool has_source(const struct sources *sources, const struct source *source)
{
    for (size_t i = 0; i < sources->count; i++)
        if (compare(&sources->items[i], source) == 0)
            return true;
    return false;
}

static bool has_name(const struct sources *sources, const char *name)
{
    for (size_t i = 0; i < sources->count; i++)
        if (strcmp(sources->items[i].name, name) == 0)
            return true;
    return false;
}

/* Whether a change of the model called name is meant. */
static bool is_meant(const char *only, const char *name)
{
    return !only || strcmp(only, name) == 0;
}

/* Adds slots for the sources that have none; on failure those that were added are taken back. */
static enum status add_slots(struct shelf *shelf, const struct sources *sources, const char *only,
                             struct error *error)
{
    size_t count = shelf->count;
    size_t room = (count + sources->count + 1) * sizeof(struct slot *);
    struct slot **slots = realloc(shelf->slots, room);
    bool complete = slots != NULL;
    if (slots)
        shelf->slots = slots;
    for (size_t i = 0; i < sources->count && complete; i++) {
        const struct source *source = &sources->items[i];
        if (!is_meant(only, source->name) || find_slot(shelf, source))
            continue;
        struct slot *slot = new_slot(shelf, source);
        complete = slot != NULL;
        if (slot)
            shelf->slots[shelf->count++] = slot;
    }
    if (complete)
        return STATUS_OK;
    while (shelf->count > count)
        free_slot(shelf->slots[--shelf->count]);
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the list of models");
}

static void drop_slots(struct shelf *shelf, const struct sources *sources, const char *only)
{
    size_t kept = 0;
    for (size_t i = 0; i < shelf->count; i++) {
        struct slot *slot = shelf->slots[i];
        if (!is_meant(only, slot->source.name) || has_source(sources, &slot->source)) {
            shelf->slots[kept++] = slot;
            continue;
        }
        retire(shelf, slot);
        free_slot(slot);
    }
    shelf->count = kept;
}

/* The model that the options name, or else the first of the sources that is on the shelf. */
static const char *choose_default(const struct shelf *shelf)
{
    if (shelf->options->default_model)
        return shelf->options->default_model;
    for (size_t i = 0; i < shelf->sources.count; i++)
        if (find_slot(shelf, &shelf->sources.items[i]))
            return shelf->sources.items[i].name;
    return "";
}

static void take_over(struct shelf *shelf, const struct sources *sources, const char *only)
{
    drop_slots(shelf, sources, only);
    qsort(shelf->slots, shelf->count, sizeof *shelf->slots, by_source);
    for (size_t i = 0; i < shelf->count; i++) {
        struct slot *slot = shelf->slots[i];
        if (is_meant(only, slot->source.name) && slot->state != MODEL_READY)
            slot->state = MODEL_LOADING;
    }
    sources_free(&shelf->sources);
    shelf->sources = *sources;
    shelf->default_name = choose_default(shelf);
}

enum status shelf_look(struct shelf *shelf, const char *only, struct error *error)
{
    struct sources sources;
    if (sources_find(&sources, shelf->options, error) != STATUS_OK)
        return error->status;
    if (only && !has_name(&sources, only))
        error_set(error, STATUS_NOT_FOUND, "Request for unknown model: '%s' is not found", only);
    else if (add_slots(shelf, &sources, only, error) == STATUS_OK) {
        take_over(shelf, &sources, only);
        return STATUS_OK;
    }
    sources_free(&sources);
    return error->status;
}

/* Loading */

static enum status open_model(const struct shelf *shelf, const struct source *source,
                              struct generation **made, struct error *error)
{
    struct overrides overrides;
    if (overrides_read(&overrides, shelf->options, &shelf->sources, source->name, error) !=
        STATUS_OK)
        return error->status;
    struct model_options how = {.name = source->name,
                                .version = source->version,
                                .config = source->config[0] ? source->config : NULL,
                                .overrides = overrides.items,
                                .override_count = overrides.count};
    stats_level_named(&how.level, shelf->options->stats);
    enum status status = generation_open(made, source->path, &how, shelf->book->loops, error);
    overrides_free(&overrides);
    return status;
}

static bool is_same(const struct generation *old, const struct generation *made)
{
    return old && strcmp(old->model.digest, made->model.digest) == 0 &&
           baseline_is_same(&old->baseline, &made->baseline);
}

/* Puts made in place of what the slot has; statistics go on where the model is the same. */
static void replace(const struct shelf *shelf, struct slot *slot, struct generation *made)
{
    struct generation *old = slot->generation;
    const bool inherits = old && strcmp(old->model.digest, made->model.digest) == 0;
    if (inherits)
        generation_inherit(made, old);
    retire(shelf, slot);
    if (!inherits)
        store_restore(shelf->store, made);
    slot->generation = made;
}

/* Opens what is at the slot's source; *made is NULL when that is the generation the slot has. */
static enum status open_next(const struct shelf *shelf, const struct slot *slot,
                             struct generation **made, struct error *error)
{
    if (open_model(shelf, &slot->source, made, error) != STATUS_OK)
        return error->status;
    bool same = is_same(slot->generation, *made);
    if (!same && generation_seat(*made, shelf->engine, error) == STATUS_OK)
        return STATUS_OK;
    generation_release(*made);
    *made = NULL;
    return same ? STATUS_OK : error->status;
}

enum status shelf_load(const struct shelf *shelf, struct slot *slot, struct error *error)
{
    struct generation *made = NULL;
    enum status status = open_next(shelf, slot, &made, error);
    if (status == STATUS_NOT_FOUND)
        error->status = status = STATUS_INVALID; /* the model is known, its files are not there */
    if (made)
        replace(shelf, slot, made);
    slot->state = slot->generation ? MODEL_READY : MODEL_UNAVAILABLE;
    snprintf(slot->reason, sizeof slot->reason, "%s", status == STATUS_OK ? "" : error->message);
    return status;
}

void shelf_unload(const struct shelf *shelf, struct slot *slot)
{
    retire(shelf, slot);
    slot->state = MODEL_UNAVAILABLE;
    snprintf(slot->reason, sizeof slot->reason, "unloaded");
}

struct catalog *shelf_catalog(const struct shelf *shelf)
{
    struct catalog *catalog =
        catalog_open(shelf->count, shelf->book->loops + 1, shelf->default_name);
    if (!catalog)
        return NULL;
    for (size_t i = 0; i < shelf->count; i++) {
        const struct slot *slot = shelf->slots[i];
        struct entry entry = {slot->source.name, slot->source.version, slot->state,
                              slot->reason,      slot->generation,     slot->ledger};
        if (!catalog_add(catalog, &entry)) {
            catalog_close(catalog);
            return NULL;
        }
    }
    return catalog;
}
