/* activation: the family of activation functions, one row each in activation.def.
 *
 * z is the pre-activation, h = f(z) the output. Formulas follow the ONNX operator specification,
 * then PyTorch. NaN in gives NaN out, but for thresholded_relu, where ONNX says 0;
 * so does -inf where the formula multiplies it by 0 (gelu, silu, mish, hard_swish). A unit is
 * active in an observation when z is above the function's threshold, which is 0 for most. */
#ifndef RELUD_ACTIVATION_H
#define RELUD_ACTIVATION_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"
#include "text.h"

enum activation_type {
#define ACTIVATION(name, onnx_op, trait, first, first_default, second, second_default, ulps) \
    ACTIVATION_##name,
#include "activation.def"
#undef ACTIVATION
    ACTIVATION_COUNT
};

enum activation_trait { HINGE, CAPPED, SMOOTH, SATURATING, UNCOUNTED };

enum { ACTIVATION_PARAMETERS = 2 };

struct activation {
    enum activation_type type;
    float parameters[ACTIVATION_PARAMETERS]; /* unused where the row names none */
    const float *slope; /* prelu: one per unit, padded with zeros to a multiple of 16; else NULL */
};

struct activation_info {
    const char *name;
    const char *onnx_op; /* "" for none */
    enum activation_trait trait;
    struct {
        const char *name; /* "" for none */
        float fallback;
    } parameters[ACTIVATION_PARAMETERS];
};

const struct activation_info *activation_info(enum activation_type type);

/* The function of that name (by_onnx_op: of that ONNX operator) with its default parameter; false
 * when there is none. */
bool activation_named(struct activation *activation, const char *name);
bool activation_by_onnx_op(struct activation *activation, const char *onnx_op);

/* Reads "relu" or "leaky_relu(alpha=0.1)", as --activation takes it. */
enum status activation_parse(struct activation *activation, const char *text, struct error *error);

/* Writes {"type":"leaky_relu","alpha":0.01}, as config.json has it. */
void activation_write(struct text *text, const struct activation *activation);

/* Sets the parameter of that name; INVALID when the function has no such parameter, value is not
 * finite, or the function does not take it (celu's alpha must be positive). */
enum status activation_set(struct activation *activation, const char *parameter, double value,
                           struct error *error);

/* Whether units with this function have statistics. */
bool activation_counted(const struct activation *activation);

/* Whether h >= 0 for every z, so that the mean magnitude is the mean. */
bool activation_nonnegative(const struct activation *activation);

/* A unit is active when z is greater than this. */
float activation_threshold(const struct activation *activation);

/* Where f has flat ends: for z < low and for z > high, NaN where there is no such end. For a CAPPED
 * function f is at its upper bound there, for a SATURATING one |f'(z)| < 1e-3. */
struct activation_tails {
    float low, high;
};

/* An activation as kernels take it. The constants are what parameters mean to eltwise.h: the one
 * slope of a leaky_relu, prelu or rrelu below zero, and other numbers. */
struct activation_rule {
    enum activation_type type;
    float constants[2], threshold;
    struct activation_tails tails;
    const float *slope; /* as in struct activation */
};

struct activation_rule activation_rule(const struct activation *activation);

/* Whether f has such ends: f is CAPPED or SATURATING. */
bool activation_tailed(const struct activation *activation);

struct activation_tails activation_tails(const struct activation *activation);

/* Whether f(z) is at an upper bound for every z beyond the high tail's begin. */
bool activation_capped(const struct activation *activation);

/* Whether unit passes a gradient while inactive: silent rather than dead when it never fires. */
bool activation_leaks(const struct activation *activation, size_t unit);

/* The definition in double precision: f(z), f'(z) of a finite z (at a kink the slope from below, at
 * the upper of two that from above, as PyTorch's relu and clip have it) and whether z is active.
 * For softmax, which is no function of one z, value and derivative are those of identity. */
double activation_value(const struct activation *activation, size_t unit, double z);
double activation_derivative(const struct activation *activation, size_t unit, double z);
bool activation_active(const struct activation *activation, double z);

#endif
