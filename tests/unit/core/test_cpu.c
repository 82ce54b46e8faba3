/* What the machine can do. */
#include <criterion/criterion.h>
#include <time.h>

#include "cpu.h"

Test(cpu, unknown_instruction_sets_are_not_usable)
{
    cr_assert(!cpu_usable("") && !cpu_usable("auto") && !cpu_usable("avx1024"));
}

static uint64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

Test(cpu, the_clock_is_the_monotonic_one_in_nanoseconds)
{
    const uint64_t before = monotonic_ns(), now = cpu_clock_ns(), after = monotonic_ns();
    cr_assert(before <= now && now <= after, "%zu %zu %zu", (size_t)before, (size_t)now,
              (size_t)after);
}

Test(cpu, there_is_a_core)
{
    cr_assert(cpu_cores() >= 1 && cpu_cores() <= 4096);
}
