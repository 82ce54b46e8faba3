#include "lift_body.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "randoms.h"

const size_t lift_pieces[LIFT_PIECES] = {0, 1, 2, 5, 40};

enum status lift_body(struct lift *lift, const char *body, size_t count, size_t most, size_t limit,
                      struct error *error)
{
    struct randoms random = {88172645463325252u};
    enum status status = STATUS_OK;
    lift_init(lift, limit);
    for (size_t at = 0; at < count && status == STATUS_OK;) {
        size_t piece = most ? random_between(&random, 1, most) : count;
        piece = piece < count - at ? piece : count - at;
        char *copy = malloc(piece);
        cr_assert(copy);
        memcpy(copy, body + at, piece);
        status = lift_feed(lift, copy, piece, error);
        free(copy);
        at += piece;
    }
    return status == STATUS_OK ? lift_finish(lift, error) : status;
}
