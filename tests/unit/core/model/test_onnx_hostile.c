/* Files that are cut, damaged or random are refused, or read as what they became; nothing
 * crashes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "guarded.h"
#include "model/file.h"
#include "onnx_builder.h"
#include "randoms.h"

static void close_both(struct onnx_builder *builder, struct model *model)
{
    model_close(model);
    onnx_close(builder);
}

/* Runs a model that was accepted, unless damage made it large. */
static void run_accepted(const struct model *model)
{
    enum { LARGEST = 1 << 12 };
    float x[2 * LARGEST] = {0};
    float y[2 * LARGEST];
    if (model->graph.input_count == 1 && model->inputs[0].features <= LARGEST &&
        model->outputs[0].features <= LARGEST && model->plan.floats_per_row <= LARGEST)
        model_run(model, x, 2, y);
}

/* Loads bytes and runs what comes of it; whether it was accepted. */
static bool survives(const uint8_t *bytes, size_t count)
{
    struct model model;
    struct error error;
    const bool accepted = onnx_load_bytes(&model, bytes, count, &error) == STATUS_OK;
    if (accepted)
        run_accepted(&model);
    else
        cr_assert(error.status != STATUS_OK && error.message[0], "refused without a sentence");
    model_close(&model);
    return accepted;
}

/* The first count bytes in front of a guard page. */
static void check_cut(const uint8_t *bytes, size_t count)
{
    struct guarded memory = {.count = 0};
    uint8_t *cut = guarded_alloc(&memory, count, 1);
    memcpy(cut, bytes, count);
    if (survives(cut, count))
        cr_assert_fail("accepted when cut to %zu bytes", count);
    guarded_free(&memory);
}

Test(onnx_hostile, cut_at_every_byte)
{
    struct onnx_builder builder;
    size_t count;
    onnx_open(&builder);
    onnx_small(&builder);
    const uint8_t *bytes = onnx_pack(&builder, &count);
    cr_assert(survives(bytes, count));
    for (size_t i = 0; i < count; i++)
        check_cut(bytes, i);
    onnx_close(&builder);
}

Test(onnx_hostile, a_real_model_cut_anywhere)
{
    struct arena arena;
    struct file file;
    struct error error;
    arena_init(&arena, 1 << 20);
    cr_assert(file_load(&arena, "models/digits/model.onnx", 1 << 20, &file, &error) == STATUS_OK,
              "%s", error.message);
    for (size_t i = 0; i < file.count; i += i < 256 ? 1 : 211)
        check_cut(file.bytes, i);
    arena_free(&arena);
}

enum { FLIPS = 20000 };

/* One to four random bytes become others. */
Test(onnx_hostile, damaged_bytes)
{
    struct randoms random = {1};
    struct onnx_builder builder;
    size_t count, accepted = 0;
    onnx_open(&builder);
    onnx_small(&builder);
    const uint8_t *bytes = onnx_pack(&builder, &count);
    uint8_t *damaged = malloc(count);
    for (size_t i = 0; i < FLIPS; i++) {
        memcpy(damaged, bytes, count);
        for (size_t flips = random_between(&random, 1, 4); flips > 0; flips--)
            damaged[random_between(&random, 0, count - 1)] = (uint8_t)random_bits(&random);
        accepted += survives(damaged, count);
    }
    cr_assert(accepted > FLIPS / 100 && accepted < FLIPS, "%zu were accepted", accepted);
    free(damaged);
    onnx_close(&builder);
}

Test(onnx_hostile, random_bytes)
{
    struct randoms random = {2};
    uint8_t bytes[512];
    for (size_t i = 0; i < 3000; i++) {
        const size_t count = random_between(&random, 0, sizeof bytes);
        for (size_t at = 0; at < count; at++)
            bytes[at] = (uint8_t)random_bits(&random);
        cr_assert(!survives(bytes, count), "case %zu", i);
    }
}

/* x -> Relu -> Relu -> … of count nodes, all of one name, the first of them reading reads inputs.
 */
static void build_many(struct onnx_builder *builder, size_t count, size_t reads)
{
    Onnx__NodeProto **nodes = arena_alloc(&builder->arena, count, sizeof *nodes);
    onnx_input(builder, "x", 2, (const int64_t[]){-1, 1});
    Onnx__NodeProto *relu = onnx_node(builder, "Relu", "same", "x", "_");
    relu->input = arena_alloc(&builder->arena, reads, sizeof *relu->input);
    relu->n_input = reads;
    for (size_t i = 0; i < reads; i++)
        relu->input[i] = (char *)"x";
    for (size_t i = 0; i < count; i++) {
        char output[32];
        snprintf(output, sizeof output, "h%zu", i);
        nodes[i] = arena_alloc(&builder->arena, 1, sizeof **nodes);
        *nodes[i] = *relu;
        nodes[i]->n_input = i == 0 ? reads : 1;
        nodes[i]->output = arena_alloc(&builder->arena, 1, sizeof(char *));
        nodes[i]->output[0] = arena_text(&builder->arena, output, strlen(output));
    }
    builder->graph->node = nodes;
    builder->graph->n_node = count;
    onnx_output(builder, "h0");
}

enum { SECONDS = 20 };

/* Loading takes a second at most; an alarm ends the test after SECONDS. (A .timeout would do, but
 * several of them leak in Criterion 2.4.1, and a leak report fails the run.) */
static enum status load_many(size_t count, size_t reads, struct error *error)
{
    alarm(SECONDS);
    struct onnx_builder builder;
    struct model model;
    onnx_open(&builder);
    build_many(&builder, count, reads);
    const enum status status = onnx_load(&builder, &model, error);
    close_both(&builder, &model);
    return status;
}

Test(onnx_hostile, more_nodes_than_the_limit_are_refused)
{
    struct error error;
    cr_assert(load_many(MODEL_NODES_MAX + 1, 1, &error) == STATUS_TOO_LARGE);
    cr_assert(strstr(error.message, "16384") != NULL, "%s", error.message);
}

/* A file of a few hundred kilobytes must not keep the loader busy for hours: thousands of nodes of
 * one name, and a node that reads one value very often. */
Test(onnx_hostile, many_nodes_of_one_name_load_in_time)
{
    struct error error;
    cr_assert(load_many(MODEL_NODES_MAX, 1, &error) == STATUS_OK, "%s", error.message);
}

Test(onnx_hostile, a_value_that_is_read_very_often_loads_in_time)
{
    struct error error;
    load_many(MODEL_NODES_MAX / 2, 100000, &error);
}

/* Allows this process so many bytes of address space more than it has; returns the old limit. */
static struct rlimit allow_bytes(size_t more)
{
    struct rlimit old, limit;
    size_t pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    cr_assert(statm && fscanf(statm, "%zu", &pages) == 1 && getrlimit(RLIMIT_AS, &old) == 0);
    fclose(statm);
    limit = old;
    limit.rlim_cur = pages * (size_t)sysconf(_SC_PAGESIZE) + more;
    cr_assert(setrlimit(RLIMIT_AS, &limit) == 0);
    return old;
}

/* A file of a few hundred bytes may ask for gigabytes: weights that are one number, repeated. */
Test(onnx_hostile, a_model_that_does_not_fit_into_memory_is_refused)
{
    struct onnx_builder builder;
    struct model model;
    struct error error;
    if (!malloc_watched())
        cr_skip_test("AddressSanitizer needs all of the address space");
    onnx_open(&builder);
    onnx_input(&builder, "x", 2, (const int64_t[]){-1, 1 << 14});
    onnx_initializer(&builder,
                     onnx_ints(&builder, "shape", 2, (const int64_t[]){1 << 14, 1 << 14}));
    onnx_node(&builder, "ConstantOfShape", "", "shape", "w");
    onnx_node(&builder, "MatMul", "fc", "x w", "y");
    onnx_output(&builder, "y");
    const struct rlimit old = allow_bytes((size_t)1 << 28);
    const enum status status = onnx_load(&builder, &model, &error);
    cr_assert(setrlimit(RLIMIT_AS, &old) == 0);
    cr_assert(status == STATUS_OUT_OF_MEMORY, "%s", status_text(status));
    cr_assert(strstr(error.message, "no memory left for the weights \"w\""), "%s", error.message);
    close_both(&builder, &model);
}
