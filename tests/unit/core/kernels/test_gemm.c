/* The chain of every instruction set, in double precision and bit for bit. Loops call an assertion
 * only on failure, for Criterion reports each one to another process. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dense_case.h"
#include "isas.h"
#include "panel.h"
#include "reference.h"

static float *x_row(const struct dense_case *c, size_t row)
{
    return c->x + row * c->x_stride;
}

/* Every y[row, column] against one function of it. */
typedef bool agrees(const struct dense_case *c, const struct kernels *kernels, size_t row,
                    size_t column);

static void check_outputs(const struct dense_case *c, const struct kernels *kernels, agrees *holds)
{
    for (size_t row = 0; row < c->rows; row++)
        for (size_t column = 0; column < c->n; column++)
            if (!holds(c, kernels, row, column))
                cr_assert_fail("%s: rows %zu, k %zu, n %zu: y[%zu, %zu] is %a", kernels->name,
                               c->rows, c->k, c->n, row, column,
                               (double)c->y[row * c->y_stride + column]);
}

static bool within_bound(const struct dense_case *c, const struct kernels *kernels, size_t row,
                         size_t column)
{
    (void)kernels;
    const struct bounded expected =
        reference_dot(c->k, x_row(c, row), c->weights + column, c->n, c->bias[column]);
    return fabs((double)c->y[row * c->y_stride + column] - expected.value) <= expected.bound;
}

static bool same_as_chain(const struct dense_case *c, const struct kernels *kernels, size_t row,
                          size_t column)
{
    const float expected = reference_chain(reference_fused(kernels), c->k, x_row(c, row),
                                           c->weights + column, c->n, c->bias[column]);
    return reference_same(&c->y[row * c->y_stride + column], &expected, 1);
}

static void check_shape(const struct kernels *kernels, struct randoms *random,
                        struct dense_shape shape, enum random_kind x_kind,
                        enum random_kind weight_kind, agrees *holds)
{
    struct dense_case c;
    dense_open(&c, random, shape, x_kind, weight_kind);
    dense_gemm(&c, kernels, c.y);
    check_outputs(&c, kernels, holds);
    dense_close(&c);
}

static const size_t widths[] = {1, 15, 16, 17, 31, 33, 48, 63, 65, 112, 255, 256, 257, 272, 300};

enum { WIDTH_COUNT = sizeof widths / sizeof widths[0] };

static void check_odd_sizes(const struct kernels *kernels)
{
    struct randoms random = {1};
    for (size_t k = 1; k <= 70; k++) {
        const struct dense_shape shape = {random_between(&random, 1, 20), k,
                                          widths[random_between(&random, 0, WIDTH_COUNT - 1)]};
        check_shape(kernels, &random, shape, RANDOM_PLAIN, RANDOM_PLAIN, within_bound);
    }
}

Test(gemm, odd_sizes_agree_with_double)
{
    for_each_isa(check_odd_sizes);
}

/* K beyond GEMM_K_BLOCK (512), rows beyond one tile of a plan (72), n beyond one panel. */
static void check_large_sizes(const struct kernels *kernels)
{
    static const struct dense_shape shapes[] = {{72, 513, 40},  {73, 512, 17},  {5, 1025, 257},
                                                {20, 1536, 16}, {1, 2000, 300}, {13, 1023, 513}};
    struct randoms random = {2};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        check_shape(kernels, &random, shapes[i], RANDOM_PLAIN, RANDOM_PLAIN, within_bound);
        check_shape(kernels, &random, shapes[i], RANDOM_PLAIN, RANDOM_PLAIN, same_as_chain);
    }
}

Test(gemm, large_sizes_agree_with_double_and_with_the_chain)
{
    for_each_isa(check_large_sizes);
}

/* All rows up to 20 times all widths of a panel meet every register tile and every remainder. */
static void check_every_tile(const struct kernels *kernels)
{
    struct randoms random = {3};
    for (size_t rows = 1; rows <= 20; rows++)
        for (size_t n = 16; n <= 256; n += 16)
            check_shape(kernels, &random, (struct dense_shape){rows, 5, n}, RANDOM_PLAIN,
                        RANDOM_PLAIN, same_as_chain);
}

Test(gemm, every_tile_is_the_chain)
{
    for_each_isa(check_every_tile);
}

/* Windows of three lines over an image of pixels that lie so many floats apart, in lines of width
 * windows. Each window's numbers are c's row, too. */
enum { WINDOW_LINES = 3 };

static void lay_windows(struct dense_case *c, size_t width, size_t apart)
{
    const size_t lines = c->rows / width, length = c->k / WINDOW_LINES;
    const size_t pitch = (width - 1) * apart + length;
    float *image = guarded_alloc(&c->memory, (lines + WINDOW_LINES - 1) * pitch, sizeof *image);
    const float **first = guarded_alloc(&c->memory, c->rows, sizeof *first);
    ptrdiff_t *at = guarded_alloc(&c->memory, WINDOW_LINES, sizeof *at);
    random_floats(&(struct randoms){apart}, RANDOM_PLAIN, image,
                  (lines + WINDOW_LINES - 1) * pitch);
    for (size_t t = 0; t < WINDOW_LINES; t++)
        at[t] = (ptrdiff_t)(t * pitch);
    for (size_t row = 0; row < c->rows; row++) {
        first[row] = image + row / width * pitch + row % width * apart;
        for (size_t t = 0; t < WINDOW_LINES; t++)
            memcpy(x_row(c, row) + t * length, first[row] + at[t], length * sizeof *image);
    }
    c->view = (struct view){.rows = c->rows,
                            .taps = WINDOW_LINES,
                            .length = length,
                            .x = first,
                            .at = at,
                            .line = width,
                            .apart = apart};
}

static void check_line(const struct kernels *kernels, size_t width, size_t length, size_t apart,
                       size_t n)
{
    struct randoms random = {width};
    struct dense_case c;
    dense_open(&c, &random, (struct dense_shape){2 * width, WINDOW_LINES * length, n}, RANDOM_PLAIN,
               RANDOM_PLAIN);
    lay_windows(&c, width, apart);
    dense_gemm(&c, kernels, c.y);
    check_outputs(&c, kernels, same_as_chain);
    dense_close(&c);
}

/* One vector alone, also a half of one, or behind others; every height of a tile whose rows lie
 * evenly, and lines that make several; chains that are cut. */
static void check_lines(const struct kernels *kernels)
{
    static const size_t distances[] = {1, 2, 3, 16, 32}, columns[] = {6, 8, 9, 80};
    for (size_t i = 0; i < sizeof distances / sizeof distances[0]; i++) {
        for (size_t j = 0; j < sizeof columns / sizeof columns[0]; j++) {
            for (size_t width = 1; width <= 60; width++)
                check_line(kernels, width, 5, distances[i], columns[j]);
            check_line(kernels, 16, 170, distances[i], columns[j]);
            check_line(kernels, 16, 171, distances[i], columns[j]);
            check_line(kernels, 17, 171, distances[i], columns[j]);
        }
    }
}

Test(gemm, windows_that_lie_evenly_are_the_chain)
{
    for_each_isa(check_lines);
}

static void check_nasty_numbers(const struct kernels *kernels)
{
    struct randoms random = {4};
    for (size_t k = 1; k <= 70; k++) {
        const struct dense_shape shape = {random_between(&random, 1, 20), k,
                                          widths[random_between(&random, 0, WIDTH_COUNT - 1)]};
        check_shape(kernels, &random, shape, RANDOM_WILD, RANDOM_FINITE, same_as_chain);
        check_shape(kernels, &random, shape, RANDOM_SPARSE, RANDOM_FINITE, same_as_chain);
    }
}

Test(gemm, nan_infinity_denormals_and_negative_zero_are_the_chain)
{
    for_each_isa(check_nasty_numbers);
}

/* Denormal products must survive: no flush to zero, of operands or of results. */
static void check_denormals(const struct kernels *kernels)
{
    const float x[2] = {0x1p-149f, 0x1p-100f};
    float panel[2 * 16] = {0}, bias[16] = {0}, y[16];
    panel[0] = 1.0f;
    panel[16 + 1] = 0x1p-40f;
    bias[2] = 0x1p-140f;
    struct guarded memory = {0};
    kernels->gemm(&(struct gemm){.k = 2,
                                 .width = 16,
                                 .x = dense_view(&memory, x, 1, 2, 2, 1),
                                 .panel = panel,
                                 .bias = bias,
                                 .y = y,
                                 .y_stride = 16});
    guarded_free(&memory);
    const float expected[3] = {0x1p-149f, 0x1p-140f, 0x1p-140f};
    cr_assert(reference_same(y, expected, 3), "%s: %a %a %a", kernels->name, (double)y[0],
              (double)y[1], (double)y[2]);
}

Test(gemm, denormals_are_kept)
{
    for_each_isa(check_denormals);
}

/* -0 + -0 would be -0; the chain ends in + 0. */
static void check_no_negative_zero(const struct kernels *kernels)
{
    const float x[3 * 2] = {-0.0f, -0.0f, 0.0f, -0.0f, 1.0f, 1.0f};
    float panel[2 * 16] = {0}, bias[16], y[3 * 16];
    for (size_t i = 0; i < 16; i++)
        bias[i] = -0.0f;
    struct guarded memory = {0};
    kernels->gemm(&(struct gemm){.k = 2,
                                 .width = 16,
                                 .x = dense_view(&memory, x, 3, 2, 2, 1),
                                 .panel = panel,
                                 .bias = bias,
                                 .y = y,
                                 .y_stride = 16});
    guarded_free(&memory);
    for (size_t i = 0; i < 3 * 16; i++)
        cr_assert(!signbit(y[i]), "%s: y[%zu] is -0", kernels->name, i);
}

Test(gemm, stores_no_negative_zero)
{
    for_each_isa(check_no_negative_zero);
}

/* Columns of a panel are side by side with those of others; nothing else may be written. */
static void check_writes_its_columns_only(const struct kernels *kernels)
{
    enum { ROWS = 7, STRIDE = 80, FIRST = 16, WIDTH = 48 };
    float y[ROWS * STRIDE], x[ROWS] = {0}, panel[WIDTH] = {0}, bias[WIDTH] = {0};
    for (size_t i = 0; i < ROWS * STRIDE; i++)
        y[i] = 5.0f;
    struct guarded memory = {0};
    kernels->gemm(&(struct gemm){.k = 1,
                                 .width = WIDTH,
                                 .x = dense_view(&memory, x, ROWS, 1, 1, 1),
                                 .panel = panel,
                                 .bias = bias,
                                 .y = y + FIRST,
                                 .y_stride = STRIDE});
    guarded_free(&memory);
    for (size_t i = 0; i < ROWS * STRIDE; i++) {
        bool inside = i % STRIDE >= FIRST && i % STRIDE < FIRST + WIDTH;
        cr_assert(y[i] == (inside ? 0.0f : 5.0f), "%s: y[%zu]", kernels->name, i);
    }
}

Test(gemm, writes_its_columns_only)
{
    for_each_isa(check_writes_its_columns_only);
}

/* Two instruction sets with FMA give the same bits; of one set there is nothing to compare. */
static void check_same_as_best(const struct kernels *best, const struct kernels *other)
{
    static const struct dense_shape shapes[] = {
        {1, 64, 128}, {3, 7, 10}, {20, 70, 272}, {73, 600, 33}, {6, 1100, 64}};
    struct randoms random = {5};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct dense_case c;
        dense_open(&c, &random, shapes[i], i % 2 ? RANDOM_WILD : RANDOM_PLAIN, RANDOM_FINITE);
        const size_t count = c.rows * c.y_stride;
        float *y = malloc(count * sizeof *y);
        dense_gemm(&c, best, c.y);
        dense_gemm(&c, other, y);
        if (memcmp(c.y, y, count * sizeof *y) != 0)
            cr_assert_fail("%s and %s differ in case %zu", best->name, other->name, i);
        free(y);
        dense_close(&c);
    }
}

Test(gemm, bits_do_not_depend_on_the_instruction_set)
{
    for_each_other_isa(check_same_as_best);
}
