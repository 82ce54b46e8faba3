/* relud profile: a data set through a model, offline; what its neurons did, as a table and as a
 * snapshot. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "cpu.h"
#include "offline/arguments.h"
#include "offline/pass.h"
#include "offline/progress.h"
#include "save.h"
#include "seat.h"
#include "stats/snapshot.h"
#include "stats/verdict.h"
#include "table.h"

enum { BATCH_MAX = 1 << 16 };

static const char usage[] =
    "usage: relud profile PATH --data [INPUT=]F.npy|F.csv|- [--out SNAPSHOT.json] [--json] "
    "[--threads N] [--batch N]";

struct profile {
    /* As asked. */
    struct argument_list paths, data;
    const char *out;
    bool json;
    uint64_t threads, batch;
    /* As opened. */
    struct model model;
    struct arena arena; /* owned: counters */
    struct counters counters;
    struct dataset datasets[GRAPH_IO_MAX];
    size_t dataset_count;
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

/* Which input a --data is for: INPUT=F, or F where there is but one. */
static enum status find_input(const struct model *model, const char *data, size_t *input,
                              const char **path, struct error *error)
{
    for (size_t i = 0; i < model->graph.input_count; i++) {
        const size_t length = strlen(model->inputs[i].name);
        if (strncmp(data, model->inputs[i].name, length) != 0 || data[length] != '=')
            continue;
        *input = i;
        *path = data + length + 1;
        return STATUS_OK;
    }
    *input = 0;
    *path = data;
    if (model->graph.input_count == 1)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "--data: the model has %zu inputs, expected one of them in front of \"=\", "
                     "found \"%s\"",
                     model->graph.input_count, data);
}

static enum status open_data(struct profile *profile, struct error *error)
{
    const struct model *model = &profile->model;
    for (size_t i = 0; i < GRAPH_IO_MAX; i++)
        profile->datasets[i].descriptor = -1;
    profile->dataset_count = model->graph.input_count;
    for (size_t i = 0; i < profile->data.count; i++) {
        size_t input;
        const char *path;
        if (find_input(model, profile->data.items[i], &input, &path, error) != STATUS_OK)
            return error->status;
        struct dataset *dataset = &profile->datasets[input];
        if (dataset->port)
            return error_set(error, STATUS_INVALID, "--data: input \"%s\" has two data sets",
                             model->inputs[input].name);
        if (dataset_open(dataset, path, &model->inputs[input], error) != STATUS_OK)
            return error->status;
    }
    for (size_t i = 0; i < profile->dataset_count; i++)
        if (!profile->datasets[i].port)
            return error_set(error, STATUS_INVALID, "--data: input \"%s\" has no data set",
                             model->inputs[i].name);
    return STATUS_OK;
}

static enum status open_model(struct profile *profile, struct error *error)
{
    const struct model_options options = {.level = STATS_full};
    if (model_open(&profile->model, profile->paths.items[0], &options, error) != STATUS_OK)
        return error->status;
    profile->model.level = STATS_full; /* whoever profiles wants to know, whatever is served */
    return counters_init(&profile->counters, &profile->arena, &profile->model.plan, STATS_full,
                         error);
}

/* Tallies count the observations of one run in 32 bits. */
static size_t choose_batch(const struct profile *profile)
{
    const struct plan *plan = &profile->model.plan;
    size_t rows = profile->batch ? (size_t)profile->batch : seat_rows(&profile->model);
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
    struct pass pass = {.models = {&profile->model},
                        .model_count = 1,
                        .data = profile->datasets,
                        .kernels = kernels_select("auto", error),
                        .threads = profile->threads ? (size_t)profile->threads : cpu_cores(),
                        .batch = choose_batch(profile),
                        .progress = progress_show,
                        .context = &progress,
                        .counters = {&profile->counters}};
    if (!pass.kernels)
        return error->status;
    const enum status status = pass_run(&pass, error);
    progress_end(&progress, &pass);
    return status;
}

/* Results */

static void print_head(const struct profile *profile)
{
    const uint64_t rows = profile->counters.samples;
    printf("model   %s\ndigest  %s\n", profile->model.name, profile->model.digest);
    for (size_t i = 0; i < profile->dataset_count; i++)
        printf("data    %s, %" PRIu64 " rows\n", profile->datasets[i].name, rows);
    printf("\n");
}

static void add_layer(struct table *table, const struct layer_view *view)
{
    table_add(table, "%s", view->layer->name);
    table_add(table, "%s", activation_info(view->layer->node->activation.type)->name);
    table_add(table, "%zu", view->layer->units);
    table_add(table, "%.4f", layer_sparsity(view));
    for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++)
        table_add(table, "%zu", verdict_count(verdict, view, VERDICT_TAU_DEFAULT));
    table_add(table, "%.4f", 1 - layer_sparsity(view));
}

_Static_assert(VERDICT_COUNT + 5 <= TABLE_COLUMNS_MAX, "a column for each verdict");

static void print_layers(const struct counters *counters)
{
    char sides[TABLE_COLUMNS_MAX + 1] = "ll";
    memset(sides + 2, 'r', VERDICT_COUNT + 3);
    struct table table = {.sides = sides};
    table_add(&table, "layer");
    table_add(&table, "activation");
    table_add(&table, "units");
    table_add(&table, "sparsity");
    for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++)
        table_add(&table, "%s", verdict_name(verdict));
    table_add(&table, "mean rate");
    for (size_t i = 0; i < counters->plan->layer_count; i++) {
        const struct layer_view view = layer_view_of(counters, i);
        add_layer(&table, &view);
    }
    table_print(&table, stdout);
    table_free(&table);
    if (counters->samples < REPORT_MIN_SAMPLES)
        printf("\nFewer than %d rows: too few to decide.\n", REPORT_MIN_SAMPLES);
}

static enum status write_results(const struct profile *profile, struct error *error)
{
    struct text text = {.bytes = NULL};
    enum status status = STATUS_OK;
    snapshot_write(&text, &profile->model, &profile->counters, profile->since, REPORT_MIN_SAMPLES);
    if (text.failed)
        status = error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the snapshot");
    else if (profile->out)
        status = save_file(profile->out, text.bytes, text.count, error);
    if (status == STATUS_OK && profile->json) {
        fwrite(text.bytes, 1, text.count, stdout);
    } else if (status == STATUS_OK) {
        print_head(profile);
        print_layers(&profile->counters);
    }
    text_free(&text);
    return status;
}

static void close_all(struct profile *profile)
{
    for (size_t i = 0; i < profile->dataset_count; i++)
        dataset_close(&profile->datasets[i]);
    model_close(&profile->model);
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
    if (open_model(&profile, &error) == STATUS_OK && open_data(&profile, &error) == STATUS_OK &&
        run(&profile, &error) == STATUS_OK)
        write_results(&profile, &error);
    close_all(&profile);
    if (error.status == STATUS_OK)
        return 0;
    fprintf(stderr, "relud: %s\n", error.message);
    return 1;
}
