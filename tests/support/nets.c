#include "nets.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "panel.h"

void net_init(struct net *net, uint64_t seed)
{
    *net = (struct net){.random = {seed}};
    arena_init(&net->arena, SIZE_MAX / 2);
    cr_assert(graph_init(&net->graph, &net->arena, NET_NODES_MAX, 0, NULL) == STATUS_OK);
}

void net_free(struct net *net)
{
    arena_free(&net->arena);
}

struct activation net_parse(const char *text)
{
    struct activation activation;
    struct error error;
    cr_assert(activation_parse(&activation, text, &error) == STATUS_OK, "%s", error.message);
    return activation;
}

uint32_t net_input(struct net *net, size_t features)
{
    uint32_t value;
    const struct shape shape = shape_flat(features);
    cr_assert(graph_add_input(&net->graph, "x", &shape, &value, NULL) == STATUS_OK);
    return value;
}

static uint32_t add_node(struct net *net, struct node node, uint32_t input)
{
    uint32_t value;
    struct error error;
    const struct shape shape = shape_flat(node.n);
    node.input_count = 1;
    cr_assert(graph_add_node(&net->graph, node, &input, &shape, LAYOUT_PLAIN, &value, &error) ==
                  STATUS_OK,
              "%s", error.message);
    return value;
}

static float *random_weights(struct net *net, size_t count, float scale)
{
    float *weights = arena_alloc(&net->arena, count, sizeof *weights);
    random_floats(&net->random, RANDOM_PLAIN, weights, count);
    for (size_t i = 0; i < count; i++)
        weights[i] *= scale;
    return weights;
}

uint32_t net_dense(struct net *net, uint32_t input, size_t n, const char *activation)
{
    const size_t k = net->graph.values[input].features;
    const float *weights = random_weights(net, k * n, sqrtf(3.0f / (float)k));
    const float *bias = random_weights(net, n, 0.3f);
    float *panels = arena_alloc(&net->arena, k * panel_padded(n), sizeof *panels);
    float *padded_bias = arena_alloc(&net->arena, panel_padded(n), sizeof *padded_bias);
    panel_put(panels, k, n,
              &(struct panel_block){
                  .rows = k, .columns = n, .from = weights, .row_stride = n, .column_stride = 1});
    memcpy(padded_bias, bias, n * sizeof *bias);
    return add_node(net,
                    (struct node){.op = OP_dense,
                                  .name = "dense",
                                  .k = k,
                                  .n = n,
                                  .groups = 1,
                                  .activation = net_parse(activation),
                                  .panels = panels,
                                  .bias = padded_bias},
                    input);
}

static uint32_t add_same_size(struct net *net, enum op op, uint32_t input, const char *activation)
{
    const size_t n = net->graph.values[input].features;
    return add_node(net,
                    (struct node){.op = op,
                                  .name = op_kind(op),
                                  .k = n,
                                  .n = n,
                                  .groups = 1,
                                  .activation = net_parse(activation)},
                    input);
}

uint32_t net_activation(struct net *net, uint32_t input, const char *activation)
{
    return add_same_size(net, OP_activation, input, activation);
}

uint32_t net_softmax(struct net *net, uint32_t input)
{
    return add_same_size(net, OP_softmax, input, "softmax");
}

void net_output(struct net *net, uint32_t value)
{
    cr_assert(graph_add_output(&net->graph, value, NULL) == STATUS_OK);
}

void net_plan(struct net *net)
{
    cr_assert(plan_init(&net->plan, &net->graph, NULL) == STATUS_OK);
}

void net_chain(struct net *net, size_t count, const size_t *features,
               const char *const *activations)
{
    uint32_t value = net_input(net, features[0]);
    for (size_t i = 1; i < count; i++)
        value = net_dense(net, value, features[i], activations[i - 1]);
    net_output(net, value);
    net_plan(net);
}

void net_session(struct session *session, const struct net *net, const struct kernels *kernels,
                 enum stats_level level, size_t capacity)
{
    struct error error;
    cr_assert(session_open(session, &net->plan, kernels, level, capacity, &error) == STATUS_OK,
              "%s", error.message);
}

void session_run_rows(struct session *session, const float *x, size_t rows)
{
    session_bind(session, 0, x);
    session_begin(session, rows);
    cr_assert(session_advance(session, UINT64_MAX));
}

const float *session_row(const struct session *session, size_t i, size_t row)
{
    const struct graph *graph = session->plan->graph;
    const uint32_t value = graph->outputs[i];
    for (size_t in = 0; in < graph->input_count; in++)
        if (graph->inputs[in] == value)
            return session->inputs[in] + row * graph->values[value].features;
    return session->memory + session->plan->offsets[value] * session->capacity +
           row * value_row(&graph->values[value]);
}

float *random_rows(struct randoms *random, enum random_kind kind, size_t rows, size_t features)
{
    float *x = malloc(rows * features * sizeof *x);
    random_floats(random, kind, x, rows * features);
    return x;
}
