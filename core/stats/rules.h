/* rules: what an operation makes of the bounds of its inputs. */
#ifndef RELUD_RULES_H
#define RELUD_RULES_H

#include "bounds.h"

/* A node with the values it reads and the one it makes. */
struct rule_case {
    const struct graph *graph;
    const struct node *node;
    const struct value *output;
    const struct bounds *bounds; /* by value; those of the inputs are set */
    struct interval *scratch[2]; /* as long as the longest dimension of a value */
};

/* Writes where the channels of the output lie, y[output->channels], before the activation of a node
 * that ends with one. */
void rule_apply(const struct rule_case *c, struct interval *y);

/* For the files that implement rules */

/* Sums of products, in rules_chain.c. */
void rule_dense(const struct rule_case *c, struct interval *y);
void rule_conv(const struct rule_case *c, struct interval *y);
void rule_depthwise(const struct rule_case *c, struct interval *y);
void rule_matmul(const struct rule_case *c, struct interval *y);

const struct value *rule_input(const struct rule_case *c, size_t i);
const struct bounds *rule_bounds(const struct rule_case *c, size_t i);

/* Where the channels of input i (0 or 1) lie; in scratch[i]. */
const struct interval *rule_channels(const struct rule_case *c, size_t i);

/* Whether a window reaches beyond the image, and whether it may see nothing else. */
bool rule_pads(const struct window *window);
bool rule_misses(const struct window *window);

/* The most that a float32 sum of terms, products or not, may be off whose magnitudes add up to
 * size; infinite where a partial sum may overflow. */
double rule_sum_error(size_t terms, double size);

#endif
