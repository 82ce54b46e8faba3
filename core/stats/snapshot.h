/* snapshot: what was counted, as a file.
 *
 * The text is what GET /stats?detail=units answers, with "format" and "format_version" in front.
 * Counts and maxima come back as they were, means to the last bit but one. A snapshot that was read
 * is a model without its network, whose plan knows the layers' names, activations and sizes alone:
 * enough to merge, compare and report what was counted, not enough to run. */
#ifndef RELUD_SNAPSHOT_H
#define RELUD_SNAPSHOT_H

#include "report.h"

enum { SNAPSHOT_SINCE_BYTES = sizeof "2026-01-01T00:00:00Z" };

/* No snapshot is larger; ResNet-50's is 2 MB. */
#define SNAPSHOT_BYTES_MAX ((size_t)1 << 26)

struct snapshot {
    struct arena arena;       /* owned: everything below */
    struct model model;       /* name, version, digest, level, plan; nothing of it is owned by it */
    struct counters counters; /* of model.plan */
    char since[SNAPSHOT_SINCE_BYTES];
};

/* Writes a snapshot of what was counted of model since then. */
void snapshot_write(struct text *text, const struct model *model, const struct counters *counters,
                    const char *since, uint64_t min_samples);

/* Reads the text of a snapshot, or the regular file at path. On failure nothing is left open, and
 * the message names the layer and the field at fault. */
enum status snapshot_read(struct snapshot *snapshot, const char *text, size_t length,
                          struct error *error);
enum status snapshot_load(struct snapshot *snapshot, const char *path, struct error *error);
void snapshot_free(struct snapshot *snapshot);

/* INVALID, with a sentence, unless snapshot was counted of the same model (digest) in the same
 * layers: only then a unit of one is that of the other. */
enum status snapshot_is_of(const struct snapshot *snapshot, const struct model *model,
                           struct error *error);

/* The same unless it was at the same level, too: only then its counters may be merged. */
enum status snapshot_fits(const struct snapshot *snapshot, const struct model *model,
                          struct error *error);

/* Adds what was counted in other, which fits, to snapshot; it began when the earlier one did. */
void snapshot_merge(struct snapshot *snapshot, const struct snapshot *other);

#endif
