#include "describe.h"

#include <inttypes.h>
#include <string.h>

/* A declared bound: one number when it is the same for all features. */
static void write_bound(struct text *text, const char *key, const float *bound, size_t features)
{
    size_t same = 1;
    while (same < features && bound[same] == bound[0])
        same++;
    text_format(text, same == features ? ",\"%s\":" : ",\"%s\":[", key);
    for (size_t i = 0; i < (same == features ? 1 : features); i++) {
        text_put(text, i ? "," : "");
        text_float(text, bound[i]);
    }
    text_put(text, same == features ? "" : "]");
}

/* What config.json, or the file, says of a port beyond its shape. */
static void write_declared(struct text *text, const struct port *port)
{
    if (port->min && port->features > 0) {
        write_bound(text, "min", port->min, port->features);
        write_bound(text, "max", port->max, port->features);
    }
    if (!port->labels)
        return;
    for (size_t i = 0; i < port->features; i++) {
        text_put(text, i ? "," : ",\"labels\":[");
        text_quote(text, port->labels[i], strlen(port->labels[i]));
    }
    text_put(text, port->features ? "]" : "");
}

static void write_ports(struct text *text, const char *key, const struct port *ports, size_t count,
                        bool declared)
{
    text_format(text, "\"%s\":[", key);
    for (size_t i = 0; i < count; i++) {
        text_put(text, i ? ",{\"name\":" : "{\"name\":");
        text_quote(text, ports[i].name, strlen(ports[i].name));
        text_put(text, ",\"datatype\":\"FP32\",\"shape\":[");
        for (size_t d = 0; d < ports[i].rank; d++)
            text_format(text, d ? ",%" PRId64 : "%" PRId64, ports[i].dims[d]);
        text_put(text, "]");
        if (declared)
            write_declared(text, &ports[i]);
        text_put(text, "}");
    }
    text_put(text, "]");
}

static void write_ends(struct text *text, const struct model *model, bool declared)
{
    write_ports(text, "inputs", model->inputs, model->graph.input_count, declared);
    text_put(text, ",");
    write_ports(text, "outputs", model->outputs, model->graph.output_count, declared);
}

void describe_ports(struct text *text, const struct model *model)
{
    write_ends(text, model, false);
}

void describe_signature(struct text *text, const struct model *model)
{
    text_put(text, "\"name\":");
    text_quote(text, model->name, strlen(model->name));
    text_format(text, ",\"version\":\"%s\",\"digest\":\"%s\",", model->version, model->digest);
    write_ends(text, model, true);
}

/* Layers */

/* A normalisation runs as a depthwise convolution of a single pixel, which nobody wants to know. */
size_t describe_spatial(const struct graph *graph, const struct node *node)
{
    const bool slides =
        node->window.kernel[GRAPH_SPATIAL_MAX - 1] > 0 && (node->op != OP_depthwise || node->k > 1);
    const struct value *image = &graph->values[node->inputs[0]];
    const size_t leading = image->layout == LAYOUT_IMAGES ? 2 : 1; /* channels, and images */
    return slides && image->shape.rank > leading ? image->shape.rank - leading : 0;
}

static void write_sizes(struct text *text, const size_t *sizes, size_t count)
{
    text_put(text, "[");
    for (size_t i = 0; i < count; i++)
        text_format(text, i ? ",%zu" : "%zu", sizes[i]);
    text_put(text, "]");
}

static void write_window(struct text *text, const struct graph *graph, const struct node *node)
{
    const size_t spatial = describe_spatial(graph, node), first = GRAPH_SPATIAL_MAX - spatial;
    if (spatial == 0)
        return;
    text_put(text, ",\"kernel\":");
    write_sizes(text, node->window.kernel + first, spatial);
    text_put(text, ",\"stride\":");
    write_sizes(text, node->window.step + first, spatial);
    text_put(text, ",\"dilation\":");
    write_sizes(text, node->window.dilation + first, spatial);
    if (node->panels)
        text_format(text, ",\"groups\":%zu", node->op == OP_depthwise ? node->n : node->groups);
}

static void write_shapes(struct text *text, const struct graph *graph, const struct node *node)
{
    const struct shape *made = &graph->values[node->output].shape;
    const char *before = "";
    text_put(text, ",\"input_shapes\":[");
    for (size_t i = 0; i < node->input_count; i++) {
        const struct value *read = &graph->values[node->inputs[i]];
        if (read->constant)
            continue;
        text_put(text, before);
        write_sizes(text, read->shape.dims, read->shape.rank);
        before = ",";
    }
    text_put(text, "],\"output_shape\":");
    write_sizes(text, made->dims, made->rank);
}

static void write_layer(struct text *text, const struct graph *graph, const struct node *node)
{
    text_put(text, "{\"name\":");
    text_quote(text, node->name, strlen(node->name));
    text_format(text, ",\"kind\":\"%s\"", node_kind(node));
    write_shapes(text, graph, node);
    write_window(text, graph, node);
    text_put(text, ",\"activation\":");
    activation_write(text, &node->activation);
    text_format(text, ",\"parameters\":%zu,\"mflops\":", node_parameters(node));
    text_double(text, 1e-6 * (double)node_flops(graph, node));
    text_format(text, ",\"bytes\":%zu}", node_weight_bytes(node));
}

void describe_layers(struct text *text, const struct model *model)
{
    const char *before = "";
    text_put(text, "\"layers\":[");
    for (size_t i = 0; i < model->graph.node_count; i++) {
        const struct node *node = &model->graph.nodes[i];
        if (node->helper)
            continue;
        text_put(text, before);
        write_layer(text, &model->graph, node);
        before = ",";
    }
    text_put(text, "]");
}

struct costs describe_costs(const struct model *model)
{
    struct costs costs = {.parameters = 0};
    for (size_t i = 0; i < model->graph.node_count; i++) {
        const struct node *node = &model->graph.nodes[i];
        costs.parameters += node_parameters(node);
        costs.flops += node_flops(&model->graph, node);
        costs.weight_bytes += node_weight_bytes(node);
        costs.copies += node->helper;
    }
    costs.row_bytes = model->plan.floats_per_row * sizeof(float);
    costs.bitmap_row_bytes = model->plan.bits_per_row;
    return costs;
}
