#include "drift.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "proportion.h"

double drift_rate(const struct counters *counters, size_t layer, size_t unit)
{
    const struct layer_counters *c = &counters->layers[layer];
    return (double)c->active[unit] / (double)c->observations;
}

static double shift_of(const struct drift *drift, size_t layer, size_t unit)
{
    return drift_rate(drift->now, layer, unit) - drift_rate(drift->baseline, layer, unit);
}

bool drift_holds(const struct drift *drift, size_t layer, size_t unit)
{
    return drift->layers[layer].p[unit] <= drift->options.alpha &&
           fabs(shift_of(drift, layer, unit)) >= drift->options.min_shift;
}

bool drift_decided(const struct drift *drift)
{
    const uint64_t least = drift->options.min_samples;
    return drift->baseline->samples >= least && drift->now->samples >= least;
}

/* In how many rows a unit was active; of a convolution the nearest whole number to its rate's. */
static uint64_t active_rows(const struct counters *counters, size_t layer, size_t unit)
{
    const struct layer_counters *c = &counters->layers[layer];
    if (c->observations == counters->samples)
        return c->active[unit];
    return (uint64_t)llround(drift_rate(counters, layer, unit) * (double)counters->samples);
}

static double unit_p(const struct drift *drift, size_t layer, size_t unit)
{
    const struct counters *baseline = drift->baseline, *now = drift->now;
    if (baseline->samples == 0 || now->samples == 0)
        return 1;
    return proportion_p(active_rows(baseline, layer, unit), baseline->samples,
                        active_rows(now, layer, unit), now->samples);
}

static int by_value(const void *a, const void *b)
{
    const double x = **(const double *const *)a, y = **(const double *const *)b;
    return (x > y) - (x < y);
}

/* Holm: the i-th smallest of n is multiplied by n - i, and none is less than one before it. */
static void adjust(double **sorted, size_t count)
{
    double largest = 0;
    qsort(sorted, count, sizeof *sorted, by_value);
    for (size_t i = 0; i < count; i++) {
        largest = fmax(largest, fmin(1, *sorted[i] * (double)(count - i)));
        *sorted[i] = largest;
    }
}

static void sum_up(struct drift *drift, size_t index)
{
    struct drift_layer *layer = &drift->layers[index];
    const size_t units = drift->now->plan->layers[index].units;
    double sum = 0;
    for (size_t unit = 0; unit < units; unit++) {
        layer->shifted += drift_holds(drift, index, unit);
        sum += fabs(shift_of(drift, index, unit));
        if (fabs(shift_of(drift, index, unit)) > fabs(shift_of(drift, index, layer->largest)))
            layer->largest = unit;
    }
    layer->mean_shift = sum / (double)units;
    drift->shifted += layer->shifted;
}

enum status drift_find(struct drift *drift, struct arena *arena, const struct counters *baseline,
                       const struct counters *now, const struct drift_options *options,
                       struct error *error)
{
    const struct plan *plan = now->plan;
    *drift = (struct drift){.options = *options, .baseline = baseline, .now = now};
    for (size_t i = 0; i < plan->layer_count; i++)
        drift->units += plan->layers[i].units;
    drift->layers = arena_alloc(arena, plan->layer_count, sizeof *drift->layers);
    double *p = arena_alloc(arena, drift->units, sizeof *p);
    double **sorted = arena_alloc(arena, drift->units, sizeof *sorted);
    if (!drift->layers || !p || !sorted)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for comparing statistics");
    size_t done = 0;
    for (size_t i = 0; i < plan->layer_count; i++) {
        drift->layers[i].p = p + done;
        for (size_t unit = 0; unit < plan->layers[i].units; unit++, done++) {
            p[done] = unit_p(drift, i, unit);
            sorted[done] = &p[done];
        }
    }
    adjust(sorted, drift->units);
    for (size_t i = 0; i < plan->layer_count; i++)
        sum_up(drift, i);
    return STATUS_OK;
}

/* JSON */

typedef void unit_writer(struct text *text, const struct drift *drift, size_t layer, size_t unit);

static void write_index(struct text *text, const struct drift *drift, size_t layer, size_t unit)
{
    (void)drift;
    (void)layer;
    text_u64(text, unit);
}

static void write_baseline(struct text *text, const struct drift *drift, size_t layer, size_t unit)
{
    text_double(text, drift_rate(drift->baseline, layer, unit));
}

static void write_now(struct text *text, const struct drift *drift, size_t layer, size_t unit)
{
    text_double(text, drift_rate(drift->now, layer, unit));
}

static void write_p(struct text *text, const struct drift *drift, size_t layer, size_t unit)
{
    text_double(text, drift->layers[layer].p[unit]);
}

/* Of the units that have shifted. */
static void write_array(struct text *text, const char *name, const struct drift *drift,
                        size_t layer, unit_writer *write)
{
    const char *comma = "";
    text_format(text, ",\"%s\":[", name);
    for (size_t unit = 0; unit < drift->now->plan->layers[layer].units; unit++) {
        if (!drift_holds(drift, layer, unit))
            continue;
        text_put(text, comma);
        write(text, drift, layer, unit);
        comma = ",";
    }
    text_put(text, "]");
}

static void write_layer(struct text *text, const struct drift *drift, size_t index)
{
    const struct layer *layer = &drift->now->plan->layers[index];
    const struct drift_layer *found = &drift->layers[index];
    text_put(text, "{\"name\":");
    text_quote(text, layer->name, strlen(layer->name));
    text_format(text, ",\"units\":%zu,\"mean_shift\":", layer->units);
    text_double(text, found->mean_shift);
    text_format(text, ",\"largest_shift\":{\"unit\":%zu,\"baseline\":", found->largest);
    write_baseline(text, drift, index, found->largest);
    text_put(text, ",\"now\":");
    write_now(text, drift, index, found->largest);
    text_format(text, "},\"shifted\":{\"count\":%zu", found->shifted);
    write_array(text, "units", drift, index, write_index);
    write_array(text, "baseline", drift, index, write_baseline);
    write_array(text, "now", drift, index, write_now);
    write_array(text, "p", drift, index, write_p);
    text_put(text, "}}");
}

void drift_write(struct text *text, const struct drift *drift)
{
    text_put(text, "\"alpha\":");
    text_double(text, drift->options.alpha);
    text_put(text, ",\"min_shift\":");
    text_double(text, drift->options.min_shift);
    text_format(text,
                ",\"baseline_samples\":%" PRIu64 ",\"samples\":%" PRIu64
                ",\"decided\":%s,\"units\":%zu,\"shifted\":%zu,\"layers\":[",
                drift->baseline->samples, drift->now->samples,
                drift_decided(drift) ? "true" : "false", drift->units, drift->shifted);
    for (size_t i = 0; i < drift->now->plan->layer_count; i++) {
        text_put(text, i ? "," : "");
        write_layer(text, drift, i);
    }
    text_put(text, "]");
}
