#include "fields.h"

#include <inttypes.h>
#include <string.h>

/* Whether words, separated by spaces, contain word. */
static bool contains(const char *words, const char *word)
{
    const size_t length = strlen(word);
    while (*words) {
        const size_t next = strcspn(words, " ");
        if (next == length && memcmp(words, word, length) == 0)
            return true;
        words += next + (words[next] == ' ');
    }
    return false;
}

enum status fields_check(const json_t *json, const char *keys, struct error *error)
{
    const char *key;
    json_t *value;
    if (!json_is_object(json))
        return error_set(error, STATUS_INVALID, "expected an object");
    json_object_foreach((json_t *)json, key, value)
    {
        if (!contains(keys, key))
            return error_set(error, STATUS_INVALID, "unknown key \"%s\"", key);
    }
    return STATUS_OK;
}

/* The value of key, NULL when it is null. */
static const json_t *look_up(const json_t *object, const char *key)
{
    const json_t *json = json_object_get(object, key);
    return json_is_null(json) ? NULL : json;
}

enum status fields_text(const json_t *object, const char *key, const char **text,
                        struct error *error)
{
    const json_t *json = look_up(object, key);
    *text = json_string_value(json);
    if (!json || (*text && **text))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, "%s: expected a text that is not empty", key);
}

enum status fields_flag(const json_t *object, const char *key, bool fallback, bool *flag,
                        struct error *error)
{
    const json_t *json = look_up(object, key);
    *flag = json ? json_is_true(json) : fallback;
    if (!json || json_is_boolean(json))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, "%s: expected true or false", key);
}

enum status fields_number(const json_t *object, const char *key, double fallback, double *number,
                          struct error *error)
{
    const json_t *json = look_up(object, key);
    *number = json ? json_number_value(json) : fallback;
    if (!json || json_is_number(json))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, "%s: expected a number", key);
}

static bool read_int(const json_t *json, int64_t least, int64_t *number)
{
    *number = json_integer_value(json);
    return json_is_integer(json) && *number >= least && *number <= INT32_MAX;
}

enum status fields_int(const json_t *object, const char *key, int64_t fallback, int64_t least,
                       int64_t *number, struct error *error)
{
    const json_t *json = look_up(object, key);
    *number = fallback;
    if (!json || read_int(json, least, number))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, "%s: expected a whole number of at least %" PRId64, key,
                     least);
}

enum status fields_pair(const json_t *object, const char *key, const int64_t fallback[2],
                        int64_t least, int64_t pair[2], struct error *error)
{
    const json_t *json = look_up(object, key);
    memcpy(pair, fallback, 2 * sizeof *pair);
    if (!json)
        return STATUS_OK;
    const bool two = json_array_size(json) == 2;
    bool fits = true;
    for (size_t i = 0; i < 2; i++)
        fits &= read_int(two ? json_array_get(json, i) : json, least, &pair[i]);
    return fits ? STATUS_OK
                : error_set(error, STATUS_INVALID,
                            "%s: expected a whole number of at least %" PRId64 ", or two of them",
                            key, least);
}

const char *fields_activation_type(const json_t *json)
{
    const char *type =
        json_string_value(json_is_string(json) ? json : json_object_get(json, "type"));
    return type ? type : "";
}

enum status fields_activation(const json_t *json, struct activation *activation,
                              struct error *error)
{
    const char *type = fields_activation_type(json), *key;
    json_t *value;
    if (!activation_named(activation, type))
        return error_set(error, STATUS_INVALID, "unknown type \"%s\"", type);
    json_object_foreach((json_t *)json, key, value)
    {
        if (strcmp(key, "type") == 0)
            continue;
        if (!json_is_number(value))
            return error_set(error, STATUS_INVALID, "%s must be a number", key);
        if (activation_set(activation, key, json_number_value(value), error) != STATUS_OK)
            return error->status;
    }
    return STATUS_OK;
}
