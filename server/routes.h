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
#define ROUTE(method, path, scope, handler)       void handle_##handler(struct exchange *exchange);
#define ROUTE_INFER(method, path, scope, handler) void handler##_begin(struct exchange *exchange);
#define ROUTE_DOCUMENT                            ROUTE
#include "routes.def"
#undef ROUTE
#undef ROUTE_INFER
#undef ROUTE_DOCUMENT

/* What every request with tensors has in common; see handlers/infer.h. */
void infer_body(struct exchange *exchange, const char *bytes, size_t count);
void infer_end(struct exchange *exchange);
void infer_release(struct exchange *exchange);

/* What every request with a JSON document has in common; see handlers/document.h. */
void document_begin(struct exchange *exchange);
void document_body(struct exchange *exchange, const char *bytes, size_t count);
void document_release(struct exchange *exchange);

#endif
