/* The command line of offline commands. */
#include <criterion/criterion.h>
#include <string.h>

#include "offline/arguments.h"

struct asked {
    const char *text;
    bool on;
    uint64_t count;
    double number;
    struct argument_list list, paths;
};

static enum status read_arguments(struct asked *asked, const char *const *argv, struct error *error)
{
    const struct flag flags[] = {{"--text", FLAG_TEXT, &asked->text, 0, 0},
                                 {"--on", FLAG_SWITCH, &asked->on, 0, 0},
                                 {"--count", FLAG_COUNT, &asked->count, 1, 64},
                                 {"--number", FLAG_NUMBER, &asked->number, 0, 1},
                                 {"--list", FLAG_LIST, &asked->list, 0, 0}};
    int count = 0;
    memset(asked, 0, sizeof *asked);
    while (argv[count])
        count++;
    return arguments_read(count, (char *const *)argv, flags, 5, &asked->paths, error);
}

Test(arguments, flags_and_paths_in_any_order)
{
    struct asked asked;
    struct error error;
    cr_assert(read_arguments(&asked,
                             (const char *const[]){"a", "--text", "t", "--on", "-", "--count=64",
                                                   "--list", "1=2", "--number", "1e-3", "--list=-x",
                                                   "b", NULL},
                             &error) == STATUS_OK,
              "%s", error.message);
    cr_assert_str_eq(asked.text, "t");
    cr_assert(asked.on && asked.count == 64 && asked.number == 1e-3);
    cr_assert(asked.list.count == 2 && asked.paths.count == 3);
    cr_assert_str_eq(asked.list.items[0], "1=2");
    cr_assert_str_eq(asked.list.items[1], "-x");
    cr_assert_str_eq(asked.paths.items[1], "-");
}

Test(arguments, slips_are_refused)
{
    static const char *const cases[][3] = {
        {"--nope", NULL, "unknown option \"--nope\""},
        {"--on=1", NULL, "unknown option \"--on=1\""},
        {"--text", NULL, "--text: expected a value"},
        {"--count", "0", "--count: expected a whole number from 1 to 64, found \"0\""},
        {"--count", "65", "expected a whole number from 1 to 64"},
        {"--count", "1.5", "expected a whole number"},
        {"--count", "-1", "expected a whole number"},
        {"--count", "", "expected a whole number"},
        {"--number", "1.1", "--number: expected a number from 0 to 1"},
        {"--number", "nan", "expected a number"},
        {"--number", "0x1", "expected a number"},
        {"--number", "0.5.5", "expected a number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct asked asked;
        struct error error;
        const char *const argv[] = {cases[i][0], cases[i][1], NULL};
        cr_assert(read_arguments(&asked, argv, &error) == STATUS_INVALID, "%s", cases[i][2]);
        cr_assert(strstr(error.message, cases[i][2]), "%s", error.message);
    }
}

Test(arguments, lists_have_a_limit)
{
    const char *argv[ARGUMENTS_MAX + 2] = {NULL};
    struct asked asked;
    struct error error;
    for (size_t i = 0; i < ARGUMENTS_MAX; i++)
        argv[i] = "path";
    cr_assert(read_arguments(&asked, argv, &error) == STATUS_OK);
    argv[ARGUMENTS_MAX] = "path";
    cr_assert(read_arguments(&asked, argv, &error) == STATUS_TOO_LARGE);
}
