#include "counted.h"

#include <criterion/criterion.h>
#include <string.h>

static const float slopes[16] = {0, 0.5f, -1};

void counted_open(struct counted *counted, enum stats_level level)
{
    struct net *net = &counted->net;
    net_init(net, 1);
    net_chain(net, 5, (const size_t[]){6, 8, 4, 3, 2},
              (const char *const[]){"relu", "leaky_relu", "prelu", "identity"});
    net->graph.nodes[2].activation.slope = slopes;
    memset(&counted->model, 0, sizeof counted->model);
    counted->model.name = "hand \"made\"";
    counted->model.version = "1";
    counted->model.graph = net->graph;
    counted->model.plan = net->plan;
    counted->model.level = level;
    strcpy(counted->model.digest, "sha256:00");
    cr_assert(counters_init(&counted->counters, &net->arena, &net->plan, level, NULL) == STATUS_OK);
}

void counted_close(struct counted *counted)
{
    net_free(&counted->net);
}

void counted_rows(struct counted *counted, uint64_t rows)
{
    counted->counters.samples = rows;
    for (size_t i = 0; i < COUNTED_LAYERS; i++)
        counted->counters.layers[i].observations = rows;
}

void counted_unit(struct counted *counted, size_t layer, size_t unit, uint64_t active, double mean,
                  double mean_abs, float max)
{
    struct layer_counters *counters = &counted->counters.layers[layer];
    counters->active[unit] = active;
    if (!counters->sum)
        return;
    counters->sum[unit] = mean * (double)counters->observations;
    counters->magnitude[unit] = mean_abs * (double)counters->observations;
    counters->max[unit] = max;
}
