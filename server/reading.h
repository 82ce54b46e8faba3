/* reading: everything a scrape tells, read once. */
#ifndef RELUD_READING_H
#define RELUD_READING_H

#include "arena.h"
#include "catalog.h"
#include "process.h"
#include "server.h"

/* A layer that is counted. What is not known, or not decided yet, is NaN. */
struct layer_reading {
    const char *model, *layer; /* borrowed from the catalog */
    double units, nonfinite;
    double dead, silent, dormant, always_on, sparsity;
    double drift, mean_shift; /* from the baseline */
};

struct reading {
    struct server *server;         /* borrowed */
    const struct catalog *catalog; /* borrowed */
    struct accounts accounts;      /* owned */
    struct usage_sum total;        /* owned: of all accounts */
    struct arena arena;            /* owned */
    struct layer_reading *layers;  /* of the versions that answer who names none */
    size_t layer_count;
    double connections;
    struct process process;
};

/* The catalog must be held. False when there is no memory; then nothing is owned. */
bool reading_take(struct reading *reading, struct server *server, const struct catalog *catalog);
void reading_free(struct reading *reading);

#endif
