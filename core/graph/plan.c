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

/* Whether a value has memory of its own in the plan. */
static bool is_placed(const struct graph *graph, size_t value)
{
    const struct value *v = &graph->values[value];
    return v->producer != GRAPH_NODE_NONE && v->storage == value;
}

/* The memory of values that may still be read, in the order of their offsets. */
struct tenant {
    size_t offset, end, last;
};

struct tenants {
    struct tenant *items;
    size_t count;
    size_t soonest; /* the smallest last of all */
};

/* Lets those go that no node from now on reads. */
static void expire(struct tenants *tenants, size_t now)
{
    if (tenants->soonest >= now)
        return;
    size_t kept = 0;
    tenants->soonest = SIZE_MAX;
    for (size_t i = 0; i < tenants->count; i++) {
        struct tenant tenant = tenants->items[i];
        if (tenant.last < now)
            continue;
        tenants->items[kept++] = tenant;
        tenants->soonest = tenant.last < tenants->soonest ? tenant.last : tenants->soonest;
    }
    tenants->count = kept;
}

/* Takes the lowest offset at which size fits. */
static size_t settle(struct tenants *tenants, size_t size, size_t last)
{
    size_t at = 0, offset = 0;
    for (; at < tenants->count && tenants->items[at].offset < offset + size; at++)
        offset = tenants->items[at].end;
    struct tenant *place = &tenants->items[at];
    memmove(place + 1, place, (tenants->count++ - at) * sizeof *place);
    *place = (struct tenant){offset, offset + size, last};
    tenants->soonest = last < tenants->soonest ? last : tenants->soonest;
    return offset;
}

/* Every value gets the lowest offset at which it fits beside all that live at the same time. Values
 * are in the order in which nodes make them. */
static void place_values(struct plan *plan, const struct lifetime *lifetimes,
                         struct tenants *tenants)
{
    const struct graph *graph = plan->graph;
    for (size_t value = 0; value < graph->value_count; value++) {
        if (!is_placed(graph, value))
            continue;
        size_t size = value_row(&graph->values[value]);
        expire(tenants, lifetimes[value].first);
        plan->offsets[value] = settle(tenants, size, lifetimes[value].last);
        if (plan->offsets[value] + size > plan->floats_per_row)
            plan->floats_per_row = plan->offsets[value] + size;
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
    struct tenants tenants = {.items =
                                  arena_alloc(arena, graph->node_count, sizeof *tenants.items)};
    if (!plan->offsets || !plan->layers || !plan->node_layer || !lifetimes || !tenants.items)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the plan");
    find_lifetimes(graph, lifetimes);
    place_values(plan, lifetimes, &tenants);
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
