/* activate: the value and the bit of every function on 2^20 points, against its formula in long
 * double and the bound that activation.def states. Loops call an assertion only on failure. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "functions.h"
#include "isas.h"
#include "nets.h"
#include "randoms.h"
#include "reference.h"

enum { POINTS = 1 << 20 };

static const float specials[] = {0.0f,      -0.0f,   NAN,      -NAN,    INFINITY,
                                 -INFINITY, FLT_MAX, -FLT_MAX, FLT_MIN, -FLT_MIN};

enum { SPECIALS = sizeof specials / sizeof specials[0] };

/* Where something changes: kinks, the functions' own parameters aside; the arguments at which
 * polynomials and clamps take over or e^z changes its power of two; where results underflow. */
static const float edges[] = {0.0f,     1.0f,      -1.0f,    3.0f,      -3.0f,     6.0f,
                              1.06066f, -1.06066f, 0.34657f, -0.34657f, 1.03972f,  -1.03972f,
                              9.0f,     -9.0f,     14.42f,   -14.42f,   16.6f,     -16.6f,
                              30.0f,    -30.0f,    87.0f,    -87.33f,   88.72f,    -88.72f,
                              -90.0f,   -103.97f,  -105.0f,  0x1p-26f,  -0x1p-26f, -0x1p-126f};

enum { EDGES = sizeof edges / sizeof edges[0], OWN_EDGES = 4 };

static float edge(const struct activation *activation, size_t i)
{
    const float a = activation->parameters[0], b = activation->parameters[1];
    const float own[OWN_EDGES] = {a, b, -b / a, (1 - b) / a}; /* the latter two: hard_sigmoid */
    return i < OWN_EDGES ? own[i] : edges[i - OWN_EDGES];
}

/* A float so many steps away: steps through the denormals change the sign at zero. */
static float step_from(float from, int32_t steps)
{
    uint32_t bits;
    memcpy(&bits, &from, sizeof bits);
    const int64_t place = bits >> 31 ? -(int64_t)(bits & INT32_MAX) : (int64_t)bits;
    const int64_t to = place + steps;
    return float_of_bits(to < 0 ? 1u << 31 | (uint32_t)-to : (uint32_t)to);
}

/* Any float at all, so every exponent; even in [-20, 20] and in [-110, 110]; close to an edge. */
static float draw_point(struct randoms *random, const struct activation *activation, size_t i)
{
    const float even = (float)(((double)i + 0.5) / POINTS * 2 - 1);
    if (i < SPECIALS)
        return specials[i];
    switch (i % 8) {
    case 0:
    case 1:
        return even * 20;
    case 2:
        return even * 110;
    case 3:
        return step_from(edge(activation, i / 8 % (OWN_EDGES + EDGES)),
                         (int32_t)random_between(random, 0, 4000) - 2000);
    default:
        return float_of_bits((uint32_t)(random_bits(random) >> 32));
    }
}

/* One function, its points and what it makes of them. */
struct trial {
    const char *text;
    struct activation activation;
    float *z;           /* [POINTS] */
    long double *value; /* [POINTS] by its formula */
    float *h;           /* [POINTS] by the kernels */
    uint8_t *bits;      /* [POINTS / 8] */
};

static void trial_open(struct trial *trial, const char *text)
{
    struct randoms random = {21};
    *trial = (struct trial){.text = text, .activation = net_parse(text)};
    trial->z = malloc(POINTS * sizeof *trial->z);
    trial->value = malloc(POINTS * sizeof *trial->value);
    trial->h = malloc(POINTS * sizeof *trial->h);
    trial->bits = malloc(POINTS / 8);
    for (size_t i = 0; i < POINTS; i++) {
        trial->z[i] = draw_point(&random, &trial->activation, i);
        trial->value[i] = function_value(&trial->activation, 0, (long double)trial->z[i]);
    }
}

static void trial_close(struct trial *trial)
{
    free(trial->z);
    free(trial->value);
    free(trial->h);
    free(trial->bits);
}

/* The points as rows of so many columns. */
static void trial_run(struct trial *trial, const struct kernels *kernels, size_t width)
{
    memcpy(trial->h, trial->z, POINTS * sizeof *trial->h);
    const struct activation_rule rule = activation_rule(&trial->activation);
    const struct epilogue epilogue = {.rule = &rule, .bits = trial->bits, .bits_stride = width / 8};
    kernels->activate(&epilogue, POINTS / width, width, trial->h, width);
}

/* Whether an output is within the bound that activation.def states. */
static bool exact_enough(const struct trial *trial, size_t i)
{
    const long double value = trial->value[i];
    const double z = (double)trial->z[i], ulps = function_ulps(trial->activation.type);
    const float h = trial->h[i];
    if (isnan(value) || isnan(h))
        return isnan(value) && isnan(h);
    if (h == (float)value || ulps == 0 || isinf(h) || isinf((float)value))
        return h == (float)value;
    const double error = (double)fabsl((long double)h - value);
    const double slack = ulps * reference_ulp((double)value) + 0x1p-142;
    return error <= slack ||
           error <= slack + ulps * reference_ulp(z) *
                                fabs(activation_derivative(&trial->activation, 0, z));
}

static void check_values(struct trial *trial, const struct kernels *kernels)
{
    trial_run(trial, kernels, POINTS);
    for (size_t i = 0; i < POINTS; i++) {
        if (!exact_enough(trial, i))
            cr_assert_fail("%s: %s(%a) is %a, expected %La", kernels->name, trial->text,
                           (double)trial->z[i], (double)trial->h[i], trial->value[i]);
        if ((trial->bits[i / 8] >> i % 8 & 1) !=
            activation_active(&trial->activation, (double)trial->z[i]))
            cr_assert_fail("%s: %s(%a): bit", kernels->name, trial->text, (double)trial->z[i]);
    }
}

/* However the points are cut into rows, and on every instruction set with FMA, bits are the same:
 * those of first. */
static void check_same(struct trial *trial, const struct kernels *first,
                       const struct kernels *kernels)
{
    float *expected = malloc(POINTS * sizeof *expected);
    trial_run(trial, first, POINTS);
    memcpy(expected, trial->h, POINTS * sizeof *expected);
    for (size_t width = 16; width <= 64; width *= 2) {
        trial_run(trial, kernels, width);
        cr_assert(reference_same(trial->h, expected, POINTS), "%s: %s, %zu columns", kernels->name,
                  trial->text, width);
    }
    free(expected);
}

static void check_function(const char *text)
{
    struct trial trial;
    size_t count;
    const struct kernels *const *list = kernels_usable(&count);
    trial_open(&trial, text);
    for (size_t i = 0; i < count; i++) {
        check_values(&trial, list[i]);
        check_same(&trial, reference_fused(list[i]) ? list[0] : list[i], list[i]);
    }
    trial_close(&trial);
}

Test(eltwise_values, are_within_their_bound_and_the_same_everywhere)
{
    for (size_t i = 0; i < FUNCTION_COUNT; i++)
        check_function(functions[i]);
}

Test(eltwise_values, every_counted_function_is_tried)
{
    bool tried[ACTIVATION_COUNT] = {false};
    for (size_t i = 0; i < FUNCTION_COUNT; i++)
        tried[net_parse(functions[i]).type] = true;
    for (enum activation_type type = 0; type < ACTIVATION_COUNT; type++) {
        const struct activation_info *info = activation_info(type);
        cr_assert(tried[type] == (info->trait != UNCOUNTED), "%s", info->name);
    }
}
