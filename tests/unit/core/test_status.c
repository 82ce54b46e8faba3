/* Errors: one sentence, at most ERROR_MESSAGE_BYTES, always valid text. */
#include <criterion/criterion.h>
#include <string.h>

#include "status.h"

Test(status, names_are_those_of_the_api)
{
    cr_assert_str_eq(status_text(STATUS_OK), "ok");
    cr_assert_str_eq(status_text(STATUS_INVALID), "invalid");
    cr_assert_str_eq(status_text(STATUS_NOT_FOUND), "not_found");
    cr_assert_str_eq(status_text(STATUS_TOO_LARGE), "too_large");
    cr_assert_str_eq(status_text(STATUS_IO), "io");
}

Test(status, set_fills_the_error_and_returns_its_status)
{
    struct error error;
    cr_assert(error_set(&error, STATUS_INVALID, "row %d has %zu numbers", 3, (size_t)63) ==
              STATUS_INVALID);
    cr_assert(error.status == STATUS_INVALID);
    cr_assert_str_eq(error.message, "row 3 has 63 numbers");
    cr_assert(error_set(NULL, STATUS_IO, "nobody listens") == STATUS_IO);
}

Test(status, prefix_says_where)
{
    struct error error;
    error_set(&error, STATUS_IO, "no such file");
    cr_assert(error_prefix(&error, "%s/%d", "models", 1) == STATUS_IO);
    cr_assert_str_eq(error.message, "models/1: no such file");
    cr_assert(error.status == STATUS_IO);
}

static void fill(char *text, size_t length, const char *unit)
{
    text[0] = '\0';
    while (strlen(text) + strlen(unit) <= length)
        strcat(text, unit);
}

Test(status, a_message_that_fits_is_kept_whole)
{
    struct error error;
    char text[ERROR_MESSAGE_BYTES];
    fill(text, ERROR_MESSAGE_BYTES - 1, "a");
    error_set(&error, STATUS_INVALID, "%s", text);
    cr_assert_str_eq(error.message, text);
}

Test(status, a_longer_message_ends_in_an_ellipsis)
{
    struct error error;
    char text[ERROR_MESSAGE_BYTES + 1];
    fill(text, ERROR_MESSAGE_BYTES, "a");
    error_set(&error, STATUS_INVALID, "%s", text);
    cr_assert(strlen(error.message) == ERROR_MESSAGE_BYTES - 1);
    cr_assert_str_eq(error.message + ERROR_MESSAGE_BYTES - 4, "…");
}

/* Whatever the phase, no two-, three- or four-byte character is cut in half. */
Test(status, a_cut_never_splits_a_character)
{
    static const char *const units[] = {"é", "…", "😀"};
    for (size_t unit = 0; unit < 3; unit++) {
        for (size_t phase = 0; phase < 4; phase++) {
            struct error error;
            char text[2 * ERROR_MESSAGE_BYTES];
            const size_t width = strlen(units[unit]);
            fill(text, sizeof text - 8, units[unit]);
            error_set(&error, STATUS_INVALID, "%.*s%s", (int)phase, "aaaa", text);
            const size_t length = strlen(error.message);
            cr_assert((length - 3 - phase) % width == 0 && length > ERROR_MESSAGE_BYTES - 8,
                      "unit %zu, phase %zu: %zu bytes", unit, phase, length);
            cr_assert_str_eq(error.message + length - 3, "…");
        }
    }
}

Test(status, a_long_prefix_is_cut_too)
{
    struct error error;
    char text[2 * ERROR_MESSAGE_BYTES];
    fill(text, sizeof text - 1, "é");
    error_set(&error, STATUS_INVALID, "bad");
    error_prefix(&error, "a%s", text);
    const size_t length = strlen(error.message);
    cr_assert(length < ERROR_MESSAGE_BYTES && (length - 4) % 2 == 0);
    cr_assert_str_eq(error.message + length - 3, "…");
}

Test(status, a_message_stays_one_line)
{
    struct error error;
    error_set(&error, STATUS_INVALID, "node \"%s\"", "a\nb\x1B[2Jc\td\x7F\r\x01é");
    cr_assert_str_eq(error.message, "node \"a?b?[2Jc?d???é\"");
    error_prefix(&error, "file\n");
    cr_assert_str_eq(error.message, "file?: node \"a?b?[2Jc?d???é\"");
}
