#include "pass.h"

#include <stdlib.h>
#include <string.h>

#include "graph/session.h"

/* One thread's memory. */
struct worker {
    struct pass *pass;
    struct session sessions[PASS_MODELS_MAX];
    size_t out_of_range; /* rows of the turn */
    size_t session_count;
    struct rows rows[GRAPH_IO_MAX];
    float *x[GRAPH_IO_MAX];
    struct arena arena; /* owned: x */
    pthread_t thread;
};

static size_t input_count(const struct pass *pass)
{
    return pass->models[0]->graph.input_count;
}

static enum status open_worker(struct worker *worker, struct pass *pass, struct error *error)
{
    *worker = (struct worker){.pass = pass};
    arena_init(&worker->arena, SIZE_MAX);
    for (size_t i = 0; i < pass->model_count; i++) {
        const struct model *model = pass->models[i];
        if (session_open(&worker->sessions[i], &model->plan, pass->kernels, model->level,
                         pass->batch, error) != STATUS_OK)
            return error->status;
        worker->session_count++;
    }
    for (size_t i = 0; i < input_count(pass); i++) {
        worker->x[i] = arena_alloc(&worker->arena, pass->batch,
                                   pass->models[0]->inputs[i].features * sizeof(float));
        if (!worker->x[i])
            return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for %zu rows at once",
                             pass->batch);
    }
    return STATUS_OK;
}

static void close_worker(struct worker *worker)
{
    for (size_t i = 0; i < worker->session_count; i++)
        session_close(&worker->sessions[i]);
    for (size_t i = 0; i < input_count(worker->pass); i++)
        rows_free(&worker->rows[i]);
    arena_free(&worker->arena);
}

/* Takes the next rows, and the turn to add what they count; false when none are left. An error is
 * told when its turn has come: rows before it may hold another. */
static bool take_turn(struct worker *worker, uint64_t *turn, struct error *error)
{
    struct pass *pass = worker->pass;
    pthread_mutex_lock(&pass->taking);
    bool taken = !pass->ended;
    error->status = STATUS_OK;
    if (taken) {
        const bool sound = datasets_take(pass->data, input_count(pass), pass->batch, worker->rows,
                                         error) == STATUS_OK;
        taken = !sound || worker->rows[0].count > 0;
        pass->ended = !sound || !taken;
        *turn = pass->next;
        pass->next += taken;
    }
    pthread_mutex_unlock(&pass->taking);
    return taken;
}

static enum status run_rows(struct worker *worker, struct error *error)
{
    const struct pass *pass = worker->pass;
    for (size_t i = 0; i < input_count(pass); i++)
        if (rows_read(&worker->rows[i], &pass->data[i], worker->x[i], error) != STATUS_OK)
            return error->status;
    worker->out_of_range = model_out_of_range(
        pass->models[0], pass->kernels, (const float *const *)worker->x, worker->rows[0].count);
    for (size_t i = 0; i < pass->model_count; i++) {
        struct session *session = &worker->sessions[i];
        for (size_t input = 0; input < input_count(pass); input++)
            session_bind(session, input, worker->x[input]);
        session_begin(session, worker->rows[0].count);
        session_advance(session, UINT64_MAX);
    }
    return STATUS_OK;
}

/* Under adding. */
static void add_counts(struct worker *worker)
{
    struct pass *pass = worker->pass;
    const size_t rows = worker->rows[0].count;
    for (size_t i = 0; i < pass->model_count; i++) {
        counters_fold(pass->counters[i], session_tallies(&worker->sessions[i]), rows);
        pass->counters[i]->out_of_range += worker->out_of_range;
    }
    pass->rows += rows;
    if (pass->progress)
        pass->progress(pass->context, pass);
}

/* Adds what the rows of that turn have counted, after all before them; false when the pass has
 * failed. */
static bool add_turn(struct worker *worker, uint64_t turn, const struct error *error)
{
    struct pass *pass = worker->pass;
    pthread_mutex_lock(&pass->adding);
    while (pass->turn != turn && !pass->failed)
        pthread_cond_wait(&pass->added, &pass->adding);
    if (!pass->failed && error->status != STATUS_OK) {
        pass->failed = true;
        pass->error = *error;
    }
    if (!pass->failed)
        add_counts(worker);
    pass->turn++;
    const bool failed = pass->failed;
    pthread_cond_broadcast(&pass->added);
    pthread_mutex_unlock(&pass->adding);
    return !failed;
}

static void *work(void *context)
{
    struct worker *worker = context;
    struct error error;
    uint64_t turn;
    while (take_turn(worker, &turn, &error)) {
        if (error.status == STATUS_OK)
            run_rows(worker, &error);
        if (!add_turn(worker, turn, &error))
            break;
    }
    return NULL;
}

/* The calling thread is the first worker. Threads that cannot be had are done without. */
static void run_workers(struct worker *workers, size_t count)
{
    size_t started = 1;
    while (started < count &&
           pthread_create(&workers[started].thread, NULL, work, &workers[started]) == 0)
        started++;
    work(&workers[0]);
    for (size_t i = 1; i < started; i++)
        pthread_join(workers[i].thread, NULL);
}

static enum status run_all(struct pass *pass, struct worker *workers, struct error *error)
{
    size_t opened = 0;
    enum status status = STATUS_OK;
    while (opened < pass->threads && status == STATUS_OK)
        status = open_worker(&workers[opened++], pass, error);
    if (status == STATUS_OK)
        run_workers(workers, opened);
    for (size_t i = 0; i < opened; i++)
        close_worker(&workers[i]);
    if (status != STATUS_OK)
        return status;
    if (pass->failed)
        *error = pass->error;
    else if (pass->rows == 0)
        error_set(error, STATUS_INVALID, "expected rows in %s, found none", pass->data[0].name);
    else
        error->status = STATUS_OK;
    return error->status;
}

enum status pass_run(struct pass *pass, struct error *error)
{
    struct worker *workers = calloc(pass->threads, sizeof *workers);
    if (!workers)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for %zu threads",
                         pass->threads);
    pthread_mutex_init(&pass->taking, NULL);
    pthread_mutex_init(&pass->adding, NULL);
    pthread_cond_init(&pass->added, NULL);
    const enum status status = run_all(pass, workers, error);
    pthread_cond_destroy(&pass->added);
    pthread_mutex_destroy(&pass->adding);
    pthread_mutex_destroy(&pass->taking);
    free(workers);
    return status;
}
