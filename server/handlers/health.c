#include "handlers.h"

void handle_healthz(struct exchange *exchange)
{
    text_put(&exchange->reply, "{\"live\":true}");
    exchange_answer(exchange, 200, "application/json");
}

void handle_readyz(struct exchange *exchange)
{
    if (atomic_load(&loop_server(exchange->loop)->phase) != PHASE_READY) {
        exchange_refuse(exchange, 503, "draining", "the server is shutting down");
        return;
    }
    text_put(&exchange->reply, "{\"ready\":true}");
    exchange_answer(exchange, 200, "application/json");
}
