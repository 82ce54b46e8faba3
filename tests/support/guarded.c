#include "guarded.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PATTERN = 0xFF };

void *guarded_alloc(struct guarded *guarded, size_t count, size_t element_bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t bytes = count * element_bytes;
    const size_t whole = (bytes + page - 1) / page * page;
    uint8_t *mapping =
        mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(mapping != MAP_FAILED && guarded->count < GUARDED_MAX);
    cr_assert(mprotect(mapping + whole, page, PROT_NONE) == 0);
    memset(mapping, PATTERN, whole);
    guarded->buffers[guarded->count++] = (struct guarded_buffer){mapping, whole, whole - bytes};
    return mapping + whole - bytes;
}

static void check_slack(const struct guarded_buffer *buffer)
{
    for (size_t i = 0; i < buffer->slack; i++)
        if (buffer->mapping[i] != PATTERN)
            cr_assert_fail("%zu bytes before a buffer were overwritten", buffer->slack - i);
}

void guarded_free(struct guarded *guarded)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < guarded->count; i++) {
        check_slack(&guarded->buffers[i]);
        munmap(guarded->buffers[i].mapping, guarded->buffers[i].bytes + page);
    }
    guarded->count = 0;
}
