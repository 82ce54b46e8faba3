/* ledger: what a version of a model has been asked since the process began, a page for each loop.
 *
 * A ledger outlives the generations of its version, so that counts never go backwards: whoever is
 * loaded again, or comes back after it was unloaded, goes on where it stopped. What a version that
 * is gone has counted is kept under its model's name alone. */
#ifndef RELUD_LEDGER_H
#define RELUD_LEDGER_H

#include "usage.h"

struct ledger {
    struct ledger *next;
    struct book *book;    /* borrowed */
    char *name, *version; /* owned; version "": of versions that are gone */
    size_t references;    /* the registry's thread alone holds and releases */
    struct usage pages[]; /* by loop */
};

/* All ledgers, by name and version. The first one, called "", is for requests to no model. */
struct book {
    pthread_mutex_t lock;
    size_t loops;
    struct ledger *ledgers; /* owned; under lock, but for the registry's thread */
};

/* A sum of what the ledgers of one name, or of one version, hold. */
struct account {
    char *name, *version; /* owned; version NULL: all of them, also those that are gone */
    struct usage_sum sum;
};

struct accounts {
    struct account *items; /* owned: by name, first all versions and then each that is there */
    size_t count;
};

/* False without memory. */
bool book_open(struct book *book, size_t loops);
void book_close(struct book *book);

/* For the registry's thread: the ledger of that version, with one more reference; NULL without
 * memory. */
struct ledger *book_find(struct book *book, const char *name, const char *version);

/* Not thread-safe. */
void ledger_hold(struct ledger *ledger);
void ledger_release(struct ledger *ledger);

/* Adds what all loops have recorded to sum; false when there is no memory. Thread-safe. */
bool ledger_collect(struct ledger *ledger, struct usage_sum *sum);

/* The accounts as they are now; false when there is no memory. Thread-safe. */
bool book_read(struct book *book, struct accounts *accounts);
void accounts_free(struct accounts *accounts);

#endif
