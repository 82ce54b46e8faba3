/* help: the part that helpers borrowed from a crew have in a session's run.
 *
 * The tiles of a node that is large enough are cut into shares (shares.h), one for the session's
 * own thread and one for each helper that would pay. A helper works on an op_run of its own, in its
 * own memory: it lists and gathers for itself, and counts for itself, but where no two tiles have a
 * unit in common. What it has counted is added to the session's tally when the node is done, or
 * left for a while. */
#ifndef RELUD_HELP_H
#define RELUD_HELP_H

#include "crew.h"
#include "ops.h"
#include "plan.h"
#include "shares.h"

/* Multiply-adds of a register tile that are worth waking a helper: some microseconds. */
enum { HELP_MACS = 1 << 18 };

struct help {
    struct crew *crew;    /* borrowed; NULL: nobody helps */
    struct shares shares; /* of the node's tiles; list is owned by the session */
    size_t worth;         /* HELP_MACS; tests lower it, to no less than 2 */
    size_t scratch;       /* floats */
    bool pays;            /* there may be nodes large enough */
    bool apart;           /* helpers count for themselves */
    _Atomic bool stopped; /* helpers are to come back */
    struct op_run run;    /* the node as it was entered */
    struct crew_call call;
};

/* Memory that a helper needs. */
size_t help_bytes(const struct plan *plan);

/* Makes up its mind about a run of so many multiply-adds. */
void help_prepare(struct help *help, size_t macs);

/* Cuts the tiles of a node that was entered into shares. */
void help_cut(struct help *help, struct op_run *run, size_t tiles);

/* Whether there are shares for helpers. */
static inline bool help_wanted(const struct help *help)
{
    return help->shares.count > 1;
}

/* Helpers, as many as are free, begin with what is left of the node; they end with it, or at once.
 */
void help_begin(struct help *help);
void help_end(struct help *help);

#endif
