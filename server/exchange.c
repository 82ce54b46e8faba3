/* Answers and refusals of an exchange (http.h), as far as they need no libmicrohttpd. */
#include <stdarg.h>
#include <stdio.h>

#include "complaints.h"
#include "http.h"
#include "loop.h"

void exchange_answer(struct exchange *exchange, int status, const char *content_type)
{
    exchange->status = status;
    exchange->content_type = content_type;
    if (exchange->reply.failed) {
        text_free(&exchange->reply);
        exchange->status = 503;
        exchange->json_bytes = 0;
    }
}

void exchange_refuse(struct exchange *exchange, int status, const char *code, const char *format,
                     ...)
{
    char message[ERROR_MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    exchange->reply.count = 0;
    text_put(&exchange->reply, "{\"error\":");
    text_quote(&exchange->reply, message, strlen(message));
    text_format(&exchange->reply, ",\"code\":\"%s\"}", code);
    exchange->usage.code = code;
    complaints_note(status, code, message);
    if (status == 503)
        exchange->retry_after_s = 1;
    exchange_answer(exchange, status, "application/json");
}

void exchange_fail(struct exchange *exchange, const struct error *error)
{
    static const int statuses[] = {
        [STATUS_OK] = 200,        [STATUS_INVALID] = 400,   [STATUS_UNSUPPORTED] = 415,
        [STATUS_NOT_FOUND] = 404, [STATUS_TOO_LARGE] = 413, [STATUS_OUT_OF_MEMORY] = 503,
        [STATUS_IO] = 503,
    };
    exchange_refuse(exchange, statuses[error->status], status_text(error->status), "%s",
                    error->message);
}

bool exchange_reserve(struct exchange *exchange, uint64_t bytes)
{
    if (bytes <= exchange->reserved_bytes)
        return true;
    if (purse_take(loop_purse(exchange->loop), bytes - exchange->reserved_bytes)) {
        exchange->reserved_bytes = bytes;
        return true;
    }
    exchange_refuse(exchange, 503, "overloaded",
                    "all bodies in flight may have %llu bytes together, there is no room for %llu",
                    (unsigned long long)loop_server(exchange->loop)->options.max_inflight_bytes,
                    (unsigned long long)bytes);
    return false;
}
