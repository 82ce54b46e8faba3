/* handlers: what the handlers share. */
#ifndef RELUD_HANDLERS_H
#define RELUD_HANDLERS_H

#include "http.h"
#include "loop.h"
#include "routes.h"

/* The model that the path ({m}, {v}) or else the query (model=, version=) asks for, or the default
 * one; NULL after refusing. It lives as long as the exchange. */
struct generation *handlers_generation(struct exchange *exchange);

/* Most rows that a request to model may have. */
size_t handlers_row_limit(const struct exchange *exchange, const struct model *model);

/* Whether the server takes new work; false after refusing. */
bool handlers_ready(struct exchange *exchange);

/* Whether the request may change what is served: only with --admin, and not from a web page of
 * another origin; false after refusing. */
bool handlers_admin(struct exchange *exchange);

#endif
