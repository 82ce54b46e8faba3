#include "functions.h"

#include <math.h>

const char *const functions[FUNCTION_COUNT] = {
    "relu",
    "relu6",
    "clip",
    "clip(min=-0.5,max=1.5)",
    "clip(min=1,max=-1)",
    "leaky_relu",
    "leaky_relu(alpha=-2)",
    "prelu",
    "prelu(slope=0.7)",
    "rrelu",
    "rrelu(lower=0.1,upper=0.2)",
    "elu",
    "elu(alpha=0.37)",
    "elu(alpha=-1.9)",
    "selu",
    "selu(alpha=0.3,gamma=7)",
    "celu",
    "celu(alpha=0.1)",
    "celu(alpha=10)",
    "celu(alpha=1e30)",
    "thresholded_relu",
    "thresholded_relu(alpha=-0.5)",
    "shifted_relu",
    "crelu",
    "squared_relu",
    "gelu",
    "gelu_tanh",
    "silu",
    "mish",
    "hard_swish",
    "softplus",
    "hard_sigmoid",
    "hard_sigmoid(alpha=-0.7,beta=0.3)",
    "sigmoid",
    "tanh",
};

static long double at_least(long double z, long double low)
{
    return z > low ? z : low;
}

static long double at_most(long double z, long double high)
{
    return z < high ? z : high;
}

static long double between(long double z, long double low, long double high)
{
    return at_most(at_least(z, low), high);
}

static long double softplus(long double z)
{
    return at_least(z, 0) + log1pl(expl(-fabsl(z)));
}

/* z (1 + tanh(s)) / 2, s = sqrt(2 / pi) (z + 0.044715 z^3). */
static long double gelu_tanh(long double z)
{
    const long double s = sqrtl(2 / acosl(-1)) * (z + 0.044715L * z * z * z);
    return z / (1 + expl(-2 * s));
}

long double function_value(const struct activation *activation, size_t unit, long double z)
{
    const long double a = activation->parameters[0], b = activation->parameters[1];
    if (isnan(z))
        return activation->type == ACTIVATION_thresholded_relu ? 0 : z;
    switch (activation->type) {
    case ACTIVATION_relu:
        return at_least(z, 0);
    case ACTIVATION_relu6:
        return between(z, 0, 6);
    case ACTIVATION_clip:
        return between(z, a, b);
    case ACTIVATION_leaky_relu:
        return z < 0 ? a * z : z;
    case ACTIVATION_prelu:
        return z < 0 ? (activation->slope ? activation->slope[unit] : a) * z : z;
    case ACTIVATION_rrelu: /* the slope is a float32 */
        return z < 0 ? (float)((a + b) / 2) * z : z;
    case ACTIVATION_elu:
        return z < 0 ? a * expm1l(z) : z;
    case ACTIVATION_selu:
        return z > 0 ? b * z : b * a * expm1l(z);
    case ACTIVATION_celu:
        return at_least(z, 0) + at_most(0, a * expm1l(z / a));
    case ACTIVATION_thresholded_relu:
        return z > a ? z : 0;
    case ACTIVATION_shifted_relu:
        return at_least(z, -1);
    case ACTIVATION_squared_relu:
        return at_least(z, 0) * at_least(z, 0);
    case ACTIVATION_gelu:
        return z * erfcl(-z / sqrtl(2)) / 2;
    case ACTIVATION_gelu_tanh:
        return gelu_tanh(z);
    case ACTIVATION_silu:
        return z / (1 + expl(-z));
    case ACTIVATION_mish:
        return z * tanhl(softplus(z));
    case ACTIVATION_hard_swish:
        return z * between(z / 6 + 0.5L, 0, 1);
    case ACTIVATION_softplus:
        return softplus(z);
    case ACTIVATION_hard_sigmoid:
        return between(a * z + b, 0, 1);
    case ACTIVATION_sigmoid:
        return 1 / (1 + expl(-z));
    case ACTIVATION_tanh:
        return tanhl(z);
    default:
        return z;
    }
}

double function_ulps(enum activation_type type)
{
    static const double ulps[ACTIVATION_COUNT] = {
#define ACTIVATION(name, onnx_op, trait, first, first_default, second, second_default, ulps) ulps,
#include "activation.def"
#undef ACTIVATION
    };
    return ulps[type];
}
