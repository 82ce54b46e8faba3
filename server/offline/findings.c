#include "findings.h"

#include <inttypes.h>
#include <stdio.h>

#include "offline/output.h"
#include "save.h"
#include "stats/snapshot.h"
#include "stats/verdict.h"
#include "table.h"

static const struct subject *last(const struct findings *findings)
{
    return &findings->subjects[findings->subject_count - 1];
}

/* JSON */

static void write_subject(struct text *text, const struct findings *findings, size_t i)
{
    const struct subject *subject = &findings->subjects[i];
    snapshot_write(text, &subject->model, &subject->counters, findings->since, REPORT_MIN_SAMPLES);
}

enum status findings_save(const struct findings *findings, const char *path, struct error *error)
{
    struct text text = {.bytes = NULL};
    write_subject(&text, findings, findings->subject_count - 1);
    const enum status status =
        text.failed ? error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the snapshot")
                    : save_file(path, text.bytes, text.count, error);
    text_free(&text);
    return status;
}

enum status findings_print_json(const struct findings *findings, struct error *error)
{
    struct text text = {.bytes = NULL};
    if (findings->subject_count == 1) {
        write_subject(&text, findings, 0);
        return output_print(&text, error);
    }
    text_put(&text, "{\"before\":");
    write_subject(&text, findings, 0);
    text_put(&text, ",\"after\":");
    write_subject(&text, findings, 1);
    text_put(&text, "}\n");
    return output_print(&text, error);
}

/* Tables */

static void print_head(const struct findings *findings)
{
    const struct subject *subject = last(findings);
    printf("model   %s%s\ndigest  %s\n", subject->model.name,
           findings->subject_count > 1 ? ", changed" : "", subject->model.digest);
    for (size_t i = 0; i < findings->dataset_count; i++)
        printf("data    %s, %" PRIu64 " rows\n", findings->datasets[i].name,
               subject->counters.samples);
    printf("\n");
}

static const char *activation_of(const struct layer_view *view)
{
    return activation_info(view->layer->node->activation.type)->name;
}

static void add_layer(struct table *table, const struct layer_view *view)
{
    table_add(table, "%s", view->layer->name);
    table_add(table, "%s", activation_of(view));
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
}

/* Before and after a change */

static void add_counts(struct table *table, size_t before, size_t after)
{
    table_add(table, "%zu -> %zu", before, after);
}

static void add_verdict(struct table *table, enum verdict verdict, const struct layer_view *before,
                        const struct layer_view *after)
{
    add_counts(table, verdict_count(verdict, before, VERDICT_TAU_DEFAULT),
               verdict_count(verdict, after, VERDICT_TAU_DEFAULT));
}

static size_t firing(const struct layer_view *view)
{
    return view->layer->units - verdict_count(VERDICT_dead, view, 0) -
           verdict_count(VERDICT_silent, view, 0);
}

static void add_change(struct table *table, const struct layer_view *before,
                       const struct layer_view *after)
{
    const bool other = before->layer->node->activation.type != after->layer->node->activation.type;
    table_add(table, "%s", after->layer->name);
    table_add(table, "%s%s%s", activation_of(before), other ? " -> " : "",
              other ? activation_of(after) : "");
    table_add(table, "%zu", after->layer->units);
    add_counts(table, firing(before), firing(after));
    add_verdict(table, VERDICT_dead, before, after);
    add_verdict(table, VERDICT_silent, before, after);
    add_verdict(table, VERDICT_always_on, before, after);
    table_add(table, "%.4f -> %.4f", 1 - layer_sparsity(before), 1 - layer_sparsity(after));
}

/* The layer of that name, in a model whose activations may be others: a layer that is not counted
 * in one of them has nothing to compare. */
static bool find_layer(const struct counters *counters, const char *name, struct layer_view *view)
{
    const int layer = plan_find_layer(counters->plan, name);
    if (layer != PLAN_LAYER_NONE)
        *view = layer_view_of(counters, (size_t)layer);
    return layer != PLAN_LAYER_NONE;
}

static void print_changes(const struct counters *before, const struct counters *after)
{
    static const char *const head[] = {"layer", "activation", "units",     "firing",
                                       "dead",  "silent",     "always_on", "mean rate"};
    struct table table = {.sides = "llrrrrrr"};
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++)
        table_add(&table, "%s", head[i]);
    for (size_t i = 0; i < after->plan->layer_count; i++) {
        const struct layer_view now = layer_view_of(after, i);
        struct layer_view then;
        if (find_layer(before, now.layer->name, &then))
            add_change(&table, &then, &now);
    }
    table_print(&table, stdout);
    table_free(&table);
}

enum status findings_print(const struct findings *findings, struct error *error)
{
    const struct counters *counters = &last(findings)->counters;
    print_head(findings);
    if (findings->subject_count > 1)
        print_changes(&findings->subjects[0].counters, counters);
    else
        print_layers(counters);
    if (counters->samples < REPORT_MIN_SAMPLES)
        printf("\nFewer than %d rows: too few to decide.\n", REPORT_MIN_SAMPLES);
    return output_flush(error);
}
