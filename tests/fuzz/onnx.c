/* onnx FLIPS SEED FILE.onnx...: damages ONNX files and loads them.
 *
 * Each file is cut anywhere, then FLIPS times one of them has some bytes changed. Whatever
 * comes of it is refused with a sentence, or loads and runs one row. Under AddressSanitizer and
 * UndefinedBehaviorSanitizer, as `make fuzz` builds it, nothing else goes unnoticed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "graph/session.h"
#include "model/file.h"
#include "model/onnx.h"

enum {
    FILES = 256,
    ROW_FLOATS_MAX = 1 << 20, /* a larger row is not run */
    MACS_MAX = 1 << 24,
    CUTS_MAX = 1 << 12,
    SECONDS_MAX = 60 /* for one file: an alarm ends the program after that */
};

/* What became of the damaged files. */
struct outcomes {
    size_t ran, large, refused;
};

static void fail(const char *what, const char *message)
{
    fprintf(stderr, "fuzz: %s: %s\n", what, message);
    exit(1);
}

/* xorshift64*: any seed but 0. */
static uint64_t random_bits(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1D;
}

static size_t random_below(uint64_t *state, size_t count)
{
    return (size_t)(random_bits(state) >> 11) % count;
}

/* Damage */

/* Changes some bytes: any bits, one, all; or to a copy of others. */
static void damage(uint8_t *bytes, size_t count, uint64_t *state)
{
    for (size_t times = 1 + random_below(state, 4); times > 0; times--) {
        const size_t at = random_below(state, count), from = random_below(state, count);
        const size_t rest = count - (at > from ? at : from), kind = random_below(state, 4);
        if (kind == 0)
            bytes[at] = (uint8_t)random_bits(state);
        else if (kind == 1)
            bytes[at] ^= (uint8_t)(1 << random_below(state, 8));
        else if (kind == 2)
            bytes[at] = (uint8_t[]){0x00, 0x7F, 0x80, 0xFF}[random_below(state, 4)];
        else
            memmove(bytes + at, bytes + from, random_below(state, rest < 16 ? rest : 16));
    }
}

/* Loading */

static float input[ROW_FLOATS_MAX], output[ROW_FLOATS_MAX];

static void run(const struct model *model)
{
    struct session session;
    struct error error;
    if (session_open(&session, &model->plan, kernels_select("auto", NULL), STATS_full, 1, &error) !=
        STATUS_OK)
        fail("a session", error.message);
    for (size_t i = 0; i < model->graph.input_count; i++)
        session_bind(&session, i, input);
    session_begin(&session, 1);
    while (!session_advance(&session, UINT64_MAX))
        continue;
    for (size_t i = 0; i < model->graph.output_count; i++)
        session_output(&session, i, 0, output);
    session_close(&session);
}

/* Whether a row is worth running: damage makes some very large. */
static bool is_large(const struct model *model)
{
    bool large = model->plan.floats_per_row > ROW_FLOATS_MAX || model->plan.macs_per_row > MACS_MAX;
    for (size_t i = 0; i < model->graph.input_count; i++)
        large |= model->inputs[i].features > ROW_FLOATS_MAX;
    for (size_t i = 0; i < model->graph.output_count; i++)
        large |= model->outputs[i].features > ROW_FLOATS_MAX;
    return large;
}

static enum status import(struct model *model, const uint8_t *bytes, size_t count,
                          struct error *error)
{
    struct onnx_file file;
    *model = (struct model){.name = "fuzz", .version = "1"};
    arena_init(&model->arena, MODEL_MEMORY_BYTES_MAX);
    if (onnx_file_of_bytes(&file, bytes, count, error) != STATUS_OK)
        return error->status;
    enum status status = onnx_import(model, &file, error);
    onnx_file_close(&file);
    return status == STATUS_OK ? plan_init(&model->plan, &model->graph, error) : status;
}

static void load(const uint8_t *bytes, size_t count, struct outcomes *outcomes)
{
    struct model model;
    struct error error = {.message = ""};
    alarm(SECONDS_MAX);
    if (import(&model, bytes, count, &error) != STATUS_OK) {
        if (error.status == STATUS_OK || !error.message[0] || strchr(error.message, '\n'))
            fail("refused without a sentence", error.message);
        outcomes->refused++;
    } else if (is_large(&model)) {
        outcomes->large++;
    } else {
        run(&model);
        outcomes->ran++;
    }
    model_close(&model);
}

/* The sanitizer sees a byte read behind memory of exactly that size. */
static uint8_t *copy_of(const struct file *file, size_t count)
{
    uint8_t *copy = malloc(count + !count);
    if (!copy)
        fail("a copy", "no memory left");
    memcpy(copy, file->bytes, count);
    return copy;
}

/* A small file is cut at every byte, a larger one at as many places. */
static void cut(const struct file *file, uint64_t *state, struct outcomes *outcomes)
{
    const bool everywhere = file->count <= CUTS_MAX;
    for (size_t i = 0; i < (everywhere ? file->count : CUTS_MAX); i++) {
        const size_t count = everywhere ? i : random_below(state, file->count);
        uint8_t *copy = copy_of(file, count);
        load(copy, count, outcomes);
        free(copy);
    }
}

static void flip(const struct file *file, uint64_t *state, struct outcomes *outcomes)
{
    uint8_t *copy = copy_of(file, file->count);
    damage(copy, file->count, state);
    load(copy, file->count, outcomes);
    free(copy);
}

static void print_outcomes(const char *what, const struct outcomes *outcomes)
{
    printf("%s: %zu were refused, %zu loaded and ran a row, %zu loaded and were too large to run\n",
           what, outcomes->refused, outcomes->ran, outcomes->large);
}

int main(int count, char **argv)
{
    if (count < 4 || count > FILES)
        fail("usage", "onnx FLIPS SEED FILE.onnx...");
    const size_t rounds = strtoul(argv[1], NULL, 10), file_count = (size_t)count - 3;
    uint64_t state = strtoull(argv[2], NULL, 10) | 1;
    struct outcomes whole = {0}, cuts = {0}, flips = {0};
    struct file files[FILES];
    struct arena arena;
    struct error error;
    for (size_t i = 0; i < ROW_FLOATS_MAX; i++)
        input[i] = (float)(i % 7) - 3.0f; /* neither all alike nor all of one sign */
    arena_init(&arena, MODEL_MEMORY_BYTES_MAX);
    printf("seed %s\n", argv[2]);
    for (size_t i = 0; i < file_count; i++) {
        if (file_load(&arena, argv[i + 3], 1 << 20, &files[i], &error) != STATUS_OK)
            fail(argv[i + 3], error.message);
        load(files[i].bytes, files[i].count, &whole);
        cut(&files[i], &state, &cuts);
    }
    print_outcomes("whole", &whole);
    print_outcomes("cut", &cuts);
    for (size_t i = 0; i < rounds; i++)
        flip(&files[random_below(&state, file_count)], &state, &flips);
    print_outcomes("damaged", &flips);
    arena_free(&arena);
    return 0;
}
