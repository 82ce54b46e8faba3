/* document: the small JSON bodies of requests about the server, complete before they are read. */
#ifndef RELUD_DOCUMENT_H
#define RELUD_DOCUMENT_H

#include <jansson.h>

#include "http.h"

enum { DOCUMENT_BYTES_MAX = 64 * 1024 };

/* The object in the body; the caller releases it. An empty body is an empty object, NULL follows a
 * refusal. */
json_t *document_read(struct exchange *exchange);

#endif
