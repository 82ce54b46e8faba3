#include "handlers.h"
#include "model/describe.h"

void handle_models(struct exchange *exchange)
{
    const struct registry *registry = &loop_server(exchange->loop)->registry;
    text_put(&exchange->reply, "{\"models\":[");
    for (size_t i = 0; i < registry->count; i++) {
        text_put(&exchange->reply, i ? ",{" : "{");
        describe_signature(&exchange->reply, &registry->generations[i]->model);
        text_format(&exchange->reply, ",\"state\":\"ready\",\"default\":%s}",
                    i == registry->default_index ? "true" : "false");
    }
    text_put(&exchange->reply, "]}");
    exchange_answer(exchange, 200, "application/json");
}
