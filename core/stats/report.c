#include "report.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "verdict.h"

/* Rates a histogram's bins end at: a bin holds lower <= rate < upper, the last one rate 1 too. */
static const double rate_edges[] = {0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1};

enum { RATE_BINS = sizeof rate_edges / sizeof rate_edges[0] - 1 };

/* The units of which a verdict holds: count of them. */
static void write_units(struct text *text, enum verdict verdict, const struct layer_view *view,
                        double tau, size_t count)
{
    const double mean = verdict == VERDICT_dormant ? layer_mean_magnitude(view) : NAN;
    const char *comma = "";
    text_put(text, ",\"units\":[");
    for (size_t unit = 0; count > 0; unit++) {
        if (!verdict_holds(verdict, view, unit, tau, mean))
            continue;
        text_put(text, comma);
        text_u64(text, unit);
        comma = ",";
        count--;
    }
    text_put(text, "]");
}

/* What a level does not measure is null. */
static void write_verdict(struct text *text, enum verdict verdict, const struct layer_view *view,
                          const struct report_options *options)
{
    if (!verdict_is_measured(verdict, view)) {
        text_format(text, ",\"%s\":null", verdict_name(verdict));
        return;
    }
    size_t count = verdict_count(verdict, view, options->tau);
    text_format(text, ",\"%s\":{", verdict_name(verdict));
    if (verdict == VERDICT_dormant) {
        text_put(text, "\"tau\":");
        text_double(text, options->tau);
        text_put(text, ",");
    }
    text_format(text, "\"count\":%zu", count);
    if (verdict == VERDICT_dead) {
        text_put(text, ",\"fraction\":");
        text_double(text, (double)count / (double)view->layer->units);
        text_put(text, ",\"rate_upper_95\":");
        text_double(text, rate_upper_95(view->samples));
    }
    if (options->detail != REPORT_SUMMARY)
        write_units(text, verdict, view, options->tau, count);
    text_put(text, "}");
}

static size_t rate_bin(double rate)
{
    size_t bin = 0;
    while (bin + 1 < RATE_BINS && rate >= rate_edges[bin + 1])
        bin++;
    return bin;
}

static void write_histogram(struct text *text, const struct layer_view *view)
{
    const struct layer_counters *c = view->counters;
    size_t counts[RATE_BINS] = {0};
    if (!c->active) {
        text_put(text, ",\"rate_histogram\":null");
        return;
    }
    for (size_t unit = 0; c->observations > 0 && unit < view->layer->units; unit++)
        counts[rate_bin((double)c->active[unit] / (double)c->observations)]++;
    text_put(text, ",\"rate_histogram\":{\"edges\":[");
    for (size_t i = 0; i <= RATE_BINS; i++) {
        text_put(text, i ? "," : "");
        text_double(text, rate_edges[i]);
    }
    text_put(text, "],\"counts\":[");
    for (size_t i = 0; i < RATE_BINS; i++)
        text_format(text, i ? ",%zu" : "%zu", counts[i]);
    text_put(text, "]}");
}

/* The per-unit arrays: one function each writes a unit's number. */
typedef void unit_writer(struct text *text, const struct layer_view *view, size_t unit);

static void write_active(struct text *text, const struct layer_view *view, size_t unit)
{
    text_u64(text, view->counters->active[unit]);
}

static void write_rate(struct text *text, const struct layer_view *view, size_t unit)
{
    const struct layer_counters *c = view->counters;
    text_double(text, (double)c->active[unit] / (double)c->observations);
}

static void write_mean(struct text *text, const struct layer_view *view, size_t unit)
{
    text_double(text, view->counters->sum[unit] / (double)view->counters->observations);
}

static void write_mean_abs(struct text *text, const struct layer_view *view, size_t unit)
{
    text_double(text, view->counters->magnitude[unit] / (double)view->counters->observations);
}

static void write_max(struct text *text, const struct layer_view *view, size_t unit)
{
    text_float(text, view->counters->max[unit]);
}

static void write_margin(struct text *text, const struct layer_view *view, size_t unit)
{
    text_float(text, (float)unit_margin(view, unit));
}

static void write_low_tail(struct text *text, const struct layer_view *view, size_t unit)
{
    text_u64(text, view->counters->low[unit]);
}

static void write_high_tail(struct text *text, const struct layer_view *view, size_t unit)
{
    text_u64(text, view->counters->high[unit]);
}

/* Of a prelu whose slopes came with the model: who reads the report without it must know which
 * units leak. */
static void write_slopes(struct text *text, const struct layer *layer)
{
    const float *slope = layer->node->activation.slope;
    if (!slope)
        return;
    for (size_t unit = 0; unit < layer->units; unit++) {
        text_put(text, unit ? "," : ",\"slope\":[");
        text_float(text, slope[unit]);
    }
    text_put(text, "]");
}

static void write_array(struct text *text, const struct layer_view *view, bool measured,
                        unit_writer *write)
{
    text_put(text, measured ? "[" : "null");
    for (size_t unit = 0; measured && unit < view->layer->units; unit++) {
        text_put(text, unit ? "," : "");
        write(text, view, unit);
    }
    text_put(text, measured ? "]" : "");
}

/* Writes once more what stands in text from begin to end. */
static void repeat(struct text *text, size_t begin, size_t end)
{
    char *room = text_room(text, end - begin);
    if (!room)
        return;
    memcpy(room, text->bytes + begin, end - begin);
    text->count += end - begin;
}

/* Outputs that are never negative have one mean: writing numbers is most of a report's time. */
static void write_means(struct text *text, const struct layer_view *view)
{
    const struct layer_counters *c = view->counters;
    text_put(text, ",\"mean\":");
    const size_t begin = text->count;
    write_array(text, view, c->sum, write_mean);
    const size_t end = text->count;
    text_put(text, ",\"mean_abs\":");
    if (c->sum && memcmp(c->sum, c->magnitude, view->layer->units * sizeof *c->sum) == 0)
        repeat(text, begin, end);
    else
        write_array(text, view, c->magnitude, write_mean_abs);
}

static void write_unit_stats(struct text *text, const struct layer_view *view)
{
    const struct layer_counters *c = view->counters;
    text_put(text, ",\"unit_stats\":{\"active\":");
    write_array(text, view, c->active, write_active);
    text_put(text, ",\"rate\":");
    write_array(text, view, c->active, write_rate);
    write_means(text, view);
    text_put(text, ",\"max_preactivation\":");
    write_array(text, view, c->max, write_max);
    text_put(text, ",\"margin\":");
    write_array(text, view, c->max, write_margin);
    text_put(text, ",\"low_tail\":");
    write_array(text, view, c->low, write_low_tail);
    text_put(text, ",\"high_tail\":");
    write_array(text, view, c->high, write_high_tail);
    write_slopes(text, view->layer);
    text_put(text, "}");
}

/* A proof is void for rows outside the range it was made for. */
static void write_proof(struct text *text, const struct model *model,
                        const struct counters *counters, size_t layer, bool list)
{
    const struct plan *plan = counters->plan;
    const size_t units = plan->layers[layer].units;
    size_t count = 0;
    if (!model->proof.upper) {
        text_put(text, ",\"dead_proven\":null");
        return;
    }
    for (size_t unit = 0; unit < units; unit++)
        count += proof_dead(&model->proof, plan, layer, unit);
    text_format(text, ",\"dead_proven\":{\"count\":%zu,\"void\":%s", count,
                counters->out_of_range > 0 ? "true" : "false");
    text_put(text, list ? ",\"units\":[" : "}");
    const char *comma = "";
    for (size_t unit = 0; list && unit < units; unit++) {
        if (!proof_dead(&model->proof, plan, layer, unit))
            continue;
        text_put(text, comma);
        text_u64(text, unit);
        comma = ",";
    }
    text_put(text, list ? "]}" : "");
}

static void write_layer(struct text *text, const struct model *model,
                        const struct counters *counters, size_t layer,
                        const struct report_options *options)
{
    const struct layer_view of_layer = layer_view_of(counters, layer), *view = &of_layer;
    text_put(text, "{\"name\":");
    text_quote(text, view->layer->name, strlen(view->layer->name));
    text_put(text, ",\"activation\":");
    activation_write(text, &view->layer->node->activation);
    text_format(text,
                ",\"units\":%zu,\"observations\":%" PRIu64 ",\"sparsity\":", view->layer->units,
                view->counters->observations);
    text_double(text, layer_sparsity(view));
    text_put(text, ",\"nonfinite\":");
    if (view->counters->active)
        text_u64(text, view->counters->nonfinite);
    else
        text_put(text, "null");
    text_format(text, ",\"decided\":%s",
                layer_is_decided(view, options->min_samples) ? "true" : "false");
    for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++)
        write_verdict(text, verdict, view, options);
    write_proof(text, model, counters, layer, options->detail != REPORT_SUMMARY);
    write_histogram(text, view);
    if (options->detail == REPORT_UNITS)
        write_unit_stats(text, view);
    text_put(text, "}");
}

/* Over decided layers only. */
static void write_totals(struct text *text, const struct counters *counters,
                         const struct report_options *options)
{
    size_t units = 0, dead = 0, silent = 0;
    double active = 0, observed = 0;
    for (size_t i = 0; i < counters->plan->layer_count; i++) {
        struct layer_view view = layer_view_of(counters, i);
        if (!layer_is_decided(&view, options->min_samples) || view.counters->observations == 0)
            continue;
        double all = (double)view.counters->observations * (double)view.layer->units;
        units += view.layer->units;
        dead += verdict_count(VERDICT_dead, &view, options->tau);
        silent += verdict_count(VERDICT_silent, &view, options->tau);
        active += (1 - layer_sparsity(&view)) * all;
        observed += all;
    }
    text_format(text, "\"totals\":{\"units\":%zu,\"dead\":%zu,\"dead_fraction\":", units, dead);
    text_double(text, units ? (double)dead / (double)units : NAN);
    text_format(text, ",\"silent\":%zu,\"sparsity\":", silent);
    text_double(text, observed > 0 ? 1 - active / observed : NAN);
    text_put(text, "}");
}

void report_write_fields(struct text *text, const struct model *model,
                         const struct counters *counters, const struct report_options *options)
{
    text_put(text, "\"model\":");
    text_quote(text, model->name, strlen(model->name));
    text_format(text,
                ",\"version\":\"%s\",\"digest\":\"%s\",\"level\":\"%s\",\"since\":\"%s\","
                "\"samples\":%" PRIu64 ",\"out_of_range_rows\":",
                model->version, model->digest, stats_level_name(counters->level), options->since,
                counters->samples);
    if (model->proof.upper)
        text_u64(text, counters->out_of_range);
    else
        text_put(text, "null");
    text_put(text, ",");
    write_totals(text, counters, options);
    text_put(text, ",\"layers\":[");
    const char *comma = "";
    for (size_t i = 0; i < counters->plan->layer_count; i++) {
        if (options->layer != PLAN_LAYER_NONE && (size_t)options->layer != i)
            continue;
        text_put(text, comma);
        write_layer(text, model, counters, i, options);
        comma = ",";
    }
    text_put(text, "]");
}

void report_write(struct text *text, const struct model *model, const struct counters *counters,
                  const struct report_options *options)
{
    text_put(text, "{");
    report_write_fields(text, model, counters, options);
    text_put(text, "}");
}
