#include "activation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct activation_info infos[ACTIVATION_COUNT] = {
#define ACTIVATION(name, onnx_op, trait, first, first_default, second, second_default, ulps) \
    {#name, onnx_op, trait, {{first, first_default}, {second, second_default}}},
#include "activation.def"
#undef ACTIVATION
};

const struct activation_info *activation_info(enum activation_type type)
{
    return &infos[type];
}

static void set_type(struct activation *activation, size_t type)
{
    *activation = (struct activation){.type = (enum activation_type)type};
    for (size_t i = 0; i < ACTIVATION_PARAMETERS; i++)
        activation->parameters[i] = infos[type].parameters[i].fallback;
}

bool activation_named(struct activation *activation, const char *name)
{
    for (size_t type = 0; type < ACTIVATION_COUNT; type++) {
        if (strcmp(infos[type].name, name) == 0) {
            set_type(activation, type);
            return true;
        }
    }
    return false;
}

bool activation_by_onnx_op(struct activation *activation, const char *onnx_op)
{
    for (size_t type = 0; type < ACTIVATION_COUNT; type++) {
        if (onnx_op[0] && strcmp(infos[type].onnx_op, onnx_op) == 0) {
            set_type(activation, type);
            return true;
        }
    }
    return false;
}

static enum status refuse_parameter(const struct activation_info *info, const char *parameter,
                                    struct error *error)
{
    const char *first = info->parameters[0].name, *second = info->parameters[1].name;
    if (!first[0])
        return error_set(error, STATUS_INVALID, "%s takes no parameter, found \"%s\"", info->name,
                         parameter);
    if (!second[0])
        return error_set(error, STATUS_INVALID, "the parameter of %s is \"%s\", found \"%s\"",
                         info->name, first, parameter);
    return error_set(error, STATUS_INVALID,
                     "the parameters of %s are \"%s\" and \"%s\", found \"%s\"", info->name, first,
                     second, parameter);
}

enum status activation_set(struct activation *activation, const char *parameter, double value,
                           struct error *error)
{
    const struct activation_info *info = &infos[activation->type];
    size_t i = 0;
    while (i < ACTIVATION_PARAMETERS &&
           (!info->parameters[i].name[0] || strcmp(info->parameters[i].name, parameter) != 0))
        i++;
    if (i == ACTIVATION_PARAMETERS)
        return refuse_parameter(info, parameter, error);
    if (!isfinite((float)value))
        return error_set(error, STATUS_INVALID, "%s: %s must be a finite float32, found %g",
                         info->name, parameter, value);
    if (activation->type == ACTIVATION_celu && !(value > 0))
        return error_set(error, STATUS_INVALID, "celu: alpha must be positive, found %g", value);
    activation->parameters[i] = (float)value;
    activation->slope = NULL;
    return STATUS_OK;
}

enum { NAME_BYTES = 32 };

/* Takes the name that ends at one of delimiters; *text moves behind it. */
static bool take_name(char name[NAME_BYTES], const char **text, const char *delimiters)
{
    size_t length = strcspn(*text, delimiters);
    if (length >= NAME_BYTES)
        return false;
    memcpy(name, *text, length);
    name[length] = '\0';
    *text += length;
    return true;
}

/* Reads "NAME=VALUE,NAME=VALUE)" after the opening parenthesis. */
static enum status parse_parameters(struct activation *activation, const char *text,
                                    struct error *error)
{
    const char *all = text;
    for (bool more = true; more; text++) {
        char name[NAME_BYTES], *end = NULL;
        bool named = take_name(name, &text, "=");
        double value = named && *text == '=' ? strtod(text + 1, &end) : 0;
        if (!end || end == text + 1 || (*end != ',' && strcmp(end, ")") != 0))
            return error_set(error, STATUS_INVALID, "expected NAME(parameter=value), found \"(%s\"",
                             all);
        if (activation_set(activation, name, value, error) != STATUS_OK)
            return error->status;
        more = *end == ',';
        text = end;
    }
    return STATUS_OK;
}

enum status activation_parse(struct activation *activation, const char *text, struct error *error)
{
    char name[NAME_BYTES];
    const char *rest = text;
    if (!take_name(name, &rest, "(") || !activation_named(activation, name))
        return error_set(error, STATUS_INVALID, "unknown activation \"%.*s\"",
                         (int)strcspn(text, "("), text);
    return *rest ? parse_parameters(activation, rest + 1, error) : STATUS_OK;
}

bool activation_counted(const struct activation *activation)
{
    return infos[activation->type].trait != UNCOUNTED;
}

bool activation_nonnegative(const struct activation *activation)
{
    switch (activation->type) {
    case ACTIVATION_relu:
    case ACTIVATION_relu6:
    case ACTIVATION_squared_relu:
    case ACTIVATION_softplus:
    case ACTIVATION_hard_sigmoid:
    case ACTIVATION_sigmoid:
        return true;
    case ACTIVATION_clip:
        return activation->parameters[0] >= 0 && activation->parameters[1] >= 0;
    default:
        return false;
    }
}

float activation_threshold(const struct activation *activation)
{
    switch (activation->type) {
    case ACTIVATION_clip:
    case ACTIVATION_thresholded_relu:
    case ACTIVATION_shifted_relu:
        return activation->parameters[0];
    default:
        return 0.0f;
    }
}

static void set_constants(const struct activation *activation, float constants[2])
{
    constants[0] = activation->parameters[0];
    constants[1] = activation->parameters[1];
    if (activation->type == ACTIVATION_rrelu) /* inference takes the middle of its range */
        constants[0] = (constants[0] + constants[1]) / 2;
}

/* The slope of a HINGE below its threshold. */
static double slope_below(const struct activation *activation, size_t unit)
{
    float constants[2];
    set_constants(activation, constants);
    switch (activation->type) {
    case ACTIVATION_prelu:
        return activation->slope ? activation->slope[unit] : constants[0];
    case ACTIVATION_leaky_relu:
    case ACTIVATION_rrelu:
        return constants[0];
    default:
        return 0.0;
    }
}

bool activation_leaks(const struct activation *activation, size_t unit)
{
    if (activation->type == ACTIVATION_elu || activation->type == ACTIVATION_selu)
        return activation->parameters[0] != 0.0f;
    const enum activation_trait trait = infos[activation->type].trait;
    return (trait != HINGE && trait != CAPPED) || slope_below(activation, unit) != 0.0;
}

bool activation_tailed(const struct activation *activation)
{
    const enum activation_trait trait = infos[activation->type].trait;
    return trait == CAPPED || trait == SATURATING;
}

bool activation_capped(const struct activation *activation)
{
    return infos[activation->type].trait == CAPPED ||
           (activation->type == ACTIVATION_hard_sigmoid && activation->parameters[0] > 0);
}

/* The smallest float above z, the largest below it. */
static float float_above(double z)
{
    const float nearest = (float)z;
    return (double)nearest > z ? nearest : nextafterf(nearest, INFINITY);
}

static float float_below(double z)
{
    return -float_above(-z);
}

/* Where alpha z + beta is 0 and where it is 1. */
static struct activation_tails hard_sigmoid_tails(double alpha, double beta)
{
    const double zero = -beta / alpha, one = (1 - beta) / alpha;
    if (fabs(alpha) < 1e-3)
        return (struct activation_tails){INFINITY, NAN};
    return (struct activation_tails){float_above(fmin(zero, one)), float_below(fmax(zero, one))};
}

struct activation_tails activation_tails(const struct activation *activation)
{
    const float a = activation->parameters[0], b = activation->parameters[1];
    switch (activation->type) {
    case ACTIVATION_relu6:
    case ACTIVATION_clip:
        return (struct activation_tails){NAN, float_below((double)b)};
    case ACTIVATION_gelu:
        return (struct activation_tails){-0x1.e7ba40p+1f, NAN};
    case ACTIVATION_gelu_tanh:
        return (struct activation_tails){-0x1.de6174p+1f, NAN};
    case ACTIVATION_silu:
        return (struct activation_tails){-0x1.1f859ep+3f, NAN};
    case ACTIVATION_mish:
        return (struct activation_tails){-0x1.1f86dep+3f, NAN};
    case ACTIVATION_hard_swish:
        return (struct activation_tails){float_above(-3), NAN};
    case ACTIVATION_softplus:
        return (struct activation_tails){-0x1.ba0844p+2f, NAN};
    case ACTIVATION_hard_sigmoid:
        return hard_sigmoid_tails((double)a, (double)b);
    case ACTIVATION_sigmoid:
        return (struct activation_tails){-0x1.b9f7d8p+2f, 0x1.b9f7d8p+2f};
    case ACTIVATION_tanh:
        return (struct activation_tails){-0x1.0964c0p+2f, 0x1.0964c0p+2f};
    default:
        return (struct activation_tails){NAN, NAN};
    }
}

struct activation_rule activation_rule(const struct activation *activation)
{
    struct activation_rule rule = {.type = activation->type,
                                   .threshold = activation_threshold(activation),
                                   .tails = activation_tails(activation),
                                   .slope = activation->slope};
    set_constants(activation, rule.constants);
    return rule;
}

static double clip(double z, double low, double high)
{
    z = z < low ? low : z;
    return z > high ? high : z;
}

/* The standard normal distribution, for gelu. */
static double normal_cdf(double z)
{
    return erfc(-z * M_SQRT1_2) / 2;
}

static double normal_density(double z)
{
    return exp(-z * z / 2) * M_2_SQRTPI * M_SQRT1_2 / 2;
}

static double sigmoid(double z)
{
    return 1 / (1 + exp(-z));
}

static double softplus(double z)
{
    return fmax(z, 0) + log1p(exp(-fabs(z)));
}

/* The argument of gelu_tanh's tanh, and its derivative. */
static double gelu_argument(double z)
{
    return M_2_SQRTPI * M_SQRT1_2 * (z + 0.044715 * z * z * z);
}

static double gelu_argument_slope(double z)
{
    return M_2_SQRTPI * M_SQRT1_2 * (1 + 3 * 0.044715 * z * z);
}

double activation_value(const struct activation *activation, size_t unit, double z)
{
    const double a = activation->parameters[0], b = activation->parameters[1];
    if (isnan(z) && activation->type != ACTIVATION_thresholded_relu)
        return z;
    switch (activation->type) {
    case ACTIVATION_relu:
        return fmax(z, 0);
    case ACTIVATION_relu6:
    case ACTIVATION_clip:
        return clip(z, a, b);
    case ACTIVATION_leaky_relu:
    case ACTIVATION_prelu:
    case ACTIVATION_rrelu:
        return z < 0 ? slope_below(activation, unit) * z : z;
    case ACTIVATION_elu:
        return z < 0 ? a * expm1(z) : z;
    case ACTIVATION_selu:
        return b * (z > 0 ? z : a * expm1(z));
    case ACTIVATION_celu:
        return z < 0 ? a * expm1(z / a) : z;
    case ACTIVATION_thresholded_relu:
        return z > a ? z : 0;
    case ACTIVATION_shifted_relu:
        return fmax(z, a);
    case ACTIVATION_squared_relu:
        return z > 0 ? z * z : 0;
    case ACTIVATION_gelu:
        return z * normal_cdf(z);
    case ACTIVATION_gelu_tanh:
        return z * sigmoid(2 * gelu_argument(z));
    case ACTIVATION_silu:
        return z * sigmoid(z);
    case ACTIVATION_mish:
        return z * tanh(softplus(z));
    case ACTIVATION_hard_swish:
        return z * clip(z / 6 + 0.5, 0, 1);
    case ACTIVATION_softplus:
        return softplus(z);
    case ACTIVATION_hard_sigmoid:
        return clip(a * z + b, 0, 1);
    case ACTIVATION_sigmoid:
        return sigmoid(z);
    case ACTIVATION_tanh:
        return tanh(z);
    default:
        return z;
    }
}

double activation_derivative(const struct activation *activation, size_t unit, double z)
{
    const double a = activation->parameters[0], b = activation->parameters[1];
    const double s = sigmoid(z);
    if (isnan(z))
        return z;
    switch (activation->type) {
    case ACTIVATION_relu:
    case ACTIVATION_leaky_relu:
    case ACTIVATION_prelu:
    case ACTIVATION_rrelu:
    case ACTIVATION_thresholded_relu:
    case ACTIVATION_shifted_relu:
        return z > (double)activation_threshold(activation) ? 1 : slope_below(activation, unit);
    case ACTIVATION_relu6:
    case ACTIVATION_clip:
        return z > a && z < b;
    case ACTIVATION_crelu:
        return z != 0;
    case ACTIVATION_elu:
        return z > 0 ? 1 : a * exp(z);
    case ACTIVATION_selu:
        return b * (z > 0 ? 1 : a * exp(z));
    case ACTIVATION_celu:
        return z > 0 ? 1 : exp(z / a);
    case ACTIVATION_squared_relu:
        return z > 0 ? 2 * z : 0;
    case ACTIVATION_gelu:
        return normal_cdf(z) + z * normal_density(z);
    case ACTIVATION_gelu_tanh: {
        const double t = sigmoid(2 * gelu_argument(z));
        return t + z * 2 * t * (1 - t) * gelu_argument_slope(z);
    }
    case ACTIVATION_silu:
        return s * (1 + z * (1 - s));
    case ACTIVATION_mish: {
        const double t = tanh(softplus(z));
        return t + z * (1 - t * t) * s;
    }
    case ACTIVATION_hard_swish:
        return z <= -3 ? 0 : z >= 3 ? 1 : z / 3 + 0.5;
    case ACTIVATION_softplus:
        return s;
    case ACTIVATION_hard_sigmoid:
        return a * z + b > 0 && a * z + b < 1 ? a : 0;
    case ACTIVATION_sigmoid:
        return s * (1 - s);
    case ACTIVATION_tanh:
        return 1 - tanh(z) * tanh(z);
    default:
        return 1;
    }
}

bool activation_active(const struct activation *activation, double z)
{
    z = activation->type == ACTIVATION_crelu ? fabs(z) : z;
    return activation_counted(activation) && z > (double)activation_threshold(activation);
}

void activation_write(struct text *text, const struct activation *activation)
{
    const struct activation_info *info = &infos[activation->type];
    text_format(text, "{\"type\":\"%s\"", info->name);
    for (size_t i = 0; i < ACTIVATION_PARAMETERS; i++) {
        if (!info->parameters[i].name[0] || activation->slope)
            continue;
        text_format(text, ",\"%s\":", info->parameters[i].name);
        text_float(text, activation->parameters[i]);
    }
    text_put(text, "}");
}
