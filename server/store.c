#include "store.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "save.h"
#include "stats/snapshot.h"

enum {
    PATH_BYTES = 4096 + STORE_NAME_BYTES,
    NAME_MAX_BYTES = 192, /* of a model's name as it stands in a file's */
    HASH_BYTES = 8,
};

/* Names */

static bool is_plain(const char *name, size_t i)
{
    const unsigned char c = (unsigned char)name[i];
    return c < 0x80 && (isalnum(c) || c == '-' || c == '_' || (c == '.' && i > 0));
}

/* Of a name that is too long: "~" and a hash in place of its end. */
static void shorten(char *file, const char *model)
{
    struct sha256_ctx hash;
    uint8_t bytes[HASH_BYTES];
    sha256_init(&hash);
    sha256_update(&hash, strlen(model), (const uint8_t *)model);
    sha256_digest(&hash, sizeof bytes, bytes);
    char *at = file + NAME_MAX_BYTES - 1 - 2 * HASH_BYTES;
    *at++ = '~';
    for (size_t i = 0; i < HASH_BYTES; i++)
        at += sprintf(at, "%02x", bytes[i]);
}

void store_name(char file[STORE_NAME_BYTES], const char *model, const char *version)
{
    size_t length = 0;
    for (size_t i = 0; model[i] && length < NAME_MAX_BYTES; i++)
        length += (size_t)sprintf(file + length, is_plain(model, i) ? "%c" : "%%%02X",
                                  (unsigned char)model[i]);
    if (length >= NAME_MAX_BYTES) {
        shorten(file, model);
        length = NAME_MAX_BYTES;
    }
    snprintf(file + length, STORE_NAME_BYTES - length, "@%.32s.json", version);
}

static void find_file(const struct store *store, const struct model *model, char path[PATH_BYTES])
{
    char name[STORE_NAME_BYTES];
    store_name(name, model->name, model->version);
    snprintf(path, PATH_BYTES, "%s/%s", store->path, name);
}

/* The directory */

static enum status refuse(const char *path, const char *reason, struct error *error)
{
    return error_set(error, STATUS_IO, "--stats-dir %s: %s", path, reason);
}

enum status store_open(struct store *store, const char *path, struct error *error)
{
    *store = (struct store){.directory = -1, .path = path};
    pthread_mutex_init(&store->lock, NULL);
    if (!path)
        return STATUS_OK;
    if (strlen(path) > PATH_BYTES - 2 * STORE_NAME_BYTES)
        return refuse(path, "the path is too long", error);
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return refuse(path, strerror(errno), error);
    store->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->directory < 0 || access(path, W_OK | X_OK) != 0)
        return refuse(path, strerror(errno), error);
    /* Where locks do not exist nobody can be told apart. */
    if (flock(store->directory, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return refuse(path, "another process keeps its statistics there", error);
    return STATUS_OK;
}

void store_close(struct store *store)
{
    if (store->directory >= 0)
        close(store->directory);
    store->directory = -1;
    pthread_mutex_destroy(&store->lock);
}

static void note_kept(struct generation *generation, uint64_t samples, const char *since)
{
    generation->kept.samples = samples;
    snprintf(generation->kept.since, sizeof generation->kept.since, "%s", since);
}

/* Taking up */

static void set_aside(const struct model *model, const char *path, const char *reason)
{
    char aside[PATH_BYTES + sizeof ".previous"];
    snprintf(aside, sizeof aside, "%s.previous", path);
    const bool renamed = rename(path, aside) == 0;
    log_event(LOG_WARNING, "statistics set aside", "name", model->name, "version", model->version,
              "file", renamed ? aside : path, "reason", reason);
}

static void note_restored(const struct snapshot *snapshot)
{
    char samples[24];
    snprintf(samples, sizeof samples, "%" PRIu64, snapshot->counters.samples);
    log_event(LOG_INFO, "statistics taken up", "name", snapshot->model.name, "version",
              snapshot->model.version, "samples", samples, "since", snapshot->since);
}

static enum status restore(struct generation *generation, const char *path, struct error *error)
{
    struct snapshot snapshot;
    if (snapshot_load(&snapshot, path, error) != STATUS_OK)
        return error->status;
    enum status status = snapshot_fits(&snapshot, &generation->model, error);
    if (status == STATUS_OK)
        status = generation_restore(generation, &snapshot, error);
    if (status == STATUS_OK) {
        note_kept(generation, snapshot.counters.samples, snapshot.since);
        note_restored(&snapshot);
    }
    snapshot_free(&snapshot);
    return status;
}

/* Level off counts nothing that could be kept. */
static bool is_kept(const struct store *store, const struct generation *generation)
{
    return store->directory >= 0 && generation->model.level != STATS_off;
}

void store_restore(struct store *store, struct generation *generation)
{
    char path[PATH_BYTES];
    struct error error;
    if (!is_kept(store, generation))
        return;
    pthread_mutex_lock(&store->lock);
    find_file(store, &generation->model, path);
    const enum status status = restore(generation, path, &error);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        set_aside(&generation->model, path, error.message);
    pthread_mutex_unlock(&store->lock);
}

/* Saving. Under the lock, as no file may be older than one that was written before. */

static enum status write_snapshot(const struct store *store, const struct model *model,
                                  const struct counters *counters, const char *since,
                                  struct error *error)
{
    char path[PATH_BYTES];
    struct text text = {.bytes = NULL};
    find_file(store, model, path);
    snapshot_write(&text, model, counters, since, REPORT_MIN_SAMPLES);
    const enum status status =
        text.failed ? error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for a snapshot")
                    : save_file(path, text.bytes, text.count, error);
    text_free(&text);
    return status;
}

/* Writes what was counted unless as much since then is written. */
static enum status save_changes(const struct store *store, struct generation *generation,
                                struct error *error)
{
    const struct model *model = &generation->model;
    char since[GENERATION_SINCE_BYTES];
    struct arena arena;
    struct counters counters;
    arena_init(&arena, MODEL_MEMORY_BYTES_MAX);
    enum status status = counters_init(&counters, &arena, &model->plan, model->level, error);
    if (status == STATUS_OK) {
        generation_collect(generation, &counters, since);
        if (counters.samples != generation->kept.samples ||
            (counters.samples > 0 && strcmp(since, generation->kept.since) != 0))
            status = write_snapshot(store, model, &counters, since, error);
        if (status == STATUS_OK)
            note_kept(generation, counters.samples, since);
    }
    arena_free(&arena);
    return status;
}

static void save(struct store *store, struct generation *generation, bool last)
{
    struct error error;
    const struct model *model = &generation->model;
    if (!is_kept(store, generation))
        return;
    pthread_mutex_lock(&store->lock);
    if (!generation->kept.retired && save_changes(store, generation, &error) != STATUS_OK)
        log_event(LOG_WARNING, "statistics not saved", "name", model->name, "version",
                  model->version, "reason", error.message);
    generation->kept.retired |= last;
    pthread_mutex_unlock(&store->lock);
}

void store_save(struct store *store, struct generation *generation)
{
    save(store, generation, false);
}

void store_retire(struct store *store, struct generation *generation)
{
    save(store, generation, true);
}
