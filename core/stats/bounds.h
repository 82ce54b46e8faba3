/* bounds: where the elements of a value may lie.
 *
 * Element m of a row, counted as it lies in memory without padding (position m / channels, channel
 * m % channels), lies in at[m % count]. count is the number of channels, for inputs and constants
 * the number of elements. So whatever shows the memory of another value has its bounds. */
#ifndef RELUD_BOUNDS_H
#define RELUD_BOUNDS_H

#include "graph/graph.h"
#include "interval.h"

struct bounds {
    size_t count; /* a divisor of the value's elements */
    struct interval *at;
};

/* Element offset floats into a row of value, padding included. */
static inline struct interval bounds_at(const struct bounds *bounds, const struct value *value,
                                        size_t offset)
{
    const size_t m = offset / value->stride * value->channels + offset % value->stride;
    return bounds->at[m % bounds->count];
}

/* What holds all of them. */
struct interval bounds_join(const struct bounds *bounds);

/* What holds all elements of value whose index along a dimension of its shape is i: along[i], for
 * each i. */
void bounds_along(const struct bounds *bounds, const struct value *value, size_t dimension,
                  struct interval *along);

#endif
