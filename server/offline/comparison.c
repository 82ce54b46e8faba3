#include "comparison.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "graph/session.h"

enum { BATCH = 64, TIMED_RUNS = 2001, TIMED_ROWS = 16 };

/* Longest time that is spent on timing. */
#define TIMED_NS UINT64_C(1000000000)

enum { BEFORE, AFTER, ALONE, SESSIONS };

/* Sessions of both models, and one for single rows. */
struct bench {
    struct comparison *comparison;
    struct session sessions[SESSIONS];
    size_t session_count;
    struct arena arena; /* owned: x, y */
    float *x[GRAPH_IO_MAX];
    float *y[2]; /* an output of a row */
};

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the comparison");
}

static enum status open_session(struct bench *bench, const struct model *model, size_t rows,
                                struct error *error)
{
    if (session_open(&bench->sessions[bench->session_count], &model->plan,
                     bench->comparison->kernels, STATS_full, rows, error) != STATUS_OK)
        return error->status;
    bench->session_count++;
    return STATUS_OK;
}

static enum status open_bench(struct bench *bench, struct comparison *comparison, size_t rows,
                              struct error *error)
{
    const struct model *before = comparison->before;
    *bench = (struct bench){.comparison = comparison};
    arena_init(&bench->arena, SIZE_MAX / 2);
    if (open_session(bench, before, rows, error) != STATUS_OK ||
        open_session(bench, &comparison->after->model, rows, error) != STATUS_OK ||
        open_session(bench, before, 1, error) != STATUS_OK)
        return error->status;
    size_t widest = 0;
    for (size_t i = 0; i < before->graph.output_count; i++)
        if (before->outputs[i].features > widest)
            widest = before->outputs[i].features;
    for (size_t i = 0; i < 2; i++)
        if (!(bench->y[i] = arena_alloc(&bench->arena, widest, sizeof(float))))
            return no_memory(error);
    for (size_t i = 0; i < before->graph.input_count; i++)
        if (!(bench->x[i] =
                  arena_alloc(&bench->arena, rows, before->inputs[i].features * sizeof(float))))
            return no_memory(error);
    return STATUS_OK;
}

static void close_bench(struct bench *bench)
{
    for (size_t i = 0; i < bench->session_count; i++)
        session_close(&bench->sessions[i]);
    arena_free(&bench->arena);
}

static void run(struct bench *bench, size_t session, size_t first, size_t rows)
{
    const struct model *before = bench->comparison->before;
    struct session *s = &bench->sessions[session];
    for (size_t i = 0; i < before->graph.input_count; i++)
        session_bind(s, i, bench->x[i] + first * before->inputs[i].features);
    session_begin(s, rows);
    session_advance(s, UINT64_MAX);
}

/* Rows */

/* Whether a removed unit that gives the same number while inactive was active in that row. */
static bool wakes(const struct bench *bench, size_t row)
{
    const struct compact *after = bench->comparison->after;
    for (size_t i = 0; i < after->layer_count; i++) {
        const struct compact_layer *layer = &after->layers[i];
        const uint64_t *bits = session_bits(&bench->sessions[BEFORE], i, row);
        for (size_t unit = 0; unit < layer->layer->units; unit++)
            if (layer->removed[unit] && !isnan(layer->stuck[unit]) && !layer->high[unit] &&
                (bits[unit / 64] >> unit % 64 & 1))
                return true;
    }
    return false;
}

/* Whether one that was at its upper bound was not so in that row, at every position: only tallies
 * tell, so that it is run again alone. */
static bool leaves_bound(struct bench *bench, size_t row)
{
    const struct compact *after = bench->comparison->after;
    struct session *session = &bench->sessions[ALONE];
    session_forget(session);
    run(bench, ALONE, row, 1);
    const struct tally *tallies = session_tallies(session);
    for (size_t i = 0; i < after->layer_count; i++) {
        const struct compact_layer *layer = &after->layers[i];
        for (size_t unit = 0; unit < layer->layer->units; unit++)
            if (layer->removed[unit] && layer->high[unit] &&
                tallies[i].high[unit] != layer->layer->positions)
                return true;
    }
    return false;
}

/* How far the answers to a row are apart, relative to the largest number or 1; 0 only where all
 * bits are the same. */
static double difference(const struct bench *bench, size_t row)
{
    const struct model *before = bench->comparison->before;
    double largest = 0;
    for (size_t i = 0; i < before->graph.output_count; i++) {
        const size_t features = before->outputs[i].features;
        double apart = 0, size = 1;
        session_output(&bench->sessions[BEFORE], i, row, bench->y[0]);
        session_output(&bench->sessions[AFTER], i, row, bench->y[1]);
        if (memcmp(bench->y[0], bench->y[1], features * sizeof(float)) == 0)
            continue;
        for (size_t j = 0; j < features; j++) {
            const double a = (double)bench->y[0][j], b = (double)bench->y[1][j];
            apart = fmax(apart, isfinite(a - b) ? fabs(a - b) : INFINITY);
            size = fmax(size, fabs(a));
        }
        largest = fmax(largest, fmax(apart / size, DBL_MIN));
    }
    return largest;
}

static void compare_row(struct bench *bench, size_t row)
{
    struct comparison *comparison = bench->comparison;
    const double apart = difference(bench, row);
    comparison->rows++;
    if (wakes(bench, row) || (apart > 0 && !comparison->exact && leaves_bound(bench, row))) {
        comparison->woken++;
        return;
    }
    comparison->differing += apart > (comparison->exact ? 0 : COMPARISON_TOLERANCE);
    comparison->largest = fmax(comparison->largest, apart);
}

static enum status compare_rows(struct bench *bench, const struct inputs *inputs,
                                struct rows rows[GRAPH_IO_MAX], struct error *error)
{
    const size_t count = rows[0].count;
    for (size_t i = 0; i < inputs->count; i++)
        if (rows_read(&rows[i], &inputs->sets[i], bench->x[i], error) != STATUS_OK)
            return error->status;
    run(bench, BEFORE, 0, count);
    run(bench, AFTER, 0, count);
    for (size_t row = 0; row < count; row++)
        compare_row(bench, row);
    return STATUS_OK;
}

enum status comparison_run(struct comparison *comparison, struct inputs *inputs,
                           struct error *error)
{
    struct bench bench;
    struct rows rows[GRAPH_IO_MAX] = {{.count = 0}};
    comparison->rows = comparison->woken = comparison->differing = 0;
    comparison->largest = 0;
    enum status status = open_bench(&bench, comparison, BATCH, error);
    while (status == STATUS_OK) {
        status = datasets_take(inputs->sets, inputs->count, BATCH, rows, error);
        if (status != STATUS_OK || rows[0].count == 0)
            break;
        status = compare_rows(&bench, inputs, rows, error);
    }
    for (size_t i = 0; i < inputs->count; i++)
        rows_free(&rows[i]);
    close_bench(&bench);
    if (status == STATUS_OK && comparison->rows == 0)
        return error_set(error, STATUS_INVALID, "expected rows in %s, found none",
                         inputs->sets[0].name);
    return status;
}

/* Time */

/* Numbers spread over the declared ranges, or from -1 to 1. */
static void fill(struct bench *bench)
{
    const struct model *before = bench->comparison->before;
    uint32_t state = 1;
    for (size_t i = 0; i < before->graph.input_count; i++) {
        const struct port *port = &before->inputs[i];
        for (size_t j = 0; j < TIMED_ROWS * port->features; j++) {
            const size_t feature = j % port->features;
            const double low = port->min ? (double)port->min[feature] : -1;
            const double high = port->max ? (double)port->max[feature] : 1;
            state = state * 1664525u + 1013904223u;
            bench->x[i][j] = (float)(low + (high - low) * (double)(state >> 8) * 0x1p-24);
        }
    }
}

static int compare_times(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

enum status comparison_time(struct comparison *comparison, struct error *error)
{
    static uint64_t times[2][TIMED_RUNS];
    struct bench bench;
    size_t runs = 0;
    if (open_bench(&bench, comparison, TIMED_ROWS, error) == STATUS_OK) {
        fill(&bench);
        const uint64_t begun = cpu_clock_ns();
        for (; runs < TIMED_RUNS && (runs == 0 || cpu_clock_ns() - begun < TIMED_NS); runs++)
            for (size_t session = BEFORE; session <= AFTER; session++) {
                const uint64_t from = cpu_clock_ns();
                run(&bench, session, runs % TIMED_ROWS, 1);
                times[session][runs] = cpu_clock_ns() - from;
            }
        for (size_t session = BEFORE; session <= AFTER; session++) {
            qsort(times[session], runs, sizeof times[session][0], compare_times);
            comparison->latency_us[session] = 1e-3 * (double)times[session][runs / 2];
        }
    }
    close_bench(&bench);
    return error->status;
}
