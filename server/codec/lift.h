/* lift: takes the tensors out of a JSON body while it arrives.
 *
 * jansson reads every JSON document, but on tensors it costs 40 to 75 times what the network itself
 * does. So the wholly numeric arrays at $.inputs, $.inputs.<name> and $.inputs[*].data go straight
 * into a buffer of floats, and an integer, the array's index, takes their place in the envelope
 * that jansson parses afterwards. A plain number at such a place is refused, so an integer there is
 * always ours.
 *
 * Grammar inside a lifted array is checked here, everything else by jansson. Numbers are decimals
 * rounded to double, then to float32, as NumPy does; beyond float32's range is an error. At
 * $.inputs[*].data true and false are lifted too, as 1 and 0: only there a datatype may allow them.
 */
#ifndef RELUD_LIFT_H
#define RELUD_LIFT_H

#include <stdbool.h>

#include "number.h"
#include "status.h"
#include "tensor.h"
#include "text.h"

enum { LIFT_DEPTH_MAX = 64, LIFT_ARRAYS_MAX = 64, LIFT_ENVELOPE_BYTES_MAX = 1 << 20 };

/* One lifted array: count numbers from first on, nested depth deep. */
struct lift_array {
    size_t first, count;
    size_t depth;                 /* 1 for [1, 2], 2 for [[1], [2]] */
    size_t dims[TENSOR_RANK_MAX]; /* lengths, as the first list of each depth has them */
    size_t row_count;             /* numbers in row 0 */
    size_t odd_row, odd_count;    /* the first row with another count of numbers; 0 for none */
    bool ragged;       /* a list deeper than the rows has another length than the first */
    size_t ragged_row; /* … in this row */
    bool literals;     /* there is a true or false among the numbers */
};

enum lift_mode { LIFT_ENVELOPE, LIFT_STRING, LIFT_OPENED, LIFT_ARRAY, LIFT_LITERAL };

struct lift {
    struct text envelope; /* owned; the JSON with integers for arrays */
    float *numbers;       /* owned */
    size_t count;         /* numbers seen; only the first limit of them are kept */
    size_t capacity, limit;
    struct lift_array *arrays; /* owned */
    size_t array_count;
    /* the state of the scanner; see lift.c and lift_array.c */
    enum lift_mode mode;
    size_t offset; /* bytes of the body before this piece */
    uint8_t roles[LIFT_DEPTH_MAX];
    size_t depth;
    bool escaped, string_escapes, after_value, has_key, need_value;
    size_t string_first; /* where in the envelope the last string began */
    size_t key_first, key_count;
    size_t array_depth;
    size_t lengths[TENSOR_RANK_MAX];
    bool leaf_known, may_be_literal;
    size_t row_first;
    struct text token;   /* owned: a number cut by the end of a piece */
    const char *literal; /* what is left of a true or false; static */
    bool literal_value;
};

/* limit: how many numbers are kept; more are counted, not stored. */
void lift_init(struct lift *lift, size_t limit);
void lift_free(struct lift *lift);

/* The next piece of the body. After an error the lift is of no more use. */
enum status lift_feed(struct lift *lift, const char *bytes, size_t count, struct error *error);

/* The body is complete. */
enum status lift_finish(struct lift *lift, struct error *error);

#endif
