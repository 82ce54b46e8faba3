/* What was counted, across generations: saved, taken up again, set aside. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpu.h"
#include "log.h"
#include "store.h"
#include "temporary.h"

/* Names of files */

static const char *name_of(const char *model, const char *version)
{
    static char file[STORE_NAME_BYTES];
    store_name(file, model, version);
    return file;
}

Test(store, names_of_files)
{
    cr_assert_str_eq(name_of("digits", "1"), "digits@1.json");
    cr_assert_str_eq(name_of("digits-2.1_x", "12"), "digits-2.1_x@12.json");
    cr_assert_str_eq(name_of("a/b c%~@", "1"), "a%2Fb%20c%25%7E%40@1.json");
    cr_assert_str_eq(name_of("..", "1"), "%2E.@1.json");
    cr_assert_str_eq(name_of("-\xC3\xA9\n", "1"), "-%C3%A9%0A@1.json");
}

/* No longer than a file's name may be, and different where the names are. */
Test(store, long_names_stay_apart)
{
    char a[256], b[256], first[STORE_NAME_BYTES];
    for (size_t length = 1; length < 256; length++) {
        memset(a, ' ', length);
        a[length] = '\0';
        strcpy(b, a);
        b[length - 1] = '\t';
        strcpy(first, name_of(a, "18446744073709551615"));
        cr_assert(strlen(first) < 230 && !strchr(first, '/'));
        cr_assert_str_neq(first, name_of(b, "18446744073709551615"), "length %zu", length);
    }
}

/* Generations */

struct scene {
    struct temporary temporary;
    struct store store;
};

static void open_scene(struct scene *scene)
{
    struct error error;
    log_init("error", "logfmt");
    temporary_open(&scene->temporary);
    cr_assert(store_open(&scene->store, scene->temporary.path, &error) == STATUS_OK, "%s",
              error.message);
}

static void close_scene(struct scene *scene)
{
    store_close(&scene->store);
    temporary_close(&scene->temporary);
}

static struct generation *open_generation(const char *path, const char *name,
                                          enum stats_level level)
{
    const struct model_options options = {.name = name, .level = level};
    struct generation *generation;
    struct error error;
    cr_assert(generation_open(&generation, path, &options, 1, &error) == STATUS_OK, "%s",
              error.message);
    return generation;
}

/* As if so many rows had been served. */
static void count(struct generation *generation, uint64_t rows)
{
    struct counters *base = &generation->base;
    base->samples += rows;
    for (size_t i = 0; i < base->plan->layer_count; i++) {
        base->layers[i].observations += rows;
        for (size_t unit = 0; base->layers[i].active && unit < base->plan->layers[i].units; unit++)
            base->layers[i].active[unit] += rows * (unit % 3) / 3;
    }
}

static uint64_t samples_of(struct generation *generation)
{
    struct arena arena;
    struct counters counters;
    arena_init(&arena, 1 << 24);
    cr_assert(counters_init(&counters, &arena, &generation->model.plan, generation->model.level,
                            NULL) == STATUS_OK);
    generation_collect(generation, &counters, NULL);
    if (counters.layers[0].active)
        cr_assert_eq(counters.layers[0].active[2], generation->base.layers[0].active[2]);
    arena_free(&arena);
    return counters.samples;
}

static struct stat stat_of(const struct scene *scene, const char *name, bool *there)
{
    char path[320];
    struct stat found = {.st_ino = 0};
    snprintf(path, sizeof path, "%s/%s", scene->temporary.path, name);
    *there = stat(path, &found) == 0;
    return found;
}

static bool exists(const struct scene *scene, const char *name)
{
    bool there;
    stat_of(scene, name, &there);
    return there;
}

static uint64_t restored(struct scene *scene, const char *path, enum stats_level level)
{
    struct generation *generation = open_generation(path, "x", level);
    store_restore(&scene->store, generation);
    const uint64_t samples = samples_of(generation);
    generation_release(generation);
    return samples;
}

Test(store, what_is_saved_is_taken_up)
{
    for (enum stats_level level = STATS_counts; level <= STATS_full; level++) {
        struct scene scene;
        open_scene(&scene);
        struct generation *one = open_generation("models/digits", "x", level);
        store_restore(&scene.store, one);
        one->since = 1700000000;
        count(one, 300);
        store_save(&scene.store, one);
        struct generation *two = open_generation("models/digits", "x", level);
        store_restore(&scene.store, two);
        cr_assert_eq(samples_of(two), 300);
        cr_assert_eq(two->since, 1700000000);
        cr_assert_arr_eq(two->base.layers[0].active, one->base.layers[0].active, 128 * 8);
        cr_assert(!exists(&scene, "x@1.json.previous"));
        generation_release(one);
        generation_release(two);
        close_scene(&scene);
    }
}

Test(store, another_digest_or_level_is_set_aside)
{
    struct scene scene;
    open_scene(&scene);
    struct generation *one = open_generation("models/digits", "x", STATS_full);
    count(one, 300);
    store_save(&scene.store, one);
    cr_assert_eq(restored(&scene, "models/digits-dying", STATS_full), 0);
    cr_assert(exists(&scene, "x@1.json.previous") && !exists(&scene, "x@1.json"));
    count(one, 1);
    store_save(&scene.store, one);
    cr_assert_eq(restored(&scene, "models/digits", STATS_off), 0);
    cr_assert(exists(&scene, "x@1.json"));
    cr_assert_eq(restored(&scene, "models/digits", STATS_counts), 0);
    cr_assert(!exists(&scene, "x@1.json"));
    generation_release(one);
    close_scene(&scene);
}

Test(store, damaged_files_are_set_aside)
{
    static const char *const damages[] = {"", "{", "[]", "{\"format\":\"relud-stats\"}"};
    struct scene scene;
    open_scene(&scene);
    for (size_t i = 0; i < 4; i++) {
        temporary_write(&scene.temporary, "x@1.json", damages[i], strlen(damages[i]));
        cr_assert_eq(restored(&scene, "models/digits", STATS_full), 0);
        cr_assert(exists(&scene, "x@1.json.previous") && !exists(&scene, "x@1.json"));
    }
    close_scene(&scene);
}

/* A snapshot whose time nobody can read is as good as damaged. */
Test(store, a_wrong_time_is_set_aside)
{
    struct scene scene;
    open_scene(&scene);
    struct generation *one = open_generation("models/digits", "x", STATS_full);
    struct text text = {.bytes = NULL};
    count(one, 300);
    snapshot_write(&text, &one->model, &one->base, "yesterday", 1000);
    temporary_write(&scene.temporary, "x@1.json", text.bytes, text.count);
    cr_assert_eq(restored(&scene, "models/digits", STATS_full), 0);
    cr_assert(exists(&scene, "x@1.json.previous"));
    text_free(&text);
    generation_release(one);
    close_scene(&scene);
}

Test(store, only_changes_are_written)
{
    struct scene scene;
    bool there;
    char since[GENERATION_SINCE_BYTES];
    open_scene(&scene);
    struct generation *one = open_generation("models/digits", "x", STATS_full);
    store_save(&scene.store, one);
    cr_assert(!exists(&scene, "x@1.json"), "nothing was counted");
    count(one, 5);
    store_save(&scene.store, one);
    const struct stat first = stat_of(&scene, "x@1.json", &there);
    store_save(&scene.store, one);
    cr_assert_eq(stat_of(&scene, "x@1.json", &there).st_ino, first.st_ino);
    struct generation *two = open_generation("models/digits", "x", STATS_full);
    store_restore(&scene.store, two);
    store_save(&scene.store, two);
    cr_assert_eq(stat_of(&scene, "x@1.json", &there).st_ino, first.st_ino);
    generation_reset(two, cpu_clock_ns(), since);
    store_save(&scene.store, two);
    cr_assert_eq(restored(&scene, "models/digits", STATS_full), 0);
    generation_release(one);
    generation_release(two);
    close_scene(&scene);
}

/* A retired generation writes a last time, then never again over its successor's file. */
Test(store, the_retired_write_no_more)
{
    struct scene scene;
    open_scene(&scene);
    struct generation *one = open_generation("models/digits", "x", STATS_full);
    count(one, 5);
    store_retire(&scene.store, one);
    cr_assert_eq(restored(&scene, "models/digits", STATS_full), 5);
    count(one, 5);
    store_save(&scene.store, one);
    store_retire(&scene.store, one);
    cr_assert_eq(restored(&scene, "models/digits", STATS_full), 5);
    generation_release(one);
    close_scene(&scene);
}

Test(store, one_process_at_a_time)
{
    struct scene scene;
    struct store second;
    struct error error;
    open_scene(&scene);
    cr_assert(store_open(&second, scene.temporary.path, &error) == STATUS_IO);
    cr_assert(strstr(error.message, "another process keeps its statistics there"), "%s",
              error.message);
    store_close(&second);
    close_scene(&scene);
}

Test(store, directories)
{
    struct temporary temporary;
    struct store store;
    struct error error;
    char path[96];
    temporary_open(&temporary);
    snprintf(path, sizeof path, "%s/new", temporary.path);
    cr_assert(store_open(&store, path, &error) == STATUS_OK, "%s", error.message);
    store_close(&store);
    rmdir(path);
    strcat(path, "/deeper");
    cr_assert(store_open(&store, path, &error) == STATUS_IO);
    cr_assert(strstr(error.message, "--stats-dir "), "%s", error.message);
    store_close(&store);
    cr_assert(store_open(&store, "Makefile", &error) == STATUS_IO);
    store_close(&store);
    cr_assert(store_open(&store, NULL, &error) == STATUS_OK);
    store_close(&store);
    temporary_close(&temporary);
}
