/* A session's promise: the bits of an answer do not depend on the batch it travelled in, on stops
 * between tiles, or on the instruction set. Loops call an assertion only on failure. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "failing_malloc.h"
#include "isas.h"
#include "nets.h"
#include "reference.h"

static const size_t sizes[] = {37, 70, 300, 33, 10};
static const char *const smooth[] = {"relu", "elu", "tanh", "sigmoid"};
static const char *const hinges[] = {"relu", "leaky_relu", "prelu", "identity"};

enum { SIZE_COUNT = sizeof sizes / sizeof sizes[0], IN = 37, OUT = 10 };

static const struct kernels *best(void)
{
    return kernels_select("auto", NULL);
}

/* Against double precision */

struct double_run {
    double *values[NET_NODES_MAX + GRAPH_IO_MAX];
};

static void run_double(struct double_run *run, const struct graph *graph, const float *const *x)
{
    for (size_t i = 0; i < graph->value_count; i++)
        run->values[i] = malloc(graph->values[i].features * sizeof(double));
    reference_run(graph, x, run->values);
}

static void free_double(struct double_run *run, const struct graph *graph)
{
    for (size_t i = 0; i < graph->value_count; i++)
        free(run->values[i]);
}

/* Within 1e-5 of the row's largest magnitude. */
static bool rows_agree(size_t n, const float *y, const double *expected)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(expected[i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)y[i] - expected[i]) <= 1e-5 * largest))
            return false;
    return true;
}

static void check_row_against_double(const struct net *net, const struct session *session,
                                     const float *const *x, size_t row)
{
    struct double_run run;
    run_double(&run, &net->graph, x);
    for (size_t i = 0; i < net->graph.output_count; i++) {
        const uint32_t value = net->graph.outputs[i];
        if (!rows_agree(net->graph.values[value].features, session_row(session, i, row),
                        run.values[value]))
            cr_assert_fail("%s: output %zu, row %zu of %zu", session->kernels->name, i, row,
                           session->rows);
    }
    free_double(&run, &net->graph);
}

/* Runs rows through net and checks every output of every row. */
static void check_against_double(struct net *net, const struct kernels *kernels, size_t rows)
{
    struct session session;
    const size_t features = net->graph.values[net->graph.inputs[0]].features;
    float *x = random_rows(&net->random, RANDOM_PLAIN, rows, features);
    net_session(&session, net, kernels, STATS_full, rows);
    session_run_rows(&session, x, rows);
    for (size_t row = 0; row < rows; row++) {
        const float *one = x + row * features;
        check_row_against_double(net, &session, &one, row);
    }
    session_close(&session);
    free(x);
}

static void check_chain_against_double(const struct kernels *kernels)
{
    for (size_t rows = 1; rows <= 80; rows += rows < 8 ? 1 : 36) {
        struct net net;
        net_init(&net, 20 + rows);
        net_chain(&net, SIZE_COUNT, sizes, rows % 2 ? smooth : hinges);
        check_against_double(&net, kernels, rows);
        net_free(&net);
    }
}

Test(session, agrees_with_double)
{
    for_each_isa(check_chain_against_double);
}

/* Values that two nodes read, two outputs, standalone activations, softmax at the end. */
static void check_branches(const struct kernels *kernels)
{
    for (size_t rows = 1; rows <= 73; rows += 24) {
        struct net net;
        net_init(&net, 30 + rows);
        const uint32_t x = net_input(&net, 20);
        const uint32_t shared = net_dense(&net, x, 50, "identity");
        const uint32_t left = net_activation(&net, shared, "relu");
        const uint32_t right = net_activation(&net, shared, "elu(alpha=0.5)");
        const uint32_t a = net_dense(&net, left, 7, "tanh");
        const uint32_t b = net_softmax(&net, net_dense(&net, right, 19, "identity"));
        net_output(&net, b);
        net_output(&net, a);
        net_output(&net, shared);
        net_output(&net, net_activation(&net, x, "leaky_relu(alpha=0.5)"));
        net_plan(&net);
        check_against_double(&net, kernels, rows);
        net_free(&net);
    }
}

Test(session, values_may_be_read_twice_and_outputs_be_many)
{
    for_each_isa(check_branches);
}

/* Trees whose memory is shared as hard as it can be. */
static void check_random_trees(const struct kernels *kernels)
{
    static const char *const activations[] = {"relu", "identity", "sigmoid", "prelu(slope=-0.5)"};
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct net net;
        net_init(&net, seed);
        net_input(&net, random_between(&net.random, 1, 40));
        for (size_t i = 0; i < 20; i++)
            net_dense(&net, (uint32_t)random_between(&net.random, 0, net.graph.value_count - 1),
                      random_between(&net.random, 1, 70),
                      activations[random_between(&net.random, 0, 3)]);
        for (size_t i = 0; i < 4; i++)
            net_output(&net, (uint32_t)random_between(&net.random, 0, net.graph.value_count - 1));
        net_plan(&net);
        check_against_double(&net, kernels, random_between(&net.random, 1, 5));
        net_free(&net);
    }
}

Test(session, random_trees_agree_with_double)
{
    for_each_isa(check_random_trees);
}

Test(session, several_inputs_have_sizes_of_their_own)
{
    struct net net;
    struct session session;
    net_init(&net, 40);
    const uint32_t x = net_input(&net, 5), y = net_input(&net, 9);
    net_output(&net, net_dense(&net, x, 4, "relu"));
    net_output(&net, net_dense(&net, y, 3, "identity"));
    net_plan(&net);
    float *xs = random_rows(&net.random, RANDOM_PLAIN, 6, 5);
    float *ys = random_rows(&net.random, RANDOM_PLAIN, 6, 9);
    net_session(&session, &net, best(), STATS_full, 6);
    session_bind(&session, 0, xs);
    session_bind(&session, 1, ys);
    session_begin(&session, 6);
    cr_assert(session_advance(&session, UINT64_MAX));
    for (size_t row = 0; row < 6; row++)
        check_row_against_double(&net, &session, (const float *const[]){xs + row * 5, ys + row * 9},
                                 row);
    session_close(&session);
    free(xs);
    free(ys);
    net_free(&net);
}

Test(session, an_input_can_be_an_output)
{
    struct net net;
    struct session session;
    const float x[2 * 3] = {1, 2, 3, 4, 5, 6};
    net_init(&net, 41);
    const uint32_t input = net_input(&net, 3);
    net_dense(&net, input, 4, "relu");
    net_output(&net, input);
    net_plan(&net);
    net_session(&session, &net, best(), STATS_full, 2);
    session_run_rows(&session, x, 2);
    cr_assert(memcmp(session_row(&session, 0, 1), x + 3, 3 * sizeof *x) == 0);
    session_close(&session);
    net_free(&net);
}

Test(session, a_graph_without_nodes_is_finished_at_once)
{
    struct net net;
    struct session session;
    const float x[2] = {1, 2};
    net_init(&net, 42);
    net_output(&net, net_input(&net, 2));
    net_plan(&net);
    net_session(&session, &net, best(), STATS_full, 1);
    session_run_rows(&session, x, 1);
    cr_assert(session_row(&session, 0, 0)[1] == 2.0f);
    session_close(&session);
    net_free(&net);
}

/* Bits */

enum { POOL = 145 };

/* Row row of every batch that starts at 0 has the bits it has alone. */
static void check_batch(struct session *session, const float *x, const float *alone, size_t rows,
                        size_t out)
{
    session_run_rows(session, x, rows);
    for (size_t row = 0; row < rows; row++)
        if (memcmp(session_row(session, 0, row), alone + row * out, out * sizeof *x) != 0)
            cr_assert_fail("%s: row %zu of a batch of %zu differs from itself alone",
                           session->kernels->name, row, rows);
}

static void run_alone(struct session *session, const float *x, float *alone, size_t in, size_t out)
{
    for (size_t row = 0; row < POOL; row++) {
        session_run_rows(session, x + row * in, 1);
        memcpy(alone + row * out, session_row(session, 0, 0), out * sizeof *x);
    }
}

static void check_batches(const struct kernels *kernels, const char *const *activations,
                          enum random_kind kind)
{
    struct net net;
    struct session session;
    net_init(&net, 50);
    net_chain(&net, SIZE_COUNT, sizes, activations);
    float *x = random_rows(&net.random, kind, POOL, IN);
    float *alone = malloc(POOL * OUT * sizeof *alone);
    net_session(&session, &net, kernels, STATS_full, POOL);
    run_alone(&session, x, alone, IN, OUT);
    for (size_t rows = 2; rows <= 64; rows++)
        check_batch(&session, x, alone, rows, OUT);
    check_batch(&session, x, alone, 72, OUT);
    check_batch(&session, x, alone, 73, OUT);
    check_batch(&session, x, alone, POOL, OUT);
    session_close(&session);
    free(x);
    free(alone);
    net_free(&net);
}

static void check_all_batches(const struct kernels *kernels)
{
    check_batches(kernels, smooth, RANDOM_PLAIN);
    check_batches(kernels, hinges, RANDOM_SPARSE);
    check_batches(kernels, hinges, RANDOM_WILD);
}

Test(session, bits_do_not_depend_on_the_batch)
{
    for_each_isa(check_all_batches);
}

static void check_same_bits(const struct net *net, const struct kernels *kernels, const float *x,
                            const float *expected)
{
    struct session session;
    net_session(&session, net, kernels, STATS_off, POOL);
    check_batch(&session, x, expected, POOL, OUT);
    session_close(&session);
}

Test(session, bits_do_not_depend_on_the_instruction_set)
{
    struct net net;
    struct session session;
    size_t count;
    const struct kernels *const *list = kernels_usable(&count);
    net_init(&net, 51);
    net_chain(&net, SIZE_COUNT, sizes, smooth);
    float *x = random_rows(&net.random, RANDOM_PLAIN, POOL, IN);
    float *alone = malloc(POOL * OUT * sizeof *alone);
    net_session(&session, &net, list[0], STATS_full, POOL);
    run_alone(&session, x, alone, IN, OUT);
    for (size_t i = 0; i < count && reference_fused(list[i]); i++)
        check_same_bits(&net, list[i], x, alone);
    session_close(&session);
    free(x);
    free(alone);
    net_free(&net);
}

/* Input 0 is zero and its weights are NaN: an output is finite where they are not read. */
static void check_forced(struct session *session, enum skip skip, size_t rows)
{
    static const float x[2 * 2] = {0, 1, -0.0f, 2};
    session->skip = skip;
    session_run_rows(session, x, rows);
    for (size_t row = 0; row < rows; row++)
        cr_assert(isnan(session_row(session, 0, row)[0]) == (skip == SKIP_NEVER),
                  "skip %d: row %zu of %zu", (int)skip, row, rows);
}

Test(session, skipping_can_be_forced)
{
    struct net net;
    struct session session;
    net_init(&net, 52);
    net_chain(&net, 2, (const size_t[]){2, 10}, hinges);
    float *weights = (float *)net.graph.nodes[0].panels;
    for (size_t i = 0; i < 10; i++)
        weights[i] = NAN;
    net_session(&session, &net, best(), STATS_full, 2);
    for (size_t rows = 1; rows <= 2; rows++) {
        check_forced(&session, SKIP_ALWAYS, rows);
        check_forced(&session, SKIP_NEVER, rows);
    }
    session_close(&session);
    net_free(&net);
}

/* The only input of a row that is not zero is the one of the row's number. */
Test(session, a_batch_of_sparse_rows_is_skipped_through)
{
    enum { K = 512, ROWS = 16 };
    struct net net;
    struct session session;
    net_init(&net, 53);
    net_chain(&net, 2, (const size_t[]){K, 256}, hinges);
    float *weights = (float *)net.graph.nodes[0].panels;
    float *x = calloc(ROWS * K, sizeof *x);
    for (size_t row = 0; row < ROWS; row++)
        x[row * K + row] = 1;
    for (size_t i = ROWS * 256; i < K * 256; i++) /* of inputs that are zero in every row */
        weights[i] = NAN;
    net_session(&session, &net, best(), STATS_full, ROWS);
    session_run_rows(&session, x, ROWS);
    for (size_t row = 0; row < ROWS; row++)
        cr_assert(!isnan(session_row(&session, 0, row)[0]), "row %zu", row);
    for (size_t i = 0; i < ROWS * K; i++) /* now none is zero */
        x[i] = 1;
    session_run_rows(&session, x, ROWS);
    cr_assert(isnan(session_row(&session, 0, 0)[0]));
    session_close(&session);
    free(x);
    net_free(&net);
}

/* Stopping */

/* Advances with a deadline that has passed until done, running something else in between; returns
 * how often it stopped. */
static size_t run_stopping(struct session *session, const float *x, size_t rows)
{
    struct net other;
    struct session between;
    size_t stops = 0;
    net_init(&other, 60);
    net_chain(&other, SIZE_COUNT, sizes, smooth);
    net_session(&between, &other, session->kernels, STATS_full, 3);
    float *noise = random_rows(&other.random, RANDOM_PLAIN, 3, IN);
    session_bind(session, 0, x);
    session_begin(session, rows);
    for (; !session_advance(session, 0); stops++)
        session_run_rows(&between, noise, 1 + stops % 3);
    free(noise);
    session_close(&between);
    net_free(&other);
    return stops;
}

/* Layers so wide that each tile takes longer than session.c waits before it looks at the clock
 * (2^19 multiply-adds). */
static void check_stopping(size_t rows, size_t k, size_t n, size_t least_stops)
{
    struct net net;
    struct session session, stopping;
    net_init(&net, 61);
    net_chain(&net, 3, (const size_t[]){k, n, 700}, hinges);
    float *x = random_rows(&net.random, RANDOM_SPARSE, rows, k);
    net_session(&session, &net, best(), STATS_full, rows);
    net_session(&stopping, &net, best(), STATS_full, rows);
    session_run_rows(&session, x, rows);
    const size_t stops = run_stopping(&stopping, x, rows);
    cr_assert(stops >= least_stops, "%zu rows stopped %zu times", rows, stops);
    for (size_t row = 0; row < rows; row++)
        cr_assert(memcmp(session_row(&session, 0, row), session_row(&stopping, 0, row),
                         700 * sizeof(float)) == 0,
                  "%zu rows: row %zu", rows, row);
    cr_assert(memcmp(session.bits, stopping.bits, rows * net.plan.bits_per_row) == 0);
    cr_assert(memcmp(session_tallies(&session)[0].active, session_tallies(&stopping)[0].active,
                     n * sizeof(uint32_t)) == 0);
    session_close(&session);
    session_close(&stopping);
    free(x);
    net_free(&net);
}

Test(session, a_row_that_stops_between_panels_has_the_same_bits)
{
    check_stopping(1, 3000, 1025, 5);
}

Test(session, a_batch_that_stops_between_tiles_has_the_same_bits)
{
    check_stopping(150, 512, 520, 10);
}

/* Only what the clock is for: without a deadline one call does it all, and small runs end in one
 * call even when the deadline has passed. */
Test(session, stops_for_a_deadline_only)
{
    struct net net;
    struct session session;
    net_init(&net, 62);
    net_chain(&net, 3, (const size_t[]){600, 1000, 700}, hinges);
    float *x = random_rows(&net.random, RANDOM_PLAIN, 8, 600);
    net_session(&session, &net, best(), STATS_full, 8);
    session_bind(&session, 0, x);
    session_begin(&session, 8);
    cr_assert(!session_advance(&session, 0));
    cr_assert(session_advance(&session, UINT64_MAX));
    cr_assert(session_advance(&session, 0), "a finished run stays finished");
    session_close(&session);
    free(x);
    net_free(&net);
}

Test(session, a_run_allocates_nothing)
{
    struct net net;
    struct session session;
    if (!malloc_watched())
        cr_skip_test("malloc is AddressSanitizer's here");
    net_init(&net, 63);
    net_chain(&net, SIZE_COUNT, sizes, smooth);
    float *x = random_rows(&net.random, RANDOM_PLAIN, 73, IN);
    net_session(&session, &net, best(), STATS_full, 73);
    const size_t before = malloc_count();
    for (size_t rows = 1; rows <= 73; rows++) {
        session_bind(&session, 0, x);
        session_begin(&session, rows);
        while (!session_advance(&session, 0))
            ;
        session_active(&session, 0, rows - 1);
    }
    const size_t after = malloc_count();
    cr_assert(after == before, "%zu allocations", after - before);
    session_close(&session);
    free(x);
    cr_assert(malloc_count() == after);
    void *volatile kept = malloc(1);
    cr_assert(malloc_count() > after, "the counter counts");
    free(kept);
    net_free(&net);
}

Test(session, too_large_a_session_is_refused)
{
    struct net net;
    struct session session;
    struct error error;
    net_init(&net, 67);
    net_chain(&net, 2, (const size_t[]){3, 10}, hinges);
    cr_assert(session_open(&session, &net.plan, best(), STATS_full, SIZE_MAX / 8, &error) ==
              STATUS_OUT_OF_MEMORY);
    cr_assert(strstr(error.message, "session") != NULL, "%s", error.message);
    net_free(&net);
}
