/* handlers: what the handlers share. */
#ifndef RELUD_HANDLERS_H
#define RELUD_HANDLERS_H

#include "http.h"
#include "loop.h"
#include "routes.h"

/* The model that the path ({m}, {v}) or else the query (model=, version=) asks for, or the default
 * one; NULL after refusing. It lives as long as the exchange. */
struct generation *handlers_generation(struct exchange *exchange);

#endif
