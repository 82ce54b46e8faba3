/* Shapes: counted without overflow, written for messages. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "tensor.h"

Test(tensor, dims_are_multiplied)
{
    size_t count = 7;
    cr_assert(dims_count((const int64_t[]){2, 3, 4}, 3, &count) && count == 24);
    cr_assert(dims_count((const int64_t[]){5}, 1, &count) && count == 5);
    cr_assert(dims_count(NULL, 0, &count) && count == 1, "a scalar has one element");
    cr_assert(dims_count((const int64_t[]){4, 0, 5}, 3, &count) && count == 0);
}

Test(tensor, negative_dims_are_refused)
{
    size_t count;
    cr_assert(!dims_count((const int64_t[]){-1}, 1, &count));
    cr_assert(!dims_count((const int64_t[]){0, -3}, 2, &count));
    cr_assert(!dims_count((const int64_t[]){INT64_MIN, 2}, 2, &count));
}

Test(tensor, products_that_overflow_are_refused)
{
    size_t count;
    const int64_t huge = (int64_t)1 << 60;
    cr_assert(!dims_count((const int64_t[]){huge, huge}, 2, &count));
    cr_assert(!dims_count((const int64_t[]){huge, 2, huge}, 3, &count));
    cr_assert(!dims_count((const int64_t[]){(int64_t)1 << 32, (int64_t)1 << 32}, 2, &count));
    cr_assert(!dims_count((const int64_t[]){INT64_MAX}, 1, &count), "8 bytes each");
}

/* SIZE_MAX / 8 elements of 8 bytes fit, one more does not. */
Test(tensor, the_limit_is_bytes)
{
    size_t count;
    const int64_t most = (int64_t)(SIZE_MAX / 8);
    cr_assert(dims_count(&most, 1, &count) && count == SIZE_MAX / 8);
    const int64_t more = most + 1;
    cr_assert(!dims_count(&more, 1, &count));
}

Test(tensor, elements_are_counted)
{
    const struct tensor tensor = {.rank = 2, .dims = {6, 7}};
    cr_assert(tensor_count(&tensor) == 42);
    cr_assert(dtype_bytes(DTYPE_FLOAT32) == 4 && dtype_bytes(DTYPE_INT64) == 8);
}

Test(tensor, dims_are_written)
{
    char text[DIMS_TEXT_BYTES];
    int64_t longest[TENSOR_RANK_MAX];
    cr_assert_str_eq(dims_text(text, (const int64_t[]){-1, 64}, 2), "[-1, 64]");
    cr_assert_str_eq(dims_text(text, NULL, 0), "[]");
    for (size_t i = 0; i < TENSOR_RANK_MAX; i++)
        longest[i] = INT64_MIN;
    cr_assert(strlen(dims_text(text, longest, TENSOR_RANK_MAX)) < DIMS_TEXT_BYTES);
}
