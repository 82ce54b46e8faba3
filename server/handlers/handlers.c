#include "handlers.h"

#include <strings.h>

static void refuse_unknown(struct exchange *exchange, const char *name, const char *version)
{
    const struct entry *other = catalog_find(exchange->catalog, name, NULL);
    if (other)
        exchange_refuse(exchange, 404, "unknown_model",
                        "Request for unknown model: '%s' version %s is not found", other->name,
                        version);
    else if (name)
        exchange_refuse(exchange, 404, "unknown_model",
                        "Request for unknown model: '%s' is not found", name);
    else
        exchange_refuse(exchange, 404, "unknown_model",
                        "Request for unknown model: none is named, and there is no default one");
}

struct generation *handlers_generation(struct exchange *exchange)
{
    const bool in_path = exchange->model != NULL; /* then the query means nothing */
    const char *name = in_path ? exchange->model : exchange_query(exchange, "model");
    const char *version = in_path ? exchange->version : exchange_query(exchange, "version");
    const struct entry *entry = catalog_find(exchange->catalog, name, version);
    if (entry)
        exchange->ledger = entry->ledger;
    if (!entry)
        refuse_unknown(exchange, name, version);
    else if (entry->state == MODEL_LOADING)
        exchange_refuse(exchange, 503, "loading", "model \"%s\" is still loading", entry->name);
    else if (entry->state == MODEL_UNAVAILABLE)
        exchange_refuse(exchange, 503, "unavailable", "model \"%s\" is unavailable: %s",
                        entry->name, entry->reason);
    else
        return entry->generation;
    return NULL;
}

size_t handlers_row_limit(const struct exchange *exchange, const struct model *model)
{
    size_t limit = loop_server(exchange->loop)->options.max_batch_rows;
    size_t own = model->max_batch_rows;
    return own > 0 && own < limit ? own : limit;
}

bool handlers_ready(struct exchange *exchange)
{
    enum phase phase = atomic_load(&loop_server(exchange->loop)->phase);
    if (phase == PHASE_LOADING)
        exchange_refuse(exchange, 503, "loading", "the models are still loading");
    else if (phase != PHASE_READY)
        exchange_refuse(exchange, 503, "draining", "the server is shutting down");
    return phase == PHASE_READY;
}

/* Browsers say with every POST whose page it is from: "http://host:port", or "null". */
static bool is_own_origin(const struct exchange *exchange, const char *origin)
{
    const char *host = exchange->headers[HEADER_host];
    const char *of_page = strstr(origin, "://");
    return host && of_page && strcasecmp(of_page + strlen("://"), host) == 0;
}

bool handlers_admin(struct exchange *exchange)
{
    const char *origin = exchange->headers[HEADER_origin];
    if (!loop_server(exchange->loop)->options.admin)
        exchange_refuse(exchange, 403, "forbidden", "%s takes a server that runs with --admin",
                        exchange->path);
    else if (origin && !is_own_origin(exchange, origin))
        exchange_refuse(exchange, 403, "forbidden", "%s is not for pages of the origin \"%s\"",
                        exchange->path, origin);
    return exchange->status == 0;
}
