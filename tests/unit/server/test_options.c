#include <criterion/criterion.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

/* The rows of the table, as a test sees them. */
enum kind { TEXT, CHOICE, COUNT, LIST, SWITCH };

static const struct row {
    enum kind kind;
    const char *name, *fallback, *meta, *help;
    uint64_t count, least, most;
} rows[] = {
#define OPTION_TEXT(field, name, fallback, meta, help) {TEXT, name, fallback, meta, help, 0, 0, 0},
#define OPTION_CHOICE(field, name, fallback, choices, help) \
    {CHOICE, name, fallback, choices, help, 0, 0, 0},
#define OPTION_COUNT(field, name, fallback, least, most, meta, help) \
    {COUNT, name, NULL, meta, help, fallback, least, most},
#define OPTION_LIST(field, name, meta, help) {LIST, name, NULL, meta, help, 0, 0, 0},
#define OPTION_SWITCH(field, name, help)     {SWITCH, name, "off", "", help, 0, 0, 0},
#include "options.def"
#undef OPTION_TEXT
#undef OPTION_CHOICE
#undef OPTION_COUNT
#undef OPTION_LIST
#undef OPTION_SWITCH
};

enum { ROWS = sizeof rows / sizeof rows[0] };

/* The value that row i has in options; for a list its first item or NULL. */
static const char *text_of(const struct options *options, size_t i)
{
    const char *const texts[] = {
#define OPTION_TEXT(field, name, fallback, meta, help)               options->field,
#define OPTION_CHOICE(field, name, fallback, choices, help)          options->field,
#define OPTION_COUNT(field, name, fallback, least, most, meta, help) NULL,
#define OPTION_LIST(field, name, meta, help)                         options->field.count ? options->field.items[0] : NULL,
#define OPTION_SWITCH(field, name, help)                             options->field ? "on" : "off",
#include "options.def"
#undef OPTION_TEXT
#undef OPTION_CHOICE
#undef OPTION_COUNT
#undef OPTION_LIST
#undef OPTION_SWITCH
    };
    return texts[i];
}

static uint64_t count_of(const struct options *options, size_t i)
{
    const uint64_t counts[] = {
#define OPTION_TEXT(field, name, fallback, meta, help)               0,
#define OPTION_CHOICE(field, name, fallback, choices, help)          0,
#define OPTION_COUNT(field, name, fallback, least, most, meta, help) options->field,
#define OPTION_LIST(field, name, meta, help)                         options->field.count,
#define OPTION_SWITCH(field, name, help)                             0,
#include "options.def"
#undef OPTION_TEXT
#undef OPTION_CHOICE
#undef OPTION_COUNT
#undef OPTION_LIST
#undef OPTION_SWITCH
    };
    return counts[i];
}

static const char *variable_of(const struct row *row, char name[64])
{
    size_t length = (size_t)snprintf(name, 64, "RELUD_%s", row->name);
    for (size_t i = 6; i < length; i++)
        name[i] = name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
    return name;
}

/* A value that is not the default. */
static const char *other_value(const struct row *row, char value[64])
{
    switch (row->kind) {
    case COUNT:
        snprintf(value, 64, "%" PRIu64, row->count == row->most ? row->least : row->most);
        break;
    case CHOICE: {
        const char *last = strrchr(row->meta, '|') + 1;
        size_t first = strcspn(row->meta, "|");
        bool same = strcmp(last, row->fallback) == 0;
        snprintf(value, 64, "%.*s", same ? (int)first : 63, same ? row->meta : last);
        break;
    }
    case SWITCH:
        snprintf(value, 64, "on");
        break;
    default:
        snprintf(value, 64, "value-of-%s", row->name);
    }
    return value;
}

static enum status read_arguments(struct options *options, struct error *error,
                                  const char *const *arguments)
{
    int count = 0;
    while (arguments[count])
        count++;
    return options_read(options, count, (char *const *)(uintptr_t)arguments, error);
}

#define READ(options, error, ...) \
    read_arguments((options), (error), (const char *const[]){__VA_ARGS__, NULL})

static void clear_environment(void)
{
    char name[64];
    for (size_t i = 0; i < ROWS; i++)
        unsetenv(variable_of(&rows[i], name));
}

TestSuite(options, .init = clear_environment);

static void expect_default(const struct options *options, size_t i)
{
    if (rows[i].kind == COUNT || rows[i].kind == LIST)
        cr_assert_eq(count_of(options, i), rows[i].count, "%s", rows[i].name);
    else if (!rows[i].fallback)
        cr_assert_null(text_of(options, i), "%s", rows[i].name);
    else
        cr_assert_str_eq(text_of(options, i), rows[i].fallback, "%s", rows[i].name);
}

/* Row i has that value and every other one its default. */
static void expect_only(const struct options *options, size_t i, const char *value)
{
    for (size_t other = 0; other < ROWS; other++)
        if (other != i)
            expect_default(options, other);
    if (rows[i].kind == COUNT)
        cr_assert_eq(count_of(options, i), strtoull(value, NULL, 10), "%s", rows[i].name);
    else
        cr_assert_str_eq(text_of(options, i), value, "%s", rows[i].name);
}

Test(options, defaults)
{
    struct options options;
    struct error error;
    cr_assert_eq(options_read(&options, 0, NULL, &error), STATUS_OK);
    for (size_t i = 0; i < ROWS; i++)
        expect_default(&options, i);
    cr_assert_eq(options.models.count, 0);
    cr_assert_str_eq(options.host, "127.0.0.1");
    cr_assert_eq(options.port, 8080);
    options_free(&options);
}

Test(options, every_flag_in_both_forms)
{
    for (size_t i = 0; i < ROWS; i++) {
        char value[64], flag[64], joined[160];
        struct options options;
        struct error error;
        other_value(&rows[i], value);
        snprintf(flag, sizeof flag, "--%s", rows[i].name);
        snprintf(joined, sizeof joined, "--%s=%s", rows[i].name, value);
        if (rows[i].kind == SWITCH)
            cr_assert_eq(READ(&options, &error, flag), STATUS_OK, "%s", flag);
        else
            cr_assert_eq(READ(&options, &error, flag, value), STATUS_OK, "%s", flag);
        expect_only(&options, i, value);
        options_free(&options);
        cr_assert_eq(READ(&options, &error, joined), STATUS_OK, "%s", joined);
        expect_only(&options, i, value);
        options_free(&options);
    }
}

Test(options, every_variable_and_the_flag_wins)
{
    for (size_t i = 0; i < ROWS; i++) {
        char value[64], name[64], joined[160], standard[64];
        struct options options;
        struct error error;
        other_value(&rows[i], value);
        setenv(variable_of(&rows[i], name), value, 1);
        cr_assert_eq(options_read(&options, 0, NULL, &error), STATUS_OK, "%s", name);
        expect_only(&options, i, value);
        options_free(&options);
        if (rows[i].kind == COUNT)
            snprintf(standard, sizeof standard, "%" PRIu64, rows[i].count);
        else
            snprintf(standard, sizeof standard, "%s", rows[i].fallback ? rows[i].fallback : "x");
        snprintf(joined, sizeof joined, "--%s=%s", rows[i].name, standard);
        cr_assert_eq(READ(&options, &error, joined), STATUS_OK, "%s", joined);
        expect_only(&options, i, standard);
        options_free(&options);
        unsetenv(name);
    }
}

Test(options, an_empty_variable_is_none)
{
    char name[64];
    struct options options;
    struct error error;
    for (size_t i = 0; i < ROWS; i++)
        setenv(variable_of(&rows[i], name), "", 1);
    cr_assert_eq(options_read(&options, 0, NULL, &error), STATUS_OK);
    for (size_t i = 0; i < ROWS; i++)
        expect_default(&options, i);
    options_free(&options);
}

/* value is refused, by flag and by variable, with a message that names both. */
static void expect_refused(const struct row *row, const char *value)
{
    char flag[64], name[64];
    struct options options;
    struct error error;
    snprintf(flag, sizeof flag, "--%s", row->name);
    cr_assert_eq(READ(&options, &error, flag, value), STATUS_INVALID, "%s %s", flag, value);
    cr_assert(strstr(error.message, flag) && strstr(error.message, value), "%s", error.message);
    options_free(&options);
    if (!value[0])
        return;
    setenv(variable_of(row, name), value, 1);
    cr_assert_eq(options_read(&options, 0, NULL, &error), STATUS_INVALID, "%s=%s", name, value);
    cr_assert(strstr(error.message, "environment") && strstr(error.message, flag), "%s",
              error.message);
    options_free(&options);
    unsetenv(name);
}

Test(options, counts_at_their_limits_and_beyond)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "1x",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "0x10",
                                      "1.5",
                                      "1e3",
                                      "18446744073709551616",
                                      "99999999999999999999999"};
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].kind != COUNT)
            continue;
        uint64_t good[] = {rows[i].least, rows[i].most};
        char joined[160], beyond[32];
        for (size_t k = 0; k < 2; k++) {
            struct options options;
            struct error error;
            snprintf(joined, sizeof joined, "--%s=%" PRIu64, rows[i].name, good[k]);
            cr_assert_eq(READ(&options, &error, joined), STATUS_OK, "%s", joined);
            cr_assert_eq(count_of(&options, i), good[k], "%s", joined);
            options_free(&options);
        }
        for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++)
            expect_refused(&rows[i], bad[k]);
        snprintf(beyond, sizeof beyond, "%" PRIu64, rows[i].most + 1);
        expect_refused(&rows[i], beyond);
        snprintf(beyond, sizeof beyond, "%" PRIu64, rows[i].least - 1);
        if (rows[i].least > 0)
            expect_refused(&rows[i], beyond);
    }
}

Test(options, choices_are_whole_words)
{
    static const char *const bad[] = {"", "x", "|", "auto|", "aut", "autox", "auto|avx2", "AUTO"};
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].kind != CHOICE)
            continue;
        char choices[128], joined[160], *rest = NULL;
        snprintf(choices, sizeof choices, "%s", rows[i].meta);
        for (char *c = strtok_r(choices, "|", &rest); c; c = strtok_r(NULL, "|", &rest)) {
            struct options options;
            struct error error;
            snprintf(joined, sizeof joined, "--%s=%s", rows[i].name, c);
            cr_assert_eq(READ(&options, &error, joined), STATUS_OK, "%s", joined);
            cr_assert_str_eq(text_of(&options, i), c);
            options_free(&options);
        }
        for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++)
            expect_refused(&rows[i], bad[k]);
    }
}

Test(options, switches)
{
    static const struct {
        const char *value;
        bool on;
    } cases[] = {{"on", true},   {"true", true},   {"1", true},
                 {"off", false}, {"false", false}, {"0", false}};
    struct options options;
    struct error error;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char joined[32];
        snprintf(joined, sizeof joined, "--admin=%s", cases[i].value);
        cr_assert_eq(READ(&options, &error, joined), STATUS_OK, "%s", joined);
        cr_assert_eq(options.admin, cases[i].on, "%s", joined);
        options_free(&options);
    }
    cr_assert_eq(READ(&options, &error, "--admin", "model"), STATUS_OK);
    cr_assert(options.admin && options.models.count == 1);
    options_free(&options);
    cr_assert_eq(READ(&options, &error, "--admin=yes"), STATUS_INVALID);
    cr_assert(strstr(error.message, "--admin: expected on or off, found \"yes\""));
    options_free(&options);
}

Test(options, models_and_flags_in_any_order)
{
    struct options options;
    struct error error;
    cr_assert_eq(READ(&options, &error, "a", "--port", "1", "b=c", "--loops=2", "-d"), STATUS_OK);
    cr_assert_eq(options.models.count, 3);
    cr_assert_str_eq(options.models.items[0], "a");
    cr_assert_str_eq(options.models.items[1], "b=c");
    cr_assert_str_eq(options.models.items[2], "-d");
    cr_assert_eq(options.port, 1);
    cr_assert_eq(options.loops, 2);
    options_free(&options);
}

Test(options, lists_grow_and_the_flag_replaces_the_variable)
{
    struct options options;
    struct error error;
    setenv("RELUD_ACTIVATION", "  a/b=relu   c/d=elu(alpha=1) ", 1);
    cr_assert_eq(READ(&options, &error, "m"), STATUS_OK);
    cr_assert_eq(options.activation.count, 2);
    cr_assert_str_eq(options.activation.items[0], "a/b=relu");
    cr_assert_str_eq(options.activation.items[1], "c/d=elu(alpha=1)");
    options_free(&options);
    cr_assert_eq(READ(&options, &error, "--activation", "x", "--activation=y=z"), STATUS_OK);
    cr_assert_eq(options.activation.count, 2);
    cr_assert_str_eq(options.activation.items[0], "x");
    cr_assert_str_eq(options.activation.items[1], "y=z");
    options_free(&options);
}

Test(options, lists_at_their_limit_and_one_beyond)
{
    static const char *arguments[OPTION_LIST_MAX + 2];
    struct options options;
    struct error error;
    for (size_t i = 0; i < OPTION_LIST_MAX; i++)
        arguments[i] = "m";
    cr_assert_eq(read_arguments(&options, &error, arguments), STATUS_OK);
    cr_assert_eq(options.models.count, OPTION_LIST_MAX);
    options_free(&options);
    arguments[OPTION_LIST_MAX] = "m";
    cr_assert_eq(read_arguments(&options, &error, arguments), STATUS_TOO_LARGE);
    options_free(&options);
    for (size_t i = 0; i <= OPTION_LIST_MAX; i++)
        arguments[i] = "--activation=x";
    cr_assert_eq(read_arguments(&options, &error, arguments), STATUS_TOO_LARGE);
    options_free(&options);
}

Test(options, unknown_and_incomplete_flags)
{
    static const char *const bad[] = {"--",      "--nope", "--nope=1", "--por",
                                      "--ports", "--PORT", "--=1"};
    struct options options;
    struct error error;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_eq(READ(&options, &error, bad[i], "1"), STATUS_INVALID, "%s", bad[i]);
        cr_assert(strstr(error.message, bad[i]) && strstr(error.message, "--help"), "%s",
                  error.message);
        options_free(&options);
    }
    cr_assert_eq(READ(&options, &error, "m", "--port"), STATUS_INVALID);
    cr_assert_str_eq(error.message, "--port: expected a value");
    options_free(&options);
}

Test(options, a_port_from_kubernetes_is_ignored)
{
    struct options options;
    struct error error;
    setenv("RELUD_PORT", "tcp://10.0.0.7:8080", 1);
    cr_assert_eq(options_read(&options, 0, NULL, &error), STATUS_OK);
    cr_assert_eq(options.port, 8080);
    options_free(&options);
    setenv("RELUD_PORT", "udp://10.0.0.7:8080", 1);
    cr_assert_eq(options_read(&options, 0, NULL, &error), STATUS_INVALID);
    options_free(&options);
    unsetenv("RELUD_PORT");
    setenv("RELUD_HOST", "tcp://x", 1);
    cr_assert_eq(options_read(&options, 0, NULL, &error), STATUS_OK);
    cr_assert_str_eq(options.host, "tcp://x");
    options_free(&options);
}

/* What --help says of one option: its lines, up to the next one's. */
static char *help_of(const char *help, const struct row *row)
{
    char begin[160];
    snprintf(begin, sizeof begin, "\n  --%s %s", row->name, row->meta);
    const char *from = strstr(help, begin);
    cr_assert(from && isspace((unsigned char)from[strlen(begin)]), "%s is missing", begin);
    const char *end = strstr(from + 1, "\n  --");
    return strndup(from, end ? (size_t)(end - from) : strlen(from) - 1);
}

Test(options, help_lists_each_with_its_default)
{
    char *help = NULL;
    size_t count = 0;
    FILE *file = open_memstream(&help, &count);
    cr_assert(file);
    fputc('\n', file);
    options_help(file);
    fclose(file);
    for (size_t i = 0; i < ROWS; i++) {
        char end[256];
        char *text = help_of(help, &rows[i]);
        cr_assert(text);
        if (rows[i].kind == COUNT)
            snprintf(end, sizeof end, " %s [%" PRIu64 "]", rows[i].help, rows[i].count);
        else if (rows[i].fallback)
            snprintf(end, sizeof end, " %s [%s]", rows[i].help, rows[i].fallback);
        else
            snprintf(end, sizeof end, " %s", rows[i].help);
        cr_assert(strlen(text) > strlen(end), "%s", text);
        cr_assert_str_eq(text + strlen(text) - strlen(end), end, "%s", text);
        free(text);
    }
    for (const char *c = help; *c; c += strcspn(c, "\n") + 1)
        cr_assert_leq(strcspn(c, "\n"), 100, "a line is too wide: %.100s", c);
    free(help);
}
