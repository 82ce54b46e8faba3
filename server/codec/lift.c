#include "lift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a container of the envelope is, as far as it matters to where tensors lie. */
enum role {
    ROLE_OTHER,
    ROLE_OTHER_OBJECT,
    ROLE_ROOT,
    ROLE_INPUTS_OBJECT,
    ROLE_INPUTS_LIST,
    ROLE_ITEM
};

/* Small enough for malloc's fastest bins; bodies that need more grow by leaps. */
enum { LIFT_FIRST_NUMBERS = 224, LIFT_GROWTH = 4 };

void lift_init(struct lift *lift, size_t limit)
{
    *lift = (struct lift){.limit = limit};
}

void lift_free(struct lift *lift)
{
    text_free(&lift->envelope);
    text_free(&lift->token);
    free(lift->numbers);
    free(lift->arrays);
    *lift = (struct lift){.limit = 0};
}

static enum status fail(struct error *error, size_t at, const char *what)
{
    return error_set(error, STATUS_INVALID, "malformed JSON at byte %zu: %s", at, what);
}

/* The envelope */

static bool key_is(const struct lift *lift, const char *name)
{
    return lift->has_key && lift->key_count == strlen(name) &&
           memcmp(lift->envelope.bytes + lift->key_first, name, lift->key_count) == 0;
}

static enum role parent_role(const struct lift *lift)
{
    return lift->depth > 0 ? (enum role)lift->roles[lift->depth - 1] : ROLE_OTHER;
}

/* Whether the value that begins here may be a tensor. */
static bool may_lift(const struct lift *lift)
{
    switch (parent_role(lift)) {
    case ROLE_ROOT:
        return key_is(lift, "inputs");
    case ROLE_INPUTS_OBJECT:
        return lift->has_key;
    case ROLE_ITEM:
        return key_is(lift, "data");
    default:
        return false;
    }
}

static enum role role_of(const struct lift *lift, bool object)
{
    if (lift->depth == 0)
        return object ? ROLE_ROOT : ROLE_OTHER;
    if (parent_role(lift) == ROLE_ROOT && key_is(lift, "inputs"))
        return object ? ROLE_INPUTS_OBJECT : ROLE_INPUTS_LIST;
    if (parent_role(lift) == ROLE_INPUTS_LIST && object)
        return ROLE_ITEM;
    return object ? ROLE_OTHER_OBJECT : ROLE_OTHER;
}

static enum status push(struct lift *lift, bool object, size_t at, struct error *error)
{
    if (lift->depth == LIFT_DEPTH_MAX)
        return error_set(error, STATUS_INVALID, "the JSON is nested more than %d deep at byte %zu",
                         LIFT_DEPTH_MAX, at);
    enum role role = role_of(lift, object);
    lift->roles[lift->depth++] = (uint8_t)role;
    lift->has_key = false;
    return STATUS_OK;
}

static bool in_object(const struct lift *lift)
{
    return parent_role(lift) != ROLE_OTHER && parent_role(lift) != ROLE_INPUTS_LIST;
}

/* A key that decides whether its value is a tensor is compared as it is written: an escape in it
 * could pass off a number of the client's own as a placeholder. Names of inputs are not compared.
 */
static enum status end_key(struct lift *lift, size_t at, struct error *error)
{
    enum role role = parent_role(lift);
    lift->has_key = in_object(lift);
    lift->key_first = lift->string_first;
    if ((role == ROLE_ROOT || role == ROLE_ITEM) && lift->string_escapes)
        return error_set(error, STATUS_INVALID,
                         "the key that ends at byte %zu must be written without escapes", at);
    return STATUS_OK;
}

/* One byte of the envelope outside strings, not yet copied there. */
static enum status envelope_byte(struct lift *lift, char c, size_t at, struct error *error)
{
    switch (c) {
    case '"':
        lift->string_first = lift->envelope.count + 1;
        lift->escaped = lift->string_escapes = false;
        lift->mode = LIFT_STRING;
        break;
    case '{':
        return push(lift, true, at, error);
    case '[':
        if (may_lift(lift))
            lift->mode = LIFT_OPENED;
        else
            return push(lift, false, at, error);
        break;
    case '}':
    case ']':
        lift->depth -= lift->depth > 0;
        lift->has_key = false;
        break;
    case ':':
        return end_key(lift, at, error);
    case ',':
        lift->has_key = false;
        break;
    default:
        if ((c == '-' || (c >= '0' && c <= '9')) && may_lift(lift))
            return error_set(error, STATUS_INVALID,
                             "inputs: expected an array of numbers at byte %zu, found a number",
                             at);
    }
    return STATUS_OK;
}

/* A byte inside a string; its closing quote ends it. */
static void string_byte(struct lift *lift, char c)
{
    if (lift->escaped) {
        lift->escaped = false;
    } else if (c == '\\') {
        lift->escaped = lift->string_escapes = true;
    } else if (c == '"') {
        lift->key_count = lift->envelope.count - lift->string_first;
        lift->mode = LIFT_ENVELOPE;
    }
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Arrays */

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

static enum status begin_array(struct lift *lift, size_t at, struct error *error)
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

static enum status add_number(struct lift *lift, float value, size_t at, struct error *error)
{
    if (isinf(value))
        return error_set(error, STATUS_INVALID,
                         "inputs: row %zu: the number at byte %zu is beyond float32's range",
                         lift->array_depth > 1 ? lift->lengths[0] : 0, at);
    if (lift->count < lift->limit) {
        if (lift->count == lift->capacity && !reserve(lift))
            return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the inputs");
        lift->numbers[lift->count] = value;
    }
    lift->count++;
    lift->lengths[lift->array_depth - 1]++;
    lift->after_value = true;
    lift->need_value = false;
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

/* Reads the number at *at, or keeps it when the piece ends inside it. */
static enum status read_number(struct lift *lift, const char **at, const char *end, size_t place,
                               struct error *error)
{
    float value;
    enum status status = check_number(lift, place, error);
    if (status != STATUS_OK)
        return status;
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

static enum status begin_literal(struct lift *lift, char c, size_t at, struct error *error)
{
    lift->literal = c == 't' ? "rue" : "alse";
    lift->literal_value = c == 't';
    lift->mode = LIFT_LITERAL;
    lift->arrays[lift->array_count - 1].literals = true;
    return check_number(lift, at, error);
}

static enum status feed_literal(struct lift *lift, char c, size_t at, struct error *error)
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
    if ((c == 't' || c == 'f') && parent_role(lift) == ROLE_ITEM)
        return begin_literal(lift, c, at, error);
    return error_set(
        error, STATUS_INVALID, "inputs: row %zu: expected a number at byte %zu, found '%c'",
        lift->array_depth > 1 ? lift->lengths[0] : 0, at, c >= 0x20 && c < 0x7F ? c : '?');
}

/* Runs through the bytes of an array, the hot path; *at moves to its end, or to the piece's. */
static enum status feed_array(struct lift *lift, const char *begin, const char **at,
                              const char *end, struct error *error)
{
    enum status status = STATUS_OK;
    if (lift->token.count > 0)
        status = resume_token(lift, at, end, error);
    while (status == STATUS_OK && *at < end && lift->mode == LIFT_ARRAY) {
        const char c = **at;
        const size_t place = lift->offset + (size_t)(*at - begin);
        if ((c >= '0' && c <= '9') || c == '-') {
            status = read_number(lift, at, end, place, error);
        } else if (is_space(c)) {
            ++*at;
        } else {
            status = array_byte(lift, c, place, error);
            ++*at;
        }
    }
    return status;
}

/* After the bracket that may open a tensor: only an object tells otherwise. */
static enum status feed_opened(struct lift *lift, char c, size_t at, struct error *error)
{
    if (c != '{')
        return begin_array(lift, at, error);
    lift->mode = LIFT_ENVELOPE;
    text_put(&lift->envelope, "[");
    return push(lift, false, at, error);
}

static enum status feed_envelope(struct lift *lift, char c, size_t at, struct error *error)
{
    enum status status = STATUS_OK;
    if (lift->mode == LIFT_STRING)
        string_byte(lift, c);
    else
        status = envelope_byte(lift, c, at, error);
    if (status == STATUS_OK && lift->mode != LIFT_OPENED)
        text_add(&lift->envelope, &c, 1);
    if (lift->envelope.count > LIFT_ENVELOPE_BYTES_MAX)
        status =
            error_set(error, STATUS_INVALID, "the JSON around the tensors is longer than %d bytes",
                      LIFT_ENVELOPE_BYTES_MAX);
    return status;
}

enum status lift_feed(struct lift *lift, const char *bytes, size_t count, struct error *error)
{
    const char *end = bytes + count;
    const char *at = bytes;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && at < end) {
        size_t place = lift->offset + (size_t)(at - bytes);
        if (lift->mode == LIFT_ARRAY)
            status = feed_array(lift, bytes, &at, end, error);
        else if (lift->mode == LIFT_OPENED && is_space(*at))
            at++;
        else if (lift->mode == LIFT_OPENED)
            status = feed_opened(lift, *at, place, error);
        else if (lift->mode == LIFT_LITERAL)
            status = feed_literal(lift, *at++, place, error);
        else
            status = feed_envelope(lift, *at++, place, error);
    }
    lift->offset += count;
    return status;
}

enum status lift_finish(struct lift *lift, struct error *error)
{
    if (lift->mode == LIFT_ARRAY || lift->mode == LIFT_OPENED || lift->mode == LIFT_LITERAL)
        return fail(error, lift->offset, "the body ends inside an array");
    if (lift->envelope.failed || lift->token.failed)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the request");
    return STATUS_OK;
}
