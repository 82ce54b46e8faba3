#include "reference.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "panel.h"

static double gamma_of(size_t m)
{
    double mu = (double)m * 0x1p-24;
    return mu / (1 - mu);
}

struct bounded reference_dot(size_t k, const float *x, const float *weights, size_t stride,
                             float bias)
{
    double sum = (double)bias, magnitude = fabs((double)bias);
    for (size_t i = 0; i < k; i++) {
        double product = (double)x[i] * (double)weights[i * stride];
        sum += product;
        magnitude += fabs(product);
    }
    return (struct bounded){sum, gamma_of(k + 2) * magnitude + 2.0 * (double)k * 0x1p-150};
}

float reference_chain(bool fused, size_t k, const float *x, const float *weights, size_t stride,
                      float bias)
{
    float sum = bias;
    for (size_t i = 0; i < k; i++) {
        float w = weights[i * stride];
        sum = fused ? fmaf(x[i], w, sum) : x[i] * w + sum;
    }
    return sum + 0.0f;
}

bool reference_fused(const struct kernels *kernels)
{
#if defined(__x86_64__)
    return strcmp(kernels->name, "baseline") != 0;
#else
    (void)kernels;
    return true;
#endif
}

double reference_ulp(double x)
{
    int exponent = x == 0 ? FLT_MIN_EXP - 1 : ilogb(x);
    if (exponent < FLT_MIN_EXP - 1)
        exponent = FLT_MIN_EXP - 1;
    return ldexp(1, exponent - (FLT_MANT_DIG - 1));
}

bool reference_same(const float *a, const float *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i])))
            return false;
    return true;
}

static double packed_weight(const struct node *node, size_t i, size_t j)
{
    size_t panel = j / PANEL_COLUMNS;
    const float *weights = node->panels + panel_offset(node->k, panel);
    return (double)weights[i * panel_width(node->n, panel) + j % PANEL_COLUMNS];
}

static void run_dense(const struct node *node, const double *x, double *y)
{
    for (size_t j = 0; j < node->n; j++) {
        double z = (double)node->bias[j];
        for (size_t i = 0; i < node->k; i++)
            z += x[i] * packed_weight(node, i, j);
        y[j] = activation_value(&node->activation, j, z);
    }
}

static void run_softmax(size_t n, const double *x, double *y)
{
    double max = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++)
        max = fmax(max, x[i]);
    for (size_t i = 0; i < n; i++)
        sum += y[i] = exp(x[i] - max);
    for (size_t i = 0; i < n; i++)
        y[i] /= sum;
}

static void run_node(const struct node *node, const double *x, double *y)
{
    if (node->op == OP_dense)
        run_dense(node, x, y);
    else if (node->op == OP_softmax)
        run_softmax(node->n, x, y);
    else
        for (size_t i = 0; i < node->n; i++)
            y[i] = activation_value(&node->activation, i, x[i]);
}

void reference_run(const struct graph *graph, const float *const *inputs, double *const *values)
{
    for (size_t i = 0; i < graph->input_count; i++)
        for (size_t j = 0; j < graph->values[graph->inputs[i]].features; j++)
            values[graph->inputs[i]][j] = (double)inputs[i][j];
    for (size_t i = 0; i < graph->node_count; i++)
        run_node(&graph->nodes[i], values[graph->nodes[i].inputs[0]],
                 values[graph->nodes[i].output]);
}
