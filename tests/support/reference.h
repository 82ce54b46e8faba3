/* reference: what core computes, once more, plainly and in double precision. */
#ifndef RELUD_TESTS_REFERENCE_H
#define RELUD_TESTS_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "graph/graph.h"
#include "kernels/kernels.h"

/* A number and how far a float32 computation of it may lie from it. */
struct bounded {
    double value, bound;
};

/* bias + sum of x[i] * weights[i * stride] over k inputs. The bound is that of any float32
 * chain, fused or not: gamma(k + 2) (|bias| + sum |x w|) with gamma(m) = m u / (1 - m u) and
 * u = 2^-24 (Higham, "Accuracy and Stability of Numerical Algorithms", lemma 3.1), and half a
 * denormal per product and sum for underflow. */
struct bounded reference_dot(size_t k, const float *x, const float *weights, size_t stride,
                             float bias);

/* The same as the very chain kernels.h promises, in float32, one operation after the other. */
float reference_chain(bool fused, size_t k, const float *x, const float *weights, size_t stride,
                      float bias);

/* Whether those kernels fuse the multiply and the add: all but x86's "baseline". */
bool reference_fused(const struct kernels *kernels);

/* The unit in the last place of a float32 as large as x, denormals' for zero. */
double reference_ulp(double x);

/* Whether count numbers are the same bit for bit; a NaN is the same as any other, because which of
 * two NaNs survives an operation is the compiler's choice of operand order. */
bool reference_same(const float *a, const float *b, size_t count);

/* Runs one row through graph: inputs[i] is that of input i, values[v] receives value v. */
void reference_run(const struct graph *graph, const float *const *inputs, double *const *values);

#endif
