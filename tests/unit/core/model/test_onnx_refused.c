/* Graphs that are refused, and that the sentence names the node or value at fault. Each case breaks
 * the small network of onnx_small(), which is sound, in one place. */
#include <criterion/criterion.h>
#include <string.h>

#include "model/onnx.h"
#include "refusals.h"

static Onnx__TypeProto__Tensor *input_type(struct onnx_builder *builder)
{
    return builder->graph->input[0]->type->tensor_type;
}

static void unknown_operator(struct onnx_builder *b)
{
    node(b, RELU)->op_type = (char *)"Loop";
    node(b, RELU)->name = (char *)"stem/conv";
}

static void no_operator(struct onnx_builder *b)
{
    node(b, RELU)->op_type = NULL;
}

static void foreign_domain(struct onnx_builder *b)
{
    node(b, RELU)->domain = (char *)"com.microsoft";
}

/* relud's own, which model.json's layers alone become. */
static void own_domain(struct onnx_builder *b)
{
    node(b, RELU)->domain = (char *)ONNX_DOMAIN_RELUD;
    node(b, RELU)->op_type = (char *)"silu";
}

static void cycle(struct onnx_builder *b)
{
    node(b, GEMM)->input[0] = (char *)"y";
}

static void missing_initializer(struct onnx_builder *b)
{
    node(b, MATMUL)->input[1] = (char *)"nowhere";
}

static void missing_input(struct onnx_builder *b)
{
    node(b, MATMUL)->n_input = 1;
}

static void too_many_inputs(struct onnx_builder *b)
{
    node(b, RELU)->n_input = 2;
    node(b, RELU)->input[1] = (char *)"x";
}

static void empty_input(struct onnx_builder *b)
{
    node(b, MATMUL)->input[0] = (char *)"";
}

static void no_node_output(struct onnx_builder *b)
{
    node(b, RELU)->n_output = 0;
}

static void defined_twice(struct onnx_builder *b)
{
    node(b, RELU)->output[0] = (char *)"z1";
}

static void nameless_input(struct onnx_builder *b)
{
    b->graph->input[0]->name = NULL;
}

static void nameless_output(struct onnx_builder *b)
{
    b->graph->output[0]->name = NULL;
}

static void trans_a(struct onnx_builder *b)
{
    onnx_int(b, node(b, GEMM), "transA", 1);
}

static void attribute_of_wrong_type(struct onnx_builder *b)
{
    onnx_int(b, node(b, GEMM), "alpha", 1);
}

static void float_for_an_integer(struct onnx_builder *b)
{
    node(b, GEMM)->n_attribute = 0;
    onnx_float(b, node(b, GEMM), "transB", 1);
}

static void no_graph(struct onnx_builder *b)
{
    b->model->graph = NULL;
}

static void no_opset(struct onnx_builder *b)
{
    b->model->n_opset_import = 0;
}

static void old_opset(struct onnx_builder *b)
{
    b->model->opset_import[0]->version = 0;
}

static void foreign_opset(struct onnx_builder *b)
{
    b->model->opset_import[0]->domain = (char *)"com.example";
}

static void no_input(struct onnx_builder *b)
{
    b->graph->n_input = 0;
}

static void only_constants(struct onnx_builder *b)
{
    b->graph->n_input = b->graph->n_node = 0;
}

static void no_output(struct onnx_builder *b)
{
    b->graph->n_output = 0;
}

static void unknown_output(struct onnx_builder *b)
{
    b->graph->output[0]->name = (char *)"nowhere";
}

static void constant_output(struct onnx_builder *b)
{
    b->graph->output[0]->name = (char *)"fc1.bias";
}

static void boolean_output(struct onnx_builder *b)
{
    b->graph->output[0]->type->tensor_type->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL;
}

static void too_many_outputs(struct onnx_builder *b)
{
    Onnx__ValueInfoProto **list = arena_alloc(&b->arena, GRAPH_IO_MAX + 1, sizeof *list);
    for (size_t i = 0; i <= GRAPH_IO_MAX; i++)
        list[i] = b->graph->output[0];
    b->graph->output = list;
    b->graph->n_output = GRAPH_IO_MAX + 1;
}

static void double_input(struct onnx_builder *b)
{
    input_type(b)->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE;
}

static void typeless_input(struct onnx_builder *b)
{
    b->graph->input[0]->type = NULL;
}

static void shapeless_input(struct onnx_builder *b)
{
    input_type(b)->shape = NULL;
}

static void input_of_rank_1(struct onnx_builder *b)
{
    input_type(b)->shape->n_dim = 1;
}

static void open_feature(struct onnx_builder *b)
{
    input_type(b)->shape->dim[1] = input_type(b)->shape->dim[0];
}

static void huge_input(struct onnx_builder *b)
{
    input_type(b)->shape->dim[1]->dim_value = (int64_t)1 << 60;
}

static void input_beyond_limit(struct onnx_builder *b)
{
    input_type(b)->shape->dim[1]->dim_value = MODEL_FEATURES_MAX + 1;
}

static void negative_input(struct onnx_builder *b)
{
    input_type(b)->shape->dim[1]->dim_value = -4;
}

static void residual_add(struct onnx_builder *b)
{
    node(b, ADD)->input[1] = (char *)"h1";
}

/* relu(z) + b is no bias. */
static void add_to_an_input(struct onnx_builder *b)
{
    node(b, ADD)->input[0] = (char *)"x";
}

static void weight_from_a_value(struct onnx_builder *b)
{
    node(b, MATMUL)->input[1] = (char *)"z1";
}

static void constant_input(struct onnx_builder *b)
{
    node(b, MATMUL)->input[0] = (char *)"fc1.weight";
}

static void cast_to_double(struct onnx_builder *b)
{
    node(b, RELU)->op_type = (char *)"Cast";
    onnx_int(b, node(b, RELU), "to", ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE);
}

static void flatten_the_batch(struct onnx_builder *b)
{
    node(b, RELU)->op_type = (char *)"Flatten";
    onnx_int(b, node(b, RELU), "axis", 0);
}

static void softmax_over_the_batch(struct onnx_builder *b)
{
    node(b, RELU)->op_type = (char *)"Softmax";
    onnx_int(b, node(b, RELU), "axis", 0);
}

static void constant_of_nothing(struct onnx_builder *b)
{
    node(b, RELU)->op_type = (char *)"Constant";
    node(b, RELU)->n_input = 0;
}

static void constant_of_no_tensor(struct onnx_builder *b)
{
    node(b, RELU)->op_type = (char *)"Constant";
    node(b, RELU)->n_input = 0;
    onnx_int(b, node(b, RELU), "value", 1);
}

static void reshape_to(struct onnx_builder *b, size_t count, const int64_t *shape)
{
    onnx_initializer(b, onnx_ints(b, "shape", count, shape));
    node(b, RELU)->op_type = (char *)"Reshape";
    node(b, RELU)->n_input = 2;
    node(b, RELU)->input[1] = (char *)"shape";
}

static void reshape_mixes_rows(struct onnx_builder *b)
{
    reshape_to(b, 2, (const int64_t[]){-1, 6});
}

static void reshape_to_open_rows(struct onnx_builder *b)
{
    reshape_to(b, 2, (const int64_t[]){-1, -1});
}

static void reshape_to_a_fixed_batch(struct onnx_builder *b)
{
    reshape_to(b, 2, (const int64_t[]){7, 3});
}

static void reshape_to_rank_3(struct onnx_builder *b)
{
    reshape_to(b, 3, (const int64_t[]){-1, 3, 1});
}

static void reshape_to_floats(struct onnx_builder *b)
{
    reshape_to(b, 2, (const int64_t[]){-1, 3});
    node(b, RELU)->input[1] = (char *)"fc2.bias";
}

/* A constant of as many rows as there are, which exporters begin recurrent networks with. */
static void zeros_for_each_row(struct onnx_builder *b)
{
    node(b, RELU)->op_type = (char *)"ConstantOfShape";
    onnx_node(b, "Shape", "", "x", "rows");
    Onnx__NodeProto *last = b->graph->node[b->graph->n_node - 1];
    memmove(&b->graph->node[1], &b->graph->node[0], (b->graph->n_node - 1) * sizeof last);
    b->graph->node[0] = last;
    last = node(b, RELU + 1);
    last->input[0] = (char *)"rows";
}

static void one_expanded_to_each_row(struct onnx_builder *b)
{
    zeros_for_each_row(b);
    Onnx__NodeProto *expand = node(b, RELU + 1);
    expand->op_type = (char *)"Expand";
    expand->n_input = 2;
    expand->input[0] = (char *)"one";
    expand->input[1] = (char *)"rows";
    onnx_matrix(b, "one", 1, 1, (const float[]){1});
}

static const struct refusal refusals[] = {
    {BREAK(zeros_for_each_row),
     "node 2 \"\" (ConstantOfShape)|the shape repeats a constant for each row"},
    {BREAK(one_expanded_to_each_row),
     "node 2 \"\" (Expand)|the shape repeats \"one\" for each row"},
    {BREAK(unknown_operator), "node 1 \"stem/conv\" (Loop)|the operator is not supported"},
    {BREAK(no_operator), "node 1|names no operator"},
    {BREAK(foreign_domain),
     "node 1 \"\" (Relu)|operators of the domain \"com.microsoft\" are not supported"},
    {BREAK(own_domain), "node 1 \"\" (silu)|operators of the domain \"relud\" are not supported"},
    {BREAK(cycle), "node 0|\"y\" is made by no earlier node"},
    {BREAK(missing_initializer), "node 2|\"nowhere\" is made by no earlier node"},
    {BREAK(missing_input), "node 2|at least 2 inputs, found 1"},
    {BREAK(too_many_inputs), "node 1 \"\" (Relu)|expected at most 1 inputs, found 2"},
    {BREAK(empty_input), "node 2|input 0 must not be left out"},
    {BREAK(no_node_output), "node 1|no output"},
    {BREAK(defined_twice), "node 1|\"z1\" is defined twice"},
    {BREAK(nameless_input), "input 0 has no name|"},
    {BREAK(nameless_output), "output 0 has no name|"},
    {BREAK(trans_a), "node 0|transA exchanges the batch of \"x\" with its columns; keep the batch"},
    {BREAK(attribute_of_wrong_type), "node 0|attribute \"alpha\" must be a float"},
    {BREAK(float_for_an_integer), "node 0|attribute \"transB\" must be an integer"},
    {BREAK(no_graph), "no graph|"},
    {BREAK(no_opset), "operator set|"},
    {BREAK(old_opset), "operator set 1 or later, found 0|"},
    {BREAK(foreign_opset), "operator set|"},
    {BREAK(no_input), "no input|"},
    {BREAK(only_constants), "no input|"},
    {BREAK(no_output), "no output|"},
    {BREAK(unknown_output), "output \"nowhere\" is made by no node|"},
    {BREAK(constant_output), "output \"fc1.bias\" is a constant|"},
    {BREAK(boolean_output), "output \"y\" must be a float32 tensor|found ONNX data type 9"},
    {BREAK(too_many_outputs), "expected at most 32 outputs, found 33|"},
    {BREAK(double_input), "input \"x\" must be a float32 tensor|found ONNX data type 11"},
    {BREAK(typeless_input), "input \"x\" must be a float32 tensor, found none|"},
    {BREAK(shapeless_input), "input \"x\"|expected a shape"},
    {BREAK(input_of_rank_1), "node 0|the input has 1"},
    {BREAK(open_feature), "input \"x\"|dimension 1 must be fixed"},
    {BREAK(huge_input), "\"x\"|1152921504606846976"},
    {BREAK(input_beyond_limit), "\"x\"|16777217"},
    {BREAK(negative_input), "input \"x\"|dimension 1"},
    {BREAK(residual_add),
     "node 3|the shapes do not fit: rows of [2] and of [3], 2 and 3 along one axis"},
    {BREAK(add_to_an_input), "node 3 \"\" (Add)|rows of [4] and of [2]"},
    {BREAK(weight_from_a_value), "node 2|the batch of \"z1\" would be multiplied"},
    {BREAK(constant_input),
     "node 2|the shapes do not fit: weight \"fc2.weight\" [3, 2] takes 3 numbers, the input has 4"},
    {BREAK(cast_to_double), "node 1|expected a cast to float32 (1) or bool (9), found ONNX data "
                            "type 11"},
    {BREAK(flatten_the_batch),
     "node 1|flattening \"z1\" at axis 0 joins its rows; keep the batch as dimension 0 of every "
     "value, or export the model with a fixed batch size"},
    {BREAK(softmax_over_the_batch), "node 1|axis 0 of \"z1\" is the batch; keep the batch"},
    {BREAK(constant_of_nothing), "node 1|\"value\""},
    {BREAK(constant_of_no_tensor), "node 1|attribute \"value\" must be a tensor"},
    {BREAK(reshape_mixes_rows),
     "node 1|the shape [-1, 6] joins or splits the rows of \"z1\"; keep the batch"},
    {BREAK(reshape_to_open_rows), "node 1|the shape [-1, -1] joins or splits the rows of \"z1\""},
    {BREAK(reshape_to_a_fixed_batch), "node 1|the shape [7, 3] joins or splits the rows of \"z1\""},
    {BREAK(reshape_to_rank_3),
     "node 2|the shapes do not fit: weight \"fc2.weight\" [3, 2] takes 3 numbers, the input has 1"},
    {BREAK(reshape_to_floats), "node 1|shape must be whole numbers"},
};

Test(onnx_refused, what_is_broken_is_named)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        check_refusal(&refusals[i]);
}

/* Every allocation in turn finds the arena full: an error each time, never a half-read model. */
Test(onnx_refused, without_memory_it_says_so)
{
    struct onnx_builder builder;
    struct model model;
    struct error error = {STATUS_OK, ""};
    size_t count, failures = 0;
    onnx_open(&builder);
    onnx_small(&builder);
    const uint8_t *bytes = onnx_pack(&builder, &count);
    for (enum status status = STATUS_IO; status != STATUS_OK; failures++) {
        memset(&model, 0, sizeof model);
        arena_init(&model.arena, failures * ARENA_ALIGNMENT);
        status = onnx_import_bytes(&model, bytes, count, &error);
        cr_assert(status == STATUS_OK || status == STATUS_OUT_OF_MEMORY, "%zu: %s", failures,
                  error.message);
        cr_assert(status != STATUS_OK ||
                      (model.graph.input_count == 1 && model.graph.output_count == 1 &&
                       model.inputs[0].name && model.graph.node_count == 2),
                  "accepted with %zu bytes, half read", failures * ARENA_ALIGNMENT);
        model_close(&model);
    }
    cr_assert(failures > 20);
    onnx_close(&builder);
}
