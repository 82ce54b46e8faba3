/* usage: how many requests and rows a model has answered, and what they took, as the statistics of
 * the Open Inference Protocol tell it.
 *
 * One loop records, once per request and before its answer leaves; anybody collects. */
#ifndef RELUD_USAGE_H
#define RELUD_USAGE_H

#include <pthread.h>
#include <stdbool.h>

#include "text.h"

enum usage_kind {
#define USAGE(name) USAGE_##name,
#include "usage.def"
#undef USAGE
    USAGE_COUNT
};

struct usage_time {
    uint64_t count, ns;
};

/* Runs of so many rows. */
struct usage_batch {
    size_t rows;
    uint64_t count;
    uint64_t input_ns, infer_ns, output_ns;
};

struct usage_sum {
    uint64_t last_ms; /* the last request, in milliseconds of the epoch; 0 for none */
    uint64_t rows, runs;
    struct usage_time times[USAGE_COUNT];
    struct usage_batch *batches; /* owned, ascending by rows */
    size_t batch_count, batch_capacity;
};

struct usage {
    pthread_mutex_t lock;
    struct usage_sum sum; /* under lock */
};

/* One request. Of one that failed only the whole counts. */
struct usage_sample {
    bool failed;
    uint64_t total_ns; /* from its header to its answer */
    uint64_t queue_ns, input_ns, infer_ns, output_ns;
    size_t rows;
    size_t batch_rows; /* of the run it was part of */
    bool leads;        /* it stands for the run, which is counted once */
};

void usage_init(struct usage *usage);
void usage_free(struct usage *usage);

/* A size of batch for which there is no memory is left out of the list of sizes. */
void usage_record(struct usage *usage, const struct usage_sample *sample);

/* Adds what was recorded to sum, which begins zeroed; false when there is no memory. Thread-safe.
 */
bool usage_collect(struct usage *usage, struct usage_sum *sum);
void usage_sum_free(struct usage_sum *sum);

/* "last_inference":…,"batch_stats":[…]: the sum as Triton writes it, without braces. */
void usage_write(struct text *text, const struct usage_sum *sum);

#endif
