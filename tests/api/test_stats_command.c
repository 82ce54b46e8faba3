/* relud stats merge and diff: shards against the whole, data against other data. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scene.h"
#include "temporary.h"

#define DATA DIGITS "/digits.csv"
enum { SHARDS = 7, PATH_BYTES = 128 };

#define RUN(status, command, ...) \
    expect_command((status), (const char *const[]){__VA_ARGS__, NULL}, (command))

/* Profiles model on rows first, first + step, … of the digits, inverted or not, into NAME.json,
 * whose path goes into path. */
static void write_profile(struct temporary *temporary, const char *model, const char *name,
                          size_t first, size_t step, bool inverted, char path[PATH_BYTES])
{
    char data[PATH_BYTES], *text = malloc(DIGITS_ROWS * PIXELS * 4), *at = text;
    struct command command;
    for (size_t row = first; row < DIGITS_ROWS; row += step)
        for (size_t i = 0; i < PIXELS; i++) {
            const int pixel = (int)digits()->pixels[row][i];
            at += sprintf(at, "%d%c", inverted ? 16 - pixel : pixel, i + 1 < PIXELS ? ',' : '\n');
        }
    snprintf(path, PATH_BYTES, "%s.csv", name);
    snprintf(data, sizeof data, "%s", temporary_write(temporary, path, text, (size_t)(at - text)));
    snprintf(path, PATH_BYTES, "%s/%s.json", temporary->path, name);
    RUN(0, &command, "profile", model, "--data", data, "--out", path);
    command_free(&command);
    free(text);
}

static void expect_near(const json_t *a, const json_t *b, const char *name)
{
    const json_t *x = json_object_get(a, name), *y = json_object_get(b, name);
    cr_assert(json_array_size(x) == json_array_size(y) && json_array_size(x) > 0);
    for (size_t i = 0; i < json_array_size(x); i++) {
        const double p = json_number_value(json_array_get(x, i));
        const double q = json_number_value(json_array_get(y, i));
        cr_assert(fabs(p - q) <= 1e-12 * fabs(q), "%s %zu: %.17g and %.17g", name, i, p, q);
    }
}

static void expect_equal(const json_t *a, const json_t *b, const char *name)
{
    const json_t *x = json_object_get(a, name), *y = json_object_get(b, name);
    cr_assert(x && json_equal(x, y), "%s", name);
}

/* Counts and maxima are equal, means within 1e-12, and so is what follows from them. */
static void expect_same_statistics(const json_t *a, const json_t *b)
{
    static const char *const exact[] = {"name",    "activation", "units",   "observations",
                                        "dead",    "silent",     "dormant", "rare",
                                        "decided", "always_on",  "sparsity"};
    static const char *const head[] = {"format", "digest", "level", "samples", "totals"};
    const json_t *x = json_object_get(a, "layers"), *y = json_object_get(b, "layers");
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++)
        expect_equal(a, b, head[i]);
    cr_assert(json_array_size(x) == 2 && json_array_size(y) == 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *p = json_array_get(x, i), *q = json_array_get(y, i);
        for (size_t e = 0; e < sizeof exact / sizeof exact[0]; e++)
            expect_equal(p, q, exact[e]);
        p = json_object_get(p, "unit_stats");
        q = json_object_get(q, "unit_stats");
        expect_equal(p, q, "active");
        expect_equal(p, q, "rate");
        expect_equal(p, q, "max_preactivation");
        expect_near(p, q, "mean");
        expect_near(p, q, "mean_abs");
    }
}

Test(stats_command, seven_shards_are_the_whole)
{
    struct temporary temporary;
    struct command command;
    char whole[PATH_BYTES], shards[SHARDS][PATH_BYTES];
    const char *arguments[SHARDS + 3] = {"stats", "merge"};
    temporary_open(&temporary);
    write_profile(&temporary, DIGITS_DYING, "whole", 0, 1, false, whole);
    for (size_t i = 0; i < SHARDS; i++) {
        char name[16];
        snprintf(name, sizeof name, "shard%zu", i);
        write_profile(&temporary, DIGITS_DYING, name, i, SHARDS, false, shards[i]);
        arguments[2 + i] = shards[i];
    }
    expect_command(0, arguments, &command);
    json_t *merged = json_loads(command.out, JSON_REJECT_DUPLICATES, NULL);
    json_t *expected = json_load_file(whole, JSON_REJECT_DUPLICATES, NULL);
    cr_assert(merged && expected);
    expect_same_statistics(merged, expected);
    json_decref(merged);
    json_decref(expected);
    command_free(&command);
    temporary_close(&temporary);
}

#define EXPECT_FAILURE(status, part, ...) \
    expect_command_fails((status), (part), (const char *const[]){"stats", __VA_ARGS__, NULL})

Test(stats_command, what_does_not_fit_together_is_refused)
{
    struct temporary temporary;
    char one[PATH_BYTES], other[PATH_BYTES];
    temporary_open(&temporary);
    write_profile(&temporary, DIGITS, "one", 0, 20, false, one);
    write_profile(&temporary, DIGITS_DYING, "other", 0, 20, false, other);
    EXPECT_FAILURE(1, "other.json: expected statistics of the model with digest sha256:", "merge",
                   one, other);
    EXPECT_FAILURE(1, "expected statistics of the model with digest sha256:", "diff", one, other);
    EXPECT_FAILURE(1, "no/such.json: No such file", "merge", one, "no/such.json");
    EXPECT_FAILURE(1, "no/such.json: No such file", "diff", "no/such.json", one);
    EXPECT_FAILURE(1, "config.json: expected a snapshot", "diff", one, DIGITS "/config.json");
    EXPECT_FAILURE(2, "usage: relud stats merge", "merge");
    EXPECT_FAILURE(2, "usage: relud stats merge", "diff", one);
    EXPECT_FAILURE(2, "usage: relud stats merge", "sum", one);
    EXPECT_FAILURE(2, "--alpha: expected a number from 0 to 1", "diff", "--alpha=2", one, one);
    EXPECT_FAILURE(2, "unknown option \"--json\"", "merge", "--json", one);
    temporary_close(&temporary);
}

static json_t *diff_json(int status, const char *baseline, const char *now, const char *min_shift)
{
    struct command command;
    RUN(status, &command, "stats", "diff", "--json", "--min-shift", min_shift, baseline, now);
    json_t *json = json_loads(command.out, JSON_REJECT_DUPLICATES, NULL);
    cr_assert(json, "%s", command.out);
    command_free(&command);
    return json;
}

static json_int_t count_of(const json_t *json, const char *name)
{
    return json_integer_value(json_object_get(json, name));
}

Test(stats_command, diff_tells_inverted_pixels_and_nothing_else)
{
    struct temporary temporary;
    struct command command;
    char whole[PATH_BYTES], odd[PATH_BYTES], even[PATH_BYTES], inverted[PATH_BYTES];
    temporary_open(&temporary);
    write_profile(&temporary, DIGITS, "whole", 0, 1, false, whole);
    write_profile(&temporary, DIGITS, "odd", 1, 2, false, odd);
    write_profile(&temporary, DIGITS, "even", 0, 2, false, even);
    write_profile(&temporary, DIGITS, "inverted", 0, 1, true, inverted);
    RUN(0, &command, "stats", "diff", whole, whole);
    cr_assert(strstr(command.out, "\n0 of 192 units "), "%s", command.out);
    command_free(&command);
    json_decref(diff_json(0, odd, even, "0"));
    json_t *json = diff_json(1, whole, inverted, "0.01");
    const json_int_t shifted = count_of(json, "shifted");
    cr_assert(shifted > 150 && count_of(json, "units") == 192);
    cr_assert(json_is_true(json_object_get(json, "decided")));
    json_decref(json);
    json = diff_json(1, whole, inverted, "0.9");
    cr_assert(count_of(json, "shifted") > 0 && count_of(json, "shifted") < shifted / 4);
    json_decref(json);
    json_decref(diff_json(0, whole, inverted, "1"));
    RUN(1, &command, "stats", "diff", whole, inverted);
    cr_assert(strstr(command.out, "\nfc1      128  "), "%s", command.out);
    command_free(&command);
    temporary_close(&temporary);
}
