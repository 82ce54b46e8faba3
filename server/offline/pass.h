/* pass: a data set through one model or several, once, on many cores.
 *
 * Each thread takes some rows in turn and runs them through every model, in a session of its own.
 * What was counted is added in the order of the rows, whoever was done first: counts, maxima and
 * sums, and the row an error is found in, do not depend on the number of threads. */
#ifndef RELUD_PASS_H
#define RELUD_PASS_H

#include <pthread.h>

#include "dataset.h"
#include "kernels/kernels.h"

enum { PASS_MODELS_MAX = 2, PASS_THREADS_MAX = 256 };

struct pass {
    /* What is asked; borrowed. */
    const struct model *models[PASS_MODELS_MAX]; /* all with the same inputs */
    size_t model_count;
    struct dataset *data; /* by input */
    const struct kernels *kernels;
    size_t threads, batch;                                    /* rows a thread takes at once */
    void (*progress)(void *context, const struct pass *pass); /* NULL; one call at a time */
    void *context;
    /* What comes out. */
    struct counters *counters[PASS_MODELS_MAX]; /* of each model's plan, added to; borrowed */
    uint64_t rows;                              /* counted so far */
    /* Its own. */
    pthread_mutex_t taking, adding;
    pthread_cond_t added;
    uint64_t next; /* under taking: the turn of who takes rows next */
    bool ended;    /* under taking: nothing is left to take */
    uint64_t turn; /* under adding: whose rows are to be added next */
    bool failed;   /* under adding */
    struct error error;
};

/* Runs all rows; no rows are INVALID. */
enum status pass_run(struct pass *pass, struct error *error);

#endif
