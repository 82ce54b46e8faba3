/* session: one place where a plan is run, by one thread at a time, and by helpers it may borrow.
 *
 * It owns the memory of a run of up to capacity rows, the bitmaps of the last run and what was
 * counted since the last fold. A run allocates nothing. It goes tile by tile and can stop between
 * two of them:
 *
 *     session_bind(s, 0, x);        every input of the graph
 *     placed = session_place(s, 0, y);
 *     session_begin(s, rows);
 *     while (!session_advance(s, deadline)) do something else;
 *     if (!placed) session_output(s, 0, row, y + row * features);
 */
#ifndef RELUD_SESSION_H
#define RELUD_SESSION_H

#include "help.h"
#include "stats/counters.h"

struct session {
    const struct plan *plan;       /* borrowed */
    const struct kernels *kernels; /* borrowed */
    struct arena arena;            /* owned: everything below */
    size_t capacity;               /* rows */
    float *memory;                 /* capacity * plan->floats_per_row */
    uint8_t *bits;                 /* capacity * plan->bits_per_row */
    uint32_t *fired;       /* [layers, capacity] active observations of rows with positions */
    struct tally *tallies; /* by layer, but for the backlog; NULL at level off */
    const float *inputs[GRAPH_IO_MAX]; /* borrowed */
    int placing[GRAPH_IO_MAX];         /* the node that can write an output elsewhere */
    enum skip skip;                    /* SKIP_AUTO until the owner sets it between runs */
    struct op_run *runs;               /* by node */
    bool backward;                     /* how dense layers of this run go over their panels */
    size_t rows, node, tiles;
    size_t backlog; /* finished runs of one row that dense layers have not counted yet */
    bool overdue;   /* this run counts a whole backlog on its way */
    struct help help;
};

/* Opens a session for plan with room for capacity rows; OUT_OF_MEMORY otherwise. */
enum status session_open(struct session *session, const struct plan *plan,
                         const struct kernels *kernels, enum stats_level level, size_t capacity,
                         struct error *error);
void session_close(struct session *session);

/* Lets the runs of an open session borrow helpers of crew, once, before the first. Nodes that are
 * too small run without; answers and counts are the same, sums of outputs within their rounding. */
enum status session_crew(struct session *session, struct crew *crew, struct error *error);

/* Input i of the next run: x[rows, features] without padding, read until the run is finished. */
void session_bind(struct session *session, size_t i, const float *x);

/* Has output i of the next runs written to y[rows, features] while they run, where its rows come
 * without padding and nobody else needs them (true); session_output() need not be called then.
 * Else, and for NULL, they stay in the session (false). */
bool session_place(struct session *session, size_t i, float *y);

/* Starts a run of rows, 1 <= rows <= capacity. A run before that is not finished must have been
 * forgotten. */
void session_begin(struct session *session, size_t rows);

/* Runs on until the run is finished (true) or deadline_ns (cpu_clock_ns) has passed (false); at
 * least one tile either way. UINT64_MAX: no deadline. Helpers are returned before it returns. */
bool session_advance(struct session *session, uint64_t deadline_ns);

/* What finished runs have counted since the last fold, by layer; NULL at level off. Not while a run
 * is under way. */
struct tally *session_tallies(struct session *session);

/* Forgets what was counted, also by a run that is under way and will not be finished. */
void session_forget(struct session *session);

/* Copies row of output i of the finished run, without padding: to holds its features. The output
 * must be in plain layout, and not be placed elsewhere. */
void session_output(const struct session *session, size_t i, size_t row, float *to);

/* Row row of layer's bitmap in the finished run: bit u says whether unit u was active. Bits beyond
 * the layer's units mean nothing. */
const uint64_t *session_bits(const struct session *session, size_t layer, size_t row);

/* How many of layer's units were active in that row, at one position at least; and in how many of
 * its units x positions observations they were. */
size_t session_active(const struct session *session, size_t layer, size_t row);
size_t session_fired(const struct session *session, size_t layer, size_t row);

#endif
