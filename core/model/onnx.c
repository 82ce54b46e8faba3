#include "onnx.h"

#include <inttypes.h>
#include <search.h>
#include <string.h>

#include "onnx_import.h"
#include "wire.h"

enum { OPSET_MIN = 7 };

struct importer {
    struct model *model;
    const Onnx__GraphProto *proto;
    struct hsearch_data names; /* name -> struct operand */
    struct operand *operands;  /* one for each name in the file */
    size_t operand_count;
    int64_t batch;
};

struct graph *importer_graph(struct importer *importer)
{
    return &importer->model->graph;
}

int64_t importer_batch(const struct importer *importer)
{
    return importer->batch;
}

/* The operand of that name, NULL when nothing has defined it yet. */
static struct operand *find(struct importer *importer, const char *name)
{
    ENTRY *found;
    if (!hsearch_r((ENTRY){.key = (char *)name}, FIND, &found, &importer->names))
        return NULL;
    struct operand *operand = found->data;
    return operand->defined ? operand : NULL;
}

struct operand *importer_operand(struct importer *importer, const Onnx__NodeProto *node, size_t i)
{
    return i < node->n_input && node->input[i][0] ? find(importer, node->input[i]) : NULL;
}

/* The place of a name in the file, made at its first mention. The table has room for all. */
static struct operand *mention(struct importer *importer, const char *name)
{
    ENTRY *entry;
    struct operand *place = &importer->operands[importer->operand_count];
    if (!hsearch_r((ENTRY){.key = (char *)name, .data = place}, ENTER, &entry, &importer->names))
        return NULL;
    importer->operand_count += entry->data == place;
    return entry->data;
}

/* Counts every reading of a name, by nodes and by the graph's outputs. */
static bool count_uses(struct importer *importer)
{
    const Onnx__GraphProto *proto = importer->proto;
    struct operand *operand;
    for (size_t i = 0; i < proto->n_node; i++) {
        for (size_t j = 0; j < proto->node[i]->n_input; j++) {
            if (!(operand = mention(importer, proto->node[i]->input[j])))
                return false;
            operand->uses++;
        }
    }
    for (size_t i = 0; i < proto->n_output; i++) {
        if (!(operand = mention(importer, proto->output[i]->name ? proto->output[i]->name : "")))
            return false;
        operand->uses++;
    }
    return true;
}

/* Gives name its operand; a name is defined once. What reads the operand under names it has
 * already, but for the node that renames it, goes on reading it. */
static enum status define(struct importer *importer, const char *name, struct operand operand,
                          struct error *error)
{
    struct operand *place = mention(importer, name);
    if (!place)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the name \"%s\"", name);
    if (place->defined)
        return error_set(error, STATUS_INVALID, "\"%s\" is defined twice", name);
    operand.uses = place->uses + (operand.uses > 0 ? operand.uses - 1 : 0);
    operand.defined = true;
    *place = operand;
    return STATUS_OK;
}

enum status importer_define(struct importer *importer, const Onnx__NodeProto *node,
                            struct operand operand, struct error *error)
{
    if (node->n_output < 1 || !node->output[0][0])
        return error_set(error, STATUS_INVALID, "the node has no output");
    return define(importer, node->output[0], operand, error);
}

/* Initializers */

static enum status import_initializers(struct importer *importer, struct error *error)
{
    const Onnx__GraphProto *proto = importer->proto;
    if (proto->n_sparse_initializer > 0)
        return error_set(error, STATUS_UNSUPPORTED, "sparse initializers are not supported");
    for (size_t i = 0; i < proto->n_initializer; i++) {
        const Onnx__TensorProto *tensor = proto->initializer[i];
        if (!tensor->name || !tensor->name[0])
            return error_set(error, STATUS_INVALID, "initializer %zu has no name", i);
        struct operand operand = {.name = tensor->name, .constant = tensor, .initializer = true};
        if (define(importer, tensor->name, operand, error) != STATUS_OK)
            return error->status;
    }
    return STATUS_OK;
}

/* Inputs and outputs */

static enum status read_features(struct port *port, struct error *error)
{
    if (!dims_count(port->dims + 1, port->rank - 1, &port->features) || port->features == 0 ||
        port->features > MODEL_FEATURES_MAX) {
        char text[DIMS_TEXT_BYTES];
        return error_set(error, STATUS_INVALID,
                         "expected 1 to %d numbers in a row of \"%s\", found the shape %s",
                         MODEL_FEATURES_MAX, port->name, dims_text(text, port->dims, port->rank));
    }
    return STATUS_OK;
}

/* The declared shape of an input: [batch, fixed…]. */
static enum status read_shape(struct importer *importer, const Onnx__ValueInfoProto *info,
                              struct port *port, struct error *error)
{
    const Onnx__TypeProto__Tensor *type =
        info->type && info->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE
            ? info->type->tensor_type
            : NULL;
    if (!type || type->elem_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT)
        return error_set(error, STATUS_UNSUPPORTED, "input \"%s\" must be a float32 tensor",
                         port->name);
    port->rank = type->shape ? type->shape->n_dim : 0;
    if (port->rank < 2 || port->rank > TENSOR_RANK_MAX)
        return error_set(
            error, STATUS_UNSUPPORTED,
            "input \"%s\": expected the shape [batch, features…], found %zu dimensions", port->name,
            port->rank);
    for (size_t i = 0; i < port->rank; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = type->shape->dim[i];
        bool fixed = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        if (i > 0 && (!fixed || dim->dim_value < 1))
            return error_set(error, STATUS_UNSUPPORTED,
                             "input \"%s\": dimension %zu must be fixed; only the batch may vary",
                             port->name, i);
        port->dims[i] = i > 0 ? dim->dim_value : -1;
        if (i == 0 && fixed && dim->dim_value > 0)
            importer->batch = dim->dim_value;
    }
    return read_features(port, error);
}

static enum status import_inputs(struct importer *importer, struct error *error)
{
    struct model *model = importer->model;
    const Onnx__GraphProto *proto = importer->proto;
    for (size_t i = 0; i < proto->n_input; i++) {
        const Onnx__ValueInfoProto *info = proto->input[i];
        if (!info->name || !info->name[0])
            return error_set(error, STATUS_INVALID, "input %zu has no name", i);
        if (find(importer, info->name))
            continue; /* an initializer listed among the inputs, as old files do */
        if (model->graph.input_count == GRAPH_IO_MAX)
            return error_set(error, STATUS_TOO_LARGE, "expected at most %d inputs", GRAPH_IO_MAX);
        struct port *port = &model->inputs[model->graph.input_count];
        port->name = arena_text(&model->arena, info->name, strlen(info->name));
        struct operand operand = {.name = info->name};
        if (!port->name)
            return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the inputs");
        if (read_shape(importer, info, port, error) != STATUS_OK ||
            graph_add_input(&model->graph, port->name, port->features, &operand.value, error) !=
                STATUS_OK)
            return error->status;
        operand.rank = port->rank;
        memcpy(operand.dims, port->dims, sizeof operand.dims);
        if (define(importer, info->name, operand, error) != STATUS_OK)
            return error->status;
    }
    if (model->graph.input_count == 0)
        return error_set(error, STATUS_INVALID, "the graph has no input");
    return STATUS_OK;
}

static enum status import_outputs(struct importer *importer, struct error *error)
{
    struct model *model = importer->model;
    for (size_t i = 0; i < importer->proto->n_output; i++) {
        const char *name = importer->proto->output[i]->name;
        const struct operand *operand = name ? find(importer, name) : NULL;
        if (!operand || operand->constant)
            return error_set(error, STATUS_INVALID, "output \"%s\" is made by no node",
                             name ? name : "");
        if (graph_add_output(&model->graph, operand->value, error) != STATUS_OK)
            return error->status;
        struct port *port = &model->outputs[i];
        *port = (struct port){.rank = operand->rank};
        port->name = arena_text(&model->arena, name, strlen(name));
        port->features = model->graph.values[operand->value].features;
        memcpy(port->dims, operand->dims, sizeof port->dims);
        if (!port->name)
            return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the outputs");
    }
    if (model->graph.output_count == 0)
        return error_set(error, STATUS_INVALID, "the graph has no output");
    return STATUS_OK;
}

/* Nodes */

static enum status check_inputs(struct importer *importer, const Onnx__NodeProto *node,
                                size_t needed, struct error *error)
{
    for (size_t i = 0; i < needed; i++)
        if (i >= node->n_input || !node->input[i][0])
            return error_set(error, STATUS_INVALID, "expected at least %zu inputs, found %zu",
                             needed, i);
    for (size_t i = 0; i < node->n_input; i++)
        if (node->input[i][0] && !find(importer, node->input[i]))
            return error_set(error, STATUS_INVALID,
                             "input \"%s\" is made by no earlier node (a cycle, or a missing "
                             "initializer)",
                             node->input[i]);
    return STATUS_OK;
}

static bool known_domain(const char *domain)
{
    return !domain || !domain[0] || strcmp(domain, "ai.onnx") == 0;
}

static enum status import_node(struct importer *importer, const Onnx__NodeProto *node,
                               struct error *error)
{
    const char *op = node->op_type ? node->op_type : "";
    size_t inputs = 0;
    import_function *import = known_domain(node->domain) ? onnx_op_importer(op, &inputs) : NULL;
    if (!import)
        return error_set(error, STATUS_UNSUPPORTED, "the operator is not supported");
    enum status status = check_inputs(importer, node, inputs, error);
    return status == STATUS_OK ? import(importer, node, error) : status;
}

static enum status import_nodes(struct importer *importer, struct error *error)
{
    for (size_t i = 0; i < importer->proto->n_node; i++) {
        const Onnx__NodeProto *node = importer->proto->node[i];
        if (import_node(importer, node, error) != STATUS_OK)
            return error_prefix(error, "node %zu \"%s\" (%s)", i, node->name ? node->name : "",
                                node->op_type ? node->op_type : "");
    }
    return STATUS_OK;
}

/* The whole */

static enum status check_opset(const Onnx__ModelProto *proto, struct error *error)
{
    for (size_t i = 0; i < proto->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *opset = proto->opset_import[i];
        if (known_domain(opset->domain) && opset->version >= OPSET_MIN)
            return STATUS_OK;
        if (known_domain(opset->domain))
            return error_set(error, STATUS_UNSUPPORTED,
                             "expected ONNX operator set %d or later, found %" PRId64, OPSET_MIN,
                             opset->version);
    }
    return error_set(error, STATUS_INVALID, "the file names no ONNX operator set");
}

/* At most so many names are there in the file; at least one. */
static size_t count_names(const Onnx__GraphProto *proto)
{
    size_t names = 1 + proto->n_initializer + proto->n_input + proto->n_output;
    for (size_t i = 0; i < proto->n_node; i++)
        names += proto->node[i]->n_input + 1;
    return names;
}

static enum status import_graph(struct importer *importer, struct error *error)
{
    const Onnx__GraphProto *proto = importer->proto;
    if (proto->n_node > MODEL_NODES_MAX)
        return error_set(error, STATUS_TOO_LARGE, "expected at most %d nodes, found %zu",
                         MODEL_NODES_MAX, proto->n_node);
    struct model *model = importer->model;
    size_t names = count_names(proto);
    importer->operands = arena_alloc(&model->arena, names, sizeof *importer->operands);
    if (!importer->operands || !hcreate_r(names * 2, &importer->names))
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the names");
    if (!count_uses(importer))
        error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the names");
    else if (graph_init(&model->graph, &model->arena, proto->n_node, error) == STATUS_OK &&
             import_initializers(importer, error) == STATUS_OK &&
             import_inputs(importer, error) == STATUS_OK &&
             import_nodes(importer, error) == STATUS_OK)
        import_outputs(importer, error);
    hdestroy_r(&importer->names);
    return error->status;
}

enum status onnx_import(struct model *model, const uint8_t *bytes, size_t count,
                        struct error *error)
{
    error->status = STATUS_OK;
    if (wire_check(&onnx__model_proto__descriptor, bytes, count, error) != STATUS_OK)
        return error->status;
    Onnx__ModelProto *proto = onnx__model_proto__unpack(NULL, count, bytes);
    if (!proto)
        return error_set(error, STATUS_INVALID, "expected an ONNX protobuf, found something else");
    if (!proto->graph)
        error_set(error, STATUS_INVALID, "the file holds no graph");
    else if (check_opset(proto, error) == STATUS_OK) {
        struct importer importer = {.model = model, .proto = proto->graph, .batch = -1};
        import_graph(&importer, error);
    }
    onnx__model_proto__free_unpacked(proto, NULL);
    return error->status;
}
