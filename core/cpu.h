/* cpu: what this machine can do. */
#ifndef RELUD_CPU_H
#define RELUD_CPU_H

#include <stdbool.h>
#include <stdint.h>

/* Whether the processor and the operating system support what the kernels of that name are compiled
 * for (see kernels/isa.def). */
bool cpu_usable(const char *isa);

/* Tells the processor that this thread does nothing but look whether something has changed. */
static inline void cpu_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* The monotonic clock, in nanoseconds. */
uint64_t cpu_clock_ns(void);

/* Cores granted to this process by affinity and by the cgroup's cpu.max, rounded up, at least 1. */
unsigned cpu_cores(void);

#endif
