/* The epilogue inside the GEMM does what the same steps do one after the other. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dense_case.h"
#include "isas.h"
#include "panel.h"
#include "reference.h"

enum { BITS_STRIDE = PANEL_COLUMNS / 8, UNITS = 2 * PANEL_COLUMNS };

/* What a layer of up to 512 units counts. */
struct counted {
    uint32_t active[UNITS], low[UNITS], high[UNITS];
    double sum[UNITS];
    float max[UNITS];
    uint64_t nonfinite;
    uint8_t bits[100 * BITS_STRIDE];
};

static struct tally counted_open(struct counted *c, size_t units)
{
    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < UNITS; i++)
        c->max[i] = -INFINITY;
    return (struct tally){.units = units,
                          .active = c->active,
                          .low = c->low,
                          .high = c->high,
                          .sum = c->sum,
                          .max = c->max,
                          .nonfinite = &c->nonfinite};
}

/* Padding columns mean nothing. */
static bool counted_same(const struct counted *a, const struct counted *b, size_t units)
{
    return memcmp(a->active, b->active, units * sizeof *a->active) == 0 &&
           memcmp(a->low, b->low, units * sizeof *a->low) == 0 &&
           memcmp(a->high, b->high, units * sizeof *a->high) == 0 &&
           memcmp(a->sum, b->sum, units * sizeof *a->sum) == 0 &&
           memcmp(a->max, b->max, units * sizeof *a->max) == 0 && a->nonfinite == b->nonfinite &&
           memcmp(a->bits, b->bits, sizeof a->bits) == 0;
}

/* The one panel of c, which belongs to unit first of the layer. */
static struct gemm panel_gemm(const struct dense_case *c, float *y, const struct epilogue *epilogue)
{
    return (struct gemm){.k = c->k,
                         .width = panel_padded(c->n),
                         .x = c->view,
                         .panel = c->panels,
                         .bias = c->bias,
                         .y = y,
                         .y_stride = c->y_stride,
                         .epilogue = epilogue};
}

static void one_after_the_other(const struct dense_case *c, const struct kernels *kernels,
                                const struct epilogue *e)
{
    const size_t width = panel_padded(c->n);
    const struct gemm gemm = panel_gemm(c, c->y, NULL);
    kernels->gemm(&gemm);
    struct epilogue rest = *e;
    rest.residual = NULL;
    for (size_t i = 0; e->residual && i < c->rows * width; i++)
        c->y[i / width * c->y_stride + i % width] +=
            e->residual[i / width * e->residual_stride + i % width];
    kernels->activate(&rest, c->rows, width, c->y, c->y_stride);
}

static void check_case(const struct kernels *kernels, struct randoms *random,
                       const struct activation *activation, enum random_kind kind, bool residual)
{
    const size_t first = 64 * random_between(random, 0, 2);
    const struct dense_shape shape = {random_between(random, 1, 80), random_between(random, 1, 600),
                                      16 * random_between(random, 1, 16)};
    struct dense_case c;
    dense_open(&c, random, shape, kind, RANDOM_FINITE);
    const size_t count = c.rows * c.y_stride, units = first + c.n;
    float *y = malloc(count * sizeof *y), *other = malloc(count * sizeof *other);
    random_floats(random, RANDOM_PLAIN, other, count);
    struct counted *apart = malloc(sizeof *apart), *fused = malloc(sizeof *fused);
    struct tally apart_tally = counted_open(apart, units), tally = counted_open(fused, units);
    const struct activation_rule rule = activation_rule(activation);
    struct epilogue e = {.residual = residual ? other : NULL,
                         .residual_stride = c.y_stride,
                         .rule = &rule,
                         .first = first,
                         .bits = apart->bits,
                         .bits_stride = BITS_STRIDE,
                         .tally = &apart_tally};
    one_after_the_other(&c, kernels, &e);
    e.bits = fused->bits;
    e.tally = &tally;
    const struct gemm gemm = panel_gemm(&c, y, &e);
    kernels->gemm(&gemm);
    for (size_t r = 0; r < c.rows; r++)
        if (!reference_same(y + r * c.y_stride, c.y + r * c.y_stride, c.n))
            cr_assert_fail("%s: row %zu of %zu, k %zu, n %zu", kernels->name, r, c.rows, c.k, c.n);
    if (!counted_same(apart, fused, units))
        cr_assert_fail("%s: %zu rows, k %zu, n %zu count otherwise", kernels->name, c.rows, c.k,
                       c.n);
    free(apart);
    free(fused);
    free(y);
    free(other);
    dense_close(&c);
}

static void check_epilogue(const struct kernels *kernels)
{
    struct randoms random = {11};
    float slopes[UNITS];
    struct activation functions[3];
    random_floats(&random, RANDOM_PLAIN, slopes, UNITS);
    activation_named(&functions[0], "relu");
    activation_named(&functions[1], "relu6");
    activation_named(&functions[2], "prelu");
    functions[2].slope = slopes;
    for (size_t i = 0; i < 60; i++)
        check_case(kernels, &random, &functions[i % 3], i % 4 == 3 ? RANDOM_WILD : RANDOM_PLAIN,
                   i % 2 == 0);
}

Test(epilogue, inside_the_gemm_is_the_same_as_after_it)
{
    for_each_isa(check_epilogue);
}

/* Folding */

struct folded {
    size_t count;
    uint64_t any[4];
};

static struct folded fold_plainly(size_t units, size_t rows, const uint8_t *bits, size_t stride)
{
    struct folded folded = {.count = 0};
    for (size_t r = 0; r < rows; r++) {
        for (size_t unit = 0; unit < units; unit++) {
            const uint64_t bit = bits[r * stride + unit / 8] >> unit % 8 & 1;
            folded.count += bit;
            folded.any[unit / 64] |= bit << unit % 64;
        }
    }
    return folded;
}

/* Every byte counts, those of units that are not there too, so that they must be left out. */
static void check_fold(const struct kernels *kernels, struct randoms *random, size_t units,
                       size_t rows, size_t stride)
{
    struct guarded memory = {.count = 0};
    struct folded folded = {.count = 0};
    uint8_t *bits = guarded_alloc(&memory, rows, stride);
    for (size_t i = 0; i < rows * stride; i++)
        bits[i] = (uint8_t)(random_between(random, 0, 255) & random_between(random, 0, 255));
    const struct folded expected = fold_plainly(units, rows, bits, stride);
    folded.count = kernels->fold(units, rows, bits, stride, folded.any);
    if (folded.count != expected.count || memcmp(folded.any, expected.any, sizeof expected.any))
        cr_assert_fail("%s: %zu units, %zu rows, %zu bytes apart: %zu active, expected %zu",
                       kernels->name, units, rows, stride, folded.count, expected.count);
    guarded_free(&memory);
}

static void check_folds(const struct kernels *kernels)
{
    static const size_t strides[] = {2, 4, 8, 16, 32};
    struct randoms random = {7};
    for (size_t i = 0; i < sizeof strides / sizeof strides[0]; i++)
        for (size_t rows = 1; rows <= 40; rows++)
            for (size_t units = 1; units <= 8 * strides[i]; units += 5)
                check_fold(kernels, &random, units, rows, strides[i]);
}

Test(epilogue, folded_bits_are_those_of_any_row)
{
    for_each_isa(check_folds);
}
