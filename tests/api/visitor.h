/* visitor: clients on bare sockets that ask without a pause, so that they see how their connections
 * end. */
#ifndef RELUD_TEST_VISITOR_H
#define RELUD_TEST_VISITOR_H

#include "load.h"

struct visitor {
    pthread_t thread;
    unsigned port;
    const struct quiz *quiz;
    _Atomic bool *stop; /* NULL for none */
    size_t index;       /* of the next row */
    size_t answered;    /* with 200 */
    size_t wrong;       /* of those: not these outputs */
    size_t cut;         /* answers that came in part, or with another status */
    size_t dropped;     /* connections that ended unannounced, although the last answer was not long
                           ago, and took a request with them */
    size_t ignored;     /* connections whose first request got no answer */
};

/* They visit, each in a thread of its own, until stop is set or nobody listens at port. */
void visitors_start(struct visitor *visitors, size_t count, unsigned port, const struct quiz *quiz,
                    _Atomic bool *stop);

/* Fails the test unless everything was answered, and rightly. Connections may be ignored: those
 * that wait when nobody is left to listen. */
void visitors_join(struct visitor *visitors, size_t count);

#endif
