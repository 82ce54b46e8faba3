/* One row, skipping its zeros: the bits are those of the batch and of the full list. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dense_case.h"
#include "isas.h"
#include "reference.h"

static const size_t widths[] = {1, 16, 17, 48, 64, 100, 112, 128, 200, 256, 257, 300, 528};

enum { WIDTH_COUNT = sizeof widths / sizeof widths[0] };

typedef void run_row(const struct dense_case *c, const struct kernels *kernels, size_t row,
                     float *y);

/* Every row of the batch alone, through one, against the batch. */
static void check_rows_alone(const struct dense_case *c, const struct kernels *kernels,
                             run_row *one)
{
    float *y = malloc(c->y_stride * sizeof *y);
    for (size_t row = 0; row < c->rows; row++) {
        one(c, kernels, row, y);
        if (memcmp(y, c->y + row * c->y_stride, c->y_stride * sizeof *y) != 0)
            cr_assert_fail("%s: k %zu, n %zu: row %zu of %zu alone differs", kernels->name, c->k,
                           c->n, row, c->rows);
    }
    free(y);
}

static void check_batches(const struct kernels *kernels, enum random_kind x_kind,
                          enum random_kind weight_kind)
{
    struct randoms random = {6};
    for (size_t rows = 1; rows <= 20; rows++) {
        struct dense_case c;
        const size_t k = random_between(&random, 1, rows % 5 == 0 ? 1200 : 70);
        const size_t n = widths[random_between(&random, 0, WIDTH_COUNT - 1)];
        dense_open(&c, &random, (struct dense_shape){rows, k, n}, x_kind, weight_kind);
        dense_gemm(&c, kernels, c.y);
        check_rows_alone(&c, kernels, dense_gemv);
        check_rows_alone(&c, kernels, dense_gemv_full);
        dense_close(&c);
    }
}

static void check_plain(const struct kernels *kernels)
{
    check_batches(kernels, RANDOM_PLAIN, RANDOM_PLAIN);
}

static void check_sparse(const struct kernels *kernels)
{
    check_batches(kernels, RANDOM_SPARSE, RANDOM_PLAIN);
}

static void check_nasty(const struct kernels *kernels)
{
    check_batches(kernels, RANDOM_WILD, RANDOM_FINITE);
    check_batches(kernels, RANDOM_SPARSE, RANDOM_FINITE);
}

Test(gemv, a_row_alone_is_that_row_of_a_batch)
{
    for_each_isa(check_plain);
}

Test(gemv, skipping_zeros_changes_no_bit)
{
    for_each_isa(check_sparse);
}

Test(gemv, skipping_changes_no_bit_of_nasty_numbers)
{
    for_each_isa(check_nasty);
}

/* Every run width 16, 8, 4, 2, 1 of vectors and what they leave. */
static void check_widths(const struct kernels *kernels)
{
    struct randoms random = {7};
    for (size_t n = 16; n <= 256; n += 16) {
        struct dense_case c;
        dense_open(&c, &random, (struct dense_shape){1, 9, n}, RANDOM_SPARSE, RANDOM_PLAIN);
        dense_gemv(&c, kernels, 0, c.y);
        for (size_t j = 0; j < n; j++) {
            const float expected =
                reference_chain(reference_fused(kernels), c.k, c.x, c.weights + j, n, c.bias[j]);
            cr_assert(reference_same(&c.y[j], &expected, 1), "%s: n %zu: y[%zu]", kernels->name, n,
                      j);
        }
        dense_close(&c);
    }
}

Test(gemv, every_width_is_the_chain)
{
    for_each_isa(check_widths);
}

/* An input that is not listed costs nothing: its weights are not read, as NaN there shows. */
static void check_weights_not_read(const struct kernels *kernels)
{
    float panel[3 * 16], bias[16] = {0}, y[16];
    for (size_t i = 0; i < 3 * 16; i++)
        panel[i] = i / 16 == 1 ? NAN : 2.0f;
    const uint32_t index[2] = {0, 2};
    const float x[3] = {1.0f, NAN, 3.0f};
    kernels->gemv(2, 16, index, x, panel, bias, y);
    for (size_t i = 0; i < 16; i++)
        cr_assert(y[i] == 8.0f, "%s: y[%zu] is %g", kernels->name, i, (double)y[i]);
}

Test(gemv, weights_of_unlisted_inputs_are_not_read)
{
    for_each_isa(check_weights_not_read);
}

static void check_nothing_listed(const struct kernels *kernels)
{
    float panel[16] = {0}, bias[16], y[16];
    for (size_t i = 0; i < 16; i++)
        bias[i] = i % 2 ? -0.0f : (float)i;
    kernels->gemv(0, 16, NULL, NULL, panel, bias, y);
    for (size_t i = 0; i < 16; i++)
        cr_assert(y[i] == bias[i] && !signbit(y[i]), "%s: y[%zu]", kernels->name, i);
}

Test(gemv, of_no_input_is_the_bias)
{
    for_each_isa(check_nothing_listed);
}

/* nonzero against one loop; x and index end at guard pages. */
static void check_list(const struct dense_case *c, const struct kernels *kernels)
{
    size_t expected = 0;
    const size_t count = kernels->nonzero(c->k, c->x, c->index);
    for (size_t i = 0; i < c->k; i++) {
        if (c->x[i] == 0.0f)
            continue;
        cr_assert(expected < count && c->index[expected] == i, "%s: k %zu: x[%zu] is missing",
                  kernels->name, c->k, i);
        expected++;
    }
    cr_assert(count == expected, "%s: k %zu: %zu listed", kernels->name, c->k, count);
}

static void check_lists(const struct kernels *kernels)
{
    static const enum random_kind kinds[] = {RANDOM_PLAIN, RANDOM_SPARSE, RANDOM_WILD};
    struct randoms random = {8};
    for (size_t k = 1; k <= 70; k++) {
        for (size_t kind = 0; kind < 3; kind++) {
            struct dense_case c;
            dense_open(&c, &random, (struct dense_shape){1, k, 1}, kinds[kind], RANDOM_PLAIN);
            check_list(&c, kernels);
            dense_close(&c);
        }
    }
}

Test(gemv, nonzero_lists_all_but_zeros)
{
    for_each_isa(check_lists);
}

static void check_nan_is_listed(const struct kernels *kernels)
{
    const float x[5] = {0.0f, NAN, -0.0f, 0x1p-149f, -INFINITY};
    uint32_t index[21];
    cr_assert(kernels->nonzero(5, x, index) == 3);
    cr_assert(index[0] == 1 && index[1] == 3 && index[2] == 4);
    float wide[40] = {0};
    uint32_t wide_index[56];
    wide[3] = wide[20] = NAN;
    cr_assert(kernels->nonzero(40, wide, wide_index) == 2, "%s", kernels->name);
}

Test(gemv, nan_and_denormals_are_not_zero)
{
    for_each_isa(check_nan_is_listed);
}
