#include "draft.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "wire.h"

/* An attribute and its numbers. */
struct attribute {
    Onnx__AttributeProto proto;
    int64_t ints[DRAFT_INTS_MAX];
};

/* A node and all it points to. */
struct draft_node {
    Onnx__NodeProto proto; /* the first member: who has it has the node */
    char *inputs[DRAFT_INPUTS_MAX], *outputs[1], output[32];
    Onnx__AttributeProto *list[DRAFT_ATTRIBUTES_MAX];
    struct attribute attributes[DRAFT_ATTRIBUTES_MAX];
};

struct draft_tensor {
    Onnx__TensorProto proto;
    struct wire_place place;
    int64_t dims[TENSOR_RANK_MAX];
};

/* The one input, the one output and all they point to. */
struct draft_ports {
    Onnx__ValueInfoProto input, output, *inputs[1], *outputs[1];
    Onnx__TypeProto type;
    Onnx__TypeProto__Tensor tensor;
    Onnx__TensorShapeProto shape;
    Onnx__TensorShapeProto__Dimension dims[TENSOR_RANK_MAX + 1], *list[TENSOR_RANK_MAX + 1];
};

enum status draft_open(struct draft *draft, struct arena *arena, size_t nodes, size_t tensors,
                       struct error *error)
{
    Onnx__NodeProto **node_list = arena_alloc(arena, nodes, sizeof *node_list);
    Onnx__TensorProto **tensor_list = arena_alloc(arena, tensors, sizeof *tensor_list);
    draft->graph = arena_alloc(arena, 1, sizeof *draft->graph);
    draft->ports = arena_alloc(arena, 1, sizeof *draft->ports);
    draft->nodes = arena_alloc(arena, nodes, sizeof *draft->nodes);
    draft->tensors = arena_alloc(arena, tensors, sizeof *draft->tensors);
    if (!node_list || !tensor_list || !draft->graph || !draft->ports || !draft->nodes ||
        !draft->tensors)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the layers");
    onnx__graph_proto__init(draft->graph);
    draft->graph->node = node_list;
    draft->graph->initializer = tensor_list;
    draft->graph->input = draft->ports->inputs;
    draft->graph->output = draft->ports->outputs;
    return STATUS_OK;
}

/* The next dimension of the input; the first, of no known value, is the batch. */
static Onnx__TensorShapeProto__Dimension *add_dim(struct draft_ports *ports)
{
    const size_t i = ports->shape.n_dim++;
    onnx__tensor_shape_proto__dimension__init(&ports->dims[i]);
    return ports->list[i] = &ports->dims[i];
}

void draft_input(struct draft *draft, const char *name, const struct shape *shape)
{
    struct draft_ports *ports = draft->ports;
    onnx__value_info_proto__init(&ports->input);
    onnx__type_proto__init(&ports->type);
    onnx__type_proto__tensor__init(&ports->tensor);
    onnx__tensor_shape_proto__init(&ports->shape);
    ports->input.name = (char *)name;
    ports->input.type = &ports->type;
    ports->type.value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    ports->type.tensor_type = &ports->tensor;
    ports->tensor.has_elem_type = 1;
    ports->tensor.elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    ports->tensor.shape = &ports->shape;
    ports->shape.dim = ports->list;
    add_dim(ports);
    for (size_t i = 0; i < shape->rank; i++) {
        Onnx__TensorShapeProto__Dimension *dim = add_dim(ports);
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        dim->dim_value = (int64_t)shape->dims[i];
    }
    ports->inputs[draft->graph->n_input++] = &ports->input;
}

void draft_output(struct draft *draft, const char *name)
{
    struct draft_ports *ports = draft->ports;
    onnx__value_info_proto__init(&ports->output);
    ports->output.name = (char *)name;
    ports->outputs[draft->graph->n_output++] = &ports->output;
}

static struct draft_tensor *add_tensor(struct draft *draft, const char *name, int32_t type,
                                       size_t rank, const int64_t *dims)
{
    struct draft_tensor *tensor = &draft->tensors[draft->graph->n_initializer];
    onnx__tensor_proto__init(&tensor->proto);
    memcpy(tensor->dims, dims, rank * sizeof *dims);
    tensor->proto.name = (char *)name;
    tensor->proto.has_data_type = 1;
    tensor->proto.data_type = type;
    tensor->proto.n_dims = rank;
    tensor->proto.dims = tensor->dims;
    draft->graph->initializer[draft->graph->n_initializer++] = &tensor->proto;
    return tensor;
}

void draft_tensor(struct draft *draft, const char *name, int32_t type, size_t rank,
                  const int64_t *dims, size_t offset, size_t bytes)
{
    struct draft_tensor *tensor = add_tensor(draft, name, type, rank, dims);
    wire_place_init(&tensor->place, &tensor->proto, offset, bytes);
}

void draft_floats(struct draft *draft, const char *name, size_t count, const float *numbers)
{
    const int64_t dims[1] = {(int64_t)count};
    struct draft_tensor *tensor =
        add_tensor(draft, name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 1, dims);
    tensor->proto.n_float_data = count;
    tensor->proto.float_data = (float *)numbers;
}

Onnx__NodeProto *draft_node(struct draft *draft, const char *op_type, const char *name,
                            const char *input)
{
    const size_t index = draft->graph->n_node++;
    struct draft_node *node = &draft->nodes[index];
    onnx__node_proto__init(&node->proto);
    snprintf(node->output, sizeof node->output, "node %zu", index);
    node->outputs[0] = node->output;
    node->proto.op_type = (char *)op_type;
    node->proto.name = (char *)name;
    node->proto.input = node->inputs;
    node->proto.output = node->outputs;
    node->proto.n_output = 1;
    node->proto.attribute = node->list;
    draft_reads(&node->proto, input);
    return draft->graph->node[index] = &node->proto;
}

void draft_reads(Onnx__NodeProto *node, const char *input)
{
    assert(node->n_input < DRAFT_INPUTS_MAX);
    node->input[node->n_input++] = (char *)input;
}

/* Attributes */

static struct attribute *add_attribute(Onnx__NodeProto *proto, const char *name)
{
    struct draft_node *node = (struct draft_node *)proto;
    assert(proto->n_attribute < DRAFT_ATTRIBUTES_MAX);
    struct attribute *attribute = &node->attributes[proto->n_attribute];
    onnx__attribute_proto__init(&attribute->proto);
    attribute->proto.name = (char *)name;
    proto->attribute[proto->n_attribute++] = &attribute->proto;
    return attribute;
}

void draft_int(Onnx__NodeProto *node, const char *name, int64_t value)
{
    struct attribute *attribute = add_attribute(node, name);
    attribute->proto.has_i = 1;
    attribute->proto.i = value;
}

void draft_ints(Onnx__NodeProto *node, const char *name, size_t count, const int64_t *values)
{
    struct attribute *attribute = add_attribute(node, name);
    assert(count <= DRAFT_INTS_MAX);
    memcpy(attribute->ints, values, count * sizeof *values);
    attribute->proto.n_ints = count;
    attribute->proto.ints = attribute->ints;
}

void draft_float(Onnx__NodeProto *node, const char *name, float value)
{
    struct attribute *attribute = add_attribute(node, name);
    attribute->proto.has_f = 1;
    attribute->proto.f = value;
}

void draft_text(Onnx__NodeProto *node, const char *name, const char *value)
{
    struct attribute *attribute = add_attribute(node, name);
    attribute->proto.has_s = 1;
    attribute->proto.s = (ProtobufCBinaryData){strlen(value), (uint8_t *)value};
}
