#include "onnx_ports.h"

#include <inttypes.h>
#include <string.h>

enum status import_initializers(struct importer *importer, struct error *error)
{
    const Onnx__GraphProto *proto = importer->proto;
    if (proto->n_sparse_initializer > 0)
        return error_set(error, STATUS_UNSUPPORTED, "sparse initializers are not supported");
    for (size_t i = 0; i < proto->n_initializer; i++) {
        const Onnx__TensorProto *tensor = proto->initializer[i];
        struct operand operand = {.is_constant = true, .initializer = true};
        if (!tensor->name || !tensor->name[0])
            return error_set(error, STATUS_INVALID, "initializer %zu has no name", i);
        if (onnx_is_needed(importer, tensor->name) &&
            onnx_tensor(importer, tensor, &operand.tensor, error) != STATUS_OK)
            return error->status;
        if (importer_enter(importer, tensor->name, operand, error) != STATUS_OK)
            return error->status;
    }
    return STATUS_OK;
}

/* Inputs */

/* NULL when the input is no tensor. */
static const Onnx__TypeProto__Tensor *tensor_type(const Onnx__ValueInfoProto *info)
{
    bool tensor = info->type && info->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    return tensor ? info->type->tensor_type : NULL;
}

static bool is_fixed(const Onnx__TensorShapeProto__Dimension *dim)
{
    return dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
}

/* -1 when the dimension is open. */
static int64_t dimension(const Onnx__TensorShapeProto__Dimension *dim)
{
    return is_fixed(dim) && dim->dim_value > 0 ? dim->dim_value : -1;
}

bool onnx_inputs_fixed(const Onnx__GraphProto *graph)
{
    for (size_t i = 0; i < graph->n_input; i++) {
        const Onnx__TypeProto__Tensor *type = tensor_type(graph->input[i]);
        if (!type || !type->shape)
            return false;
        for (size_t d = 0; d < type->shape->n_dim; d++)
            if (!is_fixed(type->shape->dim[d]))
                return false;
    }
    return true;
}

static enum status read_dims(struct importer *importer, const Onnx__TensorShapeProto *shape,
                             struct port *port, struct error *error)
{
    port->rank = shape ? shape->n_dim : 0;
    if (!shape)
        return error_set(error, STATUS_UNSUPPORTED,
                         "input \"%s\": expected a shape, whose first dimension may be open, found "
                         "none",
                         port->name);
    if (port->rank > TENSOR_RANK_MAX)
        return error_set(error, STATUS_UNSUPPORTED,
                         "input \"%s\": expected at most %d dimensions, found %zu", port->name,
                         TENSOR_RANK_MAX, port->rank);
    if (port->rank == 0 && !importer->whole)
        return importer_mixes(importer, error, "input \"%s\" has no dimension for a batch",
                              port->name);
    for (size_t i = 0; i < port->rank; i++) {
        const bool batch = i == 0 && !importer->whole;
        port->dims[i] = batch ? -1 : dimension(shape->dim[i]);
        if (port->dims[i] == -1 && !batch)
            return error_set(error, STATUS_UNSUPPORTED,
                             "input \"%s\": dimension %zu must be fixed; only the batch may vary",
                             port->name, i);
    }
    return STATUS_OK;
}

/* Several inputs that fix different batches have none in common. */
static enum status read_batch(struct importer *importer, const Onnx__TensorShapeProto *shape,
                              const char *name, struct error *error)
{
    bool first = importer->model->graph.input_count == 0;
    int64_t batch = dimension(shape->dim[0]);
    if (!first && batch != importer->batch && batch != -1 && importer->batch != -1)
        return importer_mixes(importer, error,
                              "input \"%s\" fixes its first dimension to %" PRId64
                              ", an input before it to %" PRId64,
                              name, batch, importer->batch);
    if (first || batch != -1)
        importer->batch = batch;
    return STATUS_OK;
}

/* The declared shape of an input: [batch, fixed…]. */
static enum status read_shape(struct importer *importer, const Onnx__ValueInfoProto *info,
                              struct port *port, struct error *error)
{
    const Onnx__TypeProto__Tensor *type = tensor_type(info);
    if (!type)
        return error_set(error, STATUS_UNSUPPORTED,
                         "input \"%s\" must be a float32 tensor, found none", port->name);
    if (type->elem_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT)
        return error_set(error, STATUS_UNSUPPORTED,
                         "input \"%s\" must be a float32 tensor, found ONNX data type %" PRId32,
                         port->name, type->elem_type);
    if (read_dims(importer, type->shape, port, error) != STATUS_OK ||
        (!importer->whole && read_batch(importer, type->shape, port->name, error) != STATUS_OK))
        return error->status;
    const size_t first = importer_hidden(importer);
    if (!dims_count(port->dims + first, port->rank - first, &port->features) ||
        port->features == 0 || port->features > MODEL_FEATURES_MAX) {
        char text[DIMS_TEXT_BYTES];
        return error_set(error, STATUS_INVALID,
                         "expected 1 to %d numbers in a row of \"%s\", found the shape %s",
                         MODEL_FEATURES_MAX, port->name, dims_text(text, port->dims, port->rank));
    }
    return STATUS_OK;
}

static enum status import_input(struct importer *importer, const Onnx__ValueInfoProto *info,
                                struct error *error)
{
    struct model *model = importer->model;
    struct operand operand = {.is_constant = false};
    if (model->graph.input_count == GRAPH_IO_MAX)
        return error_set(error, STATUS_TOO_LARGE, "expected at most %d inputs", GRAPH_IO_MAX);
    struct port *port = &model->inputs[model->graph.input_count];
    port->name = arena_text(&model->arena, info->name, strlen(info->name));
    if (!port->name)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the inputs");
    if (read_shape(importer, info, port, error) != STATUS_OK)
        return error->status;
    const size_t first = importer_hidden(importer);
    struct shape shape = {.rank = port->rank - first};
    for (size_t i = 0; i < shape.rank; i++)
        shape.dims[i] = (size_t)port->dims[first + i];
    if (graph_add_input(&model->graph, port->name, &shape, &operand.value, error) != STATUS_OK)
        return error->status;
    return importer_enter(importer, info->name, operand, error);
}

enum status import_inputs(struct importer *importer, struct error *error)
{
    const Onnx__GraphProto *proto = importer->proto;
    for (size_t i = 0; i < proto->n_input; i++) {
        const Onnx__ValueInfoProto *info = proto->input[i];
        if (!info->name || !info->name[0])
            return error_set(error, STATUS_INVALID, "input %zu has no name", i);
        const struct operand *operand = importer_find(importer, info->name);
        if (operand && operand->is_constant)
            continue; /* an initializer listed among the inputs, as old files do */
        if (import_input(importer, info, error) != STATUS_OK)
            return error->status;
    }
    if (importer->model->graph.input_count == 0)
        return error_set(error, STATUS_INVALID, "the graph has no input");
    return STATUS_OK;
}

/* Outputs */

/* Inside, booleans are floats; outside, they would be taken for something else. */
static enum status check_output_type(const Onnx__ValueInfoProto *info, struct error *error)
{
    const Onnx__TypeProto__Tensor *type = tensor_type(info);
    if (!type || !type->has_elem_type ||
        type->elem_type == ONNX__TENSOR_PROTO__DATA_TYPE__UNDEFINED ||
        type->elem_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT)
        return STATUS_OK;
    return error_set(error, STATUS_UNSUPPORTED,
                     "output \"%s\" must be a float32 tensor, found ONNX data type %" PRId32,
                     info->name, type->elem_type);
}

static enum status import_output(struct importer *importer, const Onnx__ValueInfoProto *info,
                                 struct error *error)
{
    struct model *model = importer->model;
    struct graph *graph = &model->graph;
    const char *name = info->name;
    const struct operand *operand = importer_find(importer, name);
    if (!operand)
        return error_set(error, STATUS_INVALID, "output \"%s\" is made by no node", name);
    if (operand->is_constant)
        return error_set(error, STATUS_UNSUPPORTED,
                         "output \"%s\" is a constant, which depends on no input", name);
    if (check_output_type(info, error) != STATUS_OK)
        return error->status;
    uint32_t value = operand->value;
    const struct value *made = &graph->values[value];
    if (made->positions > 1 &&
        importer_layout(importer, value, LAYOUT_PLAIN, &value, error) != STATUS_OK)
        return error->status;
    if (graph_add_output(graph, value, error) != STATUS_OK)
        return error->status;
    struct port *port = &model->outputs[graph->output_count - 1];
    const size_t first = importer_hidden(importer);
    *port = (struct port){.rank = made->shape.rank + first,
                          .dims = {-1},
                          .features = made->features,
                          .name = arena_text(&model->arena, name, strlen(name))};
    if (port->rank > TENSOR_RANK_MAX)
        return error_set(error, STATUS_UNSUPPORTED, "output \"%s\" has more than %d dimensions",
                         name, TENSOR_RANK_MAX);
    for (size_t i = 0; i < made->shape.rank; i++)
        port->dims[first + i] = (int64_t)made->shape.dims[i];
    const Onnx__NodeProto *zip_map = onnx_zip_map(importer, name);
    if (zip_map)
        port->labels = onnx_zip_map_labels(&model->arena, zip_map, port->features);
    return port->name ? STATUS_OK
                      : error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the outputs");
}

/* Remembers an output that is not served. */
static enum status leave_out(struct importer *importer, const char *name, struct error *error)
{
    struct model *model = importer->model;
    const char *copy = arena_text(&model->arena, name, strlen(name));
    if (!copy)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the outputs");
    model->left_out[model->left_out_count++] = copy;
    return STATUS_OK;
}

enum status import_outputs(struct importer *importer, struct error *error)
{
    const Onnx__GraphProto *proto = importer->proto;
    if (proto->n_output > GRAPH_IO_MAX)
        return error_set(error, STATUS_TOO_LARGE, "expected at most %d outputs, found %zu",
                         GRAPH_IO_MAX, proto->n_output);
    for (size_t i = 0; i < proto->n_output; i++) {
        const Onnx__ValueInfoProto *info = proto->output[i];
        if (!info->name || !info->name[0])
            return error_set(error, STATUS_INVALID, "output %zu has no name", i);
        if (importer->left_out[i] ? leave_out(importer, info->name, error) != STATUS_OK
                                  : import_output(importer, info, error) != STATUS_OK)
            return error->status;
    }
    if (proto->n_output == 0)
        return error_set(error, STATUS_INVALID, "the graph has no output");
    return STATUS_OK;
}
