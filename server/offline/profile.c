/* relud profile: a data set through a model, offline; what its neurons did, as a table and as a
 * snapshot. With changes (--activation, --bias) the same rows go through the model as it is and
 * through the changed one. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "cpu.h"
#include "offline/arguments.h"
#include "offline/findings.h"
#include "offline/inputs.h"
#include "offline/pass.h"
#include "offline/progress.h"
#include "overrides.h"
#include "seat.h"
#include "stats/snapshot.h"

enum { BATCH_MAX = 1 << 16 };

static const char usage[] =
    "usage: relud profile PATH --data [INPUT=]F.npy|F.csv|- [--out SNAPSHOT.json] [--json] "
    "[--threads N] [--batch N] [--activation LAYER=NAME(param=value)] [--bias "
    "LAYER[UNITS]+=NUMBER]";

struct profile {
    /* As asked. */
    struct argument_list paths, data, activations, biases;
    const char *out;
    bool json;
    uint64_t threads, batch;
    /* As opened. */
    struct subject subjects[PASS_MODELS_MAX];
    size_t subject_count;
    struct arena arena; /* owned: counters */
    struct inputs inputs;
    char since[SNAPSHOT_SINCE_BYTES];
    uint64_t begun_ns;
};

static enum status read_arguments(struct profile *profile, int count, char *const *argv,
                                  struct error *error)
{
    const struct flag flags[] = {
        {"--data", FLAG_LIST, &profile->data, 0, 0},
        {"--out", FLAG_TEXT, &profile->out, 0, 0},
        {"--json", FLAG_SWITCH, &profile->json, 0, 0},
        {"--threads", FLAG_COUNT, &profile->threads, 1, PASS_THREADS_MAX},
        {"--batch", FLAG_COUNT, &profile->batch, 1, BATCH_MAX},
        {"--activation", FLAG_LIST, &profile->activations, 0, 0},
        {"--bias", FLAG_LIST, &profile->biases, 0, 0},
    };
    if (arguments_read(count, argv, flags, sizeof flags / sizeof flags[0], &profile->paths,
                       error) != STATUS_OK)
        return error->status;
    if (profile->out && strcmp(profile->out, "-") == 0) {
        profile->json = true;
        profile->out = NULL;
    }
    if (profile->paths.count != 1 || profile->data.count == 0)
        return error_set(error, STATUS_INVALID, "%s", usage);
    return STATUS_OK;
}

/* Opening */

static enum status open_subject(struct profile *profile, const struct model_options *options,
                                struct error *error)
{
    struct subject *subject = &profile->subjects[profile->subject_count];
    if (model_open(&subject->model, profile->paths.items[0], options, error) != STATUS_OK)
        return error->status;
    profile->subject_count++;
    subject->model.level = STATS_full; /* whoever profiles wants to know, whatever is served */
    return counters_init(&subject->counters, &profile->arena, &subject->model.plan, STATS_full,
                         error);
}

/* MODEL/LAYER, as relud serve takes it, is the same as LAYER. */
static const char *without_model(const struct profile *profile, const char *text)
{
    const char *name = profile->subjects[0].model.name;
    const size_t length = strlen(name);
    return strncmp(text, name, length) == 0 && text[length] == '/' ? text + length + 1 : text;
}

static enum status open_changed(struct profile *profile, struct error *error)
{
    struct overrides overrides = {.count = 0};
    const char *biases[ARGUMENTS_MAX];
    enum status status = STATUS_OK;
    for (size_t i = 0; i < profile->biases.count; i++)
        biases[i] = without_model(profile, profile->biases.items[i]);
    for (size_t i = 0; i < profile->activations.count && status == STATUS_OK; i++)
        status =
            overrides_add(&overrides, without_model(profile, profile->activations.items[i]), error);
    const struct model_options options = {.level = STATS_full,
                                          .overrides = overrides.items,
                                          .override_count = overrides.count,
                                          .biases = biases,
                                          .bias_count = profile->biases.count};
    if (status == STATUS_OK)
        status = open_subject(profile, &options, error);
    overrides_free(&overrides);
    return status;
}

static enum status open_models(struct profile *profile, struct error *error)
{
    const struct model_options options = {.level = STATS_full};
    if (open_subject(profile, &options, error) != STATUS_OK)
        return error->status;
    const bool changed = profile->activations.count + profile->biases.count > 0;
    return changed ? open_changed(profile, error) : STATUS_OK;
}

/* Tallies count the observations of one run in 32 bits. */
static size_t choose_batch(const struct profile *profile)
{
    const struct model *model = &profile->subjects[0].model;
    const struct plan *plan = &model->plan;
    size_t rows = profile->batch ? (size_t)profile->batch : seat_rows(model);
    for (size_t i = 0; i < plan->layer_count; i++) {
        const size_t most = UINT32_MAX / plan->layers[i].positions;
        rows = rows < most ? rows : most;
    }
    return rows;
}

/* Running */

static enum status run(struct profile *profile, struct error *error)
{
    struct progress progress = {.begun_ns = profile->begun_ns};
    struct pass pass = {.model_count = profile->subject_count,
                        .data = profile->inputs.sets,
                        .kernels = kernels_select("auto", error),
                        .threads = profile->threads ? (size_t)profile->threads : cpu_cores(),
                        .batch = choose_batch(profile),
                        .progress = progress_show,
                        .context = &progress};
    if (!pass.kernels)
        return error->status;
    for (size_t i = 0; i < profile->subject_count; i++) {
        pass.models[i] = &profile->subjects[i].model;
        pass.counters[i] = &profile->subjects[i].counters;
    }
    const enum status status = pass_run(&pass, error);
    progress_end(&progress, &pass);
    return status;
}

static enum status write_findings(const struct profile *profile, struct error *error)
{
    struct findings findings = {.subjects = profile->subjects,
                                .subject_count = profile->subject_count,
                                .datasets = profile->inputs.sets,
                                .dataset_count = profile->inputs.count,
                                .since = profile->since};
    if (profile->out && findings_save(&findings, profile->out, error) != STATUS_OK)
        return error->status;
    return profile->json ? findings_print_json(&findings, error) : findings_print(&findings, error);
}

/* Closing */

static void close_all(struct profile *profile)
{
    inputs_close(&profile->inputs);
    for (size_t i = 0; i < profile->subject_count; i++)
        model_close(&profile->subjects[i].model);
    arena_free(&profile->arena);
}

static void note_time(struct profile *profile)
{
    const time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(profile->since, sizeof profile->since, "%Y-%m-%dT%H:%M:%SZ", &parts);
    profile->begun_ns = cpu_clock_ns();
}

int profile(int count, char *const *argv)
{
    static struct profile profile;
    struct error error = {.status = STATUS_OK};
    if (read_arguments(&profile, count, argv, &error) != STATUS_OK) {
        fprintf(stderr, "relud: %s\n", error.message);
        return 2;
    }
    arena_init(&profile.arena, MODEL_MEMORY_BYTES_MAX);
    note_time(&profile);
    if (open_models(&profile, &error) == STATUS_OK &&
        inputs_open(&profile.inputs, &profile.subjects[0].model, &profile.data, &error) ==
            STATUS_OK &&
        run(&profile, &error) == STATUS_OK)
        write_findings(&profile, &error);
    close_all(&profile);
    if (error.status == STATUS_OK)
        return 0;
    fprintf(stderr, "relud: %s\n", error.message);
    return 1;
}
