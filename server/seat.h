/* seat: one loop's place at one model: a session to run it in, and what it has counted.
 *
 * Only the loop runs the session. Its totals are shared with readers of /stats and have a lock,
 * held for the time of one addition. */
#ifndef RELUD_SEAT_H
#define RELUD_SEAT_H

#include <pthread.h>

#include "graph/session.h"
#include "job.h"
#include "model/model.h"

struct seat {
    const struct model *model; /* borrowed */
    struct session session;
    struct arena arena;           /* owned: staging and totals */
    float *staging[GRAPH_IO_MAX]; /* per input [capacity, features]: rows of several jobs */
    pthread_mutex_t lock;
    struct counters totals; /* under lock */
};

enum status seat_open(struct seat *seat, const struct model *model, const struct kernels *kernels,
                      struct error *error);
void seat_close(struct seat *seat);

/* Adds the seat's totals to into. */
void seat_collect(struct seat *seat, struct counters *into);

/* Jobs of one model run side by side; longer ones in pieces of the session's capacity. */
struct batch {
    struct seat *seat;
    struct job *jobs; /* in order, linked by next */
    size_t rows, done, piece;
    uint64_t compute_ns;
    bool running; /* a piece has begun */
};

void batch_begin(struct batch *batch, struct seat *seat, struct job *jobs);

/* Runs on until every row is done (true) or deadline_ns has passed (false). Finished pieces are
 * counted in the totals before this returns, and their rows written to their jobs. */
bool batch_advance(struct batch *batch, uint64_t deadline_ns);

#endif
