/* keeper: the thread that saves what was counted, of every model, at an interval. */
#ifndef RELUD_KEEPER_H
#define RELUD_KEEPER_H

#include "registry.h"

struct keeper {
    struct registry *registry; /* borrowed */
    uint64_t interval_s;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t stopped;
    bool stopping; /* under lock */
};

/* Starts the thread; not where the registry's store keeps nothing. */
enum status keeper_start(struct keeper *keeper, struct registry *registry, uint64_t interval_s,
                         struct error *error);

/* Ends the thread and saves for the last time: when no loop runs any more, before the registry is
 * closed. */
void keeper_stop(struct keeper *keeper);

#endif
