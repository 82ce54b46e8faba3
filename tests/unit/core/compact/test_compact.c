/* Which units compact takes out, and how. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compacted.h"
#include "randoms.h"

static const struct compact_options plain = {.fold = false}, folding = {.fold = true};

/* A network under construction. */
struct sketch {
    struct onnx_builder onnx;
    struct randoms random;
};

static void begin(struct sketch *s)
{
    onnx_open(&s->onnx);
    s->random = (struct randoms){5};
}

/* An initializer of random numbers, so small that a bias of 1 keeps a unit alive. */
static Onnx__TensorProto *numbers(struct sketch *s, const char *name, size_t rank,
                                  const int64_t *dims)
{
    size_t count = 1;
    for (size_t i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    float *data = malloc(count * sizeof *data);
    random_floats(&s->random, RANDOM_PLAIN, data, count);
    for (size_t i = 0; i < count; i++)
        data[i] *= 0.125f;
    Onnx__TensorProto *made =
        onnx_initializer(&s->onnx, onnx_floats(&s->onnx, name, rank, dims, data));
    free(data);
    return made;
}

/* A bias of +1, or of -100 for the units that are listed: a text of digits. */
static Onnx__TensorProto *bias(struct sketch *s, const char *name, int64_t units, const char *dead)
{
    float data[64];
    for (int64_t i = 0; i < units; i++)
        data[i] = strchr(dead, (int)('0' + i)) ? -100 : 1;
    return onnx_initializer(&s->onnx, onnx_floats(&s->onnx, name, 1, &units, data));
}

/* NAME.weight and NAME.bias of a layer from x to NAME, before its activation, which is NAME_h. */
static Onnx__NodeProto *layer(struct sketch *s, const char *op, const char *name, const char *x,
                              size_t rank, const int64_t *dims, const char *dead, const char *act)
{
    char weight[64], biases[64], inputs[192], made[64];
    snprintf(weight, sizeof weight, "%s.weight", name);
    snprintf(biases, sizeof biases, "%s.bias", name);
    snprintf(inputs, sizeof inputs, "%s %s %s", x, weight, biases);
    snprintf(made, sizeof made, "%s_h", name);
    numbers(s, weight, rank, dims);
    bias(s, biases, dims[0], dead);
    Onnx__NodeProto *node = onnx_node(&s->onnx, op, name, inputs, name);
    if (act)
        onnx_node(&s->onnx, act, "", name, made);
    return node;
}

static void dense(struct sketch *s, const char *name, const char *x, int64_t n, int64_t k,
                  const char *dead, const char *act)
{
    Onnx__NodeProto *node = layer(s, "Gemm", name, x, 2, (const int64_t[]){n, k}, dead, act);
    onnx_int(&s->onnx, node, "transB", 1);
}

static Onnx__NodeProto *conv(struct sketch *s, const char *name, const char *x, int64_t n,
                             int64_t k, int64_t size, const char *dead, const char *act)
{
    const int64_t pad = size / 2;
    Onnx__NodeProto *node =
        layer(s, "Conv", name, x, 4, (const int64_t[]){n, k, size, size}, dead, act);
    onnx_list(&s->onnx, node, "pads", 4, (const int64_t[]){pad, pad, pad, pad});
    return node;
}

static void image(struct sketch *s)
{
    onnx_input(&s->onnx, "x", 4, (const int64_t[]){-1, 2, 6, 6});
}

static void vector(struct sketch *s)
{
    onnx_input(&s->onnx, "x", 2, (const int64_t[]){-1, 5});
}

/* Compacts the network, whose last dense layer is "out", and checks what comes of it on every row.
 */
static void finish(struct sketch *s, struct compacted *c, const struct compact_options *options,
                   double tolerance)
{
    struct temporary files;
    onnx_output(&s->onnx, "out");
    compacted_open(c, &s->onnx, options);
    onnx_close(&s->onnx);
    cr_assert_eq(compacted_compare(c, tolerance), COMPACTED_ROWS + COMPACTED_MORE);
    temporary_open(&files);
    compacted_write(c, &files, "slim");
    compacted_check(&files);
    temporary_close(&files);
}

static void expect_dims(const struct compacted *c, const char *name, size_t rank,
                        const int64_t *dims)
{
    Onnx__ModelProto *proto = compacted_proto(c);
    const Onnx__TensorProto *tensor = proto_tensor(proto, name);
    cr_assert(tensor->n_dims == rank && memcmp(tensor->dims, dims, rank * sizeof *dims) == 0,
              "%s: %d %d", name, (int)tensor->dims[0], (int)tensor->dims[rank - 1]);
    onnx__model_proto__free_unpacked(proto, NULL);
}
#define EXPECT_DIMS(c, name, ...)                                                      \
    expect_dims((c), (name), sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t), \
                (const int64_t[]){__VA_ARGS__})

/* Dense */

Test(compact, dense_units)
{
    struct sketch s;
    struct compacted c;
    begin(&s);
    vector(&s);
    dense(&s, "a", "x", 8, 5, "147", "Relu");
    dense(&s, "b", "a_h", 6, 8, "0", "Relu");
    dense(&s, "out", "b_h", 3, 6, "", NULL);
    finish(&s, &c, &plain, 0);
    cr_assert(compacted_removed(&c, "a") == 3 && compacted_removed(&c, "b") == 1);
    EXPECT_DIMS(&c, "a.weight", 5, 5);
    EXPECT_DIMS(&c, "a.bias", 5);
    EXPECT_DIMS(&c, "b.weight", 5, 5);
    EXPECT_DIMS(&c, "out.weight", 3, 5);
    EXPECT_DIMS(&c, "out.bias", 3);
    compacted_close(&c);
}

Test(compact, the_last_unit_of_a_layer_stays)
{
    struct sketch s;
    struct compacted c;
    begin(&s);
    vector(&s);
    dense(&s, "a", "x", 4, 5, "0123", "Relu");
    dense(&s, "out", "a_h", 3, 4, "", NULL);
    finish(&s, &c, &plain, 0);
    cr_assert_eq(compacted_removed(&c, "a"), 3);
    cr_assert_eq(compacted_kept(&c, "a", 0), KEEP_last);
    EXPECT_DIMS(&c, "a.weight", 1, 5);
    compacted_close(&c);
}

Test(compact, what_an_output_shows_stays)
{
    struct sketch s;
    struct compacted c;
    begin(&s);
    vector(&s);
    dense(&s, "a", "x", 4, 5, "12", "Relu");
    dense(&s, "out", "a_h", 3, 4, "", NULL);
    onnx_output(&s.onnx, "a_h");
    finish(&s, &c, &plain, 0);
    cr_assert_eq(compacted_removed(&c, "a"), 0);
    cr_assert_eq(compacted_kept(&c, "a", 1), KEEP_output);
    compacted_close(&c);
}

Test(compact, what_an_operator_mixes_stays)
{
    struct sketch s;
    struct compacted c;
    begin(&s);
    vector(&s);
    dense(&s, "a", "x", 4, 5, "12", "Relu");
    onnx_node(&s.onnx, "Softmax", "mix", "a_h", "m");
    dense(&s, "out", "m", 3, 4, "", NULL);
    finish(&s, &c, &plain, 0);
    cr_assert_eq(compacted_removed(&c, "a"), 0);
    cr_assert_eq(compacted_kept(&c, "a", 1), KEEP_operator);
    cr_assert_str_eq(c.after.layers[0].kept_at[1], "mix");
    compacted_close(&c);
}

/* Images */

Test(compact, channels_through_normalisation_pooling_and_flatten)
{
    static const char *const pools[] = {"MaxPool", "AveragePool"};
    for (size_t i = 0; i < 2; i++) {
        struct sketch s;
        struct compacted c;
        begin(&s);
        image(&s);
        conv(&s, "c1", "x", 6, 2, 3, "", NULL);
        numbers(&s, "scale", 1, (const int64_t[]){6});
        bias(&s, "shift", 6, "25");
        numbers(&s, "mean", 1, (const int64_t[]){6});
        onnx_matrix(&s.onnx, "variance", 0, 6, (const float[]){1, 2, 3, 1, 2, 3});
        onnx_node(&s.onnx, "BatchNormalization", "", "c1 scale shift mean variance", "n");
        onnx_node(&s.onnx, "Relu", "", "n", "h");
        Onnx__NodeProto *pool = onnx_node(&s.onnx, pools[i], "", "h", "p");
        onnx_list(&s.onnx, pool, "kernel_shape", 2, (const int64_t[]){2, 2});
        onnx_list(&s.onnx, pool, "strides", 2, (const int64_t[]){2, 2});
        onnx_list(&s.onnx, pool, "pads", 4, (const int64_t[]){1, 1, 1, 1});
        conv(&s, "c2", "p", 5, 6, 3, "04", "Relu");
        onnx_node(&s.onnx, "Flatten", "", "c2_h", "f");
        dense(&s, "a", "f", 7, 80, "3", "Relu");
        dense(&s, "out", "a_h", 3, 7, "", NULL);
        finish(&s, &c, &plain, 0);
        cr_assert(compacted_removed(&c, "c1") == 2 && compacted_removed(&c, "c2") == 2);
        EXPECT_DIMS(&c, "c1.weight", 4, 2, 3, 3);
        EXPECT_DIMS(&c, "mean", 4);
        EXPECT_DIMS(&c, "c2.weight", 3, 4, 3, 3);
        EXPECT_DIMS(&c, "a.weight", 6, 48);
        compacted_close(&c);
    }
}

Test(compact, channels_of_a_concatenation)
{
    struct sketch s;
    struct compacted c;
    begin(&s);
    image(&s);
    conv(&s, "l", "x", 4, 2, 3, "1", "Relu");
    conv(&s, "r", "x", 3, 2, 1, "02", "Relu");
    onnx_int(&s.onnx, onnx_node(&s.onnx, "Concat", "", "l_h r_h", "both"), "axis", 1);
    conv(&s, "c", "both", 3, 7, 3, "", "Relu");
    onnx_node(&s.onnx, "GlobalAveragePool", "", "c_h", "g");
    onnx_node(&s.onnx, "Flatten", "", "g", "f");
    dense(&s, "out", "f", 3, 3, "", NULL);
    finish(&s, &c, &plain, 0);
    cr_assert(compacted_removed(&c, "l") == 1 && compacted_removed(&c, "r") == 2);
    EXPECT_DIMS(&c, "c.weight", 3, 4, 3, 3);
    compacted_close(&c);
}

/* Channel 1 is dead on both sides, 0 and 2 on one. */
Test(compact, branches_that_are_added_must_agree)
{
    struct sketch s;
    struct compacted c;
    begin(&s);
    image(&s);
    conv(&s, "l", "x", 4, 2, 3, "01", "Relu");
    conv(&s, "r", "x", 4, 2, 1, "12", "Relu");
    onnx_node(&s.onnx, "Add", "sum", "l_h r_h", "both");
    conv(&s, "c", "both", 3, 4, 3, "", "Relu");
    onnx_node(&s.onnx, "GlobalAveragePool", "", "c_h", "g");
    onnx_node(&s.onnx, "Flatten", "", "g", "f");
    dense(&s, "out", "f", 3, 3, "", NULL);
    finish(&s, &c, &plain, 0);
    cr_assert(compacted_removed(&c, "l") == 1 && compacted_removed(&c, "r") == 1);
    cr_assert_eq(compacted_kept(&c, "l", 0), KEEP_branch);
    cr_assert_eq(compacted_kept(&c, "r", 2), KEEP_branch);
    EXPECT_DIMS(&c, "c.weight", 3, 3, 3, 3);
    compacted_close(&c);
}

/* A block whose sum never fires goes with both of its branches, dead or not. */
Test(compact, branches_nobody_hears_of)
{
    struct sketch s;
    struct compacted c;
    begin(&s);
    image(&s);
    conv(&s, "l", "x", 4, 2, 3, "3", NULL);
    conv(&s, "r", "x", 4, 2, 1, "", NULL);
    onnx_node(&s.onnx, "Add", "sum", "l r", "both");
    onnx_node(&s.onnx, "Relu", "", "both", "h");
    conv(&s, "c", "h", 3, 4, 3, "", "Relu");
    onnx_node(&s.onnx, "GlobalMaxPool", "", "c_h", "g");
    onnx_node(&s.onnx, "Flatten", "", "g", "f");
    dense(&s, "out", "f", 3, 3, "", NULL);
    finish(&s, &c, &plain, 0);
    EXPECT_DIMS(&c, "l.weight", 3, 2, 3, 3);
    EXPECT_DIMS(&c, "r.weight", 3, 2, 1, 1);
    compacted_close(&c);
}

/* Channel 0 of the depthwise convolution's input is dead and its own bias negative, so that it is,
 * too; channel 1's bias is not. */
static void draw_depthwise(struct sketch *s)
{
    begin(s);
    image(s);
    conv(s, "c", "x", 4, 2, 3, "01", "Relu");
    onnx_int(&s->onnx, conv(s, "d", "c_h", 4, 1, 3, "0", "Relu"), "group", 4);
    conv(s, "p", "d_h", 3, 4, 1, "", "Relu");
    onnx_node(&s->onnx, "GlobalMaxPool", "", "p_h", "g");
    onnx_node(&s->onnx, "Flatten", "", "g", "f");
    dense(s, "out", "f", 3, 3, "", NULL);
}

Test(compact, depthwise_channels)
{
    struct sketch s;
    struct compacted c;
    draw_depthwise(&s);
    finish(&s, &c, &plain, 0);
    cr_assert(compacted_removed(&c, "c") == 1 && compacted_removed(&c, "d") == 1);
    cr_assert_eq(compacted_kept(&c, "c", 1), KEEP_constant);
    EXPECT_DIMS(&c, "d.weight", 3, 1, 3, 3);
    compacted_close(&c);
    draw_depthwise(&s);
    finish(&s, &c, &folding, 1e-6);
    cr_assert(compacted_removed(&c, "c") == 2 && compacted_removed(&c, "d") == 2);
    compacted_close(&c);
}

Test(compact, groups_stay_whole)
{
    struct sketch s;
    struct compacted c;
    begin(&s);
    image(&s);
    conv(&s, "c", "x", 4, 2, 3, "1", "Relu");
    onnx_int(&s.onnx, conv(&s, "d", "c_h", 6, 2, 3, "0", "Relu"), "group", 2);
    onnx_node(&s.onnx, "GlobalMaxPool", "", "d_h", "g");
    onnx_node(&s.onnx, "Flatten", "", "g", "f");
    dense(&s, "out", "f", 3, 6, "", NULL);
    finish(&s, &c, &plain, 0);
    cr_assert_eq(compacted_removed_in_all(&c), 0);
    cr_assert_eq(compacted_kept(&c, "c", 1), KEEP_operator);
    cr_assert_eq(compacted_kept(&c, "d", 0), KEEP_operator);
    compacted_close(&c);
}

/* Weights that two layers share */

static void draw_shared(struct sketch *s, const char *left, const char *right)
{
    begin(s);
    vector(s);
    dense(s, "a", "x", 4, 5, left, "Relu");
    dense(s, "b", "x", 4, 5, right, "Relu");
    numbers(s, "w", 2, (const int64_t[]){4, 3});
    onnx_node(&s->onnx, "MatMul", "", "a_h w", "p");
    onnx_node(&s->onnx, "MatMul", "", "b_h w", "q");
    onnx_node(&s->onnx, "Sub", "", "p q", "r");
    dense(s, "out", "r", 3, 3, "", NULL);
}

Test(compact, shared_weights)
{
    struct sketch s;
    struct compacted c;
    draw_shared(&s, "01", "12");
    finish(&s, &c, &plain, 0);
    cr_assert(compacted_removed(&c, "a") == 1 && compacted_removed(&c, "b") == 1);
    cr_assert_eq(compacted_kept(&c, "a", 0), KEEP_branch);
    EXPECT_DIMS(&c, "w", 3, 3);
    compacted_close(&c);
}

/* Two layers of one bias: unit 1 is dead in both. */
Test(compact, shared_biases)
{
    struct sketch s;
    struct compacted c;
    begin(&s);
    vector(&s);
    numbers(&s, "v", 2, (const int64_t[]){5, 4});
    numbers(&s, "w", 2, (const int64_t[]){5, 4});
    bias(&s, "b", 4, "1");
    onnx_node(&s.onnx, "Gemm", "", "x v b", "p");
    onnx_node(&s.onnx, "Gemm", "", "x w b", "q");
    onnx_node(&s.onnx, "Relu", "", "p", "p_h");
    onnx_node(&s.onnx, "Relu", "", "q", "q_h");
    onnx_int(&s.onnx, onnx_node(&s.onnx, "Concat", "", "p_h q_h", "r"), "axis", 1);
    dense(&s, "out", "r", 3, 8, "", NULL);
    finish(&s, &c, &plain, 0);
    cr_assert_eq(compacted_removed_in_all(&c), 2);
    EXPECT_DIMS(&c, "b", 3);
    EXPECT_DIMS(&c, "out.weight", 3, 6);
    compacted_close(&c);
}

/* Shapes */

static void draw_reshaped(struct sketch *s, const int64_t shape[2])
{
    begin(s);
    image(s);
    conv(s, "c", "x", 4, 2, 3, "13", "Relu");
    onnx_initializer(&s->onnx, onnx_ints(&s->onnx, "shape", 2, shape));
    onnx_node(&s->onnx, "Reshape", "", "c_h shape", "f");
    dense(s, "out", "f", 3, 144, "", NULL);
}

Test(compact, reshapes_say_their_size_or_not)
{
    static const int64_t shapes[][2] = {{-1, 144}, {0, -1}, {0, 144}};
    for (size_t i = 0; i < 3; i++) {
        struct sketch s;
        struct compacted c;
        draw_reshaped(&s, shapes[i]);
        finish(&s, &c, &plain, 0);
        cr_assert_eq(compacted_removed(&c, "c"), 2);
        EXPECT_DIMS(&c, "out.weight", 3, 72);
        compacted_close(&c);
    }
}

/* What a network does in the last two axes, or with the channels last. */
Test(compact, transposed_and_averaged)
{
    struct sketch s;
    struct compacted c;
    begin(&s);
    image(&s);
    conv(&s, "c", "x", 4, 2, 3, "13", "Relu");
    onnx_list(&s.onnx, onnx_node(&s.onnx, "Transpose", "", "c_h", "t"), "perm", 4,
              (const int64_t[]){0, 2, 3, 1});
    Onnx__NodeProto *mean = onnx_node(&s.onnx, "ReduceMean", "", "t", "m");
    onnx_list(&s.onnx, mean, "axes", 2, (const int64_t[]){1, -2});
    onnx_int(&s.onnx, mean, "keepdims", 0);
    dense(&s, "out", "m", 3, 4, "", NULL);
    finish(&s, &c, &plain, 0);
    cr_assert_eq(compacted_removed(&c, "c"), 2);
    EXPECT_DIMS(&c, "out.weight", 3, 2);
    compacted_close(&c);
}

/* Slopes of a prelu behind a dead relu, and what is multiplied for each channel. */
Test(compact, numbers_for_each_channel)
{
    struct sketch s;
    struct compacted c;
    begin(&s);
    image(&s);
    conv(&s, "c", "x", 4, 2, 3, "2", "Relu");
    numbers(&s, "slope", 3, (const int64_t[]){4, 1, 1});
    numbers(&s, "factor", 4, (const int64_t[]){1, 4, 1, 1});
    onnx_node(&s.onnx, "PRelu", "", "c_h slope", "p");
    onnx_node(&s.onnx, "Mul", "", "p factor", "q");
    onnx_node(&s.onnx, "GlobalMaxPool", "", "q", "g");
    onnx_node(&s.onnx, "Flatten", "", "g", "f");
    dense(&s, "out", "f", 3, 4, "", NULL);
    finish(&s, &c, &plain, 0);
    cr_assert_eq(compacted_removed(&c, "c"), 1);
    EXPECT_DIMS(&c, "slope", 3, 1, 1);
    EXPECT_DIMS(&c, "factor", 1, 3, 1, 1);
    compacted_close(&c);
}

/* Folding */

/* A clip from 0.5 to 2 whose unit 1 stays below, and unit 3 above. */
static void draw_clip(struct sketch *s)
{
    const float low = 0.5f, high = 2;
    begin(s);
    vector(s);
    dense(s, "a", "x", 5, 5, "1", NULL);
    ((float *)(void *)s->onnx.graph->initializer[1]->raw_data.data)[3] = 100;
    onnx_initializer(&s->onnx, onnx_floats(&s->onnx, "low", 0, NULL, &low));
    onnx_initializer(&s->onnx, onnx_floats(&s->onnx, "high", 0, NULL, &high));
    onnx_node(&s->onnx, "Clip", "", "a low high", "a_h");
}

Test(compact, folds_into_a_bias)
{
    struct sketch s;
    struct compacted c;
    draw_clip(&s);
    dense(&s, "out", "a_h", 3, 5, "", NULL);
    finish(&s, &c, &plain, 0);
    cr_assert_eq(compacted_removed(&c, "a"), 0);
    cr_assert_eq(compacted_kept(&c, "a", 1), KEEP_constant);
    compacted_close(&c);
    draw_clip(&s);
    dense(&s, "out", "a_h", 3, 5, "", NULL);
    finish(&s, &c, &folding, 1e-6);
    cr_assert_eq(compacted_removed(&c, "a"), 2);
    EXPECT_DIMS(&c, "out.weight", 3, 3);
    EXPECT_DIMS(&c, "out.bias", 3);
    compacted_close(&c);
}

/* A MatMul has no bias, a Gemm may have none, or share it, or scale it. */
Test(compact, folds_where_there_is_no_bias_of_its_own)
{
    struct sketch s;
    struct compacted c;
    draw_clip(&s);
    numbers(&s, "v", 2, (const int64_t[]){5, 4});
    numbers(&s, "w", 2, (const int64_t[]){5, 4});
    bias(&s, "b", 4, "");
    onnx_node(&s.onnx, "MatMul", "", "a_h v", "p");
    Onnx__NodeProto *scaled = onnx_node(&s.onnx, "Gemm", "", "a_h w b", "q");
    onnx_float(&s.onnx, scaled, "alpha", 2);
    onnx_float(&s.onnx, scaled, "beta", 0.5f);
    onnx_node(&s.onnx, "Gemm", "", "a_h v b", "r");
    onnx_node(&s.onnx, "Gemm", "", "a_h w", "t");
    onnx_node(&s.onnx, "Sum", "", "p q r t", "u");
    dense(&s, "out", "u", 3, 4, "", NULL);
    finish(&s, &c, &folding, 1e-6);
    cr_assert_eq(compacted_removed(&c, "a"), 2);
    EXPECT_DIMS(&c, "v", 3, 4);
    compacted_close(&c);
}

/* At the border of an image a constant is not what it is inside. */
Test(compact, folds_into_convolutions_without_padding)
{
    for (int64_t pad = 0; pad < 2; pad++) {
        const float low = 0.5f;
        struct sketch s;
        struct compacted c;
        begin(&s);
        image(&s);
        conv(&s, "a", "x", 4, 2, 3, "2", NULL);
        onnx_initializer(&s.onnx, onnx_floats(&s.onnx, "low", 0, NULL, &low));
        onnx_node(&s.onnx, "Clip", "", "a low", "a_h");
        Onnx__NodeProto *node =
            layer(&s, "Conv", "b", "a_h", 4, (const int64_t[]){3, 4, 3, 3}, "", "Relu");
        onnx_list(&s.onnx, node, "pads", 4, (const int64_t[]){pad, pad, pad, pad});
        onnx_node(&s.onnx, "GlobalMaxPool", "", "b_h", "g");
        onnx_node(&s.onnx, "Flatten", "", "g", "f");
        dense(&s, "out", "f", 3, 3, "", NULL);
        finish(&s, &c, &folding, 1e-6);
        cr_assert_eq(compacted_removed(&c, "a"), pad ? 0 : 1);
        if (pad)
            cr_assert_eq(compacted_kept(&c, "a", 2), KEEP_border);
        compacted_close(&c);
    }
}

/* The file */

static Onnx__ValueInfoProto *told(struct sketch *s, const char *name, size_t rank,
                                  const int64_t *dims)
{
    Onnx__ValueInfoProto *info = onnx_input(&s->onnx, name, rank, dims);
    s->onnx.graph->n_input--;
    return info;
}

Test(compact, what_is_not_cut_stays_as_it_was)
{
    struct sketch s;
    struct compacted c;
    Onnx__StringStringEntryProto entry, *entries[] = {&entry};
    Onnx__ValueInfoProto *infos[2];
    begin(&s);
    vector(&s);
    dense(&s, "a", "x", 8, 5, "147", "Relu");
    dense(&s, "out", "a_h", 3, 8, "", NULL);
    onnx__string_string_entry_proto__init(&entry);
    entry.key = (char *)"author";
    entry.value = (char *)"somebody";
    s.onnx.model->metadata_props = entries;
    s.onnx.model->n_metadata_props = 1;
    s.onnx.model->producer_name = (char *)"a test";
    infos[0] = told(&s, "a_h", 2, (const int64_t[]){-1, 8});
    infos[1] = told(&s, "out", 2, (const int64_t[]){-1, 3});
    s.onnx.graph->value_info = infos;
    s.onnx.graph->n_value_info = 2;
    finish(&s, &c, &plain, 0);
    Onnx__ModelProto *proto = compacted_proto(&c);
    cr_assert(proto->ir_version == 8 && proto->opset_import[0]->version == ONNX_BUILDER_OPSET);
    cr_assert_str_eq(proto->producer_name, "a test");
    cr_assert_str_eq(proto->metadata_props[0]->value, "somebody");
    cr_assert_str_eq(proto->graph->node[0]->name, "a");
    cr_assert_eq(proto->graph->n_value_info, 1);
    cr_assert_str_eq(proto->graph->value_info[0]->name, "out");
    onnx__model_proto__free_unpacked(proto, NULL);
    compacted_close(&c);
}

/* Format 3 lists initializers among the inputs. */
Test(compact, initializers_that_are_inputs)
{
    struct sketch s;
    struct compacted c;
    begin(&s);
    vector(&s);
    dense(&s, "a", "x", 8, 5, "147", "Relu");
    dense(&s, "out", "a_h", 3, 8, "", NULL);
    onnx_input(&s.onnx, "a.weight", 2, (const int64_t[]){8, 5});
    onnx_input(&s.onnx, "a.bias", 1, (const int64_t[]){8});
    onnx_input(&s.onnx, "out.weight", 2, (const int64_t[]){3, 8});
    onnx_input(&s.onnx, "out.bias", 1, (const int64_t[]){3});
    s.onnx.model->ir_version = 3;
    finish(&s, &c, &plain, 0);
    Onnx__ModelProto *proto = compacted_proto(&c);
    cr_assert_eq(proto->graph->input[1]->type->tensor_type->shape->dim[0]->dim_value, 5);
    cr_assert_eq(proto->graph->input[3]->type->tensor_type->shape->dim[1]->dim_value, 5);
    onnx__model_proto__free_unpacked(proto, NULL);
    compacted_close(&c);
}

/* Weights as a list of floats, of doubles, as half precision, and held by a Constant node. */
Test(compact, tensors_of_every_form)
{
    struct sketch s;
    struct compacted c;
    float floats[20];
    double doubles[20];
    uint16_t halves[4] = {0x3C00, 0x4000, 0xD640, 0x3800}; /* 1, 2, -100, 0.5 */
    begin(&s);
    vector(&s);
    random_floats(&s.random, RANDOM_PLAIN, floats, 20);
    for (size_t i = 0; i < 20; i++)
        doubles[i] = (double)floats[19 - i];
    Onnx__TensorProto *list = onnx_matrix(&s.onnx, "v", 5, 4, floats);
    list->has_raw_data = 0;
    list->n_float_data = 20;
    list->float_data = floats;
    Onnx__TensorProto *half = onnx_matrix(&s.onnx, "b", 0, 4, floats);
    half->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16;
    half->raw_data = (ProtobufCBinaryData){sizeof halves, (uint8_t *)halves};
    Onnx__TensorProto *wide = onnx_floats(&s.onnx, "", 2, (const int64_t[]){4, 5}, floats);
    wide->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE;
    wide->has_raw_data = 0;
    wide->n_double_data = 20;
    wide->double_data = doubles;
    onnx_value(&s.onnx, onnx_node(&s.onnx, "Constant", "", "", "w"), "value", wide);
    onnx_node(&s.onnx, "MatMul", "", "x v", "m");
    onnx_node(&s.onnx, "Add", "", "m b", "a");
    onnx_node(&s.onnx, "Relu", "", "a", "a_h");
    onnx_node(&s.onnx, "MatMul", "", "a_h w", "out");
    onnx_output(&s.onnx, "out");
    compacted_open(&c, &s.onnx, &plain);
    cr_assert_eq(compacted_compare(&c, 0), COMPACTED_ROWS + COMPACTED_MORE);
    cr_assert_eq(compacted_removed(&c, "v"), 1);
    EXPECT_DIMS(&c, "v", 5, 3);
    EXPECT_DIMS(&c, "b", 3);
    onnx_close(&s.onnx);
    compacted_close(&c);
}
