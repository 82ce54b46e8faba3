/* What a node must not do to the batch, and that the sentence says what it did and to what. */
#include <criterion/criterion.h>
#include <string.h>

#include "onnx_builder.h"

static const char advice[] = "; keep the batch as dimension 0 of every value, or export the model "
                             "with a fixed batch size";

static void ints(struct onnx_builder *b, const char *name, size_t count, const int64_t *numbers)
{
    onnx_initializer(b, onnx_ints(b, name, count, numbers));
}

static void transposed(struct onnx_builder *b)
{
    onnx_node(b, "Transpose", "", "x", "y");
}

static void reduced(struct onnx_builder *b)
{
    onnx_node(b, "ReduceSum", "", "x", "y");
}

static void reduced_along_it(struct onnx_builder *b)
{
    ints(b, "axes", 1, (const int64_t[]){-2});
    onnx_node(b, "ReduceSum", "", "x axes", "y");
}

static void constant_rows(struct onnx_builder *b)
{
    onnx_matrix(b, "c", 3, 4, (const float[12]){1});
    onnx_node(b, "Add", "", "x c", "y");
}

static void more_dimensions(struct onnx_builder *b)
{
    ints(b, "axes", 1, (const int64_t[]){1});
    onnx_node(b, "Unsqueeze", "", "x axes", "z");
    onnx_node(b, "Max", "", "x z", "y");
}

static void beside_a_constant(struct onnx_builder *b)
{
    onnx_matrix(b, "c", 1, 4, (const float[4]){1});
    onnx_int(b, onnx_node(b, "Concat", "", "x c", "y"), "axis", 1);
}

static void cut_by_it(struct onnx_builder *b)
{
    ints(b, "zero", 1, (const int64_t[]){0});
    ints(b, "one", 1, (const int64_t[]){1});
    onnx_node(b, "Shape", "", "x", "shape");
    onnx_node(b, "Slice", "", "shape zero one", "batch");
    onnx_node(b, "Slice", "", "x zero batch one", "y");
}

static void padded(struct onnx_builder *b)
{
    ints(b, "pads", 4, (const int64_t[]){0, 0, 1, 0});
    onnx_node(b, "Pad", "", "x pads", "y");
}

static void repeated(struct onnx_builder *b)
{
    ints(b, "shape", 3, (const int64_t[]){2, 1, 4});
    onnx_node(b, "Expand", "", "x shape", "y");
}

static void moved_by_its_size(struct onnx_builder *b)
{
    ints(b, "order", 2, (const int64_t[]){1, 0});
    onnx_node(b, "Shape", "", "x", "shape");
    onnx_node(b, "Gather", "", "shape order", "turned");
    onnx_node(b, "Reshape", "", "x turned", "y");
}

static void doubled(struct onnx_builder *b)
{
    ints(b, "two", 1, (const int64_t[]){2});
    onnx_node(b, "Shape", "", "x", "shape");
    onnx_node(b, "Mul", "", "shape two", "larger");
    onnx_node(b, "Reshape", "", "x larger", "y");
}

static void squeezed(struct onnx_builder *b)
{
    onnx_input(b, "one", 2, (const int64_t[]){1, 4});
    onnx_node(b, "Squeeze", "", "one", "y");
}

static void no_batch(struct onnx_builder *b)
{
    onnx_input(b, "number", 0, NULL);
}

static void two_batches(struct onnx_builder *b)
{
    onnx_input(b, "two", 2, (const int64_t[]){2, 4});
    onnx_input(b, "three", 2, (const int64_t[]){3, 4});
}

static const struct {
    void (*build)(struct onnx_builder *builder);
    const char *says;
} cases[] = {
    {transposed, "node 0 \"\" (Transpose): perm moves the batch of \"x\" from axis 0"},
    {reduced, "node 0 \"\" (ReduceSum): without axes, \"x\" is reduced along its batch as well"},
    {reduced_along_it, "axis 0 of \"x\" is the batch"},
    {constant_rows, "the constant \"c\" [3, 4] is not the same for each row of a batch"},
    {more_dimensions,
     "\"x\" has 2 dimensions and another input 3, so that its batch would not stay "
     "in front"},
    {beside_a_constant, "the constant \"c\" is no row of a batch"},
    {cut_by_it, "the part of \"x\" depends on the size of the batch"},
    {padded, "pads adds rows to the batch of \"x\""},
    {repeated, "the shape repeats the batch of \"x\""},
    {moved_by_its_size, "the shape that \"x\" gets has its batch elsewhere"},
    {doubled, "node 1 \"\" (Mul): it computes with the size of the batch"},
    {squeezed, "without axes, the batch of \"one\" goes as well"},
    {no_batch, "input \"number\" has no dimension for a batch"},
    {two_batches, "input \"three\" fixes its first dimension to 3, an input before it to 2"},
};

Test(onnx_batch, who_touches_it_is_told_how)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct onnx_builder builder;
        struct model model;
        struct error error;
        onnx_open(&builder);
        onnx_input(&builder, "x", 2, (const int64_t[]){-1, 4});
        cases[i].build(&builder);
        onnx_output(&builder, "y");
        cr_assert(onnx_load(&builder, &model, &error) == STATUS_UNSUPPORTED, "case %zu", i);
        const char *said = strstr(error.message, cases[i].says);
        cr_assert(said, "%s", error.message);
        cr_assert_str_eq(said + strlen(cases[i].says), advice);
        model_close(&model);
        onnx_close(&builder);
    }
}

/* Not everything that has no result is the batch's fault. */
Test(onnx_batch, a_division_by_zero_is_none_of_its_business)
{
    struct onnx_builder builder;
    struct model model;
    struct error error;
    onnx_open(&builder);
    onnx_input(&builder, "x", 2, (const int64_t[]){-1, 4});
    ints(&builder, "one", 1, (const int64_t[]){1});
    ints(&builder, "zero", 1, (const int64_t[]){0});
    onnx_node(&builder, "Div", "", "one zero", "shape");
    onnx_node(&builder, "Reshape", "", "x shape", "y");
    onnx_output(&builder, "y");
    cr_assert(onnx_load(&builder, &model, &error) == STATUS_INVALID);
    cr_assert_str_eq(error.message, "node 0 \"\" (Div): Div of 1 and 0 has no result");
    model_close(&model);
    onnx_close(&builder);
}
