#include "baseline.h"

#include "log.h"
#include "model/files.h"

static enum status read_snapshot(struct baseline *baseline, const struct file *file,
                                 struct error *error)
{
    struct digest digest;
    digest_init(&digest);
    digest_add(&digest, file->bytes, file->count);
    digest_text(&digest, baseline->digest);
    return snapshot_read(&baseline->snapshot, (const char *)file->bytes, file->count, error);
}

static enum status check(const struct baseline *baseline, const struct model *model,
                         struct error *error)
{
    if (snapshot_is_of(&baseline->snapshot, model, error) != STATUS_OK)
        return error->status;
    if (baseline->snapshot.model.level != STATS_off && model->level != STATS_off)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, "expected level counts or full, found off");
}

static enum status read_baseline(struct baseline *baseline, const struct model *model,
                                 const char *directory, struct error *error)
{
    struct arena arena;
    struct file file;
    arena_init(&arena, SNAPSHOT_BYTES_MAX + ARENA_ALIGNMENT);
    enum status status =
        files_load_beneath(&arena, directory, baseline->name, SNAPSHOT_BYTES_MAX, &file, error);
    if (status == STATUS_OK)
        status = read_snapshot(baseline, &file, error);
    arena_free(&arena);
    if (status != STATUS_OK)
        return status;
    baseline->usable = check(baseline, model, error) == STATUS_OK;
    if (!baseline->usable)
        snapshot_free(&baseline->snapshot);
    return baseline->usable ? STATUS_OK : error->status;
}

void baseline_open(struct baseline *baseline, const struct model *model, const char *directory)
{
    *baseline = (struct baseline){.name = model->baseline};
    if (!baseline->name || read_baseline(baseline, model, directory, &baseline->error) == STATUS_OK)
        return;
    error_prefix(&baseline->error, "%s", baseline->name);
    log_event(LOG_WARNING, "no baseline", "name", model->name, "version", model->version, "reason",
              baseline->error.message);
}

void baseline_close(struct baseline *baseline)
{
    if (baseline->usable)
        snapshot_free(&baseline->snapshot);
    baseline->usable = false;
}

bool baseline_is_same(const struct baseline *a, const struct baseline *b)
{
    const char *x = a->name ? a->name : "", *y = b->name ? b->name : "";
    return strcmp(x, y) == 0 && strcmp(a->digest, b->digest) == 0;
}

enum status baseline_compare(const struct baseline *baseline, const struct counters *now,
                             uint64_t min_samples, struct arena *arena, struct drift *drift,
                             struct error *error)
{
    const struct drift_options options = {DRIFT_ALPHA_DEFAULT, DRIFT_MIN_SHIFT_DEFAULT,
                                          min_samples};
    return drift_find(drift, arena, &baseline->snapshot.counters, now, &options, error);
}

enum status baseline_write(struct text *text, const struct baseline *baseline,
                           const struct counters *now, uint64_t min_samples, struct error *error)
{
    struct arena arena;
    struct drift drift;
    if (!baseline->name)
        return STATUS_OK;
    text_put(text, ",\"drift\":{\"baseline\":");
    text_quote(text, baseline->name, strlen(baseline->name));
    text_put(text, ",");
    arena_init(&arena, MODEL_MEMORY_BYTES_MAX);
    enum status status = STATUS_OK;
    if (!baseline->usable) {
        text_put(text, "\"error\":");
        text_quote(text, baseline->error.message, strlen(baseline->error.message));
    } else {
        status = baseline_compare(baseline, now, min_samples, &arena, &drift, error);
        if (status == STATUS_OK)
            drift_write(text, &drift);
    }
    arena_free(&arena);
    text_put(text, "}");
    return status;
}
