/* routes: method and path to handler; what no route answers gets 404 or 405 with Allow. */
#ifndef RELUD_ROUTES_H
#define RELUD_ROUTES_H

#include <stddef.h>

struct exchange;

/* Called by http.c in the life of an exchange; see http.h. */
void routes_begin(struct exchange *exchange);
void routes_body(struct exchange *exchange, const char *bytes, size_t count);
void routes_end(struct exchange *exchange);
void routes_release(struct exchange *exchange);

/* The handlers */
#define ROUTE(method, path, handler) void handle_##handler(struct exchange *exchange);
#define ROUTE_BODY(method, path, handler)                                            \
    ROUTE(method, path, handler)                                                     \
    void handler##_begin(struct exchange *exchange);                                 \
    void handler##_body(struct exchange *exchange, const char *bytes, size_t count); \
    void handler##_release(struct exchange *exchange);
#include "routes.def"
#undef ROUTE
#undef ROUTE_BODY

#endif
