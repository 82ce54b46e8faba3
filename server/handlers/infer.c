#include "infer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cpu.h"

/* Beginning: what the header says */

bool infer_is_type(const char *value, const char *type)
{
    size_t length = strlen(type);
    return value && strncasecmp(value, type, length) == 0 &&
           (value[length] == '\0' || value[length] == ';' || value[length] == ' ');
}

/* curl -d announces a form, unless told otherwise; nobody sends forms to a model. */
static bool check_content_type(struct exchange *exchange)
{
    static const char *const known[] = {"application/json", "application/octet-stream",
                                        "application/x-www-form-urlencoded"};
    const char *type = exchange->headers[HEADER_content_type];
    bool fits = !type;
    for (size_t i = 0; i < sizeof known / sizeof known[0] && !fits; i++)
        fits = infer_is_type(type, known[i]);
    if (!fits)
        exchange_refuse(exchange, 415, "unsupported",
                        "expected application/json or application/octet-stream, found \"%s\"",
                        type);
    return fits;
}

static bool read_encoding(struct infer *infer)
{
    struct exchange *exchange = infer->exchange;
    const char *encoding = exchange->headers[HEADER_content_encoding];
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

/* Numbers in so many rows, all inputs together. */
static size_t number_limit(const struct infer *infer)
{
    size_t features = 0;
    for (size_t i = 0; i < infer->model->graph.input_count; i++)
        features += infer->model->inputs[i].features;
    return handlers_row_limit(infer->exchange, infer->model) * features;
}

struct infer *infer_open(struct exchange *exchange, const struct infer_codec *codec, size_t size)
{
    struct generation *generation = handlers_generation(exchange);
    /* Not calloc, which does not use malloc's cache; GCC would make calloc of memset. */
    struct infer *infer = generation ? malloc(size) : NULL;
    if (!infer) {
        if (!exchange->status)
            exchange_refuse(exchange, 503, "out_of_memory", "no memory left for the request");
        return NULL;
    }
    explicit_bzero(infer, size);
    exchange->state = infer;
    exchange->usage.inference = true;
    infer->codec = codec;
    infer->exchange = exchange;
    infer->model = &generation->model;
    infer->job.generation = generation;
    lift_init(&infer->lift, number_limit(infer));
    return check_content_type(exchange) && read_encoding(infer) ? infer : NULL;
}

/* The body */

static enum status take_plain(void *context, const char *bytes, size_t count, struct error *error)
{
    struct infer *infer = context;
    infer->plain_bytes += count;
    if (!exchange_reserve(infer->exchange, infer->plain_bytes))
        return error_set(error, STATUS_IO, "the body is refused");
    return infer->codec->take(infer, bytes, count, error);
}

void infer_body(struct exchange *exchange, const char *bytes, size_t count)
{
    struct infer *infer = exchange->state;
    struct error error;
    enum status status =
        infer->inflate.open ? inflate_feed(&infer->inflate, bytes, count, take_plain, infer, &error)
                            : take_plain(infer, bytes, count, &error);
    if (status != STATUS_OK && !exchange->status)
        exchange_fail(exchange, &error);
}

enum status infer_check_rows(const struct infer *infer, struct error *error)
{
    size_t limit = handlers_row_limit(infer->exchange, infer->model);
    if (infer->job.rows > limit)
        return error_set(error, STATUS_TOO_LARGE, "expected at most %zu rows, found %zu", limit,
                         infer->job.rows);
    return STATUS_OK;
}

void infer_expect_raw(struct infer *infer)
{
    const struct model *model = infer->model;
    struct error error;
    if (model->graph.input_count != 1)
        exchange_refuse(infer->exchange, 400, "invalid",
                        "a model with %zu inputs takes JSON, not application/octet-stream",
                        model->graph.input_count);
    else if (binary_expect(&infer->binary, model->inputs[0].name, DATATYPE_FP32,
                           number_limit(infer), &error) != STATUS_OK)
        exchange_fail(infer->exchange, &error);
}

enum status infer_decode_raw(struct infer *infer, struct error *error)
{
    const struct port *port = &infer->model->inputs[0];
    uint64_t row_bytes = port->features * sizeof(float), bytes = infer->binary.bytes;
    if (bytes == 0 || bytes % row_bytes != 0)
        return error_set(
            error, STATUS_INVALID,
            "input \"%s\": expected rows of %llu bytes (%zu float32), found %llu bytes", port->name,
            (unsigned long long)row_bytes, port->features, (unsigned long long)bytes);
    infer->job.rows = (size_t)(bytes / row_bytes);
    infer->job.x[0] = infer->binary.numbers;
    return infer_check_rows(infer, error);
}

enum status infer_parse(struct infer *infer, struct error *error)
{
    const struct text *text = &infer->lift.envelope;
    if (text->count == 0)
        return error_set(error, STATUS_INVALID,
                         "expected a JSON object with \"inputs\", found an empty body");
    json_error_t at;
    infer->envelope =
        envelope_parse(loop_envelope(infer->exchange->loop), text->bytes, text->count, &at);
    if (!infer->envelope)
        return error_set(error, STATUS_INVALID, "malformed JSON: %s", at.text);
    if (!json_is_object(infer->envelope))
        return error_set(error, STATUS_INVALID, "expected a JSON object with \"inputs\"");
    return STATUS_OK;
}

enum status infer_read_id(struct infer *infer, struct error *error)
{
    infer->id = json_object_get(infer->envelope, "id");
    if (infer->id && !json_is_string(infer->id))
        return error_set(error, STATUS_INVALID, "\"id\": expected a string");
    return STATUS_OK;
}

enum status infer_read_stats(struct infer *infer, const json_t *value, struct error *error)
{
    static const char *const names[] = {
        [INFER_NONE] = "none", [INFER_SUMMARY] = "summary", [INFER_UNITS] = "units"};
    const char *text = json_string_value(value);
    for (size_t i = 0; text && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            infer->stats = (enum infer_stats)i;
            return STATUS_OK;
        }
    }
    return error_set(error, STATUS_INVALID, "\"stats\": expected none, summary or units");
}

/* The end: run and answer */

static size_t bitmap_words(const struct plan *plan)
{
    return plan->bits_per_row / sizeof(uint64_t);
}

/* One block for everything the job gives back: what is aligned to eight bytes comes first. */
static enum status allocate_results(struct infer *infer, struct error *error)
{
    const struct plan *plan = &infer->model->plan;
    struct job *job = &infer->job;
    size_t outputs = infer->model->graph.output_count, features = 0;
    size_t words = infer->stats == INFER_UNITS ? bitmap_words(plan) : 0;
    for (size_t i = 0; i < outputs; i++)
        features += infer->model->outputs[i].features;
    size_t row_bytes =
        words * sizeof(uint64_t) + (features + 2 * plan->layer_count) * sizeof(float);
    infer->results = malloc(outputs * sizeof *job->y + row_bytes * job->rows);
    if (!infer->results)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for %zu rows", job->rows);
    job->y = infer->results;
    uint64_t *bits = (uint64_t *)(void *)(job->y + outputs);
    float *y = (float *)(void *)(bits + words * job->rows);
    job->bits = words ? bits : NULL;
    for (size_t i = 0; i < outputs; i++) {
        job->y[i] = y;
        y += infer->model->outputs[i].features * job->rows;
    }
    job->active = infer->stats == INFER_NONE ? NULL : (uint32_t *)(void *)y;
    job->fired = (uint32_t *)(void *)y + plan->layer_count * job->rows;
    return STATUS_OK;
}

/* The job has its outcome, which became known at begun_ns. */
static void finish(struct infer *infer, uint64_t begun_ns)
{
    if (infer->job.outcome == JOB_EXPIRED)
        exchange_refuse(infer->exchange, 504, "deadline",
                        "the answer was not ready within the request's deadline");
    else if (infer->job.outcome == JOB_GONE)
        exchange_refuse(infer->exchange, HTTP_CLIENT_CLOSED, "client_closed",
                        "the client has closed the connection");
    else
        infer->codec->reply(infer);
    const struct job *job = &infer->job;
    struct usage_sample *usage = &infer->exchange->usage;
    uint64_t now_ns = cpu_clock_ns();
    usage->total_ns = now_ns - infer->exchange->began_ns;
    usage->queue_ns = job->queue_ns;
    usage->infer_ns = job->compute_ns;
    usage->output_ns = now_ns - begun_ns;
    usage->rows = job->rows;
    usage->batch_rows = job->batch_rows;
    usage->leads = job->leads;
}

static struct infer *infer_of(const struct job *job)
{
    return (struct infer *)((char *)job - offsetof(struct infer, job));
}

static bool is_gone(const struct job *job)
{
    return exchange_is_gone(infer_of(job)->exchange);
}

static void on_done(struct job *job)
{
    struct infer *infer = infer_of(job);
    finish(infer, cpu_clock_ns());
    exchange_resume(infer->exchange);
}

/* The server's deadline, or the client's own where it comes earlier. */
static uint64_t deadline_of(const struct infer *infer, uint64_t now_ns)
{
    const struct exchange *exchange = infer->exchange;
    uint64_t longest_us = loop_server(exchange->loop)->options.request_timeout_ms * 1000u;
    uint64_t latest_ns = now_ns + longest_us * 1000u;
    uint64_t own_ns = exchange->began_ns + infer->timeout_us * 1000u;
    bool is_earlier = infer->timeout_us > 0 && infer->timeout_us <= longest_us;
    return is_earlier && own_ns < latest_ns ? own_ns : latest_ns;
}

static void submit(struct infer *infer)
{
    struct exchange *exchange = infer->exchange;
    struct job *job = &infer->job;
    job->deadline_ns = deadline_of(infer, job->submitted_ns);
    job->is_gone = is_gone;
    job->done = on_done;
    if (job->deadline_ns <= job->submitted_ns) {
        job->outcome = JOB_EXPIRED;
        finish(infer, job->submitted_ns);
        return;
    }
    switch (loop_submit(exchange->loop, job)) {
    case SUBMIT_DONE:
        finish(infer, job->submitted_ns + job->compute_ns);
        break;
    case SUBMIT_QUEUED:
        exchange_suspend(exchange);
        break;
    case SUBMIT_FULL:
        exchange_refuse(exchange, 503, "overloaded", "too many rows are waiting already");
    }
}

void infer_end(struct exchange *exchange)
{
    struct infer *infer = exchange->state;
    struct error error;
    uint64_t begun_ns = cpu_clock_ns();
    if ((infer->inflate.open && inflate_finish(&infer->inflate, &error) != STATUS_OK) ||
        infer->codec->decode(infer, &error) != STATUS_OK ||
        allocate_results(infer, &error) != STATUS_OK) {
        exchange_fail(exchange, &error);
        return;
    }
    infer->job.submitted_ns = cpu_clock_ns();
    exchange->usage.input_ns = infer->job.submitted_ns - begun_ns;
    submit(infer);
}

void infer_release(struct exchange *exchange)
{
    struct infer *infer = exchange->state;
    if (!infer)
        return;
    inflate_close(&infer->inflate);
    lift_free(&infer->lift);
    binary_free(&infer->binary);
    json_decref(infer->envelope);
    free(infer->results);
    free(infer);
}
