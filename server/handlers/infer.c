#include "infer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cpu.h"

/* Beginning: what the header says */

/* Whether a header's value names type, whatever parameters follow. */
static bool is_type(const char *value, const char *type)
{
    size_t length = strlen(type);
    return strncasecmp(value, type, length) == 0 &&
           (value[length] == '\0' || value[length] == ';' || value[length] == ' ');
}

/* curl -d announces a form, unless told otherwise; nobody sends forms to a model. */
static bool read_content_type(struct infer *infer)
{
    const char *type = exchange_header(infer->exchange, "Content-Type");
    infer->raw_body = type && is_type(type, "application/octet-stream");
    if (!type || infer->raw_body || is_type(type, "application/json") ||
        is_type(type, "application/x-www-form-urlencoded"))
        return true;
    exchange_refuse(infer->exchange, 415, "unsupported",
                    "expected application/json or application/octet-stream, found \"%s\"", type);
    return false;
}

static bool read_encoding(struct infer *infer)
{
    struct exchange *exchange = infer->exchange;
    const char *encoding = exchange_header(exchange, "Content-Encoding");
    struct error error;
    if (!encoding || strcasecmp(encoding, "identity") == 0)
        return true;
    if (strcasecmp(encoding, "gzip") != 0 && strcasecmp(encoding, "deflate") != 0) {
        exchange_refuse(exchange, 415, "unsupported", "expected gzip or deflate, found \"%s\"",
                        encoding);
        return false;
    }
    uint64_t limit = loop_server(exchange->loop)->options.max_body_bytes;
    if (inflate_open(&infer->inflate, limit, &error) == STATUS_OK)
        return true;
    exchange_fail(exchange, &error);
    return false;
}

/* Rows a request of model may have. */
static size_t row_limit(const struct infer *infer)
{
    size_t limit = loop_server(infer->exchange->loop)->options.max_batch_rows;
    size_t own = infer->model->max_batch_rows;
    return own > 0 && own < limit ? own : limit;
}

static size_t input_features(const struct model *model)
{
    size_t features = 0;
    for (size_t i = 0; i < model->graph.input_count; i++)
        features += model->inputs[i].features;
    return features;
}

void infer_begin(struct exchange *exchange)
{
    struct generation *generation = handlers_generation(exchange);
    struct infer *infer = generation ? calloc(1, sizeof *infer) : NULL;
    if (!infer) {
        if (!exchange->status)
            exchange_refuse(exchange, 503, "out_of_memory", "no memory left for the request");
        return;
    }
    exchange->state = infer;
    infer->exchange = exchange;
    infer->model = &generation->model;
    infer->stats = INFER_SUMMARY;
    infer->job.generation = generation;
    lift_init(&infer->lift, row_limit(infer) * input_features(infer->model));
    const char *accept = exchange_header(exchange, "Accept");
    infer->raw_reply = accept && is_type(accept, "application/octet-stream");
    if (read_content_type(infer))
        read_encoding(infer);
}

/* The body */

/* A raw body is the tensor's own bytes, cut anywhere; what exceeds the limit is counted only. */
static enum status take_raw(struct infer *infer, const char *bytes, size_t count,
                            struct error *error)
{
    struct lift *lift = &infer->lift;
    size_t limit = lift->limit * sizeof(float);
    size_t end = infer->raw_bytes + count;
    size_t kept = end < limit ? end : limit;
    if (kept > lift->capacity * sizeof(float)) {
        size_t capacity = kept * 2 < limit ? kept * 2 : limit;
        float *numbers = realloc(lift->numbers, capacity + sizeof(float));
        if (!numbers)
            return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the inputs");
        lift->numbers = numbers;
        lift->capacity = capacity / sizeof(float);
    }
    if (kept > infer->raw_bytes)
        memcpy((char *)lift->numbers + infer->raw_bytes, bytes, kept - infer->raw_bytes);
    infer->raw_bytes = end;
    return STATUS_OK;
}

static enum status take_plain(void *context, const char *bytes, size_t count, struct error *error)
{
    struct infer *infer = context;
    return infer->raw_body ? take_raw(infer, bytes, count, error)
                           : lift_feed(&infer->lift, bytes, count, error);
}

void infer_body(struct exchange *exchange, const char *bytes, size_t count)
{
    struct infer *infer = exchange->state;
    struct error error;
    enum status status =
        infer->inflate.open ? inflate_feed(&infer->inflate, bytes, count, take_plain, infer, &error)
                            : take_plain(infer, bytes, count, &error);
    if (status != STATUS_OK)
        exchange_fail(exchange, &error);
}

/* The end: run and answer */

static size_t bitmap_words(const struct plan *plan)
{
    return plan->bits_per_row / sizeof(uint64_t);
}

/* One block for everything the job gives back, the bitmaps first for their alignment. */
static enum status allocate_results(struct infer *infer, struct error *error)
{
    const struct plan *plan = &infer->model->plan;
    struct job *job = &infer->job;
    size_t words = infer->stats == INFER_UNITS ? bitmap_words(plan) : 0;
    size_t features = 0;
    for (size_t i = 0; i < infer->model->graph.output_count; i++)
        features += infer->model->outputs[i].features;
    size_t row_bytes =
        words * sizeof(uint64_t) + (features + 2 * plan->layer_count) * sizeof(float);
    infer->results = malloc(row_bytes * job->rows + 1);
    if (!infer->results)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for %zu rows", job->rows);
    uint64_t *bits = (uint64_t *)(void *)infer->results;
    float *y = (float *)(void *)(bits + words * job->rows);
    job->bits = words ? bits : NULL;
    for (size_t i = 0; i < infer->model->graph.output_count; i++) {
        job->y[i] = y;
        y += infer->model->outputs[i].features * job->rows;
    }
    job->active = infer->stats == INFER_NONE || infer->raw_reply ? NULL : (uint32_t *)(void *)y;
    job->fired = (uint32_t *)(void *)y + plan->layer_count * job->rows;
    return STATUS_OK;
}

static void finish(struct infer *infer)
{
    if (infer->job.outcome == JOB_EXPIRED)
        exchange_refuse(infer->exchange, 504, "deadline",
                        "the answer was not ready within the request's deadline");
    else
        infer_reply(infer);
}

static void on_done(struct job *job)
{
    struct infer *infer = (struct infer *)((char *)job - offsetof(struct infer, job));
    finish(infer);
    exchange_resume(infer->exchange);
}

static void submit(struct infer *infer)
{
    struct exchange *exchange = infer->exchange;
    uint64_t timeout_ms = loop_server(exchange->loop)->options.request_timeout_ms;
    infer->job.deadline_ns = cpu_clock_ns() + timeout_ms * 1000000u;
    infer->job.done = on_done;
    switch (loop_submit(exchange->loop, &infer->job)) {
    case SUBMIT_DONE:
        finish(infer);
        break;
    case SUBMIT_QUEUED:
        exchange_suspend(exchange);
        break;
    case SUBMIT_FULL:
        exchange_refuse(exchange, 503, "overloaded", "too many rows are waiting already");
    }
}

static enum status check_rows(const struct infer *infer, struct error *error)
{
    if (infer->job.rows > row_limit(infer))
        return error_set(error, STATUS_TOO_LARGE, "expected at most %zu rows, found %zu",
                         row_limit(infer), infer->job.rows);
    return STATUS_OK;
}

void handle_infer(struct exchange *exchange)
{
    struct infer *infer = exchange->state;
    struct error error;
    if ((infer->inflate.open && inflate_finish(&infer->inflate, &error) != STATUS_OK) ||
        infer_decode(infer, &error) != STATUS_OK || check_rows(infer, &error) != STATUS_OK ||
        allocate_results(infer, &error) != STATUS_OK)
        exchange_fail(exchange, &error);
    else
        submit(infer);
}

void infer_release(struct exchange *exchange)
{
    struct infer *infer = exchange->state;
    if (!infer)
        return;
    inflate_close(&infer->inflate);
    lift_free(&infer->lift);
    json_decref(infer->envelope);
    free(infer->results);
    free(infer);
}
