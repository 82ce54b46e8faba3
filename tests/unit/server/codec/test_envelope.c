#include <criterion/criterion.h>
#include <string.h>

#include "codec/envelope.h"

static json_t *parse(struct envelope *kept, const char *text)
{
    json_error_t error;
    return envelope_parse(kept, text, strlen(text), &error);
}

/* A copy elsewhere in memory is the same envelope. */
Test(envelope, the_same_text_is_read_once)
{
    struct envelope kept = {.count = 0};
    char copy[] = "{\"inputs\": 0 ,\"stats\":\"none\"}";
    json_t *first = parse(&kept, "{\"inputs\": 0 ,\"stats\":\"none\"}"),
           *again = parse(&kept, copy);
    cr_assert(first && first == again);
    cr_assert_str_eq(json_string_value(json_object_get(again, "stats")), "none");
    json_decref(first);
    json_decref(again);
    envelope_free(&kept);
    cr_assert_null(kept.json);
}

Test(envelope, other_text_is_read_anew)
{
    static const char *const texts[] = {"{\"id\":\"a\"}", "{\"id\":\"b\"}", "{\"id\":\"bc\"}",
                                        "{\"id\":\"b\"} ", "{\"id\":\"b\"}"};
    static const char *const ids[] = {"a", "b", "bc", "b", "b"};
    struct envelope kept = {.count = 0};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_t *json = parse(&kept, texts[i]);
        cr_assert_str_eq(json_string_value(json_object_get(json, "id")), ids[i]);
        json_decref(json);
    }
    envelope_free(&kept);
}

Test(envelope, malformed_text_is_refused_every_time)
{
    struct envelope kept = {.count = 0};
    json_t *json = parse(&kept, "{\"a\":1}");
    for (int i = 0; i < 2; i++) {
        json_error_t error = {.text = ""};
        cr_assert_null(envelope_parse(&kept, "{\"a\":1", 6, &error));
        cr_assert(strlen(error.text) > 0);
        cr_assert_null(parse(&kept, ""));
        cr_assert_null(parse(&kept, "{\"a\":1,\"a\":1}"));
    }
    json_t *again = parse(&kept, "{\"a\":1}");
    cr_assert(again && again == json, "what was kept is still there");
    json_decref(json);
    json_decref(again);
    envelope_free(&kept);
}

/* A string of so many bytes, quotes included, read twice. */
static bool is_kept(size_t count)
{
    static char text[2 * ENVELOPE_KEPT_BYTES];
    struct envelope kept = {.count = 0};
    json_error_t error;
    memset(text, 'x', count);
    memcpy(text, "[\"", 2);
    memcpy(text + count - 2, "\"]", 2);
    json_t *first = envelope_parse(&kept, text, count, &error);
    json_t *again = envelope_parse(&kept, text, count, &error);
    cr_assert(first && again);
    bool same = first == again;
    json_decref(first);
    json_decref(again);
    envelope_free(&kept);
    return same;
}

Test(envelope, kept_up_to_its_limit)
{
    cr_assert(is_kept(ENVELOPE_KEPT_BYTES));
    cr_assert_not(is_kept(ENVELOPE_KEPT_BYTES + 1));
}
