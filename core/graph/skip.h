/* skip: whether reading only the weights of non-zero inputs is faster.
 *
 * Row by row, a dense layer reads the weights of each input that is not zero, from wherever they
 * are; rows together, it reads all weights once, and multiplies by zeros. Which is faster depends
 * on the share of zeros, the number of rows and where the weights live; the bits are the same. */
#ifndef RELUD_SKIP_H
#define RELUD_SKIP_H

#include <stdbool.h>
#include <stddef.h>

/* A panel of a layer of weight_bytes applied to rows, of whose k inputs listed are not zero. */
struct skip_case {
    size_t rows, k, listed, width, weight_bytes;
};

bool skip_pays(const struct skip_case *c);

/* Whether it would pay if all but one of 32 inputs were zero; if not, nobody need count them. */
bool skip_may_pay(const struct skip_case *c);

#endif
