/* catalog: the models as they are at one moment.
 *
 * A catalog never changes; what changes is which one is current (registry.h). A request keeps the
 * catalog it began with until it is released, and with it every generation in it: it sees one state
 * of the models for all its life. Each loop counts its requests for itself, so that no two cores
 * write to one cache line with every request; the loops together hold one reference each. */
#ifndef RELUD_CATALOG_H
#define RELUD_CATALOG_H

#include "generation.h"
#include "ledger.h"

enum model_state {
#define STATE(name, text) MODEL_##name,
#include "state.def"
#undef STATE
};

/* One version of a model. */
struct entry {
    const char *name, *version;
    enum model_state state;
    const char *reason;            /* why it is unavailable, or why the last load failed; "" */
    struct generation *generation; /* held; NULL unless ready */
    struct ledger *ledger;         /* held; where requests to it are counted */
};

/* How many requests of a loop use the catalog, and one more while it is the loop's current one. */
struct catalog_users {
    _Alignas(64) size_t count;
};

struct catalog {
    struct catalog *next; /* the registry's */
    struct arena arena;   /* owned: everything below */
    struct entry *entries;
    size_t count;
    const char *default_name;    /* of the model that requests mean which name none */
    struct catalog_users *users; /* by loop */
    _Atomic size_t references;
};

/* An empty catalog with room for so many entries, one reference; NULL without memory. */
struct catalog *catalog_open(size_t entries, size_t loops, const char *default_name);

/* Adds a copy of entry and holds what it refers to; false without memory. Entries come in the order
 * of their names, and those of one name in the order of their versions. */
bool catalog_add(struct catalog *catalog, const struct entry *entry);

/* When no reference is left. */
void catalog_close(struct catalog *catalog);

/* The model of that name (NULL: the default one) in that version (NULL: the latest that is ready,
 * or else the latest); NULL when there is none. */
const struct entry *catalog_find(const struct catalog *catalog, const char *name,
                                 const char *version);

/* On the loop's own thread: one more user, one less. Whether the last one gave the loop's reference
 * back, and no other is left. */
void catalog_enter(struct catalog *catalog, size_t loop);
bool catalog_leave(struct catalog *catalog, size_t loop);

#endif
