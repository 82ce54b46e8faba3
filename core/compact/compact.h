/* compact: a network without its dead units.
 *
 * A unit that is never active puts the same number into every answer. Where that is 0, what reads
 * it adds nothing to its chains, whose bits stay the same without it (fma(w, 0, sum) is sum, and a
 * chain ends with + 0.0f). So the unit, what makes it and what multiplies it can go: rows and
 * columns of weights, channels of biases, normalisations and slopes. What remains is the file as it
 * was, with smaller tensors.
 *
 * Channels that must stand or fall together are found by walking over the file's own nodes
 * (links.h); the idea is the dependency graph of Fang et al. 2023, "DepGraph: Towards Any
 * Structural Pruning". */
#ifndef RELUD_COMPACT_H
#define RELUD_COMPACT_H

#include "model/model.h"
#include "stats/counters.h"

enum keep {
    KEEP_none,
#define KEEP(name, text) KEEP_##name,
#include "keep.def"
#undef KEEP
    KEEP_COUNT
};

/* What stands for it in JSON; and the end of a sentence. */
const char *keep_name(enum keep keep);
const char *keep_text(enum keep keep);

struct compact_options {
    bool proven_only;     /* units proven dead for the declared range, and no others */
    uint64_t min_samples; /* else also those that were dead in so many rows */
    bool fold;            /* also those stuck at another number than 0 */
};

/* What was done with a layer's units. */
struct compact_layer {
    const struct layer *layer; /* of the model's plan */
    const char *made;          /* the file's name of what it makes; NULL where it has none */
    bool configured;           /* config.json gives it another activation than the file */
    float *stuck;              /* [units] the number a unit always gives; NaN for one that lives */
    bool *high;                /* [units] it is stuck at the upper end */
    bool *removed;             /* [units] also of such as live, where nothing needs them */
    enum keep *kept;           /* [units] why one that is stuck was not removed */
    const char **kept_at;      /* [units] the node of the file that decided; NULL for none */
};

struct compact {
    struct arena arena; /* owned: everything below */
    struct compact_layer *layers;
    size_t layer_count;
    uint8_t *bytes; /* the new file */
    size_t byte_count;
    struct model model; /* owned: what it says, planned, its activations configured as before */
};

/* Takes dead units out of the ONNX file at path, which is model's own. counters are what was
 * counted of it; they may be NULL with proven_only. UNSUPPORTED for a file that is run whole. What
 * comes out holds the numbers of external data itself. Close it whatever the status. */
enum status compact_open(struct compact *compact, const struct model *model, const char *path,
                         const struct counters *counters, const struct compact_options *options,
                         struct error *error);
void compact_close(struct compact *compact);

#endif
