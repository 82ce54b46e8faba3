/* The promise on ten random networks: what a row is answered, numbers and activity, has the same
 * bits alone and in every batch, with zeros skipped or not, in any number of threads, and with
 * every instruction set that has FMA. */
#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "isas.h"
#include "subject.h"

enum { NETS = SUBJECT_NETS, ROWS = SUBJECT_ROWS, THREADS_MAX = 4, SKIPS = 3 };

static const size_t batches[] = {1, 2, 3, 5, 6, 7, 16, 17, 33, 63, 64, ROWS};

enum { BATCHES = sizeof batches / sizeof batches[0] };

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
    subject_run(subject, &worker->session, first, rows);
    for (size_t row = 0; row < rows && !worker->differs; row++) {
        subject_answer(&worker->session, row, answer);
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
        subject_session(subject, &workers[i].session);
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
    const size_t words = subject->answer_words, numbers = subject->numbers;
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
