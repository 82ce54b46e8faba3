/* refusals: breaks the network of onnx_small(), which is sound, in one place, and expects a
 * sentence that names it. */
#ifndef RELUD_TESTS_REFUSALS_H
#define RELUD_TESTS_REFUSALS_H

#include "onnx_builder.h"

struct refusal {
    const char *name;
    void (*breaks)(struct onnx_builder *builder);
    const char *says; /* two parts of the sentence, separated by a bar */
};

/* The name and the function of one. */
#define BREAK(breaker) #breaker, breaker

/* Nodes and initializers of onnx_small(), in order. */
enum { GEMM, RELU, MATMUL, ADD };
enum { FC1_WEIGHT, FC1_BIAS, FC2_WEIGHT, FC2_BIAS };

static inline Onnx__NodeProto *node(struct onnx_builder *builder, size_t i)
{
    return builder->graph->node[i];
}

static inline Onnx__TensorProto *tensor(struct onnx_builder *builder, size_t i)
{
    return builder->graph->initializer[i];
}

void check_refusal(const struct refusal *refusal);

#endif
