#include "proof.h"

#include "rules.h"

/* Inputs and constants with more elements are known by channel only. */
enum { PROOF_ELEMENTS_MAX = 1 << 20 };

struct prover {
    const struct plan *plan;
    const struct graph *graph;
    const struct proof_range *ranges;
    struct arena arena;          /* owned: everything below */
    struct bounds *bounds;       /* by value */
    struct interval *scratch[2]; /* as rules take it */
};

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for proofs");
}

/* The longest dimension of any value. */
static size_t longest(const struct graph *graph)
{
    size_t most = 1;
    for (size_t i = 0; i < graph->value_count; i++) {
        const struct value *value = &graph->values[i];
        for (size_t j = 0; j < value->shape.rank; j++)
            most = value->shape.dims[j] > most ? value->shape.dims[j] : most;
    }
    return most;
}

static bool make_bounds(struct prover *prover, struct bounds *bounds, size_t count)
{
    bounds->count = count;
    bounds->at = arena_alloc(&prover->arena, count, sizeof *bounds->at);
    return bounds->at;
}

/* Bounds of an input or a constant, from what its elements are at least and at most. */
static bool bound_elements(struct prover *prover, size_t value, const float *low, const float *high)
{
    const struct value *v = &prover->graph->values[value];
    struct bounds *bounds = &prover->bounds[value];
    if (!make_bounds(prover, bounds, v->features <= PROOF_ELEMENTS_MAX ? v->features : v->channels))
        return false;
    for (size_t i = 0; i < bounds->count; i++)
        bounds->at[i] = low ? (struct interval){INFINITY, -INFINITY} : interval_all;
    for (size_t m = 0; low && m < v->features; m++) {
        struct interval *at = &bounds->at[m % bounds->count];
        *at = interval_join(*at, interval_of((double)low[m], (double)high[m]));
    }
    return true;
}

static bool bound_inputs(struct prover *prover)
{
    const struct graph *graph = prover->graph;
    for (size_t i = 0; i < graph->input_count; i++) {
        const struct proof_range *range = &prover->ranges[i];
        if (!bound_elements(prover, graph->inputs[i], range->min, range->max))
            return false;
    }
    return true;
}

/* What a value that shows another's memory, or a constant, lies in is found when it is read. */
static bool find_bounds(struct prover *prover, uint32_t value)
{
    const struct value *v = &prover->graph->values[value];
    struct bounds *bounds = &prover->bounds[value];
    if (bounds->at)
        return true;
    if (v->constant)
        return bound_elements(prover, value, v->constant, v->constant);
    *bounds = prover->bounds[v->storage];
    return true;
}

/* The unit's last sum is its pre-activation. */
static void activate(const struct node *node, struct interval *y, size_t count)
{
    for (size_t unit = 0; unit < count; unit++)
        y[unit] = interval_activate(&node->activation, unit, y[unit]);
}

static bool keep_upper(struct proof *proof, struct arena *arena, size_t layer, size_t units,
                       const struct interval *z)
{
    double *upper = proof->upper[layer] = arena_alloc(arena, units, sizeof *upper);
    for (size_t unit = 0; upper && unit < units; unit++)
        upper[unit] = z[unit].high;
    return upper;
}

static bool bound_node(struct prover *prover, struct proof *proof, struct arena *arena,
                       size_t index)
{
    const struct graph *graph = prover->graph;
    const struct node *node = &graph->nodes[index];
    const struct value *output = &graph->values[node->output];
    const int layer = prover->plan->node_layer[index];
    struct bounds *bounds = &prover->bounds[node->output];
    for (size_t i = 0; i < node->input_count; i++)
        if (!find_bounds(prover, node->inputs[i]))
            return false;
    if (!make_bounds(prover, bounds, output->channels))
        return false;
    const struct rule_case c = {
        graph, node, output, prover->bounds, {prover->scratch[0], prover->scratch[1]}};
    rule_apply(&c, bounds->at);
    if (layer != PLAN_LAYER_NONE && !keep_upper(proof, arena, (size_t)layer, node->n, bounds->at))
        return false;
    if (op_has_units(node->op))
        activate(node, bounds->at, output->channels);
    return true;
}

static bool prove(struct prover *prover, struct proof *proof, struct arena *arena)
{
    const struct graph *graph = prover->graph;
    const size_t most = longest(graph);
    prover->bounds = arena_alloc(&prover->arena, graph->value_count, sizeof *prover->bounds);
    for (size_t i = 0; i < 2; i++)
        prover->scratch[i] = arena_alloc(&prover->arena, most, sizeof *prover->scratch[i]);
    proof->upper = arena_alloc(arena, prover->plan->layer_count, sizeof *proof->upper);
    bool complete = prover->bounds && prover->scratch[0] && prover->scratch[1] && proof->upper &&
                    bound_inputs(prover);
    for (size_t i = 0; complete && i < graph->node_count; i++)
        complete = bound_node(prover, proof, arena, i);
    return complete;
}

enum status proof_open(struct proof *proof, struct arena *arena, const struct plan *plan,
                       const struct proof_range *ranges, struct error *error)
{
    struct prover prover = {.plan = plan, .graph = plan->graph, .ranges = ranges};
    bool declared = false;
    *proof = (struct proof){.upper = NULL};
    for (size_t i = 0; i < plan->graph->input_count; i++)
        declared |= ranges[i].min != NULL;
    if (!declared)
        return STATUS_OK;
    arena_init(&prover.arena, arena->limit_bytes);
    const bool complete = prove(&prover, proof, arena);
    arena_free(&prover.arena);
    if (complete)
        return STATUS_OK;
    proof->upper = NULL;
    return no_memory(error);
}

bool proof_dead(const struct proof *proof, const struct plan *plan, size_t layer, size_t unit)
{
    const struct activation *activation = &plan->layers[layer].node->activation;
    return activation->type != ACTIVATION_crelu && !activation_leaks(activation, unit) &&
           proof->upper[layer][unit] <= (double)activation_threshold(activation);
}
