#include "generation.h"

#include <stdlib.h>
#include <time.h>

#include "cpu.h"

static void close_generation(struct generation *generation)
{
    for (size_t i = 0; i < generation->seat_count; i++)
        seat_close(&generation->seats[i]);
    pthread_mutex_destroy(&generation->lock);
    ring_free(&generation->ring);
    arena_free(&generation->arena);
    baseline_close(&generation->baseline);
    model_close(&generation->model);
    free(generation);
}

static enum status open_history(struct generation *generation, struct error *error)
{
    const struct model *model = &generation->model;
    generation->since = time(NULL);
    ring_init(&generation->ring, &model->plan, model->level, cpu_clock_ns());
    if (counters_init(&generation->base, &generation->arena, &model->plan, model->level, error) !=
        STATUS_OK)
        return error->status;
    return counters_init(&generation->moved, &generation->arena, &model->plan, model->level, error);
}

enum status generation_open(struct generation **made, const char *path,
                            const struct model_options *options, size_t loops, struct error *error)
{
    size_t bytes = sizeof(struct generation) + loops * sizeof(struct seat);
    struct generation *generation = aligned_alloc(_Alignof(struct generation), bytes);
    if (!generation)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the model");
    *generation = (struct generation){.references = 1, .loops = loops};
    pthread_mutex_init(&generation->lock, NULL);
    arena_init(&generation->arena, MODEL_MEMORY_BYTES_MAX);
    enum status status = model_open(&generation->model, path, options, error);
    if (status == STATUS_OK) {
        baseline_open(&generation->baseline, &generation->model, path);
        status = open_history(generation, error);
    }
    if (status == STATUS_OK)
        *made = generation;
    else
        close_generation(generation);
    return status;
}

enum status generation_seat(struct generation *generation, const struct engine *engine,
                            struct error *error)
{
    for (; generation->seat_count < generation->loops; generation->seat_count++)
        if (seat_open(&generation->seats[generation->seat_count], &generation->model, engine,
                      error) != STATUS_OK)
            return error->status;
    return STATUS_OK;
}

void generation_hold(struct generation *generation)
{
    generation->references++;
}

void generation_release(struct generation *generation)
{
    if (--generation->references == 0)
        close_generation(generation);
}

/* What was counted */

static void write_time(char *text, int64_t seconds)
{
    struct tm parts;
    const time_t since = seconds;
    if (!text)
        return;
    gmtime_r(&since, &parts);
    strftime(text, GENERATION_SINCE_BYTES, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

enum status generation_restore(struct generation *generation, const struct snapshot *snapshot,
                               struct error *error)
{
    struct tm parts = {.tm_sec = 0};
    const char *end = strptime(snapshot->since, "%Y-%m-%dT%H:%M:%SZ", &parts);
    if (!end || *end)
        return error_set(error, STATUS_INVALID,
                         "since: expected a time like 2026-01-01T00:00:00Z, found \"%s\"",
                         snapshot->since);
    pthread_mutex_lock(&generation->lock);
    counters_merge(&generation->base, &snapshot->counters);
    generation->since = timegm(&parts);
    pthread_mutex_unlock(&generation->lock);
    return STATUS_OK;
}

void generation_inherit(struct generation *generation, struct generation *other)
{
    generation_collect(other, &generation->base, NULL);
    pthread_mutex_lock(&other->lock);
    generation->since = other->since;
    pthread_mutex_unlock(&other->lock);
}

static void collect_seats(struct generation *generation, struct counters *into)
{
    for (size_t i = 0; i < generation->seat_count; i++)
        seat_collect(&generation->seats[i], into);
}

void generation_collect(struct generation *generation, struct counters *into,
                        char since[GENERATION_SINCE_BYTES])
{
    pthread_mutex_lock(&generation->lock);
    counters_merge(into, &generation->base);
    collect_seats(generation, into);
    write_time(since, generation->since);
    pthread_mutex_unlock(&generation->lock);
}

void generation_collect_window(struct generation *generation, enum ring_window window,
                               uint64_t now_ns, struct counters *into,
                               char since[GENERATION_SINCE_BYTES])
{
    pthread_mutex_lock(&generation->lock);
    const uint64_t since_ns = ring_collect(&generation->ring, window, now_ns, into);
    const int64_t begin = time(NULL) - (int64_t)((now_ns - since_ns) / 1000000000);
    collect_seats(generation, into);
    write_time(since, begin > generation->since ? begin : generation->since);
    pthread_mutex_unlock(&generation->lock);
}

enum status generation_tick(struct generation *generation, uint64_t now_ns, struct error *error)
{
    pthread_mutex_lock(&generation->lock);
    for (size_t i = 0; i < generation->seat_count; i++)
        seat_take(&generation->seats[i], &generation->moved);
    const enum status status = ring_add(&generation->ring, now_ns, &generation->moved, error);
    if (generation->moved.samples > 0) {
        counters_merge(&generation->base, &generation->moved);
        counters_reset(&generation->moved);
    }
    pthread_mutex_unlock(&generation->lock);
    return status;
}

void generation_reset(struct generation *generation, uint64_t now_ns,
                      char since[GENERATION_SINCE_BYTES])
{
    pthread_mutex_lock(&generation->lock);
    for (size_t i = 0; i < generation->seat_count; i++)
        seat_reset(&generation->seats[i]);
    counters_reset(&generation->base);
    ring_reset(&generation->ring, now_ns);
    generation->since = time(NULL);
    write_time(since, generation->since);
    pthread_mutex_unlock(&generation->lock);
}
