#include "native.h"

#define OCTETS "application/octet-stream"

static enum status take(struct infer *infer, const char *bytes, size_t count, struct error *error)
{
    return native_of(infer)->raw_body ? binary_feed(&infer->binary, bytes, count, error)
                                      : lift_feed(&infer->lift, bytes, count, error);
}

void native_begin(struct exchange *exchange)
{
    static const struct infer_codec codec = {take, native_decode, native_reply};
    struct infer *infer = infer_open(exchange, &codec, sizeof(struct native));
    if (!infer)
        return;
    struct native *native = native_of(infer);
    native->raw_body = infer_is_type(exchange->headers[HEADER_content_type], OCTETS);
    native->raw_reply = infer_is_type(exchange->headers[HEADER_accept], OCTETS);
    exchange->tells_timing = native->raw_reply; /* JSON has timing_us */
    infer->stats = native->raw_reply ? INFER_NONE : INFER_SUMMARY;
    if (native->raw_body)
        infer_expect_raw(infer);
}
