#include "plan.h"

#include <string.h>

#include "ops.h"

/* A value's time: made by one node, read for the last time by another. */
struct lifetime {
    size_t first, last;
};

static void find_lifetimes(const struct graph *graph, struct lifetime *lifetimes)
{
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct node *node = &graph->nodes[i];
        lifetimes[node->output] = (struct lifetime){i, i};
        for (size_t j = 0; j < node->input_count; j++)
            lifetimes[graph->values[node->inputs[j]].storage].last = i;
    }
    for (size_t i = 0; i < graph->output_count; i++)
        lifetimes[graph->values[graph->outputs[i]].storage].last = graph->node_count;
}

static bool overlap(size_t a, size_t a_size, size_t b, size_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

/* Whether a value has memory of its own in the plan. */
static bool is_placed(const struct graph *graph, size_t value)
{
    const struct value *v = &graph->values[value];
    return v->producer != GRAPH_NODE_NONE && v->storage == value;
}

/* The end of a placed value that is alive together with value and lies in the way at offset; 0 for
 * none. */
static size_t obstacle(const struct plan *plan, const struct lifetime *lifetimes, size_t value,
                       size_t offset, size_t size)
{
    for (size_t other = 0; other < value; other++) {
        size_t other_size = value_row(&plan->graph->values[other]);
        if (is_placed(plan->graph, other) && lifetimes[other].last >= lifetimes[value].first &&
            overlap(offset, size, plan->offsets[other], other_size))
            return plan->offsets[other] + other_size;
    }
    return 0;
}

/* Every value gets the lowest offset at which it fits beside all that live at the same time. */
static void place_values(struct plan *plan, const struct lifetime *lifetimes)
{
    for (size_t value = 0; value < plan->graph->value_count; value++) {
        if (!is_placed(plan->graph, value))
            continue;
        size_t size = value_row(&plan->graph->values[value]), offset = 0, end;
        while ((end = obstacle(plan, lifetimes, value, offset, size)) > 0)
            offset = end;
        plan->offsets[value] = offset;
        if (offset + size > plan->floats_per_row)
            plan->floats_per_row = offset + size;
    }
}

static void add_layer(struct plan *plan, size_t index)
{
    const struct node *node = &plan->graph->nodes[index];
    size_t stride = (node->n + 63) / 64 * 8;
    plan->node_layer[index] = (int)plan->layer_count;
    plan->layers[plan->layer_count++] =
        (struct layer){.name = node->name,
                       .node = node,
                       .units = node->n,
                       .positions = plan->graph->values[node->output].positions,
                       .bits_offset = plan->bits_per_row,
                       .bits_stride = stride};
    plan->bits_per_row += stride;
}

static void find_layers(struct plan *plan)
{
    for (size_t i = 0; i < plan->graph->node_count; i++) {
        const struct node *node = &plan->graph->nodes[i];
        size_t scratch = op_scratch(plan->graph, node);
        plan->macs_per_row += node_macs(plan->graph, node);
        if (scratch > plan->scratch)
            plan->scratch = scratch;
        if (node->input_count > plan->widest)
            plan->widest = node->input_count;
        plan->node_layer[i] = PLAN_LAYER_NONE;
        if (activation_counted(&node->activation))
            add_layer(plan, i);
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
