#include "ring.h"

#include <string.h>

static const struct {
    const char *name;
    uint64_t length_ns, slot_ns;
} windows[] = {
#define WINDOW(id, name, seconds, slot_seconds) \
    {name, (seconds)*1000000000ull, (slot_seconds)*1000000000ull},
#include "window.def"
#undef WINDOW
};

#define WINDOW(id, name, seconds, slot_seconds)                      \
    _Static_assert((seconds) / (slot_seconds) + 1 <= RING_SLOTS_MAX, \
                   "a ring has room for the slots of " name);        \
    _Static_assert((seconds) % (slot_seconds) == 0, name " is slots");
#include "window.def"
#undef WINDOW

bool ring_window_named(enum ring_window *window, const char *name)
{
    for (size_t i = 0; i < RING_WINDOW_COUNT; i++) {
        if (strcmp(windows[i].name, name) == 0) {
            *window = (enum ring_window)i;
            return true;
        }
    }
    return false;
}

void ring_init(struct ring *ring, const struct plan *plan, enum stats_level level, uint64_t now_ns)
{
    *ring = (struct ring){.plan = plan, .level = level, .begin_ns = now_ns, .last_ns = now_ns};
    arena_init(&ring->arena, SIZE_MAX);
}

void ring_free(struct ring *ring)
{
    arena_free(&ring->arena);
}

void ring_reset(struct ring *ring, uint64_t now_ns)
{
    ring->begin_ns = ring->last_ns = now_ns;
    for (size_t window = 0; window < RING_WINDOW_COUNT; window++)
        for (size_t i = 0; i < RING_SLOTS_MAX; i++)
            ring->slots[window][i].counters.samples = 0;
}

/* Slots of a window. */
static size_t slots_of(size_t window)
{
    return windows[window].length_ns / windows[window].slot_ns + 1;
}

static enum status open_slot(struct ring *ring, struct ring_slot *slot, uint64_t turn,
                             struct error *error)
{
    struct counters made;
    slot->turn = turn;
    slot->begin_ns = ring->last_ns;
    if (slot->counters.layers) {
        counters_reset(&slot->counters);
        return STATUS_OK;
    }
    const enum status status = counters_init(&made, &ring->arena, ring->plan, ring->level, error);
    if (status == STATUS_OK)
        slot->counters = made;
    return status;
}

enum status ring_add(struct ring *ring, uint64_t now_ns, const struct counters *counted,
                     struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t window = 0; counted->samples > 0 && window < RING_WINDOW_COUNT; window++) {
        const uint64_t turn = now_ns / windows[window].slot_ns;
        struct ring_slot *slot = &ring->slots[window][turn % slots_of(window)];
        if ((slot->counters.samples == 0 || slot->turn != turn) &&
            open_slot(ring, slot, turn, error) != STATUS_OK)
            status = error->status;
        else
            counters_merge(&slot->counters, counted);
    }
    ring->last_ns = now_ns;
    return status;
}

/* A slot of which only the oldest part is older than the window is in it. */
static bool reaches(const struct ring_slot *slot, size_t window, uint64_t now_ns)
{
    const uint64_t end_ns = (slot->turn + 1) * windows[window].slot_ns;
    return slot->counters.samples > 0 && end_ns + windows[window].length_ns > now_ns;
}

uint64_t ring_collect(const struct ring *ring, enum ring_window window, uint64_t now_ns,
                      struct counters *into)
{
    const uint64_t length_ns = windows[window].length_ns;
    uint64_t since_ns = now_ns > length_ns ? now_ns - length_ns : 0;
    for (size_t i = 0; i < slots_of(window); i++) {
        const struct ring_slot *slot = &ring->slots[window][i];
        if (!reaches(slot, window, now_ns))
            continue;
        counters_merge(into, &slot->counters);
        since_ns = slot->begin_ns < since_ns ? slot->begin_ns : since_ns;
    }
    since_ns = ring->last_ns < since_ns ? ring->last_ns : since_ns;
    return since_ns > ring->begin_ns ? since_ns : ring->begin_ns;
}
