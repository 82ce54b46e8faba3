#include "onnx.h"

#include <inttypes.h>
#include <search.h>
#include <string.h>

#include "onnx_import.h"
#include "onnx_ports.h"

enum {
    OPSET_MIN = 1,
    INPUTS_MAX = 1024 /* of a node that takes any number of them */
};

/* Nodes */

static bool known_domain(const char *domain)
{
    return !domain || !domain[0] || strcmp(domain, "ai.onnx") == 0;
}

bool onnx_is_standard(const Onnx__NodeProto *node)
{
    return known_domain(node->domain) && node->op_type;
}

const struct onnx_op *onnx_op_named(const char *op_type)
{
    static const struct onnx_op ops[] = {
#define ONNX_OP(op, import, least, most) {#op, import, least, most},
#include "onnx_ops.def"
#undef ONNX_OP
    };
    static const struct onnx_op activation_op = {"", import_activation, 1, 1};
    struct activation activation;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (strcmp(ops[i].op_type, op_type) == 0)
            return &ops[i];
    return activation_by_onnx_op(&activation, op_type) ? &activation_op : NULL;
}

/* NULL when relud has none such. */
static const struct onnx_op *find_op(const struct importer *importer, const Onnx__NodeProto *node)
{
    static const struct onnx_op own = {"", import_own_activation, 1, 1};
    if (importer->layers && node->domain && strcmp(node->domain, ONNX_DOMAIN_RELUD) == 0)
        return &own;
    if (node->domain && node->op_type && strcmp(node->domain, ONNX_DOMAIN_ML) == 0)
        return onnx_ml_op_named(node->op_type);
    return onnx_is_standard(node) ? onnx_op_named(node->op_type) : NULL;
}

static enum status check_inputs(struct importer *importer, const Onnx__NodeProto *node,
                                const struct onnx_op *op, struct error *error)
{
    if (node->n_input < op->least)
        return error_set(error, STATUS_INVALID, "expected at least %zu inputs, found %zu",
                         op->least, node->n_input);
    if (node->n_input > op->most)
        return error_set(error, STATUS_TOO_LARGE, "expected at most %zu inputs, found %zu",
                         op->most, node->n_input);
    for (size_t i = 0; i < op->least; i++)
        if (!node->input[i][0])
            return error_set(error, STATUS_INVALID, "input %zu must not be left out", i);
    for (size_t i = 0; i < node->n_input; i++)
        if (node->input[i][0] && !importer_find(importer, node->input[i]))
            return error_set(error, STATUS_INVALID,
                             "input \"%s\" is made by no earlier node (a cycle, or a missing "
                             "initializer)",
                             node->input[i]);
    return STATUS_OK;
}

static enum status import_node(struct importer *importer, const Onnx__NodeProto *node,
                               struct error *error)
{
    const struct onnx_op *op = find_op(importer, node);
    if (!node->op_type)
        return error_set(error, STATUS_INVALID, "the node names no operator");
    if (!op && !known_domain(node->domain))
        return error_set(error, STATUS_UNSUPPORTED,
                         "operators of the domain \"%s\" are not supported", node->domain);
    if (!op)
        return error_set(error, STATUS_UNSUPPORTED, "the operator is not supported");
    if (check_inputs(importer, node, op, error) != STATUS_OK)
        return error->status;
    bool folds = node->n_input > 0 && onnx_is_standard(node) && onnx_foldable(importer, node);
    return folds ? onnx_fold(importer, node, error) : op->import(importer, node, error);
}

static enum status import_step(struct importer *importer, const struct step *step,
                               struct error *error)
{
    static const struct onnx_op fused = {"", NULL, 1, 1};
    if (!step->fused)
        return import_node(importer, step->proto, error);
    if (check_inputs(importer, step->proto, &fused, error) != STATUS_OK)
        return error->status;
    return import_fused(importer, step, error);
}

/* Says at which node, or layer, the import failed. */
static enum status name_fault(const struct importer *importer, size_t i, struct error *error)
{
    const Onnx__NodeProto *node = importer->proto->node[i];
    const char *name = node->name ? node->name : "";
    if (importer->layers)
        return error_prefix(error, "layer \"%s\"", name);
    return error_prefix(error, "node %zu \"%s\" (%s)", i, name, node->op_type ? node->op_type : "");
}

/* Imports the steps that are left, or those of them that read constants alone. */
static enum status import_steps(struct importer *importer, bool constants, struct error *error)
{
    for (size_t i = 0; i < importer->proto->n_node; i++) {
        struct step *step = &importer->steps[i];
        const Onnx__NodeProto *node = importer->proto->node[i];
        if (!step->proto || (constants && !onnx_foldable(importer, node)))
            continue;
        importer->current = node;
        if (import_step(importer, step, error) != STATUS_OK)
            return name_fault(importer, i, error);
        step->proto = NULL;
    }
    importer->current = NULL;
    return STATUS_OK;
}

static enum status import_nodes(struct importer *importer, struct error *error)
{
    if (import_steps(importer, true, error) != STATUS_OK || onnx_fuse(importer, error) != STATUS_OK)
        return error->status;
    return import_steps(importer, false, error);
}

/* The whole */

static enum status check_opset(const Onnx__ModelProto *proto, int64_t *version, struct error *error)
{
    for (size_t i = 0; i < proto->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *opset = proto->opset_import[i];
        *version = opset->version;
        if (known_domain(opset->domain) && opset->version >= OPSET_MIN)
            return STATUS_OK;
        if (known_domain(opset->domain))
            return error_set(error, STATUS_UNSUPPORTED,
                             "expected ONNX operator set %d or later, found %" PRId64, OPSET_MIN,
                             opset->version);
    }
    return error_set(error, STATUS_INVALID, "the file names no ONNX operator set");
}

/* A graph with room for what the nodes may become: each a few nodes, and one for every input and
 * output. */
static enum status open_graph(struct importer *importer, struct error *error)
{
    struct model *model = importer->model;
    size_t nodes = 8 * importer->proto->n_node + importer->operand_capacity;
    if (graph_init(&model->graph, &model->arena, nodes, nodes, error) != STATUS_OK)
        return error->status;
    importer->converted =
        arena_alloc(importer->scratch, model->graph.value_capacity, sizeof *importer->converted);
    importer->activated =
        arena_alloc(importer->scratch, model->graph.node_capacity, sizeof *importer->activated);
    return importer->converted && importer->activated
               ? STATUS_OK
               : error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the graph");
}

static enum status import_graph(struct importer *importer, struct onnx_trace *trace,
                                struct error *error)
{
    const Onnx__GraphProto *proto = importer->proto;
    if (proto->n_node > MODEL_NODES_MAX)
        return error_set(error, STATUS_TOO_LARGE, "expected at most %d nodes, found %zu",
                         MODEL_NODES_MAX, proto->n_node);
    if (importer_open(importer, error) != STATUS_OK)
        return error->status;
    if (open_graph(importer, error) == STATUS_OK &&
        import_initializers(importer, error) == STATUS_OK &&
        import_inputs(importer, error) == STATUS_OK && import_nodes(importer, error) == STATUS_OK &&
        import_outputs(importer, error) == STATUS_OK && trace)
        onnx_trace_fill(importer, trace, error);
    importer_close(importer);
    return error->status;
}

/* One attempt, with the batch apart or as an axis like the others. */
static enum status import_as(struct model *model, const struct onnx_graph *graph, bool whole,
                             bool *mixes, struct error *error)
{
    struct arena scratch;
    struct hsearch_data names = {0};
    struct importer importer = {.model = model,
                                .scratch = &scratch,
                                .proto = graph->proto,
                                .files = graph->files,
                                .names = &names,
                                .opset = graph->opset,
                                .row_max = MODEL_FEATURES_MAX,
                                .layers = graph->layers,
                                .batch = -1,
                                .whole = whole,
                                .mixes = mixes};
    error->status = STATUS_OK;
    *mixes = false;
    arena_init(&scratch, MODEL_MEMORY_BYTES_MAX);
    enum status status = import_graph(&importer, graph->trace, error);
    arena_free(&scratch);
    return status;
}

/* What a refused attempt has left is thrown away. */
static void begin_again(struct model *model)
{
    arena_free(&model->arena);
    arena_init(&model->arena, MODEL_MEMORY_BYTES_MAX);
    memset(model->inputs, 0, sizeof model->inputs);
    memset(model->outputs, 0, sizeof model->outputs);
    model->left_out_count = 0;
}

enum status onnx_import_graph(struct model *model, const struct onnx_graph *graph,
                              struct error *error)
{
    bool mixes;
    import_as(model, graph, false, &mixes, error);
    if (error->status == STATUS_OK || !mixes || !onnx_inputs_fixed(graph->proto))
        return error->status;
    begin_again(model);
    model->whole = import_as(model, graph, true, &mixes, error) == STATUS_OK;
    return error->status;
}

enum status onnx_import_traced(struct model *model, const struct onnx_file *file,
                               struct onnx_trace *trace, struct error *error)
{
    struct onnx_graph graph = {.proto = file->proto->graph, .files = &file->files, .trace = trace};
    error->status = STATUS_OK;
    if (!graph.proto)
        return error_set(error, STATUS_INVALID, "the file holds no graph");
    if (check_opset(file->proto, &graph.opset, error) != STATUS_OK)
        return error->status;
    return onnx_import_graph(model, &graph, error);
}

enum status onnx_import(struct model *model, const struct onnx_file *file, struct error *error)
{
    return onnx_import_traced(model, file, NULL, error);
}
