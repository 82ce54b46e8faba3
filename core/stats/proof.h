/* proof: which units cannot be active for any input in its declared range.
 *
 * Intervals are propagated through the whole graph in double, of a dense layer's values for each
 * number, of an image's for each channel over all its positions. A dense or convolution output lies
 * within the sums of the ends of its terms, and its float32 chain within
 *
 *     gamma(k + 2) (|bias| + sum |w| max |x|) + k 2^-149,   gamma(n) = n u / (1 - n u), u = 2^-24
 *
 * of that (Higham, "Accuracy and Stability of Numerical Algorithms", lemma 3.1), fused or not, as
 * each term is rounded at most k + 1 times, the last of it being room for the doubles; the second
 * part is for what underflows. Where the sum of magnitudes comes near float32's largest number a
 * partial sum may overflow, so nothing is said. Other operations are bounded by their rounding
 * (rules.c); one without a rule may give anything. What is said holds for every instruction set,
 * batch and number of threads. */
#ifndef RELUD_PROOF_H
#define RELUD_PROOF_H

#include "graph/plan.h"

/* The declared range of an input, [features] each; NULL where none is. */
struct proof_range {
    const float *min, *max;
};

struct proof {
    double **upper; /* by layer, [units]: no pre-activation is above it; NULL when nothing was
                       proven */
};

/* Proves what it can of plan's layers, into arena; ranges are those of the graph's inputs. With no
 * range at all there is no proof. */
enum status proof_open(struct proof *proof, struct arena *arena, const struct plan *plan,
                       const struct proof_range *ranges, struct error *error);

/* Whether a unit of layer can never be active, and passes no gradient then. */
bool proof_dead(const struct proof *proof, const struct plan *plan, size_t layer, size_t unit);

#endif
