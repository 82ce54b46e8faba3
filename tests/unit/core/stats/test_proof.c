/* Proofs: what they say of networks made by hand, and that no input in its range ever brings a
 * pre-activation above its bound. PROOF_ROWS rows of each network are tried (make proofs: a
 * million). Loops call an assertion only on failure. */
#include <criterion/criterion.h>
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nets.h"
#include "panel.h"
#include "random_net.h"
#include "stats/counters.h"
#include "stats/proof.h"

enum { ROWS_AT_ONCE = 64, NETS = 25 };

static size_t rows_to_try(size_t unless_told)
{
    const char *text = getenv("PROOF_ROWS");
    return text ? (size_t)strtoull(text, NULL, 10) : unless_told;
}

/* Ranges and inputs in them */

struct range {
    size_t features;
    float *min, *max;
};

static void range_open(struct range *range, size_t features)
{
    *range = (struct range){features, malloc(features * sizeof(float)),
                            malloc(features * sizeof(float))};
}

static void range_close(struct range *range)
{
    free(range->min);
    free(range->max);
}

/* One for all features or one for each; about 0 or beside it, of any size. */
static void range_draw(struct range *range, struct randoms *random)
{
    static const float scales[] = {1, 1, 1, 16, 255, 1e-3f, 1e-30f, 1e-42f, 1e10f};
    const float scale = scales[random_between(random, 0, 8)];
    const bool each = random_between(random, 0, 1);
    const float low = random_plain(random), high = random_plain(random);
    for (size_t i = 0; i < range->features; i++) {
        const float a = scale * (each ? random_plain(random) : low);
        const float b = scale * (each ? random_plain(random) : high);
        range->min[i] = a < b ? a : b;
        range->max[i] = a < b ? b : a;
    }
}

/* A third of the features at either end, the others in between. */
static void draw_row(const struct range *range, struct randoms *random, float *x)
{
    for (size_t i = 0; i < range->features; i++) {
        const float low = range->min[i], high = range->max[i];
        const float share = (random_plain(random) + 1) / 2;
        const float between = low + share * (high - low);
        const size_t where = random_between(random, 0, 2);
        x[i] = where == 0 ? low : where == 1 || !(between <= high) ? high : fmaxf(low, between);
    }
}

/* One network with its proof, and what its units did */

struct subject {
    const struct plan *plan;
    struct range range;
    struct arena arena;
    struct proof proof;
    struct session session;
    struct counters counters;
    struct randoms random;
    float *x;
};

static void prove(struct subject *s)
{
    const struct proof_range range = {s->range.min, s->range.max};
    struct error error;
    cr_assert(proof_open(&s->proof, &s->arena, s->plan, &range, &error) == STATUS_OK, "%s",
              error.message);
}

static void subject_open(struct subject *s, const struct plan *plan, uint64_t seed)
{
    const struct graph *graph = plan->graph;
    struct error error;
    size_t usable;
    const struct kernels *const *kernels = kernels_usable(&usable);
    *s = (struct subject){.plan = plan, .random = {seed * 7919 + 1}};
    arena_init(&s->arena, SIZE_MAX);
    range_open(&s->range, graph->values[graph->inputs[0]].features);
    range_draw(&s->range, &s->random);
    s->x = malloc(ROWS_AT_ONCE * s->range.features * sizeof *s->x);
    cr_assert(session_open(&s->session, plan, kernels[seed % usable], STATS_full, ROWS_AT_ONCE,
                           &error) == STATUS_OK);
    cr_assert(counters_init(&s->counters, &s->arena, plan, STATS_full, &error) == STATUS_OK);
}

static void subject_close(struct subject *s)
{
    session_close(&s->session);
    arena_free(&s->arena);
    range_close(&s->range);
    free(s->x);
}

static void run(struct subject *s, size_t rows)
{
    session_run_rows(&s->session, s->x, rows);
    counters_fold(&s->counters, session_tallies(&s->session), rows);
}

/* No pre-activation was above its bound, and nobody fired who is proven dead; how many are. */
static size_t check(const struct subject *s, uint64_t seed)
{
    size_t dead = 0;
    for (size_t i = 0; i < s->plan->layer_count; i++) {
        const struct layer_counters *counted = &s->counters.layers[i];
        for (size_t unit = 0; unit < s->plan->layers[i].units; unit++) {
            const bool proven = proof_dead(&s->proof, s->plan, i, unit);
            if ((double)counted->max[unit] > s->proof.upper[i][unit] ||
                (proven && counted->active[unit] > 0))
                cr_assert_fail("seed %zu: %s, unit %zu reaches %.9g, its bound is %.17g",
                               (size_t)seed, s->plan->layers[i].name, unit,
                               (double)counted->max[unit], s->proof.upper[i][unit]);
            dead += proven;
        }
    }
    return dead;
}

static void try_rows(struct subject *s, size_t rows)
{
    for (size_t done = 0; done < rows; done += ROWS_AT_ONCE) {
        for (size_t row = 0; row < ROWS_AT_ONCE; row++)
            draw_row(&s->range, &s->random, s->x + row * s->range.features);
        run(s, ROWS_AT_ONCE);
    }
}

/* Dense networks whose bounds lie within a few ulps of the threshold */

static const char *const activations[] = {
    "relu",         "relu6",        "thresholded_relu(alpha=0.25)",
    "shifted_relu", "squared_relu", "clip(min=-0.5,max=1.5)",
    "relu",         "leaky_relu",   "thresholded_relu(alpha=-0.5)",
    "gelu",         "silu",         "elu(alpha=-1.9)",
    "tanh",         "hard_swish",   "hard_sigmoid(alpha=-0.7,beta=0.3)",
    "relu",         "mish",         "selu(alpha=0.3,gamma=7)",
    "softplus",     "gelu_tanh",    "celu(alpha=0.1)"};

enum { ACTIVATIONS = sizeof activations / sizeof activations[0] };

/* Biases so that every other unit's bound comes to lie there; in vain where it is too far away. */
static void lower_biases(struct subject *s, size_t layer)
{
    const struct node *node = s->plan->layers[layer].node;
    const double threshold = (double)activation_threshold(&node->activation);
    float *bias = (float *)(uintptr_t)node->bias; /* the net's arena can be written */
    for (size_t unit = 0; unit < node->n; unit += 2) {
        const double excess = s->proof.upper[layer][unit] - threshold;
        bias[unit] = (float)((double)bias[unit] - excess);
        for (size_t ulps = random_between(&s->random, 0, 4); ulps > 0; ulps--)
            bias[unit] = nextafterf(bias[unit], -INFINITY);
    }
}

/* The corners of the range at which each unit of the first layer reaches its bound. */
static void try_corners(struct subject *s)
{
    const struct node *node = s->plan->layers[0].node;
    for (size_t unit = 0; unit < node->n; unit++) {
        for (size_t i = 0; i < node->k; i++) {
            const float w = node->panels[i * panel_padded(node->n) + unit];
            s->x[i] = w > 0 ? s->range.max[i] : s->range.min[i];
        }
        run(s, 1);
    }
}

static size_t check_chain(uint64_t seed)
{
    struct net net;
    struct subject s;
    struct randoms random = {seed + 1};
    const char *functions[3];
    size_t features[4];
    for (size_t i = 0; i < 4; i++)
        features[i] = random_between(&random, 1, 24);
    for (size_t i = 0; i < 3; i++)
        functions[i] = activations[random_between(&random, 0, ACTIVATIONS - 1)];
    net_init(&net, seed + 1);
    net_chain(&net, 4, features, functions);
    subject_open(&s, &net.plan, seed);
    for (size_t layer = 0; layer < net.plan.layer_count; layer++) {
        prove(&s);
        lower_biases(&s, layer);
    }
    prove(&s);
    try_corners(&s);
    try_rows(&s, rows_to_try(2000));
    const size_t dead = check(&s, seed);
    subject_close(&s);
    net_free(&net);
    return dead;
}

Test(proof, holds_for_dense_networks_within_ulps_of_the_threshold)
{
    size_t dead = 0;
    for (uint64_t seed = 0; seed < NETS; seed++)
        dead += check_chain(seed);
    cr_assert(dead >= 2 * NETS, "%zu units proven dead", dead);
}

/* Networks of every kind of node */

static void check_random_net(uint64_t seed)
{
    struct onnx_builder onnx;
    struct model model;
    struct subject s;
    struct error error;
    onnx_open(&onnx);
    random_net(&onnx, seed);
    cr_assert(onnx_load(&onnx, &model, &error) == STATUS_OK, "seed %zu: %s", (size_t)seed,
              error.message);
    subject_open(&s, &model.plan, seed);
    prove(&s);
    try_rows(&s, rows_to_try(400));
    check(&s, seed);
    subject_close(&s);
    model_close(&model);
    onnx_close(&onnx);
}

Test(proof, holds_for_random_networks)
{
    for (uint64_t seed = 1; seed <= NETS; seed++)
        check_random_net(seed);
}

/* Networks that exporters wrote, of one input. */
static void check_exported(const char *path, uint64_t seed)
{
    struct model model;
    struct subject s;
    struct error error;
    const struct model_options options = {.level = STATS_full};
    cr_assert(model_open(&model, path, &options, &error) == STATUS_OK, "%s", error.message);
    if (model.graph.input_count == 1) {
        subject_open(&s, &model.plan, seed);
        prove(&s);
        try_rows(&s, 128);
        check(&s, seed);
        subject_close(&s);
    }
    model_close(&model);
}

Test(proof, holds_for_exported_networks)
{
    glob_t found;
    cr_assert(glob("tests/conformance/golden/*/model.onnx", 0, NULL, &found) == 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        check_exported(found.gl_pathv[i], i);
    globfree(&found);
}

/* By hand: one layer of one unit. */

struct by_hand {
    struct net net;
    struct proof proof;
};

static void prove_by_hand(struct by_hand *hand, const char *function, size_t k,
                          const float *weights, float bias, const struct proof_range *range)
{
    struct error error;
    net_init(&hand->net, 1);
    net_chain(&hand->net, 2, (const size_t[]){k, 1}, &function);
    const struct node *node = hand->net.plan.layers[0].node;
    for (size_t i = 0; i < k; i++)
        ((float *)(uintptr_t)node->panels)[i * PANEL_UNIT] = weights[i];
    *(float *)(uintptr_t)node->bias = bias;
    cr_assert(proof_open(&hand->proof, &hand->net.arena, &hand->net.plan, range, &error) ==
              STATUS_OK);
}

static double upper_by_hand(const char *function, size_t k, const float *weights, float bias,
                            float min, float max, bool *dead)
{
    const float mins[3] = {min, min, min}, maxs[3] = {max, max, max};
    struct by_hand hand;
    prove_by_hand(&hand, function, k, weights, bias, &(struct proof_range){mins, maxs});
    const double upper = hand.proof.upper[0][0];
    *dead = proof_dead(&hand.proof, &hand.net.plan, 0, 0);
    net_free(&hand.net);
    return upper;
}

/* Upper end, sum of magnitudes, and gamma(k + 2) of it. */
Test(proof, an_upper_bound_is_that_of_the_terms_and_of_their_rounding)
{
    static const float weights[3] = {1.5f, -2.25f, 0.75f};
    const double gamma = 5 * 0x1p-24 / (1 - 5 * 0x1p-24);
    bool dead;
    double upper = upper_by_hand("relu", 3, weights, -20.0f, -2, 5, &dead);
    double exact = -20 + 1.5 * 5 + 2.25 * 2 + 0.75 * 5, size = 20 + 5 * (1.5 + 2.25 + 0.75);
    cr_assert_float_eq(upper, exact + gamma * size + 3 * 0x1p-149, 1e-12);
    cr_assert(dead && upper > exact);
    const float least =
        (float)(1.5 * 5 + 2.25 * 2 + 0.75 * 5); /* the bound without rounding is 0 */
    upper = upper_by_hand("relu", 3, weights, -least, -2, 5, &dead);
    cr_assert(upper > 0 && !dead);
    upper_by_hand("relu", 3, weights, -least * (1 + 0x1p-20f), -2, 5, &dead);
    cr_assert(dead);
}

Test(proof, a_threshold_is_that_of_the_function)
{
    static const float weight[1] = {1};
    bool dead;
    upper_by_hand("thresholded_relu(alpha=2)", 1, weight, 0, -1, 1.9f, &dead);
    cr_assert(dead);
    upper_by_hand("clip(min=-1,max=1)", 1, weight, 0, -5, -0.9f, &dead);
    cr_assert(!dead);
    upper_by_hand("clip(min=-0.5,max=1)", 1, weight, 0, -5, -0.6f, &dead);
    cr_assert(dead);
    cr_assert(upper_by_hand("leaky_relu", 1, weight, 0, -5, -1, &dead) < 0 && !dead, "it leaks");
    cr_assert(upper_by_hand("crelu", 1, weight, 0, -5, -1, &dead) < 0 && !dead, "it is active");
}

/* Nothing is rounded where there is nothing. */
Test(proof, without_weights_and_bias_a_unit_is_dead)
{
    static const float none[3] = {0};
    bool dead;
    cr_assert(upper_by_hand("relu", 3, none, 0, -1e30f, 1e30f, &dead) == 0 && dead);
}

/* A partial sum may be infinite where all of it is not. */
Test(proof, what_may_overflow_is_not_proven)
{
    static const float weights[3] = {3e38f, -3e38f, 1};
    bool dead;
    cr_assert(upper_by_hand("relu", 3, weights, -3e38f, -1, 1, &dead) == INFINITY && !dead);
}

Test(proof, without_a_range_there_is_none)
{
    static const float weights[3] = {0};
    struct by_hand hand;
    prove_by_hand(&hand, "relu", 3, weights, -1, &(struct proof_range){NULL, NULL});
    cr_assert(!hand.proof.upper);
    net_free(&hand.net);
}

/* An input without a range may be anything; what does not read it is proven all the same. */
Test(proof, other_inputs_may_be_anything)
{
    const struct proof_range ranges[2] = {{(const float[2]){0, 0}, (const float[2]){1, 1}}, {0}};
    struct net net;
    struct proof proof;
    net_init(&net, 3);
    net_output(&net, net_dense(&net, net_input(&net, 2), 4, "relu"));
    net_output(&net, net_dense(&net, net_input(&net, 2), 4, "relu"));
    net_plan(&net);
    cr_assert(proof_open(&proof, &net.arena, &net.plan, ranges, NULL) == STATUS_OK);
    for (size_t unit = 0; unit < 4; unit++)
        cr_assert(proof.upper[0][unit] < 3 && proof.upper[1][unit] == INFINITY);
    net_free(&net);
}

/* Each allocation in turn finds the arena full. */
Test(proof, without_memory_is_an_error)
{
    size_t failures = 0;
    for (enum status status = STATUS_IO; status != STATUS_OK; failures++) {
        const struct proof_range range = {(const float[6]){0}, (const float[6]){0}};
        struct net net;
        struct proof proof;
        struct error error;
        net_init(&net, 1);
        net_chain(&net, 3, (const size_t[]){6, 9, 20}, (const char *const[]){"tanh", "relu"});
        net.arena.limit_bytes = net.arena.used_bytes + failures * ARENA_ALIGNMENT;
        status = proof_open(&proof, &net.arena, &net.plan, &range, &error);
        cr_assert(status == STATUS_OK || (status == STATUS_OUT_OF_MEMORY && !proof.upper));
        net_free(&net);
    }
    cr_assert(failures > 2);
}
