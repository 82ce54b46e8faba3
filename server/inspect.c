#include <stdarg.h>
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

/* The table of layers */

enum column { NAME, KIND, SHAPE, ACTIVATION, PARAMETERS, MFLOPS, BYTES, COLUMNS };
enum { CELL_BYTES = 320, WIDTH_MAX = 64, INPUTS_SHOWN = 4 };

struct row {
    char cells[COLUMNS][CELL_BYTES];
};

/* Appends to a cell what still fits it. */
static void add(char cell[CELL_BYTES], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(char cell[CELL_BYTES], const char *format, ...)
{
    const size_t length = strlen(cell);
    va_list args;
    va_start(args, format);
    vsnprintf(cell + length, CELL_BYTES - length, format, args);
    va_end(args);
}

/* 3x224x224, or 1 for a number that has no dimensions. */
static void add_sizes(char cell[CELL_BYTES], const size_t *sizes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add(cell, i ? "x%zu" : "%zu", sizes[i]);
    if (count == 0)
        add(cell, "1");
}

/* Sizes along each dimension of a window, once when all are the same; nothing when all are 1. */
static void add_steps(char cell[CELL_BYTES], const char *before, const size_t *steps, size_t count)
{
    bool same = true;
    for (size_t i = 1; i < count; i++)
        same &= steps[i] == steps[0];
    if (same && steps[0] == 1)
        return;
    add(cell, "%s", before);
    add_sizes(cell, steps, same ? 1 : count);
}

/* conv 3x3/2, conv 3x3 depthwise, conv 1x1 groups 32, conv 1x1 + add, max_pool 2x2/2. */
static void add_kind(char cell[CELL_BYTES], const struct graph *graph, const struct node *node)
{
    const size_t spatial = describe_spatial(graph, node), first = GRAPH_SPATIAL_MAX - spatial;
    add(cell, "%s", node_kind(node));
    if (spatial > 0) {
        add(cell, " ");
        add_sizes(cell, node->window.kernel + first, spatial);
        add_steps(cell, "/", node->window.step + first, spatial);
        add_steps(cell, " dilation ", node->window.dilation + first, spatial);
    }
    if (spatial > 0 && node->op == OP_depthwise)
        add(cell, " depthwise");
    if (node->groups > 1)
        add(cell, " groups %zu", node->groups);
    if (node->panels && node->input_count > 1)
        add(cell, " + add");
}

/* 64 -> 128; 12x8x8, 7x8x8 -> 19x8x8. What is added at the end of a layer is of the shape it has.
 */
static void add_shapes(char cell[CELL_BYTES], const struct graph *graph, const struct node *node)
{
    const struct shape *made = &graph->values[node->output].shape;
    const size_t count = node->panels ? 1 : node->input_count;
    const char *before = "";
    if (count > INPUTS_SHOWN)
        add(cell, "%zu inputs", count);
    for (size_t i = 0; i < count && count <= INPUTS_SHOWN; i++) {
        const struct value *read = &graph->values[node->inputs[i]];
        if (read->constant)
            continue;
        add(cell, "%s", before);
        add_sizes(cell, read->shape.dims, read->shape.rank);
        before = ", ";
    }
    add(cell, " -> ");
    add_sizes(cell, made->dims, made->rank);
}

/* relu, leaky_relu(alpha=0.01), clip(min=0,max=6): as --activation takes it. */
static void add_activation(char cell[CELL_BYTES], const struct node *node)
{
    const struct activation *activation = &node->activation;
    const struct activation_info *info = activation_info(activation->type);
    const char *before = "(";
    if (!op_has_units(node->op) && activation->type == ACTIVATION_identity)
        return;
    add(cell, "%s", info->name);
    for (size_t i = 0; i < ACTIVATION_PARAMETERS && !activation->slope; i++) {
        if (!info->parameters[i].name[0])
            continue;
        add(cell, "%s%s=%g", before, info->parameters[i].name, (double)activation->parameters[i]);
        before = ",";
    }
    add(cell, "%s", *before == ',' ? ")" : "");
}

static void fill(struct row *row, const struct graph *graph, const struct node *node)
{
    memset(row, 0, sizeof *row);
    add(row->cells[NAME], "%s", node->name);
    add_kind(row->cells[KIND], graph, node);
    add_shapes(row->cells[SHAPE], graph, node);
    add_activation(row->cells[ACTIVATION], node);
    add(row->cells[PARAMETERS], "%zu", node_parameters(node));
    add(row->cells[MFLOPS], "%.4f", 1e-6 * (double)node_flops(graph, node));
    add(row->cells[BYTES], "%zu", node_weight_bytes(node));
}

static void widen(int widths[COLUMNS], const struct row *row)
{
    for (int column = 0; column < COLUMNS; column++) {
        const int length = (int)strlen(row->cells[column]);
        if (length > widths[column] && length <= WIDTH_MAX)
            widths[column] = length;
    }
}

/* Texts stand at the left, numbers at the right. */
static void print_row(const int widths[COLUMNS], const struct row *row)
{
    printf("%-*s", widths[NAME], row->cells[NAME]);
    for (int column = NAME + 1; column < COLUMNS; column++)
        printf(column < PARAMETERS ? "  %-*s" : "  %*s", widths[column], row->cells[column]);
    printf("\n");
}

static void print_layers(const struct graph *graph)
{
    static const struct row head = {
        {"layer", "kind", "shape", "activation", "parameters", "MFLOPs", "bytes"}};
    int widths[COLUMNS] = {0};
    struct row row;
    widen(widths, &head);
    for (size_t i = 0; i < graph->node_count; i++) {
        fill(&row, graph, &graph->nodes[i]);
        if (!graph->nodes[i].helper)
            widen(widths, &row);
    }
    printf("\n");
    print_row(widths, &head);
    for (size_t i = 0; i < graph->node_count; i++) {
        fill(&row, graph, &graph->nodes[i]);
        if (!graph->nodes[i].helper)
            print_row(widths, &row);
    }
}

static void print_costs(const struct costs *costs)
{
    printf("\ntotal   %zu parameters, %.4f MFLOPs a row\n", costs->parameters,
           1e-6 * (double)costs->flops);
    printf("memory  %zu bytes of weights; plan %zu bytes a row, bitmaps %zu bytes a row\n",
           costs->weight_bytes, costs->row_bytes, costs->bitmap_row_bytes);
    if (costs->copies > 0)
        printf("copies  %zu not listed, which put numbers in another order\n", costs->copies);
}

static void print_model(const struct model *model)
{
    const struct costs costs = describe_costs(model);
    printf("model   %s version %s\ndigest  %s\n", model->name, model->version, model->digest);
    print_ports("input", model->inputs, model->graph.input_count);
    print_ports("output", model->outputs, model->graph.output_count);
    for (size_t i = 0; i < model->left_out_count; i++)
        printf("output  %s is not served: it does not hold float32 numbers\n", model->left_out[i]);
    if (model->whole)
        printf("whole   the file fixes its batch and mixes it: a row is one run of the file\n");
    print_layers(&model->graph);
    print_costs(&costs);
}

static void write_left_out(struct text *text, const struct model *model)
{
    text_put(text, "\"left_out\":[");
    for (size_t i = 0; i < model->left_out_count; i++) {
        text_put(text, i ? "," : "");
        text_quote(text, model->left_out[i], strlen(model->left_out[i]));
    }
    text_put(text, "],");
}

static void print_json(const struct model *model)
{
    const struct costs costs = describe_costs(model);
    struct text text = {.bytes = NULL};
    text_put(&text, "{");
    describe_signature(&text, model);
    text_put(&text, ",");
    write_left_out(&text, model);
    describe_layers(&text, model);
    text_format(&text, ",\"parameters\":%zu,\"mflops\":", costs.parameters);
    text_double(&text, 1e-6 * (double)costs.flops);
    text_format(&text,
                ",\"weight_bytes\":%zu,\"row_bytes\":%zu,\"bitmap_row_bytes\":%zu,\"copies\":%zu}",
                costs.weight_bytes, costs.row_bytes, costs.bitmap_row_bytes, costs.copies);
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
