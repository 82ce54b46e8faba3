#include "access.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#include "cpu.h"
#include "ledger.h"
#include "log.h"
#include "loop.h"

enum { ID_CHARS_MAX = 128 };

static bool is_valid(const char *id)
{
    size_t length = 0;
    while (id[length] > ' ' && id[length] <= '~' && length <= ID_CHARS_MAX)
        length++;
    return length > 0 && length <= ID_CHARS_MAX && id[length] == '\0';
}

static bool is_logged(const struct exchange *exchange)
{
    return loop_server(exchange->loop)->options.access_log;
}

/* Nobody guesses or repeats it; should the kernel have no random numbers, the time will do. */
static void make_id(struct exchange *exchange)
{
    uint64_t number = exchange->began_ns;
    if (getrandom(&number, sizeof number, GRND_NONBLOCK) != (ssize_t)sizeof number)
        number = exchange->began_ns;
    snprintf(exchange->made_id, sizeof exchange->made_id, "%016" PRIx64, number);
}

const char *access_request_id(struct exchange *exchange)
{
    const char *id = exchange->headers[HEADER_request_id];
    if (id && is_valid(id))
        return id;
    if (!is_logged(exchange))
        return NULL;
    if (!exchange->made_id[0])
        make_id(exchange);
    return exchange->made_id;
}

void access_log(struct exchange *exchange)
{
    struct log_line line;
    if (!is_logged(exchange))
        return;
    bool is_bare = exchange->method[0] == 'H' || exchange->status == 304; /* the header only */
    log_begin(&line, LOG_INFO, "request");
    log_text(&line, "method", exchange->method);
    log_text(&line, "path", exchange->path);
    log_number(&line, "status", exchange->status ? (uint64_t)exchange->status : HTTP_CLIENT_CLOSED);
    log_number(&line, "bytes", is_bare ? 0 : exchange->reply.count);
    log_number(&line, "duration_us", (cpu_clock_ns() - exchange->began_ns) / 1000);
    log_text(&line, "model", exchange->ledger ? exchange->ledger->name : "");
    log_number(&line, "rows", exchange->usage.rows);
    log_text(&line, "request_id", access_request_id(exchange));
    log_end(&line);
}
