/* relud stats: snapshots merged into one, and compared. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "offline/arguments.h"
#include "offline/output.h"
#include "stats/drift.h"
#include "stats/snapshot.h"
#include "table.h"

static const char usage[] = "usage: relud stats merge A.json B.json... | relud stats diff "
                            "[--alpha X] [--min-shift X] [--json] BASELINE.json NOW.json";

static int fail(const struct error *error, int code)
{
    fprintf(stderr, "relud: %s\n", error->message);
    return code;
}

/* merge */

static enum status add_file(struct snapshot *merged, const char *path, struct error *error)
{
    struct snapshot part;
    if (snapshot_load(&part, path, error) != STATUS_OK)
        return error->status;
    if (snapshot_fits(&part, &merged->model, error) == STATUS_OK)
        snapshot_merge(merged, &part);
    else
        error_prefix(error, "%s", path);
    snapshot_free(&part);
    return error->status;
}

static enum status merge_files(const struct argument_list *paths, struct error *error)
{
    struct snapshot merged;
    struct text text = {.bytes = NULL};
    if (snapshot_load(&merged, paths->items[0], error) != STATUS_OK)
        return error->status;
    for (size_t i = 1; i < paths->count && error->status == STATUS_OK; i++)
        add_file(&merged, paths->items[i], error);
    if (error->status == STATUS_OK) {
        snapshot_write(&text, &merged.model, &merged.counters, merged.since, REPORT_MIN_SAMPLES);
        output_print(&text, error);
    }
    snapshot_free(&merged);
    return error->status;
}

static int merge(int count, char *const *argv)
{
    struct error error = {.status = STATUS_OK};
    struct argument_list paths = {.count = 0};
    if (arguments_read(count, argv, NULL, 0, &paths, &error) != STATUS_OK)
        return fail(&error, 2);
    if (paths.count == 0) {
        error_set(&error, STATUS_INVALID, "%s", usage);
        return fail(&error, 2);
    }
    return merge_files(&paths, &error) == STATUS_OK ? 0 : fail(&error, 1);
}

/* diff */

static void add_layer(struct table *table, const struct drift *drift, size_t index)
{
    const struct layer *layer = &drift->now->plan->layers[index];
    const struct drift_layer *found = &drift->layers[index];
    table_add(table, "%s", layer->name);
    table_add(table, "%zu", layer->units);
    table_add(table, "%zu", found->shifted);
    table_add(table, "%.4f", found->mean_shift);
    table_add(table, "unit %zu: %.4f -> %.4f", found->largest,
              drift_rate(drift->baseline, index, found->largest),
              drift_rate(drift->now, index, found->largest));
}

static void print_table(const struct drift *drift)
{
    struct table table = {.sides = "lrrrl"};
    static const char *const head[] = {"layer", "units", "shifted", "mean shift", "largest shift"};
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++)
        table_add(&table, "%s", head[i]);
    for (size_t i = 0; i < drift->now->plan->layer_count; i++)
        add_layer(&table, drift, i);
    table_print(&table, stdout);
    table_free(&table);
    printf("\n%zu of %zu units fire more or less often by %g or more "
           "(a false alarm has probability %g)\n",
           drift->shifted, drift->units, drift->options.min_shift, drift->options.alpha);
}

static enum status print_json(const struct drift *drift, struct error *error)
{
    struct text text = {.bytes = NULL};
    text_put(&text, "{");
    drift_write(&text, drift);
    text_put(&text, "}\n");
    return output_print(&text, error);
}

static enum status check_pair(const struct snapshot *baseline, const struct snapshot *now,
                              struct error *error)
{
    if (snapshot_is_of(baseline, &now->model, error) != STATUS_OK)
        return error->status;
    if (baseline->model.level == STATS_off || now->model.level == STATS_off)
        return error_set(error, STATUS_INVALID, "expected level counts or full, found off");
    if (baseline->counters.samples == 0 || now->counters.samples == 0)
        return error_set(error, STATUS_INVALID, "expected rows in both snapshots, found none");
    return STATUS_OK;
}

/* Prints how now differs; *shifted receives whether any unit does. */
static enum status compare(struct snapshot *baseline, const struct snapshot *now,
                           const struct drift_options *options, bool json, bool *shifted,
                           struct error *error)
{
    struct drift drift;
    if (check_pair(baseline, now, error) != STATUS_OK ||
        drift_find(&drift, &baseline->arena, &baseline->counters, &now->counters, options, error) !=
            STATUS_OK)
        return error->status;
    *shifted = drift.shifted > 0;
    if (json)
        return print_json(&drift, error);
    print_table(&drift);
    return output_flush(error);
}

static enum status compare_files(const struct argument_list *paths,
                                 const struct drift_options *options, bool json, bool *shifted,
                                 struct error *error)
{
    struct snapshot baseline, now;
    if (snapshot_load(&baseline, paths->items[0], error) != STATUS_OK)
        return error->status;
    if (snapshot_load(&now, paths->items[1], error) == STATUS_OK) {
        compare(&baseline, &now, options, json, shifted, error);
        snapshot_free(&now);
    }
    snapshot_free(&baseline);
    return error->status;
}

static int diff(int count, char *const *argv)
{
    struct error error = {.status = STATUS_OK};
    struct argument_list paths = {.count = 0};
    struct drift_options options = {DRIFT_ALPHA_DEFAULT, DRIFT_MIN_SHIFT_DEFAULT,
                                    REPORT_MIN_SAMPLES};
    bool json = false, shifted = false;
    const struct flag flags[] = {{"--alpha", FLAG_NUMBER, &options.alpha, 0, 1},
                                 {"--min-shift", FLAG_NUMBER, &options.min_shift, 0, 1},
                                 {"--json", FLAG_SWITCH, &json, 0, 0}};
    if (arguments_read(count, argv, flags, sizeof flags / sizeof flags[0], &paths, &error) ==
            STATUS_OK &&
        paths.count != 2)
        error_set(&error, STATUS_INVALID, "%s", usage);
    if (error.status != STATUS_OK)
        return fail(&error, 2);
    if (compare_files(&paths, &options, json, &shifted, &error) != STATUS_OK)
        return fail(&error, 1);
    return shifted ? 1 : 0;
}

int stats(int count, char *const *argv)
{
    if (count > 0 && strcmp(argv[0], "merge") == 0)
        return merge(count - 1, argv + 1);
    if (count > 0 && strcmp(argv[0], "diff") == 0)
        return diff(count - 1, argv + 1);
    fprintf(stderr, "relud: %s\n", usage);
    return 2;
}
