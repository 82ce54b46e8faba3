/* seat: one loop's place at one model: a session to run it in, and what it has counted.
 *
 * Only the loop runs the session. Readers of /stats take the lock and add the totals and, of the
 * session's tallies, the rows that are pending. A run at once holds the lock and leaves its rows
 * pending, which costs no addition; a run in slices first adds what is pending to the totals, then
 * counts unseen until each of its pieces is done. */
#ifndef RELUD_SEAT_H
#define RELUD_SEAT_H

#include <pthread.h>

#include "engine.h"
#include "graph/session.h"
#include "job.h"
#include "model/model.h"

/* Rows of a job that lie side by side in a piece. */
struct span {
    struct job *job; /* NULL: nobody waits for them any more */
    size_t row;      /* of the job */
    size_t rows;     /* how many */
    size_t place;    /* first row in the piece */
};

struct seat {
    _Alignas(64) const struct model *model; /* borrowed; no two seats share a cache line */
    struct session session;
    struct arena arena;           /* owned: staging, spans and totals */
    float *staging[GRAPH_IO_MAX]; /* per input [capacity, features]: rows of several jobs */
    struct span *spans;           /* [capacity]: of the piece that is being run */
    pthread_mutex_t lock;
    struct counters totals; /* under lock */
    uint64_t pending;       /* under lock: rows in the session's tallies that count already */
};

/* Rows a session of model takes at once: as many as fit the memory meant for it, at least one. */
size_t seat_rows(const struct model *model);

enum status seat_open(struct seat *seat, const struct model *model, const struct engine *engine,
                      struct error *error);
void seat_close(struct seat *seat);

/* Adds what the seat has counted to into. Thread-safe. */
void seat_collect(struct seat *seat, struct counters *into);

/* The same, and begins anew: what was counted is into's alone. Thread-safe. */
void seat_take(struct seat *seat, struct counters *into);

/* Forgets what the seat has counted. Thread-safe. */
void seat_reset(struct seat *seat);

/* Runs job at once; what it takes counts from its submission. */
void seat_run(struct seat *seat, struct job *job);

/* Jobs of one model run side by side, in slices; longer ones in pieces of the session's capacity.
 */
struct batch {
    struct seat *seat;
    struct job *jobs;  /* in order, linked by next */
    size_t rows, done; /* of those jobs: all, and finished ones */
    size_t piece, span_count;
    size_t out_of_range; /* rows of the piece */
    uint64_t compute_ns;
    bool running;              /* a piece has begun */
    bool placed[GRAPH_IO_MAX]; /* outputs that the piece's one job gets while it runs */
};

void batch_begin(struct batch *batch, struct seat *seat, struct job *jobs);

/* Runs on until every row is done (true) or deadline_ns has passed (false). Finished pieces are
 * counted in the totals before this returns, and their rows written to their jobs. */
bool batch_advance(struct batch *batch, uint64_t deadline_ns);

/* Takes a job out, whose memory is not touched any more: of its rows those of a piece that others
 * share are computed to the end, but for nobody. Without jobs the batch is at its end. */
void batch_drop(struct batch *batch, struct job *job);

/* Gives a batch up: what its unfinished piece has counted is forgotten. */
void batch_abandon(struct batch *batch);

#endif
