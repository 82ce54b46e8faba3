/* A data set through a model: the same counts however many threads take part. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "offline/pass.h"
#include "temporary.h"

enum { ROWS = 1797, PIXELS = 64 };

static const char digits[] = "models/digits/digits.csv";

struct run {
    struct model model;
    struct arena arena;
    struct counters counters;
    struct dataset dataset;
    struct pass pass;
    struct error error;
};

static enum status run(struct run *run, const char *data, size_t threads, size_t batch)
{
    const struct model_options options = {.level = STATS_full};
    memset(run, 0, sizeof *run);
    arena_init(&run->arena, 1 << 24);
    cr_assert(model_open(&run->model, "models/digits", &options, &run->error) == STATUS_OK);
    cr_assert(counters_init(&run->counters, &run->arena, &run->model.plan, STATS_full, NULL) ==
              STATUS_OK);
    cr_assert(dataset_open(&run->dataset, data, &run->model.inputs[0], &run->error) == STATUS_OK);
    run->pass = (struct pass){.models = {&run->model},
                              .model_count = 1,
                              .data = &run->dataset,
                              .kernels = kernels_select("auto", NULL),
                              .threads = threads,
                              .batch = batch,
                              .counters = {&run->counters}};
    return pass_run(&run->pass, &run->error);
}

static void close_run(struct run *run)
{
    dataset_close(&run->dataset);
    model_close(&run->model);
    arena_free(&run->arena);
}

static void expect_equal(const struct counters *a, const struct counters *b, bool sums)
{
    cr_assert_eq(a->samples, b->samples);
    for (size_t i = 0; i < a->plan->layer_count; i++) {
        const struct layer_counters *x = &a->layers[i], *y = &b->layers[i];
        const size_t units = a->plan->layers[i].units;
        cr_assert_eq(x->observations, y->observations);
        cr_assert_arr_eq(x->active, y->active, units * sizeof *x->active);
        cr_assert_arr_eq(x->max, y->max, units * sizeof *x->max);
        cr_assert(!sums || memcmp(x->sum, y->sum, units * sizeof *x->sum) == 0);
    }
}

Test(pass, the_number_of_threads_changes_no_bit)
{
    struct run one, many;
    cr_assert(run(&one, digits, 1, 31) == STATUS_OK, "%s", one.error.message);
    cr_assert_eq(one.counters.samples, ROWS);
    for (size_t threads = 2; threads < 9; threads++) {
        cr_assert(run(&many, digits, threads, 31) == STATUS_OK, "%s", many.error.message);
        expect_equal(&one.counters, &many.counters, true);
        close_run(&many);
    }
    close_run(&one);
}

Test(pass, the_size_of_a_batch_changes_no_count)
{
    static const size_t batches[] = {1, 7, 288, 1796, 1797, 5000};
    struct run one, other;
    cr_assert(run(&one, digits, 1, 1) == STATUS_OK, "%s", one.error.message);
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        cr_assert(run(&other, digits, 2, batches[i]) == STATUS_OK, "%s", other.error.message);
        expect_equal(&one.counters, &other.counters, false);
        close_run(&other);
    }
    close_run(&one);
}

/* The last row of the second batch is bad, and the first of the third, which is found sooner. */
Test(pass, the_first_error_is_told)
{
    struct temporary temporary;
    struct text text = {.bytes = NULL};
    temporary_open(&temporary);
    for (int row = 0; row < 3000; row++)
        for (int pixel = 0; pixel < PIXELS; pixel++)
            text_put(&text, row >= 1999 && pixel == 9 ? "x," : pixel == PIXELS - 1 ? "2\n" : "1,");
    temporary_write(&temporary, "data.csv", text.bytes, text.count);
    for (size_t threads = 1; threads < 6; threads++) {
        struct run one;
        cr_assert(run(&one, temporary.file, threads, 1000) == STATUS_INVALID);
        cr_assert(strstr(one.error.message, "line 2000: expected a number in column 9"), "%s",
                  one.error.message);
        cr_assert_eq(one.counters.samples, 1000);
        close_run(&one);
    }
    text_free(&text);
    temporary_close(&temporary);
}

Test(pass, no_rows_are_an_error)
{
    struct temporary temporary;
    struct run one;
    temporary_open(&temporary);
    temporary_write(&temporary, "data.csv", "a,b\n", 4);
    cr_assert(run(&one, temporary.file, 2, 10) == STATUS_INVALID);
    cr_assert(strstr(one.error.message, "expected rows in "), "%s", one.error.message);
    close_run(&one);
    temporary_close(&temporary);
}
