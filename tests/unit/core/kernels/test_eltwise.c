/* activate: bits and the tally against a plain recount, for every function. Loops call an assertion
 * only on failure. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "functions.h"
#include "guarded.h"
#include "isas.h"
#include "nets.h"
#include "randoms.h"
#include "reference.h"

typedef void check_function(const struct kernels *kernels, size_t function);

static void for_each_function(check_function *check)
{
    size_t count;
    const struct kernels *const *list = kernels_usable(&count);
    for (size_t i = 0; i < count; i++)
        for (size_t function = 0; function < FUNCTION_COUNT; function++)
            check(list[i], function);
}

/* One panel of a layer: rows x width numbers in guarded buffers, bitmap and tally beside them. */
struct panel_case {
    size_t first, rows, width, bits_stride;
    float *z, *y;
    uint8_t *bits;
    bool one_row;
    struct tally tally; /* pointers at the layer's unit 0, which is `first` before the buffers */
    uint64_t nonfinite;
    struct guarded memory;
};

enum level { LEVEL_COUNTS, LEVEL_SUM, LEVEL_MAGNITUDE };

static void panel_open(struct panel_case *c, struct randoms *random, enum level level)
{
    *c = (struct panel_case){.first = 16 * random_between(random, 0, 3),
                             .rows = random_between(random, 1, 80),
                             .width = 16 * random_between(random, 1, 5)};
    const size_t count = c->rows * c->width, units = c->first + c->width;
    c->bits_stride = c->width / 8;
    c->z = guarded_alloc(&c->memory, count, sizeof(float));
    c->y = guarded_alloc(&c->memory, count, sizeof(float));
    c->bits = guarded_alloc(&c->memory, c->rows * c->bits_stride, 1);
    c->tally.units = units;
    c->tally.nonfinite = &c->nonfinite;
    c->tally.active = guarded_alloc(&c->memory, units, sizeof(uint32_t));
    c->tally.low = guarded_alloc(&c->memory, units, sizeof(uint32_t));
    c->tally.high = guarded_alloc(&c->memory, units, sizeof(uint32_t));
    memset(c->tally.active, 0, units * sizeof(uint32_t));
    memset(c->tally.low, 0, units * sizeof(uint32_t));
    memset(c->tally.high, 0, units * sizeof(uint32_t));
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
    const struct activation_rule rule = activation_rule(activation);
    const struct epilogue epilogue = {.rule = &rule,
                                      .first = c->first,
                                      .bits = c->bits,
                                      .bits_stride = c->bits_stride,
                                      .tally = &c->tally,
                                      .one_row = c->one_row};
    kernels->activate(&epilogue, c->rows, c->width, c->y, c->width);
}

/* What the tally of one unit must hold, counted plainly. */
struct recount {
    uint32_t active, low, high;
    double sum, magnitude;
    float max;
    uint64_t nonfinite;
};

static void recount(const struct panel_case *c, const struct activation *activation, size_t column,
                    struct recount *into)
{
    const struct activation_tails tails = activation_tails(activation);
    for (size_t row = 0; row < c->rows; row++) {
        const float z = c->z[row * c->width + column], h = c->y[row * c->width + column];
        into->active += activation_active(activation, (double)z);
        into->low += z < tails.low;
        into->high += z > tails.high;
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

/* Positions of one row are added as floats, 32 at a time. */
static double sum_bound(const struct panel_case *c)
{
    return c->one_row ? 32 * 0x1p-24 : 1e-12;
}

static bool tally_agrees(const struct panel_case *c, size_t unit, const struct recount *expected)
{
    const struct tally *tally = &c->tally;
    const double bound = sum_bound(c) * expected->magnitude;
    if (tally->active[unit] != expected->active || tally->low[unit] != expected->low ||
        tally->high[unit] != expected->high)
        return false;
    if (!tally->max)
        return true;
    return memcmp(&tally->max[unit], &expected->max, sizeof(float)) == 0 &&
           fabs(tally->sum[unit] - expected->sum) <= bound &&
           (!tally->magnitude || fabs(tally->magnitude[unit] - expected->magnitude) <= bound);
}

/* Several calls add up; NaN and infinities are left out of the sums and counted. */
static void check_tally(const struct kernels *kernels, size_t function, enum level level,
                        enum random_kind kind, bool one_row)
{
    const struct activation activation = net_parse(functions[function]);
    struct randoms random = {9 + function};
    struct panel_case c;
    struct recount expected[80] = {{0}};
    uint64_t nonfinite = 0;
    panel_open(&c, &random, level);
    c.one_row = one_row;
    for (size_t i = 0; i < 80; i++)
        expected[i].max = -INFINITY;
    for (size_t call = 0; call < 5; call++) {
        panel_run(&c, kernels, &activation, &random, call % 2 ? kind : RANDOM_PLAIN);
        cr_assert(bits_agree(&c, &activation), "%s: %s: bits", kernels->name, functions[function]);
        for (size_t column = 0; column < c.width; column++)
            recount(&c, &activation, column, &expected[column]);
    }
    for (size_t column = 0; column < c.width; column++) {
        nonfinite += expected[column].nonfinite;
        if (!tally_agrees(&c, c.first + column, &expected[column]))
            cr_assert_fail("%s: %s at level %d: unit %zu", kernels->name, functions[function],
                           (int)level, column);
    }
    cr_assert(c.nonfinite == nonfinite, "%s: %s: %zu not finite, expected %zu", kernels->name,
              functions[function], (size_t)c.nonfinite, (size_t)nonfinite);
    guarded_free(&c.memory);
}

static void check_all_tallies(const struct kernels *kernels, size_t function)
{
    for (enum level level = LEVEL_COUNTS; level <= LEVEL_MAGNITUDE; level++) {
        check_tally(kernels, function, level, RANDOM_PLAIN, level == LEVEL_COUNTS);
        check_tally(kernels, function, level, RANDOM_SPARSE, false);
        check_tally(kernels, function, level, RANDOM_SPARSE, true);
        check_tally(kernels, function, level, RANDOM_WILD, false);
        check_tally(kernels, function, level, RANDOM_WILD, true);
    }
}

Test(eltwise, bits_and_tally_are_a_plain_recount)
{
    for_each_function(check_all_tallies);
}

/* Without bitmap, or tally, or both the values are the same. */
static void check_counting_changes_nothing(const struct kernels *kernels, size_t function)
{
    const struct activation activation = net_parse(functions[function]);
    struct randoms random = {77};
    for (enum level level = LEVEL_COUNTS; level <= LEVEL_MAGNITUDE; level++) {
        struct panel_case c;
        panel_open(&c, &random, level);
        panel_run(&c, kernels, &activation, &random, RANDOM_WILD);
        const size_t count = c.rows * c.width;
        float *again = malloc(count * sizeof *again);
        memcpy(again, c.z, count * sizeof *again);
        const struct activation_rule rule = activation_rule(&activation);
        struct epilogue epilogue = {.rule = &rule, .first = c.first, .tally = &c.tally};
        kernels->activate(&epilogue, c.rows, c.width, again, c.width);
        epilogue.tally = NULL;
        kernels->activate(&epilogue, c.rows, c.width, c.z, c.width);
        cr_assert(reference_same(c.y, c.z, count) && reference_same(c.y, again, count), "%s: %s",
                  kernels->name, functions[function]);
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
    const struct activation_rule rule = activation_rule(&activation);
    const struct epilogue epilogue = {.rule = &rule, .first = FIRST};
    kernels->activate(&epilogue, 2, WIDTH, y, WIDTH);
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
    const struct activation activation = net_parse(functions[function]);
    float y[ROWS * STRIDE];
    const uint8_t full = activation_active(&activation, -9) ? 0xFF : 0;
    uint8_t bits[ROWS * 8];
    for (size_t i = 0; i < ROWS * STRIDE; i++)
        y[i] = -9.0f;
    memset(bits, 0xAA, sizeof bits);
    const struct activation_rule rule = activation_rule(&activation);
    const struct epilogue epilogue = {.rule = &rule, .bits = bits, .bits_stride = 8};
    kernels->activate(&epilogue, ROWS, WIDTH, y, STRIDE);
    for (size_t i = 0; i < ROWS * STRIDE; i++)
        cr_assert(i % STRIDE < WIDTH || y[i] == -9.0f, "%s: y[%zu]", kernels->name, i);
    for (size_t i = 0; i < sizeof bits; i++)
        cr_assert(bits[i] == (i % 8 < 2 ? full : 0xAA), "%s: bits[%zu]", kernels->name, i);
}

Test(eltwise, writes_its_columns_and_bits_only)
{
    for_each_function(check_rows_only);
}

/* Two instruction sets with FMA: bits and tallies bit for bit. */
static void check_same(const struct kernels *a, const struct kernels *b, size_t function)
{
    const struct activation activation = net_parse(functions[function]);
    struct panel_case cases[2];
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
