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
    graph->name_slots = 2 * node_capacity + 1;
    graph->names = arena_alloc(arena, graph->name_slots, sizeof *graph->names);
    return graph->nodes && graph->values && graph->names ? STATUS_OK : no_memory(error);
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

/* The slot of name: where it is, or where it would be (FNV-1a, linear probing). */
static struct graph_name *name_slot(const struct graph *graph, const char *name)
{
    uint64_t hash = 14695981039346656037u;
    for (const char *c = name; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    size_t i = hash % graph->name_slots;
    while (graph->names[i].name && strcmp(graph->names[i].name, name) != 0)
        i = (i + 1) % graph->name_slots;
    return &graph->names[i];
}

/* name, or name_2, name_3, … when it is taken; NULL without memory. */
static const char *unique_name(struct graph *graph, const char *name)
{
    size_t length = strlen(name);
    char *text = arena_alloc(graph->arena, length + 24, 1);
    if (!text)
        return NULL;
    memcpy(text, name, length);
    struct graph_name *wanted = name_slot(graph, name), *slot = wanted;
    while (slot->name) {
        sprintf(text + length, "_%zu", ++wanted->next);
        slot = name_slot(graph, text);
    }
    *slot = (struct graph_name){text, 1};
    return text;
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
