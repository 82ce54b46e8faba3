#include "catalog.h"

#include <stdlib.h>

struct catalog *catalog_open(size_t entries, size_t loops, const char *default_name)
{
    struct catalog *catalog = calloc(1, sizeof *catalog);
    if (!catalog)
        return NULL;
    arena_init(&catalog->arena, SIZE_MAX);
    atomic_init(&catalog->references, 1);
    catalog->entries = arena_alloc(&catalog->arena, entries, sizeof *catalog->entries);
    catalog->users = arena_alloc(&catalog->arena, loops, sizeof *catalog->users);
    catalog->default_name = arena_text(&catalog->arena, default_name, strlen(default_name));
    if (catalog->entries && catalog->users && catalog->default_name)
        return catalog;
    catalog_close(catalog);
    return NULL;
}

void catalog_close(struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->count; i++) {
        if (catalog->entries[i].generation)
            generation_release(catalog->entries[i].generation);
        ledger_release(catalog->entries[i].ledger);
    }
    arena_free(&catalog->arena);
    free(catalog);
}

static const char *copy_of(struct catalog *catalog, const char *text)
{
    return arena_text(&catalog->arena, text, strlen(text));
}

bool catalog_add(struct catalog *catalog, const struct entry *entry)
{
    struct entry *copy = &catalog->entries[catalog->count];
    *copy = *entry;
    copy->name = copy_of(catalog, entry->name);
    copy->version = copy_of(catalog, entry->version);
    copy->reason = copy_of(catalog, entry->reason);
    if (!copy->name || !copy->version || !copy->reason)
        return false;
    if (copy->generation)
        generation_hold(copy->generation);
    ledger_hold(copy->ledger);
    catalog->count++;
    return true;
}

/* How many entries have that name or one before it. */
static size_t count_up_to(const struct catalog *catalog, const char *name)
{
    size_t low = 0, high = catalog->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(catalog->entries[middle].name, name) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct entry *catalog_find(const struct catalog *catalog, const char *name,
                                 const char *version)
{
    const struct entry *latest = NULL;
    if (!name)
        name = catalog->default_name;
    for (size_t i = count_up_to(catalog, name); i > 0; i--) {
        const struct entry *entry = &catalog->entries[i - 1];
        if (strcmp(entry->name, name) != 0)
            break;
        if (version ? strcmp(entry->version, version) == 0 : entry->state == MODEL_READY)
            return entry;
        if (!version && !latest)
            latest = entry;
    }
    return latest;
}

void catalog_enter(struct catalog *catalog, size_t loop)
{
    catalog->users[loop].count++;
}

bool catalog_leave(struct catalog *catalog, size_t loop)
{
    return --catalog->users[loop].count == 0 && atomic_fetch_sub(&catalog->references, 1) == 1;
}
