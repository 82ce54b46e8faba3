/* registry: the models being served, and the one thread that loads them.
 *
 * Everything about models happens on that thread, one after the other: loading, replacing, freeing.
 * What it has done it publishes as a catalog, which the loops pick up with the next request. */
#ifndef RELUD_REGISTRY_H
#define RELUD_REGISTRY_H

#include <pthread.h>

#include "shelf.h"

enum order_kind { ORDER_LOAD, ORDER_UNLOAD };

/* What a client wants done with a model. */
struct order {
    struct order *next;
    enum order_kind kind;
    const char *model;  /* borrowed until done is called */
    struct error error; /* the outcome; NOT_FOUND: there is no such model */
    void (*done)(
        struct order *order); /* called on another thread, or before registry_order() ends */
};

struct registry {
    struct catalog *_Atomic current; /* written under lock */
    struct book book;                /* what was asked of every model; anybody may read it */
    struct store store;              /* what was counted, across restarts */
    struct shelf shelf;              /* the thread's own, as the next */
    struct catalog *retired;         /* earlier catalogs that may still be used */
    void (*changed)(void *context);  /* called after another catalog became the current one */
    void *context;
    pthread_t thread;
    bool started;
    int loaded; /* owned: an event that the first load has ended */
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    struct order *orders, **orders_end; /* under lock, as all that follows */
    bool reload, sweep, stopping;       /* what else is wanted */
    struct error first;                 /* how the first load ended */
};

/* Finds the models that the options name; nothing is loaded yet. On failure nothing stays open. */
enum status registry_open(struct registry *registry, const struct options *options,
                          const struct engine *engine, size_t loops, struct error *error);

/* Starts the thread, which begins with loading all models. changed is to make idle loops look. */
enum status registry_start(struct registry *registry, void (*changed)(void *context), void *context,
                           struct error *error);

/* Waits for the load that is under way; orders that wait are done with an error. */
void registry_stop(struct registry *registry);

/* When it has stopped, and no loop is left. */
void registry_close(struct registry *registry);

/* Readable when the first load has ended; how it ended: the first model that failed. */
int registry_loaded(const struct registry *registry);
enum status registry_first(struct registry *registry, struct error *error);

/* Thread-safe: loads all models again, and those of --model-dir that are new. */
void registry_reload(struct registry *registry);

/* Thread-safe: done will be called, even when the registry stops before. */
void registry_order(struct registry *registry, struct order *order);

/* For loops, and the keeper as the one after them: makes the current catalog theirs, with one user,
 * and the users of it that catalog_enter() adds. The last one to leave gives it back. */
struct catalog *registry_join(struct registry *registry, size_t loop);
void registry_leave(struct registry *registry, struct catalog *catalog, size_t loop);

static inline bool registry_is_current(const struct registry *registry,
                                       const struct catalog *catalog)
{
    return atomic_load_explicit(&registry->current, memory_order_acquire) == catalog;
}

#endif
