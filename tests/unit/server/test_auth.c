#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "log.h"
#include "temporary.h"

static void quiet(void)
{
    log_init("error", "logfmt");
}

TestSuite(auth, .init = quiet);

/* Keys as the file has them; what opening it says is in error. */
static enum status open_keys(struct auth *auth, struct temporary *temporary, const char *text,
                             size_t count, struct error *error)
{
    return auth_open(auth, temporary_write(temporary, "keys", text, count), error);
}

static enum scope scopes_of_key(struct auth *auth, const char *key)
{
    char header[AUTH_KEY_BYTES_MAX + 16];
    snprintf(header, sizeof header, "Bearer %s", key);
    return auth_scopes(auth, header);
}

Test(auth, reads_scopes_comments_and_blank_lines)
{
    static const char text[] = "# a comment\n"
                               "\n"
                               "infer first\n"
                               "  metrics\tsecond  \r\n"
                               " \t\n"
                               "admin third#=/+.-_~\n"
                               "  # admin fourth\n"
                               "infer both\n"
                               "metrics both\n"
                               "metrics last";
    struct temporary temporary;
    struct auth auth;
    struct error error;
    temporary_open(&temporary);
    cr_assert_eq(open_keys(&auth, &temporary, text, strlen(text), &error), STATUS_OK, "%s",
                 error.message);
    cr_assert_eq(scopes_of_key(&auth, "first"), SCOPE_INFER);
    cr_assert_eq(scopes_of_key(&auth, "second"), SCOPE_METRICS);
    cr_assert_eq(scopes_of_key(&auth, "third#=/+.-_~"), SCOPE_ALL);
    cr_assert_eq(scopes_of_key(&auth, "fourth"), SCOPE_OPEN);
    cr_assert_eq(scopes_of_key(&auth, "both"), SCOPE_READ);
    cr_assert_eq(scopes_of_key(&auth, "last"), SCOPE_METRICS);
    auth_close(&auth);
    temporary_close(&temporary);
}

Test(auth, takes_the_bearer_scheme_alone)
{
    static const char text[] = "infer key\n";
    static const char *const good[] = {"Bearer key", "bearer key", "BEARER   key", "Bearer\tkey "};
    static const char *const bad[] = {
        "",          "Bearer",   "Bearer ",     "Bearerkey",  "Basic key",  "key",
        "Bearer ke", "Bearer k", "Bearer keys", "Bearer Key", "Bearer=key", " Bearer key"};
    struct temporary temporary;
    struct auth auth;
    struct error error;
    temporary_open(&temporary);
    open_keys(&auth, &temporary, text, strlen(text), &error);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_assert_eq(auth_scopes(&auth, good[i]), SCOPE_INFER, "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_eq(auth_scopes(&auth, bad[i]), SCOPE_OPEN, "%s", bad[i]);
    cr_assert_eq(auth_scopes(&auth, NULL), SCOPE_OPEN);
    auth_close(&auth);
    temporary_close(&temporary);
}

/* What is refused may be a key: the sentence names the line and quotes nothing. */
Test(auth, refuses_lines_without_quoting_them)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"infer hidden\nhidden\n", "line 2: expected \"SCOPE KEY\""},
        {"hidden hidden\n", "line 1: expected \"SCOPE KEY\""},
        {"\n\nINFER hidden\n", "line 3: expected \"SCOPE KEY\""},
        {"inference hidden\n", "line 1: expected \"SCOPE KEY\""},
        {"infer\nhidden\n", "line 1: expected \"SCOPE KEY\""},
        {"infer hidden # comment\n", "line 1: expected \"SCOPE KEY\""},
        {"infer hidd\xc3\xa9n\n", "line 1: expected a key of at most 512 visible ASCII"},
        {"infer hidd\x7f\n", "line 1: expected a key of at most 512 visible ASCII"},
        {"# nothing\n\n", "expected a key, found none"},
    };
    struct temporary temporary;
    temporary_open(&temporary);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct auth auth;
        struct error error;
        cr_assert_eq(open_keys(&auth, &temporary, cases[i].text, strlen(cases[i].text), &error),
                     STATUS_INVALID, "%s", cases[i].text);
        cr_assert(strstr(error.message, "--api-keys /"), "%s", error.message);
        cr_assert(strstr(error.message, cases[i].part), "%s", error.message);
        cr_assert_not(strstr(error.message, "hidd"), "%s", error.message);
        auth_close(&auth);
    }
    temporary_close(&temporary);
}

Test(auth, refuses_files_that_are_none)
{
    struct temporary temporary;
    struct auth auth;
    struct error error;
    temporary_open(&temporary);
    cr_assert_eq(open_keys(&auth, &temporary, "infer a\0b\n", 10, &error), STATUS_INVALID);
    cr_assert(strstr(error.message, "NUL"), "%s", error.message);
    auth_close(&auth);
    cr_assert_eq(open_keys(&auth, &temporary, "", 0, &error), STATUS_INVALID);
    cr_assert(strstr(error.message, "empty"), "%s", error.message);
    auth_close(&auth);
    cr_assert_eq(auth_open(&auth, temporary.path, &error), STATUS_INVALID);
    cr_assert(strstr(error.message, "regular file"), "%s", error.message);
    auth_close(&auth);
    cr_assert_eq(auth_open(&auth, "/nowhere/keys", &error), STATUS_NOT_FOUND);
    cr_assert(strstr(error.message, "--api-keys /nowhere/keys: "), "%s", error.message);
    auth_close(&auth);
    temporary_close(&temporary);
}

/* count lines, "infer keyNNNN", with a last key of length bytes, in a file of file_bytes. */
static enum status try_limits(size_t count, size_t length, size_t file_bytes, struct error *error)
{
    static char text[AUTH_FILE_BYTES_MAX + 2];
    struct temporary temporary;
    struct auth auth;
    size_t at = 0;
    for (size_t i = 1; i < count; i++)
        at += (size_t)sprintf(text + at, "infer key%zu\n", i);
    at += (size_t)sprintf(text + at, "admin %0*d\n", (int)length, 7);
    memset(text + at, '\n', file_bytes - at);
    temporary_open(&temporary);
    enum status status = open_keys(&auth, &temporary, text, file_bytes, error);
    if (status == STATUS_OK) {
        char key[AUTH_KEY_BYTES_MAX + 1];
        snprintf(key, sizeof key, "%0*d", (int)length, 7);
        cr_assert_eq(scopes_of_key(&auth, key), SCOPE_ALL);
    }
    auth_close(&auth);
    temporary_close(&temporary);
    return status;
}

Test(auth, limits)
{
    struct error error;
    enum { FILE_BYTES = 1 << 16 };
    cr_assert_eq(try_limits(AUTH_KEYS_MAX, 1, FILE_BYTES, &error), STATUS_OK);
    cr_assert_eq(try_limits(AUTH_KEYS_MAX + 1, 1, FILE_BYTES, &error), STATUS_TOO_LARGE);
    cr_assert(strstr(error.message, "line 1025: expected at most 1024 keys"), "%s", error.message);
    cr_assert_eq(try_limits(1, AUTH_KEY_BYTES_MAX, FILE_BYTES, &error), STATUS_OK);
    cr_assert_eq(try_limits(1, AUTH_KEY_BYTES_MAX + 1, FILE_BYTES, &error), STATUS_INVALID);
    cr_assert_eq(try_limits(1, 1, AUTH_FILE_BYTES_MAX, &error), STATUS_OK);
    cr_assert_eq(try_limits(1, 1, AUTH_FILE_BYTES_MAX + 1, &error), STATUS_TOO_LARGE);
}

Test(auth, reads_the_file_again_or_keeps_what_it_has)
{
    struct temporary temporary;
    struct auth auth;
    struct error error;
    temporary_open(&temporary);
    open_keys(&auth, &temporary, "infer old\n", 10, &error);
    temporary_write(&temporary, "keys", "metrics new\n", 12);
    cr_assert_eq(auth_reload(&auth, &error), STATUS_OK);
    cr_assert_eq(scopes_of_key(&auth, "old"), SCOPE_OPEN);
    cr_assert_eq(scopes_of_key(&auth, "new"), SCOPE_METRICS);
    temporary_write(&temporary, "keys", "metrics newest\nwrong\n", 21);
    cr_assert_eq(auth_reload(&auth, &error), STATUS_INVALID);
    cr_assert_eq(scopes_of_key(&auth, "new"), SCOPE_METRICS);
    cr_assert_eq(scopes_of_key(&auth, "newest"), SCOPE_OPEN);
    auth_close(&auth);
    temporary_close(&temporary);
}
