/* activate: values against activation_value() in double precision, bits, and the tally against a
 * plain recount. The bounds in ulp are the worst of every seventh float32 there is, measured on
 * all instruction sets, rounded up. Loops call an assertion only on failure. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "guarded.h"
#include "isas.h"
#include "randoms.h"
#include "reference.h"

/* The functions that are counted, with parameters that show, and how exact they are. */
static const struct {
    const char *text;
    double ulps;
} functions[] = {
    {"relu", 0},
    {"leaky_relu(alpha=0.3)", 0.5},
    {"leaky_relu(alpha=-2)", 0},
    {"prelu(slope=0.7)", 0.5},
    {"elu", 0.9},
    {"elu(alpha=0.37)", 1.8},
    {"sigmoid", 2.4},
    {"tanh", 2.5},
};

enum { FUNCTION_COUNT = sizeof functions / sizeof functions[0] };

static struct activation parse(const char *text)
{
    struct activation activation;
    struct error error;
    cr_assert(activation_parse(&activation, text, &error) == STATUS_OK, "%s", error.message);
    return activation;
}

typedef void check_function(const struct kernels *kernels, size_t function);

static void for_each_function(check_function *check)
{
    size_t count;
    const struct kernels *const *list = kernels_usable(&count);
    for (size_t i = 0; i < count; i++)
        for (size_t function = 0; function < FUNCTION_COUNT; function++)
            check(list[i], function);
}

/* Points everywhere: every exponent, near zero, where exp changes its power of two, the tails. */
enum { POINT_COUNT = 1 << 17 };

static float point(size_t i)
{
    static const float special[] = {0.0f,
                                    -0.0f,
                                    NAN,
                                    -NAN,
                                    INFINITY,
                                    -INFINITY,
                                    0x1p-149f,
                                    -0x1p-149f,
                                    -0x1p-126f,
                                    0x1.fffffep127f,
                                    -0x1.fffffep127f};
    if (i < sizeof special / sizeof special[0])
        return special[i];
    const float unit = (float)((double)i / POINT_COUNT);
    switch (i % 4) {
    case 0:
        return float_of_bits((uint32_t)(i * 32771u));
    case 1:
        return (unit - 0.5f) * 1.5f;
    case 2:
        return (unit - 0.5f) * 40.0f;
    default:
        return (unit - 0.5f) * 220.0f;
    }
}

static float *all_points(void)
{
    float *points = malloc(POINT_COUNT * sizeof *points);
    for (size_t i = 0; i < POINT_COUNT; i++)
        points[i] = point(i);
    return points;
}

static void check_values(const struct kernels *kernels, size_t function)
{
    const struct activation activation = parse(functions[function].text);
    float *y = all_points();
    kernels->activate(&activation, 0, 1, POINT_COUNT, y, POINT_COUNT, NULL, 0, NULL);
    for (size_t i = 0; i < POINT_COUNT; i++) {
        const double expected = activation_value(&activation, 0, (double)point(i));
        if (!(reference_ulps(y[i], expected) <= functions[function].ulps))
            cr_assert_fail("%s: %s(%a) is %a, expected %a: %g ulp", kernels->name,
                           functions[function].text, (double)point(i), (double)y[i], expected,
                           reference_ulps(y[i], expected));
    }
    free(y);
}

Test(eltwise, values_agree_with_double)
{
    for_each_function(check_values);
}

/* NaN in, NaN out; infinities arrive where the function's limits are. */
static void check_limits(const struct kernels *kernels, size_t function)
{
    const struct activation activation = parse(functions[function].text);
    float y[16] = {NAN, -NAN, INFINITY, -INFINITY};
    kernels->activate(&activation, 0, 1, 16, y, 16, NULL, 0, NULL);
    cr_assert(isnan(y[0]) && isnan(y[1]), "%s: %s of NaN", kernels->name, functions[function].text);
    cr_assert((double)y[2] == activation_value(&activation, 0, INFINITY));
    cr_assert((double)y[3] == activation_value(&activation, 0, -INFINITY), "%s: %s of -inf is %g",
              kernels->name, functions[function].text, (double)y[3]);
}

Test(eltwise, nan_stays_and_infinities_are_the_limits)
{
    for_each_function(check_limits);
}

/* One panel of a layer: rows x width numbers in guarded buffers, bitmap and tally beside them. */
struct panel_case {
    size_t first, rows, width, bits_stride;
    float *z, *y;
    uint8_t *bits;
    struct tally tally; /* pointers at the layer's unit 0, which is `first` before the buffers */
    uint64_t nonfinite;
    struct guarded memory;
};

enum level { LEVEL_COUNTS, LEVEL_SUM, LEVEL_MAGNITUDE };

static void panel_open(struct panel_case *c, struct randoms *random, enum level level)
{
    *c = (struct panel_case){.first = 16 * random_between(random, 0, 3),
                             .rows = random_between(random, 1, 20),
                             .width = 16 * random_between(random, 1, 5)};
    const size_t count = c->rows * c->width, units = c->first + c->width;
    c->bits_stride = c->width / 8;
    c->z = guarded_alloc(&c->memory, count, sizeof(float));
    c->y = guarded_alloc(&c->memory, count, sizeof(float));
    c->bits = guarded_alloc(&c->memory, c->rows * c->bits_stride, 1);
    c->tally.nonfinite = &c->nonfinite;
    c->tally.active = guarded_alloc(&c->memory, units, sizeof(uint32_t));
    memset(c->tally.active, 0, units * sizeof(uint32_t));
    if (level == LEVEL_COUNTS)
        return;
    c->tally.sum = guarded_alloc(&c->memory, units, sizeof(double));
    c->tally.max = guarded_alloc(&c->memory, units, sizeof(float));
    if (level == LEVEL_MAGNITUDE)
        c->tally.magnitude = guarded_alloc(&c->memory, units, sizeof(double));
    for (size_t i = 0; i < units; i++) {
        c->tally.max[i] = -INFINITY;
        c->tally.sum[i] = 0;
        if (c->tally.magnitude)
            c->tally.magnitude[i] = 0;
    }
}

static void panel_run(struct panel_case *c, const struct kernels *kernels,
                      const struct activation *activation, struct randoms *random,
                      enum random_kind kind)
{
    const size_t count = c->rows * c->width;
    random_floats(random, kind, c->z, count);
    memcpy(c->y, c->z, count * sizeof(float));
    kernels->activate(activation, c->first, c->rows, c->width, c->y, c->width, c->bits,
                      c->bits_stride, &c->tally);
}

/* What the tally of one unit must hold, counted plainly. */
struct recount {
    uint32_t active;
    double sum, magnitude;
    float max;
    uint64_t nonfinite;
};

static void recount(const struct panel_case *c, const struct activation *activation, size_t column,
                    struct recount *into)
{
    for (size_t row = 0; row < c->rows; row++) {
        const float z = c->z[row * c->width + column], h = c->y[row * c->width + column];
        into->active += activation_active(activation, (double)z);
        into->max = z > into->max ? z : into->max;
        into->nonfinite += !isfinite(h);
        into->sum += isfinite(h) ? (double)h : 0;
        into->magnitude += isfinite(h) ? fabs((double)h) : 0;
    }
}

static bool bits_agree(const struct panel_case *c, const struct activation *activation)
{
    for (size_t i = 0; i < c->rows * c->width; i++) {
        const size_t row = i / c->width, column = i % c->width;
        const int bit = c->bits[row * c->bits_stride + column / 8] >> column % 8 & 1;
        if (bit != activation_active(activation, (double)c->z[i]))
            return false;
    }
    return true;
}

static bool close_sums(double found, double expected, double magnitude)
{
    return fabs(found - expected) <= 1e-12 * magnitude;
}

static bool tally_agrees(const struct tally *tally, size_t unit, const struct recount *expected)
{
    if (tally->active[unit] != expected->active)
        return false;
    if (!tally->max)
        return true;
    return memcmp(&tally->max[unit], &expected->max, sizeof(float)) == 0 &&
           close_sums(tally->sum[unit], expected->sum, expected->magnitude) &&
           (!tally->magnitude ||
            close_sums(tally->magnitude[unit], expected->magnitude, expected->magnitude));
}

/* Several calls add up; NaN and infinities are left out of the sums and counted. */
static void check_tally(const struct kernels *kernels, size_t function, enum level level,
                        enum random_kind kind)
{
    const struct activation activation = parse(functions[function].text);
    struct randoms random = {9 + function};
    struct panel_case c;
    struct recount expected[80] = {{0}};
    uint64_t nonfinite = 0;
    panel_open(&c, &random, level);
    for (size_t i = 0; i < 80; i++)
        expected[i].max = -INFINITY;
    for (size_t call = 0; call < 5; call++) {
        panel_run(&c, kernels, &activation, &random, call % 2 ? kind : RANDOM_PLAIN);
        cr_assert(bits_agree(&c, &activation), "%s: %s: bits", kernels->name,
                  functions[function].text);
        for (size_t column = 0; column < c.width; column++)
            recount(&c, &activation, column, &expected[column]);
    }
    for (size_t column = 0; column < c.width; column++) {
        nonfinite += expected[column].nonfinite;
        if (!tally_agrees(&c.tally, c.first + column, &expected[column]))
            cr_assert_fail("%s: %s at level %d: unit %zu", kernels->name, functions[function].text,
                           (int)level, column);
    }
    cr_assert(c.nonfinite == nonfinite, "%s: %s: %zu not finite, expected %zu", kernels->name,
              functions[function].text, (size_t)c.nonfinite, (size_t)nonfinite);
    guarded_free(&c.memory);
}

static void check_all_tallies(const struct kernels *kernels, size_t function)
{
    for (enum level level = LEVEL_COUNTS; level <= LEVEL_MAGNITUDE; level++) {
        check_tally(kernels, function, level, RANDOM_PLAIN);
        check_tally(kernels, function, level, RANDOM_SPARSE);
        check_tally(kernels, function, level, RANDOM_WILD);
    }
}

Test(eltwise, bits_and_tally_are_a_plain_recount)
{
    for_each_function(check_all_tallies);
}

/* Without bitmap, or tally, or both the values are the same. */
static void check_counting_changes_nothing(const struct kernels *kernels, size_t function)
{
    const struct activation activation = parse(functions[function].text);
    struct randoms random = {77};
    for (enum level level = LEVEL_COUNTS; level <= LEVEL_MAGNITUDE; level++) {
        struct panel_case c;
        panel_open(&c, &random, level);
        panel_run(&c, kernels, &activation, &random, RANDOM_WILD);
        const size_t bytes = c.rows * c.width * sizeof(float);
        float *again = malloc(bytes);
        memcpy(again, c.z, bytes);
        kernels->activate(&activation, c.first, c.rows, c.width, again, c.width, NULL, 0, &c.tally);
        kernels->activate(&activation, c.first, c.rows, c.width, c.z, c.width, NULL, 0, NULL);
        cr_assert(memcmp(c.y, c.z, bytes) == 0 && memcmp(c.y, again, bytes) == 0, "%s: %s",
                  kernels->name, functions[function].text);
        free(again);
        guarded_free(&c.memory);
    }
}

Test(eltwise, counting_changes_no_bit)
{
    for_each_function(check_counting_changes_nothing);
}

/* prelu: every unit its own slope, counted from the layer's unit 0. */
static void check_slopes(const struct kernels *kernels)
{
    enum { FIRST = 32, WIDTH = 48 };
    struct guarded memory = {.count = 0};
    struct randoms random = {10};
    float *slope = guarded_alloc(&memory, FIRST + WIDTH, sizeof *slope);
    random_floats(&random, RANDOM_PLAIN, slope, FIRST + WIDTH);
    const struct activation activation = {ACTIVATION_prelu, {0.25f}, slope};
    float y[2 * WIDTH];
    for (size_t i = 0; i < 2 * WIDTH; i++)
        y[i] = i < WIDTH ? -1.5f : 2.0f;
    kernels->activate(&activation, FIRST, 2, WIDTH, y, WIDTH, NULL, 0, NULL);
    for (size_t i = 0; i < WIDTH; i++)
        cr_assert(y[i] == -1.5f * slope[FIRST + i] && y[WIDTH + i] == 2.0f, "%s: unit %zu",
                  kernels->name, i);
    guarded_free(&memory);
}

Test(eltwise, prelu_has_a_slope_per_unit)
{
    for_each_isa(check_slopes);
}

static void check_rows_only(const struct kernels *kernels, size_t function)
{
    enum { ROWS = 3, WIDTH = 16, STRIDE = 40 };
    const struct activation activation = parse(functions[function].text);
    float y[ROWS * STRIDE];
    uint8_t bits[ROWS * 8];
    for (size_t i = 0; i < ROWS * STRIDE; i++)
        y[i] = -9.0f;
    memset(bits, 0xAA, sizeof bits);
    kernels->activate(&activation, 0, ROWS, WIDTH, y, STRIDE, bits, 8, NULL);
    for (size_t i = 0; i < ROWS * STRIDE; i++)
        cr_assert(i % STRIDE < WIDTH || y[i] == -9.0f, "%s: y[%zu]", kernels->name, i);
    for (size_t i = 0; i < sizeof bits; i++)
        cr_assert(bits[i] == (i % 8 < 2 ? 0 : 0xAA), "%s: bits[%zu]", kernels->name, i);
}

Test(eltwise, writes_its_columns_and_bits_only)
{
    for_each_function(check_rows_only);
}

/* Two instruction sets with FMA: values, bits and tallies bit for bit. */
static void check_same(const struct kernels *a, const struct kernels *b, size_t function)
{
    const struct activation activation = parse(functions[function].text);
    float *from_a = all_points(), *from_b = all_points();
    struct panel_case cases[2];
    a->activate(&activation, 0, 1, POINT_COUNT, from_a, POINT_COUNT, NULL, 0, NULL);
    b->activate(&activation, 0, 1, POINT_COUNT, from_b, POINT_COUNT, NULL, 0, NULL);
    cr_assert(memcmp(from_a, from_b, POINT_COUNT * sizeof(float)) == 0, "%s: values of %s", b->name,
              functions[function].text);
    for (size_t i = 0; i < 2; i++) {
        struct randoms random = {11};
        panel_open(&cases[i], &random, LEVEL_MAGNITUDE);
        panel_run(&cases[i], i ? b : a, &activation, &random, RANDOM_PLAIN);
    }
    const size_t unit = cases[0].first, width = cases[0].width;
    cr_assert(memcmp(cases[0].bits, cases[1].bits, cases[0].rows * width / 8) == 0);
    cr_assert(
        memcmp(cases[0].tally.sum + unit, cases[1].tally.sum + unit, width * sizeof(double)) == 0);
    cr_assert(memcmp(cases[0].tally.magnitude + unit, cases[1].tally.magnitude + unit,
                     width * sizeof(double)) == 0);
    for (size_t i = 0; i < 2; i++)
        guarded_free(&cases[i].memory);
    free(from_a);
    free(from_b);
}

static void check_all_same(const struct kernels *a, const struct kernels *b)
{
    for (size_t function = 0; function < FUNCTION_COUNT; function++)
        check_same(a, b, function);
}

Test(eltwise, bits_do_not_depend_on_the_instruction_set)
{
    for_each_other_isa(check_all_same);
}
