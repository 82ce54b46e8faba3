#include "activation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct activation_info infos[ACTIVATION_COUNT] = {
#define ACTIVATION(name, onnx_op, trait, parameter, fallback) \
    {#name, onnx_op, trait, parameter, fallback},
#include "activation.def"
#undef ACTIVATION
};

const struct activation_info *activation_info(enum activation_type type)
{
    return &infos[type];
}

static void set_type(struct activation *activation, size_t type)
{
    *activation =
        (struct activation){.type = (enum activation_type)type, .parameter = infos[type].fallback};
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
        if (strcmp(infos[type].onnx_op, onnx_op) == 0) {
            set_type(activation, type);
            return true;
        }
    }
    return false;
}

enum status activation_set(struct activation *activation, const char *parameter, double value,
                           struct error *error)
{
    const struct activation_info *info = &infos[activation->type];
    if (info->parameter[0] == '\0')
        return error_set(error, STATUS_INVALID, "%s takes no parameter, found \"%s\"", info->name,
                         parameter);
    if (strcmp(parameter, info->parameter) != 0)
        return error_set(error, STATUS_INVALID, "the parameter of %s is \"%s\", found \"%s\"",
                         info->name, info->parameter, parameter);
    if (!isfinite((float)value))
        return error_set(error, STATUS_INVALID, "%s: %s must be a finite float32, found %g",
                         info->name, parameter, value);
    activation->parameter = (float)value;
    activation->slope = NULL;
    return STATUS_OK;
}

/* Reads "NAME=VALUE)" after the opening parenthesis. */
static enum status parse_parameter(struct activation *activation, const char *text,
                                   struct error *error)
{
    char name[32];
    size_t length = strcspn(text, "=");
    char *end = NULL;
    double value = text[length] == '=' ? strtod(text + length + 1, &end) : 0;
    if (!end || end == text + length + 1 || strcmp(end, ")") != 0 || length >= sizeof name)
        return error_set(error, STATUS_INVALID, "expected NAME(parameter=value), found \"(%s\"",
                         text);
    memcpy(name, text, length);
    name[length] = '\0';
    return activation_set(activation, name, value, error);
}

enum status activation_parse(struct activation *activation, const char *text, struct error *error)
{
    char name[32];
    size_t length = strcspn(text, "(");
    if (length < sizeof name) {
        memcpy(name, text, length);
        name[length] = '\0';
    }
    if (length >= sizeof name || !activation_named(activation, name))
        return error_set(error, STATUS_INVALID, "unknown activation \"%.*s\"", (int)length, text);
    return text[length] ? parse_parameter(activation, text + length + 1, error) : STATUS_OK;
}

bool activation_counted(const struct activation *activation)
{
    return infos[activation->type].trait != UNCOUNTED;
}

bool activation_nonnegative(const struct activation *activation)
{
    return activation->type == ACTIVATION_relu || activation->type == ACTIVATION_sigmoid;
}

/* The slope of a HINGE below zero. */
static double slope_below(const struct activation *activation, size_t unit)
{
    if (activation->slope)
        return activation->slope[unit];
    return activation->type == ACTIVATION_relu ? 0.0 : activation->parameter;
}

bool activation_leaks(const struct activation *activation, size_t unit)
{
    if (activation->type == ACTIVATION_elu)
        return activation->parameter != 0.0f;
    return infos[activation->type].trait != HINGE || slope_below(activation, unit) != 0.0;
}

double activation_value(const struct activation *activation, size_t unit, double z)
{
    switch (activation->type) {
    case ACTIVATION_relu:
        return z > 0 || isnan(z) ? z : 0;
    case ACTIVATION_leaky_relu:
    case ACTIVATION_prelu:
        return z < 0 ? slope_below(activation, unit) * z : z;
    case ACTIVATION_elu:
        return z < 0 ? activation->parameter * expm1(z) : z;
    case ACTIVATION_sigmoid:
        return 1 / (1 + exp(-z));
    case ACTIVATION_tanh:
        return tanh(z);
    default:
        return z;
    }
}

double activation_derivative(const struct activation *activation, size_t unit, double z)
{
    double h = activation_value(activation, unit, z);
    if (isnan(z))
        return z;
    switch (activation->type) {
    case ACTIVATION_relu:
    case ACTIVATION_leaky_relu:
    case ACTIVATION_prelu:
        return z > 0 ? 1 : slope_below(activation, unit);
    case ACTIVATION_elu:
        return z > 0 ? 1 : h + activation->parameter;
    case ACTIVATION_sigmoid:
        return h * (1 - h);
    case ACTIVATION_tanh:
        return 1 - h * h;
    default:
        return 1;
    }
}

bool activation_active(const struct activation *activation, double z)
{
    return activation_counted(activation) && z > 0;
}

void activation_write(struct text *text, const struct activation *activation)
{
    const struct activation_info *info = activation_info(activation->type);
    text_format(text, "{\"type\":\"%s\"", info->name);
    if (info->parameter[0] && !activation->slope) {
        text_format(text, ",\"%s\":", info->parameter);
        text_float(text, activation->parameter);
    }
    text_put(text, "}");
}
