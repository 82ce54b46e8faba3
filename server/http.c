#include "http.h"

#include <ctype.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "access.h"
#include "connection.h"
#include "cpu.h"
#include "log.h"
#include "loop.h"
#include "number.h"
#include "routes.h"
#include "tls.h"

/* Memory of a connection for header and body pieces: a longer header is refused. libmicrohttpd
 * clears it after every request: 256 KiB would cost more than half of the requests per second; with
 * 8 KiB small requests gain nothing, and large ones lose 8 % (measured). */
enum { CONNECTION_MEMORY_BYTES = 16 * 1024 };

/* Of a body that found no room twice so much is let pass unread, which keeps the connection. */
enum { UNWANTED_BODY_BYTES = 32 * 1024 };

struct http {
    struct MHD_Daemon *daemon;
    struct loop *loop;
    struct http_limits limits;
    struct connections connections;
};

/* Answers */

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    MHD_add_response_header(response, name, value);
}

/* 0 for no header. */
static void add_number_header(struct MHD_Response *response, const char *name, size_t value)
{
    char digits[NUMBER_U64_CHARS + 1] = "";
    if (value == 0)
        return;
    digits[number_write_u64(digits, value)] = '\0';
    add_header(response, name, digits);
}

/* Nanoseconds as milliseconds with three decimals; returns the end. */
static char *write_ms(char *to, uint64_t ns)
{
    uint64_t us = ns / 1000;
    to += number_write_u64(to, us / 1000);
    *to++ = '.';
    for (uint64_t unit = 100; unit > 0; unit /= 10)
        *to++ = (char)('0' + us / unit % 10);
    return to;
}

/* What an inference took, for browsers and load generators (W3C Server Timing). */
static void add_timing_header(struct MHD_Response *response, const struct usage_sample *usage)
{
    char value[2 * NUMBER_U64_CHARS + 64], *to = value;
    to = write_ms(stpcpy(to, "queue;dur="), usage->queue_ns);
    to = write_ms(stpcpy(to, ", compute;dur="), usage->infer_ns);
    *to = '\0';
    add_header(response, "Server-Timing", value);
}

/* Once, whether or not the client is still there to be answered. */
static void record(struct exchange *exchange)
{
    if (exchange->recorded || exchange->status == 0)
        return;
    exchange->recorded = true;
    exchange->usage.status = exchange->status;
    if (exchange->usage.total_ns == 0)
        exchange->usage.total_ns = cpu_clock_ns() - exchange->began_ns;
    loop_record(exchange->loop, exchange->ledger, &exchange->usage);
}

/* The page is made of its own files, asks this server only, and tells nobody where it was. */
static void add_page_headers(struct MHD_Response *response, const char *etag)
{
    char quoted[80];
    snprintf(quoted, sizeof quoted, "\"%s\"", etag);
    add_header(response, "ETag", quoted);
    add_header(response, "Cache-Control", "no-cache");
    add_header(response, "Referrer-Policy", "no-referrer");
    add_header(response, "Content-Security-Policy",
               "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
               "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
}

/* What else a browser shows is not guessed at, framed, kept or run as a page of this origin.
 * Answers to POST are left as they are: nobody navigates to them, and each header costs its time.
 */
static void add_browser_headers(struct MHD_Response *response, const struct exchange *exchange)
{
    if (strcmp(exchange->method, "GET") != 0 && strcmp(exchange->method, "HEAD") != 0)
        return;
    add_header(response, "X-Content-Type-Options", "nosniff");
    if (exchange->etag) {
        add_page_headers(response, exchange->etag);
        return;
    }
    add_header(response, "Cache-Control", "no-store");
    add_header(response, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
}

/* The reply stays in the exchange until the exchange is released, after the response. */
static enum MHD_Result send_answer(struct exchange *exchange)
{
    struct MHD_Connection *connection = exchange->connection;
    struct MHD_Response *response = MHD_create_response_from_buffer(
        exchange->reply.count, exchange->reply.bytes, MHD_RESPMEM_PERSISTENT);
    record(exchange);
    if (!response)
        return MHD_NO;
    add_header(response, "Content-Type", exchange->content_type);
    if (exchange->allow)
        add_header(response, "Allow", exchange->allow);
    add_number_header(response, "Retry-After", (size_t)exchange->retry_after_s);
    add_number_header(response, "Inference-Header-Content-Length", exchange->json_bytes);
    if (exchange->status == MHD_HTTP_UNAUTHORIZED)
        add_header(response, "WWW-Authenticate", "Bearer");
    add_browser_headers(response, exchange);
    if (loop_draining(exchange->loop))
        add_header(response, "Connection", "close");
    if (exchange->tells_timing && exchange->status == MHD_HTTP_OK)
        add_timing_header(response, &exchange->usage);
    const char *id = access_request_id(exchange);
    if (id)
        add_header(response, "X-Request-Id", id);
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)exchange->status, response);
    MHD_destroy_response(response);
    return result;
}

void exchange_suspend(struct exchange *exchange)
{
    exchange->suspended = true;
    MHD_suspend_connection(exchange->connection);
}

void exchange_resume(struct exchange *exchange)
{
    exchange->suspended = false;
    MHD_resume_connection(exchange->connection);
}

const char *exchange_query(const struct exchange *exchange, const char *name)
{
    return exchange->has_query
               ? MHD_lookup_connection_value(exchange->connection, MHD_GET_ARGUMENT_KIND, name)
               : NULL;
}

/* Requests */

static struct connection *connection_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void refuse_body(struct exchange *exchange, uint64_t limit)
{
    exchange_refuse(exchange, MHD_HTTP_CONTENT_TOO_LARGE, "too_large",
                    "the body is longer than %llu bytes", (unsigned long long)limit);
}

/* Whether the answer must leave before the body has arrived: a client that asks first has not sent
 * it yet, and one that announces more than twice what would be let pass will not be listened to. */
static bool answers_early(const struct exchange *exchange, uint64_t announced, uint64_t passed)
{
    return exchange->status &&
           (announced / 2 > passed || (announced > 0 && exchange->headers[HEADER_expect]));
}

static enum MHD_Result begin(struct http *http, struct MHD_Connection *raw,
                             struct exchange *exchange)
{
    uint64_t limit = http->limits.body_bytes;
    const char *length = exchange->headers[HEADER_content_length];
    uint64_t announced = length ? strtoull(length, NULL, 10) : 0;
    struct connection *connection = connection_of(raw);
    if (!connection)
        return MHD_NO;
    connection->exchange = exchange;
    connection->header_since_ns = 0;
    if (announced > limit)
        refuse_body(exchange, limit);
    else
        routes_begin(exchange);
    bool fits = exchange->status || exchange_reserve(exchange, announced);
    uint64_t passed = fits ? limit : UNWANTED_BODY_BYTES;
    return answers_early(exchange, announced, passed) ? send_answer(exchange) : MHD_YES;
}

/* Beyond the limit a body is thrown away, beyond twice the limit the connection. */
static enum MHD_Result take_body(const struct http *http, struct exchange *exchange,
                                 const char *bytes, size_t count)
{
    uint64_t limit = http->limits.body_bytes;
    exchange->body_bytes += count;
    if (exchange->body_bytes / 2 > limit)
        return MHD_NO;
    if (exchange->body_bytes > limit && !exchange->status)
        refuse_body(exchange, limit);
    if (!exchange->status && exchange_reserve(exchange, exchange->body_bytes))
        routes_body(exchange, bytes, count);
    return MHD_YES;
}

/* All are looked at once: to look each of them up takes longer. */
static enum MHD_Result note_value(void *context, enum MHD_ValueKind kind, const char *name,
                                  size_t name_length, const char *value, size_t value_length)
{
    static const struct {
        const char *text;
        size_t length;
    } known[HEADER_COUNT] = {
#define HEADER(name, text) [HEADER_##name] = {text, sizeof text - 1},
#include "headers.def"
#undef HEADER
    };
    struct exchange *exchange = context;
    (void)value_length;
    exchange->has_query |= kind == MHD_GET_ARGUMENT_KIND;
    if (kind != MHD_HEADER_KIND)
        return MHD_YES;
    for (size_t i = 0; i < HEADER_COUNT; i++)
        if (name_length == known[i].length && !exchange->headers[i] &&
            strcasecmp(name, known[i].text) == 0)
            exchange->headers[i] = value;
    return MHD_YES;
}

static struct exchange *new_exchange(struct http *http, struct MHD_Connection *connection,
                                     const char *method, const char *path)
{
    struct exchange *exchange = malloc(sizeof *exchange);
    if (!exchange)
        return NULL;
    *exchange = (struct exchange){.loop = http->loop,
                                  .method = method,
                                  .path = path,
                                  .began_ns = cpu_clock_ns(),
                                  .connection = connection};
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND | MHD_GET_ARGUMENT_KIND, note_value,
                                exchange);
    return exchange;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *upload, size_t *upload_count, void **slot)
{
    struct http *http = context;
    struct exchange *exchange = *slot;
    (void)version;
    if (!exchange) {
        *slot = exchange = new_exchange(http, connection, method, path);
        return exchange ? begin(http, connection, exchange) : MHD_NO;
    }
    if (*upload_count > 0) {
        size_t count = *upload_count;
        *upload_count = 0;
        return take_body(http, exchange, upload, count);
    }
    exchange->complete = true;
    if (!exchange->status && !exchange->suspended)
        routes_end(exchange);
    return exchange->status ? send_answer(exchange) : MHD_YES;
}

static void on_completed(void *context, struct MHD_Connection *raw, void **slot,
                         enum MHD_RequestTerminationCode code)
{
    struct exchange *exchange = *slot;
    struct connection *connection = connection_of(raw);
    (void)context;
    (void)code;
    if (connection) {
        connection->exchange = NULL;
        connection->known = false;
        connection->idle_since_ns = 0;
    }
    if (!exchange)
        return;
    record(exchange);
    access_log(exchange);
    routes_release(exchange);
    purse_give(loop_purse(exchange->loop), exchange->reserved_bytes);
    text_free(&exchange->reply);
    free(exchange);
    *slot = NULL;
}

/* Connections */

static void open_connection(struct http *http, struct MHD_Connection *raw, void **slot)
{
    const union MHD_ConnectionInfo *socket =
        MHD_get_connection_info(raw, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *session =
        MHD_get_connection_info(raw, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    *slot = connection_open(&http->connections, socket->connect_fd,
                            session ? session->tls_session : NULL);
}

static void on_connection(void *context, struct MHD_Connection *raw, void **slot,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *http = context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        open_connection(http, raw, slot);
    else if (*slot)
        connection_close(&http->connections, *slot);
    loop_connections_changed(http->loop);
}

/* libmicrohttpd's own messages (a client's bad request, mostly) are for debugging. */
static void on_message(void *context, const char *format, va_list args)
{
    char message[ERROR_MESSAGE_BYTES];
    (void)context;
    int length = vsnprintf(message, sizeof message, format, args);
    if (length > 0 && length < (int)sizeof message && message[length - 1] == '\n')
        message[length - 1] = '\0';
    log_event(LOG_DEBUG, "microhttpd", "message", message);
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10 : -1;
}

/* Decodes %XX, but leaves %00: a NUL would end the text early and make another name of it. */
static size_t unescape(void *context, struct MHD_Connection *connection, char *text)
{
    char *to = text;
    (void)context;
    (void)connection;
    for (const char *from = text; *from;) {
        bool escaped = from[0] == '%' && hex(from[1]) >= 0 && hex(from[2]) >= 0;
        int byte = escaped ? hex(from[1]) * 16 + hex(from[2]) : 0;
        *to++ = byte ? (char)byte : *from;
        from += byte ? 3 : 1;
    }
    *to = '\0';
    return (size_t)(to - text);
}

/* The daemon; NULL when libmicrohttpd does not start. */
static struct MHD_Daemon *start(struct http *http, const struct tls *tls)
{
    const unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC |
                           MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME;
    const struct MHD_OptionItem encrypted[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, tls->certificate},
                                               {MHD_OPTION_HTTPS_MEM_KEY, 0, tls->key},
                                               {MHD_OPTION_HTTPS_PRIORITIES, 0, TLS_PRIORITIES},
                                               {MHD_OPTION_END, 0, NULL}};
    const struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};
    return MHD_start_daemon(
        tls->key ? flags | MHD_USE_TLS : flags, 0, NULL, NULL, on_request, http,
        MHD_OPTION_EXTERNAL_LOGGER, on_message, http, MHD_OPTION_UNESCAPE_CALLBACK, unescape, http,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, http, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, http, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
        MHD_OPTION_CONNECTION_LIMIT, http->limits.connections, MHD_OPTION_CONNECTION_TIMEOUT,
        http->limits.idle_s, MHD_OPTION_ARRAY, tls->key ? encrypted : plain, MHD_OPTION_END);
}

enum status http_open(struct http **made, struct loop *loop, const struct http_limits *limits,
                      const struct tls *tls, struct error *error)
{
    struct http *http = calloc(1, sizeof *http);
    if (!http)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for a loop");
    http->loop = loop;
    http->limits = *limits;
    http->daemon = start(http, tls);
    if (!http->daemon) {
        free(http);
        return error_set(error, STATUS_IO, "libmicrohttpd does not start");
    }
    *made = http;
    return STATUS_OK;
}

void http_close(struct http *http)
{
    MHD_stop_daemon(http->daemon);
    free(http);
}

int http_descriptor(const struct http *http)
{
    return MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

int http_timeout_ms(struct http *http)
{
    MHD_UNSIGNED_LONG_LONG timeout;
    if (MHD_get_timeout(http->daemon, &timeout) != MHD_YES)
        return -1;
    return timeout > INT32_MAX ? INT32_MAX : (int)timeout;
}

void http_add(struct http *http, int descriptor, const struct sockaddr *address, socklen_t length)
{
    if (MHD_add_connection(http->daemon, descriptor, address, length) != MHD_YES)
        log_event(LOG_WARNING, "connection refused", "reason", strerror(errno));
}

void http_run(struct http *http)
{
    MHD_run(http->daemon);
}

bool exchange_is_gone(const struct exchange *exchange)
{
    const struct connection *connection = connection_of(exchange->connection);
    return !connection || connection_is_gone(connection);
}

void http_sweep(struct http *http, bool draining)
{
    uint64_t now = cpu_clock_ns();
    for (struct connection *c = http->connections.first; c; c = c->next)
        if (connection_overstays(c, &http->limits, now, draining))
            shutdown(c->descriptor, SHUT_RDWR);
}

unsigned http_connections(const struct http *http)
{
    return http->connections.count;
}
