/* server: what the loops share. */
#ifndef RELUD_SERVER_H
#define RELUD_SERVER_H

#include <stdatomic.h>

#include "auth.h"
#include "budget.h"
#include "engine.h"
#include "options.h"
#include "registry.h"
#include "tls.h"

#define RELUD_VERSION "0.1.0"

enum { SERVER_LOOPS_MAX = 256 };

/* loading -> ready -> draining (accepting, but not ready) -> closing (answer what is in flight) ->
 * aborting */
enum phase { PHASE_LOADING, PHASE_READY, PHASE_DRAINING, PHASE_CLOSING, PHASE_ABORTING };

struct loop;

struct server {
    struct options options;
    struct registry registry;
    struct auth auth;
    struct tls tls;
    struct budget bodies;                 /* of all requests in flight */
    struct engine engine;                 /* its crew is owned */
    struct loop *loops[SERVER_LOOPS_MAX]; /* those that are open come first */
    size_t loop_count;
    double started_s; /* of the epoch */
    _Atomic enum phase phase;
};

#endif
