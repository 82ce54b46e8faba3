/* counted: counters written by hand, as if a model had run, for verdicts and reports.
 *
 * The model has three layers: "dense" of 8 relu units, "dense_2" of 4 leaky_relu units, and
 * "dense_3" of 3 prelu units with the slopes 0, 0.5 and -1; after them a layer of 2 identities,
 * which is not counted. */
#ifndef RELUD_TESTS_COUNTED_H
#define RELUD_TESTS_COUNTED_H

#include "model/model.h"
#include "nets.h"
#include "stats/counters.h"

struct counted {
    struct net net;
    struct model model; /* borrows the net's graph and plan */
    struct counters counters;
};

enum { COUNTED_LAYERS = 3 };

/* Nothing is counted yet. */
void counted_open(struct counted *counted, enum stats_level level);
void counted_close(struct counted *counted);

/* As if rows had been run. */
void counted_rows(struct counted *counted, uint64_t rows);

/* One unit: in how many rows it was active; at level full its mean output, mean magnitude and
 * largest pre-activation. */
void counted_unit(struct counted *counted, size_t layer, size_t unit, uint64_t active, double mean,
                  double mean_abs, float max);

#endif
