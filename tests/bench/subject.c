#include <stdio.h>
#include <stdlib.h>

#include "contender.h"
#include "panel.h"

_Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}

void *must_alloc(size_t count, size_t bytes)
{
    void *made = aligned_alloc(64, (count * bytes + 63) / 64 * 64);
    if (!made)
        fail("kernels", "out of memory");
    return made;
}

/* The plain matrix [k, n] that was packed into panels. */
static float *unpack(const struct node *node)
{
    float *plain = must_alloc(node->k * node->n, sizeof *plain);
    for (size_t i = 0; i < node->k; i++)
        for (size_t j = 0; j < node->n; j++) {
            size_t panel = j / PANEL_COLUMNS;
            const float *from = node->panels + panel_offset(node->k, panel);
            plain[i * node->n + j] = from[i * panel_width(node->n, panel) + j % PANEL_COLUMNS];
        }
    return plain;
}

static bool is_dense(const struct node *node)
{
    return node->op == OP_dense && node->input_count == 1 &&
           (node->activation.type == ACTIVATION_relu ||
            node->activation.type == ACTIVATION_identity);
}

/* The model as a chain of dense layers, if it is one. */
static void describe_layers_of(struct subject *subject)
{
    const struct graph *graph = &subject->model.graph;
    if (graph->node_count > DENSE_LAYERS_MAX)
        return;
    for (size_t i = 0; i < graph->node_count; i++)
        if (!is_dense(&graph->nodes[i]))
            return;
    subject->layers = must_alloc(graph->node_count, sizeof *subject->layers);
    subject->layer_count = graph->node_count;
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct node *node = &graph->nodes[i];
        bool relu = node->activation.type == ACTIVATION_relu;
        subject->layers[i] = (struct dense_layer){node->k, node->n, unpack(node), node->bias, relu};
    }
}

static void read_inputs(struct subject *subject, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        fail(path, "cannot be read");
    size_t row_bytes = subject->features * sizeof(float);
    size_t count = (size_t)ftell(file) / row_bytes;
    if (count < DIFFERENT_INPUTS + subject->rows)
        fail(path, "has too few rows for 64 different batches");
    rewind(file);
    subject->numbers = must_alloc(count, row_bytes);
    if (fread(subject->numbers, row_bytes, count, file) != count)
        fail(path, "cannot be read");
    fclose(file);
    size_t step = (count - subject->rows) / DIFFERENT_INPUTS;
    for (size_t i = 0; i < DIFFERENT_INPUTS; i++)
        subject->inputs[i] = subject->numbers + i * step * subject->features;
}

void subject_open(struct subject *subject, const char *inputs)
{
    const struct model_options options = {.level = STATS_full};
    struct error error;
    if (model_open(&subject->model, subject->path, &options, &error) != STATUS_OK)
        fail(subject->path, error.message);
    if (subject->model.graph.input_count != 1 || subject->model.graph.output_count != 1)
        fail(subject->path, "expected one input and one output");
    subject->features = subject->model.inputs[0].features;
    subject->outputs = subject->model.outputs[0].features;
    describe_layers_of(subject);
    read_inputs(subject, inputs);
}

void subject_close(struct subject *subject)
{
    for (size_t i = 0; i < subject->layer_count; i++)
        free(subject->layers[i].weights);
    free(subject->layers);
    free(subject->numbers);
    model_close(&subject->model);
}
