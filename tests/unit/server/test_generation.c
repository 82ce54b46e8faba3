/* What was counted moves to the history, and no row is lost or counted twice. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "generation.h"

#define SECOND 1000000000ull

enum { SEATS = 2, FEATURES = 64, CLASSES = 10 };

struct fixture {
    struct generation *generation;
    struct arena arena;
    struct counters merged;
    char since[GENERATION_SINCE_BYTES];
    uint64_t begin_ns;
};

static void open_fixture(struct fixture *f)
{
    struct error error;
    const struct model_options options = {.level = STATS_full};
    cr_assert(generation_open(&f->generation, "models/digits", &options, SEATS, &error) ==
                  STATUS_OK,
              "%s", error.message);
    const struct engine engine = {.kernels = kernels_select("auto", NULL)};
    cr_assert(generation_seat(f->generation, &engine, &error) == STATUS_OK);
    const struct model *model = &f->generation->model;
    arena_init(&f->arena, SIZE_MAX);
    cr_assert(counters_init(&f->merged, &f->arena, &model->plan, model->level, &error) ==
              STATUS_OK);
    f->begin_ns = f->generation->ring.begin_ns;
}

static void close_fixture(struct fixture *f)
{
    generation_release(f->generation);
    arena_free(&f->arena);
}

/* Rows at one of the seats, at once and so pending. */
static void run(struct fixture *f, size_t seat, size_t rows)
{
    float *x = calloc(rows * FEATURES, sizeof *x), *y = calloc(rows * CLASSES, sizeof *y);
    struct job job = {.rows = rows, .x = {x}, .y = &y};
    seat_run(&f->generation->seats[seat], &job);
    free(x);
    free(y);
}

static void expect(struct fixture *f, uint64_t samples)
{
    cr_assert_eq(f->merged.samples, samples, "%zu", (size_t)f->merged.samples);
    for (size_t i = 0; i < f->merged.plan->layer_count; i++)
        cr_assert_eq(f->merged.layers[i].observations, samples);
    counters_reset(&f->merged);
}

static void expect_all(struct fixture *f, uint64_t samples)
{
    generation_collect(f->generation, &f->merged, f->since);
    expect(f, samples);
}

static void expect_window(struct fixture *f, enum ring_window window, uint64_t now_s,
                          uint64_t samples)
{
    generation_collect_window(f->generation, window, f->begin_ns + now_s * SECOND, &f->merged,
                              f->since);
    expect(f, samples);
}

static void tick(struct fixture *f, uint64_t now_s)
{
    cr_assert(generation_tick(f->generation, f->begin_ns + now_s * SECOND, NULL) == STATUS_OK);
}

Test(generation, rows_move_from_the_seats_to_the_history)
{
    struct fixture f;
    open_fixture(&f);
    run(&f, 0, 3);
    run(&f, 1, 4);
    expect_all(&f, 7);
    expect_window(&f, RING_minute, 1, 7);
    tick(&f, 5);
    expect_all(&f, 7);
    expect_window(&f, RING_minute, 6, 7);
    run(&f, 0, 10);
    expect_all(&f, 17);
    expect_window(&f, RING_hour, 6, 17);
    tick(&f, 100);
    expect_window(&f, RING_minute, 100, 10);
    expect_window(&f, RING_quarter, 100, 17);
    tick(&f, 200);
    expect_window(&f, RING_minute, 200, 0);
    expect_all(&f, 17);
    close_fixture(&f);
}

/* One row of those that run is beyond 16, the end of the declared range, and one is NaN. */
Test(generation, rows_outside_the_declared_range_are_counted)
{
    enum { ROWS = 700, OUTSIDE = 2 };
    struct fixture f;
    open_fixture(&f);
    float *x = calloc(ROWS * FEATURES, sizeof *x), *y = calloc(ROWS * CLASSES, sizeof *y);
    x[0] = 16;
    x[650 * FEATURES + 63] = 16.001f;
    x[3 * FEATURES + 7] = NAN;
    struct job job = {.rows = ROWS, .x = {x}, .y = &y};
    seat_run(&f.generation->seats[0], &job);
    generation_collect(f.generation, &f.merged, NULL);
    cr_assert_eq(f.merged.out_of_range, OUTSIDE);
    expect(&f, ROWS);
    tick(&f, 5);
    struct batch batch;
    batch_begin(&batch, &f.generation->seats[1], &job);
    while (!batch_advance(&batch, 0))
        ;
    generation_collect(f.generation, &f.merged, NULL);
    cr_assert_eq(f.merged.out_of_range, 2 * OUTSIDE);
    expect(&f, 2 * ROWS);
    generation_collect_window(f.generation, RING_minute, f.begin_ns + 70 * SECOND, &f.merged,
                              f.since);
    cr_assert_eq(f.merged.out_of_range, OUTSIDE, "the first are older than a minute");
    expect(&f, ROWS);
    free(x);
    free(y);
    close_fixture(&f);
}

Test(generation, a_reset_empties_history_and_seats)
{
    struct fixture f;
    open_fixture(&f);
    run(&f, 0, 3);
    tick(&f, 5);
    run(&f, 1, 4);
    generation_reset(f.generation, f.begin_ns + 6 * SECOND, f.since);
    expect_all(&f, 0);
    expect_window(&f, RING_hour, 7, 0);
    run(&f, 1, 2);
    expect_all(&f, 2);
    expect_window(&f, RING_minute, 8, 2);
    close_fixture(&f);
}

/* A piece of a batch in slices is counted where it ends, whatever ticks come in between. */
Test(generation, a_tick_between_slices_leaves_the_unfinished_piece_alone)
{
    enum { ROWS = 1000 };
    struct fixture f;
    struct batch batch;
    open_fixture(&f);
    float *x = calloc(ROWS * FEATURES, sizeof *x), *y = calloc(ROWS * CLASSES, sizeof *y);
    struct job job = {.rows = ROWS, .x = {x}, .y = &y};
    batch_begin(&batch, &f.generation->seats[0], &job);
    for (uint64_t at = 5; !batch_advance(&batch, 0); at += 5)
        tick(&f, at);
    expect_all(&f, ROWS);
    close_fixture(&f);
    free(x);
    free(y);
}
