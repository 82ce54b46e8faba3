/* Floating-point nodes whose inputs are all constant: a graph of that one node is run once, with
 * the kernels that serve. */
#include "graph/session.h"
#include "onnx_import.h"

static enum status run_graph(struct importer *importer, const struct model *model, uint32_t output,
                             struct tensor *result, struct error *error)
{
    const struct value *value = &model->graph.values[output];
    const struct kernels *kernels = kernels_select("auto", error);
    struct session session;
    struct plan plan;
    void *data;
    *result = (struct tensor){.dtype = DTYPE_FLOAT32, .rank = value->shape.rank};
    for (size_t i = 0; i < result->rank; i++)
        result->dims[i] = (int64_t)value->shape.dims[i];
    if (!kernels || onnx_fold_room(importer, result, &data, error) != STATUS_OK ||
        plan_init(&plan, &model->graph, error) != STATUS_OK ||
        session_open(&session, &plan, kernels, STATS_off, 1, error) != STATUS_OK)
        return error->status;
    session_begin(&session, 1);
    session_advance(&session, UINT64_MAX);
    session_output(&session, 0, 0, data);
    session_close(&session);
    return STATUS_OK;
}

/* Imports node into a graph of its own and takes what it makes. */
static enum status fold_in(struct importer *aside, const Onnx__NodeProto *node,
                           struct tensor *result, struct error *error)
{
    struct graph *graph = &aside->model->graph;
    const size_t room = 16 + 4 * node->n_input + node->n_output;
    if (graph_init(graph, &aside->model->arena, room, room, error) != STATUS_OK)
        return error->status;
    aside->converted =
        arena_alloc(&aside->model->arena, graph->value_capacity, sizeof *aside->converted);
    if (!aside->converted)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for a constant");
    if (onnx_op_named(node->op_type)->import(aside, node, error) != STATUS_OK)
        return error->status;
    struct operand *made = node->n_output ? importer_find(aside, node->output[0]) : NULL;
    if (!made || made->is_constant)
        return STATUS_OK; /* an alias */
    uint32_t value = made->value;
    if (importer_layout(aside, value, LAYOUT_PLAIN, &value, error) != STATUS_OK ||
        graph_add_output(graph, value, error) != STATUS_OK ||
        run_graph(aside, aside->model, value, result, error) != STATUS_OK)
        return error->status;
    made->is_constant = true;
    made->tensor = *result;
    return STATUS_OK;
}

enum status onnx_fold_floats(struct importer *importer, const Onnx__NodeProto *node,
                             struct error *error)
{
    struct tensor result;
    struct model *model = arena_alloc(importer->scratch, 1, sizeof *model);
    if (!model)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for a constant");
    if (node->n_output != 1)
        return error_set(error, STATUS_UNSUPPORTED, "a constant node with several outputs");
    arena_init(&model->arena, MODEL_MEMORY_BYTES_MAX);
    struct importer aside = *importer;
    aside.model = model;
    aside.whole = true;
    aside.batch = -1;
    aside.row_max = FOLD_COUNT_MAX;
    enum status status = fold_in(&aside, node, &result, error);
    arena_free(&model->arena);
    return status;
}
