/* subgraph: a few ONNX nodes written as an expression, built and computed in double precision.
 *
 *     "h = Relu(z); Mul(h, h)"             a name for what several nodes read
 *     "Clip(Add(z, 3), min=0, max=6)"      attributes, floats: all there are, in ONNX's order
 *     "Mul([1 2 3 4], z)"                  constants: a list, or a number without dimensions
 *
 * z is the input; the last expression is the result. */
#ifndef RELUD_TESTS_SUBGRAPH_H
#define RELUD_TESTS_SUBGRAPH_H

#include "onnx_builder.h"

enum { SUBGRAPH_TERMS_MAX = 32, SUBGRAPH_LIST_MAX = 4, SUBGRAPH_ARGUMENTS_MAX = 3 };

/* The input, a constant or a node. */
struct subgraph_term {
    char op[24];  /* "" for a constant, "z" for the input */
    char name[8]; /* by which later expressions call it; "" for none */
    float numbers[SUBGRAPH_LIST_MAX];
    size_t number_count; /* 0: one without dimensions */
    struct subgraph_argument {
        size_t term;
        char attribute[8]; /* "" for an input; else its value is numbers[0] of term */
    } arguments[SUBGRAPH_ARGUMENTS_MAX];
    size_t argument_count;
};

/* Terms stand behind those they read. */
struct subgraph {
    struct subgraph_term terms[SUBGRAPH_TERMS_MAX];
    size_t count;
};

/* Reads text, or fails the test. */
void subgraph_parse(struct subgraph *subgraph, const char *text);

/* Adds nodes that read "z" and make "y"; what term i makes is called "t<i>". */
void subgraph_build(const struct subgraph *subgraph, struct onnx_builder *builder);

/* What element i of the result is where all of z is that. */
double subgraph_value(const struct subgraph *subgraph, double z, size_t i);

#endif
