/* schema: whether JSON is what an OpenAPI document says it is. Of JSON Schema it knows what
 * server/openapi.json uses: $ref, type, enum, required, properties, additionalProperties, items.
 * Other than in JSON Schema a property that is not documented is an error, unless
 * additionalProperties allow it. */
#ifndef RELUD_TEST_SCHEMA_H
#define RELUD_TEST_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>

enum { SCHEMA_WHY_BYTES = 256 };

/* What node stands for, when it is a reference into document; else node. */
const json_t *schema_resolve(const json_t *document, const json_t *node);

/* Whether value fits schema; else why says where and why not. */
bool schema_fits(const json_t *document, const json_t *schema, const json_t *value,
                 char why[SCHEMA_WHY_BYTES]);

#endif
