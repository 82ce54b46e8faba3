#include "onnx_builder.h"

#include <criterion/criterion.h>
#include <string.h>

#include "graph/session.h"
#include "model/onnx.h"

static void *make(struct onnx_builder *builder, size_t bytes)
{
    void *memory = arena_alloc(&builder->arena, 1, bytes);
    cr_assert(memory);
    return memory;
}

/* Room for ONNX_BUILDER_MAX pointers. */
static void *make_list(struct onnx_builder *builder)
{
    return make(builder, ONNX_BUILDER_MAX * sizeof(void *));
}

static char *copy(struct onnx_builder *builder, const char *text)
{
    return arena_text(&builder->arena, text, strlen(text));
}

void onnx_open(struct onnx_builder *builder)
{
    arena_init(&builder->arena, SIZE_MAX / 2);
    Onnx__ModelProto *model = make(builder, sizeof *model);
    Onnx__GraphProto *graph = make(builder, sizeof *graph);
    Onnx__OperatorSetIdProto *opset = make(builder, sizeof *opset);
    onnx__model_proto__init(model);
    onnx__graph_proto__init(graph);
    onnx__operator_set_id_proto__init(opset);
    opset->has_version = 1;
    opset->version = ONNX_BUILDER_OPSET;
    model->has_ir_version = 1;
    model->ir_version = 8;
    model->graph = graph;
    model->n_opset_import = 1;
    model->opset_import = make_list(builder);
    model->opset_import[0] = opset;
    graph->name = copy(builder, "test");
    graph->node = make_list(builder);
    graph->initializer = make_list(builder);
    graph->input = make_list(builder);
    graph->output = make_list(builder);
    builder->model = model;
    builder->graph = graph;
}

void onnx_close(struct onnx_builder *builder)
{
    arena_free(&builder->arena);
}

static Onnx__TensorShapeProto__Dimension *make_dimension(struct onnx_builder *builder, int64_t dim)
{
    Onnx__TensorShapeProto__Dimension *made = make(builder, sizeof *made);
    onnx__tensor_shape_proto__dimension__init(made);
    if (dim == -1) {
        made->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        made->dim_param = copy(builder, "N");
    } else {
        made->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        made->dim_value = dim;
    }
    return made;
}

static Onnx__ValueInfoProto *make_info(struct onnx_builder *builder, const char *name, size_t rank,
                                       const int64_t *dims)
{
    Onnx__ValueInfoProto *info = make(builder, sizeof *info);
    Onnx__TypeProto *type = make(builder, sizeof *type);
    Onnx__TypeProto__Tensor *tensor = make(builder, sizeof *tensor);
    Onnx__TensorShapeProto *shape = make(builder, sizeof *shape);
    onnx__value_info_proto__init(info);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(tensor);
    onnx__tensor_shape_proto__init(shape);
    shape->n_dim = rank;
    shape->dim = make_list(builder);
    for (size_t i = 0; i < rank; i++)
        shape->dim[i] = make_dimension(builder, dims[i]);
    tensor->has_elem_type = 1;
    tensor->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    tensor->shape = shape;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    info->name = copy(builder, name);
    info->type = type;
    return info;
}

Onnx__ValueInfoProto *onnx_input(struct onnx_builder *builder, const char *name, size_t rank,
                                 const int64_t *dims)
{
    return builder->graph->input[builder->graph->n_input++] = make_info(builder, name, rank, dims);
}

Onnx__ValueInfoProto *onnx_output(struct onnx_builder *builder, const char *name)
{
    Onnx__ValueInfoProto *info = make_info(builder, name, 1, (const int64_t[]){-1});
    return builder->graph->output[builder->graph->n_output++] = info;
}

static size_t split(struct onnx_builder *builder, const char *names, char **list)
{
    size_t count = 0;
    for (char *at = copy(builder, names), *name; (name = strtok_r(at, " ", &at));)
        list[count++] = strcmp(name, "_") == 0 ? name + 1 : name;
    return count;
}

Onnx__NodeProto *onnx_node(struct onnx_builder *builder, const char *op_type, const char *name,
                           const char *inputs, const char *output)
{
    Onnx__NodeProto *node = make(builder, sizeof *node);
    onnx__node_proto__init(node);
    node->op_type = copy(builder, op_type);
    node->name = copy(builder, name);
    node->input = make_list(builder);
    node->n_input = split(builder, inputs, node->input);
    node->output = make_list(builder);
    node->n_output = split(builder, output, node->output);
    node->attribute = make_list(builder);
    return builder->graph->node[builder->graph->n_node++] = node;
}

static Onnx__AttributeProto *add_attribute(struct onnx_builder *builder, Onnx__NodeProto *node,
                                           const char *name)
{
    Onnx__AttributeProto *attribute = make(builder, sizeof *attribute);
    onnx__attribute_proto__init(attribute);
    attribute->name = copy(builder, name);
    return node->attribute[node->n_attribute++] = attribute;
}

static void set_type(Onnx__AttributeProto *attribute, Onnx__AttributeProto__AttributeType type)
{
    attribute->has_type = 1;
    attribute->type = type;
}

Onnx__AttributeProto *onnx_int(struct onnx_builder *builder, Onnx__NodeProto *node,
                               const char *name, int64_t value)
{
    Onnx__AttributeProto *attribute = add_attribute(builder, node, name);
    attribute->has_i = 1;
    attribute->i = value;
    set_type(attribute, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    return attribute;
}

Onnx__AttributeProto *onnx_int_list(struct onnx_builder *builder, Onnx__NodeProto *node,
                                    const char *name, size_t count, const int64_t *values)
{
    Onnx__AttributeProto *attribute = add_attribute(builder, node, name);
    attribute->n_ints = count;
    attribute->ints = make(builder, count * sizeof *values);
    memcpy(attribute->ints, values, count * sizeof *values);
    set_type(attribute, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    return attribute;
}

Onnx__AttributeProto *onnx_float(struct onnx_builder *builder, Onnx__NodeProto *node,
                                 const char *name, float value)
{
    Onnx__AttributeProto *attribute = add_attribute(builder, node, name);
    attribute->has_f = 1;
    attribute->f = value;
    set_type(attribute, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    return attribute;
}

Onnx__AttributeProto *onnx_list(struct onnx_builder *builder, Onnx__NodeProto *node,
                                const char *name, size_t count, const int64_t *values)
{
    Onnx__AttributeProto *attribute = add_attribute(builder, node, name);
    attribute->n_ints = count;
    attribute->ints = make(builder, count * sizeof *values);
    memcpy(attribute->ints, values, count * sizeof *values);
    set_type(attribute, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    return attribute;
}

Onnx__AttributeProto *onnx_text(struct onnx_builder *builder, Onnx__NodeProto *node,
                                const char *name, const char *value)
{
    Onnx__AttributeProto *attribute = add_attribute(builder, node, name);
    attribute->has_s = 1;
    attribute->s.len = strlen(value);
    attribute->s.data = (uint8_t *)copy(builder, value);
    set_type(attribute, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    return attribute;
}

Onnx__AttributeProto *onnx_value(struct onnx_builder *builder, Onnx__NodeProto *node,
                                 const char *name, Onnx__TensorProto *value)
{
    Onnx__AttributeProto *attribute = add_attribute(builder, node, name);
    attribute->t = value;
    set_type(attribute, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR);
    return attribute;
}

static Onnx__TensorProto *make_tensor(struct onnx_builder *builder, const char *name, size_t rank,
                                      const int64_t *dims, int32_t type)
{
    Onnx__TensorProto *tensor = make(builder, sizeof *tensor);
    onnx__tensor_proto__init(tensor);
    tensor->name = copy(builder, name);
    tensor->n_dims = rank;
    tensor->dims = make(builder, (rank + 1) * sizeof *dims);
    for (size_t i = 0; i < rank; i++)
        tensor->dims[i] = dims[i];
    tensor->has_data_type = 1;
    tensor->data_type = type;
    return tensor;
}

static void set_raw(struct onnx_builder *builder, Onnx__TensorProto *tensor, const void *data,
                    size_t bytes)
{
    tensor->has_raw_data = 1;
    tensor->raw_data.len = bytes;
    tensor->raw_data.data = make(builder, bytes + 1);
    memcpy(tensor->raw_data.data, data, bytes);
}

Onnx__TensorProto *onnx_floats(struct onnx_builder *builder, const char *name, size_t rank,
                               const int64_t *dims, const float *data)
{
    size_t count = 0;
    Onnx__TensorProto *tensor =
        make_tensor(builder, name, rank, dims, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
    cr_assert(dims_count(dims, rank, &count));
    set_raw(builder, tensor, data, count * sizeof *data);
    return tensor;
}

Onnx__TensorProto *onnx_ints(struct onnx_builder *builder, const char *name, size_t count,
                             const int64_t *data)
{
    const int64_t dims[1] = {(int64_t)count};
    Onnx__TensorProto *tensor =
        make_tensor(builder, name, 1, dims, ONNX__TENSOR_PROTO__DATA_TYPE__INT64);
    set_raw(builder, tensor, data, count * sizeof *data);
    return tensor;
}

Onnx__TensorProto *onnx_initializer(struct onnx_builder *builder, Onnx__TensorProto *tensor)
{
    return builder->graph->initializer[builder->graph->n_initializer++] = tensor;
}

Onnx__TensorProto *onnx_matrix(struct onnx_builder *builder, const char *name, int64_t rows,
                               int64_t columns, const float *data)
{
    const int64_t dims[2] = {rows, columns};
    Onnx__TensorProto *tensor =
        onnx_floats(builder, name, rows > 0 ? 2 : 1, rows > 0 ? dims : dims + 1, data);
    return onnx_initializer(builder, tensor);
}

void onnx_small(struct onnx_builder *builder)
{
    static const float fc1[12] = {1, 2, 3, 4, -5, -6, -7, -8, 0.5f, 0.25f, -0.125f, 1};
    static const float fc1_bias[3] = {0.5f, 1, -1};
    static const float fc2[6] = {1, -1, 2, -2, 3, 3};
    static const float fc2_bias[2] = {10, 20};
    onnx_input(builder, "x", 2, (const int64_t[]){-1, 4});
    onnx_matrix(builder, "fc1.weight", 3, 4, fc1);
    onnx_matrix(builder, "fc1.bias", 0, 3, fc1_bias);
    onnx_matrix(builder, "fc2.weight", 3, 2, fc2);
    onnx_matrix(builder, "fc2.bias", 0, 2, fc2_bias);
    onnx_int(builder, onnx_node(builder, "Gemm", "", "x fc1.weight fc1.bias", "z1"), "transB", 1);
    onnx_node(builder, "Relu", "", "z1", "h1");
    onnx_node(builder, "MatMul", "", "h1 fc2.weight", "m2");
    onnx_node(builder, "Add", "", "m2 fc2.bias", "y");
    onnx_output(builder, "y");
}

const uint8_t *onnx_pack(struct onnx_builder *builder, size_t *count)
{
    *count = onnx__model_proto__get_packed_size(builder->model);
    uint8_t *bytes = make(builder, *count + 1);
    cr_assert(onnx__model_proto__pack(builder->model, bytes) == *count);
    return bytes;
}

enum status onnx_import_bytes(struct model *model, const uint8_t *bytes, size_t count,
                              struct error *error)
{
    struct onnx_file onnx;
    if (onnx_file_of_bytes(&onnx, bytes, count, error) != STATUS_OK)
        return error->status;
    const enum status status = onnx_import(model, &onnx, error);
    onnx_file_close(&onnx);
    return status;
}

enum status onnx_load_bytes(struct model *model, const uint8_t *bytes, size_t count,
                            struct error *error)
{
    *model = (struct model){.name = "test", .version = "1", .level = STATS_full};
    arena_init(&model->arena, MODEL_MEMORY_BYTES_MAX);
    error->message[0] = '\0';
    if (onnx_import_bytes(model, bytes, count, error) != STATUS_OK)
        return error->status;
    return plan_init(&model->plan, &model->graph, error);
}

enum status onnx_load(struct onnx_builder *builder, struct model *model, struct error *error)
{
    size_t count;
    const uint8_t *bytes = onnx_pack(builder, &count);
    return onnx_load_bytes(model, bytes, count, error);
}

void model_run_on(const struct model *model, const struct kernels *kernels, const float *x,
                  size_t rows, float *y)
{
    struct session session;
    struct error error;
    cr_assert(session_open(&session, &model->plan, kernels, STATS_off, rows, &error) == STATUS_OK,
              "%s", error.message);
    session_bind(&session, 0, x);
    session_begin(&session, rows);
    cr_assert(session_advance(&session, UINT64_MAX));
    const size_t n = model->outputs[0].features;
    for (size_t row = 0; row < rows; row++)
        session_output(&session, 0, row, y + row * n);
    session_close(&session);
}

void model_run(const struct model *model, const float *x, size_t rows, float *y)
{
    model_run_on(model, kernels_select("auto", NULL), x, rows, y);
}
