/* baseline: the snapshot that a model's config.json names, which says how its units usually fire.
 *
 * A model is served without one as well: what is missing, damaged or of another model is said in
 * /stats and in the log, and nothing is compared. */
#ifndef RELUD_BASELINE_H
#define RELUD_BASELINE_H

#include "model/digest.h"
#include "stats/drift.h"
#include "stats/snapshot.h"

struct baseline {
    const char *name; /* as config.json has it, borrowed from the model; NULL for none */
    bool usable;
    struct snapshot snapshot;       /* owned, where usable */
    char digest[DIGEST_TEXT_BYTES]; /* of the file; "" where it cannot be read */
    struct error error;             /* why it is not usable */
};

/* Reads the baseline of a model that was opened from directory. */
void baseline_open(struct baseline *baseline, const struct model *model, const char *directory);
void baseline_close(struct baseline *baseline);

/* Whether both say the same, so that one model cannot be told from the other by them. */
bool baseline_is_same(const struct baseline *a, const struct baseline *b);

/* Compares now with a usable baseline; everything lies in arena. */
enum status baseline_compare(const struct baseline *baseline, const struct counters *now,
                             uint64_t min_samples, struct arena *arena, struct drift *drift,
                             struct error *error);

/* ,"drift":{…}: what has shifted since, or why nobody knows; nothing where there is no baseline. */
enum status baseline_write(struct text *text, const struct baseline *baseline,
                           const struct counters *now, uint64_t min_samples, struct error *error);

#endif
