/* lift_body: a whole body through a lift, in pieces. */
#ifndef RELUD_TEST_LIFT_BODY_H
#define RELUD_TEST_LIFT_BODY_H

#include "codec/lift.h"

enum { LIFT_LIMIT = 1 << 20, LIFT_PIECES = 5 };

/* Sizes of pieces worth trying; 0 for one piece. */
extern const size_t lift_pieces[LIFT_PIECES];

/* Feeds body in pieces of 1 to most bytes and finishes it; 0 for one piece. Each piece is copied to
 * memory of its exact size, so that AddressSanitizer sees a byte read too far. The caller frees the
 * lift, whatever the status. */
enum status lift_body(struct lift *lift, const char *body, size_t count, size_t most, size_t limit,
                      struct error *error);

#endif
