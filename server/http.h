/* http: HTTP/1.1 for one loop, the only user of microhttpd.h.
 *
 * A libmicrohttpd daemon without thread or socket of its own: the loop gives it connections and
 * calls http_run() when http_descriptor() is readable. Each request is an exchange; its life:
 *
 *     routes_begin    the header is there
 *     routes_body     for every piece of the body that arrives
 *     routes_end      the request is complete; afterwards it must be answered or suspended
 *     routes_release  the answer has left, or the client has
 *
 * An answer given before the body is complete waits until the body has passed, because
 * libmicrohttpd can only then send it; a body announced as more than twice the limit is not waited
 * for. */
#ifndef RELUD_HTTP_H
#define RELUD_HTTP_H

#include <netinet/in.h>

#include "status.h"
#include "text.h"
#include "usage.h"

/* The status, as nginx calls it, of who hung up before there was an answer; nobody receives it. */
enum { HTTP_CLIENT_CLOSED = 499 };

struct catalog;
struct http;
struct ledger;
struct loop;
struct route;
struct tls;

enum header {
#define HEADER(name, text) HEADER_##name,
#include "headers.def"
#undef HEADER
    HEADER_COUNT
};

struct exchange {
    struct loop *loop;                 /* borrowed */
    const char *method, *path;         /* borrowed; path is percent-decoded */
    const char *headers[HEADER_COUNT]; /* borrowed: the first of each name; NULL for none */
    bool has_query;                    /* there are query arguments */
    struct catalog *catalog;           /* the models as they are for this request; NULL for none */
    const struct route *route;         /* NULL when there is none */
    struct ledger *ledger;             /* of the model it asks for, in catalog; NULL for none */
    struct usage_sample usage; /* filled as it becomes known, and recorded before it is answered */
    bool recorded;
    char *model, *version;    /* owned: {m} and {v} of the route's path; NULL for none */
    void *state;              /* the handler's own */
    struct text reply;        /* owned: the body of the answer */
    int status;               /* of the answer, 0 while there is none */
    const char *content_type; /* of the answer; static */
    const char *allow;        /* header Allow, NULL for none; static */
    const char *etag;         /* of a file of the page, which may be kept; NULL for none; static */
    int retry_after_s;        /* header Retry-After, 0 for none */
    size_t json_bytes;        /* header Inference-Header-Content-Length, 0 for none */
    uint64_t began_ns;        /* when the header was there */
    uint64_t body_bytes;      /* arrived so far */
    uint64_t reserved_bytes;  /* taken from the budget of all bodies */
    char made_id[17];         /* see access_request_id(); "" for none */
    void *connection;         /* http's own */
    bool tells_timing;        /* header Server-Timing, in an answer of 200 */
    bool suspended, complete;
};

/* limits a loop's HTTP keeps to. */
struct http_limits {
    uint64_t body_bytes;
    unsigned idle_s, header_s, body_ms;
    unsigned connections;
};

/* tls is borrowed until http_close(). */
enum status http_open(struct http **http, struct loop *loop, const struct http_limits *limits,
                      const struct tls *tls, struct error *error);
void http_close(struct http *http);

/* Readable when there is something to do. */
int http_descriptor(const struct http *http);

/* Milliseconds until http_run() must be called even so, -1 for never. */
int http_timeout_ms(struct http *http);

/* Takes over an accepted socket. */
void http_add(struct http *http, int descriptor, const struct sockaddr *address, socklen_t length);

/* Reads, handles and writes what is ready. */
void http_run(struct http *http);

/* Cuts off who sends too slowly; with draining, also who sends nothing. To be called every second
 * or so. */
void http_sweep(struct http *http, bool draining);

/* Open connections. */
unsigned http_connections(const struct http *http);

/* Whether the client of a complete request has hung up. One that only has shut down its own side is
 * taken for one that has. */
bool exchange_is_gone(const struct exchange *exchange);

/* The value of a query argument; NULL when there is none. */
const char *exchange_query(const struct exchange *exchange, const char *name);

/* Answers with exchange->reply as the body. */
void exchange_answer(struct exchange *exchange, int status, const char *content_type);

/* Answers {"error": …, "code": …} instead of what was in exchange->reply; code is static. */
void exchange_refuse(struct exchange *exchange, int status, const char *code, const char *format,
                     ...) __attribute__((format(printf, 4, 5)));

/* The same with an error's message, and the HTTP status that fits its status. */
void exchange_fail(struct exchange *exchange, const struct error *error);

/* Sees to it that so many bytes of the body are in the budget of all bodies in flight; false after
 * refusing. They are given back when the exchange ends. */
bool exchange_reserve(struct exchange *exchange, uint64_t bytes);

/* Parks an exchange whose answer comes later; exchange_resume() after it was answered. */
void exchange_suspend(struct exchange *exchange);
void exchange_resume(struct exchange *exchange);

#endif
