#include "document.h"

#include <stdlib.h>

#include "routes.h"

void document_begin(struct exchange *exchange)
{
    exchange->state = calloc(1, sizeof(struct text));
    if (!exchange->state)
        exchange_refuse(exchange, 503, "out_of_memory", "no memory left for the request");
}

void document_body(struct exchange *exchange, const char *bytes, size_t count)
{
    struct text *body = exchange->state;
    if (body->count + count > DOCUMENT_BYTES_MAX)
        exchange_refuse(exchange, 413, "too_large", "%s takes at most %d bytes", exchange->path,
                        DOCUMENT_BYTES_MAX);
    else
        text_add(body, bytes, count);
}

json_t *document_read(struct exchange *exchange)
{
    const struct text *body = exchange->state;
    json_error_t at;
    if (body->failed) {
        exchange_refuse(exchange, 503, "out_of_memory", "no memory left for the request");
        return NULL;
    }
    if (body->count == 0)
        return json_object();
    json_t *json = json_loadb(body->bytes, body->count, JSON_REJECT_DUPLICATES, &at);
    if (json_is_object(json))
        return json;
    exchange_refuse(exchange, 400, "invalid", "expected a JSON object, found %s",
                    json ? "something else" : at.text);
    json_decref(json);
    return NULL;
}

void document_release(struct exchange *exchange)
{
    if (exchange->state)
        text_free(exchange->state);
    free(exchange->state);
}
