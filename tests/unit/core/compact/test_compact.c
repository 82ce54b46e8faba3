/* Which units compact takes out, and how. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sketch.h"

static const struct compact_options plain = {.fold = false}, folding = {.fold = true};

/* Dense */

Test(compact, dense_units)
{
    struct sketch s;
    struct compacted c;
    sketch_begin(&s);
    sketch_vector(&s);
    sketch_dense(&s, "a", "x", 8, 5, "147", "Relu");
    sketch_dense(&s, "b", "a_h", 6, 8, "0", "Relu");
    sketch_dense(&s, "out", "b_h", 3, 6, "", NULL);
    sketch_finish(&s, &c, &plain, 0);
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
    sketch_begin(&s);
    sketch_vector(&s);
    sketch_dense(&s, "a", "x", 4, 5, "0123", "Relu");
    sketch_dense(&s, "out", "a_h", 3, 4, "", NULL);
    sketch_finish(&s, &c, &plain, 0);
    cr_assert_eq(compacted_removed(&c, "a"), 3);
    cr_assert_eq(compacted_kept(&c, "a", 0), KEEP_last);
    EXPECT_DIMS(&c, "a.weight", 1, 5);
    compacted_close(&c);
}

Test(compact, what_an_output_shows_stays)
{
    struct sketch s;
    struct compacted c;
    sketch_begin(&s);
    sketch_vector(&s);
    sketch_dense(&s, "a", "x", 4, 5, "12", "Relu");
    sketch_dense(&s, "out", "a_h", 3, 4, "", NULL);
    onnx_output(&s.onnx, "a_h");
    sketch_finish(&s, &c, &plain, 0);
    cr_assert_eq(compacted_removed(&c, "a"), 0);
    cr_assert_eq(compacted_kept(&c, "a", 1), KEEP_output);
    compacted_close(&c);
}

Test(compact, what_an_operator_mixes_stays)
{
    struct sketch s;
    struct compacted c;
    sketch_begin(&s);
    sketch_vector(&s);
    sketch_dense(&s, "a", "x", 4, 5, "12", "Relu");
    onnx_node(&s.onnx, "Softmax", "mix", "a_h", "m");
    sketch_dense(&s, "out", "m", 3, 4, "", NULL);
    sketch_finish(&s, &c, &plain, 0);
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
        sketch_begin(&s);
        sketch_image(&s);
        sketch_conv(&s, "c1", "x", 6, 2, 3, "", NULL);
        sketch_numbers(&s, "scale", 1, (const int64_t[]){6});
        sketch_bias(&s, "shift", 6, "25");
        sketch_numbers(&s, "mean", 1, (const int64_t[]){6});
        onnx_matrix(&s.onnx, "variance", 0, 6, (const float[]){1, 2, 3, 1, 2, 3});
        onnx_node(&s.onnx, "BatchNormalization", "", "c1 scale shift mean variance", "n");
        onnx_node(&s.onnx, "Relu", "", "n", "h");
        Onnx__NodeProto *pool = onnx_node(&s.onnx, pools[i], "", "h", "p");
        onnx_list(&s.onnx, pool, "kernel_shape", 2, (const int64_t[]){2, 2});
        onnx_list(&s.onnx, pool, "strides", 2, (const int64_t[]){2, 2});
        onnx_list(&s.onnx, pool, "pads", 4, (const int64_t[]){1, 1, 1, 1});
        sketch_conv(&s, "c2", "p", 5, 6, 3, "04", "Relu");
        onnx_node(&s.onnx, "Flatten", "", "c2_h", "f");
        sketch_dense(&s, "a", "f", 7, 80, "3", "Relu");
        sketch_dense(&s, "out", "a_h", 3, 7, "", NULL);
        sketch_finish(&s, &c, &plain, 0);
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
    sketch_begin(&s);
    sketch_image(&s);
    sketch_conv(&s, "l", "x", 4, 2, 3, "1", "Relu");
    sketch_conv(&s, "r", "x", 3, 2, 1, "02", "Relu");
    onnx_int(&s.onnx, onnx_node(&s.onnx, "Concat", "", "l_h r_h", "both"), "axis", 1);
    sketch_conv(&s, "c", "both", 3, 7, 3, "", "Relu");
    onnx_node(&s.onnx, "GlobalAveragePool", "", "c_h", "g");
    onnx_node(&s.onnx, "Flatten", "", "g", "f");
    sketch_dense(&s, "out", "f", 3, 3, "", NULL);
    sketch_finish(&s, &c, &plain, 0);
    cr_assert(compacted_removed(&c, "l") == 1 && compacted_removed(&c, "r") == 2);
    EXPECT_DIMS(&c, "c.weight", 3, 4, 3, 3);
    compacted_close(&c);
}

/* Channel 1 is dead on both sides, 0 and 2 on one. */
Test(compact, branches_that_are_added_must_agree)
{
    struct sketch s;
    struct compacted c;
    sketch_begin(&s);
    sketch_image(&s);
    sketch_conv(&s, "l", "x", 4, 2, 3, "01", "Relu");
    sketch_conv(&s, "r", "x", 4, 2, 1, "12", "Relu");
    onnx_node(&s.onnx, "Add", "sum", "l_h r_h", "both");
    sketch_conv(&s, "c", "both", 3, 4, 3, "", "Relu");
    onnx_node(&s.onnx, "GlobalAveragePool", "", "c_h", "g");
    onnx_node(&s.onnx, "Flatten", "", "g", "f");
    sketch_dense(&s, "out", "f", 3, 3, "", NULL);
    sketch_finish(&s, &c, &plain, 0);
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
    sketch_begin(&s);
    sketch_image(&s);
    sketch_conv(&s, "l", "x", 4, 2, 3, "3", NULL);
    sketch_conv(&s, "r", "x", 4, 2, 1, "", NULL);
    onnx_node(&s.onnx, "Add", "sum", "l r", "both");
    onnx_node(&s.onnx, "Relu", "", "both", "h");
    sketch_conv(&s, "c", "h", 3, 4, 3, "", "Relu");
    sketch_end(&s, "c_h", 3);
    sketch_finish(&s, &c, &plain, 0);
    EXPECT_DIMS(&c, "l.weight", 3, 2, 3, 3);
    EXPECT_DIMS(&c, "r.weight", 3, 2, 1, 1);
    compacted_close(&c);
}

/* Channel 0 of the depthwise convolution's input is dead and its own bias negative, so that it is,
 * too; channel 1's bias is not. */
static void draw_depthwise(struct sketch *s)
{
    sketch_begin(s);
    sketch_image(s);
    sketch_conv(s, "c", "x", 4, 2, 3, "01", "Relu");
    onnx_int(&s->onnx, sketch_conv(s, "d", "c_h", 4, 1, 3, "0", "Relu"), "group", 4);
    sketch_conv(s, "p", "d_h", 3, 4, 1, "", "Relu");
    sketch_end(s, "p_h", 3);
}

Test(compact, depthwise_channels)
{
    struct sketch s;
    struct compacted c;
    draw_depthwise(&s);
    sketch_finish(&s, &c, &plain, 0);
    cr_assert(compacted_removed(&c, "c") == 1 && compacted_removed(&c, "d") == 1);
    cr_assert_eq(compacted_kept(&c, "c", 1), KEEP_constant);
    EXPECT_DIMS(&c, "d.weight", 3, 1, 3, 3);
    compacted_close(&c);
    draw_depthwise(&s);
    sketch_finish(&s, &c, &folding, 1e-6);
    cr_assert(compacted_removed(&c, "c") == 2 && compacted_removed(&c, "d") == 2);
    compacted_close(&c);
}

Test(compact, groups_stay_whole)
{
    struct sketch s;
    struct compacted c;
    sketch_begin(&s);
    sketch_image(&s);
    sketch_conv(&s, "c", "x", 4, 2, 3, "1", "Relu");
    onnx_int(&s.onnx, sketch_conv(&s, "d", "c_h", 6, 2, 3, "0", "Relu"), "group", 2);
    sketch_end(&s, "d_h", 6);
    sketch_finish(&s, &c, &plain, 0);
    cr_assert_eq(compacted_removed_in_all(&c), 0);
    cr_assert_eq(compacted_kept(&c, "c", 1), KEEP_operator);
    cr_assert_eq(compacted_kept(&c, "d", 0), KEEP_operator);
    compacted_close(&c);
}

/* Weights that two layers share */

static void draw_shared(struct sketch *s, const char *left, const char *right)
{
    sketch_begin(s);
    sketch_vector(s);
    sketch_dense(s, "a", "x", 4, 5, left, "Relu");
    sketch_dense(s, "b", "x", 4, 5, right, "Relu");
    sketch_numbers(s, "w", 2, (const int64_t[]){4, 3});
    onnx_node(&s->onnx, "MatMul", "", "a_h w", "p");
    onnx_node(&s->onnx, "MatMul", "", "b_h w", "q");
    onnx_node(&s->onnx, "Sub", "", "p q", "r");
    sketch_dense(s, "out", "r", 3, 3, "", NULL);
}

Test(compact, shared_weights)
{
    struct sketch s;
    struct compacted c;
    draw_shared(&s, "01", "12");
    sketch_finish(&s, &c, &plain, 0);
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
    sketch_begin(&s);
    sketch_vector(&s);
    sketch_numbers(&s, "v", 2, (const int64_t[]){5, 4});
    sketch_numbers(&s, "w", 2, (const int64_t[]){5, 4});
    sketch_bias(&s, "b", 4, "1");
    onnx_node(&s.onnx, "Gemm", "", "x v b", "p");
    onnx_node(&s.onnx, "Gemm", "", "x w b", "q");
    onnx_node(&s.onnx, "Relu", "", "p", "p_h");
    onnx_node(&s.onnx, "Relu", "", "q", "q_h");
    onnx_int(&s.onnx, onnx_node(&s.onnx, "Concat", "", "p_h q_h", "r"), "axis", 1);
    sketch_dense(&s, "out", "r", 3, 8, "", NULL);
    sketch_finish(&s, &c, &plain, 0);
    cr_assert_eq(compacted_removed_in_all(&c), 2);
    EXPECT_DIMS(&c, "b", 3);
    EXPECT_DIMS(&c, "out.weight", 3, 6);
    compacted_close(&c);
}

/* Factors of a layer of which others are computed, for another layer. */
Test(compact, constants_of_constants)
{
    struct sketch s;
    struct compacted c;
    sketch_begin(&s);
    sketch_vector(&s);
    sketch_dense(&s, "a", "x", 4, 5, "12", "Relu");
    sketch_dense(&s, "b", "x", 4, 5, "", "Relu");
    sketch_numbers(&s, "factor", 1, (const int64_t[]){4});
    onnx_node(&s.onnx, "Mul", "scale", "a_h factor", "p");
    onnx_node(&s.onnx, "Neg", "", "factor", "turned");
    onnx_node(&s.onnx, "Mul", "", "b_h turned", "q");
    onnx_int(&s.onnx, onnx_node(&s.onnx, "Concat", "", "p q", "r"), "axis", 1);
    sketch_dense(&s, "out", "r", 3, 8, "", NULL);
    sketch_finish(&s, &c, &plain, 0);
    cr_assert_eq(compacted_removed(&c, "a"), 0);
    cr_assert_eq(compacted_kept(&c, "a", 1), KEEP_operator);
    compacted_close(&c);
}
