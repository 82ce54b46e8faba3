/* Comparisons and what is made of them: 0 and 1 inside, never an output. */
#include <criterion/criterion.h>
#include <math.h>

#include "onnx_builder.h"

enum { N = 6 };

static const int64_t open6[2] = {-1, N};
static const float x[N] = {-2, -0.5f, 0.75f, 3, NAN, INFINITY};

static void load(struct onnx_builder *builder, struct model *model)
{
    struct error error;
    cr_assert(onnx_load(builder, model, &error) == STATUS_OK, "%s", error.message);
}

static void begin(struct onnx_builder *builder)
{
    static const float limits[N] = {-2, 0, 0.5f, 3, 0, 0}, zero = 0;
    onnx_open(builder);
    onnx_input(builder, "x", 2, open6);
    onnx_matrix(builder, "limits", 0, N, limits);
    onnx_initializer(builder, onnx_floats(builder, "zero", 0, NULL, &zero));
    onnx_output(builder, "y");
}

/* Runs what was built and compares the row of its output. */
static void expect(struct onnx_builder *builder, const char *what, const float *expected)
{
    struct model model;
    float y[N];
    load(builder, &model);
    model_run(&model, x, 1, y);
    for (size_t i = 0; i < N; i++)
        cr_assert(y[i] == expected[i] || (isnan(y[i]) && isnan(expected[i])),
                  "%s: element %zu is %g, not %g", what, i, (double)y[i], (double)expected[i]);
    model_close(&model);
    onnx_close(builder);
}

static void check_comparison(const char *op, const float *expected)
{
    struct onnx_builder builder;
    begin(&builder);
    onnx_node(&builder, op, "", "x limits", "truth");
    onnx_int(&builder, onnx_node(&builder, "Cast", "", "truth", "y"), "to",
             ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
    expect(&builder, op, expected);
}

Test(onnx_boolean, comparisons_are_0_or_1_and_nan_is_like_nothing)
{
    check_comparison("Greater", (const float[]){0, 0, 1, 0, 0, 1});
    check_comparison("GreaterOrEqual", (const float[]){1, 0, 1, 1, 0, 1});
    check_comparison("Less", (const float[]){0, 1, 0, 0, 0, 0});
    check_comparison("LessOrEqual", (const float[]){1, 1, 0, 1, 0, 0});
    check_comparison("Equal", (const float[]){1, 0, 0, 1, 0, 0});
}

static void check_logic(const char *op, const char *operands, const float *expected)
{
    struct onnx_builder builder;
    begin(&builder);
    onnx_node(&builder, "Less", "", "x zero", "negative");
    onnx_node(&builder, "Equal", "", "x limits", "equal");
    onnx_node(&builder, op, "", operands, "truth");
    onnx_int(&builder, onnx_node(&builder, "Cast", "", "truth", "y"), "to",
             ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
    expect(&builder, op, expected);
}

Test(onnx_boolean, booleans_are_combined)
{
    check_logic("And", "negative equal", (const float[]){1, 0, 0, 0, 0, 0});
    check_logic("Or", "negative equal", (const float[]){1, 1, 0, 1, 0, 0});
    check_logic("Xor", "negative equal", (const float[]){0, 1, 0, 1, 0, 0});
    check_logic("Not", "negative", (const float[]){0, 0, 1, 1, 1, 1});
}

/* What is not chosen does not matter, whatever it is. */
Test(onnx_boolean, where_chooses)
{
    struct onnx_builder builder;
    begin(&builder);
    onnx_node(&builder, "Less", "", "x zero", "negative");
    onnx_node(&builder, "Log", "", "x", "log");
    onnx_node(&builder, "Where", "", "negative x limits", "y");
    expect(&builder, "Where", (const float[]){-2, -0.5f, 0.5f, 3, 0, 0});
    begin(&builder);
    onnx_node(&builder, "Greater", "", "x zero", "positive");
    onnx_node(&builder, "Div", "", "limits zero", "infinite");
    onnx_node(&builder, "Where", "", "positive x infinite", "y");
    expect(&builder, "Where", (const float[]){-INFINITY, NAN, 0.75f, 3, NAN, INFINITY});
}

Test(onnx_boolean, a_number_becomes_a_boolean)
{
    struct onnx_builder builder;
    begin(&builder);
    onnx_node(&builder, "Relu", "", "x", "h");
    onnx_int(&builder, onnx_node(&builder, "Cast", "", "h", "truth"), "to",
             ONNX__TENSOR_PROTO__DATA_TYPE__BOOL);
    onnx_int(&builder, onnx_node(&builder, "Cast", "", "truth", "y"), "to",
             ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
    expect(&builder, "Cast", (const float[]){0, 0, 1, 1, 1, 1});
}

/* Constants are compared at load, whole numbers as such: then y is op of a and b wherever all are
 * true, which they are. */
static void check_constants(const char *op, bool whole, const float *expected)
{
    static const int64_t a[N] = {1, 2, 5, -1, 0, 2}, b = 2, all[N] = {1, 1, 1, 1, 1, 1};
    struct onnx_builder builder;
    begin(&builder);
    onnx_initializer(&builder, onnx_ints(&builder, "a", N, a));
    onnx_initializer(&builder, onnx_ints(&builder, "b", 1, &b));
    onnx_initializer(&builder, onnx_ints(&builder, "all", N, all));
    for (int i = 0; i < 2 && !whole; i++)
        onnx_int(&builder, onnx_node(&builder, "Cast", "", i ? "b" : "a", i ? "fb" : "fa"), "to",
                 ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
    onnx_node(&builder, op, "", whole ? "a b" : "fa fb", "truth");
    onnx_int(&builder, onnx_node(&builder, "Cast", "", "truth", "floats"), "to",
             ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
    onnx_node(&builder, "Where", "", "all floats x", "y");
    expect(&builder, op, expected);
}

Test(onnx_boolean, constants_are_compared_at_load)
{
    for (int whole = 0; whole < 2; whole++) {
        check_constants("Greater", whole, (const float[]){0, 0, 1, 0, 0, 0});
        check_constants("GreaterOrEqual", whole, (const float[]){0, 1, 1, 0, 0, 1});
        check_constants("Less", whole, (const float[]){1, 0, 0, 1, 1, 0});
        check_constants("LessOrEqual", whole, (const float[]){1, 1, 0, 1, 1, 1});
        check_constants("Equal", whole, (const float[]){0, 1, 0, 0, 0, 1});
        check_constants("And", whole, (const float[]){1, 1, 1, 1, 0, 1});
        check_constants("Or", whole, (const float[]){1, 1, 1, 1, 1, 1});
        check_constants("Xor", whole, (const float[]){0, 0, 0, 0, 1, 0});
        check_constants("Max", whole, (const float[]){2, 2, 5, 2, 2, 2});
        check_constants("Min", whole, (const float[]){1, 2, 2, -1, 0, 2});
    }
}

Test(onnx_boolean, constants_are_negated_and_chosen_at_load)
{
    static const int64_t conditions[N] = {1, 0, 1, 0, 0, 1}, a[N] = {1, 2, 3, 4, 5, 6};
    struct onnx_builder builder;
    begin(&builder);
    onnx_initializer(&builder, onnx_ints(&builder, "conditions", N, conditions));
    onnx_initializer(&builder, onnx_ints(&builder, "a", N, a));
    onnx_node(&builder, "Not", "", "conditions", "others");
    onnx_node(&builder, "Neg", "", "a", "b");
    onnx_node(&builder, "Where", "", "others a b", "chosen");
    onnx_node(&builder, "Or", "", "others conditions", "all");
    onnx_int(&builder, onnx_node(&builder, "Cast", "", "chosen", "floats"), "to",
             ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
    onnx_node(&builder, "Where", "", "all floats x", "y");
    expect(&builder, "Where", (const float[]){-1, 2, -3, 4, 5, -6});
}
