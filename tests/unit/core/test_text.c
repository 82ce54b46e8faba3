/* JSON text: strings quoted, numbers shortest, memory that cannot be had said once. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "failing_malloc.h"
#include "text.h"

static void expect(struct text *text, const char *expected)
{
    text_add(text, "", 1);
    cr_assert(!text->failed);
    cr_assert_str_eq(text->bytes, expected);
    text_free(text);
    cr_assert(!text->bytes && text->count == 0 && text->capacity == 0);
}

Test(text, grows)
{
    struct text text = {.bytes = NULL};
    char *all = calloc(1, 100001);
    for (size_t i = 0; i < 10000; i++) {
        text_put(&text, "0123456789");
        memcpy(all + 10 * i, "0123456789", 10);
    }
    cr_assert(text.count == 100000);
    expect(&text, all);
    free(all);
}

Test(text, formats)
{
    struct text text = {.bytes = NULL};
    for (int i = 0; i < 300; i++)
        text_format(&text, "%d,", i % 10);
    cr_assert(text.count == 600);
    text_format(&text, "%0700d", 0);
    cr_assert(text.count == 1300 && text.bytes[1299] == '0');
    text_free(&text);
    text_format(&text, "%s", "");
    text_format(&text, "a%cb", 'x');
    expect(&text, "axb");
}

static void expect_quoted(const char *string, size_t count, const char *expected)
{
    struct text text = {.bytes = NULL};
    text_quote(&text, string, count);
    expect(&text, expected);
}

Test(text, quotes_and_escapes)
{
    expect_quoted("fc1", 3, "\"fc1\"");
    expect_quoted("", 0, "\"\"");
    expect_quoted("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
    expect_quoted("\n\t\x01\x1f\x7f", 5, "\"\\u000a\\u0009\\u0001\\u001f\x7f\"");
    expect_quoted("a\0b", 3, "\"a\\u0000b\"");
    expect_quoted("é…😀", 9, "\"é…😀\"");
}

Test(text, labels_keep_control_characters_but_for_the_end_of_a_line)
{
    static const char string[] = "a\"b\\c\n\t\x01\xFF…";
    struct text text = {.bytes = NULL};
    text_quote_label(&text, string, strlen(string));
    text_add(&text, "", 1);
    cr_assert_str_eq(text.bytes, "\"a\\\"b\\\\c\\n\t\x01\xEF\xBF\xBD…\"");
    text_free(&text);
}

#define REPLACED "\xEF\xBF\xBD"

Test(text, what_is_no_utf8_is_replaced)
{
    expect_quoted("\xFFz", 2, "\"" REPLACED "z\"");
    expect_quoted("\x80", 1, "\"" REPLACED "\"");
    expect_quoted("\xC3", 1, "\"" REPLACED "\"");
    expect_quoted("\xC0\x80", 2, "\"" REPLACED REPLACED "\"");
    expect_quoted("\xE0\x9F\xBF", 3, "\"" REPLACED REPLACED REPLACED "\"");
    expect_quoted("\xED\xA0\x80", 3, "\"" REPLACED REPLACED REPLACED "\"");
    expect_quoted("\xF0\x8F\xBF\xBF", 4, "\"" REPLACED REPLACED REPLACED REPLACED "\"");
    expect_quoted("\xF4\x90\x80\x80", 4, "\"" REPLACED REPLACED REPLACED REPLACED "\"");
    expect_quoted("\xF4\x8F\xBF\xBF", 4, "\"\xF4\x8F\xBF\xBF\"");
    expect_quoted("\xE2\x82", 2, "\"" REPLACED REPLACED "\"");
}

/* Every one- and two-byte string, and what follows them, is valid JSON for jansson. */
Test(text, every_string_becomes_valid_json)
{
    for (unsigned bytes = 0; bytes < 1 << 16; bytes++) {
        const char string[3] = {(char)(bytes >> 8), (char)bytes, 'z'};
        struct text text = {.bytes = NULL};
        text_quote(&text, string, 3);
        json_t *json = json_loadb(text.bytes, text.count, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        if (!json)
            cr_assert_fail("%02x %02x: %.*s", bytes >> 8, bytes & 0xFF, (int)text.count,
                           text.bytes);
        json_decref(json);
        text_free(&text);
    }
}

Test(text, numbers_are_shortest_and_null_when_not_finite)
{
    struct text text = {.bytes = NULL};
    text_float(&text, 0.1f);
    text_put(&text, " ");
    text_double(&text, 0.1);
    text_put(&text, " ");
    text_u64(&text, UINT64_MAX);
    text_put(&text, " ");
    text_float(&text, NAN);
    text_double(&text, -INFINITY);
    expect(&text, "0.1 0.1 18446744073709551615 nullnull");
}

Test(text, without_memory_it_fails_once_and_drops_the_rest)
{
    struct text text = {.bytes = NULL};
    if (!malloc_watched())
        cr_skip_test("malloc is AddressSanitizer's here");
    text_put(&text, "kept");
    const size_t capacity = text.capacity;
    malloc_fail_after(0);
    text_format(&text, "%*d", (int)capacity, 1);
    cr_assert(malloc_stop_failing());
    cr_assert(text.failed && text.count == 4);
    text_put(&text, "x");
    text_quote(&text, "x", 1);
    text_float(&text, 1);
    text_double(&text, NAN);
    text_u64(&text, 1);
    cr_assert(text.count == 4 && text_room(&text, 1) == NULL);
    text_free(&text);
    cr_assert(!text.failed);
}
