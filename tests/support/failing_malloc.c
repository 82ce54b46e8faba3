#include "failing_malloc.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__) || !defined(__GLIBC__)

bool malloc_watched(void)
{
    return false;
}

size_t malloc_count(void)
{
    return 0;
}

void malloc_fail_after(size_t successes)
{
    (void)successes;
}

bool malloc_stop_failing(void)
{
    return false;
}

#else

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

static _Thread_local size_t requests;
static _Thread_local size_t fuse = SIZE_MAX;
static _Thread_local bool blown;

/* Counts a request; whether it may succeed. */
static bool granted(void)
{
    requests++;
    if (fuse == SIZE_MAX || fuse-- > 0)
        return true;
    blown = true;
    fuse = SIZE_MAX;
    errno = ENOMEM;
    return false;
}

void *malloc(size_t bytes)
{
    return granted() ? __libc_malloc(bytes) : NULL;
}

void *calloc(size_t count, size_t bytes)
{
    return granted() ? __libc_calloc(count, bytes) : NULL;
}

void *realloc(void *memory, size_t bytes)
{
    return granted() ? __libc_realloc(memory, bytes) : NULL;
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return granted() ? __libc_memalign(alignment, bytes) : NULL;
}

bool malloc_watched(void)
{
    return true;
}

size_t malloc_count(void)
{
    return requests;
}

void malloc_fail_after(size_t successes)
{
    blown = false;
    fuse = successes;
}

bool malloc_stop_failing(void)
{
    fuse = SIZE_MAX;
    return blown;
}

#endif
