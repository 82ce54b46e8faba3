#include "verdict.h"

#include <math.h>

static const struct {
    const char *name, *source;
} verdicts[] = {
#define VERDICT(name, source) {#name, source},
#include "verdict.def"
#undef VERDICT
};

const char *verdict_name(enum verdict verdict)
{
    return verdicts[verdict].name;
}

const char *verdict_source(enum verdict verdict)
{
    return verdicts[verdict].source;
}

static bool is_dormant(const struct layer_view *view, size_t unit, double tau, double mean)
{
    const struct layer_counters *c = view->counters;
    if (!c->magnitude)
        return false;
    return c->magnitude[unit] / (double)c->observations <= tau * mean;
}

static bool is_stuck_high(const struct layer_view *view, size_t unit)
{
    const struct layer_counters *c = view->counters;
    return activation_capped(&view->layer->node->activation) && c->high[unit] == c->observations;
}

static bool is_saturated(const struct layer_view *view, size_t unit)
{
    const struct layer_counters *c = view->counters;
    const enum activation_type type = view->layer->node->activation.type;
    return activation_info(type)->trait == SATURATING &&
           (double)(c->low[unit] + c->high[unit]) >=
               VERDICT_SATURATED_RATE * (double)c->observations;
}

bool verdict_holds(enum verdict verdict, const struct layer_view *view, size_t unit, double tau,
                   double mean_magnitude)
{
    const struct layer_counters *c = view->counters;
    if (!c->active || c->observations == 0)
        return false;
    uint64_t active = c->active[unit];
    switch (verdict) {
    case VERDICT_dead:
        return active == 0 && !activation_leaks(&view->layer->node->activation, unit);
    case VERDICT_silent:
        return active == 0 && activation_leaks(&view->layer->node->activation, unit);
    case VERDICT_dormant:
        return is_dormant(view, unit, tau, mean_magnitude);
    case VERDICT_rare:
        return active > 0 && (double)active < VERDICT_RARE_RATE * (double)c->observations;
    case VERDICT_always_on:
        return active == c->observations;
    case VERDICT_stuck_high:
        return is_stuck_high(view, unit);
    case VERDICT_saturated:
        return is_saturated(view, unit);
    case VERDICT_COUNT:
        break;
    }
    return false;
}

struct layer_view layer_view_of(const struct counters *counters, size_t layer)
{
    return (struct layer_view){&counters->plan->layers[layer], &counters->layers[layer],
                               counters->samples};
}

bool verdict_is_measured(enum verdict verdict, const struct layer_view *view)
{
    return verdict == VERDICT_dormant ? view->counters->magnitude != NULL
                                      : view->counters->active != NULL;
}

size_t verdict_count(enum verdict verdict, const struct layer_view *view, double tau)
{
    const double mean = verdict == VERDICT_dormant ? layer_mean_magnitude(view) : NAN;
    size_t count = 0;
    for (size_t unit = 0; unit < view->layer->units; unit++)
        count += verdict_holds(verdict, view, unit, tau, mean);
    return count;
}

bool layer_is_decided(const struct layer_view *view, uint64_t min_samples)
{
    return view->counters->active && view->samples >= min_samples;
}

double layer_mean_magnitude(const struct layer_view *view)
{
    const struct layer_counters *c = view->counters;
    if (!c->magnitude || c->observations == 0)
        return NAN;
    double sum = 0;
    for (size_t i = 0; i < view->layer->units; i++)
        sum += c->magnitude[i];
    return sum / (double)c->observations / (double)view->layer->units;
}

double unit_margin(const struct layer_view *view, size_t unit)
{
    const struct layer_counters *c = view->counters;
    if (!c->max || c->observations == 0 || c->active[unit] > 0)
        return NAN;
    return (double)activation_threshold(&view->layer->node->activation) - (double)c->max[unit];
}

double layer_sparsity(const struct layer_view *view)
{
    const struct layer_counters *c = view->counters;
    uint64_t active = 0;
    if (!c->active)
        return NAN;
    for (size_t i = 0; i < view->layer->units; i++)
        active += c->active[i];
    return 1 - (double)active / ((double)c->observations * (double)view->layer->units);
}

double rate_upper_95(uint64_t samples)
{
    return samples == 0 ? 1 : -expm1(log(0.05) / (double)samples);
}
