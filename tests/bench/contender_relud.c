#include <stdio.h>
#include <stdlib.h>

#include "contender.h"
#include "crew.h"
#include "graph/session.h"
#include "kernels/kernels.h"

struct relud {
    const struct subject *subject; /* borrowed */
    struct session session;
    struct crew *crew;  /* owned; NULL on one thread */
    struct arena arena; /* of what follows */
    float *outputs;
    struct counters totals;
};

static const struct kernels *the_kernels(void)
{
    struct error error;
    const struct kernels *kernels = kernels_select("auto", &error);
    if (!kernels)
        fail("relud", error.message);
    return kernels;
}

/* As many helpers as bring a run to its threads, as the daemon would lend them on idle cores. */
static void open_crew(struct relud *self)
{
    const size_t threads = self->subject->threads;
    struct error error;
    if (threads < 2)
        return;
    if (crew_open(&self->crew, threads - 1, threads, &error) != STATUS_OK ||
        session_crew(&self->session, self->crew, &error) != STATUS_OK)
        fail("relud", error.message);
}

static void *open_at(const struct subject *subject, enum stats_level level)
{
    struct relud *self = must_alloc(1, sizeof *self);
    const struct plan *plan = &subject->model.plan;
    struct error error;
    *self = (struct relud){.subject = subject};
    if (session_open(&self->session, plan, the_kernels(), level, subject->rows, &error) !=
        STATUS_OK)
        fail("relud", error.message);
    open_crew(self);
    arena_init(&self->arena, SIZE_MAX);
    self->outputs = arena_alloc(&self->arena, subject->rows, subject->outputs * sizeof(float));
    if (!self->outputs)
        fail("relud", "no memory left for the outputs");
    if (counters_init(&self->totals, &self->arena, plan, level, &error) != STATUS_OK)
        fail("relud", error.message);
    return self;
}

static void *open_off(const struct subject *subject)
{
    return open_at(subject, STATS_off);
}

static void *open_counts(const struct subject *subject)
{
    return open_at(subject, STATS_counts);
}

static void *open_full(const struct subject *subject)
{
    return open_at(subject, STATS_full);
}

static void close_relud(void *of)
{
    struct relud *self = of;
    session_close(&self->session);
    if (self->crew)
        crew_close(self->crew);
    arena_free(&self->arena);
    free(self);
}

/* Whoever runs occupies its core meanwhile, as the daemon's loops do. */
static const float *run(void *of, size_t input)
{
    struct relud *self = of;
    const struct subject *subject = self->subject;
    if (self->crew)
        crew_occupy(self->crew, 0);
    session_bind(&self->session, 0, subject->inputs[input]);
    const bool placed = session_place(&self->session, 0, self->outputs);
    session_begin(&self->session, subject->rows);
    session_advance(&self->session, UINT64_MAX);
    if (self->crew)
        crew_vacate(self->crew, 0);
    for (size_t row = 0; row < subject->rows && !placed; row++)
        session_output(&self->session, 0, row, self->outputs + row * subject->outputs);
    return self->outputs;
}

static const float *run_and_fold(void *of, size_t input)
{
    struct relud *self = of;
    const float *outputs = run(of, input);
    counters_fold(&self->totals, session_tallies(&self->session), self->subject->rows);
    return outputs;
}

double folded_zeros(const void *of, size_t layer)
{
    const struct relud *self = of;
    const struct layer_counters *counters = &self->totals.layers[layer];
    const size_t units = self->totals.plan->layers[layer].units;
    uint64_t active = 0;
    for (size_t unit = 0; unit < units; unit++)
        active += counters->active[unit];
    return 1 - (double)active / (double)counters->observations / (double)units;
}

static const char *about(const struct subject *subject)
{
    static char text[64];
    (void)subject;
    snprintf(text, sizeof text, "relud (%s)", the_kernels()->name);
    return text;
}

const struct contender contender_off = {"off", false, open_off, close_relud, run, about};
const struct contender contender_counts = {"counts", false, open_counts, close_relud, run, about};
const struct contender contender_full = {"full", false, open_full, close_relud, run, about};
const struct contender contender_folded = {"folded",    false,        open_full,
                                           close_relud, run_and_fold, about};
