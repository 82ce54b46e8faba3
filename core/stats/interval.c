#include "interval.h"

static double round_down(double x)
{
    const double down = x - fabs(x) * 2 * INTERVAL_ROUNDING - 2 * INTERVAL_UNDERFLOW;
    return x >= 0 && down < 0 ? 0 : down;
}

struct interval interval_round(struct interval a)
{
    return interval_of(round_down(a.low), -round_down(-a.high));
}

/* From the least to the greatest of four; unknown when one is NaN (0 times infinity). */
static struct interval span(const double x[4])
{
    struct interval all = {x[0], x[0]};
    for (size_t i = 0; i < 4; i++) {
        if (isnan(x[i]))
            return interval_all;
        all = interval_join(all, (struct interval){x[i], x[i]});
    }
    return interval_of(all.low, all.high);
}

struct interval interval_multiply(struct interval a, struct interval b)
{
    return span((const double[4]){a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high});
}

struct interval interval_divide(struct interval a, struct interval b)
{
    if (interval_holds(b, 0))
        return interval_all;
    return span((const double[4]){a.low / b.low, a.low / b.high, a.high / b.low, a.high / b.high});
}

/* Activations */

/* Whether h is one of z and the function's parameters, so that nothing is rounded. */
static bool only_selects(enum activation_type type)
{
    return type == ACTIVATION_identity || type == ACTIVATION_relu || type == ACTIVATION_relu6 ||
           type == ACTIVATION_clip || type == ACTIVATION_thresholded_relu ||
           type == ACTIVATION_shifted_relu || type == ACTIVATION_crelu;
}

/* Where a function that is not monotone turns, once: its least or greatest value beside the ends.
 * Of the smooth ones it is the zero of the derivative. NaN for those that are monotone. */
static double turning_point(const struct activation *activation)
{
    switch (activation->type) {
    case ACTIVATION_leaky_relu:
    case ACTIVATION_prelu:
    case ACTIVATION_rrelu:
    case ACTIVATION_elu:
    case ACTIVATION_selu:
        return 0; /* their parameters may be negative */
    case ACTIVATION_thresholded_relu:
        return activation->parameters[0];
    case ACTIVATION_gelu:
        return -0.7517915246935645;
    case ACTIVATION_gelu_tanh:
        return -0.7524614220710162;
    case ACTIVATION_silu:
        return -1.2784645427610738;
    case ACTIVATION_mish:
        return -1.1924312145154894;
    case ACTIVATION_hard_swish:
        return -1.5;
    default:
        return NAN;
    }
}

/* f(z); where the formula says NaN for an infinite z, its limit is 0 (gelu, silu, …). */
static struct interval value_at(const struct activation *activation, size_t unit, double z)
{
    const double h = activation_value(activation, unit, z);
    const double value = isnan(h) ? 0 : h;
    return (struct interval){value, value};
}

/* The greatest |f'| where |z| is at most size. */
static double steepest(const struct activation *activation, size_t unit, double size)
{
    const double a = fabs((double)activation->parameters[0]);
    const double b = fabs((double)activation->parameters[1]);
    switch (activation->type) {
    case ACTIVATION_leaky_relu:
    case ACTIVATION_prelu:
    case ACTIVATION_rrelu:
        return fmax(1, fabs(activation_derivative(activation, unit, -1)));
    case ACTIVATION_elu:
        return fmax(1, a);
    case ACTIVATION_selu:
        return b * fmax(1, a);
    case ACTIVATION_squared_relu:
        return 2 * size;
    case ACTIVATION_hard_sigmoid:
        return a;
    default:
        return 1.5; /* hard_swish's; the others stay below 1.13 */
    }
}

/* How far a kernel's output may lie from f(z), with room for what doubles lose. */
static double activation_error(const struct activation *activation, size_t unit, double z_size,
                               double h_size)
{
    static const double ulps[ACTIVATION_COUNT] = {
#define ACTIVATION(name, onnx_op, trait, first, first_default, second, second_default, ulps) ulps,
#include "activation.def"
#undef ACTIVATION
    };
    const double slope = steepest(activation, unit, z_size);
    const double ulp =
        2 * (INTERVAL_ROUNDING * (h_size + slope * z_size) + INTERVAL_UNDERFLOW * (1 + slope));
    return (ulps[activation->type] + 1) * ulp + 0x1p-142;
}

struct interval interval_activate(const struct activation *activation, size_t unit,
                                  struct interval z)
{
    const double turn = turning_point(activation);
    struct interval h =
        interval_join(value_at(activation, unit, z.low), value_at(activation, unit, z.high));
    if (interval_holds(z, turn))
        h = interval_join(h, value_at(activation, unit, turn));
    if (activation->type ==
        ACTIVATION_thresholded_relu) /* NaN becomes 0; it jumps where it turns */
        h = interval_join(h, interval_holds(z, turn)
                                 ? (struct interval){fmin(0, turn), fmax(0, turn)}
                                 : (struct interval){0, 0});
    if (only_selects(activation->type))
        return h;
    if (!interval_bounded(z))
        return interval_all;
    return interval_widen(h,
                          activation_error(activation, unit, interval_size(z), interval_size(h)));
}
