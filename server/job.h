/* job: the rows of one request, on their way through a model. */
#ifndef RELUD_JOB_H
#define RELUD_JOB_H

#include "graph/graph.h"

struct generation;

enum job_outcome { JOB_DONE, JOB_EXPIRED, JOB_GONE /* nobody waits for it any more */ };

struct job {
    struct job *next;
    struct generation *generation; /* the model to run, borrowed */
    size_t rows;
    const float *x[GRAPH_IO_MAX]; /* per input [rows, features], borrowed */
    float **y;                    /* per output [rows, features], borrowed */
    uint32_t *active;             /* [layers, rows] units active in each row; NULL: not wanted */
    uint32_t *fired;              /* [layers, rows] active observations of each row; with active */
    uint64_t *bits; /* NULL, or the layers' bitmaps one after the other, each [rows, words] */
    uint64_t submitted_ns, deadline_ns; /* set by who submits */
    uint64_t queue_ns, compute_ns;
    size_t batch_rows; /* rows that were run together */
    bool leads;        /* the first of those jobs, where the run is counted */
    enum job_outcome outcome;
    size_t begun_rows;                      /* a batch's own: rows that pieces have had */
    bool (*is_gone)(const struct job *job); /* whether the client has hung up */
    void (*done)(struct job *job); /* called on the loop once a queued job has its outcome */
};

#endif
