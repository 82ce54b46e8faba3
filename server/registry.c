#include "registry.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cpu.h"
#include "log.h"
#include "overrides.h"

/* Catalogs */

/* Frees the retired catalogs that nobody uses any more. */
static void sweep(struct registry *registry)
{
    for (struct catalog **link = &registry->retired; *link;) {
        struct catalog *catalog = *link;
        if (atomic_load(&catalog->references) > 0) {
            link = &catalog->next;
            continue;
        }
        *link = catalog->next;
        catalog_close(catalog);
    }
}

static void retire(struct registry *registry, struct catalog *catalog)
{
    catalog->next = registry->retired;
    registry->retired = catalog;
    atomic_fetch_sub(&catalog->references, 1);
}

/* Makes the shelf as it is now the current catalog. Without memory for that, the old one stays. */
static void publish(struct registry *registry)
{
    struct catalog *made = shelf_catalog(&registry->shelf);
    if (!made) {
        log_event(LOG_ERROR, "models not published", "reason", "no memory left");
        return;
    }
    pthread_mutex_lock(&registry->lock);
    struct catalog *old = atomic_exchange(&registry->current, made);
    pthread_mutex_unlock(&registry->lock);
    retire(registry, old);
    registry->changed(registry->context);
    sweep(registry);
}

struct catalog *registry_join(struct registry *registry, size_t loop)
{
    pthread_mutex_lock(&registry->lock);
    struct catalog *catalog = atomic_load(&registry->current);
    atomic_fetch_add(&catalog->references, 1);
    pthread_mutex_unlock(&registry->lock);
    catalog_enter(catalog, loop);
    return catalog;
}

void registry_leave(struct registry *registry, struct catalog *catalog, size_t loop)
{
    if (!catalog_leave(catalog, loop))
        return;
    pthread_mutex_lock(&registry->lock);
    registry->sweep = true;
    pthread_cond_signal(&registry->wanted);
    pthread_mutex_unlock(&registry->lock);
}

/* Loading */

static bool is_stopping(struct registry *registry)
{
    pthread_mutex_lock(&registry->lock);
    bool stopping = registry->stopping;
    pthread_mutex_unlock(&registry->lock);
    return stopping;
}

static void note_loaded(const struct slot *slot, bool anew)
{
    const struct source *source = &slot->source;
    const struct model *model = &slot->generation->model;
    log_event(LOG_INFO, anew ? "model loaded" : "model unchanged", "name", source->name, "version",
              source->version, "path", source->path, "digest", model->digest);
    for (size_t i = 0; anew && i < model->left_out_count; i++)
        log_event(LOG_INFO, "output not served", "name", source->name, "output", model->left_out[i],
                  "reason", "it does not hold float32 numbers");
}

static enum status load_slot(struct registry *registry, struct slot *slot, struct error *error)
{
    const struct generation *before = slot->generation;
    enum status status = shelf_load(&registry->shelf, slot, error);
    publish(registry);
    if (status == STATUS_OK)
        note_loaded(slot, slot->generation != before);
    return status;
}

static void note_failure(const struct slot *slot, const struct error *error)
{
    log_event(LOG_WARNING, "model not loaded", "name", slot->source.name, "version",
              slot->source.version, "path", slot->source.path, "reason", error->message, "serving",
              slot->generation ? "the last one" : "none");
}

/* Loads all models, and at the start no more after the first failure: the process will end with its
 * message. */
static void load_first(struct registry *registry)
{
    enum status status = STATUS_OK;
    struct error error;
    const struct shelf *shelf = &registry->shelf;
    for (size_t i = 0; i < shelf->count && status == STATUS_OK && !is_stopping(registry); i++)
        status = load_slot(registry, shelf->slots[i], &error);
    pthread_mutex_lock(&registry->lock);
    if (status != STATUS_OK)
        registry->first = error;
    pthread_mutex_unlock(&registry->lock);
    eventfd_write(registry->loaded, 1);
}

/* Loads what there is now of the model called only, or of all; the first failure is reported, and
 * the others are tried even so. */
static enum status load_again(struct registry *registry, const char *only, struct error *error)
{
    struct error first = {.status = STATUS_OK};
    const struct shelf *shelf = &registry->shelf;
    if (shelf_look(&registry->shelf, only, error) != STATUS_OK)
        return error->status;
    publish(registry);
    for (size_t i = 0; i < shelf->count; i++) {
        struct slot *slot = shelf->slots[i];
        if (only && strcmp(slot->source.name, only) != 0)
            continue;
        if (is_stopping(registry))
            return error_set(error, STATUS_IO, "the server is shutting down");
        if (load_slot(registry, slot, error) == STATUS_OK)
            continue;
        note_failure(slot, error);
        if (first.status == STATUS_OK)
            first = *error;
    }
    *error = first;
    return first.status;
}

static enum status unload(struct registry *registry, const char *name, struct error *error)
{
    bool found = false;
    for (size_t i = 0; i < registry->shelf.count; i++) {
        struct slot *slot = registry->shelf.slots[i];
        if (strcmp(slot->source.name, name) != 0)
            continue;
        shelf_unload(&registry->shelf, slot);
        found = true;
    }
    if (!found)
        return error_set(error, STATUS_NOT_FOUND, "Request for unknown model: '%s' is not found",
                         name);
    publish(registry);
    log_event(LOG_INFO, "model unloaded", "name", name);
    return STATUS_OK;
}

/* The thread */

static void carry_out(struct registry *registry, struct order *order)
{
    order->error.status = STATUS_OK;
    if (order->kind == ORDER_LOAD)
        load_again(registry, order->model, &order->error);
    else
        unload(registry, order->model, &order->error);
    order->done(order);
}

static void reload(struct registry *registry)
{
    struct error error;
    if (load_again(registry, NULL, &error) != STATUS_OK)
        log_event(LOG_WARNING, "reload incomplete", "reason", error.message);
}

/* What is wanted of the thread; taken out of the registry. */
struct work {
    struct order *orders;
    bool reload, stopping;
};

static bool has_work(const struct registry *registry)
{
    return registry->orders || registry->reload || registry->sweep || registry->stopping;
}

/* Waits for work, at most until tick_ns. */
static struct work await_work(struct registry *registry, uint64_t tick_ns)
{
    const struct timespec tick = {.tv_sec = (time_t)(tick_ns / 1000000000),
                                  .tv_nsec = (long)(tick_ns % 1000000000)};
    pthread_mutex_lock(&registry->lock);
    while (!has_work(registry) &&
           pthread_cond_clockwait(&registry->wanted, &registry->lock, CLOCK_MONOTONIC, &tick) == 0)
        ;
    struct work work = {registry->orders, registry->reload, registry->stopping};
    registry->orders = NULL;
    registry->orders_end = &registry->orders;
    registry->reload = registry->sweep = false;
    pthread_mutex_unlock(&registry->lock);
    return work;
}

/* Moves what was counted to where windows are answered from; at multiples of the interval, which
 * the slots of windows begin at. */
static void tick(struct registry *registry, uint64_t now_ns)
{
    struct error error;
    for (size_t i = 0; i < registry->shelf.count; i++) {
        const struct slot *slot = registry->shelf.slots[i];
        if (slot->generation && generation_tick(slot->generation, now_ns, &error) != STATUS_OK)
            log_event(LOG_WARNING, "windows incomplete", "name", slot->source.name, "reason",
                      error.message);
    }
}

static void *run(void *context)
{
    struct registry *registry = context;
    struct work work = {.stopping = false};
    uint64_t ticked_ns = 0;
    load_first(registry);
    while (!work.stopping) {
        const uint64_t now_ns = cpu_clock_ns();
        if (now_ns / GENERATION_TICK_NS != ticked_ns / GENERATION_TICK_NS) {
            tick(registry, now_ns);
            ticked_ns = now_ns;
        }
        work = await_work(registry, (now_ns / GENERATION_TICK_NS + 1) * GENERATION_TICK_NS);
        sweep(registry);
        if (work.reload && !work.stopping)
            reload(registry);
        for (struct order *order = work.orders, *next; order; order = next) {
            next = order->next;
            carry_out(registry, order);
        }
    }
    return NULL;
}

/* Wishes of other threads */

void registry_reload(struct registry *registry)
{
    pthread_mutex_lock(&registry->lock);
    registry->reload = true;
    pthread_cond_signal(&registry->wanted);
    pthread_mutex_unlock(&registry->lock);
}

void registry_order(struct registry *registry, struct order *order)
{
    order->next = NULL;
    pthread_mutex_lock(&registry->lock);
    bool stopping = registry->stopping;
    if (!stopping) {
        *registry->orders_end = order;
        registry->orders_end = &order->next;
        pthread_cond_signal(&registry->wanted);
    }
    pthread_mutex_unlock(&registry->lock);
    if (!stopping)
        return;
    error_set(&order->error, STATUS_IO, "the server is shutting down");
    order->done(order);
}

int registry_loaded(const struct registry *registry)
{
    return registry->loaded;
}

enum status registry_first(struct registry *registry, struct error *error)
{
    pthread_mutex_lock(&registry->lock);
    *error = registry->first;
    pthread_mutex_unlock(&registry->lock);
    return error->status;
}

/* Opening and closing */

/* --default-model must be there at the start; a model that goes away later is missed by those who
 * ask for it. */
static enum status check_options(const struct shelf *shelf, struct error *error)
{
    const char *name = shelf->options->default_model;
    for (size_t i = 0; i < shelf->count && name; i++)
        if (strcmp(shelf->slots[i]->source.name, name) == 0)
            name = NULL;
    if (name)
        return error_set(error, STATUS_NOT_FOUND, "--default-model %s: no such model", name);
    return overrides_check(shelf->options, &shelf->sources, error);
}

enum status registry_open(struct registry *registry, const struct options *options,
                          const struct engine *engine, size_t loops, struct error *error)
{
    *registry = (struct registry){.loaded = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    registry->orders_end = &registry->orders;
    pthread_mutex_init(&registry->lock, NULL);
    pthread_cond_init(&registry->wanted, NULL);
    shelf_init(&registry->shelf, options, engine, &registry->book, &registry->store);
    enum status status = store_open(&registry->store, options->stats_dir, error);
    if (!book_open(&registry->book, loops) && status == STATUS_OK)
        status = error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for counting requests");
    if (status == STATUS_OK)
        status = shelf_look(&registry->shelf, NULL, error);
    if (status == STATUS_OK)
        status = check_options(&registry->shelf, error);
    if (status == STATUS_OK)
        atomic_init(&registry->current, shelf_catalog(&registry->shelf));
    if (status == STATUS_OK && (!atomic_load(&registry->current) || registry->loaded < 0))
        status = error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the list of models");
    if (status != STATUS_OK)
        registry_close(registry);
    return status;
}

enum status registry_start(struct registry *registry, void (*changed)(void *context), void *context,
                           struct error *error)
{
    registry->changed = changed;
    registry->context = context;
    int result = pthread_create(&registry->thread, NULL, run, registry);
    if (result != 0)
        return error_set(error, STATUS_IO, "the registry does not start: %s", strerror(result));
    registry->started = true;
    return STATUS_OK;
}

void registry_stop(struct registry *registry)
{
    pthread_mutex_lock(&registry->lock);
    registry->stopping = true;
    pthread_cond_signal(&registry->wanted);
    pthread_mutex_unlock(&registry->lock);
    if (registry->started)
        pthread_join(registry->thread, NULL);
    registry->started = false;
}

void registry_close(struct registry *registry)
{
    struct catalog *current = atomic_load(&registry->current);
    if (current)
        retire(registry, current);
    sweep(registry);
    shelf_free(&registry->shelf);
    book_close(&registry->book);
    store_close(&registry->store);
    if (registry->loaded >= 0)
        close(registry->loaded);
    pthread_cond_destroy(&registry->wanted);
    pthread_mutex_destroy(&registry->lock);
}
