#include "graph.h"

#include <stdio.h>
#include <string.h>

const char *op_kind(enum op op)
{
    static const char *const kinds[] = {
#define OP(name, kind) kind,
#include "ops.def"
#undef OP
    };
    return kinds[op];
}

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the graph");
}

enum status graph_init(struct graph *graph, struct arena *arena, size_t node_capacity,
                       struct error *error)
{
    *graph = (struct graph){.arena = arena, .node_capacity = node_capacity};
    graph->value_capacity = node_capacity + GRAPH_IO_MAX;
    graph->nodes = arena_alloc(arena, graph->node_capacity, sizeof *graph->nodes);
    graph->values = arena_alloc(arena, graph->value_capacity, sizeof *graph->values);
    return graph->nodes && graph->values ? STATUS_OK : no_memory(error);
}

static uint32_t add_value(struct graph *graph, const char *name, size_t features, int producer)
{
    graph->values[graph->value_count] =
        (struct value){.name = name, .features = features, .producer = producer};
    return (uint32_t)graph->value_count++;
}

enum status graph_add_input(struct graph *graph, const char *name, size_t features, uint32_t *value,
                            struct error *error)
{
    if (graph->input_count == GRAPH_IO_MAX)
        return error_set(error, STATUS_TOO_LARGE, "expected at most %d inputs", GRAPH_IO_MAX);
    *value = add_value(graph, name, features, GRAPH_NODE_NONE);
    graph->inputs[graph->input_count++] = *value;
    return STATUS_OK;
}

static size_t name_uses(const struct graph *graph, const char *name)
{
    size_t uses = 0;
    for (size_t i = 0; i < graph->node_count; i++)
        uses += strcmp(graph->nodes[i].name, name) == 0;
    return uses;
}

/* name, or name_2, name_3, … when it is taken. */
static const char *unique_name(struct graph *graph, const char *name)
{
    char text[512];
    int length = snprintf(text, sizeof text, "%s", name);
    for (size_t i = 2; name_uses(graph, text) > 0; i++)
        length = snprintf(text, sizeof text, "%.480s_%zu", name, i);
    return length < (int)sizeof text ? arena_text(graph->arena, text, (size_t)length) : name;
}

enum status graph_add_node(struct graph *graph, struct node node, uint32_t *value,
                           struct error *error)
{
    if (graph->node_count == graph->node_capacity)
        return error_set(error, STATUS_TOO_LARGE, "expected at most %zu nodes",
                         graph->node_capacity);
    node.name = unique_name(graph, node.name);
    if (!node.name)
        return no_memory(error);
    node.output = add_value(graph, node.name, node.n, (int)graph->node_count);
    graph->nodes[graph->node_count++] = node;
    *value = node.output;
    return STATUS_OK;
}

enum status graph_add_output(struct graph *graph, uint32_t value, struct error *error)
{
    if (graph->output_count == GRAPH_IO_MAX)
        return error_set(error, STATUS_TOO_LARGE, "expected at most %d outputs", GRAPH_IO_MAX);
    graph->outputs[graph->output_count++] = value;
    return STATUS_OK;
}

size_t node_macs(const struct node *node)
{
    return node->op == OP_dense ? node->k * node->n : node->n;
}

size_t node_parameters(const struct node *node)
{
    size_t weights = node->op == OP_dense ? (node->k + 1) * node->n : 0;
    return weights + (node->activation.slope ? node->n : 0);
}
