#include "usage.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIRST_ITEMS = 8 };

void usage_init(struct usage *usage)
{
    *usage = (struct usage){.sum.rows = 0};
    pthread_mutex_init(&usage->lock, NULL);
}

void usage_free(struct usage *usage)
{
    usage_sum_free(&usage->sum);
    pthread_mutex_destroy(&usage->lock);
}

void usage_sum_free(struct usage_sum *sum)
{
    free(sum->batches);
    free(sum->answers);
    *sum = (struct usage_sum){.rows = 0};
}

/* items with room for one more of that size, moved where need be; NULL when there is no memory. */
static void *reserve(void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    size_t wanted = *capacity ? *capacity * 2 : FIRST_ITEMS;
    void *moved = realloc(items, wanted * size);
    if (moved)
        *capacity = wanted;
    return moved;
}

static struct usage_batch *insert_batch(struct usage_sum *sum, size_t index, size_t rows)
{
    struct usage_batch *batches =
        reserve(sum->batches, sum->batch_count, &sum->batch_capacity, sizeof *batches);
    if (!batches)
        return NULL;
    sum->batches = batches;
    struct usage_batch *place = batches + index;
    memmove(place + 1, place, (sum->batch_count++ - index) * sizeof *place);
    *place = (struct usage_batch){.rows = rows};
    return place;
}

/* Adds to the runs of as many rows. */
static bool add_batch(struct usage_sum *sum, const struct usage_batch *added)
{
    size_t low = 0, high = sum->batch_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sum->batches[middle].rows < added->rows)
            low = middle + 1;
        else
            high = middle;
    }
    bool known = low < sum->batch_count && sum->batches[low].rows == added->rows;
    struct usage_batch *batch = known ? &sum->batches[low] : insert_batch(sum, low, added->rows);
    if (!batch)
        return false;
    batch->count += added->count;
    batch->input_ns += added->input_ns;
    batch->infer_ns += added->infer_ns;
    batch->output_ns += added->output_ns;
    return true;
}

static int compare_answers(const struct usage_answer *a, const struct usage_answer *b)
{
    if (a->status != b->status)
        return a->status < b->status ? -1 : 1;
    return strcmp(a->code ? a->code : "", b->code ? b->code : "");
}

/* Adds to the answers of the same status and code. There are few of them. */
static bool add_answer(struct usage_sum *sum, const struct usage_answer *added)
{
    size_t i = 0;
    while (i < sum->answer_count && compare_answers(&sum->answers[i], added) < 0)
        i++;
    if (i < sum->answer_count && compare_answers(&sum->answers[i], added) == 0) {
        sum->answers[i].count += added->count;
        return true;
    }
    struct usage_answer *answers =
        reserve(sum->answers, sum->answer_count, &sum->answer_capacity, sizeof *answers);
    if (!answers)
        return false;
    sum->answers = answers;
    memmove(answers + i + 1, answers + i, (sum->answer_count++ - i) * sizeof *answers);
    answers[i] = *added;
    return true;
}

static size_t bucket_of(uint64_t ns)
{
    uint64_t halves = ns ? (ns - 1) / USAGE_BUCKET_NS : 0;
    size_t bucket = halves ? 64 - (size_t)__builtin_clzll(halves) : 0;
    return bucket < USAGE_BUCKETS ? bucket : USAGE_BUCKETS - 1;
}

static void add_time(struct usage_sum *sum, enum usage_kind kind, uint64_t ns)
{
    sum->times[kind].count++;
    sum->times[kind].ns += ns;
    sum->times[kind].buckets[bucket_of(ns)]++;
}

static void add_success(struct usage_sum *sum, const struct usage_sample *sample)
{
    struct usage_batch batch = {.rows = sample->batch_rows,
                                .count = sample->leads,
                                .input_ns = sample->input_ns,
                                .infer_ns = sample->leads ? sample->infer_ns : 0,
                                .output_ns = sample->output_ns};
    sum->rows += sample->rows;
    sum->runs += sample->leads;
    add_time(sum, USAGE_success, sample->total_ns);
    add_time(sum, USAGE_queue, sample->queue_ns);
    add_time(sum, USAGE_compute_input, sample->input_ns);
    add_time(sum, USAGE_compute_infer, sample->infer_ns);
    add_time(sum, USAGE_compute_output, sample->output_ns);
    add_batch(sum, &batch);
}

static uint64_t epoch_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

void usage_record(struct usage *usage, const struct usage_sample *sample)
{
    struct usage_sum *sum = &usage->sum;
    struct usage_answer answer = {sample->status, sample->code, 1};
    pthread_mutex_lock(&usage->lock);
    add_answer(sum, &answer);
    if (sample->inference)
        sum->last_ms = epoch_ms();
    if (sample->inference && sample->status == 200)
        add_success(sum, sample);
    else if (sample->inference)
        add_time(sum, USAGE_fail, sample->total_ns);
    pthread_mutex_unlock(&usage->lock);
}

bool usage_merge(struct usage_sum *into, const struct usage_sum *from)
{
    if (from->last_ms > into->last_ms)
        into->last_ms = from->last_ms;
    into->rows += from->rows;
    into->runs += from->runs;
    for (size_t i = 0; i < USAGE_COUNT; i++) {
        into->times[i].count += from->times[i].count;
        into->times[i].ns += from->times[i].ns;
        for (size_t b = 0; b < USAGE_BUCKETS; b++)
            into->times[i].buckets[b] += from->times[i].buckets[b];
    }
    for (size_t i = 0; i < from->batch_count; i++)
        if (!add_batch(into, &from->batches[i]))
            return false;
    for (size_t i = 0; i < from->answer_count; i++)
        if (!add_answer(into, &from->answers[i]))
            return false;
    return true;
}

bool usage_collect(struct usage *usage, struct usage_sum *sum)
{
    pthread_mutex_lock(&usage->lock);
    bool merged = usage_merge(sum, &usage->sum);
    pthread_mutex_unlock(&usage->lock);
    return merged;
}

/* As JSON */

static void write_time(struct text *text, const char *name, uint64_t count, uint64_t ns)
{
    text_put(text, "\"");
    text_put(text, name);
    text_put(text, "\":{\"count\":");
    text_u64(text, count);
    text_put(text, ",\"ns\":");
    text_u64(text, ns);
    text_put(text, "}");
}

static void write_batch(struct text *text, const struct usage_batch *batch)
{
    text_put(text, "{\"batch_size\":");
    text_u64(text, batch->rows);
    text_put(text, ",");
    write_time(text, "compute_input", batch->count, batch->input_ns);
    text_put(text, ",");
    write_time(text, "compute_infer", batch->count, batch->infer_ns);
    text_put(text, ",");
    write_time(text, "compute_output", batch->count, batch->output_ns);
    text_put(text, "}");
}

void usage_write(struct text *text, const struct usage_sum *sum)
{
    static const char *const names[] = {
#define USAGE(name) #name,
#include "usage.def"
#undef USAGE
    };
    text_put(text, "\"last_inference\":");
    text_u64(text, sum->last_ms);
    text_put(text, ",\"inference_count\":");
    text_u64(text, sum->rows);
    text_put(text, ",\"execution_count\":");
    text_u64(text, sum->runs);
    text_put(text, ",\"inference_stats\":{");
    for (size_t i = 0; i < USAGE_COUNT; i++) {
        text_put(text, i ? "," : "");
        write_time(text, names[i], sum->times[i].count, sum->times[i].ns);
    }
    text_put(text, "},\"batch_stats\":[");
    for (size_t i = 0; i < sum->batch_count; i++) {
        text_put(text, i ? "," : "");
        write_batch(text, &sum->batches[i]);
    }
    text_put(text, "]");
}
