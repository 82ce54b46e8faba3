#include "describe.h"

#include <inttypes.h>
#include <string.h>

static void write_ports(struct text *text, const char *key, const struct port *ports, size_t count)
{
    text_format(text, "\"%s\":[", key);
    for (size_t i = 0; i < count; i++) {
        text_put(text, i ? ",{\"name\":" : "{\"name\":");
        text_quote(text, ports[i].name, strlen(ports[i].name));
        text_put(text, ",\"datatype\":\"FP32\",\"shape\":[");
        for (size_t d = 0; d < ports[i].rank; d++)
            text_format(text, d ? ",%" PRId64 : "%" PRId64, ports[i].dims[d]);
        text_put(text, "]}");
    }
    text_put(text, "]");
}

void describe_ports(struct text *text, const struct model *model)
{
    write_ports(text, "inputs", model->inputs, model->graph.input_count);
    text_put(text, ",");
    write_ports(text, "outputs", model->outputs, model->graph.output_count);
}

void describe_signature(struct text *text, const struct model *model)
{
    text_put(text, "\"name\":");
    text_quote(text, model->name, strlen(model->name));
    text_format(text, ",\"version\":\"%s\",\"digest\":\"%s\",", model->version, model->digest);
    describe_ports(text, model);
}

void describe_layers(struct text *text, const struct model *model)
{
    text_put(text, "\"layers\":[");
    for (size_t i = 0; i < model->graph.node_count; i++) {
        const struct node *node = &model->graph.nodes[i];
        text_put(text, i ? ",{\"name\":" : "{\"name\":");
        text_quote(text, node->name, strlen(node->name));
        text_format(text, ",\"kind\":\"%s\",\"inputs\":%zu,\"outputs\":%zu,\"activation\":",
                    op_kind(node->op), node->k, node->n);
        activation_write(text, &node->activation);
        text_format(text, ",\"parameters\":%zu,\"mflops\":", node_parameters(node));
        text_double(text, 2e-6 * (double)node_macs(&model->graph, node));
        text_put(text, "}");
    }
    text_put(text, "]");
}
