/* relud compact: a model's ONNX file without its dead units. What it is worth is measured, and that
 * it answers the same is checked, before the new file takes its place. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "commands.h"
#include "offline/arguments.h"
#include "offline/savings.h"
#include "save.h"
#include "stats/snapshot.h"

static const char usage[] =
    "usage: relud compact PATH --stats SNAPSHOT.json --out SLIM.onnx [--proven-only] "
    "[--min-samples N] [--fold] [--data [INPUT=]F.npy|F.csv|-] [--json]";

struct command {
    /* As asked. */
    struct argument_list paths, data;
    const char *stats, *out;
    bool json;
    struct compact_options options;
    /* As opened. */
    struct model_paths files;
    struct model model;
    struct snapshot snapshot;
    struct inputs inputs;
    struct compact compact;
    struct comparison comparison;
};

static enum status read_arguments(struct command *command, int count, char *const *argv,
                                  struct error *error)
{
    command->options.min_samples = REPORT_MIN_SAMPLES;
    const struct flag flags[] = {
        {"--stats", FLAG_TEXT, &command->stats, 0, 0},
        {"--out", FLAG_TEXT, &command->out, 0, 0},
        {"--proven-only", FLAG_SWITCH, &command->options.proven_only, 0, 0},
        {"--min-samples", FLAG_COUNT, &command->options.min_samples, 1, 1e15},
        {"--fold", FLAG_SWITCH, &command->options.fold, 0, 0},
        {"--data", FLAG_LIST, &command->data, 0, 0},
        {"--json", FLAG_SWITCH, &command->json, 0, 0},
    };
    if (arguments_read(count, argv, flags, sizeof flags / sizeof flags[0], &command->paths,
                       error) != STATUS_OK)
        return error->status;
    const bool told = command->stats || command->options.proven_only;
    if (command->paths.count != 1 || !command->out || !told)
        return error_set(error, STATUS_INVALID, "%s", usage);
    return STATUS_OK;
}

/* Opening */

static enum status open_model(struct command *command, struct error *error)
{
    const char *path = command->paths.items[0];
    const struct model_options options = {.level = STATS_full};
    if (model_find(&command->files, path, error) != STATUS_OK)
        return error_prefix(error, "%s", path);
    if (command->files.layers[0])
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s: expected a model in an ONNX file, found model.json: export the "
                         "network to ONNX to compact it",
                         path);
    if (model_open(&command->model, path, &options, error) != STATUS_OK)
        return error->status;
    command->comparison.before = &command->model;
    command->comparison.after = &command->compact;
    command->comparison.exact = !command->options.fold;
    command->comparison.kernels = kernels_select("auto", error);
    return error->status;
}

static enum status open_stats(struct command *command, struct error *error)
{
    if (!command->stats)
        return STATUS_OK;
    if (snapshot_load(&command->snapshot, command->stats, error) != STATUS_OK)
        return error->status;
    return snapshot_is_of(&command->snapshot, &command->model, error) == STATUS_OK
               ? STATUS_OK
               : error_prefix(error, "%s", command->stats);
}

static enum status open_data(struct command *command, struct error *error)
{
    return command->data.count > 0
               ? inputs_open(&command->inputs, &command->model, &command->data, error)
               : STATUS_OK;
}

static const struct counters *counters(const struct command *command)
{
    return command->stats ? &command->snapshot.counters : NULL;
}

/* Comparing and writing */

static enum status compare(struct command *command, struct error *error)
{
    struct comparison *comparison = &command->comparison;
    if (command->inputs.count > 0 &&
        comparison_run(comparison, &command->inputs, error) != STATUS_OK)
        return error->status;
    if (comparison->differing > 0)
        return error_set(error, STATUS_INVALID,
                         "%" PRIu64 " of %" PRIu64 " rows that wake no removed unit are answered "
                         "otherwise (by %.3g): nothing was written",
                         comparison->differing, comparison->rows, comparison->largest);
    return comparison_time(comparison, error);
}

static enum status print(const struct command *command, struct error *error)
{
    struct stat found = {.st_size = 0};
    stat(command->files.network, &found);
    const struct savings savings = {.compact = &command->compact,
                                    .comparison = &command->comparison,
                                    .inputs = command->inputs.count ? &command->inputs : NULL,
                                    .counters = counters(command),
                                    .out = command->out,
                                    .bytes_before = (size_t)found.st_size};
    return command->json ? savings_print_json(&savings, error) : savings_print(&savings, error);
}

static enum status run(struct command *command, struct error *error)
{
    if (open_model(command, error) != STATUS_OK || open_stats(command, error) != STATUS_OK ||
        open_data(command, error) != STATUS_OK ||
        compact_open(&command->compact, &command->model, command->files.network, counters(command),
                     &command->options, error) != STATUS_OK ||
        compare(command, error) != STATUS_OK ||
        save_file(command->out, command->compact.bytes, command->compact.byte_count, error) !=
            STATUS_OK)
        return error->status;
    return print(command, error);
}

int compact(int count, char *const *argv)
{
    static struct command command;
    struct error error = {.status = STATUS_OK};
    if (read_arguments(&command, count, argv, &error) != STATUS_OK) {
        fprintf(stderr, "relud: %s\n", error.message);
        return 2;
    }
    run(&command, &error);
    compact_close(&command.compact);
    inputs_close(&command.inputs);
    snapshot_free(&command.snapshot);
    model_close(&command.model);
    if (error.status == STATUS_OK)
        return 0;
    fprintf(stderr, "relud: %s\n", error.message);
    return 1;
}
