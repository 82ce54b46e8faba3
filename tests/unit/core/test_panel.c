/* The layout [N/256][K][256], and packing into it. */
#include <criterion/criterion.h>
#include <string.h>

#include "guarded.h"
#include "panel.h"

Test(panel, sizes)
{
    static const struct {
        size_t n, padded, count, last;
    } cases[] = {{1, 16, 1, 16},     {16, 16, 1, 16},   {17, 32, 1, 32},    {255, 256, 1, 256},
                 {256, 256, 1, 256}, {257, 272, 2, 16}, {512, 512, 2, 256}, {529, 544, 3, 32}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert(panel_padded(cases[i].n) == cases[i].padded);
        cr_assert(panel_count(cases[i].n) == cases[i].count);
        cr_assert(panel_width(cases[i].n, cases[i].count - 1) == cases[i].last);
        for (size_t panel = 0; panel + 1 < cases[i].count; panel++)
            cr_assert(panel_width(cases[i].n, panel) == PANEL_COLUMNS);
    }
    cr_assert(panel_offset(10, 2) == 5120);
}

/* Weight i, j of [k, n], whichever way it is stored. */
static float weight(size_t i, size_t j)
{
    return (float)(1 + i * 1000 + j);
}

/* Every packed number is the weight, every padding untouched; the offsets tile the buffer. The
 * matrix is packed in blocks of so many rows and columns. */
static void check_packing(size_t k, size_t n, bool transposed, size_t step)
{
    struct guarded memory = {.count = 0};
    const size_t row_stride = transposed ? 1 : n, column_stride = transposed ? k : 1;
    float *weights = guarded_alloc(&memory, k * n, sizeof *weights);
    float *packed = guarded_alloc(&memory, k * panel_padded(n), sizeof *packed);
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < n; j++)
            weights[i * row_stride + j * column_stride] = weight(i, j);
    memset(packed, 0, k * panel_padded(n) * sizeof *packed);
    for (size_t i = 0; i < k; i += step)
        for (size_t j = 0; j < n; j += step) {
            const struct panel_block block = {.row = i,
                                              .rows = k - i < step ? k - i : step,
                                              .column = j,
                                              .columns = n - j < step ? n - j : step,
                                              .from = weights + i * row_stride + j * column_stride,
                                              .row_stride = row_stride,
                                              .column_stride = column_stride};
            panel_put(packed, k, n, &block);
        }
    const float *at = packed;
    for (size_t panel = 0; panel < panel_count(n); panel++) {
        cr_assert(at == packed + panel_offset(k, panel));
        for (size_t i = 0; i < k; i++)
            for (size_t c = 0; c < panel_width(n, panel); c++, at++) {
                const size_t j = panel * PANEL_COLUMNS + c;
                if (*at != (j < n ? weight(i, j) : 0.0f))
                    cr_assert_fail("k %zu, n %zu: weight %zu, %zu is %g", k, n, i, j, (double)*at);
            }
    }
    cr_assert(at == packed + k * panel_padded(n));
    guarded_free(&memory);
}

Test(panel, packs_both_orders_whole_or_in_blocks)
{
    static const size_t ks[] = {1, 3, 70}, ns[] = {1, 15, 16, 17, 255, 256, 257, 300, 513};
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 9; j++) {
            for (size_t step = 5; step < 10000; step *= 12) {
                check_packing(ks[i], ns[j], false, step);
                check_packing(ks[i], ns[j], true, step);
            }
        }
}
