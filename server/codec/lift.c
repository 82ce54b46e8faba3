#include "lift.h"

#include <stdlib.h>
#include <string.h>

#include "lift_array.h"

/* What a container of the envelope is, as far as it matters to where tensors lie. */
enum role {
    ROLE_OTHER,
    ROLE_OTHER_OBJECT,
    ROLE_ROOT,
    ROLE_INPUTS_OBJECT,
    ROLE_INPUTS_LIST,
    ROLE_ITEM
};

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

/* After the bracket that may open a tensor: only an object tells otherwise. */
static enum status feed_opened(struct lift *lift, char c, size_t at, struct error *error)
{
    if (c != '{')
        return lift_array_begin(lift, parent_role(lift) == ROLE_ITEM, at, error);
    lift->mode = LIFT_ENVELOPE;
    text_put(&lift->envelope, "[");
    return push(lift, false, at, error);
}

static enum status check_length(const struct lift *lift, struct error *error)
{
    if (lift->envelope.count > LIFT_ENVELOPE_BYTES_MAX)
        return error_set(error, STATUS_INVALID,
                         "the JSON around the tensors is longer than %d bytes",
                         LIFT_ENVELOPE_BYTES_MAX);
    return STATUS_OK;
}

static enum status feed_envelope(struct lift *lift, char c, size_t at, struct error *error)
{
    enum status status = STATUS_OK;
    if (lift->mode == LIFT_STRING)
        string_byte(lift, c);
    else
        status = envelope_byte(lift, c, at, error);
    if (status != STATUS_OK || lift->mode == LIFT_OPENED)
        return status;
    text_add(&lift->envelope, &c, 1);
    return check_length(lift, error);
}

/* Takes the bytes of a string at once, up to one that may end it or escape another. */
static enum status feed_string(struct lift *lift, const char **at, const char *end,
                               struct error *error)
{
    const char *from = *at;
    while (*at < end && **at != '"' && **at != '\\')
        ++*at;
    text_add(&lift->envelope, from, (size_t)(*at - from));
    return check_length(lift, error);
}

enum status lift_feed(struct lift *lift, const char *bytes, size_t count, struct error *error)
{
    const char *end = bytes + count;
    const char *at = bytes;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && at < end) {
        size_t place = lift->offset + (size_t)(at - bytes);
        if (lift->mode == LIFT_ARRAY)
            status = lift_array_feed(lift, bytes, &at, end, error);
        else if (lift->mode == LIFT_OPENED && is_space(*at))
            at++;
        else if (lift->mode == LIFT_OPENED)
            status = feed_opened(lift, *at, place, error);
        else if (lift->mode == LIFT_LITERAL)
            status = lift_array_literal(lift, *at++, place, error);
        else if (lift->mode == LIFT_STRING && !lift->escaped && *at != '"' && *at != '\\')
            status = feed_string(lift, &at, end, error);
        else
            status = feed_envelope(lift, *at++, place, error);
    }
    lift->offset += count;
    return status;
}

enum status lift_finish(struct lift *lift, struct error *error)
{
    if (lift->mode == LIFT_ARRAY || lift->mode == LIFT_OPENED || lift->mode == LIFT_LITERAL)
        return error_set(error, STATUS_INVALID,
                         "malformed JSON at byte %zu: the body ends inside an array", lift->offset);
    if (lift->envelope.failed || lift->token.failed)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the request");
    return STATUS_OK;
}
