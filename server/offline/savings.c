#include "savings.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "model/describe.h"
#include "offline/output.h"
#include "stats/verdict.h"
#include "table.h"

static const struct model *before(const struct savings *savings)
{
    return savings->comparison->before;
}

static const struct model *after(const struct savings *savings)
{
    return &savings->compact->model;
}

static size_t count_units(const struct model *model)
{
    size_t units = 0;
    for (size_t i = 0; i < model->plan.layer_count; i++)
        units += model->plan.layers[i].units;
    return units;
}

/* Units of a layer that always give the same number, and that were removed: also such as nobody
 * needs. */
struct fate {
    size_t dead, removed;
};

static struct fate fate_of(const struct compact_layer *layer)
{
    struct fate fate = {0, 0};
    for (size_t unit = 0; unit < layer->layer->units; unit++) {
        fate.dead += !isnan(layer->stuck[unit]);
        fate.removed += layer->removed[unit];
    }
    return fate;
}

/* Of every activation that is linear where a unit is active all the time. */
static size_t linear_units(const struct savings *savings, size_t index)
{
    const struct layer *layer = savings->compact->layers[index].layer;
    const enum activation_trait trait = activation_info(layer->node->activation.type)->trait;
    if (!savings->counters || trait != HINGE || layer->node->activation.type == ACTIVATION_crelu ||
        layer->node->activation.type == ACTIVATION_squared_relu)
        return 0;
    const struct layer_view view = layer_view_of(savings->counters, index);
    return verdict_count(VERDICT_always_on, &view, 0);
}

/* Costs */

struct cost {
    const char *name, *json;
    double before, after;
    int digits; /* behind the point */
};

enum { COSTS = 5 };

static void find_costs(const struct savings *savings, struct cost costs[COSTS])
{
    const struct costs old = describe_costs(before(savings)), new = describe_costs(after(savings));
    const double *latency = savings->comparison->latency_us;
    costs[0] = (struct cost){"units", "units", (double)count_units(before(savings)),
                             (double)count_units(after(savings)), 0};
    costs[1] = (struct cost){"parameters", "parameters", (double)old.parameters,
                             (double)new.parameters, 0};
    costs[2] = (struct cost){"MFLOPs a row", "mflops", 1e-6 * (double)old.flops,
                             1e-6 * (double)new.flops, 4};
    costs[3] = (struct cost){"bytes of the file", "bytes", (double)savings->bytes_before,
                             (double)savings->compact->byte_count, 0};
    costs[4] = (struct cost){"latency of a row, us", "latency_us", latency[0], latency[1], 2};
}

static void print_costs(const struct savings *savings)
{
    struct cost costs[COSTS];
    struct table table = {.sides = "lrrr"};
    find_costs(savings, costs);
    table_add(&table, "%s", "");
    table_add(&table, "before");
    table_add(&table, "after");
    table_add(&table, "ratio");
    for (size_t i = 0; i < COSTS; i++) {
        table_add(&table, "%s", costs[i].name);
        table_add(&table, "%.*f", costs[i].digits, costs[i].before);
        table_add(&table, "%.*f", costs[i].digits, costs[i].after);
        table_add(&table, "%.3f", costs[i].after / costs[i].before);
    }
    printf("\n");
    table_print(&table, stdout);
    table_free(&table);
}

/* Layers */

static void print_layers(const struct savings *savings)
{
    static const char *const head[] = {"layer",   "activation", "units", "dead",
                                       "removed", "left",       "linear"};
    struct table table = {.sides = "llrrrrr"};
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++)
        table_add(&table, "%s", head[i]);
    for (size_t i = 0; i < savings->compact->layer_count; i++) {
        const struct compact_layer *layer = &savings->compact->layers[i];
        const struct fate fate = fate_of(layer);
        table_add(&table, "%s", layer->layer->name);
        table_add(&table, "%s", activation_info(layer->layer->node->activation.type)->name);
        table_add(&table, "%zu", layer->layer->units);
        table_add(&table, "%zu", fate.dead);
        table_add(&table, "%zu", fate.removed);
        table_add(&table, "%zu", layer->layer->units - fate.removed);
        table_add(&table, "%zu", linear_units(savings, i));
    }
    table_print(&table, stdout);
    table_free(&table);
}

/* Units of a layer that stay for one reason at one node. */
struct stay {
    enum keep keep;
    const char *at;
    size_t first, count;
};

static bool stays(const struct compact_layer *layer, size_t unit)
{
    return !isnan(layer->stuck[unit]) && !layer->removed[unit];
}

/* The next reason from unit on, with all units it holds for; none when its count is 0. */
static struct stay next_stay(const struct compact_layer *layer, size_t unit)
{
    struct stay stay = {.keep = KEEP_none};
    for (; unit < layer->layer->units; unit++) {
        if (!stays(layer, unit))
            continue;
        const bool same = layer->kept[unit] == stay.keep && layer->kept_at[unit] == stay.at;
        if (stay.count > 0 && !same)
            continue;
        if (stay.count == 0)
            stay = (struct stay){layer->kept[unit], layer->kept_at[unit], unit, 0};
        stay.count++;
    }
    return stay;
}

/* Whether an earlier unit stays for the same reason, so that it has been told. */
static bool is_told(const struct compact_layer *layer, const struct stay *stay)
{
    for (size_t unit = 0; unit < stay->first; unit++)
        if (stays(layer, unit) && layer->kept[unit] == stay->keep &&
            layer->kept_at[unit] == stay->at)
            return true;
    return false;
}

typedef void tell_function(void *context, const struct compact_layer *layer,
                           const struct stay *stay);

static void each_stay(const struct compact *compact, tell_function *tell, void *context)
{
    for (size_t i = 0; i < compact->layer_count; i++) {
        const struct compact_layer *layer = &compact->layers[i];
        struct stay stay = next_stay(layer, 0);
        for (; stay.count > 0; stay = next_stay(layer, stay.first + 1))
            if (!is_told(layer, &stay))
                tell(context, layer, &stay);
    }
}

static void print_stay(void *first, const struct compact_layer *layer, const struct stay *stay)
{
    struct table line = {.sides = "l"};
    const char *at = stay->at ? stay->at : "";
    printf("%s", *(bool *)first ? "\n" : "");
    *(bool *)first = false;
    table_add(&line, "%s: %zu dead %s: %s%s%s%s", layer->layer->name, stay->count,
              stay->count == 1 ? "unit stays" : "units stay", keep_text(stay->keep),
              at[0] ? " (node " : "", at, at[0] ? ")" : "");
    table_print(&line, stdout);
    table_free(&line);
}

/* The rows that were run */

static void print_comparison(const struct savings *savings)
{
    const struct comparison *c = savings->comparison;
    for (size_t i = 0; savings->inputs && i < savings->inputs->count; i++)
        printf("%sdata    %s, %" PRIu64 " rows\n", i ? "" : "\n", savings->inputs->sets[i].name,
               c->rows);
    if (!savings->inputs)
        return;
    const uint64_t others = c->rows - c->woken;
    if (c->woken > 0)
        printf("%" PRIu64 " rows wake a removed unit: their answers are not compared\n", c->woken);
    if (c->exact)
        printf("%" PRIu64 " of %" PRIu64 " answers are equal to the last bit\n",
               others - c->differing, others);
    else
        printf("%" PRIu64 " of %" PRIu64
               " answers agree within %g; the largest difference is %.2g\n",
               others - c->differing, others, COMPARISON_TOLERANCE, c->largest);
}

enum status savings_print(const struct savings *savings, struct error *error)
{
    bool first = true;
    printf("model   %s\ndigest  %s\nout     %s\n\n", before(savings)->name, before(savings)->digest,
           savings->out);
    print_layers(savings);
    each_stay(savings->compact, print_stay, &first);
    print_costs(savings);
    print_comparison(savings);
    return output_flush(error);
}

/* JSON */

static void write_text(struct text *text, const char *key, const char *value)
{
    text_format(text, "\"%s\":", key);
    text_quote(text, value, strlen(value));
}

static void write_units(struct text *text, const char *key, const struct compact_layer *layer,
                        bool removed)
{
    const char *before_it = "";
    text_format(text, ",\"%s\":[", key);
    for (size_t unit = 0; unit < layer->layer->units; unit++) {
        if (!(removed ? layer->removed[unit] : !isnan(layer->stuck[unit])))
            continue;
        text_format(text, "%s%zu", before_it, unit);
        before_it = ",";
    }
    text_put(text, "]");
}

static void write_stays(struct text *text, const struct compact_layer *layer)
{
    const char *before_it = "";
    text_put(text, ",\"kept\":[");
    for (size_t unit = 0; unit < layer->layer->units; unit++) {
        if (!stays(layer, unit))
            continue;
        text_format(text, "%s{\"unit\":%zu,", before_it, unit);
        write_text(text, "reason", keep_name(layer->kept[unit]));
        if (layer->kept_at[unit]) {
            text_put(text, ",");
            write_text(text, "node", layer->kept_at[unit]);
        }
        text_put(text, "}");
        before_it = ",";
    }
    text_put(text, "]");
}

static void write_layers(struct text *text, const struct savings *savings)
{
    text_put(text, ",\"layers\":[");
    for (size_t i = 0; i < savings->compact->layer_count; i++) {
        const struct compact_layer *layer = &savings->compact->layers[i];
        text_put(text, i ? ",{" : "{");
        write_text(text, "name", layer->layer->name);
        text_format(text, ",\"units\":%zu,\"linear\":%zu", layer->layer->units,
                    linear_units(savings, i));
        write_units(text, "dead", layer, false);
        write_units(text, "removed", layer, true);
        write_stays(text, layer);
        text_put(text, "}");
    }
    text_put(text, "]");
}

static void write_costs(struct text *text, const struct savings *savings, bool old)
{
    struct cost costs[COSTS];
    find_costs(savings, costs);
    text_put(text, old ? ",\"before\":{" : ",\"after\":{");
    for (size_t i = 0; i < COSTS; i++) {
        text_format(text, "%s\"%s\":", i ? "," : "", costs[i].json);
        text_double(text, old ? costs[i].before : costs[i].after);
    }
    text_put(text, "}");
}

enum status savings_print_json(const struct savings *savings, struct error *error)
{
    const struct comparison *c = savings->comparison;
    struct text text = {.bytes = NULL};
    text_put(&text, "{");
    write_text(&text, "model", before(savings)->name);
    text_put(&text, ",");
    write_text(&text, "digest", before(savings)->digest);
    text_put(&text, ",");
    write_text(&text, "out", savings->out);
    write_layers(&text, savings);
    write_costs(&text, savings, true);
    write_costs(&text, savings, false);
    if (savings->inputs) {
        text_format(&text,
                    ",\"data\":{\"rows\":%" PRIu64 ",\"woken\":%" PRIu64 ",\"differing\":%" PRIu64
                    ",\"largest_difference\":",
                    c->rows, c->woken, c->differing);
        text_double(&text, c->largest);
        text_put(&text, "}");
    }
    text_put(&text, "}\n");
    return output_print(&text, error);
}
