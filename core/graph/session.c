#include "session.h"

#include <assert.h>
#include <string.h>

#include "cpu.h"
#include "panel.h"

/* Multiply-adds between two looks at the clock: about 10 us of work. */
enum { CLOCK_INTERVAL_MACS = 1 << 19 };

static bool allocate(struct session *session)
{
    const struct plan *plan = session->plan;
    struct arena *arena = &session->arena;
    size_t floats, bits;
    if (__builtin_mul_overflow(session->capacity, plan->floats_per_row, &floats) ||
        __builtin_mul_overflow(session->capacity, plan->bits_per_row, &bits))
        return false;
    session->memory = arena_alloc(arena, floats, sizeof(float));
    session->bits = arena_alloc(arena, bits, 1);
    session->fired = arena_alloc(arena, session->capacity * plan->layer_count, sizeof(uint32_t));
    session->run.inputs = arena_alloc(arena, plan->widest, sizeof *session->run.inputs);
    session->run.index = arena_alloc(arena, plan->scratch, sizeof(uint32_t));
    session->run.scratch = arena_alloc(arena, plan->scratch, sizeof(float));
    return session->memory && session->bits && session->fired && session->run.inputs &&
           session->run.index && session->run.scratch;
}

enum status session_open(struct session *session, const struct plan *plan,
                         const struct kernels *kernels, enum stats_level level, size_t capacity,
                         struct error *error)
{
    *session = (struct session){.plan = plan, .kernels = kernels, .capacity = capacity};
    arena_init(&session->arena, SIZE_MAX);
    enum status status = STATUS_OK;
    if (!allocate(session))
        status =
            error_set(error, STATUS_OUT_OF_MEMORY, "no memory for a session of %zu rows", capacity);
    if (status == STATUS_OK)
        status = tallies_init(&session->tallies, &session->arena, plan, level, error);
    if (status != STATUS_OK)
        session_close(session);
    return status;
}

void session_close(struct session *session)
{
    arena_free(&session->arena);
}

void session_bind(struct session *session, size_t i, const float *x)
{
    assert(i < session->plan->graph->input_count);
    session->inputs[i] = x;
}

static float *value_memory(const struct session *session, uint32_t value)
{
    return session->memory + session->plan->offsets[value] * session->capacity;
}

/* Where value's rows are: with the caller for an input of the graph, in the model for a constant.
 */
static struct op_input value_rows(const struct session *session, uint32_t index)
{
    const struct graph *graph = session->plan->graph;
    const struct value *value = &graph->values[index];
    struct op_input input = {.value = value, .data = value->constant};
    if (value->constant)
        return input;
    for (size_t i = 0; i < graph->input_count; i++) {
        if (graph->inputs[i] == value->storage) {
            input.data = session->inputs[i];
            input.row = value->features;
            return input;
        }
    }
    input.data = value_memory(session, value->storage);
    input.row = value_row(&graph->values[value->storage]);
    return input;
}

/* What the node counts, emptied where several positions of a row add to it. */
static struct activity open_activity(const struct session *session, size_t index)
{
    const struct layer *layer = &session->plan->layers[index];
    struct activity activity = {.bits = session->bits + layer->bits_offset * session->capacity,
                                .bits_stride = layer->bits_stride,
                                .tally = session->tallies ? &session->tallies[index] : NULL};
    if (layer->positions > 1) {
        activity.fired = session->fired + index * session->capacity;
        memset(activity.bits, 0, session->rows * activity.bits_stride);
        memset(activity.fired, 0, session->rows * sizeof *activity.fired);
    }
    return activity;
}

/* Prepares the node whose turn it is; nothing when there is none left. */
static void enter_node(struct session *session)
{
    const struct plan *plan = session->plan;
    session->tile = 0;
    if (session->node == plan->graph->node_count)
        return;
    const struct node *node = &plan->graph->nodes[session->node];
    const int index = plan->node_layer[session->node];
    struct op_run *run = &session->run;
    run->kernels = session->kernels;
    run->node = node;
    run->skip = session->skip;
    run->rows = session->rows;
    run->output = &plan->graph->values[node->output];
    run->y = value_memory(session, node->output);
    run->activity = (struct activity){.bits = NULL};
    for (size_t i = 0; i < node->input_count; i++)
        run->inputs[i] = value_rows(session, node->inputs[i]);
    if (index != PLAN_LAYER_NONE)
        run->activity = open_activity(session, (size_t)index);
    session->tiles = op_info(node->op)->tiles(plan->graph, node, session->rows);
}

void session_begin(struct session *session, size_t rows)
{
    assert(rows >= 1 && rows <= session->capacity);
    session->rows = rows;
    session->node = 0;
    enter_node(session);
}

static bool finished(const struct session *session)
{
    return session->node == session->plan->graph->node_count;
}

/* Runs one tile; returns the multiply-adds it took. */
static size_t run_tile(struct session *session)
{
    const struct node *node = session->run.node;
    size_t macs = node_macs(session->plan->graph, node) * session->rows / session->tiles;
    op_info(node->op)->run(&session->run, session->tile);
    if (++session->tile == session->tiles) {
        session->node++;
        enter_node(session);
    }
    return macs;
}

bool session_advance(struct session *session, uint64_t deadline_ns)
{
    size_t macs = 0;
    while (!finished(session)) {
        macs += run_tile(session);
        if (macs < CLOCK_INTERVAL_MACS)
            continue;
        macs = 0;
        if (deadline_ns != UINT64_MAX && cpu_clock_ns() >= deadline_ns)
            break;
    }
    return finished(session);
}

void session_output(const struct session *session, size_t i, size_t row, float *to)
{
    const struct op_input output = value_rows(session, session->plan->graph->outputs[i]);
    const struct value *value = output.value;
    const float *from = output.data + row * output.row;
    for (size_t p = 0; p < value->positions; p++)
        memcpy(to + p * value->channels, from + p * value->stride, value->channels * sizeof *to);
}

const uint64_t *session_bits(const struct session *session, size_t layer, size_t row)
{
    const struct layer *l = &session->plan->layers[layer];
    const uint8_t *bits = session->bits + l->bits_offset * session->capacity;
    return (const uint64_t *)(const void *)(bits + row * l->bits_stride);
}

size_t session_active(const struct session *session, size_t layer, size_t row)
{
    const uint64_t *bits = session_bits(session, layer, row);
    size_t units = session->plan->layers[layer].units;
    size_t active = 0;
    for (size_t word = 0; word < units / 64; word++)
        active += (size_t)__builtin_popcountll(bits[word]);
    if (units % 64)
        active +=
            (size_t)__builtin_popcountll(bits[units / 64] & (UINT64_MAX >> (64 - units % 64)));
    return active;
}

size_t session_fired(const struct session *session, size_t layer, size_t row)
{
    if (session->plan->layers[layer].positions == 1)
        return session_active(session, layer, row);
    return session->fired[layer * session->capacity + row];
}
