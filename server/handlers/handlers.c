#include "handlers.h"

#include <string.h>

int handlers_model(struct exchange *exchange)
{
    const struct registry *registry = &loop_server(exchange->loop)->registry;
    const char *name = exchange_query(exchange, "model");
    const char *version = exchange_query(exchange, "version");
    int index = name ? registry_find(registry, name) : (int)registry->default_index;
    if (index == REGISTRY_NONE) {
        exchange_refuse(exchange, 404, "unknown_model", "there is no model \"%s\"", name);
        return REGISTRY_NONE;
    }
    if (version && strcmp(version, registry->models[index].version) != 0) {
        exchange_refuse(exchange, 404, "unknown_model", "model \"%s\" has no version \"%s\"",
                        registry->models[index].name, version);
        return REGISTRY_NONE;
    }
    return index;
}
