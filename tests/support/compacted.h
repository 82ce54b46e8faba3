/* compacted: a network, the rows that were counted, and what compact has made of both. */
#ifndef RELUD_TESTS_COMPACTED_H
#define RELUD_TESTS_COMPACTED_H

#include "compact/compact.h"
#include "onnx_builder.h"
#include "temporary.h"

enum { COMPACTED_ROWS = 60 /* that are counted */, COMPACTED_MORE = 60 /* that are not */ };

struct compacted {
    struct temporary temporary; /* owned */
    struct arena arena;         /* owned: counters, rows */
    struct model before;        /* owned */
    struct counters counters;
    struct compact after;   /* owned */
    float *x[GRAPH_IO_MAX]; /* by input: [COMPACTED_ROWS + COMPACTED_MORE, features] */
};

/* Counts random rows, of numbers from -1 to 1, and takes out what never fired. The second way does
 * so with an ONNX file that is there. */
void compacted_open(struct compacted *compacted, struct onnx_builder *onnx,
                    const struct compact_options *options);
void compacted_open_file(struct compacted *compacted, const char *path,
                         const struct compact_options *options);
void compacted_close(struct compacted *compacted);

/* How many units of a layer were removed, or of all; and what was decided of one. */
size_t compacted_removed(const struct compacted *compacted, const char *layer);
size_t compacted_removed_in_all(const struct compacted *compacted);
enum keep compacted_kept(const struct compacted *compacted, const char *layer, size_t unit);

/* Runs all rows through both and expects equal bits, or agreement within a tolerance above 0 of the
 * largest number of the row or 1, where no removed unit was active; how many rows these were. */
size_t compacted_compare(const struct compacted *compacted, double tolerance);

/* Writes the file NAME.onnx and has onnx.checker read all files that were written. */
void compacted_write(struct compacted *compacted, struct temporary *to, const char *name);
void compacted_check(const struct temporary *files);

/* The messages of the new file, which onnx__model_proto__free_unpacked() frees; and an initializer
 * among them. */
Onnx__ModelProto *compacted_proto(const struct compacted *compacted);
const Onnx__TensorProto *proto_tensor(const Onnx__ModelProto *proto, const char *name);

#endif
