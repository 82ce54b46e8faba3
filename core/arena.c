#include "arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Blocks from MAP_BYTES on are mapped, not taken from the heap: their pages are zero already, and
 * go back to the system with the arena, where the C library would keep them. They are large ones
 * where the system has such, or a GEMM over a hundred megabytes of weights waits for addresses to
 * be looked up; and they are made present at once, so that no run waits for them. */
enum { ARENA_BLOCK_BYTES = 64 * 1024, ARENA_MAP_BYTES = 1024 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t size; /* bytes after the header's own 64 */
    size_t used;
};

void arena_init(struct arena *arena, size_t limit_bytes)
{
    *arena = (struct arena){.limit_bytes = limit_bytes};
}

static bool is_mapped(const struct arena_block *block)
{
    return block->size >= ARENA_MAP_BYTES;
}

void arena_free(struct arena *arena)
{
    for (struct arena_block *block = arena->blocks; block;) {
        struct arena_block *next = block->next;
        if (is_mapped(block))
            munmap(block, ARENA_ALIGNMENT + block->size);
        else
            free(block);
        block = next;
    }
    arena_init(arena, arena->limit_bytes);
}

/* Advice that the system does not know or take changes no byte. */
static void *map(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    madvise(memory, bytes, MADV_HUGEPAGE);
    madvise(memory, bytes, MADV_POPULATE_WRITE);
    return memory;
}

static struct arena_block *make_block(size_t size)
{
    const size_t bytes = ARENA_ALIGNMENT + size;
    struct arena_block *block =
        size < ARENA_MAP_BYTES ? aligned_alloc(ARENA_ALIGNMENT, bytes) : map(bytes);
    if (!block)
        return NULL;
    *block = (struct arena_block){.size = size};
    return block;
}

/* A block that holds at least bytes. A large allocation gets a block of its own, placed behind the
 * current one, whose free space stays in use. */
static struct arena_block *add_block(struct arena *arena, size_t bytes)
{
    size_t size = bytes > ARENA_BLOCK_BYTES / 4 ? bytes : ARENA_BLOCK_BYTES;
    struct arena_block *block = make_block(size);
    if (!block)
        return NULL;
    struct arena_block **link = &arena->blocks;
    if (arena->blocks && size == bytes)
        link = &arena->blocks->next;
    block->next = *link;
    *link = block;
    return block;
}

void *arena_alloc(struct arena *arena, size_t count, size_t element_bytes)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, element_bytes, &bytes) || bytes > arena->limit_bytes ||
        bytes > SIZE_MAX - 2 * ARENA_ALIGNMENT) /* room to round up, and for a block's header */
        return NULL;
    bytes = (bytes + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1);
    if (bytes > arena->limit_bytes - arena->used_bytes)
        return NULL;
    struct arena_block *block = arena->blocks;
    if (!block || block->size - block->used < bytes)
        block = add_block(arena, bytes);
    if (!block)
        return NULL;
    void *memory = (char *)block + ARENA_ALIGNMENT + block->used;
    block->used += bytes;
    arena->used_bytes += bytes;
    return is_mapped(block) ? memory : memset(memory, 0, bytes);
}

char *arena_text(struct arena *arena, const char *text, size_t length)
{
    char *copy = length < SIZE_MAX ? arena_alloc(arena, length + 1, 1) : NULL;
    if (copy && length > 0)
        memcpy(copy, text, length);
    return copy;
}
