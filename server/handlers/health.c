#include "handlers.h"

void handle_healthz(struct exchange *exchange)
{
    text_put(&exchange->reply, "{\"live\":true}");
    exchange_answer(exchange, 200, "application/json");
}

void handle_readyz(struct exchange *exchange)
{
    if (!handlers_ready(exchange))
        return;
    text_put(&exchange->reply, "{\"ready\":true}");
    exchange_answer(exchange, 200, "application/json");
}
