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

static void set_number(Onnx__TensorProto *tensor, size_t i, float value)
{
    memcpy(tensor->raw_data.data + i * sizeof value, &value, sizeof value);
}

static void nan_weight(struct onnx_builder *b)
{
    set_number(tensor(b, FC2_WEIGHT), 4, NAN);
}

static void infinite_weight(struct onnx_builder *b)
{
    set_number(tensor(b, FC2_WEIGHT), 4, -INFINITY);
}

static void nan_bias(struct onnx_builder *b)
{
    set_number(tensor(b, FC1_BIAS), 2, NAN);
}

static void infinite_scalar_bias(struct onnx_builder *b)
{
    set_number(tensor(b, FC1_BIAS), 0, INFINITY);
    tensor(b, FC1_BIAS)->n_dims = 0;
    tensor(b, FC1_BIAS)->raw_data.len = 4;
}

static void beta_overflows(struct onnx_builder *b)
{
    onnx_float(b, node(b, GEMM), "beta", -INFINITY);
}

static void infinite_slope(struct onnx_builder *b)
{
    set_number(tensor(b, FC1_BIAS), 1, -INFINITY);
    node(b, GEMM)->n_input = 2;
    node(b, RELU)->op_type = (char *)"PRelu";
    node(b, RELU)->n_input = 2;
    node(b, RELU)->input[1] = (char *)"fc1.bias";
}

static void nan_alpha(struct onnx_builder *b)
{
    node(b, RELU)->op_type = (char *)"LeakyRelu";
    onnx_float(b, node(b, RELU), "alpha", NAN);
}

static void infinite_lrn(struct onnx_builder *b)
{
    node(b, RELU)->op_type = (char *)"LRN";
    onnx_int(b, node(b, RELU), "size", 1);
    onnx_float(b, node(b, RELU), "beta", INFINITY);
}

static void nan_bound(struct onnx_builder *b)
{
    node(b, RELU)->op_type = (char *)"Clip";
    onnx_float(b, node(b, RELU), "max", NAN);
}

/* A normalisation of fc1's units, by its bias and these. */
static void normalise(struct onnx_builder *b, float scale, float mean, float variance)
{
    const float scales[3] = {1, 1, scale}, means[3] = {1, 1, mean}, variances[3] = {1, 1, variance};
    onnx_matrix(b, "scale", 0, 3, scales);
    onnx_matrix(b, "mean", 0, 3, means);
    onnx_matrix(b, "variance", 0, 3, variances);
    node(b, RELU)->op_type = (char *)"BatchNormalization";
    node(b, RELU)->n_input = 5;
    node(b, RELU)->input[1] = (char *)"scale";
    node(b, RELU)->input[2] = (char *)"fc1.bias";
    node(b, RELU)->input[3] = (char *)"mean";
    node(b, RELU)->input[4] = (char *)"variance";
}

static void nan_mean(struct onnx_builder *b)
{
    normalise(b, 1, NAN, 1);
}

static void infinite_variance(struct onnx_builder *b)
{
    normalise(b, 1, 1, INFINITY);
}

static void negative_variance(struct onnx_builder *b)
{
    normalise(b, 1, 1, -2);
}

static void quotient_overflows(struct onnx_builder *b)
{
    normalise(b, 3e38f, 0, 1e-4f);
}

static void shift_overflows(struct onnx_builder *b)
{
    normalise(b, 2, 3e38f, 1);
}

static void scale_overflows(struct onnx_builder *b)
{
    normalise(b, 3e38f, 0, 1);
    set_number(tensor(b, FC1_WEIGHT), 11, 2);
}

static void factor_overflows(struct onnx_builder *b)
{
    onnx_matrix(b, "factor", 0, 2, (const float[]){1, 3e38f});
    node(b, ADD)->op_type = (char *)"Mul";
    node(b, ADD)->input[1] = (char *)"factor";
}

static void offset_overflows(struct onnx_builder *b)
{
    onnx_matrix(b, "offset", 0, 3, (const float[]){0, 3e38f, 0});
    set_number(tensor(b, FC1_BIAS), 1, 3e38f);
    node(b, RELU)->op_type = (char *)"Add";
    node(b, RELU)->n_input = 2;
    node(b, RELU)->input[1] = (char *)"offset";
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
    {BREAK(nan_weight), "tensor \"fc2.weight\"|expected finite numbers, found nan at element 4"},
    {BREAK(infinite_weight), "tensor \"fc2.weight\"|found -inf at element 4"},
    {BREAK(nan_bias),
     "node 0|tensor \"fc1.bias\": expected finite numbers, found nan at element 2"},
    {BREAK(infinite_scalar_bias), "node 0|tensor \"fc1.bias\": expected finite numbers, found inf"},
    {BREAK(beta_overflows), "node 0|tensor \"fc1.bias\": beta -inf makes a bias infinite"},
    {BREAK(infinite_slope), "node 1|tensor \"fc1.bias\": expected finite numbers, found -inf"},
    {BREAK(nan_alpha), "node 1|leaky_relu: alpha must be a finite float32, found nan"},
    {BREAK(infinite_lrn), "node 1|expected finite numbers as alpha, beta and bias, found inf"},
    {BREAK(nan_bound), "node 1|expected numbers as bounds, found -3.40282e+38 and nan"},
    {BREAK(nan_mean), "node 1|tensor \"mean\": expected finite numbers, found nan at element 2"},
    {BREAK(infinite_variance), "node 1|tensor \"variance\": expected finite numbers, found inf"},
    {BREAK(negative_variance),
     "node 1|channel 2 cannot be normalised: scale 1, bias -1, mean 1, variance -2, epsilon 1e-05"},
    {BREAK(quotient_overflows),
     "node 1|channel 2 cannot be normalised: scale 3e+38, bias -1, mean 0, variance 0.0001"},
    {BREAK(shift_overflows),
     "node 1|channel 2 cannot be normalised: scale 2, bias -1, mean 3e+38, variance 1"},
    {BREAK(scale_overflows), "node 1|tensor \"scale\": its factors make a weight infinite"},
    {BREAK(factor_overflows), "node 3|tensor \"factor\": its factors make a weight infinite"},
    {BREAK(offset_overflows), "node 1|tensor \"offset\" makes a bias of layer \"fc1\" infinite"},
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
    {BREAK(ragged_data),
     "tensor \"fc1.weight\"|its shape needs 12 numbers of 4 bytes, the file holds 49 bytes"},
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
