/* Units that are stuck at another number than 0. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sketch.h"

static const struct compact_options plain = {.fold = false}, folding = {.fold = true};

/* A clip from 0.5 to 2 whose unit 1 stays below, and unit 3 above. */
static void draw_clip(struct sketch *s)
{
    const float low = 0.5f, high = 2;
    sketch_begin(s);
    sketch_vector(s);
    sketch_dense(s, "a", "x", 5, 5, "1", NULL);
    ((float *)(void *)s->onnx.graph->initializer[1]->raw_data.data)[3] = 100;
    onnx_initializer(&s->onnx, onnx_floats(&s->onnx, "low", 0, NULL, &low));
    onnx_initializer(&s->onnx, onnx_floats(&s->onnx, "high", 0, NULL, &high));
    onnx_node(&s->onnx, "Clip", "", "a low high", "a_h");
}

Test(compact_fold, folds_into_a_bias)
{
    struct sketch s;
    struct compacted c;
    draw_clip(&s);
    sketch_dense(&s, "out", "a_h", 3, 5, "", NULL);
    sketch_finish(&s, &c, &plain, 0);
    cr_assert_eq(compacted_removed(&c, "a"), 0);
    cr_assert_eq(compacted_kept(&c, "a", 1), KEEP_constant);
    compacted_close(&c);
    draw_clip(&s);
    sketch_dense(&s, "out", "a_h", 3, 5, "", NULL);
    sketch_finish(&s, &c, &folding, 1e-6);
    cr_assert_eq(compacted_removed(&c, "a"), 2);
    EXPECT_DIMS(&c, "out.weight", 3, 3);
    EXPECT_DIMS(&c, "out.bias", 3);
    compacted_close(&c);
}

/* A MatMul has no bias, a Gemm may have none, or share it, or scale it. */
Test(compact_fold, folds_where_there_is_no_bias_of_its_own)
{
    struct sketch s;
    struct compacted c;
    draw_clip(&s);
    sketch_numbers(&s, "v", 2, (const int64_t[]){5, 4});
    sketch_numbers(&s, "w", 2, (const int64_t[]){5, 4});
    sketch_bias(&s, "b", 4, "");
    onnx_node(&s.onnx, "MatMul", "", "a_h v", "p");
    Onnx__NodeProto *scaled = onnx_node(&s.onnx, "Gemm", "", "a_h w b", "q");
    onnx_float(&s.onnx, scaled, "alpha", 2);
    onnx_float(&s.onnx, scaled, "beta", 0.5f);
    onnx_node(&s.onnx, "Gemm", "", "a_h v b", "r");
    onnx_node(&s.onnx, "Gemm", "", "a_h w", "t");
    onnx_node(&s.onnx, "Sum", "", "p q r t", "u");
    sketch_dense(&s, "out", "u", 3, 4, "", NULL);
    sketch_finish(&s, &c, &folding, 1e-6);
    cr_assert_eq(compacted_removed(&c, "a"), 2);
    EXPECT_DIMS(&c, "v", 3, 4);
    compacted_close(&c);
}

/* The layer that takes the constant loses units of its own. */
Test(compact_fold, into_a_layer_that_is_cut_as_well)
{
    struct sketch s;
    struct compacted c;
    draw_clip(&s);
    sketch_numbers(&s, "v", 2, (const int64_t[]){5, 4});
    sketch_bias(&s, "b", 4, "2");
    onnx_node(&s.onnx, "MatMul", "", "a_h v", "m");
    onnx_node(&s.onnx, "Add", "", "m b", "n");
    onnx_node(&s.onnx, "Relu", "", "n", "n_h");
    sketch_dense(&s, "out", "n_h", 3, 4, "", NULL);
    sketch_finish(&s, &c, &folding, 1e-6);
    cr_assert(compacted_removed(&c, "a") == 2 && compacted_removed(&c, "v") == 1);
    EXPECT_DIMS(&c, "v", 3, 3);
    EXPECT_DIMS(&c, "v_compact1", 3);
    compacted_close(&c);
}

/* What is multiplied by beta cannot take anything where that is 0. */
Test(compact_fold, not_into_a_bias_that_does_not_count)
{
    struct sketch s;
    struct compacted c;
    draw_clip(&s);
    sketch_numbers(&s, "w", 2, (const int64_t[]){5, 3});
    sketch_bias(&s, "b", 3, "");
    onnx_float(&s.onnx, onnx_node(&s.onnx, "Gemm", "", "a_h w b", "out"), "beta", 0);
    sketch_finish(&s, &c, &folding, 1e-6);
    cr_assert_eq(compacted_removed(&c, "a"), 0);
    cr_assert_eq(compacted_kept(&c, "a", 1), KEEP_border);
    compacted_close(&c);
}

/* At the border of an image a constant is not what it is inside. */
Test(compact_fold, folds_into_convolutions_without_padding)
{
    for (int64_t pad = 0; pad < 2; pad++) {
        const float low = 0.5f;
        struct sketch s;
        struct compacted c;
        sketch_begin(&s);
        sketch_image(&s);
        sketch_conv(&s, "a", "x", 4, 2, 3, "2", NULL);
        onnx_initializer(&s.onnx, onnx_floats(&s.onnx, "low", 0, NULL, &low));
        onnx_node(&s.onnx, "Clip", "", "a low", "a_h");
        Onnx__NodeProto *node =
            sketch_layer(&s, "Conv", "b", "a_h", 4, (const int64_t[]){3, 4, 3, 3}, "", "Relu");
        onnx_list(&s.onnx, node, "pads", 4, (const int64_t[]){pad, pad, pad, pad});
        sketch_end(&s, "b_h", 3);
        sketch_finish(&s, &c, &folding, 1e-6);
        cr_assert_eq(compacted_removed(&c, "a"), pad ? 0 : 1);
        if (pad)
            cr_assert_eq(compacted_kept(&c, "a", 2), KEEP_border);
        compacted_close(&c);
    }
}
