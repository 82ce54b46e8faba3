/* The table of activations: names, parameters, the definitions in double precision. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "activation.h"
#include "functions.h"
#include "nets.h"

Test(activation, is_known_by_its_name_and_by_its_operator)
{
    for (enum activation_type type = 0; type < ACTIVATION_COUNT; type++) {
        const struct activation_info *info = activation_info(type);
        struct activation by_name, by_op;
        cr_assert(activation_named(&by_name, info->name) && by_name.type == type);
        cr_assert(!info->onnx_op[0] ||
                  (activation_by_onnx_op(&by_op, info->onnx_op) && by_op.type == type));
        for (size_t i = 0; i < ACTIVATION_PARAMETERS; i++)
            cr_assert(by_name.parameters[i] == info->parameters[i].fallback);
        cr_assert(by_name.slope == NULL);
    }
    struct activation none;
    cr_assert(!activation_named(&none, "Relu") && !activation_named(&none, ""));
    cr_assert(!activation_by_onnx_op(&none, "relu") && !activation_by_onnx_op(&none, "Conv"));
}

Test(activation, defaults_are_those_of_onnx_and_pytorch)
{
    cr_assert(net_parse("leaky_relu").parameters[0] == 0.01f);
    cr_assert(net_parse("elu").parameters[0] == 1.0f);
    cr_assert(net_parse("prelu").parameters[0] == 0.25f);
}

Test(activation, parameters_are_read)
{
    cr_assert(net_parse("leaky_relu(alpha=0.1)").parameters[0] == 0.1f);
    cr_assert(net_parse("leaky_relu(alpha=-3e-2)").parameters[0] == -0.03f);
    cr_assert(net_parse("prelu(slope=0)").parameters[0] == 0.0f);
    cr_assert(net_parse("relu").type == ACTIVATION_relu);
}

static const struct {
    const char *text, *says;
} malformed[] = {
    {"", "unknown activation \"\""},
    {"Relu", "\"Relu\""},
    {"relu7", "\"relu7\""},
    {"a_name_that_is_longer_than_any_activation_has", "unknown activation"},
    {"relu(", "expected NAME(parameter=value)"},
    {"relu()", "expected NAME(parameter=value)"},
    {"relu(alpha=1)", "relu takes no parameter, found \"alpha\""},
    {"leaky_relu(slope=1)", "the parameter of leaky_relu is \"alpha\", found \"slope\""},
    {"leaky_relu(alpha)", "expected NAME(parameter=value)"},
    {"leaky_relu(alpha=)", "expected NAME(parameter=value)"},
    {"leaky_relu(alpha=1", "expected NAME(parameter=value)"},
    {"leaky_relu(alpha=1))", "expected NAME(parameter=value)"},
    {"leaky_relu(alpha=1)x", "expected NAME(parameter=value)"},
    {"leaky_relu(alpha=nan)", "finite"},
    {"leaky_relu(alpha=inf)", "finite"},
    {"leaky_relu(alpha=1e39)", "finite"},
    {"leaky_relu(a_parameter_longer_than_any_that_there_is=1)", "expected NAME"},
};

Test(activation, what_is_malformed_is_refused_with_a_sentence)
{
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        struct activation activation;
        struct error error;
        cr_assert(activation_parse(&activation, malformed[i].text, &error) == STATUS_INVALID, "%s",
                  malformed[i].text);
        cr_assert(strstr(error.message, malformed[i].says) != NULL, "%s: %s", malformed[i].text,
                  error.message);
    }
}

static void expect_json(const struct activation *activation, const char *expected)
{
    struct text text = {.bytes = NULL};
    activation_write(&text, activation);
    text_add(&text, "", 1);
    cr_assert_str_eq(text.bytes, expected);
    text_free(&text);
}

Test(activation, is_written_as_config_json_has_it)
{
    static const float slopes[16] = {0};
    struct activation activation = net_parse("relu");
    expect_json(&activation, "{\"type\":\"relu\"}");
    activation = net_parse("leaky_relu(alpha=0.1)");
    expect_json(&activation, "{\"type\":\"leaky_relu\",\"alpha\":0.1}");
    activation = net_parse("prelu");
    expect_json(&activation, "{\"type\":\"prelu\",\"slope\":0.25}");
    activation.slope = slopes;
    expect_json(&activation, "{\"type\":\"prelu\"}");
}

static double value(const char *text, double z)
{
    const struct activation activation = net_parse(text);
    return activation_value(&activation, 0, z);
}

/* e - 1, 1 / (1 + e), tanh 1, from tables. */
Test(activation, values_are_those_of_the_definition)
{
    cr_assert(value("relu", -2) == 0 && value("relu", 3) == 3 && value("relu", 0) == 0);
    cr_assert(value("leaky_relu(alpha=0.5)", -2) == -1 && value("leaky_relu", 3) == 3);
    cr_assert(value("prelu", -4) == -1 && value("prelu", 4) == 4);
    cr_assert_float_eq(value("elu", -1), -0.63212055882855767840, 1e-15);
    cr_assert_float_eq(value("elu(alpha=2)", -1), -1.2642411176571153568, 1e-15);
    cr_assert(value("elu(alpha=2)", 1) == 1);
    cr_assert_float_eq(value("sigmoid", -1), 0.26894142136999512075, 1e-15);
    cr_assert_float_eq(value("tanh", 1), 0.76159415595576488812, 1e-15);
    cr_assert(value("identity", -7) == -7 && value("softmax", -7) == -7);
}

Test(activation, nan_gives_nan)
{
    for (enum activation_type type = 0; type < ACTIVATION_COUNT; type++) {
        const struct activation activation = net_parse(activation_info(type)->name);
        const bool swallowed = type == ACTIVATION_thresholded_relu; /* as ONNX says */
        cr_assert(isnan(activation_value(&activation, 0, NAN)) == !swallowed, "%d", (int)type);
        cr_assert(isnan(activation_derivative(&activation, 0, NAN)), "%d", (int)type);
        cr_assert(!activation_active(&activation, NAN), "%d", (int)type);
    }
}

/* As good as double arithmetic is at an argument as good as that; below 2^-1000 anything goes. */
static void check_value(const char *text, double z)
{
    const struct activation activation = net_parse(text);
    const double found = activation_value(&activation, 0, z);
    const long double expected = function_value(&activation, 0, (long double)z);
    const long double slope = (long double)activation_derivative(&activation, 0, z);
    const long double scale = fabsl(expected) + fabsl(slope * (long double)z);
    cr_assert(fabsl((long double)found - expected) <= 0x1p-49L * scale + 0x1p-1000L,
              "%s(%a) is %a, expected %La", text, z, found, expected);
}

Test(activation, values_agree_with_the_formulas)
{
    for (size_t i = 0; i < FUNCTION_COUNT; i++) {
        for (double z = -40; z <= 40; z += 0x1p-5)
            check_value(functions[i], z);
        for (double z = 0x1p-149; z < 0x1p127; z *= 3) {
            check_value(functions[i], z);
            check_value(functions[i], -z);
        }
    }
}

/* The slope of the curve through four points around z, good to h^4. */
static void check_derivative(const char *text, double z)
{
    const struct activation activation = net_parse(text);
    const long double h = 0x1p-16L, at = (long double)z;
    const long double near =
        function_value(&activation, 0, at + h) - function_value(&activation, 0, at - h);
    const long double far =
        function_value(&activation, 0, at + 2 * h) - function_value(&activation, 0, at - 2 * h);
    const long double expected = (8 * near - far) / (12 * h);
    const double found = activation_derivative(&activation, 0, z);
    cr_assert(fabsl((long double)found - expected) <= 1e-12L * (1 + fabsl(expected)),
              "%s'(%g) is %.15g, expected %.15Lg", text, z, found, expected);
}

/* At places where no function has a kink. */
Test(activation, derivatives_are_slopes)
{
    for (size_t i = 0; i < FUNCTION_COUNT; i++)
        for (int step = -2000; step < 2000; step++)
            check_derivative(functions[i], 0.0137 + 0.01 * step);
}

/* The slope at a kink, seen from one side: -1 from below, 1 from above. */
static void check_kink(const char *text, double z, int side)
{
    const struct activation activation = net_parse(text);
    const long double h = 0x1p-30L * side;
    const long double step = function_value(&activation, 0, (long double)z + h) -
                             function_value(&activation, 0, (long double)z);
    const double found = activation_derivative(&activation, 0, z);
    cr_assert(fabsl((long double)found - step / h) <= 1e-8L, "%s'(%g) is %.15g, expected %.15Lg",
              text, z, found, step / h);
}

static const struct {
    const char *text;
    double kink, upper;
} kinked[] = {
    {"relu", 0, NAN},
    {"relu6", 0, 6},
    {"clip(min=-0.5,max=1.5)", -0.5, 1.5},
    {"leaky_relu(alpha=0.3)", 0, NAN},
    {"prelu(slope=2)", 0, NAN},
    {"rrelu", 0, NAN},
    {"elu(alpha=2)", 0, NAN},
    {"selu", 0, NAN},
    {"celu(alpha=0.3)", 0, NAN},
    {"thresholded_relu", 1, NAN},
    {"shifted_relu", -1, NAN},
    {"squared_relu", 0, NAN},
    {"hard_swish", -3, 3},
    {"hard_sigmoid(alpha=0.25)", -2, 2},
};

Test(activation, a_kink_has_the_slope_from_below_and_an_upper_one_that_from_above)
{
    for (size_t i = 0; i < sizeof kinked / sizeof kinked[0]; i++) {
        check_kink(kinked[i].text, kinked[i].kink, -1);
        if (!isnan(kinked[i].upper))
            check_kink(kinked[i].text, kinked[i].upper, 1);
    }
}

Test(activation, a_unit_is_active_above_zero)
{
    for (enum activation_type type = 0; type < ACTIVATION_COUNT; type++) {
        const struct activation activation = net_parse(activation_info(type)->name);
        const bool counted = activation_counted(&activation);
        const double threshold = (double)activation_threshold(&activation);
        const bool at_zero = threshold == 0;
        cr_assert(activation_active(&activation, threshold + 0x1p-40) == counted);
        cr_assert(activation_active(&activation, INFINITY) == counted);
        cr_assert(!activation_active(&activation, threshold));
        cr_assert(!at_zero || !activation_active(&activation, -0.0));
        cr_assert(activation_active(&activation, -1) == (type == ACTIVATION_crelu));
        cr_assert(counted == (type != ACTIVATION_identity && type != ACTIVATION_softmax &&
                              type != ACTIVATION_log_softmax));
    }
}

static bool leaks(const char *text)
{
    const struct activation activation = net_parse(text);
    return activation_leaks(&activation, 0);
}

Test(activation, leaks_where_a_gradient_passes_below_zero)
{
    cr_assert(!leaks("relu"));
    cr_assert(leaks("leaky_relu") && !leaks("leaky_relu(alpha=0)"));
    cr_assert(leaks("prelu") && leaks("prelu(slope=-1)") && !leaks("prelu(slope=0)"));
    cr_assert(leaks("elu") && !leaks("elu(alpha=0)"));
    cr_assert(leaks("sigmoid") && leaks("tanh"));
}

Test(activation, slopes_are_of_their_unit)
{
    static const float slopes[16] = {0, 0.5f, -2};
    const struct activation activation = {ACTIVATION_prelu, {0.25f}, slopes};
    cr_assert(!activation_leaks(&activation, 0) && activation_leaks(&activation, 1) &&
              activation_leaks(&activation, 2));
    cr_assert(activation_value(&activation, 2, -3) == 6);
    cr_assert(activation_derivative(&activation, 1, -3) == 0.5);
}

/* mean magnitude may be read off the mean where outputs are never negative, and only there. */
Test(activation, nonnegative_ones_are_known)
{
    for (enum activation_type type = 0; type < ACTIVATION_COUNT; type++) {
        const struct activation activation = net_parse(activation_info(type)->name);
        if (activation_nonnegative(&activation))
            for (double z = -100; z <= 100; z += 0.5)
                cr_assert(activation_value(&activation, 0, z) >= 0, "%d at %g", (int)type, z);
    }
}

/* Beyond a tail's begin the function is flat, or at its bound; at the begin it is not yet. */
static bool flat(const struct activation *activation, float z)
{
    const double h = activation_value(activation, 0, (double)z);
    if (activation_info(activation->type)->trait == CAPPED)
        return h == (double)activation->parameters[1];
    return fabs(activation_derivative(activation, 0, (double)z)) < 1e-3;
}

static void check_tails(const char *function)
{
    const struct activation activation = net_parse(function);
    const struct activation_tails tails = activation_tails(&activation);
    const bool both = isnan(tails.low) && isnan(tails.high);
    cr_assert(both != activation_tailed(&activation), "%s", function);
    cr_assert(isnan(tails.low) || (flat(&activation, nextafterf(tails.low, -INFINITY)) &&
                                   !flat(&activation, tails.low)),
              "%s is flat below %a", function, (double)tails.low);
    cr_assert(isnan(tails.high) || (flat(&activation, nextafterf(tails.high, INFINITY)) &&
                                    !flat(&activation, tails.high)),
              "%s is flat above %a", function, (double)tails.high);
    for (float step = 1; step < 50; step++)
        cr_assert((isnan(tails.low) || flat(&activation, tails.low - step)) &&
                  (isnan(tails.high) || flat(&activation, tails.high + step)));
}

Test(activation, tails_are_where_it_is_flat)
{
    for (size_t i = 0; i < FUNCTION_COUNT; i++)
        if (strcmp(functions[i], "clip(min=1,max=-1)") != 0)
            check_tails(functions[i]);
    const struct activation constant = net_parse("hard_sigmoid(alpha=0)");
    cr_assert(activation_tails(&constant).low == INFINITY);
}

/* Where it says so, the value beyond the high tail's begin is the largest of all. */
Test(activation, capped_ones_reach_their_upper_bound)
{
    for (size_t i = 0; i < FUNCTION_COUNT; i++) {
        const struct activation activation = net_parse(functions[i]);
        if (!activation_capped(&activation))
            continue;
        const double high = (double)activation_tails(&activation).high;
        const double bound = activation_value(&activation, 0, nextafter(high, INFINITY) + 1);
        for (double z = -50; z < 50; z += 0.25)
            cr_assert(activation_value(&activation, 0, z) <= bound, "%s at %g", functions[i], z);
    }
}
