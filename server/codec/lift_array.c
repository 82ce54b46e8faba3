#include "lift_array.h"

#include <math.h>
#include <stdlib.h>

#include "lift.h"

/* Small enough for malloc's fastest bins; bodies that need more grow by leaps. */
enum { LIFT_FIRST_NUMBERS = 224, LIFT_GROWTH = 4 };

static enum status fail(struct error *error, size_t at, const char *what)
{
    return error_set(error, STATUS_INVALID, "malformed JSON at byte %zu: %s", at, what);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static enum status open_list(struct lift *lift, size_t at, struct error *error)
{
    struct lift_array *array = &lift->arrays[lift->array_count - 1];
    if (lift->array_depth == TENSOR_RANK_MAX)
        return error_set(error, STATUS_INVALID, "inputs: nested more than %d deep at byte %zu",
                         TENSOR_RANK_MAX, at);
    if (lift->leaf_known && lift->array_depth >= array->depth)
        return error_set(error, STATUS_INVALID,
                         "inputs: expected numbers at byte %zu, as before, found a list", at);
    lift->lengths[lift->array_depth++] = 0;
    if (lift->array_depth == 2)
        lift->row_first = lift->count;
    return STATUS_OK;
}

enum status lift_array_begin(struct lift *lift, bool literals, size_t at, struct error *error)
{
    if (lift->array_count == LIFT_ARRAYS_MAX)
        return error_set(error, STATUS_INVALID, "expected at most %d inputs", LIFT_ARRAYS_MAX);
    struct lift_array *arrays =
        realloc(lift->arrays, (lift->array_count + 1) * sizeof *lift->arrays);
    if (!arrays)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the inputs");
    lift->arrays = arrays;
    arrays[lift->array_count++] = (struct lift_array){.first = lift->count};
    lift->mode = LIFT_ARRAY;
    lift->array_depth = 0;
    lift->may_be_literal = literals;
    lift->leaf_known = false;
    lift->after_value = false;
    lift->need_value = false;
    return open_list(lift, at, error);
}

/* Takes the length of the list that ends here, and of the row when it is one. */
static void note_length(struct lift *lift, struct lift_array *array)
{
    size_t depth = lift->array_depth - 1;
    size_t row = lift->lengths[0];
    if (row == 0 && array->dims[depth] == 0)
        array->dims[depth] = lift->lengths[depth];
    if (depth > 1 && array->dims[depth] != lift->lengths[depth] && !array->ragged) {
        array->ragged = true;
        array->ragged_row = row;
    }
    if (depth != 1)
        return;
    size_t count = lift->count - lift->row_first;
    if (row == 0)
        array->row_count = count;
    else if (count != array->row_count && array->odd_row == 0) {
        array->odd_row = row;
        array->odd_count = count;
    }
    if (array->depth > 2 && array->dims[1] != lift->lengths[1] && !array->ragged) {
        array->ragged = true;
        array->ragged_row = row;
    }
}

static void end_array(struct lift *lift)
{
    struct lift_array *array = &lift->arrays[lift->array_count - 1];
    array->dims[0] = lift->lengths[0];
    array->count = lift->count - array->first;
    if (array->depth == 0)
        array->depth = 1;
    text_put(&lift->envelope, " ");
    text_u64(&lift->envelope, lift->array_count - 1);
    text_put(&lift->envelope, " ");
    lift->mode = LIFT_ENVELOPE;
}

static enum status close_list(struct lift *lift, size_t at, struct error *error)
{
    struct lift_array *array = &lift->arrays[lift->array_count - 1];
    if (lift->need_value)
        return fail(error, at, "a number must follow a comma");
    if (!lift->leaf_known && lift->array_depth > 1) {
        array->depth = lift->array_depth;
        lift->leaf_known = true;
    }
    note_length(lift, array);
    lift->array_depth--;
    lift->after_value = true;
    if (lift->array_depth == 0)
        end_array(lift);
    else
        lift->lengths[lift->array_depth - 1]++;
    return STATUS_OK;
}

static bool reserve(struct lift *lift)
{
    size_t capacity = lift->capacity ? lift->capacity * LIFT_GROWTH : LIFT_FIRST_NUMBERS;
    float *numbers = realloc(lift->numbers, capacity * sizeof *numbers);
    if (!numbers)
        return false;
    lift->numbers = numbers;
    lift->capacity = capacity;
    return true;
}

/* Takes numbers that are stored already, as far as they are kept, and whether a comma follows. */
static void note_numbers(struct lift *lift, size_t count, bool open)
{
    lift->count += count;
    lift->lengths[lift->array_depth - 1] += count;
    lift->after_value = !open;
    lift->need_value = open;
}

/* *room: how many numbers may be stored from the next on; 0 when it is to be counted only. */
static enum status make_room(struct lift *lift, size_t *room, struct error *error)
{
    if (lift->count == lift->capacity && lift->count < lift->limit && !reserve(lift))
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the inputs");
    size_t kept = lift->capacity < lift->limit ? lift->capacity : lift->limit;
    *room = lift->count < kept ? kept - lift->count : 0;
    return STATUS_OK;
}

static enum status add_number(struct lift *lift, float value, size_t at, struct error *error)
{
    size_t room;
    if (isinf(value))
        return error_set(error, STATUS_INVALID,
                         "inputs: row %zu: the number at byte %zu is beyond float32's range",
                         lift->array_depth > 1 ? lift->lengths[0] : 0, at);
    enum status status = make_room(lift, &room, error);
    if (status != STATUS_OK)
        return status;
    if (room > 0)
        lift->numbers[lift->count] = value;
    note_numbers(lift, 1, false);
    return STATUS_OK;
}

/* What is allowed before a number: its depth must be that of the numbers before it. */
static enum status check_number(struct lift *lift, size_t at, struct error *error)
{
    struct lift_array *array = &lift->arrays[lift->array_count - 1];
    if (lift->after_value)
        return fail(error, at, "expected a comma or ]");
    if (!lift->leaf_known) {
        array->depth = lift->array_depth;
        lift->leaf_known = true;
    }
    if (array->depth != lift->array_depth)
        return error_set(error, STATUS_INVALID,
                         "inputs: expected a list at byte %zu, as before, found a number", at);
    return STATUS_OK;
}

static bool is_number_byte(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* Keeps the part of a number that this piece holds; the next one goes on with it. */
static enum status keep_token(struct lift *lift, const char *from, size_t count, size_t at,
                              struct error *error)
{
    if (count > NUMBER_TOKEN_MAX - lift->token.count)
        return error_set(error, STATUS_INVALID,
                         "inputs: the number at byte %zu has more than %d characters", at,
                         NUMBER_TOKEN_MAX);
    text_add(&lift->token, from, count);
    return STATUS_OK;
}

static enum status bad_number(struct error *error, size_t at)
{
    return error_set(error, STATUS_INVALID, "inputs: expected a JSON number at byte %zu", at);
}

/* Goes on with a number that was cut; *at moves behind what belongs to it. */
static enum status resume_token(struct lift *lift, const char **at, const char *end,
                                struct error *error)
{
    const char *from = *at;
    while (*at < end && is_number_byte(**at))
        ++*at;
    enum status status = keep_token(lift, from, (size_t)(*at - from), lift->offset, error);
    if (status != STATUS_OK || *at == end)
        return status;
    float value;
    const char *token_end = lift->token.bytes + lift->token.count;
    size_t place = lift->offset + (size_t)(*at - from) - lift->token.count;
    if (number_read_float(lift->token.bytes, token_end, &value) != token_end)
        return bad_number(error, place);
    lift->token.count = 0;
    return add_number(lift, value, place, error);
}

/* Reads one number at *at, or keeps it when the piece ends inside it. */
static enum status read_number(struct lift *lift, const char **at, const char *end, size_t place,
                               struct error *error)
{
    float value;
    const char *after = number_read_float(*at, end, &value);
    if (after && after < end) {
        *at = after;
        return add_number(lift, value, place, error);
    }
    const char *from = *at;
    while (*at < end && is_number_byte(**at))
        ++*at;
    return *at == end ? keep_token(lift, from, (size_t)(end - from), place, error)
                      : bad_number(error, place);
}

/* Reads the run of numbers at *at, or the first alone when it is one to complain of, to count or to
 * keep. */
static enum status read_numbers(struct lift *lift, const char **at, const char *end, size_t place,
                                struct error *error)
{
    size_t room;
    struct number_run run = {0};
    enum status status = check_number(lift, place, error);
    if (status == STATUS_OK)
        status = make_room(lift, &room, error);
    if (status != STATUS_OK)
        return status;
    if (room > 0)
        *at = number_read_run(*at, end, lift->numbers + lift->count, room, &run);
    if (run.count == 0)
        return read_number(lift, at, end, place, error);
    note_numbers(lift, run.count, run.open);
    return STATUS_OK;
}

static enum status begin_literal(struct lift *lift, char c, size_t at, struct error *error)
{
    lift->literal = c == 't' ? "rue" : "alse";
    lift->literal_value = c == 't';
    lift->mode = LIFT_LITERAL;
    lift->arrays[lift->array_count - 1].literals = true;
    return check_number(lift, at, error);
}

enum status lift_array_literal(struct lift *lift, char c, size_t at, struct error *error)
{
    if (c != *lift->literal)
        return error_set(error, STATUS_INVALID,
                         "inputs: expected true or false, not cut short at byte %zu", at);
    if (*++lift->literal)
        return STATUS_OK;
    lift->mode = LIFT_ARRAY;
    return add_number(lift, lift->literal_value, at, error);
}

static enum status array_byte(struct lift *lift, char c, size_t at, struct error *error)
{
    if (c == ']')
        return close_list(lift, at, error);
    if (c == ',' && lift->after_value) {
        lift->after_value = false;
        lift->need_value = true;
        return STATUS_OK;
    }
    if (lift->after_value || c == ',')
        return fail(error, at, lift->after_value ? "expected a comma or ]" : "unexpected comma");
    if (c == '[') {
        lift->need_value = false;
        return open_list(lift, at, error);
    }
    if ((c == 't' || c == 'f') && lift->may_be_literal)
        return begin_literal(lift, c, at, error);
    return error_set(
        error, STATUS_INVALID, "inputs: row %zu: expected a number at byte %zu, found '%c'",
        lift->array_depth > 1 ? lift->lengths[0] : 0, at, c >= 0x20 && c < 0x7F ? c : '?');
}

enum status lift_array_feed(struct lift *lift, const char *begin, const char **at, const char *end,
                            struct error *error)
{
    enum status status = STATUS_OK;
    if (lift->token.count > 0)
        status = resume_token(lift, at, end, error);
    while (status == STATUS_OK && *at < end && lift->mode == LIFT_ARRAY) {
        const char c = **at;
        const size_t place = lift->offset + (size_t)(*at - begin);
        if ((c >= '0' && c <= '9') || c == '-') {
            status = read_numbers(lift, at, end, place, error);
        } else if (is_space(c)) {
            ++*at;
        } else {
            status = array_byte(lift, c, place, error);
            ++*at;
        }
    }
    return status;
}
