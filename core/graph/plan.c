#include "plan.h"

#include <string.h>

#include "panel.h"

/* A value's time: made by one node, read for the last time by another. */
struct lifetime {
    size_t first, last;
};

static void find_lifetimes(const struct graph *graph, struct lifetime *lifetimes)
{
    for (size_t i = 0; i < graph->node_count; i++) {
        lifetimes[graph->nodes[i].output] = (struct lifetime){i, i};
        lifetimes[graph->nodes[i].input].last = i;
    }
    for (size_t i = 0; i < graph->output_count; i++)
        lifetimes[graph->outputs[i]].last = graph->node_count;
}

static bool overlap(size_t a, size_t a_size, size_t b, size_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

/* The lowest offset at which value fits beside every placed value that lives at the same time. */
static size_t place(const struct plan *plan, const struct lifetime *lifetimes, size_t value)
{
    const struct graph *graph = plan->graph;
    size_t size = panel_padded(graph->values[value].features);
    size_t offset = 0;
    for (size_t other = 0; other < value; other++) {
        if (graph->values[other].producer == GRAPH_NODE_NONE ||
            lifetimes[other].last < lifetimes[value].first)
            continue;
        size_t other_size = panel_padded(graph->values[other].features);
        if (overlap(offset, size, plan->offsets[other], other_size)) {
            offset = plan->offsets[other] + other_size;
            other = (size_t)-1; /* look again from the first */
        }
    }
    return offset;
}

static void place_values(struct plan *plan, const struct lifetime *lifetimes)
{
    const struct graph *graph = plan->graph;
    for (size_t value = 0; value < graph->value_count; value++) {
        if (graph->values[value].producer == GRAPH_NODE_NONE)
            continue;
        plan->offsets[value] = place(plan, lifetimes, value);
        size_t end = plan->offsets[value] + panel_padded(graph->values[value].features);
        if (end > plan->floats_per_row)
            plan->floats_per_row = end;
    }
}

static void find_layers(struct plan *plan)
{
    for (size_t i = 0; i < plan->graph->node_count; i++) {
        const struct node *node = &plan->graph->nodes[i];
        plan->macs_per_row += node_macs(node);
        if (node->op == OP_dense && node->k > plan->widest_input)
            plan->widest_input = node->k;
        plan->node_layer[i] = PLAN_LAYER_NONE;
        if (node->op == OP_softmax || !activation_counted(&node->activation))
            continue;
        size_t stride = (node->n + 63) / 64 * 8;
        plan->node_layer[i] = (int)plan->layer_count;
        plan->layers[plan->layer_count++] = (struct layer){.name = node->name,
                                                           .node = node,
                                                           .units = node->n,
                                                           .bits_offset = plan->bits_per_row,
                                                           .bits_stride = stride};
        plan->bits_per_row += stride;
    }
}

enum status plan_init(struct plan *plan, const struct graph *graph, struct error *error)
{
    struct arena *arena = graph->arena;
    *plan = (struct plan){.graph = graph};
    plan->offsets = arena_alloc(arena, graph->value_count, sizeof *plan->offsets);
    plan->layers = arena_alloc(arena, graph->node_count, sizeof *plan->layers);
    plan->node_layer = arena_alloc(arena, graph->node_count, sizeof *plan->node_layer);
    struct lifetime *lifetimes = arena_alloc(arena, graph->value_count, sizeof *lifetimes);
    if (!plan->offsets || !plan->layers || !plan->node_layer || !lifetimes)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the plan");
    find_lifetimes(graph, lifetimes);
    place_values(plan, lifetimes);
    find_layers(plan);
    return STATUS_OK;
}

int plan_find_layer(const struct plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->layer_count; i++)
        if (strcmp(plan->layers[i].name, name) == 0)
            return (int)i;
    return PLAN_LAYER_NONE;
}
