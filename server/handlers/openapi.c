#include "embedded.h"
#include "handlers.h"

void handle_openapi(struct exchange *exchange)
{
    text_put(&exchange->reply, embedded_openapi_json);
    exchange_answer(exchange, 200, "application/json");
}
