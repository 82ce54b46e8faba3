/* Where values lie: those alive at the same time never share memory. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "nets.h"
#include "panel.h"

/* The node that reads value last (node_count for an output), its producer when none does. */
static size_t last_use(const struct graph *graph, size_t value)
{
    size_t last = (size_t)graph->values[value].producer;
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i].inputs[0] == value)
            last = i;
    for (size_t i = 0; i < graph->output_count; i++)
        if (graph->outputs[i] == value)
            last = graph->node_count;
    return last;
}

static bool made(const struct graph *graph, size_t value)
{
    return graph->values[value].producer != GRAPH_NODE_NONE;
}

static bool alive_together(const struct graph *graph, size_t a, size_t b)
{
    return (size_t)graph->values[a].producer <= last_use(graph, b) &&
           (size_t)graph->values[b].producer <= last_use(graph, a);
}

static bool share_memory(const struct plan *plan, size_t a, size_t b)
{
    const struct graph *graph = plan->graph;
    return plan->offsets[a] < plan->offsets[b] + panel_padded(graph->values[b].features) &&
           plan->offsets[b] < plan->offsets[a] + panel_padded(graph->values[a].features);
}

static void check_plan(const struct plan *plan)
{
    const struct graph *graph = plan->graph;
    for (size_t a = 0; a < graph->value_count; a++) {
        if (!made(graph, a))
            continue;
        cr_assert(plan->offsets[a] + panel_padded(graph->values[a].features) <=
                      plan->floats_per_row,
                  "value %zu ends beyond the memory", a);
        cr_assert(plan->offsets[a] % PANEL_UNIT == 0);
        for (size_t b = a + 1; b < graph->value_count; b++)
            if (made(graph, b) && alive_together(graph, a, b) && share_memory(plan, a, b))
                cr_assert_fail("values %zu and %zu are alive together and share memory", a, b);
    }
}

/* A net in which every node reads a random value: depth = 1 a chain, larger a tree. */
static void random_net(struct net *net, uint64_t seed, size_t depth)
{
    net_init(net, seed);
    net_input(net, random_between(&net->random, 1, 100));
    const size_t nodes = random_between(&net->random, 1, NET_NODES_MAX - 1);
    for (size_t i = 0; i < nodes; i++) {
        const size_t count = net->graph.value_count;
        const size_t back = random_between(&net->random, 1, count < depth ? count : depth);
        if (random_between(&net->random, 0, 3))
            net_dense(net, (uint32_t)(count - back), random_between(&net->random, 1, 100), "relu");
        else
            net_activation(net, (uint32_t)(count - back), "tanh");
    }
    for (size_t i = 0; i < 3; i++)
        net_output(net, (uint32_t)random_between(&net->random, 0, net->graph.value_count - 1));
    net_plan(net);
}

Test(plan, values_alive_together_never_overlap)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct net net;
        random_net(&net, seed, 1 + seed % 12);
        check_plan(&net.plan);
        net_free(&net);
    }
}

/* A chain needs two buffers, however long it is. */
Test(plan, memory_is_used_again)
{
    struct net net;
    net_init(&net, 1);
    uint32_t value = net_input(&net, 64);
    for (size_t i = 0; i < 20; i++)
        value = net_dense(&net, value, 64, "relu");
    net_output(&net, value);
    net_plan(&net);
    check_plan(&net.plan);
    cr_assert(net.plan.floats_per_row == 2 * 64, "%zu floats", net.plan.floats_per_row);
    net_free(&net);
}

Test(plan, layers_are_the_counted_nodes)
{
    struct net net;
    net_init(&net, 2);
    const uint32_t x = net_input(&net, 30);
    const uint32_t fc = net_dense(&net, x, 70, "relu");
    const uint32_t scores = net_dense(&net, fc, 10, "identity");
    const uint32_t tanh = net_activation(&net, scores, "tanh");
    net_output(&net, net_softmax(&net, tanh));
    net_plan(&net);
    const struct plan *plan = &net.plan;
    cr_assert(plan->layer_count == 2);
    cr_assert(plan->node_layer[0] == 0 && plan->node_layer[1] == PLAN_LAYER_NONE &&
              plan->node_layer[2] == 1 && plan->node_layer[3] == PLAN_LAYER_NONE);
    cr_assert(plan->layers[0].units == 70 && plan->layers[0].bits_stride == 16);
    cr_assert(plan->layers[1].units == 10 && plan->layers[1].bits_stride == 8);
    cr_assert(plan->layers[0].bits_offset == 0 && plan->layers[1].bits_offset == 16);
    cr_assert(plan->bits_per_row == 24);
    cr_assert(plan->scratch == 70 + PANEL_UNIT);
    cr_assert(plan->macs_per_row == 30 * 70 + 70 * 10 + 10 + 10);
    cr_assert(plan_find_layer(plan, "activation") == 1);
    cr_assert(plan_find_layer(plan, "dense") == 0);
    cr_assert(plan_find_layer(plan, "dense_2") == PLAN_LAYER_NONE, "an identity is not counted");
    cr_assert(plan_find_layer(plan, "") == PLAN_LAYER_NONE);
    net_free(&net);
}

Test(plan, without_memory_is_an_error)
{
    struct net net;
    struct plan plan;
    struct error error;
    net_init(&net, 3);
    net_output(&net, net_dense(&net, net_input(&net, 30), 70, "relu"));
    net.arena.limit_bytes = net.arena.used_bytes;
    cr_assert(plan_init(&plan, &net.graph, &error) == STATUS_OUT_OF_MEMORY);
    net_free(&net);
}
