/* The promise on ten random networks: what a row is answered, numbers and activity, has the same
 * bits alone and in every batch, with zeros skipped or not, in any number of threads, and with
 * every instruction set that has FMA. */
#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "graph/session.h"
#include "isas.h"
#include "random_net.h"
#include "randoms.h"
#include "reference.h"

enum { NETS = 10, ROWS = 73, THREADS_MAX = 4, SKIPS = 3 };

static const size_t batches[] = {1, 2, 3, 5, 6, 7, 16, 17, 33, 63, 64, ROWS};

enum { BATCHES = sizeof batches / sizeof batches[0] };

/* One network, the rows it is asked, and what each is answered alone. */
struct subject {
    struct onnx_builder onnx;
    struct model model;
    uint64_t seed;
    const struct kernels *kernels;
    size_t answer_words;
    float *x;        /* [ROWS, features] */
    uint32_t *alone; /* [ROWS, answer_words] */
};

static size_t count_numbers(const struct model *model)
{
    size_t numbers = 0;
    for (size_t i = 0; i < model->graph.output_count; i++)
        numbers += model->outputs[i].features;
    return numbers;
}

static size_t count_words(const struct model *model)
{
    size_t words = count_numbers(model);
    for (size_t i = 0; i < model->plan.layer_count; i++)
        words += model->plan.layers[i].units + 1;
    return words;
}

/* The outputs; then of each layer which units were active, and in how many observations units were.
 */
static void take_answer(const struct session *session, size_t row, uint32_t *answer)
{
    const struct plan *plan = session->plan;
    for (size_t i = 0; i < plan->graph->output_count; i++) {
        session_output(session, i, row, (float *)(void *)answer);
        answer += plan->graph->values[plan->graph->outputs[i]].features;
    }
    for (size_t i = 0; i < plan->layer_count; i++) {
        const uint64_t *bits = session_bits(session, i, row);
        for (size_t unit = 0; unit < plan->layers[i].units; unit++)
            *answer++ = bits[unit / 64] >> unit % 64 & 1;
        *answer++ = (uint32_t)session_fired(session, i, row);
    }
}

/* Plain numbers among zeros of both signs and denormals; some rows are mostly zeros, some all
 * denormals or zeros. */
static float *draw_rows(uint64_t seed, size_t features)
{
    struct randoms random = {seed};
    float *x = malloc(ROWS * features * sizeof *x);
    for (size_t row = 0; row < ROWS; row++) {
        float *to = x + row * features;
        const float scale = row % 7 == 1 ? 0.0f : row % 7 == 2 ? 0x1p-130f : 1.0f;
        random_floats(&random, row % 3 ? RANDOM_SMALL : RANDOM_SPARSE, to, features);
        for (size_t i = 0; i < features; i++)
            to[i] *= scale;
    }
    return x;
}

static void open_session(const struct subject *subject, struct session *session)
{
    struct error error;
    cr_assert(session_open(session, &subject->model.plan, subject->kernels, STATS_full, ROWS,
                           &error) == STATUS_OK,
              "%s", error.message);
}

static void run_rows(struct session *session, const float *x, size_t rows)
{
    session_bind(session, 0, x);
    session_begin(session, rows);
    while (!session_advance(session, UINT64_MAX))
        ;
}

static void answer_alone(struct subject *subject)
{
    struct session session;
    open_session(subject, &session);
    session.skip = SKIP_NEVER;
    for (size_t row = 0; row < ROWS; row++) {
        run_rows(&session, subject->x + row * subject->model.inputs[0].features, 1);
        take_answer(&session, 0, subject->alone + row * subject->answer_words);
    }
    session_close(&session);
}

static void subject_open(struct subject *subject, const struct kernels *kernels, uint64_t seed)
{
    struct error error;
    *subject = (struct subject){.seed = seed, .kernels = kernels};
    onnx_open(&subject->onnx);
    random_net(&subject->onnx, seed);
    cr_assert(onnx_load(&subject->onnx, &subject->model, &error) == STATUS_OK, "net %d: %s",
              (int)seed, error.message);
    subject->answer_words = count_words(&subject->model);
    subject->x = draw_rows(seed, subject->model.inputs[0].features);
    subject->alone = malloc(ROWS * subject->answer_words * sizeof *subject->alone);
    answer_alone(subject);
}

static void subject_close(struct subject *subject)
{
    free(subject->x);
    free(subject->alone);
    model_close(&subject->model);
    onnx_close(&subject->onnx);
}

/* One of the threads that share out all batches, each in every way of skipping. */
struct worker {
    const struct subject *subject;
    struct session session;
    size_t index, threads;
    bool differs;
    size_t batch, row;
    enum skip skip;
    pthread_t thread;
};

/* The rows of a batch begin anywhere among all rows. */
static void check_batch(struct worker *worker, size_t rows, enum skip skip, uint32_t *answer)
{
    const struct subject *subject = worker->subject;
    const size_t first = (rows * 7 + (size_t)skip) % (ROWS + 1 - rows);
    const size_t words = subject->answer_words;
    worker->session.skip = skip;
    run_rows(&worker->session, subject->x + first * subject->model.inputs[0].features, rows);
    for (size_t row = 0; row < rows && !worker->differs; row++) {
        take_answer(&worker->session, row, answer);
        if (memcmp(answer, subject->alone + (first + row) * words, words * sizeof *answer) == 0)
            continue;
        worker->differs = true;
        worker->batch = rows;
        worker->row = row;
        worker->skip = skip;
    }
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    uint32_t *answer = malloc(worker->subject->answer_words * sizeof *answer);
    for (size_t i = worker->index; i < BATCHES * SKIPS; i += worker->threads)
        check_batch(worker, batches[i / SKIPS], (enum skip)(i % SKIPS), answer);
    free(answer);
    return NULL;
}

static void check_threads(const struct subject *subject, size_t threads)
{
    struct worker workers[THREADS_MAX];
    for (size_t i = 0; i < threads; i++) {
        workers[i] = (struct worker){.subject = subject, .index = i, .threads = threads};
        open_session(subject, &workers[i].session);
    }
    for (size_t i = 0; i < threads; i++)
        cr_assert(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    for (size_t i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    for (size_t i = 0; i < threads; i++) {
        cr_assert(!workers[i].differs,
                  "%s: net %d, %zu threads, skip %d: row %zu of a batch of %zu differs from itself "
                  "alone",
                  subject->kernels->name, (int)subject->seed, threads, (int)workers[i].skip,
                  workers[i].row, workers[i].batch);
        session_close(&workers[i].session);
    }
}

static void check_nets(const struct kernels *kernels)
{
    for (uint64_t seed = 1; seed <= NETS; seed++) {
        struct subject subject;
        subject_open(&subject, kernels, seed);
        for (size_t threads = 1; threads <= THREADS_MAX; threads *= 2)
            check_threads(&subject, threads);
        subject_close(&subject);
    }
}

Test(session_nets, bits_do_not_depend_on_batch_threads_and_skipping)
{
    for_each_isa(check_nets);
}

static void check_same(const struct kernels *best, const struct kernels *other)
{
    for (uint64_t seed = 1; seed <= NETS; seed++) {
        struct subject a, b;
        subject_open(&a, best, seed);
        subject_open(&b, other, seed);
        for (size_t row = 0; row < ROWS; row++)
            if (memcmp(a.alone + row * a.answer_words, b.alone + row * b.answer_words,
                       a.answer_words * sizeof *a.alone) != 0)
                cr_assert_fail("%s and %s: net %d: row %zu", best->name, other->name, (int)seed,
                               row);
        subject_close(&a);
        subject_close(&b);
    }
}

Test(session_nets, bits_do_not_depend_on_the_instruction_set)
{
    for_each_other_isa(check_same);
}

/* Answers that say nothing would agree as well. */
static void check_answers(const struct subject *subject)
{
    const size_t words = subject->answer_words, numbers = count_numbers(&subject->model);
    size_t distinct = 0, active = 0;
    for (size_t row = 0; row < ROWS; row++) {
        const uint32_t *answer = subject->alone + row * words;
        const float *outputs = (const float *)(const void *)answer;
        for (size_t i = 0; i < numbers; i++)
            cr_assert(isfinite(outputs[i]), "net %d, row %zu", (int)subject->seed, row);
        distinct += memcmp(answer, subject->alone, numbers * sizeof *answer) != 0;
        for (size_t i = numbers; i < words; i++)
            active += answer[i] == 1;
    }
    const double share = (double)active / (double)(ROWS * (words - numbers));
    cr_assert(distinct > ROWS / 2, "net %d: %zu rows", (int)subject->seed, distinct);
    cr_assert(share > 0.1 && share < 0.9, "net %d: %g of the units are active", (int)subject->seed,
              share);
}

Test(session_nets, answers_are_finite_and_differ_from_row_to_row)
{
    for (uint64_t seed = 1; seed <= NETS; seed++) {
        struct subject subject;
        subject_open(&subject, kernels_select("auto", NULL), seed);
        check_answers(&subject);
        subject_close(&subject);
    }
}
