/* Which kernels there are and how they are chosen. */
#include <criterion/criterion.h>
#include <string.h>

#include "cpu.h"
#include "kernels/kernels.h"

Test(kernels, auto_is_the_best_usable)
{
    size_t count;
    const struct kernels *const *list = kernels_usable(&count);
    cr_assert(count >= 1);
    cr_assert(kernels_select("auto", NULL) == list[0]);
}

Test(kernels, every_usable_one_is_chosen_by_name)
{
    size_t count;
    const struct kernels *const *list = kernels_usable(&count);
    for (size_t i = 0; i < count; i++) {
        cr_assert(kernels_select(list[i]->name, NULL) == list[i]);
        cr_assert(cpu_usable(list[i]->name));
    }
}

Test(kernels, every_machine_has_its_baseline)
{
#if defined(__aarch64__)
    cr_assert(kernels_select("neon", NULL) != NULL);
#else
    cr_assert(kernels_select("baseline", NULL) != NULL);
#endif
}

/* Best first: what has the wider vectors comes before. */
Test(kernels, order_is_best_first)
{
    static const char *const order[] = {"avx512", "avx2", "baseline"};
    size_t count, at = 0;
    const struct kernels *const *list = kernels_usable(&count);
    for (size_t i = 0; i < 3; i++)
        if (at < count && strcmp(list[at]->name, order[i]) == 0)
            at++;
    cr_assert(at == count || count == 1);
}

Test(kernels, unknown_ones_are_refused_with_a_sentence)
{
    struct error error;
    cr_assert(kernels_select("sse9", &error) == NULL);
    cr_assert(error.status == STATUS_UNSUPPORTED);
    cr_assert(strstr(error.message, "\"sse9\"") != NULL, "%s", error.message);
    cr_assert(kernels_select("", NULL) == NULL);
    cr_assert(kernels_select("avx51", NULL) == NULL);
}
