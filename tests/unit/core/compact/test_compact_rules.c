/* Nodes that compact follows channels through. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sketch.h"

static const struct compact_options plain = {.fold = false};

static void draw_reshaped(struct sketch *s, const int64_t shape[2])
{
    sketch_begin(s);
    sketch_image(s);
    sketch_conv(s, "c", "x", 4, 2, 3, "13", "Relu");
    onnx_initializer(&s->onnx, onnx_ints(&s->onnx, "shape", 2, shape));
    onnx_node(&s->onnx, "Reshape", "", "c_h shape", "f");
    sketch_dense(s, "out", "f", 3, 144, "", NULL);
}

Test(compact_rules, reshapes_say_their_size_or_not)
{
    static const int64_t shapes[][2] = {{-1, 144}, {0, -1}, {0, 144}};
    for (size_t i = 0; i < 3; i++) {
        struct sketch s;
        struct compacted c;
        draw_reshaped(&s, shapes[i]);
        sketch_finish(&s, &c, &plain, 0);
        cr_assert_eq(compacted_removed(&c, "c"), 2);
        EXPECT_DIMS(&c, "out.weight", 3, 72);
        compacted_close(&c);
    }
}

/* t: from, its axes in another order. */
static void transpose(struct sketch *s, const char *from, const int64_t order[4])
{
    onnx_list(&s->onnx, onnx_node(&s->onnx, "Transpose", "", from, "t"), "perm", 4, order);
}

/* m: the means of from along two axes, which are gone. */
static void mean(struct sketch *s, const char *from, const int64_t axes[2])
{
    Onnx__NodeProto *node = onnx_node(&s->onnx, "ReduceMean", "", from, "m");
    onnx_list(&s->onnx, node, "axes", 2, axes);
    onnx_int(&s->onnx, node, "keepdims", 0);
}

/* The 0 of a shape copies how many channels there are, to where they do not go. */
Test(compact_rules, a_reshape_that_copies_the_number_of_channels)
{
    struct sketch s;
    struct compacted c;
    sketch_begin(&s);
    sketch_image(&s);
    sketch_conv(&s, "c", "x", 6, 2, 3, "13", "Relu");
    transpose(&s, "c_h", (const int64_t[]){0, 2, 1, 3});
    onnx_initializer(&s.onnx, onnx_ints(&s.onnx, "shape", 4, (const int64_t[]){0, -1, 0, 1}));
    onnx_node(&s.onnx, "Reshape", "", "t shape", "r");
    mean(&s, "r", (const int64_t[]){2, 3});
    sketch_dense(&s, "out", "m", 3, 36, "", NULL);
    sketch_finish(&s, &c, &plain, 0);
    cr_assert_eq(compacted_removed(&c, "c"), 0);
    compacted_close(&c);
}

/* A number that the network computes with, not a size of the batch. */
Test(compact_rules, the_number_of_channels_that_a_shape_begins_with)
{
    struct sketch s;
    struct compacted c;
    const int64_t first = 0;
    sketch_begin(&s);
    sketch_vector(&s);
    s.onnx.model->opset_import[0]->version = 15;
    sketch_dense(&s, "a", "x", 4, 5, "1", "Relu");
    onnx_int(&s.onnx, onnx_node(&s.onnx, "Shape", "", "a_h", "s"), "start", 1);
    onnx_initializer(&s.onnx, onnx_ints(&s.onnx, "first", 1, &first));
    onnx_node(&s.onnx, "Gather", "", "s first", "g");
    onnx_int(&s.onnx, onnx_node(&s.onnx, "Cast", "", "g", "n"), "to", 1);
    sketch_dense(&s, "b", "a_h", 3, 4, "", NULL);
    onnx_node(&s.onnx, "Div", "", "b n", "out");
    sketch_finish(&s, &c, &plain, 0);
    cr_assert_eq(compacted_removed(&c, "a"), 0);
    compacted_close(&c);
}

/* What a network does in the last two axes, or with the channels last. */
Test(compact_rules, transposed_and_averaged)
{
    struct sketch s;
    struct compacted c;
    sketch_begin(&s);
    sketch_image(&s);
    sketch_conv(&s, "c", "x", 4, 2, 3, "13", "Relu");
    transpose(&s, "c_h", (const int64_t[]){0, 2, 3, 1});
    mean(&s, "t", (const int64_t[]){1, -2});
    sketch_dense(&s, "out", "m", 3, 4, "", NULL);
    sketch_finish(&s, &c, &plain, 0);
    cr_assert_eq(compacted_removed(&c, "c"), 2);
    EXPECT_DIMS(&c, "out.weight", 3, 2);
    compacted_close(&c);
}

/* A relu in the place of columns has them as its units, as many as there are channels: what is
 * known of one says nothing of the other. */
Test(compact_rules, units_along_another_axis)
{
    struct sketch s;
    struct compacted c;
    sketch_begin(&s);
    sketch_image(&s);
    sketch_conv(&s, "c", "x", 6, 2, 3, "", NULL);
    const float numbers[6] = {0, -100, 0, -100, 0, 0};
    onnx_initializer(&s.onnx, onnx_floats(&s.onnx, "rows", 2, (const int64_t[]){6, 1}, numbers));
    onnx_node(&s.onnx, "Add", "", "c rows", "r");
    transpose(&s, "r", (const int64_t[]){0, 1, 3, 2});
    onnx_node(&s.onnx, "Relu", "", "t", "h");
    onnx_node(&s.onnx, "Flatten", "", "h", "f");
    sketch_dense(&s, "out", "f", 3, 216, "", NULL);
    sketch_finish(&s, &c, &plain, 0);
    cr_assert_eq(compacted_removed_in_all(&c), 0);
    compacted_close(&c);
}

/* Slopes of a prelu behind a dead relu, and what is multiplied for each channel. */
Test(compact_rules, numbers_for_each_channel)
{
    struct sketch s;
    struct compacted c;
    sketch_begin(&s);
    sketch_image(&s);
    sketch_conv(&s, "c", "x", 4, 2, 3, "2", "Relu");
    sketch_numbers(&s, "slope", 3, (const int64_t[]){4, 1, 1});
    sketch_numbers(&s, "factor", 4, (const int64_t[]){1, 4, 1, 1});
    onnx_node(&s.onnx, "PRelu", "", "c_h slope", "p");
    onnx_node(&s.onnx, "Mul", "", "p factor", "q");
    sketch_end(&s, "q", 4);
    sketch_finish(&s, &c, &plain, 0);
    cr_assert_eq(compacted_removed(&c, "c"), 1);
    EXPECT_DIMS(&c, "slope", 3, 1, 1);
    EXPECT_DIMS(&c, "factor", 1, 3, 1, 1);
    compacted_close(&c);
}

/* Zeros around a channel of zeros are more of the same; other numbers are not. */
Test(compact_rules, padding)
{
    for (int value = 0; value < 2; value++) {
        struct sketch s;
        struct compacted c;
        sketch_begin(&s);
        sketch_image(&s);
        sketch_conv(&s, "c", "x", 4, 2, 3, "13", "Relu");
        onnx_initializer(&s.onnx,
                         onnx_ints(&s.onnx, "pads", 8, (const int64_t[]){0, 0, 1, 2, 0, 0, 0, 1}));
        const float number = (float)value;
        onnx_initializer(&s.onnx, onnx_floats(&s.onnx, "number", 0, NULL, &number));
        onnx_node(&s.onnx, "Pad", "", "c_h pads number", "p");
        sketch_conv(&s, "d", "p", 3, 4, 3, "", "Relu");
        sketch_end(&s, "d_h", 3);
        sketch_finish(&s, &c, &plain, 0);
        cr_assert_eq(compacted_removed(&c, "c"), value ? 0 : 2);
        if (value)
            cr_assert_eq(compacted_kept(&c, "c", 1), KEEP_branch);
        compacted_close(&c);
    }
}

Test(compact_rules, transposed_convolutions)
{
    struct sketch s;
    struct compacted c;
    sketch_begin(&s);
    sketch_image(&s);
    sketch_conv(&s, "c", "x", 4, 2, 3, "13", "Relu");
    sketch_numbers(&s, "t.weight", 4, (const int64_t[]){4, 3, 2, 2});
    sketch_bias(&s, "t.bias", 3, "0");
    onnx_list(&s.onnx, onnx_node(&s.onnx, "ConvTranspose", "", "c_h t.weight t.bias", "t"),
              "strides", 2, (const int64_t[]){2, 2});
    onnx_node(&s.onnx, "Relu", "", "t", "t_h");
    sketch_end(&s, "t_h", 3);
    sketch_finish(&s, &c, &plain, 0);
    cr_assert(compacted_removed(&c, "c") == 2 && compacted_removed(&c, "t") == 1);
    EXPECT_DIMS(&c, "t.weight", 2, 2, 2, 2);
    EXPECT_DIMS(&c, "out.weight", 3, 2);
    compacted_close(&c);
}

/* Several channels from each, of which one is left: a convolution without groups. */
Test(compact_rules, depthwise_down_to_one)
{
    struct sketch s;
    struct compacted c;
    sketch_begin(&s);
    sketch_image(&s);
    sketch_conv(&s, "c", "x", 3, 2, 3, "02", "Relu");
    onnx_int(&s.onnx, sketch_conv(&s, "d", "c_h", 6, 1, 3, "0145", "Relu"), "group", 3);
    sketch_end(&s, "d_h", 6);
    sketch_finish(&s, &c, &plain, 0);
    cr_assert(compacted_removed(&c, "c") == 2 && compacted_removed(&c, "d") == 4);
    EXPECT_DIMS(&c, "d.weight", 2, 1, 3, 3);
    EXPECT_DIMS(&c, "out.weight", 3, 2);
    compacted_close(&c);
}

/* Activations as exporters write them out: a relu6, a squared relu, a shifted relu whose -1 is
 * taken back. */
Test(compact_rules, activations_written_out)
{
    const float zero = 0, six = 6, one = 1, minus = -1;
    for (size_t i = 0; i < 3; i++) {
        struct sketch s;
        struct compacted c;
        sketch_begin(&s);
        sketch_vector(&s);
        sketch_dense(&s, "a", "x", 5, 5, "14", NULL);
        onnx_initializer(&s.onnx, onnx_floats(&s.onnx, "zero", 0, NULL, &zero));
        onnx_initializer(&s.onnx, onnx_floats(&s.onnx, "six", 0, NULL, &six));
        onnx_initializer(&s.onnx, onnx_floats(&s.onnx, "one", 0, NULL, &one));
        onnx_initializer(&s.onnx, onnx_floats(&s.onnx, "minus", 0, NULL, &minus));
        if (i == 0) {
            onnx_node(&s.onnx, "Max", "", "a zero", "m");
            onnx_node(&s.onnx, "Min", "", "m six", "a_h");
        } else if (i == 1) {
            onnx_node(&s.onnx, "Relu", "", "a", "m");
            onnx_node(&s.onnx, "Mul", "", "m m", "a_h");
        } else {
            onnx_node(&s.onnx, "Max", "", "a minus", "m");
            onnx_node(&s.onnx, "Add", "", "m one", "a_h");
        }
        sketch_dense(&s, "out", "a_h", 3, 5, "", NULL);
        sketch_finish(&s, &c, &plain, 0);
        cr_assert_eq(compacted_removed_in_all(&c), 2, "%zu: %zu", i, compacted_removed_in_all(&c));
        EXPECT_DIMS(&c, "out.weight", 3, 3);
        compacted_close(&c);
    }
}
