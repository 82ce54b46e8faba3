/* comparison: a model and what compact has made of it, side by side on the same rows. */
#ifndef RELUD_COMPARISON_H
#define RELUD_COMPARISON_H

#include "compact/compact.h"
#include "kernels/kernels.h"
#include "offline/inputs.h"

/* Answers of a model with folded biases agree within this, of the largest number of the row or 1.
 */
#define COMPARISON_TOLERANCE 1e-6

struct comparison {
    /* What is asked; borrowed. */
    const struct model *before;
    const struct compact *after;
    bool exact; /* equal to the last bit, not within COMPARISON_TOLERANCE */
    const struct kernels *kernels;
    /* What comes out. */
    uint64_t rows;
    uint64_t woken;       /* rows in which a removed unit was not stuck */
    uint64_t differing;   /* of the others, those with another answer */
    double largest;       /* difference in any of the others, relative as above */
    double latency_us[2]; /* of one row, the median: before, after */
};

/* Runs all rows of the inputs through both. */
enum status comparison_run(struct comparison *comparison, struct inputs *inputs,
                           struct error *error);

/* Times runs of one row, in turn, on numbers of the declared ranges. */
enum status comparison_time(struct comparison *comparison, struct error *error);

#endif
