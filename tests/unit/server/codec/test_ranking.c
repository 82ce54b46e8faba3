#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/ranking.h"
#include "randoms.h"

static void expect_best(const float *numbers, size_t count, size_t k, const size_t *expected)
{
    size_t best[16];
    ranking_best(numbers, count, k, best);
    for (size_t i = 0; i < k; i++)
        cr_assert_eq(best[i], expected[i], "%zu of %zu: place %zu is %zu", k, count, i, best[i]);
}

Test(ranking, largest_first_ties_in_order_nan_last)
{
    static const float plain[] = {1, 5, 10, 4};
    static const float ties[] = {0, 2, -0.0f, 2, 2, -INFINITY};
    static const float nans[] = {NAN, -INFINITY, NAN, INFINITY, NAN};
    for (size_t k = 0; k <= 4; k++)
        expect_best(plain, 4, k, (const size_t[]){2, 1, 3, 0});
    for (size_t k = 0; k <= 6; k++)
        expect_best(ties, 6, k, (const size_t[]){1, 3, 4, 0, 2, 5});
    for (size_t k = 0; k <= 5; k++)
        expect_best(nans, 5, k, (const size_t[]){3, 1, 0, 2, 4});
}

/* By its definition: the place of each is the number of those that precede it. */
Test(ranking, random_lists)
{
    enum { MOST = 300 };
    struct randoms random = {99};
    float numbers[MOST];
    size_t best[MOST];
    for (int turn = 0; turn < 300; turn++) {
        size_t count = random_between(&random, 1, MOST), k = random_between(&random, 0, count);
        enum random_kind kind = turn % 2 ? RANDOM_SPARSE : RANDOM_WILD;
        random_floats(&random, kind, numbers, count);
        ranking_best(numbers, count, k, best);
        for (size_t place = 0; place < k; place++) {
            size_t before = 0, i = best[place];
            for (size_t j = 0; j < count; j++) {
                bool tie = numbers[j] == numbers[i] || (isnan(numbers[j]) && isnan(numbers[i]));
                before += numbers[j] > numbers[i] || (isnan(numbers[i]) && !isnan(numbers[j])) ||
                          (tie && j < i);
            }
            cr_assert_eq(before, place, "%zu of %zu", k, count);
        }
    }
}
