#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/ranking.h"
#include "v2.h"

/* The numbers of one output, as the client wants them. */
struct tensor_out {
    const struct port *port;
    const float *y;
    size_t rows;
    size_t classes; /* at most port->features; 0 for all numbers */
};

static void put_comma(struct text *text, size_t i)
{
    text_put(text, i ? "," : "");
}

/* Plain numbers */

static void write_dim(struct text *text, const char **comma, size_t dim)
{
    text_put(text, *comma);
    text_u64(text, dim);
    *comma = ",";
}

/* The port's own dimensions begin with -1, the batch, unless the model is whole. */
static void write_shape(struct text *text, const struct v2 *v2, const struct tensor_out *out)
{
    const struct port *port = out->port;
    const char *comma = "";
    text_put(text, ",\"shape\":[");
    if (v2->batched)
        write_dim(text, &comma, out->rows);
    if (out->classes)
        write_dim(text, &comma, out->classes);
    for (size_t d = v2->infer.model->whole ? 0 : 1; d < port->rank && !out->classes; d++)
        write_dim(text, &comma, (size_t)port->dims[d]);
    text_put(text, "]");
}

/* A number that is not finite is null, and the parameter says so. */
static void write_numbers(struct text *text, const float *y, size_t count)
{
    bool nonfinite = false;
    text_put(text, ",\"data\":[");
    for (size_t i = 0; i < count; i++) {
        put_comma(text, i);
        text_float(text, y[i]);
        nonfinite |= !isfinite(y[i]);
    }
    text_put(text, nonfinite ? "],\"parameters\":{\"nonfinite\":true}" : "]");
}

static void write_size(struct text *text, size_t bytes)
{
    text_put(text, ",\"parameters\":{\"binary_data_size\":");
    text_u64(text, bytes);
    text_put(text, "}");
}

/* Classification */

/* "<value>:<index>[:<label>]". */
static void write_class(struct text *text, const struct port *port, const float *row, size_t index)
{
    if (isfinite(row[index]))
        text_float(text, row[index]);
    else
        text_put(text, isnan(row[index]) ? "nan" : row[index] < 0 ? "-inf" : "inf");
    text_put(text, ":");
    text_u64(text, index);
    if (port->labels) {
        text_put(text, ":");
        text_put(text, port->labels[index]);
    }
}

/* The BYTES elements of the classification: binary ones have their length in front. */
static void write_classes(struct text *text, const struct tensor_out *out, size_t *best,
                          bool binary)
{
    struct text element = {.bytes = NULL};
    for (size_t i = 0; i < out->rows * out->classes; i++) {
        const float *row = out->y + i / out->classes * out->port->features;
        if (i % out->classes == 0)
            ranking_best(row, out->port->features, out->classes, best);
        element.count = 0;
        write_class(&element, out->port, row, best[i % out->classes]);
        if (binary) {
            uint32_t length = (uint32_t)element.count;
            text_add(text, (const char *)&length, sizeof length);
            text_add(text, element.bytes, element.count);
        } else {
            put_comma(text, i);
            text_quote(text, element.bytes, element.count);
        }
    }
    text->failed |= element.failed;
    text_free(&element);
}

/* The whole */

/* The data of one output: into text, or its size there and its bytes into payload. */
static void write_data(struct text *text, struct text *payload, const struct tensor_out *out,
                       bool binary)
{
    size_t before = payload->count, count = out->rows * out->port->features;
    size_t *best = out->classes ? malloc(out->classes * sizeof *best) : NULL;
    if (out->classes && !best) {
        text->failed = true;
        return;
    }
    if (binary && out->classes)
        write_classes(payload, out, best, true);
    else if (binary)
        text_add(payload, (const char *)out->y, count * sizeof *out->y);
    if (binary) {
        write_size(text, payload->count - before);
    } else if (out->classes) {
        text_put(text, ",\"data\":[");
        write_classes(text, out, best, false);
        text_put(text, "]");
    } else {
        write_numbers(text, out->y, count);
    }
    free(best);
}

static void write_output(struct text *text, struct text *payload, const struct v2 *v2,
                         const struct v2_output *wanted)
{
    const struct infer *infer = &v2->infer;
    const struct port *port = &infer->model->outputs[wanted->index];
    struct tensor_out out = {.port = port,
                             .y = infer->job.y[wanted->index],
                             .rows = infer->job.rows,
                             .classes = wanted->classes};
    if (out.classes > port->features)
        out.classes = port->features;
    text_put(text, "{\"name\":");
    text_quote(text, port->name, strlen(port->name));
    text_put(text, out.classes ? ",\"datatype\":\"BYTES\"" : ",\"datatype\":\"FP32\"");
    write_shape(text, v2, &out);
    write_data(text, payload, &out, wanted->binary);
    text_put(text, "}");
}

static void write_json(struct text *text, struct text *payload, struct infer *infer)
{
    const struct v2 *v2 = v2_of(infer);
    const json_t *id = infer->id;
    text_put(text, "{\"model_name\":");
    text_quote(text, infer->model->name, strlen(infer->model->name));
    text_put(text, ",\"model_version\":");
    text_quote(text, infer->model->version, strlen(infer->model->version));
    if (id) {
        text_put(text, ",\"id\":");
        text_quote(text, json_string_value(id), json_string_length(id));
    }
    text_put(text, ",\"outputs\":[");
    for (size_t i = 0; i < v2->output_count; i++) {
        put_comma(text, i);
        write_output(text, payload, v2, &v2->outputs[i]);
    }
    text_put(text, "]");
    if (infer->job.active) {
        text_put(text, ",\"activation_statistics\":");
        infer_write_activity(text, infer);
    }
    text_put(text, "}");
}

static bool any_binary(const struct v2 *v2)
{
    for (size_t i = 0; i < v2->output_count; i++)
        if (v2->outputs[i].binary)
            return true;
    return false;
}

void v2_reply(struct infer *infer)
{
    struct exchange *exchange = infer->exchange;
    struct text payload = {.bytes = NULL};
    bool binary = any_binary(v2_of(infer));
    write_json(&exchange->reply, &payload, infer);
    if (binary) {
        exchange->json_bytes = exchange->reply.count;
        text_add(&exchange->reply, payload.bytes, payload.count);
    }
    exchange->reply.failed |= payload.failed;
    text_free(&payload);
    exchange_answer(exchange, 200, binary ? "application/octet-stream" : "application/json");
}
