#include "handlers.h"

struct generation *handlers_generation(struct exchange *exchange)
{
    const struct registry *registry = &loop_server(exchange->loop)->registry;
    const bool in_path = exchange->model != NULL; /* then the query means nothing */
    const char *name = in_path ? exchange->model : exchange_query(exchange, "model");
    const char *version = in_path ? exchange->version : exchange_query(exchange, "version");
    struct generation *found = registry_find(registry, name, version);
    if (found)
        return found;
    if (version && registry_find(registry, name, NULL))
        exchange_refuse(exchange, 404, "unknown_model",
                        "Request for unknown model: '%s' version %s is not found",
                        name ? name : registry_find(registry, NULL, NULL)->model.name, version);
    else
        exchange_refuse(exchange, 404, "unknown_model",
                        "Request for unknown model: '%s' is not found", name);
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
    if (atomic_load(&loop_server(exchange->loop)->phase) == PHASE_READY)
        return true;
    exchange_refuse(exchange, 503, "draining", "the server is shutting down");
    return false;
}
