#include "generation.h"

#include <stdlib.h>
#include <time.h>

static void close_generation(struct generation *generation)
{
    for (size_t i = 0; i < generation->seat_count; i++)
        seat_close(&generation->seats[i]);
    model_close(&generation->model);
    free(generation);
}

enum status generation_open(struct generation **made, const char *path,
                            const struct model_options *options, size_t loops, struct error *error)
{
    size_t bytes = sizeof(struct generation) + loops * sizeof(struct seat);
    struct generation *generation = aligned_alloc(_Alignof(struct generation), bytes);
    if (!generation)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the model");
    *generation = (struct generation){.references = 1, .since = time(NULL), .loops = loops};
    enum status status = model_open(&generation->model, path, options, error);
    if (status == STATUS_OK)
        *made = generation;
    else
        free(generation);
    return status;
}

enum status generation_seat(struct generation *generation, const struct kernels *kernels,
                            struct error *error)
{
    for (; generation->seat_count < generation->loops; generation->seat_count++)
        if (seat_open(&generation->seats[generation->seat_count], &generation->model, kernels,
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

void generation_collect(struct generation *generation, struct counters *into)
{
    for (size_t i = 0; i < generation->seat_count; i++)
        seat_collect(&generation->seats[i], into);
}

void generation_reset(struct generation *generation)
{
    for (size_t i = 0; i < generation->seat_count; i++)
        seat_reset(&generation->seats[i]);
    atomic_store(&generation->since, time(NULL));
}

void generation_since(const struct generation *generation, char text[GENERATION_SINCE_BYTES])
{
    time_t since = atomic_load(&generation->since);
    struct tm parts;
    gmtime_r(&since, &parts);
    strftime(text, GENERATION_SINCE_BYTES, "%Y-%m-%dT%H:%M:%SZ", &parts);
}
