/* Rings against a plain list of what was added when. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "nets.h"
#include "stats/ring.h"

#define SECOND 1000000000ull

enum { ADDITIONS_MAX = 4000 };

static const struct {
    const char *name;
    uint64_t length, slot; /* seconds */
} windows[RING_WINDOW_COUNT] = {{"60s", 60, 5}, {"15m", 900, 60}, {"1h", 3600, 240}};

/* A ring of one layer of two units, what came next to be added, and all that was. */
struct fixture {
    struct net net;
    struct ring ring;
    struct counters counted, merged;
    uint64_t now_ns;
    size_t count;
    struct {
        uint64_t begin_ns, end_ns, rows;
        float max;
    } added[ADDITIONS_MAX];
};

static void open_fixture(struct fixture *f, uint64_t seed, uint64_t begin_ns)
{
    net_init(&f->net, seed);
    net_chain(&f->net, 2, (const size_t[]){3, 2}, (const char *const[]){"relu6"});
    f->now_ns = begin_ns;
    f->count = 0;
    ring_init(&f->ring, &f->net.plan, STATS_full, begin_ns);
    const struct plan *plan = &f->net.plan;
    cr_assert(counters_init(&f->counted, &f->net.arena, plan, STATS_full, NULL) == STATUS_OK);
    cr_assert(counters_init(&f->merged, &f->net.arena, plan, STATS_full, NULL) == STATUS_OK);
}

static void close_fixture(struct fixture *f)
{
    ring_free(&f->ring);
    net_free(&f->net);
}

/* Adds rows, in some of which unit 1 was active, at a time. */
static void add(struct fixture *f, uint64_t now_ns, uint64_t rows, float max)
{
    struct layer_counters *layer = &f->counted.layers[0];
    counters_reset(&f->counted);
    f->counted.samples = layer->observations = rows;
    layer->active[1] = layer->high[1] = rows / 2;
    layer->sum[1] = (double)rows;
    layer->max[1] = max;
    f->added[f->count].begin_ns = f->now_ns;
    f->added[f->count].end_ns = now_ns;
    f->added[f->count].rows = rows;
    f->added[f->count++].max = max;
    f->now_ns = now_ns;
    cr_assert(ring_add(&f->ring, now_ns, &f->counted, NULL) == STATUS_OK);
}

static uint64_t collect(struct fixture *f, enum ring_window window, uint64_t now_ns)
{
    counters_reset(&f->merged);
    return ring_collect(&f->ring, window, now_ns, &f->merged);
}

/* What has come since the window begins and nothing older; it is as long as it is called, or longer
 * by less than a slot and an addition. */
static void check_window(struct fixture *f, enum ring_window window)
{
    const uint64_t length_ns = windows[window].length * SECOND;
    const uint64_t since_ns = collect(f, window, f->now_ns);
    uint64_t rows = 0, active = 0;
    float max = -INFINITY;
    for (size_t i = 0; i < f->count; i++) {
        const uint64_t end_ns = f->added[i].end_ns + length_ns;
        if (f->added[i].rows == 0)
            continue;
        if (f->added[i].begin_ns < since_ns) {
            cr_assert(end_ns <= f->now_ns, "%s lacks %zu", windows[window].name, i);
            continue;
        }
        cr_assert(end_ns + windows[window].slot * SECOND > f->now_ns, "%s still has %zu",
                  windows[window].name, i);
        rows += f->added[i].rows;
        active += f->added[i].rows / 2;
        max = f->added[i].max > max ? f->added[i].max : max;
    }
    const struct layer_counters *layer = &f->merged.layers[0];
    cr_assert(f->merged.samples == rows && layer->observations == rows);
    cr_assert(layer->active[1] == active && layer->high[1] == active && layer->active[0] == 0);
    cr_assert(layer->sum[1] == (double)rows && layer->max[1] == max);
}

Test(ring, windows_have_names)
{
    enum ring_window window;
    for (size_t i = 0; i < RING_WINDOW_COUNT; i++)
        cr_assert(ring_window_named(&window, windows[i].name) && window == i);
    cr_assert(!ring_window_named(&window, "60") && !ring_window_named(&window, "") &&
              !ring_window_named(&window, "60S"));
}

/* Ticks that are late by as much as they like, with rests in between that last minutes. */
static void check_random(uint64_t seed)
{
    static struct fixture f;
    struct randoms random = {seed};
    open_fixture(&f, seed, random_between(&random, 0, 4000) * SECOND + 17);
    for (size_t i = 0; i < 1500; i++) {
        const bool late = random_between(&random, 0, 20) == 0;
        uint64_t next = (f.now_ns / (5 * SECOND) + 1) * 5 * SECOND;
        next += random_between(&random, 0, late ? 400 * SECOND : SECOND / 100);
        add(&f, next, random_between(&random, 0, 3) ? random_between(&random, 1, 1000) : 0,
            (float)random_between(&random, 0, 100000));
        for (enum ring_window window = 0; window < RING_WINDOW_COUNT; window++)
            check_window(&f, window);
    }
    close_fixture(&f);
}

Test(ring, holds_what_a_list_would)
{
    for (uint64_t seed = 1; seed <= 10; seed++)
        check_random(seed);
}

/* Ten rows at 5 s, nothing after: they leave the minute between 60 and 65 s later. */
Test(ring, what_is_older_than_the_window_leaves_it)
{
    static struct fixture f;
    open_fixture(&f, 1, 0);
    add(&f, 5 * SECOND, 10, 3);
    cr_assert(collect(&f, RING_minute, 5 * SECOND) == 0 && f.merged.samples == 10);
    cr_assert(collect(&f, RING_minute, 65 * SECOND) == 0 && f.merged.samples == 10);
    cr_assert(f.merged.layers[0].max[1] == 3);
    cr_assert(collect(&f, RING_minute, 70 * SECOND) == 5 * SECOND && f.merged.samples == 0);
    cr_assert(f.merged.layers[0].max[1] == -INFINITY);
    add(&f, 75 * SECOND, 0, 0);
    cr_assert(collect(&f, RING_minute, 76 * SECOND) == 16 * SECOND && f.merged.samples == 0);
    cr_assert(collect(&f, RING_quarter, 900 * SECOND) == 0 && f.merged.samples == 10);
    cr_assert(collect(&f, RING_quarter, 960 * SECOND) == 60 * SECOND && f.merged.samples == 0);
    cr_assert(collect(&f, RING_hour, 3600 * SECOND) == 0 && f.merged.samples == 10);
    cr_assert(collect(&f, RING_hour, 3840 * SECOND) == 75 * SECOND && f.merged.samples == 0);
    close_fixture(&f);
}

Test(ring, a_reset_empties_it)
{
    static struct fixture f;
    open_fixture(&f, 1, 0);
    for (uint64_t at = 5; at < 100; at += 5)
        add(&f, at * SECOND, at, 1);
    ring_reset(&f.ring, 101 * SECOND);
    for (enum ring_window window = 0; window < RING_WINDOW_COUNT; window++)
        cr_assert(collect(&f, window, 102 * SECOND) == 101 * SECOND && f.merged.samples == 0);
    add(&f, 105 * SECOND, 7, 2);
    for (enum ring_window window = 0; window < RING_WINDOW_COUNT; window++)
        cr_assert(collect(&f, window, 106 * SECOND) == 101 * SECOND && f.merged.samples == 7);
    close_fixture(&f);
}

/* No memory, then some: the ring holds what it could. */
Test(ring, without_memory_a_window_lacks_what_was_added)
{
    static struct fixture f;
    struct error error;
    open_fixture(&f, 1, 0);
    add(&f, 5 * SECOND, 1, 1);
    f.ring.arena.limit_bytes = f.ring.arena.used_bytes + ARENA_ALIGNMENT;
    cr_assert(ring_add(&f.ring, 10 * SECOND, &f.counted, &error) == STATUS_OUT_OF_MEMORY);
    f.ring.arena.limit_bytes = SIZE_MAX;
    add(&f, 15 * SECOND, 1, 1);
    collect(&f, RING_minute, 16 * SECOND);
    cr_assert(f.merged.samples == 2);
    close_fixture(&f);
}

/* RING_SLOTS times what one takes, and nothing before there is something to hold. */
Test(ring, memory_is_taken_when_it_is_needed)
{
    static struct fixture f;
    open_fixture(&f, 1, 0);
    for (uint64_t at = 5; at < 20000; at += 5) {
        counters_reset(&f.counted);
        cr_assert(ring_add(&f.ring, at * SECOND, &f.counted, NULL) == STATUS_OK);
    }
    cr_assert(f.ring.arena.used_bytes == 0);
    const size_t before = f.net.arena.used_bytes;
    struct counters one;
    cr_assert(counters_init(&one, &f.net.arena, &f.net.plan, STATS_full, NULL) == STATUS_OK);
    for (uint64_t at = 20000; at < 60000; at += 5) {
        f.counted.samples = 1;
        cr_assert(ring_add(&f.ring, at * SECOND, &f.counted, NULL) == STATUS_OK);
    }
    cr_assert(f.ring.arena.used_bytes == RING_SLOTS * (f.net.arena.used_bytes - before));
    close_fixture(&f);
}
