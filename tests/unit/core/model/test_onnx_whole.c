/* Files that fix their batch: most keep to it, so that any batch can be run; some cannot be cut
 * into rows and are run whole. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "onnx_builder.h"
#include "randoms.h"

enum { CHANNELS = 6, SIDE = 4, PIXELS = CHANNELS * SIDE * SIDE, IMAGES = 3 };

static float weights[CHANNELS * CHANNELS * 9], x[IMAGES * PIXELS];

static Onnx__NodeProto *reshape(struct onnx_builder *builder, const char *from, const char *to,
                                size_t rank, const int64_t *shape)
{
    char name[32], inputs[64];
    snprintf(name, sizeof name, "shape_of_%s", to);
    snprintf(inputs, sizeof inputs, "%s %s", from, name);
    onnx_initializer(builder, onnx_ints(builder, name, rank, shape));
    return onnx_node(builder, "Reshape", "", inputs, to);
}

/* x [batch, 6, 4, 4] -> Conv 3x3 -> Relu "h" */
static void begin(struct onnx_builder *builder, int64_t batch)
{
    struct randoms random = {1};
    random_floats(&random, RANDOM_PLAIN, weights, sizeof weights / sizeof *weights);
    random_floats(&random, RANDOM_PLAIN, x, IMAGES * PIXELS);
    onnx_open(builder);
    onnx_input(builder, "x", 4, (const int64_t[]){batch, CHANNELS, SIDE, SIDE});
    onnx_initializer(builder, onnx_floats(builder, "conv.weight", 4,
                                          (const int64_t[]){CHANNELS, CHANNELS, 3, 3}, weights));
    Onnx__NodeProto *conv = onnx_node(builder, "Conv", "", "x conv.weight", "z");
    onnx_int_list(builder, conv, "pads", 4, (const int64_t[]){1, 1, 1, 1});
    onnx_node(builder, "Relu", "", "z", "h");
}

static void load(struct onnx_builder *builder, struct model *model)
{
    struct error error;
    onnx_output(builder, "y");
    cr_assert(onnx_load(builder, model, &error) == STATUS_OK, "%s", error.message);
}

static void close_both(struct onnx_builder *builder, struct model *model)
{
    model_close(model);
    onnx_close(builder);
}

/* What ShuffleNet does, with a batch of one written into every shape. */
Test(onnx_whole, a_batch_of_one_that_nothing_touches_is_open)
{
    struct onnx_builder builder;
    struct model model;
    begin(&builder, 1);
    reshape(&builder, "h", "apart", 5, (const int64_t[]){1, 2, CHANNELS / 2, SIDE, SIDE});
    onnx_int_list(&builder, onnx_node(&builder, "Transpose", "", "apart", "swapped"), "perm", 5,
                  (const int64_t[]){0, 2, 1, 3, 4});
    reshape(&builder, "swapped", "shuffled", 4, (const int64_t[]){1, CHANNELS, SIDE, SIDE});
    reshape(&builder, "shuffled", "flat", 2, (const int64_t[]){1, -1});
    reshape(&builder, "flat", "y", 2, (const int64_t[]){1, PIXELS});
    load(&builder, &model);
    cr_assert(!model.whole);
    cr_assert(model.inputs[0].dims[0] == -1 && model.outputs[0].dims[0] == -1);
    cr_assert(model.outputs[0].rank == 2 && model.outputs[0].features == PIXELS);
    close_both(&builder, &model);
}

/* A file of three images that ends by joining them, and the same for one image at a time. */
Test(onnx_whole, several_images_of_one_run_are_those_of_several_rows)
{
    struct onnx_builder builder;
    struct model model;
    float together[2 * IMAGES * PIXELS], apart[IMAGES * PIXELS];
    begin(&builder, -1);
    onnx_node(&builder, "Identity", "", "h", "y");
    load(&builder, &model);
    model_run(&model, x, IMAGES, apart);
    close_both(&builder, &model);
    begin(&builder, IMAGES);
    reshape(&builder, "h", "y", 1, (const int64_t[]){-1});
    load(&builder, &model);
    cr_assert(model.whole);
    cr_assert(model.inputs[0].rank == 4 && model.inputs[0].dims[0] == IMAGES);
    cr_assert(model.inputs[0].features == IMAGES * PIXELS);
    cr_assert(model.outputs[0].rank == 1 && model.outputs[0].dims[0] == IMAGES * PIXELS);
    model_run(&model, x, 1, together);
    cr_assert(memcmp(together, apart, sizeof apart) == 0);
    close_both(&builder, &model);
}

/* Its layers are those of one image, seen at more positions. */
Test(onnx_whole, units_are_channels)
{
    struct onnx_builder builder;
    struct model model;
    begin(&builder, IMAGES);
    reshape(&builder, "h", "y", 1, (const int64_t[]){-1});
    load(&builder, &model);
    cr_assert(model.plan.layer_count == 1);
    const struct layer *layer = &model.plan.layers[0];
    cr_assert_str_eq(layer->name, "conv");
    cr_assert(layer->node->op == OP_conv && layer->units == CHANNELS);
    cr_assert(layer->positions == IMAGES * SIDE * SIDE);
    close_both(&builder, &model);
}

static void check_refusal(struct onnx_builder *builder, const char *sentence)
{
    struct model model;
    struct error error;
    onnx_output(builder, "y");
    cr_assert(onnx_load(builder, &model, &error) == STATUS_UNSUPPORTED);
    cr_assert(strstr(error.message, sentence), "%s", error.message);
    close_both(builder, &model);
}

/* The sentence is about what stands in the way: the batch while it is open, else what cannot be run
 * whole either. */
Test(onnx_whole, refusals_name_what_stands_in_the_way)
{
    struct onnx_builder builder;
    begin(&builder, -1);
    reshape(&builder, "h", "joined", 1, (const int64_t[]){-1});
    onnx_node(&builder, "NonZero", "", "joined", "y");
    check_refusal(&builder,
                  "node 2 \"\" (Reshape): the shape [-1] joins or splits the rows of \"h\"");
    begin(&builder, IMAGES);
    reshape(&builder, "h", "joined", 1, (const int64_t[]){-1});
    onnx_node(&builder, "NonZero", "", "joined", "y");
    check_refusal(&builder, "node 3 \"\" (NonZero): the operator is not supported");
}

/* Images of three dimensions leave no axis along which several could lie. */
Test(onnx_whole, three_dimensional_images_come_alone)
{
    for (int64_t images = 1; images <= 2; images++) {
        struct onnx_builder builder;
        onnx_open(&builder);
        onnx_input(&builder, "x", 5, (const int64_t[]){images, 2, 2, 2, 1});
        onnx_node(&builder, "GlobalMaxPool", "", "x", "z");
        reshape(&builder, "z", "y", 1, (const int64_t[]){-1});
        if (images == 1) {
            struct model model;
            float y[2];
            load(&builder, &model);
            model_run(&model, (const float[]){1, 2, 3, 4, 8, 7, 6, 5}, 1, y);
            cr_assert(model.whole && y[0] == 4 && y[1] == 8);
            close_both(&builder, &model);
        } else {
            check_refusal(&builder, "2 images of 3 dimensions");
        }
    }
}
