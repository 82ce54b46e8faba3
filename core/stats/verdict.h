/* verdict: what the counters say of each unit. verdict.def names the sources.
 *
 *   dead        never active in all n observations, and the function passes no gradient there.
 *               Reported with the 95 % upper bound on the firing rate, 1 - 0.05^(1/n), n in rows.
 *   silent      never active so far, but the function leaks.
 *   dormant     E|h| over its mean in the layer is at most tau. Needs level full.
 *   rare        active, but in less than 1 % of the observations.
 *   always_on   active in every observation.
 *   stuck_high  at its upper bound in every observation, where the function has one and passes no
 *               gradient beyond it (relu6, clip, a rising hard_sigmoid).
 *   saturated   in a flat tail of a SATURATING function, |f'| < 1e-3, in 99 % of the observations.
 *
 * Verdicts overlap as their definitions do; dead and silent are disjoint. They are given from the
 * first row on; below min_samples rows a layer is undecided. Before the first row nobody is
 * anything. */
#ifndef RELUD_VERDICT_H
#define RELUD_VERDICT_H

#include "counters.h"

#define VERDICT_RARE_RATE      0.01
#define VERDICT_SATURATED_RATE 0.99
#define VERDICT_TAU_DEFAULT    0.025

enum verdict {
#define VERDICT(name, source) VERDICT_##name,
#include "verdict.def"
#undef VERDICT
    VERDICT_COUNT
};

/* A layer's counters and the rows they were counted in. */
struct layer_view {
    const struct layer *layer;
    const struct layer_counters *counters;
    uint64_t samples;
};

struct layer_view layer_view_of(const struct counters *counters, size_t layer);

const char *verdict_name(enum verdict verdict);
const char *verdict_source(enum verdict verdict);

/* Whether verdict holds for unit. tau and mean_magnitude, which is layer_mean_magnitude(), are read
 * for dormant only. */
bool verdict_holds(enum verdict verdict, const struct layer_view *view, size_t unit, double tau,
                   double mean_magnitude);

/* Whether the level of the counters tells that verdict. */
bool verdict_is_measured(enum verdict verdict, const struct layer_view *view);

/* How many units it holds for. */
size_t verdict_count(enum verdict verdict, const struct layer_view *view, double tau);

/* Whether so many rows have been counted; never at level off. */
bool layer_is_decided(const struct layer_view *view, uint64_t min_samples);

/* The mean over the layer's units of E|h|; NaN below level full or before the first row. */
double layer_mean_magnitude(const struct layer_view *view);

/* How far the largest pre-activation of a unit that was never active stays below its threshold:
 * the bias must be raised by more than this for it to fire on the same inputs. NaN for a unit that
 * was active, below level full and before the first row. */
double unit_margin(const struct layer_view *view, size_t unit);

/* Share of inactive observations over all units; NaN at level off or before the first row. */
double layer_sparsity(const struct layer_view *view);

/* Upper end of the 95 % confidence interval of a firing rate of which samples rows showed nothing;
 * 1 before the first row. */
double rate_upper_95(uint64_t samples);

#endif
