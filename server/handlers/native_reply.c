#include <math.h>
#include <string.h>

#include "codec/ranking.h"
#include "native.h"

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
        size_t best;
        ranking_best(infer->job.y[i] + r * port->features, port->features, 1, &best);
        const char *label = port->labels[best];
        text_put(text, r ? "," : "");
        text_quote(text, label, strlen(label));
    }
    text_put(text, "]");
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
    const json_t *id = infer->id;
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
    if (infer->job.active) {
        text_put(text, ",\"stats\":");
        infer_write_activity(text, infer);
    }
    write_timing(text, &infer->job);
    text_put(text, "}\n");
}

void native_reply(struct infer *infer)
{
    struct text *text = &infer->exchange->reply;
    const struct graph *graph = &infer->model->graph;
    if (!native_of(infer)->raw_reply) {
        write_json(text, infer);
        exchange_answer(infer->exchange, 200, "application/json");
        return;
    }
    for (size_t i = 0; i < graph->output_count; i++)
        text_add(text, (const char *)infer->job.y[i],
                 infer->job.rows * infer->model->outputs[i].features * sizeof(float));
    exchange_answer(infer->exchange, 200, "application/octet-stream");
}
