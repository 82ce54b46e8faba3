#include "routes.h"

#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "http.h"
#include "loop.h"
#include "pattern.h"

struct route {
    const char *method, *path;
    enum scope scopes; /* a key with any one of them will do */
    void (*begin)(struct exchange *exchange);
    void (*body)(struct exchange *exchange, const char *bytes, size_t count);
    void (*end)(struct exchange *exchange);
    void (*release)(struct exchange *exchange);
};

static const struct route routes[] = {
#define ROUTE(method, path, scope, handler) \
    {#method, path, SCOPE_##scope, NULL, NULL, handle_##handler, NULL},
#define ROUTE_INFER(method, path, scope, handler) \
    {#method, path, SCOPE_##scope, handler##_begin, infer_body, infer_end, infer_release},
#define ROUTE_DOCUMENT(method, path, scope, handler)                                        \
    {#method,         path, SCOPE_##scope, document_begin, document_body, handle_##handler, \
     document_release},
#include "routes.def"
#undef ROUTE
#undef ROUTE_INFER
#undef ROUTE_DOCUMENT
};

enum { ROUTE_COUNT = sizeof routes / sizeof routes[0] };

/* HEAD is GET without the body, which libmicrohttpd leaves out itself. */
static bool method_fits(const struct route *route, const char *method)
{
    return strcmp(route->method, strcmp(method, "HEAD") == 0 ? "GET" : method) == 0;
}

static const char *allowed(const struct route *route)
{
    return strcmp(route->method, "GET") == 0 ? "GET, HEAD" : route->method;
}

/* A captured segment as text of its own, NULL for none; false when there is no memory for it. */
static bool keep(char **text, const struct capture *capture)
{
    *text = capture->text ? strndup(capture->text, capture->length) : NULL;
    return *text || !capture->text;
}

/* The route of the exchange's path; NULL when there is none. */
static const struct route *find_route(const struct exchange *exchange, struct captures *captures)
{
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        if (pattern_fits(routes[i].path, exchange->path, captures))
            return &routes[i];
    return NULL;
}

/* Whether the client may use the route; false after refusing. */
static bool may_use(struct exchange *exchange, const struct route *route)
{
    struct auth *auth = &loop_server(exchange->loop)->auth;
    if (route->scopes == SCOPE_OPEN || !auth->path)
        return true;
    enum scope scopes = auth_scopes(auth, exchange->headers[HEADER_authorization]);
    if (scopes & route->scopes)
        return true;
    if (scopes == SCOPE_OPEN)
        exchange_refuse(exchange, 401, "unauthorized",
                        "expected a key of this server as \"Authorization: Bearer KEY\"");
    else
        exchange_refuse(exchange, 403, "forbidden", "%s takes a key of another scope",
                        exchange->path);
    return false;
}

void routes_begin(struct exchange *exchange)
{
    struct captures captures;
    exchange->catalog = loop_enter(exchange->loop);
    const struct route *route = find_route(exchange, &captures);
    if (!route) {
        exchange_refuse(exchange, 404, "not_found", "there is nothing at %s", exchange->path);
    } else if (!method_fits(route, exchange->method)) {
        exchange->allow = allowed(route);
        exchange_refuse(exchange, 405, "method_not_allowed", "%s takes %s, found %s",
                        exchange->path, exchange->allow, exchange->method);
    } else if (!may_use(exchange, route)) {
        return;
    } else if (!keep(&exchange->model, &captures.model) ||
               !keep(&exchange->version, &captures.version)) {
        exchange_refuse(exchange, 503, "out_of_memory", "no memory left for the request");
    } else {
        exchange->route = route;
        if (route->begin)
            route->begin(exchange);
    }
}

void routes_body(struct exchange *exchange, const char *bytes, size_t count)
{
    if (exchange->route->body)
        exchange->route->body(exchange, bytes, count);
}

void routes_end(struct exchange *exchange)
{
    if (loop_aborting(exchange->loop))
        exchange_refuse(exchange, 503, "draining", "the server is shutting down");
    else
        exchange->route->end(exchange);
}

void routes_release(struct exchange *exchange)
{
    if (exchange->route && exchange->route->release)
        exchange->route->release(exchange);
    if (exchange->catalog)
        loop_leave(exchange->loop, exchange->catalog);
    free(exchange->model);
    free(exchange->version);
}
