/* Which kernels there are and how they are chosen. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "cpu.h"
#include "isas.h"
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

/* Every length, with the one number that is outside at each place; its neighbours are at the ends.
 */
static void check_within(const struct kernels *kernels)
{
    enum { MOST = 70 };
    static const float outside[] = {1.0000001f, -1.0000001f, NAN, INFINITY, -INFINITY};
    float x[MOST], min[MOST], max[MOST];
    for (size_t n = 0; n < MOST; n++) {
        x[n] = n % 2 ? 1.0f : -1.0f;
        min[n] = -1;
        max[n] = 1;
    }
    for (size_t n = 0; n < MOST; n++) {
        cr_assert(kernels->within(n, x, min, max), "%s: %zu", kernels->name, n);
        for (size_t at = 0; at < n; at++)
            for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
                const float kept = x[at];
                x[at] = outside[i];
                cr_assert(!kernels->within(n, x, min, max), "%s: %zu of %zu", kernels->name, at, n);
                x[at] = kept;
            }
    }
}

Test(kernels, within_looks_at_every_number)
{
    for_each_isa(check_within);
}
