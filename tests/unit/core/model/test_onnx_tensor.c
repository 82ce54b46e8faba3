/* Tensors that are refused: shapes, types, data, and how they fit the nodes that read them. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "refusals.h"

static void set_dims(Onnx__TensorProto *tensor, int64_t rows, int64_t columns)
{
    tensor->n_dims = 2;
    tensor->dims[0] = rows;
    tensor->dims[1] = columns;
}

static void set_weight(struct onnx_builder *b, float value)
{
    memcpy(tensor(b, FC2_WEIGHT)->raw_data.data + 4 * sizeof value, &value, sizeof value);
}

static void nan_weight(struct onnx_builder *b)
{
    set_weight(b, NAN);
}

static void infinite_weight(struct onnx_builder *b)
{
    set_weight(b, -INFINITY);
}

static void alpha_overflows(struct onnx_builder *b)
{
    onnx_float(b, node(b, GEMM), "alpha", 3e38f);
}

static void alpha_is_nan(struct onnx_builder *b)
{
    onnx_float(b, node(b, GEMM), "alpha", NAN);
}

static void double_weight(struct onnx_builder *b)
{
    tensor(b, FC1_WEIGHT)->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE;
}

static void untyped_weight(struct onnx_builder *b)
{
    tensor(b, FC1_WEIGHT)->has_data_type = 0;
}

static void huge_weight(struct onnx_builder *b)
{
    set_dims(tensor(b, FC1_WEIGHT), (int64_t)1 << 60, 4);
}

static void huge_product(struct onnx_builder *b)
{
    set_dims(tensor(b, FC1_WEIGHT), (int64_t)1 << 32, (int64_t)1 << 32);
}

static void negative_dim(struct onnx_builder *b)
{
    set_dims(tensor(b, FC1_WEIGHT), -3, 4);
}

static void zero_dim(struct onnx_builder *b)
{
    set_dims(tensor(b, FC1_WEIGHT), 0, 4);
    tensor(b, FC1_WEIGHT)->raw_data.len = 0;
}

static void too_many_dims(struct onnx_builder *b)
{
    static int64_t dims[9] = {3, 4, 1, 1, 1, 1, 1, 1, 1};
    tensor(b, FC1_WEIGHT)->n_dims = 9;
    tensor(b, FC1_WEIGHT)->dims = dims;
}

static void short_data(struct onnx_builder *b)
{
    tensor(b, FC1_WEIGHT)->raw_data.len -= 4;
}

static void ragged_data(struct onnx_builder *b)
{
    tensor(b, FC1_WEIGHT)->raw_data.len += 1;
}

static void no_data(struct onnx_builder *b)
{
    tensor(b, FC1_WEIGHT)->has_raw_data = 0;
}

static void external_data(struct onnx_builder *b)
{
    static Onnx__StringStringEntryProto entry = ONNX__STRING_STRING_ENTRY_PROTO__INIT;
    static Onnx__StringStringEntryProto *entries[1] = {&entry};
    entry.key = (char *)"location";
    entry.value = (char *)"/etc/passwd";
    tensor(b, FC1_WEIGHT)->external_data = entries;
    tensor(b, FC1_WEIGHT)->n_external_data = 1;
}

static void sparse_initializer(struct onnx_builder *b)
{
    static Onnx__SparseTensorProto sparse = ONNX__SPARSE_TENSOR_PROTO__INIT;
    static Onnx__SparseTensorProto *list[1] = {&sparse};
    b->graph->sparse_initializer = list;
    b->graph->n_sparse_initializer = 1;
}

static void weight_of_rank_1(struct onnx_builder *b)
{
    tensor(b, FC1_WEIGHT)->n_dims = 1;
    tensor(b, FC1_WEIGHT)->dims[0] = 12;
}

static void weight_of_rank_3(struct onnx_builder *b)
{
    static int64_t dims[3] = {3, 4, 1};
    tensor(b, FC1_WEIGHT)->n_dims = 3;
    tensor(b, FC1_WEIGHT)->dims = dims;
}

static void bias_mismatch(struct onnx_builder *b)
{
    node(b, GEMM)->input[2] = (char *)"fc2.bias";
}

static void bias_column(struct onnx_builder *b)
{
    set_dims(tensor(b, FC1_BIAS), 3, 1);
}

static void shape_mismatch(struct onnx_builder *b)
{
    set_dims(tensor(b, FC1_WEIGHT), 4, 3);
}

static void slopes_mismatch(struct onnx_builder *b)
{
    node(b, RELU)->op_type = (char *)"PRelu";
    node(b, RELU)->n_input = 2;
    node(b, RELU)->input[1] = (char *)"fc2.bias";
}

static void slope_missing(struct onnx_builder *b)
{
    node(b, RELU)->op_type = (char *)"PRelu";
}

static void initializer_defined_twice(struct onnx_builder *b)
{
    tensor(b, FC2_BIAS)->name = (char *)"fc1.bias";
}

static void nameless_initializer(struct onnx_builder *b)
{
    tensor(b, FC1_BIAS)->name = NULL;
}

static const struct refusal refusals[] = {
    {BREAK(nan_weight), "tensor \"fc2.weight\"|finite"},
    {BREAK(infinite_weight), "tensor \"fc2.weight\"|found -inf at element 4"},
    {BREAK(alpha_overflows), "tensor \"fc1.weight\"|alpha"},
    {BREAK(alpha_is_nan), "tensor \"fc1.weight\"|alpha"},
    {BREAK(double_weight), "tensor \"fc1.weight\"|its shape needs 12 numbers, the file holds 6"},
    {BREAK(untyped_weight), "tensor \"fc1.weight\"|data type"},
    {BREAK(huge_weight), "tensor \"fc1.weight\"|1152921504606846976"},
    {BREAK(huge_product), "tensor \"fc1.weight\"|impossible shape"},
    {BREAK(negative_dim), "tensor \"fc1.weight\"|impossible shape [-3, 4]"},
    {BREAK(zero_dim), "weight \"fc1.weight\"|found ["},
    {BREAK(too_many_dims), "tensor \"fc1.weight\"|at most 8 dimensions, found 9"},
    {BREAK(short_data), "tensor \"fc1.weight\"|needs 12 numbers, the file holds 11"},
    {BREAK(ragged_data), "tensor \"fc1.weight\"|needs 12 numbers"},
    {BREAK(no_data), "tensor \"fc1.weight\"|the file holds 0"},
    {BREAK(external_data), "tensor \"fc1.weight\"|external"},
    {BREAK(sparse_initializer), "sparse|"},
    {BREAK(weight_of_rank_1), "node 0|weight \"fc1.weight\": expected 2 dimensions, found 1"},
    {BREAK(weight_of_rank_3), "node 0|expected 2 dimensions, found 3"},
    {BREAK(bias_mismatch), "node 0|\"fc2.bias\": expected 3 numbers (or one), found the shape [2]"},
    {BREAK(bias_column),
     "node 0|the bias \"fc1.bias\" [3, 1] is not one for all rows; keep the batch"},
    {BREAK(shape_mismatch),
     "node 0|the shapes do not fit: weight \"fc1.weight\" [4, 3] takes 3 numbers, the input has 4"},
    {BREAK(slopes_mismatch),
     "node 1|the shapes do not fit: rows of [3] and of [2], 3 and 2 along one axis"},
    {BREAK(slope_missing), "node 1|at least 2 inputs, found 1"},
    {BREAK(initializer_defined_twice), "\"fc1.bias\" is defined twice|"},
    {BREAK(nameless_initializer), "initializer 1 has no name|"},
};

Test(onnx_tensor, what_is_broken_is_named)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        check_refusal(&refusals[i]);
}
