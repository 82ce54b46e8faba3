#include "isas.h"

#include <criterion/criterion.h>

#include "reference.h"

void for_each_isa(void (*check)(const struct kernels *kernels))
{
    size_t count;
    const struct kernels *const *list = kernels_usable(&count);
    for (size_t i = 0; i < count; i++)
        check(list[i]);
}

void for_each_other_isa(void (*check)(const struct kernels *best, const struct kernels *other))
{
    size_t count, compared = 0;
    const struct kernels *const *list = kernels_usable(&count);
    for (size_t i = 1; i < count; i++) {
        if (!reference_fused(list[i]))
            continue;
        check(list[0], list[i]);
        compared++;
    }
    if (compared == 0)
        cr_skip_test("one instruction set with FMA here");
}
