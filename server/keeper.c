#include "keeper.h"

#include <string.h>

#include "cpu.h"

/* The keeper is one more user of the catalogs beside the loops. */
static void save_all(struct registry *registry)
{
    const size_t user = registry->book.loops;
    struct catalog *catalog = registry_join(registry, user);
    for (size_t i = 0; i < catalog->count; i++)
        if (catalog->entries[i].generation)
            store_save(&registry->store, catalog->entries[i].generation);
    registry_leave(registry, catalog, user);
}

/* Waits for the time; false when it is time to stop. */
static bool await(struct keeper *keeper, uint64_t due_ns)
{
    const struct timespec due = {.tv_sec = (time_t)(due_ns / 1000000000),
                                 .tv_nsec = (long)(due_ns % 1000000000)};
    pthread_mutex_lock(&keeper->lock);
    while (!keeper->stopping &&
           pthread_cond_clockwait(&keeper->stopped, &keeper->lock, CLOCK_MONOTONIC, &due) == 0)
        ;
    const bool stopping = keeper->stopping;
    pthread_mutex_unlock(&keeper->lock);
    return !stopping;
}

static void *run(void *context)
{
    struct keeper *keeper = context;
    const uint64_t interval_ns = keeper->interval_s * 1000000000u;
    while (await(keeper, cpu_clock_ns() + interval_ns))
        save_all(keeper->registry);
    return NULL;
}

enum status keeper_start(struct keeper *keeper, struct registry *registry, uint64_t interval_s,
                         struct error *error)
{
    *keeper = (struct keeper){.registry = registry, .interval_s = interval_s};
    if (registry->store.directory < 0)
        return STATUS_OK;
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_cond_init(&keeper->stopped, NULL);
    const int result = pthread_create(&keeper->thread, NULL, run, keeper);
    if (result != 0)
        return error_set(error, STATUS_IO, "the keeper does not start: %s", strerror(result));
    keeper->started = true;
    return STATUS_OK;
}

void keeper_stop(struct keeper *keeper)
{
    if (!keeper->started)
        return;
    pthread_mutex_lock(&keeper->lock);
    keeper->stopping = true;
    pthread_cond_signal(&keeper->stopped);
    pthread_mutex_unlock(&keeper->lock);
    pthread_join(keeper->thread, NULL);
    save_all(keeper->registry);
    pthread_cond_destroy(&keeper->stopped);
    pthread_mutex_destroy(&keeper->lock);
    keeper->started = false;
}
