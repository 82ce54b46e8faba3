/* envelope: the JSON around the tensors, as jansson reads it.
 *
 * A client says the same around its numbers in every request, and jansson takes as long for that as
 * a small network for the numbers. So the last envelope is kept with what it was read as, as long
 * as it is short. One thread only. */
#ifndef RELUD_ENVELOPE_H
#define RELUD_ENVELOPE_H

#include <jansson.h>
#include <stddef.h>

enum { ENVELOPE_KEPT_BYTES = 512 };

/* All zeros at first. */
struct envelope {
    char bytes[ENVELOPE_KEPT_BYTES];
    size_t count;
    json_t *json; /* owned; NULL while none is kept */
};

void envelope_free(struct envelope *kept);

/* The document in bytes, without duplicate keys: a reference that the caller gives back and does
 * not change through, for the next one may get the same. NULL where it is malformed, and *error
 * says how. */
json_t *envelope_parse(struct envelope *kept, const char *bytes, size_t count, json_error_t *error);

#endif
