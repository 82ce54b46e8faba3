#include <math.h>
#include <string.h>

#include "infer.h"

/* Outputs */

/* [[…], …]; returns whether a number was not finite (and written as null). */
static bool write_rows(struct text *text, const float *y, size_t rows, size_t features)
{
    bool nonfinite = false;
    text_put(text, "[");
    for (size_t r = 0; r < rows; r++) {
        text_put(text, r ? ",[" : "[");
        for (size_t i = 0; i < features; i++, y++) {
            if (i)
                text_put(text, ",");
            text_float(text, *y);
            nonfinite |= !isfinite(*y);
        }
        text_put(text, "]");
    }
    text_put(text, "]");
    return nonfinite;
}

static void write_outputs(struct text *text, const struct infer *infer)
{
    const struct model *model = infer->model;
    const struct job *job = &infer->job;
    bool several = model->graph.output_count > 1, nonfinite = false;
    text_put(text, several ? ",\"outputs\":{" : ",\"outputs\":");
    for (size_t i = 0; i < model->graph.output_count; i++) {
        const struct port *port = &model->outputs[i];
        if (several) {
            text_put(text, i ? "," : "");
            text_quote(text, port->name, strlen(port->name));
            text_put(text, ":");
        }
        nonfinite |= write_rows(text, job->y[i], job->rows, port->features);
    }
    text_put(text, several ? "}" : "");
    text_put(text, nonfinite ? ",\"nonfinite\":true" : "");
}

/* The index of the largest number that is not NaN, the first of several. */
static size_t largest(const float *y, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (y[i] > y[best] || isnan(y[best]))
            best = i;
    return best;
}

/* The labels of the first output that has some. */
static void write_labels(struct text *text, const struct infer *infer)
{
    size_t i = 0;
    while (i < infer->model->graph.output_count && !infer->model->outputs[i].labels)
        i++;
    if (i == infer->model->graph.output_count)
        return;
    const struct port *port = &infer->model->outputs[i];
    text_put(text, ",\"labels\":[");
    for (size_t r = 0; r < infer->job.rows; r++) {
        const char *label =
            port->labels[largest(infer->job.y[i] + r * port->features, port->features)];
        text_put(text, r ? "," : "");
        text_quote(text, label, strlen(label));
    }
    text_put(text, "]");
}

/* Activation statistics of this request */

static void write_active_units(struct text *text, const struct layer *layer, const uint64_t *bits,
                               size_t rows)
{
    size_t words = layer->bits_stride / sizeof *bits;
    text_put(text, ",\"active_units\":[");
    for (size_t r = 0; r < rows; r++, bits += words) {
        const char *comma = "";
        text_put(text, r ? ",[" : "[");
        for (size_t unit = 0; unit < layer->units; unit++) {
            if (!(bits[unit / 64] >> unit % 64 & 1))
                continue;
            text_put(text, comma);
            text_u64(text, unit);
            comma = ",";
        }
        text_put(text, "]");
    }
    text_put(text, "]");
}

static void write_active(struct text *text, const uint32_t *active, size_t rows)
{
    text_put(text, ",\"active\":[");
    for (size_t r = 0; r < rows; r++) {
        if (r)
            text_put(text, ",");
        text_u64(text, active[r]);
    }
    text_put(text, "]");
}

static void write_sparsity(struct text *text, uint64_t active, uint64_t observed)
{
    text_put(text, "\"sparsity\":");
    text_float(text, observed ? (float)(1 - (double)active / (double)observed) : NAN);
}

/* One layer; adds its active and all its observations to the sums. */
static void write_layer(struct text *text, const struct infer *infer, size_t index,
                        const uint64_t *bits, uint64_t sums[2])
{
    const struct layer *layer = &infer->model->plan.layers[index];
    size_t rows = infer->job.rows;
    text_put(text, index ? ",{\"name\":" : "{\"name\":");
    text_quote(text, layer->name, strlen(layer->name));
    text_put(text, ",\"activation\":\"");
    text_put(text, activation_info(layer->node->activation.type)->name);
    text_put(text, "\",\"units\":");
    text_u64(text, layer->units);
    write_active(text, infer->job.active + index * rows, rows);
    uint64_t active = 0, observed = (uint64_t)rows * layer->units * layer->positions;
    for (size_t r = 0; r < rows; r++)
        active += infer->job.fired[index * rows + r];
    text_put(text, ",");
    write_sparsity(text, active, observed);
    if (bits)
        write_active_units(text, layer, bits, rows);
    text_put(text, "}");
    sums[0] += active;
    sums[1] += observed;
}

static void write_stats(struct text *text, const struct infer *infer)
{
    const struct plan *plan = &infer->model->plan;
    const uint64_t *bits = infer->job.bits;
    uint64_t sums[2] = {0, 0};
    text_put(text, ",\"stats\":{\"layers\":[");
    for (size_t i = 0; i < plan->layer_count; i++) {
        write_layer(text, infer, i, bits, sums);
        if (bits)
            bits += plan->layers[i].bits_stride / sizeof *bits * infer->job.rows;
    }
    text_put(text, "],");
    write_sparsity(text, sums[0], sums[1]);
    text_put(text, "}");
}

/* The whole */

static void write_timing(struct text *text, const struct job *job)
{
    text_put(text, ",\"timing_us\":{\"queue\":");
    text_u64(text, job->queue_ns / 1000);
    text_put(text, ",\"compute\":");
    text_u64(text, job->compute_ns / 1000);
    text_put(text, ",\"batch_rows\":");
    text_u64(text, job->batch_rows);
    text_put(text, "}");
}

static void write_json(struct text *text, const struct infer *infer)
{
    const json_t *id = json_object_get(infer->envelope, "id");
    text_put(text, "{\"model\":");
    text_quote(text, infer->model->name, strlen(infer->model->name));
    text_put(text, ",\"version\":");
    text_quote(text, infer->model->version, strlen(infer->model->version));
    if (id) {
        text_put(text, ",\"id\":");
        text_quote(text, json_string_value(id), json_string_length(id));
    }
    text_put(text, ",\"rows\":");
    text_u64(text, infer->job.rows);
    write_outputs(text, infer);
    write_labels(text, infer);
    if (infer->job.active)
        write_stats(text, infer);
    write_timing(text, &infer->job);
    text_put(text, "}\n");
}

void infer_reply(struct infer *infer)
{
    struct text *text = &infer->exchange->reply;
    const struct graph *graph = &infer->model->graph;
    if (!infer->raw_reply) {
        write_json(text, infer);
        exchange_answer(infer->exchange, 200, "application/json");
        return;
    }
    for (size_t i = 0; i < graph->output_count; i++)
        text_add(text, (const char *)infer->job.y[i],
                 infer->job.rows * infer->model->outputs[i].features * sizeof(float));
    exchange_answer(infer->exchange, 200, "application/octet-stream");
}
