/* Random documents, sound and damaged. The judge is jansson reading the whole body. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lift_body.h"
#include "randoms.h"

struct maker {
    struct randoms random;
    struct text text;
};

static size_t pick(struct maker *maker, size_t count)
{
    return random_between(&maker->random, 0, count - 1);
}

static void put(struct maker *maker, const char *text)
{
    text_put(&maker->text, text);
}

static void put_space(struct maker *maker)
{
    static const char *const spaces[] = {"", "", "", "", " ", "\n", "\t", "\r\n  "};
    put(maker, spaces[pick(maker, 8)]);
}

static void put_number(struct maker *maker)
{
    static const char *const special[] = {"0",
                                          "-0.0",
                                          "1e-45",
                                          "3.4028235e38",
                                          "-1.5E+3",
                                          "1e-60",
                                          "0.1",
                                          "16777217",
                                          "9007199254740993",
                                          "-7",
                                          "0e9",
                                          "0.30000000000000004"};
    static const char *const formats[] = {"%.0f", "%.3f", "%.9g", "%.17g", "%.8e"};
    char text[64];
    size_t kind = pick(maker, 8);
    double value = (double)random_plain(&maker->random) * pow(10, (double)pick(maker, 12) - 3);
    if (kind == 0)
        put(maker, special[pick(maker, sizeof special / sizeof special[0])]);
    else if (kind < 4)
        text_format(&maker->text, "%zu", pick(maker, 17));
    else {
        snprintf(text, sizeof text, formats[pick(maker, 5)], value);
        put(maker, strcmp(text, "-0") == 0 ? "0" : text); /* jansson reads the integer -0 as 0 */
    }
}

/* A tensor whose numbers lie depth deep; now and then a list is longer than its siblings. */
static void put_tensor(struct maker *maker, size_t depth, size_t length, bool may_be_empty)
{
    size_t count = pick(maker, 12) ? length : 1 + pick(maker, 4);
    if (may_be_empty && pick(maker, 10) == 0)
        count = 0;
    put(maker, "[");
    for (size_t i = 0; i < count; i++) {
        put(maker, i ? "," : "");
        put_space(maker);
        if (depth > 1)
            put_tensor(maker, depth - 1, length, depth == 2 && may_be_empty);
        else
            put_number(maker);
        put_space(maker);
    }
    put(maker, "]");
}

static void put_random_tensor(struct maker *maker)
{
    size_t depth = 1 + pick(maker, 4);
    put_tensor(maker, depth, 1 + pick(maker, 4), depth <= 2);
}

static void put_string(struct maker *maker)
{
    static const char *const strings[] = {
        "\"\"",       "\"x\"",        "\"[1,2]\"", "\"\\\"inputs\\\":[1]\"",
        "\"\\\\\"",   "\"{\\u0041\"", "\"é,:\"",   "\"\\\\\\\"\"",
        "\"inputs\"", "\"data\""};
    put(maker, strings[pick(maker, sizeof strings / sizeof strings[0])]);
}

/* Any JSON, which must stay as it is, whatever it looks like. */
static void put_value(struct maker *maker, size_t depth)
{
    static const char *const plain[] = {"null", "true", "false", "1", "-2.5e3", "[]", "{}"};
    size_t kind = pick(maker, depth > 0 ? 5 : 2);
    if (kind == 0)
        put(maker, plain[pick(maker, 7)]);
    else if (kind == 1)
        put_string(maker);
    else if (kind == 2)
        put_random_tensor(maker);
    else if (kind == 3) {
        put(maker, "{\"inputs\":");
        put_value(maker, depth - 1);
        put(maker, ",\"data\":");
        put_value(maker, depth - 1);
        put(maker, "}");
    } else {
        put(maker, "[");
        put_value(maker, depth - 1);
        put(maker, ",");
        put_value(maker, depth - 1);
        put(maker, "]");
    }
}

static void put_item(struct maker *maker, size_t i)
{
    bool data_first = pick(maker, 2);
    put(maker, i ? ",{" : "{");
    put_space(maker);
    if (data_first) {
        put(maker, "\"data\":");
        put_random_tensor(maker);
        put(maker, ",");
    }
    put(maker, "\"name\":");
    put_string(maker);
    put(maker, ", \"shape\" : [1,2],\"parameters\":");
    put_value(maker, 2);
    if (!data_first) {
        put(maker, ",\"data\"");
        put_space(maker);
        put(maker, ":");
        put_space(maker);
        put_random_tensor(maker);
    }
    put(maker, "}");
}

static void put_inputs(struct maker *maker)
{
    size_t kind = pick(maker, 3), count = 1 + pick(maker, 4);
    if (kind == 0) {
        put_random_tensor(maker);
        return;
    }
    put(maker, kind == 1 ? "{" : "[");
    put_space(maker);
    for (size_t i = 0; i < count; i++) {
        if (kind == 2) {
            put_item(maker, i);
            continue;
        }
        text_format(&maker->text, i ? ",\"name\\u0020%zu\":" : "\"name\\u0020%zu\":", i);
        put_space(maker);
        put_random_tensor(maker);
    }
    put_space(maker);
    put(maker, kind == 1 ? "}" : "]");
}

static void put_document(struct maker *maker)
{
    static const char *const keys[] = {"\"id\":", "\"data\":", "\"inputs2\":", "\"}:[\":"};
    size_t place = pick(maker, 5);
    maker->text.count = 0;
    put_space(maker);
    put(maker, "{");
    for (size_t i = 0; i < 5; i++) {
        put(maker, i ? "," : "");
        put_space(maker);
        if (i == place) {
            put(maker, "\"inputs\"");
            put_space(maker);
            put(maker, ":");
            put_space(maker);
            put_inputs(maker);
        } else {
            put(maker, keys[i < place ? i : i - 1]);
            put_value(maker, 3);
        }
        put_space(maker);
    }
    put(maker, "}");
    put_space(maker);
}

/* ---- what the lift must have made of a document ---- */

/* A tensor as jansson has read it, walked in order. */
struct walk {
    const struct lift *lift;
    size_t at; /* in the lift's numbers */
    size_t depth, dims[TENSOR_RANK_MAX];
    bool ragged, same;
    size_t ragged_row, row;
};

static void walk_list(struct walk *walk, const json_t *list, size_t level)
{
    size_t i, length = json_array_size(list);
    const json_t *item;
    bool deviates = walk->dims[level] != SIZE_MAX && walk->dims[level] != length;
    if (walk->dims[level] == SIZE_MAX)
        walk->dims[level] = length;
    json_array_foreach(list, i, item)
    {
        walk->row = level == 0 ? i : walk->row;
        if (json_is_array(item))
            walk_list(walk, item, level + 1);
        else
            walk->same &= (float)json_number_value(item) == walk->lift->numbers[walk->at++];
    }
    if (deviates && !walk->ragged && (level > 1 || (level == 1 && walk->depth > 2))) {
        walk->ragged = true;
        walk->ragged_row = walk->row;
    }
}

static size_t numbers_in(const json_t *value)
{
    size_t i, count = 0;
    const json_t *item;
    if (!json_is_array(value))
        return 1;
    json_array_foreach(value, i, item) count += numbers_in(item);
    return count;
}

static size_t depth_of(const json_t *value)
{
    size_t depth = 0;
    for (; json_is_array(value); value = json_array_get(value, 0))
        depth++;
    return depth;
}

/* Whether every number lies at the same depth, and there is nothing but numbers and lists. */
static bool is_tensor(const json_t *value, size_t depth)
{
    size_t i;
    const json_t *item;
    if (!json_is_array(value))
        return depth == 0 && json_is_number(value);
    json_array_foreach(value, i, item) if (depth == 0 || !is_tensor(item, depth - 1)) return false;
    return true;
}

/* Whether the lifted array says of the tensor what jansson says. */
static bool describes(const struct lift *lift, const struct lift_array *array, const json_t *tensor)
{
    struct walk walk = {lift, array->first, depth_of(tensor), {0}, false, true, 0, 0};
    size_t rows = json_array_size(tensor), odd_row = 0, odd_count = 0;
    for (size_t d = 0; d < TENSOR_RANK_MAX; d++)
        walk.dims[d] = SIZE_MAX;
    walk_list(&walk, tensor, 0);
    bool fits = array->count == numbers_in(tensor) && array->depth == walk.depth && walk.same &&
                array->ragged == walk.ragged &&
                (!walk.ragged || array->ragged_row == walk.ragged_row);
    for (size_t d = 0; d < walk.depth; d++)
        fits &= array->dims[d] == walk.dims[d];
    if (walk.depth < 2)
        return fits;
    size_t first = numbers_in(json_array_get(tensor, 0));
    for (size_t r = 1; r < rows && odd_row == 0; r++) {
        size_t count = numbers_in(json_array_get(tensor, r));
        odd_row = count != first ? r : 0;
        odd_count = odd_row ? count : 0;
    }
    return fits && array->row_count == first && array->odd_row == odd_row &&
           array->odd_count == odd_count;
}

static bool begins_with_object(const json_t *array)
{
    return json_is_object(json_array_get(array, 0));
}

/* Replaces the tensor by the next index after comparing it; what is none stays. */
static bool replace(json_t *parent, const char *key, const struct lift *lift, size_t *index)
{
    json_t *value = json_object_get(parent, key);
    if (!json_is_array(value) || begins_with_object(value))
        return true;
    bool fits = *index < lift->array_count && is_tensor(value, depth_of(value)) &&
                describes(lift, &lift->arrays[*index], value);
    json_object_set_new(parent, key, json_integer((json_int_t)*index));
    ++*index;
    return fits;
}

/* Turns the whole document into what the envelope must be; false when a tensor is not as lifted. */
static bool to_envelope(json_t *document, const struct lift *lift)
{
    json_t *inputs = json_object_get(document, "inputs"), *item;
    size_t index = 0, i;
    const char *key;
    bool fits = true;
    if (json_is_object(inputs)) {
        json_object_foreach(inputs, key, item) fits &= replace(inputs, key, lift, &index);
    } else if (begins_with_object(inputs)) {
        json_array_foreach(inputs, i, item) fits &=
            !json_is_object(item) || replace(item, "data", lift, &index);
    } else {
        fits = replace(document, "inputs", lift, &index);
    }
    return fits && index == lift->array_count;
}

/* Compares a lift of body that succeeded with jansson's reading. skip: jansson cannot say. */
static bool agrees(const struct lift *lift, const char *body, size_t count, bool *skip)
{
    json_error_t error;
    json_t *document = json_loadb(body, count, JSON_REJECT_DUPLICATES, &error);
    json_t *envelope =
        json_loadb(lift->envelope.bytes, lift->envelope.count, JSON_REJECT_DUPLICATES, NULL);
    *skip = !envelope || (!document && json_error_code(&error) == json_error_numeric_overflow);
    bool same =
        document && envelope && to_envelope(document, lift) && json_equal(document, envelope);
    json_decref(document);
    json_decref(envelope);
    return same;
}

Test(lift_random, random_documents_are_lifted_as_jansson_reads_them)
{
    struct maker maker = {.random = {1234567}};
    for (int i = 0; i < 3000; i++) {
        put_document(&maker);
        size_t most = lift_pieces[i % 5];
        bool skip;
        struct lift lift;
        struct error error;
        if (lift_body(&lift, maker.text.bytes, maker.text.count, most, LIFT_LIMIT, &error) !=
            STATUS_OK)
            cr_assert_fail("%s: %.*s", error.message, (int)maker.text.count, maker.text.bytes);
        if (!agrees(&lift, maker.text.bytes, maker.text.count, &skip))
            cr_assert_fail("pieces of %zu: %.*s\nbecame %.*s", most, (int)maker.text.count,
                           maker.text.bytes, (int)lift.envelope.count, lift.envelope.bytes);
        lift_free(&lift);
    }
    text_free(&maker.text);
}

static void mutate(struct maker *maker)
{
    static const char bytes[] = "[]{}:,\"\\0123456789.-+eE tn\n";
    for (size_t times = 1 + pick(maker, 2); times > 0; times--) {
        size_t at = pick(maker, maker->text.count);
        char *byte = maker->text.bytes + at;
        switch (pick(maker, 3)) {
        case 0:
            *byte = bytes[pick(maker, sizeof bytes - 1)];
            break;
        case 1:
            memmove(byte, byte + 1, maker->text.count - at - 1);
            maker->text.count--;
            break;
        default:
            text_add(&maker->text, " ", 1);
            byte = maker->text.bytes + at;
            memmove(byte + 1, byte, maker->text.count - at - 1);
            *byte = bytes[pick(maker, sizeof bytes - 1)];
        }
    }
}

/* Whatever the lift and jansson let pass together, jansson alone must let pass, and mean the same;
 * and how a body is cut does not matter. */
Test(lift_random, nothing_malformed_passes)
{
    struct maker maker = {.random = {7654321}};
    size_t passed = 0;
    for (int i = 0; i < 20000; i++) {
        put_document(&maker);
        mutate(&maker);
        const char *body = maker.text.bytes;
        size_t count = maker.text.count, most = lift_pieces[1 + i % 4];
        bool skip;
        struct lift whole, cut;
        struct error error;
        enum status status = lift_body(&whole, body, count, 0, LIFT_LIMIT, &error);
        if (lift_body(&cut, body, count, most, LIFT_LIMIT, &error) != status)
            cr_assert_fail("pieces of up to %zu: %.*s", most, (int)count, body);
        if (status == STATUS_OK) {
            bool same = agrees(&cut, body, count, &skip);
            if (!same && !skip)
                cr_assert_fail("%.*s\nbecame %.*s", (int)count, body, (int)cut.envelope.count,
                               cut.envelope.bytes);
            passed += same;
        }
        lift_free(&whole);
        lift_free(&cut);
    }
    text_free(&maker.text);
    cr_assert(passed > 1000, "only %zu documents passed", passed);
}
