/* connection: a socket from its acceptance to its end, and when its client has used up the patience
 * of the server. */
#ifndef RELUD_CONNECTION_H
#define RELUD_CONNECTION_H

#include "http.h"

struct connection {
    struct connection *next, *previous;
    int descriptor;
    void *handshake;           /* the TLS session until its handshake is done; NULL for none */
    struct exchange *exchange; /* the request being read or answered; NULL between requests */
    uint64_t idle_since_ns;    /* when it was first seen without a request; 0 for not yet */
    bool known;                /* received_bytes below is meaningful */
    uint64_t received_bytes;   /* when the connection was last seen idle */
    uint64_t header_since_ns;  /* when bytes of a new header were first seen; 0 for none */
};

/* Those of a loop. */
struct connections {
    struct connection *first;
    unsigned count;
};

/* NULL without memory. The socket and its TLS session (NULL for none) are somebody else's. */
struct connection *connection_open(struct connections *connections, int descriptor, void *session);
void connection_close(struct connections *connections, struct connection *connection);

/* The client of a complete request has hung up. */
bool connection_is_gone(const struct connection *connection);

/* Whether the connection is to be ended: its client sends a handshake, header or body too slowly or
 * has gone in the middle of one; while draining, also when nothing has been sent for a moment. To
 * be asked every second or so. */
bool connection_overstays(struct connection *connection, const struct http_limits *limits,
                          uint64_t now_ns, bool draining);

#endif
