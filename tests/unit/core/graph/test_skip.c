/* The cost model of skipping: what it must say whatever its constants are. */
#include <criterion/criterion.h>
#include <stdint.h>

#include "graph/skip.h"

static const size_t all_rows[] = {1, 2, 4, 16, 72}, all_k[] = {1, 16, 64, 784, 4096},
                    all_widths[] = {16, 64, 256},
                    all_bytes[] = {1 << 12, 1 << 20, 1 << 24, 1 << 28};

enum { ROWS = 5, KS = 5, WIDTHS = 3, BYTES = 4, CASES = ROWS * KS * WIDTHS * BYTES };

static struct skip_case nth_case(size_t i)
{
    return (struct skip_case){.rows = all_rows[i % ROWS],
                              .k = all_k[i / ROWS % KS],
                              .width = all_widths[i / ROWS / KS % WIDTHS],
                              .weight_bytes = all_bytes[i / ROWS / KS / WIDTHS]};
}

Test(skip, fewer_zeros_never_make_it_pay)
{
    for (size_t i = 0; i < CASES; i++) {
        struct skip_case c = nth_case(i);
        bool paid = true;
        for (c.listed = 0; c.listed <= c.k; c.listed++) {
            cr_assert(paid || !skip_pays(&c), "case %zu, %zu listed", i, c.listed);
            paid = skip_pays(&c);
        }
    }
}

Test(skip, without_zeros_a_batch_stays_together)
{
    for (size_t i = 0; i < CASES; i++) {
        struct skip_case c = nth_case(i);
        c.listed = c.k;
        cr_assert(c.rows == 1 || !skip_pays(&c), "case %zu", i);
    }
}

Test(skip, what_pays_with_so_many_zeros_may_pay)
{
    for (size_t i = 0; i < CASES; i++) {
        struct skip_case c = nth_case(i);
        for (c.listed = c.k / 32; c.listed <= c.k; c.listed++)
            cr_assert(!skip_pays(&c) || skip_may_pay(&c), "case %zu, %zu listed", i, c.listed);
    }
    const struct skip_case narrow = {.rows = 72, .k = 64, .width = 16, .weight_bytes = 1 << 12};
    cr_assert(!skip_may_pay(&narrow),
              "one vector of outputs costs less than to look at the inputs");
}

Test(skip, a_wide_layer_with_nothing_but_zeros_is_skipped)
{
    struct skip_case c = {.rows = 64, .k = 512, .width = 256, .weight_bytes = 1 << 20};
    cr_assert(skip_pays(&c));
    c.listed = c.k / 20;
    cr_assert(skip_pays(&c));
    c.listed = c.k / 2;
    cr_assert(!skip_pays(&c));
}
