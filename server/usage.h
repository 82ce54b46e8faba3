/* usage: how many requests and rows a model has answered, and what they took, as the metrics and
 * the statistics of the Open Inference Protocol tell it.
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

/* Times are sorted into buckets: the first holds those up to 10 us, each of the others those up to
 * twice the limit of the one before (the last but one ends at 42 s), and the last one the rest. */
enum { USAGE_BUCKETS = 24, USAGE_BUCKET_NS = 10000 };

struct usage_time {
    uint64_t count, ns;
    uint64_t buckets[USAGE_BUCKETS];
};

/* Answers of that status; the code of a refusal tells its reason. */
struct usage_answer {
    int status;
    const char *code; /* static; NULL for no refusal */
    uint64_t count;
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
    struct usage_answer *answers; /* owned, ascending by status and code */
    size_t answer_count, answer_capacity;
};

struct usage {
    _Alignas(64) pthread_mutex_t lock; /* no two loops write to one cache line */
    struct usage_sum sum;              /* under lock */
};

/* One request and its answer. */
struct usage_sample {
    int status;
    const char *code; /* as in struct usage_answer */
    bool inference;   /* it asked for outputs; what follows is meaningful, of a failure the total */
    uint64_t total_ns; /* from its header to its answer; 0 while that is not known */
    uint64_t queue_ns, input_ns, infer_ns, output_ns;
    size_t rows;
    size_t batch_rows; /* of the run it was part of */
    bool leads;        /* it stands for the run, which is counted once */
};

void usage_init(struct usage *usage);
void usage_free(struct usage *usage);

/* A size of batch or a kind of answer for which there is no memory is left out of its list. */
void usage_record(struct usage *usage, const struct usage_sample *sample);

/* Adds what was recorded to sum, which begins zeroed; false when there is no memory. Thread-safe.
 */
bool usage_collect(struct usage *usage, struct usage_sum *sum);

/* Adds a sum to another; false when there is no memory. */
bool usage_merge(struct usage_sum *into, const struct usage_sum *from);
void usage_sum_free(struct usage_sum *sum);

/* "last_inference":…,"batch_stats":[…]: the sum as Triton writes it, without braces. */
void usage_write(struct text *text, const struct usage_sum *sum);

#endif
