/* store: what was counted, kept across restarts: a snapshot for each model and version in
 * --stats-dir.
 *
 * Files are replaced whole (save.h): a process that is killed at any moment leaves the last
 * snapshot, never half of one. One is taken up again by the model with its digest, at its level
 * alone; any other and what cannot be read is set aside as NAME.previous. One process at a time
 * uses a directory. Thread-safe. */
#ifndef RELUD_STORE_H
#define RELUD_STORE_H

#include "generation.h"

struct store {
    int directory;    /* owned, and locked; -1 when nothing is kept */
    const char *path; /* borrowed */
    pthread_mutex_t lock;
};

enum { STORE_NAME_BYTES = 256 };

/* The file of a model: letters, digits, "-", "_" and inner dots of its name stay what they are,
 * other bytes become %XX, what is too long ends with "~" and a hash; then "@VERSION.json". */
void store_name(char file[STORE_NAME_BYTES], const char *model, const char *version);

/* Opens the directory, which is made if need be; path NULL: nothing is kept. */
enum status store_open(struct store *store, const char *path, struct error *error);
void store_close(struct store *store);

/* Before generation has counted: adds what an earlier process or generation left. */
void store_restore(struct store *store, struct generation *generation);

/* Writes what generation has counted, unless that is written, or the generation is retired. */
void store_save(struct store *store, struct generation *generation);

/* The same for the last time: from now on the file is another generation's. */
void store_retire(struct store *store, struct generation *generation);

#endif
