#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "model/describe.h"

static void print_ports(const char *kind, const struct port *ports, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char dims[DIMS_TEXT_BYTES];
        printf("%-7s %s float32 %s", kind, ports[i].name,
               dims_text(dims, ports[i].dims, ports[i].rank));
        if (ports[i].min)
            printf(", declared range %g to %g", (double)ports[i].min[0], (double)ports[i].max[0]);
        printf(ports[i].labels ? ", labelled\n" : "\n");
    }
}

static size_t total_parameters(const struct model *model)
{
    size_t parameters = 0;
    for (size_t i = 0; i < model->graph.node_count; i++)
        parameters += node_parameters(&model->graph.nodes[i]);
    return parameters;
}

/* relu, leaky_relu(alpha=0.01), clip(min=0,max=6): as --activation takes it. */
static void describe_activation(char text[64], const struct activation *activation)
{
    const struct activation_info *info = activation_info(activation->type);
    int length = snprintf(text, 64, "%s", info->name);
    const char *before = "(";
    for (size_t i = 0; i < ACTIVATION_PARAMETERS && !activation->slope; i++) {
        if (!info->parameters[i].name[0])
            continue;
        length += snprintf(text + length, 64 - (size_t)length, "%s%s=%g", before,
                           info->parameters[i].name, (double)activation->parameters[i]);
        before = ",";
    }
    snprintf(text + length, 64 - (size_t)length, "%s", *before == ',' ? ")" : "");
}

static void print_layers(const struct graph *graph)
{
    printf("\n%-24s %-11s %-16s %-24s %12s %10s\n", "layer", "kind", "shape", "activation",
           "parameters", "MFLOPs");
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct node *node = &graph->nodes[i];
        char shape[48], activation[64];
        snprintf(shape, sizeof shape, "%zu -> %zu", node->k, node->n);
        describe_activation(activation, &node->activation);
        printf("%-24s %-11s %-16s %-24s %12zu %10.4f\n", node->name, op_kind(node->op), shape,
               activation, node_parameters(node), 2e-6 * (double)node_macs(graph, node));
    }
}

static void print_model(const struct model *model)
{
    printf("model   %s version %s\ndigest  %s\n", model->name, model->version, model->digest);
    print_ports("input", model->inputs, model->graph.input_count);
    print_ports("output", model->outputs, model->graph.output_count);
    if (model->whole)
        printf("whole   the file fixes its batch and mixes it: a row is one run of the file\n");
    print_layers(&model->graph);
    printf(
        "\n%zu parameters, %zu bytes as packed; one row: %.4f MFLOPs, %zu bytes of memory, %zu of "
        "bitmaps\n",
        total_parameters(model), model_weight_bytes(model), 2e-6 * (double)model->plan.macs_per_row,
        model->plan.floats_per_row * sizeof(float), model->plan.bits_per_row);
}

static void print_json(const struct model *model)
{
    struct text text = {.bytes = NULL};
    text_put(&text, "{");
    describe_signature(&text, model);
    text_put(&text, ",");
    describe_layers(&text, model);
    text_format(
        &text,
        ",\"parameters\":%zu,\"weight_bytes\":%zu,\"row_bytes\":%zu,\"bitmap_row_bytes\":%zu}",
        total_parameters(model), model_weight_bytes(model),
        model->plan.floats_per_row * sizeof(float), model->plan.bits_per_row);
    printf("%.*s\n", (int)text.count, text.bytes);
    text_free(&text);
}

int inspect(int count, char *const *argv)
{
    bool json = count > 0 && strcmp(argv[0], "--json") == 0;
    const struct model_options options = {.level = STATS_full};
    struct model model;
    struct error error;
    if (count != 1 + json || argv[json][0] == '-') {
        fprintf(stderr, "relud: usage: relud inspect [--json] PATH\n");
        return 2;
    }
    if (model_open(&model, argv[json], &options, &error) != STATUS_OK) {
        fprintf(stderr, "relud: %s\n", error.message);
        return 1;
    }
    if (json)
        print_json(&model);
    else
        print_model(&model);
    model_close(&model);
    return 0;
}
