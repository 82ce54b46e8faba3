#include "verdict.h"

#include <math.h>

const char *verdict_name(enum verdict verdict)
{
    static const char *const names[] = {
#define VERDICT(name) #name,
#include "verdict.def"
#undef VERDICT
    };
    return names[verdict];
}

static bool is_dormant(const struct layer_view *view, size_t unit, double tau, double mean)
{
    const struct layer_counters *c = view->counters;
    if (!c->magnitude)
        return false;
    return c->magnitude[unit] / (double)c->observations <= tau * mean;
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
    case VERDICT_COUNT:
        break;
    }
    return false;
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
