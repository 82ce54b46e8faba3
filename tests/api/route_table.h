/* route_table: routes.def as a table, for tests that visit every route. */
#ifndef RELUD_TESTS_ROUTE_TABLE_H
#define RELUD_TESTS_ROUTE_TABLE_H

#include "auth.h"

static const struct {
    const char *method, *path;
    enum scope scopes;
} routes[] = {
#define ROUTE(method, path, scope, handler) {#method, path, SCOPE_##scope},
#define ROUTE_INFER                         ROUTE
#define ROUTE_DOCUMENT                      ROUTE
#include "routes.def"
#undef ROUTE
#undef ROUTE_INFER
#undef ROUTE_DOCUMENT
};

enum { ROUTES = sizeof routes / sizeof routes[0] };

#endif
