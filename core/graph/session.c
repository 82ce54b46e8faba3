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
    size_t scratch = plan->widest_input + PANEL_UNIT;
    session->memory = arena_alloc(arena, floats, sizeof(float));
    session->bits = arena_alloc(arena, bits, 1);
    session->run.index = arena_alloc(arena, scratch, sizeof(uint32_t));
    session->run.value = arena_alloc(arena, scratch, sizeof(float));
    return session->memory && session->bits && session->run.index && session->run.value;
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

void session_bind(struct session *session, size_t i, const float *x, size_t stride)
{
    assert(i < session->plan->graph->input_count);
    session->inputs[i].x = x;
    session->inputs[i].stride = stride;
}

static float *value_memory(const struct session *session, uint32_t value)
{
    return session->memory + session->plan->offsets[value] * session->capacity;
}

/* Where value's rows begin, and their stride: an input of the graph lies with the caller. */
static const float *value_rows(const struct session *session, uint32_t value, size_t *stride)
{
    const struct graph *graph = session->plan->graph;
    for (size_t i = 0; i < graph->input_count; i++) {
        if (graph->inputs[i] == value) {
            *stride = session->inputs[i].stride;
            return session->inputs[i].x;
        }
    }
    *stride = panel_padded(graph->values[value].features);
    return value_memory(session, value);
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
    run->rows = session->rows;
    run->y = value_memory(session, node->output);
    run->y_stride = panel_padded(node->n);
    run->bits = NULL;
    run->tally = NULL;
    run->x = value_rows(session, node->input, &run->x_stride);
    if (index != PLAN_LAYER_NONE) {
        const struct layer *layer = &plan->layers[index];
        run->bits = session->bits + layer->bits_offset * session->capacity;
        run->bits_stride = layer->bits_stride;
        run->tally = session->tallies ? &session->tallies[index] : NULL;
    }
    session->tiles = op_info(node->op)->tiles(node, session->rows);
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
    size_t macs = node_macs(node) * session->rows / session->tiles;
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

const float *session_output(const struct session *session, size_t i, size_t *stride)
{
    return value_rows(session, session->plan->graph->outputs[i], stride);
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
