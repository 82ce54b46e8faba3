#include "metrics.h"

#include <string.h>

#include "handlers.h"

/* names=triton adds the metrics under Triton's names. */
static bool read_names(struct exchange *exchange, bool *triton)
{
    const char *names = exchange_query(exchange, "names");
    *triton = names && strcmp(names, "triton") == 0;
    if (!names || *triton)
        return true;
    exchange_refuse(exchange, 400, "invalid", "names: expected \"triton\", found \"%s\"", names);
    return false;
}

void handle_metrics(struct exchange *exchange)
{
    struct reading reading;
    bool triton;
    if (!read_names(exchange, &triton))
        return;
    if (!reading_take(&reading, loop_server(exchange->loop), exchange->catalog)) {
        exchange_refuse(exchange, 503, "out_of_memory", "no memory left for the metrics");
        return;
    }
    metrics_write(&exchange->reply, &reading, triton);
    reading_free(&reading);
    exchange_answer(exchange, 200, METRICS_CONTENT_TYPE);
}
