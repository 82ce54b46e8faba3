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
    session->runs = arena_alloc(arena, plan->graph->node_count, sizeof *session->runs);
    return session->memory && session->bits && session->fired && session->runs;
}

static float *value_memory(const struct session *session, uint32_t value)
{
    return session->memory + session->plan->offsets[value] * session->capacity;
}

/* Which input of the graph a value shows, or the number of inputs for none. */
static size_t graph_input(const struct graph *graph, const struct value *value)
{
    size_t i = 0;
    while (i < graph->input_count && graph->inputs[i] != value->storage)
        i++;
    return i;
}

/* Where value's rows are: with the caller for an input of the graph, in the model for a constant.
 */
static struct op_input value_rows(const struct session *session, uint32_t index)
{
    const struct graph *graph = session->plan->graph;
    const struct value *value = &graph->values[index];
    const size_t input = graph_input(graph, value);
    if (value->constant)
        return (struct op_input){.value = value, .data = value->constant};
    if (input < graph->input_count)
        return (struct op_input){value, session->inputs[input], value->features};
    return (struct op_input){value, value_memory(session, value->storage),
                             value_row(&graph->values[value->storage])};
}

/* What node counts. */
static struct activity open_activity(const struct session *session, size_t node)
{
    const int index = session->plan->node_layer[node];
    if (index == PLAN_LAYER_NONE)
        return (struct activity){.bits = NULL};
    const struct layer *layer = &session->plan->layers[index];
    const size_t fired = (size_t)index * session->capacity;
    return (struct activity){.bits = session->bits + layer->bits_offset * session->capacity,
                             .bits_stride = layer->bits_stride,
                             .fired = layer->positions > 1 ? session->fired + fired : NULL,
                             .tally = session->tallies ? &session->tallies[index] : NULL};
}

/* Everything about a node's runs that is the same in all of them. */
static bool open_run(struct session *session, size_t index, float *scratch)
{
    const struct graph *graph = session->plan->graph;
    const struct node *node = &graph->nodes[index];
    struct op_run *run = &session->runs[index];
    *run = (struct op_run){.kernels = session->kernels,
                           .info = op_info(node->op),
                           .node = node,
                           .macs = node_macs(graph, node),
                           .inputs =
                               arena_alloc(&session->arena, node->input_count, sizeof *run->inputs),
                           .output = &graph->values[node->output],
                           .y = value_memory(session, node->output),
                           .rule = activation_rule(&node->activation),
                           .activity = open_activity(session, index),
                           .scratch = scratch};
    for (size_t i = 0; run->inputs && i < node->input_count; i++) {
        run->inputs[i] = value_rows(session, node->inputs[i]);
        run->bound |= graph_input(graph, run->inputs[i].value) < graph->input_count;
    }
    const bool counts_later =
        node->op == OP_dense && run->activity.tally && run->output->positions == 1;
    if (counts_later)
        run->backlog =
            arena_alloc(&session->arena, OP_BACKLOG_ROWS, run->output->stride * sizeof(float));
    return run->inputs && (run->backlog || !counts_later);
}

/* How often value is asked for: by nodes, under other shapes, as an output. */
static size_t uses(const struct graph *graph, uint32_t value)
{
    size_t count = 0;
    for (size_t i = 0; i < graph->node_count; i++)
        for (size_t j = 0; j < graph->nodes[i].input_count; j++)
            count += graph->nodes[i].inputs[j] == value;
    for (size_t i = 0; i < graph->value_count; i++)
        count += i != value && graph->values[i].storage == value;
    for (size_t i = 0; i < graph->output_count; i++)
        count += graph->outputs[i] == value;
    return count;
}

/* The node that can write output i wherever it is wanted; GRAPH_NODE_NONE where none can. */
static int placing_node(const struct graph *graph, size_t i)
{
    const uint32_t index = graph->outputs[i];
    const struct value *value = &graph->values[index];
    const bool placeable = value->storage == index && value->layout == LAYOUT_PLAIN &&
                           value_row(value) == value->features && uses(graph, index) == 1;
    return placeable ? value->producer : GRAPH_NODE_NONE;
}

static bool open_runs(struct session *session)
{
    const struct plan *plan = session->plan;
    float *scratch = arena_alloc(&session->arena, plan->scratch, sizeof *scratch);
    session->help.shares.list = arena_alloc(&session->arena, 1, sizeof(struct share));
    bool opened = scratch && session->help.shares.list;
    for (size_t i = 0; opened && i < plan->graph->node_count; i++)
        opened = open_run(session, i, scratch);
    for (size_t i = 0; i < plan->graph->output_count; i++)
        session->placing[i] = placing_node(plan->graph, i);
    return opened;
}

static enum status no_memory(size_t capacity, struct error *error)
{
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory for a session of %zu rows", capacity);
}

enum status session_open(struct session *session, const struct plan *plan,
                         const struct kernels *kernels, enum stats_level level, size_t capacity,
                         struct error *error)
{
    *session = (struct session){.plan = plan, .kernels = kernels, .capacity = capacity};
    arena_init(&session->arena, SIZE_MAX);
    enum status status = STATUS_OK;
    if (!allocate(session))
        status = no_memory(capacity, error);
    if (status == STATUS_OK)
        status = tallies_init(&session->tallies, &session->arena, plan, level, error);
    if (status == STATUS_OK && !open_runs(session))
        status = no_memory(capacity, error);
    if (status != STATUS_OK)
        session_close(session);
    return status;
}

void session_close(struct session *session)
{
    arena_free(&session->arena);
}

enum status session_crew(struct session *session, struct crew *crew, struct error *error)
{
    struct help *help = &session->help;
    struct share *shares =
        arena_alloc(&session->arena, crew_helpers(crew) + 1, sizeof(struct share));
    if (!shares)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left to share out work");
    help->crew = crew;
    help->shares.list = shares;
    help->worth = HELP_MACS;
    help->scratch = session->plan->scratch;
    return crew_reserve(crew, help_bytes(session->plan), error);
}

void session_bind(struct session *session, size_t i, const float *x)
{
    assert(i < session->plan->graph->input_count);
    session->inputs[i] = x;
}

bool session_place(struct session *session, size_t i, float *y)
{
    const int node = session->placing[i];
    if (node == GRAPH_NODE_NONE)
        return false;
    session->runs[node].y = y ? y : value_memory(session, session->plan->graph->outputs[i]);
    return y != NULL;
}

/* Prepares the node whose turn it is; nothing when there is none left. */
static void enter_node(struct session *session)
{
    const struct graph *graph = session->plan->graph;
    if (session->node == graph->node_count)
        return;
    struct op_run *run = &session->runs[session->node];
    const struct activity *activity = &run->activity;
    run->later = run->backlog && session->rows == 1
                     ? run->backlog + session->backlog * run->output->stride
                     : NULL;
    run->overdue = run->backlog && session->overdue;
    run->skip = session->skip;
    run->rows = session->rows;
    run->backward = session->backward;
    run->held = OP_NOTHING;
    for (size_t i = 0; run->bound && i < run->node->input_count; i++)
        run->inputs[i] = value_rows(session, run->node->inputs[i]);
    if (activity->fired) { /* several positions of a row add to these */
        memset(activity->bits, 0, session->rows * activity->bits_stride);
        memset(activity->fired, 0, session->rows * sizeof *activity->fired);
    }
    session->tiles = run->info->tiles(graph, run->node, session->rows);
    if (session->help.pays)
        help_cut(&session->help, run, session->tiles);
    else
        shares_keep(&session->help.shares, session->tiles);
}

/* Rows are counted in the order in which they were run, so that sums are always rounded alike. */
static void count_backlog(struct session *session)
{
    const size_t rows = session->backlog;
    session->backlog = 0;
    for (size_t i = 0; rows > 0 && i < session->plan->graph->node_count; i++) {
        const struct op_run *run = &session->runs[i];
        for (size_t panel = 0; run->backlog && panel < panel_count(run->node->n); panel++)
            op_count_backlog(run, panel, rows);
    }
}

struct tally *session_tallies(struct session *session)
{
    count_backlog(session);
    return session->tallies;
}

void session_forget(struct session *session)
{
    session->backlog = 0;
    tallies_reset(session->tallies, session->plan);
}

void session_begin(struct session *session, size_t rows)
{
    assert(rows >= 1 && rows <= session->capacity);
    session->overdue = rows == 1 && session->backlog == OP_BACKLOG_ROWS;
    if (session->overdue)
        session->backlog = 0;
    else if (rows > 1)
        count_backlog(session);
    session->rows = rows;
    session->node = 0;
    help_prepare(&session->help, session->plan->macs_per_row * rows);
    /* To and fro: weights that were used last are met first, while the cache holds them. Helpers
     * keep their panels. */
    session->backward = !session->backward && !session->help.pays;
    enter_node(session);
}

static bool finished(const struct session *session)
{
    return session->node == session->plan->graph->node_count;
}

/* Runs tiles of the node whose turn it is, until none is left (true) or the deadline has passed.
 * macs: since the last look at the clock. */
static bool run_tiles(struct session *session, uint64_t deadline_ns, size_t *macs)
{
    struct op_run *run = &session->runs[session->node];
    const size_t of_node = run->macs * run->rows;
    const size_t of_tile = session->tiles > 1 ? of_node / session->tiles : of_node;
    for (size_t tile; shares_take(&session->help.shares, 0, &tile);) {
        run->info->run(run, tile);
        *macs += of_tile;
        if (*macs < CLOCK_INTERVAL_MACS)
            continue;
        *macs = 0;
        if (deadline_ns != UINT64_MAX && cpu_clock_ns() >= deadline_ns)
            return false;
    }
    return true;
}

bool session_advance(struct session *session, uint64_t deadline_ns)
{
    struct help *help = &session->help;
    bool timely = true;
    for (size_t macs = 0; timely && !finished(session);) {
        const bool helped = help_wanted(help);
        if (helped)
            help_begin(help);
        timely = run_tiles(session, deadline_ns, &macs);
        if (helped)
            help_end(help);
        if (!timely && shares_left(&help->shares))
            continue;
        session->node++;
        enter_node(session);
    }
    crew_return(&help->call);
    if (!finished(session))
        return false;
    session->backlog += session->rows == 1;
    return true;
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
