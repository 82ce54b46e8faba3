#include "v2.h"

#include <errno.h>
#include <stdlib.h>

/* Digits only: what strtoull takes beyond them, a sign or a space, is refused. */
static enum status read_json_length(struct v2 *v2, struct error *error)
{
    const struct exchange *exchange = v2->infer.exchange;
    uint64_t limit = loop_server(exchange->loop)->options.max_body_bytes;
    const char *text = exchange->headers[HEADER_json_length];
    v2->json_bytes = UINT64_MAX;
    if (!text)
        return STATUS_OK;
    char *end;
    errno = 0;
    v2->json_bytes = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno || v2->json_bytes > limit)
        return error_set(error, STATUS_INVALID,
                         V2_JSON_LENGTH ": expected a number of bytes up to %llu, found \"%s\"",
                         (unsigned long long)limit, text);
    v2->raw = v2->json_bytes == 0;
    return STATUS_OK;
}

static enum status take(struct infer *infer, const char *bytes, size_t count, struct error *error)
{
    struct v2 *v2 = v2_of(infer);
    uint64_t left = v2->json_bytes - infer->lift.offset;
    size_t json = count < left ? count : (size_t)left;
    if (json > 0 && lift_feed(&infer->lift, bytes, json, error) != STATUS_OK)
        return error->status;
    if (json > 0 && json == left && v2_read_json(v2, error) != STATUS_OK)
        return error->status;
    return binary_feed(&infer->binary, bytes + json, count - json, error);
}

static enum status decode_raw(struct v2 *v2, struct error *error)
{
    struct infer *infer = &v2->infer;
    enum status status = infer_decode_raw(infer, error);
    v2->batched = !infer->model->whole || infer->job.rows > 1;
    return status;
}

static enum status decode(struct infer *infer, struct error *error)
{
    struct v2 *v2 = v2_of(infer);
    if (v2->raw)
        return decode_raw(v2, error);
    if (v2->json_bytes == UINT64_MAX && v2_read_json(v2, error) != STATUS_OK)
        return error->status;
    if (!infer->envelope)
        return error_set(error, STATUS_INVALID,
                         V2_JSON_LENGTH " announces %llu bytes of JSON, the body has %zu",
                         (unsigned long long)v2->json_bytes, infer->lift.offset);
    return v2_bind(v2, error);
}

void v2_infer_begin(struct exchange *exchange)
{
    static const struct infer_codec codec = {take, decode, v2_reply};
    struct error error;
    struct infer *infer = infer_open(exchange, &codec, sizeof(struct v2));
    if (!infer)
        return;
    struct v2 *v2 = v2_of(infer);
    exchange->tells_timing = true;
    if (read_json_length(v2, &error) != STATUS_OK) {
        exchange_fail(exchange, &error);
    } else if (v2->raw) {
        v2_want_all(v2, true);
        infer_expect_raw(infer);
    }
}
