/* onnx_pattern: the patterns of onnx_fuse.def, which describes them, as trees. */
#ifndef RELUD_ONNX_PATTERN_H
#define RELUD_ONNX_PATTERN_H

#include "activation.h"
#include "arena.h"

enum pattern_kind {
    PATTERN_OPERATOR,     /* Mul(p, q): parts are its inputs */
    PATTERN_ACTIVATION,   /* clip(p, 0, b): parts are its input and its first parameters */
    PATTERN_EITHER,       /* {p|q}: one of the parts */
    PATTERN_INPUT,        /* x */
    PATTERN_SLOPES,       /* s */
    PATTERN_PARAMETER,    /* a, b */
    PATTERN_FRACTION,     /* u: parameter 0, between 0 and 1 */
    PATTERN_NOT_POSITIVE, /* n */
    PATTERN_NUMBER
};

enum { PATTERN_PARTS_MAX = 3 };

struct pattern {
    enum pattern_kind kind;
    const char *op_type;             /* of an operator */
    enum activation_type activation; /* of an activation */
    size_t parameter;                /* which: 0 or 1 */
    bool negative;                   /* slopes, parameter: with the other sign */
    double number;
    const struct pattern *parts[PATTERN_PARTS_MAX];
    size_t part_count;
};

/* Reads one, into arena; NULL without memory. */
const struct pattern *pattern_read(struct arena *arena, const char *text);

#endif
