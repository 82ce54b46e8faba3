#include "schema.h"

#include <stdio.h>
#include <string.h>

const json_t *schema_resolve(const json_t *document, const json_t *node)
{
    const char *at = json_string_value(json_object_get(node, "$ref"));
    if (!at)
        return node;
    for (node = document; node && (at = strchr(at, '/')) != NULL;) {
        char key[64];
        snprintf(key, sizeof key, "%.*s", (int)strcspn(at + 1, "/"), at + 1);
        node = json_object_get(node, key);
        at++;
    }
    return node;
}

static bool is_type(const char *type, const json_t *value)
{
    static const struct {
        const char *name;
        json_type types[2];
    } names[] = {{"object", {JSON_OBJECT, JSON_OBJECT}},    {"array", {JSON_ARRAY, JSON_ARRAY}},
                 {"string", {JSON_STRING, JSON_STRING}},    {"number", {JSON_REAL, JSON_INTEGER}},
                 {"integer", {JSON_INTEGER, JSON_INTEGER}}, {"boolean", {JSON_TRUE, JSON_FALSE}},
                 {"null", {JSON_NULL, JSON_NULL}}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(type, names[i].name) == 0)
            return json_typeof(value) == names[i].types[0] ||
                   json_typeof(value) == names[i].types[1];
    return false;
}

/* One type, or a list of them; none allows all. */
static bool fits_type(const json_t *types, const json_t *value)
{
    const json_t *type;
    size_t i;
    bool fits = !types || (json_is_string(types) && is_type(json_string_value(types), value));
    json_array_foreach(types, i, type)
    {
        fits |= is_type(json_string_value(type), value);
    }
    return fits;
}

static bool fits_enum(const json_t *values, const json_t *value)
{
    const json_t *one;
    size_t i;
    bool fits = !values;
    json_array_foreach(values, i, one)
    {
        fits |= json_equal(one, value) != 0;
    }
    return fits;
}

static bool fail(char why[SCHEMA_WHY_BYTES], const char *key, const char *what)
{
    snprintf(why, SCHEMA_WHY_BYTES, "%s %s", key, what);
    return false;
}

static bool fits_properties(const json_t *document, const json_t *schema, const json_t *value,
                            char why[SCHEMA_WHY_BYTES])
{
    const json_t *properties = json_object_get(schema, "properties"), *name, *field;
    const json_t *others = json_object_get(schema, "additionalProperties");
    const char *key;
    size_t i;
    json_array_foreach(json_object_get(schema, "required"), i, name)
    {
        if (!json_object_get(value, json_string_value(name)))
            return fail(why, json_string_value(name), "is missing");
    }
    json_object_foreach((json_t *)value, key, field)
    {
        const json_t *known = json_object_get(properties, key);
        if (!known && !others)
            return fail(why, key, "is not documented");
        if (!schema_fits(document, known ? known : others, field, why)) {
            char inner[SCHEMA_WHY_BYTES];
            snprintf(inner, sizeof inner, "%s", why);
            snprintf(why, SCHEMA_WHY_BYTES, "%.60s: %.180s", key, inner);
            return false;
        }
    }
    return true;
}

bool schema_fits(const json_t *document, const json_t *schema, const json_t *value,
                 char why[SCHEMA_WHY_BYTES])
{
    const json_t *item, *items;
    size_t i;
    schema = schema_resolve(document, schema);
    items = json_object_get(schema, "items");
    if (!schema)
        return fail(why, "the schema", "is missing");
    if (!fits_type(json_object_get(schema, "type"), value))
        return fail(why, "the type", "is another");
    if (!fits_enum(json_object_get(schema, "enum"), value))
        return fail(why, "the value", "is none of those documented");
    json_array_foreach(value, i, item)
    {
        if (items && !schema_fits(document, items, item, why))
            return false;
    }
    return !json_is_object(value) || !json_object_size(schema) ||
           fits_properties(document, schema, value, why);
}
