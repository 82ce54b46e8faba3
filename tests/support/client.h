/* client: HTTP towards a daemon under test, through libcurl and, for what a well-behaved client
 * never does, through a bare socket. Functions are safe in threads and assert nothing unless it
 * says so. */
#ifndef RELUD_TEST_CLIENT_H
#define RELUD_TEST_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* An answer. status is 0 when no complete one came; libcurl's reason is then in body. */
struct reply {
    long status;
    char *head; /* owned: the header's lines */
    char *body; /* owned, NUL-terminated */
    size_t body_count;
    long connects; /* connections that libcurl opened for it */
};

void reply_free(struct reply *reply);

/* The value of a header into value; "" when there is none. Returns value. */
enum { HEADER_BYTES = 256 };
const char *reply_header(const struct reply *reply, const char *name, char value[HEADER_BYTES]);

struct request {
    const char *method; /* NULL: POST with a body, GET without */
    const char *path;
    const char *headers[8]; /* lines, as curl -H takes them; ends with NULL */
    const void *body;       /* NULL for none */
    size_t body_count;
};

/* A client that keeps its connection; with authority, the path of a certificate, over TLS. */
struct client;
struct client *client_open(unsigned port);
struct client *client_open_tls(unsigned port, const char *authority);
void client_close(struct client *client);
void client_send(struct client *client, const struct request *request, struct reply *reply);

/* The same with a connection of its own. */
void client_once(unsigned port, const struct request *request, struct reply *reply);

/* GET path; POST path with a text body and no content type but curl's own. */
void client_get(unsigned port, const char *path, struct reply *reply);
void client_post(unsigned port, const char *path, const char *body, struct reply *reply);

/* The bare socket: connected, or -1. */
int wire_connect(unsigned port);

/* Sends all; false when the other end has gone. */
bool wire_send(int wire, const void *bytes, size_t count);
bool wire_text(int wire, const char *text);

/* Reads one answer: by its Content-Length, or up to the end. Of one that is not complete (status 0)
 * body holds what came. */
void wire_answer(int wire, struct reply *reply, unsigned timeout_ms);

/* Reads and throws away until the other end closes (true) or timeout_ms has passed (false). */
bool wire_closed(int wire, unsigned timeout_ms);

/* Closes with a reset instead of a goodbye. */
void wire_reset(int wire);

#endif
