/* Bump allocation: zeroed, aligned, bounded. */
#include <criterion/criterion.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arena.h"

static bool all_zero(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

Test(arena, memory_is_zeroed_aligned_and_ones_own)
{
    struct arena arena;
    uint8_t *made[400];
    mallopt(M_PERTURB, 0x5A); /* malloc's memory is not zero */
    arena_init(&arena, SIZE_MAX);
    for (size_t i = 0; i < 400; i++) {
        const size_t count = i * 97 % 40000;
        made[i] = arena_alloc(&arena, count, 1);
        cr_assert(made[i] && (uintptr_t)made[i] % ARENA_ALIGNMENT == 0, "allocation %zu", i);
        cr_assert(all_zero(made[i], count), "allocation %zu", i);
        memset(made[i], (int)(i % 255) + 1, count);
    }
    for (size_t i = 0; i < 400; i++)
        for (size_t at = 0; at < i * 97 % 40000; at++)
            if (made[i][at] != i % 255 + 1)
                cr_assert_fail("allocation %zu was overwritten at %zu", i, at);
    arena_free(&arena);
}

/* Bytes of this process that are in memory. */
static size_t resident(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    cr_assert(file && fscanf(file, "%*u %zu", &pages) == 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

Test(arena, large_memory_goes_back_to_the_system)
{
    enum { BYTES = 8 << 20 };
    const size_t before = resident();
    for (size_t round = 0; round < 3; round++) {
        struct arena arena;
        arena_init(&arena, SIZE_MAX);
        for (size_t i = 0; i < 8; i++) {
            uint8_t *large = arena_alloc(&arena, BYTES, 1), *small = arena_alloc(&arena, 1, 1);
            cr_assert(large && small && (uintptr_t)large % ARENA_ALIGNMENT == 0);
            cr_assert(all_zero(large, BYTES));
            memset(large, 1, BYTES);
            *small = 1; /* above what the heap could give back */
        }
        cr_assert(resident() > before + 8 * (size_t)BYTES);
        arena_free(&arena);
        cr_assert(resident() < before + BYTES, "round %zu: %zu bytes stay", round,
                  resident() - before);
    }
}

Test(arena, no_elements_are_a_valid_pointer)
{
    struct arena arena;
    arena_init(&arena, 0);
    cr_assert(arena_alloc(&arena, 0, 8) != NULL);
    cr_assert(arena_alloc(&arena, 8, 0) != NULL);
    cr_assert(arena_alloc(&arena, 1, 1) == NULL);
    arena_free(&arena);
}

Test(arena, ends_at_its_limit)
{
    struct arena arena;
    arena_init(&arena, 256);
    cr_assert(arena_alloc(&arena, 257, 1) == NULL);
    cr_assert(arena_alloc(&arena, 16, 8) != NULL);
    cr_assert(arena.used_bytes == 128);
    cr_assert(arena_alloc(&arena, 129, 1) == NULL);
    cr_assert(arena_alloc(&arena, 128, 1) != NULL);
    cr_assert(arena_alloc(&arena, 1, 1) == NULL);
    cr_assert(arena.used_bytes == 256);
    arena_free(&arena);
    cr_assert(arena.used_bytes == 0 && arena.limit_bytes == 256);
    cr_assert(arena_alloc(&arena, 256, 1) != NULL, "an arena can be used again");
    arena_free(&arena);
}

Test(arena, products_that_overflow_are_refused)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    cr_assert(arena_alloc(&arena, SIZE_MAX / 4 + 1, 4) == NULL);
    cr_assert(arena_alloc(&arena, SIZE_MAX, SIZE_MAX) == NULL);
    cr_assert(arena_alloc(&arena, (size_t)1 << 32, (size_t)1 << 32) == NULL);
    arena_free(&arena);
}

/* Rounding up to the alignment must not wrap to a small number. */
Test(arena, sizes_that_overflow_when_rounded_are_refused)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    cr_assert(arena_alloc(&arena, SIZE_MAX, 1) == NULL);
    cr_assert(arena_alloc(&arena, SIZE_MAX - 62, 1) == NULL);
    cr_assert(arena_alloc(&arena, SIZE_MAX - 63, 1) == NULL);
    arena_free(&arena);
}

Test(arena, text_is_copied_and_terminated)
{
    struct arena arena;
    char from[] = "relud";
    arena_init(&arena, 128);
    const char *copy = arena_text(&arena, from, 4);
    memset(from, 'x', 5);
    cr_assert_str_eq(copy, "relu");
    cr_assert_str_eq(arena_text(&arena, "", 0), "");
    cr_assert(arena_text(&arena, from, 5) == NULL, "the limit is reached");
    cr_assert(arena_text(&arena, from, SIZE_MAX) == NULL);
    arena_free(&arena);
}

/* Small allocations go on filling their block after a large one got its own. */
Test(arena, large_allocations_do_not_waste_the_current_block)
{
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    const char *first = arena_alloc(&arena, 64, 1);
    arena_alloc(&arena, 1 << 20, 1);
    const char *second = arena_alloc(&arena, 64, 1);
    cr_assert(second == first + 64);
    arena_free(&arena);
}
