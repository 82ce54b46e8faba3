#include "usage.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIRST_BATCHES = 8 };

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
    *sum = (struct usage_sum){.rows = 0};
}

static bool reserve(struct usage_sum *sum)
{
    if (sum->batch_count < sum->batch_capacity)
        return true;
    size_t capacity = sum->batch_capacity ? sum->batch_capacity * 2 : FIRST_BATCHES;
    struct usage_batch *batches = realloc(sum->batches, capacity * sizeof *batches);
    if (!batches)
        return false;
    sum->batches = batches;
    sum->batch_capacity = capacity;
    return true;
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
    if (low == sum->batch_count || sum->batches[low].rows != added->rows) {
        if (!reserve(sum))
            return false;
        struct usage_batch *place = sum->batches + low;
        memmove(place + 1, place, (sum->batch_count++ - low) * sizeof *place);
        *place = (struct usage_batch){.rows = added->rows};
    }
    struct usage_batch *batch = &sum->batches[low];
    batch->count += added->count;
    batch->input_ns += added->input_ns;
    batch->infer_ns += added->infer_ns;
    batch->output_ns += added->output_ns;
    return true;
}

static void add_time(struct usage_sum *sum, enum usage_kind kind, uint64_t ns)
{
    sum->times[kind].count++;
    sum->times[kind].ns += ns;
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
    pthread_mutex_lock(&usage->lock);
    usage->sum.last_ms = epoch_ms();
    if (sample->failed)
        add_time(&usage->sum, USAGE_fail, sample->total_ns);
    else
        add_success(&usage->sum, sample);
    pthread_mutex_unlock(&usage->lock);
}

static bool merge(struct usage_sum *into, const struct usage_sum *from)
{
    if (from->last_ms > into->last_ms)
        into->last_ms = from->last_ms;
    into->rows += from->rows;
    into->runs += from->runs;
    for (size_t i = 0; i < USAGE_COUNT; i++) {
        into->times[i].count += from->times[i].count;
        into->times[i].ns += from->times[i].ns;
    }
    for (size_t i = 0; i < from->batch_count; i++)
        if (!add_batch(into, &from->batches[i]))
            return false;
    return true;
}

bool usage_collect(struct usage *usage, struct usage_sum *sum)
{
    pthread_mutex_lock(&usage->lock);
    bool merged = merge(sum, &usage->sum);
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
