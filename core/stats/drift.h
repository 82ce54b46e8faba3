/* drift: which units fire more often or less often than they once did.
 *
 * For each unit the firing rates in a baseline and now are compared as two proportions
 * (proportion.h), with n in rows: positions of one row are not independent, so that of a
 * convolution the mean rate over them counts as one row's, which errs on the side of silence. Over
 * all units of a model the p-values are adjusted by Holm's method (A Simple Sequentially Rejective
 * Multiple Test Procedure, 1979). Like Bonferroni's and unlike that of Benjamini and Hochberg it
 * holds however the units depend on each other, and they do, in ways nobody knows: where nothing
 * has changed, the probability of any shift being told is at most alpha. A shift smaller than
 * min_shift is not told, however sure it is: with a million rows everything differs. */
#ifndef RELUD_DRIFT_H
#define RELUD_DRIFT_H

#include "counters.h"
#include "text.h"

#define DRIFT_ALPHA_DEFAULT     0.01
#define DRIFT_MIN_SHIFT_DEFAULT 0.01

struct drift_options {
    double alpha;         /* of any false alarm, 0 to 1 */
    double min_shift;     /* of a rate, 0 to 1 */
    uint64_t min_samples; /* rows on either side below which nothing is decided */
};

struct drift_layer {
    const double *p; /* [units] adjusted */
    size_t shifted;
    double mean_shift; /* mean over the units of the shift's magnitude; NaN without rows */
    size_t largest;    /* the unit with the largest shift */
};

struct drift {
    struct drift_options options;
    const struct counters *baseline, *now; /* borrowed */
    struct drift_layer *layers;
    size_t units, shifted;
};

/* Compares counters of the same layers, at level counts or full; everything lies in arena. */
enum status drift_find(struct drift *drift, struct arena *arena, const struct counters *baseline,
                       const struct counters *now, const struct drift_options *options,
                       struct error *error);

/* A unit's firing rate, NaN before the first row; whether it has shifted. */
double drift_rate(const struct counters *counters, size_t layer, size_t unit);
bool drift_holds(const struct drift *drift, size_t layer, size_t unit);

/* Whether there are rows enough on both sides. */
bool drift_decided(const struct drift *drift);

/* "alpha":…,"layers":[…]: without braces. Of units that have shifted their rates and p-values. */
void drift_write(struct text *text, const struct drift *drift);

#endif
