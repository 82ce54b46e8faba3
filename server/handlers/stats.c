#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "handlers.h"
#include "stats/report.h"
#include "stats/verdict.h"

/* tau=: a number from 0 on. */
static bool read_tau(struct exchange *exchange, double *tau)
{
    const char *text = exchange_query(exchange, "tau");
    char *end = NULL;
    *tau = text ? strtod(text, &end) : VERDICT_TAU_DEFAULT;
    if (!text || (end != text && *end == '\0' && isfinite(*tau) && *tau >= 0))
        return true;
    exchange_refuse(exchange, 400, "invalid", "tau: expected a number from 0 on, found \"%s\"",
                    text);
    return false;
}

static bool read_detail(struct exchange *exchange, enum report_detail *detail)
{
    const char *name = exchange_query(exchange, "detail");
    const bool summary = name && strcmp(name, "summary") == 0;
    *detail = !name ? REPORT_VERDICTS : summary ? REPORT_SUMMARY : REPORT_UNITS;
    if (!name || summary || strcmp(name, "units") == 0)
        return true;
    exchange_refuse(exchange, 400, "invalid",
                    "detail: expected \"summary\" or \"units\", found \"%s\"", name);
    return false;
}

static bool read_layer(struct exchange *exchange, const struct model *model, int *layer)
{
    const char *name = exchange_query(exchange, "layer");
    *layer = name ? plan_find_layer(&model->plan, name) : PLAN_LAYER_NONE;
    if (!name || *layer != PLAN_LAYER_NONE)
        return true;
    exchange_refuse(exchange, 404, "unknown_layer", "model \"%s\" counts no layer \"%s\"",
                    model->name, name);
    return false;
}

/* window=: one of window.def, or RING_WINDOW_COUNT for none: since load. */
static bool read_window(struct exchange *exchange, enum ring_window *window)
{
    const char *name = exchange_query(exchange, "window");
    *window = RING_WINDOW_COUNT;
    if (!name || ring_window_named(window, name))
        return true;
    exchange_refuse(exchange, 400, "invalid",
                    "window: expected \"60s\", \"15m\" or \"1h\", found \"%s\"", name);
    return false;
}

static void write_report(struct exchange *exchange, const struct generation *generation,
                         const struct counters *counters, const struct report_options *options)
{
    struct text *reply = &exchange->reply;
    struct error error;
    text_put(reply, "{");
    report_write_fields(reply, &generation->model, counters, options);
    if (baseline_write(reply, &generation->baseline, counters, options->min_samples, &error) !=
        STATUS_OK) {
        reply->count = 0;
        exchange_fail(exchange, &error);
        return;
    }
    text_format(reply, ",\"min_samples\":%" PRIu64 "}", options->min_samples);
    exchange_answer(exchange, 200, "application/json");
}

static void answer(struct exchange *exchange, struct generation *generation,
                   enum ring_window window, struct report_options *options)
{
    char since[GENERATION_SINCE_BYTES];
    struct arena arena;
    struct counters merged;
    struct error error;
    arena_init(&arena, MODEL_MEMORY_BYTES_MAX);
    const struct model *model = &generation->model;
    if (counters_init(&merged, &arena, &model->plan, model->level, &error) == STATUS_OK) {
        if (window == RING_WINDOW_COUNT)
            generation_collect(generation, &merged, since);
        else
            generation_collect_window(generation, window, cpu_clock_ns(), &merged, since);
        options->since = since;
        write_report(exchange, generation, &merged, options);
    } else {
        exchange_fail(exchange, &error);
    }
    arena_free(&arena);
}

void handle_stats_reset(struct exchange *exchange)
{
    struct generation *generation = handlers_admin(exchange) ? handlers_generation(exchange) : NULL;
    char since[GENERATION_SINCE_BYTES];
    if (!generation)
        return;
    generation_reset(generation, cpu_clock_ns(), since);
    text_put(&exchange->reply, "{\"model\":");
    text_quote(&exchange->reply, generation->model.name, strlen(generation->model.name));
    text_format(&exchange->reply, ",\"version\":\"%s\",\"since\":\"%s\"}",
                generation->model.version, since);
    exchange_answer(exchange, 200, "application/json");
}

void handle_stats(struct exchange *exchange)
{
    const struct server *server = loop_server(exchange->loop);
    struct generation *generation = handlers_generation(exchange);
    enum ring_window window;
    struct report_options options = {.min_samples = server->options.stats_min_samples};
    if (!generation || !read_window(exchange, &window) || !read_tau(exchange, &options.tau) ||
        !read_detail(exchange, &options.detail) ||
        !read_layer(exchange, &generation->model, &options.layer))
        return;
    answer(exchange, generation, window, &options);
}
