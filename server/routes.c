#include "routes.h"

#include <stdio.h>
#include <string.h>

#include "http.h"

struct route {
    const char *method, *path;
    void (*begin)(struct exchange *exchange);
    void (*body)(struct exchange *exchange, const char *bytes, size_t count);
    void (*end)(struct exchange *exchange);
    void (*release)(struct exchange *exchange);
};

static const struct route routes[] = {
#define ROUTE(method, path, handler) {#method, path, NULL, NULL, handle_##handler, NULL},
#define ROUTE_BODY(method, path, handler) \
    {#method, path, handler##_begin, handler##_body, handle_##handler, handler##_release},
#include "routes.def"
#undef ROUTE
#undef ROUTE_BODY
};

enum { ROUTE_COUNT = sizeof routes / sizeof routes[0] };

/* HEAD is GET without the body, which libmicrohttpd leaves out itself. */
static int method_fits(const struct route *route, const char *method)
{
    return strcmp(route->method, strcmp(method, "HEAD") == 0 ? "GET" : method) == 0;
}

static const char *allowed(const struct route *route)
{
    return strcmp(route->method, "GET") == 0 ? "GET, HEAD" : route->method;
}

void routes_begin(struct exchange *exchange)
{
    const char *allow = NULL;
    for (size_t i = 0; i < ROUTE_COUNT && !exchange->route; i++) {
        if (strcmp(routes[i].path, exchange->path) != 0)
            continue;
        allow = allowed(&routes[i]);
        if (method_fits(&routes[i], exchange->method))
            exchange->route = &routes[i];
    }
    if (exchange->route) {
        if (exchange->route->begin)
            exchange->route->begin(exchange);
        return;
    }
    exchange->allow = allow;
    if (allow)
        exchange_refuse(exchange, 405, "method_not_allowed", "%s takes %s, found %s",
                        exchange->path, allow, exchange->method);
    else
        exchange_refuse(exchange, 404, "not_found", "there is nothing at %s", exchange->path);
}

void routes_body(struct exchange *exchange, const char *bytes, size_t count)
{
    if (exchange->route->body)
        exchange->route->body(exchange, bytes, count);
}

void routes_end(struct exchange *exchange)
{
    exchange->route->end(exchange);
}

void routes_release(struct exchange *exchange)
{
    if (exchange->route && exchange->route->release)
        exchange->route->release(exchange);
}
