/* lift_array: inside the arrays that a lift takes out; see lift.h. Places count bytes of the body.
 */
#ifndef RELUD_LIFT_ARRAY_H
#define RELUD_LIFT_ARRAY_H

#include "lift.h"

/* Behind the bracket at that opens an array. literals: true and false are allowed in it. */
enum status lift_array_begin(struct lift *lift, bool literals, size_t at, struct error *error);

/* Runs through the bytes of an array, the hot path: *at moves to its end, or to end, that of the
 * piece which begins at begin. */
enum status lift_array_feed(struct lift *lift, const char *begin, const char **at, const char *end,
                            struct error *error);

/* The next byte of a true or false. */
enum status lift_array_literal(struct lift *lift, char c, size_t at, struct error *error);

#endif
