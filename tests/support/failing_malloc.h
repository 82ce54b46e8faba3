/* failing_malloc: the test program's own malloc, glibc's with a counter and a fuse.
 *
 * Under AddressSanitizer, which brings a malloc of its own, neither works: ask malloc_watched()
 * first. Both belong to the calling thread. */
#ifndef RELUD_TESTS_FAILING_MALLOC_H
#define RELUD_TESTS_FAILING_MALLOC_H

#include <stdbool.h>
#include <stddef.h>

bool malloc_watched(void);

/* How often this thread has asked for memory. */
size_t malloc_count(void);

/* The next `successes` requests succeed, the one after them fails, all later ones succeed. */
void malloc_fail_after(size_t successes);

/* Disarms the fuse; returns whether it had blown. */
bool malloc_stop_failing(void);

#endif
