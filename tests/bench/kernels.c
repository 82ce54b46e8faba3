/* kernels: what one row costs in relud's session and in its peers, without any server.
 *
 *     kernels ROUNDS PASS_US NAME MODEL INPUTS...
 *
 * MODEL is an ONNX file of dense layers, INPUTS a file of float32 rows. For batches of 1 and of 64
 * rows everybody runs in turn, ROUNDS times, each time for about PASS_US over 64 different batches:
 * repeated inputs would teach the branch predictor, and flatter skipping. To standard output go a
 * line about the machine and one line per contender:
 *
 *     NAME BATCH CONTENDER nanoseconds-per-row-of-each-round...
 *
 * bench.py makes the table of it. relud runs at level off, counts and full. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu.h"
#include "graph/session.h"
#include "kernels/kernels.h"
#include "model/model.h"
#include "panel.h"
#include "peers.h"

enum { DIFFERENT_INPUTS = 64, CONTENDERS = 5, ROUNDS_MAX = 100000 };

static const size_t batches[] = {1, 64};
static const char *const names[CONTENDERS] = {"off", "counts", "full", "onednn", "openblas"};
enum { ONEDNN = 3, OPENBLAS = 4 };
static const enum stats_level levels[ONEDNN] = {STATS_off, STATS_counts, STATS_full};

struct bench {
    const char *name;
    struct model model;
    struct peer_network network; /* owned weights */
    size_t rows;                 /* of a batch */
    float *inputs;               /* owned: [64, rows, features] */
    struct session sessions[ONEDNN];
    struct arena arena; /* of outputs */
    float *outputs;
    struct onednn *onednn;
    struct openblas *openblas;
    double *samples[CONTENDERS]; /* owned: nanoseconds per row, by round */
};

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}

/* On cache lines, as fast code wants it. */
static void *must_alloc(size_t count, size_t bytes)
{
    void *made = aligned_alloc(64, (count * bytes + 63) / 64 * 64);
    if (!made)
        fail("kernels", "out of memory");
    return made;
}

static size_t features(const struct bench *bench)
{
    return bench->model.inputs[0].features;
}

/* The plain matrix [k, n] that was packed into panels. */
static float *unpack(const struct node *node)
{
    float *plain = must_alloc(node->k * node->n, sizeof *plain);
    for (size_t i = 0; i < node->k; i++)
        for (size_t j = 0; j < node->n; j++) {
            size_t panel = j / PANEL_COLUMNS;
            const float *from = node->panels + panel_offset(node->k, panel);
            plain[i * node->n + j] = from[i * panel_width(node->n, panel) + j % PANEL_COLUMNS];
        }
    return plain;
}

/* The model as a chain of dense layers for the peers. */
static void describe_network(struct bench *bench)
{
    const struct graph *graph = &bench->model.graph;
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct node *node = &graph->nodes[i];
        bool relu = node->activation.type == ACTIVATION_relu;
        if (node->op != OP_dense || i == PEER_LAYERS_MAX ||
            (!relu && node->activation.type != ACTIVATION_identity))
            fail(bench->name, "the peers run dense layers with ReLU only");
        bench->network.layers[i] =
            (struct peer_layer){node->k, node->n, unpack(node), node->bias, relu};
    }
    bench->network.count = graph->node_count;
}

/* Reads the rows of the file, in turn, until 64 batches are full. */
static void read_inputs(struct bench *bench, const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t row = features(bench), count = DIFFERENT_INPUTS * bench->rows;
    bench->inputs = must_alloc(count * row, sizeof(float));
    for (size_t r = 0; file && r < count; r++) {
        if (fread(bench->inputs + r * row, sizeof(float), row, file) == row)
            continue;
        if (r < DIFFERENT_INPUTS)
            fail(path, "expected at least 64 rows");
        rewind(file);
        r--;
    }
    if (!file)
        fail(path, "cannot be read");
    fclose(file);
}

static void open_contenders(struct bench *bench, const struct kernels *kernels)
{
    struct error error;
    const struct plan *plan = &bench->model.plan;
    for (size_t i = 0; i < ONEDNN; i++)
        if (session_open(&bench->sessions[i], plan, kernels, levels[i], bench->rows, &error) !=
            STATUS_OK)
            fail(bench->name, error.message);
    arena_init(&bench->arena, SIZE_MAX);
    bench->outputs =
        arena_alloc(&bench->arena, bench->rows, bench->model.outputs[0].features * sizeof(float));
    if (!bench->outputs)
        fail(bench->name, "no memory left for the outputs");
    bench->onednn = onednn_open(&bench->network, bench->rows);
    bench->openblas = openblas_open(&bench->network, bench->rows);
}

static void close_contenders(struct bench *bench)
{
    for (size_t i = 0; i < ONEDNN; i++)
        session_close(&bench->sessions[i]);
    arena_free(&bench->arena);
    onednn_close(bench->onednn);
    openblas_close(bench->openblas);
}

static const float *run_relud(struct bench *bench, size_t who, const float *x, size_t *stride)
{
    struct session *session = &bench->sessions[who];
    session_bind(session, 0, x);
    session_begin(session, bench->rows);
    session_advance(session, UINT64_MAX);
    *stride = bench->model.outputs[0].features;
    for (size_t row = 0; row < bench->rows; row++)
        session_output(session, 0, row, bench->outputs + row * *stride);
    return bench->outputs;
}

/* One batch; its outputs and their row stride. */
static const float *run(struct bench *bench, size_t who, size_t input, size_t *stride)
{
    const float *x = bench->inputs + input * bench->rows * features(bench);
    *stride = bench->model.outputs[0].features;
    switch (who) {
    case ONEDNN:
        return onednn_run(bench->onednn, x);
    case OPENBLAS:
        return openblas_run(bench->openblas, x);
    default:
        return run_relud(bench, who, x, stride);
    }
}

/* Whoever computes something else would win easily. */
static void check_outputs(struct bench *bench)
{
    size_t n = bench->model.outputs[0].features, stride, own_stride;
    for (size_t input = 0; input < DIFFERENT_INPUTS; input++)
        for (size_t who = 1; who < CONTENDERS; who++) {
            const float *own = run(bench, 0, input, &own_stride);
            const float *y = run(bench, who, input, &stride);
            for (size_t i = 0; i < bench->rows * n; i++) {
                float expected = own[i / n * own_stride + i % n];
                float found = y[i / n * stride + i % n];
                if (!(fabsf(found - expected) <= 1e-3f * (1 + fabsf(expected))))
                    fail(names[who], "computes something else than relud");
            }
        }
}

static volatile float sink;

/* Nanoseconds for count batches, beginning with one that is not measured: it brings the weights of
 * this contender back into the caches. */
static double time_pass(struct bench *bench, size_t who, size_t count)
{
    size_t stride;
    sink = *run(bench, who, DIFFERENT_INPUTS - 1, &stride);
    uint64_t begun = cpu_clock_ns();
    for (size_t i = 0; i < count; i++)
        sink = *run(bench, who, i % DIFFERENT_INPUTS, &stride);
    return (double)(cpu_clock_ns() - begun);
}

static void measure(struct bench *bench, size_t rounds, double pass_ns)
{
    size_t counts[CONTENDERS];
    for (size_t who = 0; who < CONTENDERS; who++) {
        double once = time_pass(bench, who, DIFFERENT_INPUTS) / DIFFERENT_INPUTS;
        counts[who] = (size_t)(pass_ns / once) + 1;
        if (counts[who] < DIFFERENT_INPUTS)
            counts[who] = DIFFERENT_INPUTS;
    }
    for (size_t round = 0; round < rounds; round++)
        for (size_t turn = 0; turn < CONTENDERS; turn++) {
            size_t who = (turn + round) % CONTENDERS;
            double rows = (double)(counts[who] * bench->rows);
            bench->samples[who][round] = time_pass(bench, who, counts[who]) / rows;
        }
}

static void print_samples(const struct bench *bench, size_t rounds)
{
    for (size_t who = 0; who < CONTENDERS; who++) {
        printf("%s %zu %s", bench->name, bench->rows, names[who]);
        for (size_t round = 0; round < rounds; round++)
            printf(" %.2f", bench->samples[who][round]);
        putchar('\n');
    }
    fflush(stdout);
}

static void bench_model(char *const case_of[3], const struct kernels *kernels, size_t rounds,
                        double pass_ns)
{
    struct bench bench = {.name = case_of[0]};
    struct model_options options = {.name = case_of[0], .level = STATS_full};
    struct error error;
    if (model_open(&bench.model, case_of[1], &options, &error) != STATUS_OK)
        fail(case_of[1], error.message);
    describe_network(&bench);
    for (size_t who = 0; who < CONTENDERS; who++)
        bench.samples[who] = must_alloc(rounds, sizeof(double));
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        bench.rows = batches[i];
        read_inputs(&bench, case_of[2]);
        open_contenders(&bench, kernels);
        check_outputs(&bench);
        measure(&bench, rounds, pass_ns);
        print_samples(&bench, rounds);
        close_contenders(&bench);
        free(bench.inputs);
    }
    for (size_t who = 0; who < CONTENDERS; who++)
        free(bench.samples[who]);
    for (size_t i = 0; i < bench.network.count; i++)
        free((void *)(size_t)bench.network.layers[i].weights);
    model_close(&bench.model);
}

/* Both libraries read their environment when they are loaded: begins anew with one thread each, and
 * tells an OpenBLAS that does not know this processor, and takes it for one of 2004, what it can
 * do. */
static void settle_environment(char **arguments)
{
    const char *threads = getenv("OMP_NUM_THREADS");
    bool known = strcmp(openblas_core(), "Prescott") != 0 || getenv("OPENBLAS_CORETYPE");
    if (threads && strcmp(threads, "1") == 0 && (known || !cpu_usable("avx2")))
        return;
    setenv("OMP_NUM_THREADS", "1", 1);
    if (!known)
        setenv("OPENBLAS_CORETYPE", cpu_usable("avx512") ? "SkylakeX" : "Haswell", 1);
    execv("/proc/self/exe", arguments);
    fail("kernels", "does not start again");
}

int main(int count, char **arguments)
{
    size_t rounds = count > 2 ? strtoul(arguments[1], NULL, 10) : 0;
    double pass_ns = count > 2 ? strtod(arguments[2], NULL) * 1000 : 0;
    struct error error;
    if (count < 6 || count % 3 != 0 || rounds == 0 || rounds > ROUNDS_MAX) {
        fputs("usage: kernels ROUNDS PASS_US NAME MODEL INPUTS...\n", stderr);
        return 2;
    }
    settle_environment(arguments);
    const struct kernels *kernels = kernels_select("auto", &error);
    if (!kernels)
        fail("kernels", error.message);
    printf("machine relud (%s), %s, %s\n", kernels->name, onednn_about(), openblas_about());
    for (int i = 3; i < count; i += 3)
        bench_model(arguments + i, kernels, rounds, pass_ns);
    return 0;
}
