/* shelf: what the registry's thread knows of every model and version: where it comes from, its
 * generation, its state. Only that thread uses it; everybody else sees catalogs. */
#ifndef RELUD_SHELF_H
#define RELUD_SHELF_H

#include "catalog.h"
#include "sources.h"
#include "store.h"

struct slot {
    struct source source;
    enum model_state state;
    char reason[ERROR_MESSAGE_BYTES]; /* see struct entry */
    struct generation *generation;    /* held; NULL unless ready */
    struct ledger *ledger;            /* held */
};

struct shelf {
    const struct options *options; /* borrowed */
    const struct engine *engine;   /* borrowed */
    struct book *book;             /* borrowed */
    struct store *store;           /* borrowed */
    struct sources sources;        /* owned: as last looked for */
    struct slot **slots;           /* owned, in the order of names and versions */
    size_t count;
    const char *default_name; /* borrowed from the options or sources; "" when nothing is served */
};

/* Generations get a seat for every loop that book has pages for, catalogs one user more: the
 * keeper. */
void shelf_init(struct shelf *shelf, const struct options *options, const struct engine *engine,
                struct book *book, struct store *store);
void shelf_free(struct shelf *shelf);

/* Looks for the sources again: models that are new get a slot, those that are gone lose theirs, and
 * what is not ready is loading from now on. With only, all this for the model of that name alone;
 * NOT_FOUND when there is none. After a failure everything is as it was. */
enum status shelf_look(struct shelf *shelf, const char *only, struct error *error);

/* Loads what is at the slot's source now. A model whose digest is the same stays the generation
 * that it was, with its statistics; when loading fails, the old generation stays and the slot says
 * why. */
enum status shelf_load(const struct shelf *shelf, struct slot *slot, struct error *error);

void shelf_unload(const struct shelf *shelf, struct slot *slot);

/* The shelf as it is now; NULL without memory. */
struct catalog *shelf_catalog(const struct shelf *shelf);

#endif
