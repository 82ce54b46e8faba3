/* interval: where a float32 number may lie, however it was rounded.
 *
 * Ends are doubles; an end beyond the largest float32 is infinite. An interval says nothing of NaN:
 * a number in it may be NaN as well. Ends are computed in double and rounded to nearest; whoever
 * widens an interval by the error of a float32 computation leaves room for that, which is 2^-29 of
 * it. */
#ifndef RELUD_INTERVAL_H
#define RELUD_INTERVAL_H

#include <float.h>
#include <math.h>

#include "activation.h"

struct interval {
    double low, high;
};

static const struct interval interval_all = {-INFINITY, INFINITY};

/* Half a unit in the last place of 1, and of the smallest numbers. */
#define INTERVAL_ROUNDING  0x1p-24
#define INTERVAL_UNDERFLOW 0x1p-150

/* From low to high; an end that is NaN is unknown. */
static inline struct interval interval_of(double low, double high)
{
    return (struct interval){low >= -(double)FLT_MAX ? low : -INFINITY,
                             high <= (double)FLT_MAX ? high : INFINITY};
}

static inline struct interval interval_join(struct interval a, struct interval b)
{
    return (struct interval){a.low < b.low ? a.low : b.low, a.high > b.high ? a.high : b.high};
}

static inline bool interval_holds(struct interval a, double x)
{
    return a.low <= x && x <= a.high;
}

/* The largest magnitude in it. */
static inline double interval_size(struct interval a)
{
    return fmax(fabs(a.low), fabs(a.high));
}

static inline bool interval_bounded(struct interval a)
{
    return a.low > -INFINITY && a.high < INFINITY;
}

static inline struct interval interval_widen(struct interval a, double error)
{
    return interval_of(a.low - error, a.high + error);
}

/* Rounded to float32 once, which moves nothing past 0. */
struct interval interval_round(struct interval a);

/* f of every number in z, for unit, as the kernels compute it (activation.def states their errors).
 * Not for softmax. */
struct interval interval_activate(const struct activation *activation, size_t unit,
                                  struct interval z);

/* a * b and a / b of every two numbers, not yet rounded. */
struct interval interval_multiply(struct interval a, struct interval b);
struct interval interval_divide(struct interval a, struct interval b);

#endif
