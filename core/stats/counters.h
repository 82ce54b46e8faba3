/* counters: what the neurons did, added up.
 *
 * A run counts into tallies (kernels.h), small and private to its session; counters_fold() adds
 * them to totals with 64 bits. Totals of several loops, processes or shards merge: counts and
 * maxima exactly, sums as doubles. Not thread-safe; whoever shares counters locks them. */
#ifndef RELUD_COUNTERS_H
#define RELUD_COUNTERS_H

#include "graph/plan.h"
#include "kernels/kernels.h"

enum stats_level {
#define LEVEL(name) STATS_##name,
#include "level.def"
#undef LEVEL
};

const char *stats_level_name(enum stats_level level);
bool stats_level_named(enum stats_level *level, const char *name);

struct layer_counters {
    uint64_t observations; /* of each unit: rows x positions */
    uint64_t nonfinite;    /* outputs that were NaN or infinite */
    uint64_t *active;     /* [units] observations in which the unit was active; NULL at level off */
    uint64_t *low, *high; /* [units] and in which the pre-activation was in either of
                             activation_tails(); NULL where there are none, too */
    double *sum;          /* [units] of finite outputs; NULL below level full */
    double
        *magnitude; /* [units] of their magnitudes; sum itself where outputs are never negative */
    float *max;     /* [units] largest pre-activation, -inf before the first */
};

struct counters {
    enum stats_level level;
    const struct plan *plan;
    uint64_t samples;      /* rows */
    uint64_t out_of_range; /* rows with an input that was not in its declared range */
    struct layer_counters *layers;
};

/* Empty counters for plan's layers, in arena. */
enum status counters_init(struct counters *counters, struct arena *arena, const struct plan *plan,
                          enum stats_level level, struct error *error);

void counters_reset(struct counters *counters);

/* Adds from's counts to into; both of the same plan and level. */
void counters_merge(struct counters *into, const struct counters *from);

/* An empty tally that counts what like counts, in memory (8-byte aligned) of tally_bytes() of its
 * units; and adding one such to the other. */
size_t tally_bytes(size_t units);
struct tally tally_like(const struct tally *like, void *memory);
void tally_merge(const struct tally *into, const struct tally *from);

/* Tallies for one session, NULL at level off. */
enum status tallies_init(struct tally **tallies, struct arena *arena, const struct plan *plan,
                         enum stats_level level, struct error *error);

/* Adds what tallies (NULL for none) have counted in so many rows to into. */
void counters_add(struct counters *into, const struct tally *tallies, uint64_t rows);

/* Empties tallies (NULL for none): what they have counted is forgotten. */
void tallies_reset(struct tally *tallies, const struct plan *plan);

/* Adds, then empties. */
void counters_fold(struct counters *into, struct tally *tallies, uint64_t rows);

#endif
