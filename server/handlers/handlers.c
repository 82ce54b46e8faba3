#include "handlers.h"

struct generation *handlers_generation(struct exchange *exchange)
{
    const struct registry *registry = &loop_server(exchange->loop)->registry;
    const char *name = exchange->model ? exchange->model : exchange_query(exchange, "model");
    const char *version =
        exchange->version ? exchange->version : exchange_query(exchange, "version");
    struct generation *found = registry_find(registry, name, version);
    if (found)
        return found;
    if (registry_find(registry, name, NULL))
        exchange_refuse(exchange, 404, "unknown_model",
                        "Request for unknown model: \"%s\" has no version \"%s\"",
                        name ? name : registry_find(registry, NULL, NULL)->model.name, version);
    else
        exchange_refuse(exchange, 404, "unknown_model",
                        "Request for unknown model: there is no \"%s\"", name);
    return NULL;
}
