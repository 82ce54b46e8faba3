/* handlers: what the handlers share. */
#ifndef RELUD_HANDLERS_H
#define RELUD_HANDLERS_H

#include "http.h"
#include "loop.h"
#include "routes.h"

/* The model the query asks for (model=, version=), or the default one: its index. REGISTRY_NONE
 * after answering 404. */
int handlers_model(struct exchange *exchange);

#endif
