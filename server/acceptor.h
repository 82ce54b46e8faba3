/* acceptor: the listening socket; each connection goes to the loop with the fewest. */
#ifndef RELUD_ACCEPTOR_H
#define RELUD_ACCEPTOR_H

#include "server.h"

struct acceptor {
    int descriptor;
    char host[256];
    unsigned port; /* the one listened on, also when 0 was asked for */
    /* Connections are left to wait in the kernel. An inherited socket begins so, until the models
     * are there: another process that shares it answers meanwhile. */
    bool held;
};

enum status acceptor_open(struct acceptor *acceptor, const struct options *options,
                          struct error *error);
void acceptor_close(struct acceptor *acceptor);

/* The descriptor to poll; -1 while there is nothing to accept. */
int acceptor_descriptor(const struct acceptor *acceptor);

/* Accepts what waits, up to the limit of connections; false when the limit is reached and more may
 * wait. */
bool acceptor_accept(struct acceptor *acceptor, struct server *server);

#endif
