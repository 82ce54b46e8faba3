#include "cpu.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

bool cpu_usable(const char *isa)
{
#if defined(__x86_64__)
    if (strcmp(isa, "avx512") == 0)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (strcmp(isa, "avx2") == 0)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    return strcmp(isa, "baseline") == 0;
#else
    return strcmp(isa, "neon") == 0 || strcmp(isa, "baseline") == 0;
#endif
}

uint64_t cpu_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Cores that cpu.max grants, 0 when there is no such limit. A container sees its own group at the
 * root. */
static unsigned cgroup_cores(void)
{
    unsigned long quota = 0, period = 0;
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (!file)
        return 0;
    int found = fscanf(file, "%lu %lu", &quota, &period);
    fclose(file);
    return found == 2 && period > 0 ? (unsigned)((quota + period - 1) / period) : 0;
}

unsigned cpu_cores(void)
{
    cpu_set_t set;
    unsigned cores = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        cores = (unsigned)CPU_COUNT(&set);
    unsigned granted = cgroup_cores();
    return granted > 0 && granted < cores ? granted : cores;
}
