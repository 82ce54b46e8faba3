#include "seat.h"

#include <string.h>

#include "cpu.h"
#include "panel.h"

enum {
    SEAT_BYTES = 32 << 20,      /* memory a session aims to stay within */
    SEAT_ROWS_MAX = 288,        /* enough rows for the weights to be worth their way from memory */
    PENDING_ROWS_MAX = 1 << 30, /* tallies count in 32 bits */
};

size_t seat_rows(const struct model *model)
{
    size_t bytes = model->plan.floats_per_row * sizeof(float) + model->plan.bits_per_row;
    for (size_t i = 0; i < model->graph.input_count; i++)
        bytes += model->inputs[i].features * sizeof(float);
    size_t rows = SEAT_BYTES / (bytes + 1);
    return rows < 1 ? 1 : rows > SEAT_ROWS_MAX ? SEAT_ROWS_MAX : rows;
}

static enum status open_memory(struct seat *seat, struct error *error)
{
    const struct model *model = seat->model;
    for (size_t i = 0; i < model->graph.input_count; i++) {
        seat->staging[i] = arena_alloc(&seat->arena, seat->session.capacity,
                                       model->inputs[i].features * sizeof(float));
        if (!seat->staging[i])
            return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the inputs of %s",
                             model->name);
    }
    seat->spans = arena_alloc(&seat->arena, seat->session.capacity, sizeof *seat->spans);
    if (!seat->spans)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the rows of %s",
                         model->name);
    return counters_init(&seat->totals, &seat->arena, &model->plan, model->level, error);
}

enum status seat_open(struct seat *seat, const struct model *model, const struct engine *engine,
                      struct error *error)
{
    *seat = (struct seat){.model = model};
    arena_init(&seat->arena, SIZE_MAX);
    enum status status = session_open(&seat->session, &model->plan, engine->kernels, model->level,
                                      seat_rows(model), error);
    if (status == STATUS_OK && engine->crew)
        status = session_crew(&seat->session, engine->crew, error);
    if (status == STATUS_OK)
        status = open_memory(seat, error);
    if (status != STATUS_OK) {
        session_close(&seat->session);
        arena_free(&seat->arena);
        seat->model = NULL;
        return status;
    }
    pthread_mutex_init(&seat->lock, NULL);
    return STATUS_OK;
}

void seat_close(struct seat *seat)
{
    pthread_mutex_destroy(&seat->lock);
    session_close(&seat->session);
    arena_free(&seat->arena);
}

void seat_collect(struct seat *seat, struct counters *into)
{
    pthread_mutex_lock(&seat->lock);
    counters_merge(into, &seat->totals);
    if (seat->pending > 0)
        counters_add(into, session_tallies(&seat->session), seat->pending);
    pthread_mutex_unlock(&seat->lock);
}

void seat_take(struct seat *seat, struct counters *into)
{
    pthread_mutex_lock(&seat->lock);
    if (seat->totals.samples > 0 || seat->totals.out_of_range > 0) {
        counters_merge(into, &seat->totals);
        counters_reset(&seat->totals);
    }
    if (seat->pending > 0)
        counters_fold(into, session_tallies(&seat->session), seat->pending);
    seat->pending = 0;
    pthread_mutex_unlock(&seat->lock);
}

/* The tallies are the reader's while rows are pending; else a run in slices may be at work in them.
 */
void seat_reset(struct seat *seat)
{
    pthread_mutex_lock(&seat->lock);
    counters_reset(&seat->totals);
    if (seat->pending > 0)
        session_forget(&seat->session);
    seat->pending = 0;
    pthread_mutex_unlock(&seat->lock);
}

/* Adds the session's tallies, so many rows, to the totals. Under the lock. */
static void fold(struct seat *seat, uint64_t rows)
{
    counters_fold(&seat->totals, session_tallies(&seat->session), rows);
    seat->pending = 0;
}

/* Batches */

static struct batch batch_of(struct seat *seat, struct job *jobs)
{
    struct batch batch = {.seat = seat, .jobs = jobs};
    for (struct job *job = jobs; job; job = job->next) {
        job->begun_rows = 0;
        batch.rows += job->rows;
    }
    return batch;
}

void batch_begin(struct batch *batch, struct seat *seat, struct job *jobs)
{
    *batch = batch_of(seat, jobs);
    pthread_mutex_lock(&seat->lock);
    if (seat->pending > 0)
        fold(seat, seat->pending);
    pthread_mutex_unlock(&seat->lock);
}

/* Puts rows of the jobs, in their order, into the next piece. */
static void fill_piece(struct batch *batch)
{
    size_t capacity = batch->seat->session.capacity;
    batch->piece = batch->span_count = 0;
    for (struct job *job = batch->jobs; job && batch->piece < capacity; job = job->next) {
        size_t left = job->rows - job->begun_rows, room = capacity - batch->piece;
        size_t rows = left < room ? left : room;
        if (rows == 0)
            continue;
        batch->seat->spans[batch->span_count++] =
            (struct span){job, job->begun_rows, rows, batch->piece};
        job->begun_rows += rows;
        batch->piece += rows;
    }
}

/* Gives the session its inputs: in place when one job fills the piece, else copied together. */
static void bind_inputs(const struct batch *batch)
{
    struct seat *seat = batch->seat;
    for (size_t i = 0; i < seat->model->graph.input_count; i++) {
        size_t features = seat->model->inputs[i].features;
        const float *x = seat->spans[0].job->x[i] + seat->spans[0].row * features;
        for (size_t s = 0; s < batch->span_count && batch->span_count > 1; s++) {
            const struct span *span = &seat->spans[s];
            memcpy(seat->staging[i] + span->place * features,
                   span->job->x[i] + span->row * features, span->rows * features * sizeof(float));
            x = seat->staging[i];
        }
        session_bind(&seat->session, i, x);
    }
}

/* Outputs of one job that fills the piece go to it at once. */
static void place_outputs(struct batch *batch)
{
    struct seat *seat = batch->seat;
    const struct span *span = &seat->spans[0];
    for (size_t i = 0; i < seat->model->graph.output_count; i++) {
        float *y = span->job->y[i] + span->row * seat->model->outputs[i].features;
        batch->placed[i] = session_place(&seat->session, i, batch->span_count == 1 ? y : NULL);
    }
}

static void take_outputs(const struct batch *batch, const struct span *span)
{
    const struct seat *seat = batch->seat;
    for (size_t i = 0; i < seat->model->graph.output_count; i++) {
        size_t features = seat->model->outputs[i].features;
        for (size_t r = 0; r < span->rows && !batch->placed[i]; r++)
            session_output(&seat->session, i, span->place + r,
                           span->job->y[i] + (span->row + r) * features);
    }
}

static void take_activity(const struct seat *seat, const struct span *span)
{
    const struct plan *plan = &seat->model->plan;
    struct job *job = span->job;
    uint64_t *bits = job->bits;
    for (size_t layer = 0; layer < plan->layer_count; layer++) {
        size_t words = plan->layers[layer].bits_stride / sizeof *bits;
        for (size_t r = 0; r < span->rows; r++) {
            size_t row = span->row + r;
            job->active[layer * job->rows + row] =
                (uint32_t)session_active(&seat->session, layer, span->place + r);
            job->fired[layer * job->rows + row] =
                (uint32_t)session_fired(&seat->session, layer, span->place + r);
            if (bits)
                memcpy(bits + row * words, session_bits(&seat->session, layer, span->place + r),
                       words * sizeof *bits);
        }
        bits = bits ? bits + job->rows * words : NULL;
    }
}

/* A piece is done: its rows go to their jobs. */
static void deliver_piece(struct batch *batch)
{
    const struct seat *seat = batch->seat;
    for (size_t s = 0; s < batch->span_count; s++) {
        const struct span *span = &seat->spans[s];
        if (!span->job)
            continue;
        take_outputs(batch, span);
        if (span->job->active)
            take_activity(seat, span);
        batch->done += span->rows;
    }
    batch->running = false;
}

static void begin_piece(struct batch *batch)
{
    struct session *session = &batch->seat->session;
    fill_piece(batch);
    batch->running = true;
    bind_inputs(batch);
    place_outputs(batch);
    batch->out_of_range =
        model_out_of_range(batch->seat->model, session->kernels, session->inputs, batch->piece);
    session_begin(session, batch->piece);
}

/* Every job learns what the whole batch took. */
static void finish_jobs(struct batch *batch)
{
    for (struct job *job = batch->jobs; job; job = job->next) {
        job->compute_ns = batch->compute_ns;
        job->batch_rows = batch->rows;
        job->leads = job == batch->jobs;
        job->outcome = JOB_DONE;
    }
}

/* The rows of a piece run in slices go to the totals. */
static void count_piece(struct batch *batch)
{
    pthread_mutex_lock(&batch->seat->lock);
    fold(batch->seat, batch->piece);
    batch->seat->totals.out_of_range += batch->out_of_range;
    pthread_mutex_unlock(&batch->seat->lock);
}

bool batch_advance(struct batch *batch, uint64_t deadline_ns)
{
    uint64_t begun = cpu_clock_ns(), now = begun;
    while (batch->done < batch->rows && (now < deadline_ns || now == begun)) {
        if (!batch->running)
            begin_piece(batch);
        if (session_advance(&batch->seat->session, deadline_ns)) {
            count_piece(batch);
            deliver_piece(batch);
        }
        now = cpu_clock_ns();
    }
    batch->compute_ns += now - begun;
    if (batch->done < batch->rows)
        return false;
    finish_jobs(batch);
    return true;
}

void seat_run(struct seat *seat, struct job *job)
{
    struct batch batch = batch_of(seat, job);
    pthread_mutex_lock(&seat->lock);
    while (batch.done < batch.rows) {
        begin_piece(&batch);
        session_advance(&seat->session, UINT64_MAX);
        seat->pending += batch.piece;
        seat->totals.out_of_range += batch.out_of_range;
        deliver_piece(&batch);
    }
    if (seat->pending > PENDING_ROWS_MAX)
        fold(seat, seat->pending);
    pthread_mutex_unlock(&seat->lock);
    batch.compute_ns = cpu_clock_ns() - job->submitted_ns;
    finish_jobs(&batch);
}

/* Takes job out of the piece that is being run; returns how many of its rows were in it. */
static size_t leave_piece(struct batch *batch, const struct job *job)
{
    size_t left = 0, others = 0;
    for (size_t s = 0; s < batch->span_count; s++) {
        struct span *span = &batch->seat->spans[s];
        if (span->job == job) {
            left += span->rows;
            span->job = NULL;
        }
        others += span->job != NULL;
    }
    if (others == 0)
        batch_abandon(batch);
    return left;
}

void batch_drop(struct batch *batch, struct job *job)
{
    size_t in_piece = batch->running ? leave_piece(batch, job) : 0;
    batch->done -= job->begun_rows - in_piece;
    batch->rows -= job->rows;
    struct job **link = &batch->jobs;
    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
}

void batch_abandon(struct batch *batch)
{
    if (batch->running)
        session_forget(&batch->seat->session);
    batch->running = false;
}
