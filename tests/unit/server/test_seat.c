/* Jobs side by side against the same rows one by one: the same bits and the same counts. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nets.h"
#include "seat.h"

enum { ROWS = 2500, JOBS_MAX = 64, INPUTS = 2, OUTPUTS = 2 };

/* A network with two inputs and two outputs, one of them without padding, and what it answers to
 * every row alone. */
struct fixture {
    struct net net;
    struct model model;
    struct seat seat;
    float *x[INPUTS], *y[OUTPUTS];
    uint32_t *active; /* [layers, ROWS] */
    uint64_t *bits;   /* by layer: [ROWS, words] */
    struct job jobs[JOBS_MAX];
    struct randoms random;
};

static void build(struct fixture *f)
{
    net_init(&f->net, 99);
    uint32_t a = net_input(&f->net, 20), b = net_input(&f->net, 3);
    uint32_t wide = net_dense(&f->net, net_dense(&f->net, a, 70, "relu"), 130, "leaky_relu");
    net_output(&f->net, net_dense(&f->net, wide, 5, "identity"));
    net_output(&f->net, net_dense(&f->net, net_dense(&f->net, b, 64, "tanh"), 16, "relu"));
    net_plan(&f->net);
    f->model = (struct model){.name = "net", .version = "1", .level = STATS_full};
    f->model.graph = f->net.graph;
    f->model.plan = f->net.plan;
    f->model.inputs[0].features = 20;
    f->model.inputs[1].features = 3;
    f->model.outputs[0].features = 5;
    f->model.outputs[1].features = 16;
}

static size_t words_of(const struct fixture *f, size_t layer)
{
    return f->model.plan.layers[layer].bits_stride / sizeof(uint64_t);
}

static size_t all_words(const struct fixture *f)
{
    return f->model.plan.bits_per_row / sizeof(uint64_t);
}

static size_t layers_of(const struct fixture *f)
{
    return f->model.plan.layer_count;
}

static void *get(size_t count, size_t size)
{
    void *memory = calloc(count + 1, size);
    cr_assert(memory);
    return memory;
}

static void open_job(const struct fixture *f, struct job *job, size_t first, size_t rows, bool bits)
{
    *job = (struct job){.rows = rows};
    for (size_t i = 0; i < INPUTS; i++)
        job->x[i] = f->x[i] + first * f->model.inputs[i].features;
    job->y = get(OUTPUTS, sizeof *job->y);
    for (size_t i = 0; i < OUTPUTS; i++)
        job->y[i] = get(rows * f->model.outputs[i].features, sizeof(float));
    job->active = get(rows * layers_of(f), sizeof *job->active);
    job->fired = get(rows * layers_of(f), sizeof *job->fired);
    job->bits = bits ? get(rows * all_words(f), sizeof *job->bits) : NULL;
}

static void close_job(struct job *job)
{
    for (size_t i = 0; i < OUTPUTS; i++)
        free(job->y[i]);
    free(job->y);
    free(job->active);
    free(job->fired);
    free(job->bits);
}

/* The reference: every row alone, at once. */
static void learn(struct fixture *f)
{
    f->active = get(ROWS * layers_of(f), sizeof *f->active);
    f->bits = get(ROWS * all_words(f), sizeof *f->bits);
    for (size_t i = 0; i < OUTPUTS; i++)
        f->y[i] = get(ROWS * f->model.outputs[i].features, sizeof(float));
    for (size_t r = 0; r < ROWS; r++) {
        struct job job;
        open_job(f, &job, r, 1, true);
        seat_run(&f->seat, &job);
        cr_assert(job.outcome == JOB_DONE && job.batch_rows == 1);
        for (size_t i = 0; i < OUTPUTS; i++) {
            size_t n = f->model.outputs[i].features;
            memcpy(f->y[i] + r * n, job.y[i], n * sizeof(float));
        }
        uint64_t *to = f->bits, *from = job.bits;
        for (size_t layer = 0; layer < layers_of(f); layer++) {
            size_t words = words_of(f, layer);
            f->active[layer * ROWS + r] = job.active[layer];
            memcpy(to + r * words, from, words * sizeof *to);
            to += ROWS * words;
            from += words;
        }
        close_job(&job);
    }
}

static void open_fixture(struct fixture *f)
{
    struct error error;
    *f = (struct fixture){.random = {4711}};
    build(f);
    for (size_t i = 0; i < INPUTS; i++) {
        size_t count = ROWS * f->model.inputs[i].features;
        f->x[i] = get(count, sizeof(float));
        random_floats(&f->random, i ? RANDOM_PLAIN : RANDOM_SPARSE, f->x[i], count);
    }
    const struct engine engine = {.kernels = kernels_select("auto", &error)};
    cr_assert(engine.kernels && seat_open(&f->seat, &f->model, &engine, &error) == STATUS_OK);
}

static void close_fixture(struct fixture *f)
{
    seat_close(&f->seat);
    for (size_t i = 0; i < INPUTS; i++)
        free(f->x[i]);
    for (size_t i = 0; i < OUTPUTS; i++)
        free(f->y[i]);
    free(f->active);
    free(f->bits);
    net_free(&f->net);
}

static void expect_job(const struct fixture *f, const struct job *job, size_t first)
{
    for (size_t i = 0; i < OUTPUTS; i++) {
        size_t n = f->model.outputs[i].features;
        if (memcmp(job->y[i], f->y[i] + first * n, job->rows * n * sizeof(float)) != 0)
            cr_assert_fail("output %zu of rows %zu to %zu", i, first, first + job->rows - 1);
    }
    const uint64_t *expected = f->bits, *found = job->bits;
    for (size_t layer = 0; layer < layers_of(f); layer++) {
        size_t words = words_of(f, layer), bytes = job->rows * sizeof *job->active;
        if (memcmp(job->active + layer * job->rows, f->active + layer * ROWS + first, bytes) != 0)
            cr_assert_fail("active counts of layer %zu, rows from %zu", layer, first);
        for (size_t w = 0; found && w < job->rows * words; w++) {
            /* Bits beyond the layer's units mean nothing. */
            size_t units = f->model.plan.layers[layer].units - w % words * 64;
            uint64_t mask = units >= 64 ? UINT64_MAX : UINT64_MAX >> (64 - units);
            if ((found[w] ^ expected[first * words + w]) & mask)
                cr_assert_fail("bits of layer %zu, rows from %zu", layer, first);
        }
        expected += ROWS * words;
        found += found ? job->rows * words : 0;
    }
}

/* The rows [first, first + rows) cut into jobs at random, all of them in one batch. */
static size_t cut_jobs(struct fixture *f, size_t first, size_t rows, size_t most)
{
    size_t count = 0;
    for (size_t done = 0; done < rows; count++) {
        size_t size = random_between(&f->random, 1, most);
        if (size > rows - done || count == JOBS_MAX - 1)
            size = rows - done;
        open_job(f, &f->jobs[count], first + done, size, random_between(&f->random, 0, 1));
        if (count > 0)
            f->jobs[count - 1].next = &f->jobs[count];
        done += size;
    }
    return count;
}

static void run_batch(struct fixture *f, bool in_slices)
{
    struct batch batch;
    size_t slices = 1;
    batch_begin(&batch, &f->seat, f->jobs);
    while (!batch_advance(&batch, in_slices ? 0 : UINT64_MAX))
        slices++;
    cr_assert(in_slices || slices == 1);
}

static uint64_t samples_of(struct fixture *f, struct counters *merged, struct arena *arena)
{
    struct error error;
    arena_init(arena, SIZE_MAX);
    cr_assert_eq(counters_init(merged, arena, &f->model.plan, f->model.level, &error), STATUS_OK);
    seat_collect(&f->seat, merged);
    return merged->samples;
}

/* The seat has counted each of the rows so many times. */
static void expect_counts(struct fixture *f, size_t times)
{
    struct counters merged;
    struct arena arena;
    cr_assert_eq(samples_of(f, &merged, &arena), times * ROWS);
    for (size_t layer = 0; layer < layers_of(f); layer++) {
        uint64_t expected = 0, found = 0;
        for (size_t r = 0; r < ROWS; r++)
            expected += f->active[layer * ROWS + r];
        for (size_t u = 0; u < f->model.plan.layers[layer].units; u++)
            found += merged.layers[layer].active[u];
        cr_assert_eq(found, times * expected, "layer %zu", layer);
        cr_assert_eq(merged.layers[layer].observations, times * ROWS);
    }
    arena_free(&arena);
}

Test(seat, batches_equal_their_rows_one_by_one)
{
    static const size_t most[] = {1, 7, 100, 1000, ROWS};
    struct fixture f;
    open_fixture(&f);
    learn(&f);
    expect_counts(&f, 1);
    size_t times = 1;
    for (size_t i = 0; i < sizeof most / sizeof most[0]; i++)
        for (int in_slices = 0; in_slices < 2; in_slices++, times++) {
            for (size_t first = 0; first < ROWS;) {
                size_t rows = random_between(&f.random, 1, most[i] * 8);
                rows = rows < ROWS - first ? rows : ROWS - first;
                size_t count = cut_jobs(&f, first, rows, most[i]);
                run_batch(&f, in_slices);
                for (size_t j = 0; j < count; j++) {
                    expect_job(&f, &f.jobs[j], first);
                    cr_assert_eq(f.jobs[j].batch_rows, rows);
                    cr_assert_eq(f.jobs[j].outcome, JOB_DONE);
                    first += f.jobs[j].rows;
                    close_job(&f.jobs[j]);
                }
            }
            expect_counts(&f, times + 1);
        }
    close_fixture(&f);
}

Test(seat, one_job_beyond_the_capacity_at_once)
{
    struct fixture f;
    open_fixture(&f);
    learn(&f);
    cr_assert_lt(f.seat.session.capacity, ROWS / 2, "the test needs several pieces");
    open_job(&f, &f.jobs[0], 0, ROWS, true);
    seat_run(&f.seat, &f.jobs[0]);
    expect_job(&f, &f.jobs[0], 0);
    expect_counts(&f, 2);
    close_job(&f.jobs[0]);
    close_fixture(&f);
}

/* Rows at the edges of a piece. */
Test(seat, jobs_around_the_capacity)
{
    struct fixture f;
    open_fixture(&f);
    learn(&f);
    size_t capacity = f.seat.session.capacity;
    for (size_t size = capacity - 1; size <= capacity + 1; size++)
        for (size_t before = 0; before < 3; before++) {
            size_t count = 0;
            if (before > 0)
                open_job(&f, &f.jobs[count++], 0, before, true);
            open_job(&f, &f.jobs[count++], before, size, true);
            open_job(&f, &f.jobs[count++], before + size, 1, true);
            for (size_t j = 1; j < count; j++)
                f.jobs[j - 1].next = &f.jobs[j];
            run_batch(&f, true);
            for (size_t j = 0, first = 0; j < count; j++) {
                expect_job(&f, &f.jobs[j], first);
                first += f.jobs[j].rows;
                close_job(&f.jobs[j]);
            }
        }
    close_fixture(&f);
}

/* Where the rows of job begin. */
static size_t first_row(const struct fixture *f, const struct job *job)
{
    size_t first = 0;
    for (const struct job *j = f->jobs; j < job; j++)
        first += j->rows;
    return first;
}

/* Runs jobs in slices and drops some on the way; returns how many rows are left. */
static size_t run_and_drop(struct fixture *f, size_t count, bool *dropped)
{
    struct batch batch;
    size_t rows = 0, remaining = count, slices = 1;
    for (size_t j = 0; j < count; j++)
        rows += f->jobs[j].rows;
    batch_begin(&batch, &f->seat, f->jobs);
    while (!batch_advance(&batch, 0)) {
        size_t j = random_between(&f->random, 0, count - 1);
        if (slices++ % 2 || dropped[j] || remaining == 1)
            continue;
        batch_drop(&batch, &f->jobs[j]);
        close_job(&f->jobs[j]); /* nobody may write there any more */
        dropped[j] = true;
        remaining--;
        rows -= f->jobs[j].rows;
    }
    return rows;
}

/* Those who stay get their rows, whoever leaves and whenever: before, in or after his piece. */
Test(seat, dropped_jobs_do_not_disturb_the_others)
{
    enum { ROUNDS = 60 };
    struct fixture f;
    size_t all = 0, left = 0;
    open_fixture(&f);
    learn(&f);
    for (size_t round = 0; round < ROUNDS; round++) {
        bool dropped[JOBS_MAX] = {false}, leads = true;
        size_t most = round % 2 ? 20 : 2 * f.seat.session.capacity;
        size_t count = cut_jobs(&f, 0, random_between(&f.random, ROWS / 2, ROWS), most);
        size_t rows = run_and_drop(&f, count, dropped);
        for (size_t j = 0; j < count; j++, all++) {
            left += dropped[j];
            if (dropped[j])
                continue;
            expect_job(&f, &f.jobs[j], first_row(&f, &f.jobs[j]));
            cr_assert(f.jobs[j].outcome == JOB_DONE && f.jobs[j].batch_rows == rows);
            cr_assert_eq(f.jobs[j].leads, leads);
            leads = false;
            close_job(&f.jobs[j]);
        }
    }
    cr_assert(left > ROUNDS && left < all / 2, "%zu of %zu", left, all);
    close_fixture(&f);
}

/* Without jobs a batch is at its end, and what it was about is forgotten. */
Test(seat, the_last_job_may_be_dropped)
{
    struct fixture f;
    struct batch batch;
    struct counters merged;
    struct arena arena;
    open_fixture(&f);
    for (int slices = 0; slices < 3; slices++) {
        open_job(&f, &f.jobs[0], 0, f.seat.session.capacity, true);
        batch_begin(&batch, &f.seat, f.jobs);
        for (int i = 0; i < slices; i++)
            cr_assert_not(batch_advance(&batch, 0));
        batch_drop(&batch, &f.jobs[0]);
        close_job(&f.jobs[0]);
        cr_assert(!batch.jobs && batch.rows == 0 && batch_advance(&batch, 0));
    }
    cr_assert_eq(samples_of(&f, &merged, &arena), 0);
    arena_free(&arena);
    learn(&f);
    expect_counts(&f, 1);
    close_fixture(&f);
}

/* Readers of /stats may come between two slices: they see whole pieces. */
Test(seat, pieces_are_counted_when_they_are_finished)
{
    struct fixture f;
    struct batch batch;
    size_t seen = 0, capacity;
    open_fixture(&f);
    capacity = f.seat.session.capacity;
    open_job(&f, &f.jobs[0], 0, ROWS, false);
    batch_begin(&batch, &f.seat, f.jobs);
    for (bool done = false; !done;) {
        struct counters merged;
        struct arena arena;
        done = batch_advance(&batch, 0);
        size_t samples = samples_of(&f, &merged, &arena);
        arena_free(&arena);
        cr_assert(samples == batch.done && samples >= seen);
        cr_assert(done || samples % capacity == 0);
        seen = samples;
    }
    cr_assert_eq(seen, ROWS);
    close_job(&f.jobs[0]);
    close_fixture(&f);
}

/* Whatever was counted so far, pending or not, is forgotten; a piece under way counts after. */
Test(seat, reset_forgets_finished_rows_only)
{
    struct fixture f;
    struct batch batch;
    struct counters merged;
    struct arena arena;
    open_fixture(&f);
    learn(&f); /* rows at once: pending */
    seat_reset(&f.seat);
    cr_assert_eq(samples_of(&f, &merged, &arena), 0);
    arena_free(&arena);
    open_job(&f, &f.jobs[0], 0, ROWS, false);
    batch_begin(&batch, &f.seat, f.jobs);
    while (batch.done == 0)
        cr_assert_not(batch_advance(&batch, 0));
    batch_advance(&batch, 0); /* into the next piece */
    size_t forgotten = batch.done;
    seat_reset(&f.seat);
    batch_advance(&batch, UINT64_MAX);
    cr_assert_eq(samples_of(&f, &merged, &arena), ROWS - forgotten);
    for (size_t layer = 0; layer < layers_of(&f); layer++) {
        uint64_t expected = 0, found = 0;
        for (size_t r = forgotten; r < ROWS; r++)
            expected += f.active[layer * ROWS + r];
        for (size_t u = 0; u < f.model.plan.layers[layer].units; u++)
            found += merged.layers[layer].active[u];
        cr_assert_eq(found, expected, "layer %zu", layer);
    }
    arena_free(&arena);
    close_job(&f.jobs[0]);
    close_fixture(&f);
}

Test(seat, jobs_without_statistics)
{
    struct fixture f;
    open_fixture(&f);
    learn(&f);
    open_job(&f, &f.jobs[0], 0, 10, false);
    open_job(&f, &f.jobs[1], 10, 10, false);
    free(f.jobs[0].active);
    f.jobs[0].active = NULL;
    f.jobs[0].next = &f.jobs[1];
    run_batch(&f, false);
    for (size_t i = 0; i < OUTPUTS; i++) {
        size_t bytes = 10 * f.model.outputs[i].features * sizeof(float);
        cr_assert(memcmp(f.jobs[0].y[i], f.y[i], bytes) == 0);
    }
    expect_job(&f, &f.jobs[1], 10);
    close_job(&f.jobs[0]);
    close_job(&f.jobs[1]);
    close_fixture(&f);
}
