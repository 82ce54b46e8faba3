/* relud profile: what a daemon counts of a data set, without the daemon. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scene.h"
#include "temporary.h"

#define DATA    DIGITS "/digits.csv"
#define SIAMESE "tests/conformance/golden/test_siamese"

static json_t *profile_json(const char *const *arguments)
{
    struct command command;
    json_error_t error;
    command_run(&command, NULL, arguments);
    cr_assert_eq(command.status, 0, "%s", command.err);
    cr_assert_str_empty(command.err);
    json_t *json = json_loads(command.out, JSON_REJECT_DUPLICATES, &error);
    cr_assert(json, "%s: %s", error.text, command.out);
    command_free(&command);
    return json;
}
#define PROFILE_JSON(...) profile_json((const char *const[]){"profile", __VA_ARGS__, NULL})

#define EXPECT_FAILURE(status, part, ...) \
    expect_command_fails((status), (part), (const char *const[]){"profile", __VA_ARGS__, NULL})

/* The members of a layer that do not depend on the order in which sums were added. */
static void expect_same_layer(const json_t *a, const json_t *b)
{
    static const char *const members[] = {"name", "activation", "units",     "observations",
                                          "dead", "silent",     "always_on", "rare"};
    static const char *const arrays[] = {"active", "rate", "max_preactivation"};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        cr_assert(json_equal(json_object_get(a, members[i]), json_object_get(b, members[i])), "%s",
                  members[i]);
    const json_t *x = json_object_get(a, "unit_stats"), *y = json_object_get(b, "unit_stats");
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        cr_assert(json_equal(json_object_get(x, arrays[i]), json_object_get(y, arrays[i])), "%s",
                  arrays[i]);
}

static void expect_same(const json_t *a, const json_t *b)
{
    static const char *const members[] = {"model", "version", "digest", "level", "samples"};
    const json_t *x = json_object_get(a, "layers"), *y = json_object_get(b, "layers");
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        cr_assert(json_equal(json_object_get(a, members[i]), json_object_get(b, members[i])), "%s",
                  members[i]);
    cr_assert(json_array_size(x) == json_array_size(y) && json_array_size(x) > 0);
    for (size_t i = 0; i < json_array_size(x); i++)
        expect_same_layer(json_array_get(x, i), json_array_get(y, i));
}

Test(profile, counts_what_a_daemon_counts)
{
    struct daemon daemon;
    struct reply reply;
    char *body = digits_body(0, DIGITS_ROWS, "");
    DAEMON_START(&daemon, DIGITS_DYING, "--loops", "2");
    client_post(daemon.port, "/infer", body, &reply);
    expect_json(&reply, 200, "all rows");
    json_t *served = get_json(&daemon, "/stats?detail=units");
    json_t *profiled = PROFILE_JSON(DIGITS_DYING, "--data", DATA, "--json");
    cr_assert_eq(json_integer_value(json_object_get(profiled, "samples")), DIGITS_ROWS);
    expect_same(profiled, served);
    json_decref(served);
    json_decref(profiled);
    reply_free(&reply);
    free(body);
    daemon_stop(&daemon);
}

/* Threads change no bit, batches no count. */
Test(profile, threads_and_batches)
{
    static const char *const threads[] = {"2", "4", "7"};
    json_t *one = PROFILE_JSON(DIGITS, "--data", DATA, "--json", "--threads=1");
    for (size_t i = 0; i < 3; i++) {
        json_t *many = PROFILE_JSON(DIGITS, "--data", DATA, "--json", "--threads", threads[i]);
        cr_assert(json_equal(json_object_get(one, "layers"), json_object_get(many, "layers")));
        json_decref(many);
    }
    json_t *small = PROFILE_JSON(DIGITS, "--data", DATA, "--json", "--batch=13");
    expect_same(one, small);
    json_decref(small);
    json_decref(one);
}

/* The digits as a .npy of float32; returns its path. */
static const char *write_npy(struct temporary *temporary)
{
    static const char header[] =
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1797, 64), }\n";
    const size_t length = sizeof header - 1, count = sizeof digits()->pixels;
    char *bytes = malloc(10 + length + count);
    memcpy(bytes, "\x93NUMPY\x01\x00", 8);
    bytes[8] = (char)length;
    bytes[9] = 0;
    memcpy(bytes + 10, header, length);
    memcpy(bytes + 10 + length, digits()->pixels, count);
    const char *path = temporary_write(temporary, "digits.npy", bytes, 10 + length + count);
    free(bytes);
    return path;
}

Test(profile, arrays_and_lines_count_the_same)
{
    struct temporary temporary;
    temporary_open(&temporary);
    const char *path = write_npy(&temporary);
    json_t *lines = PROFILE_JSON(DIGITS, "--data", DATA, "--out", "-");
    json_t *array = PROFILE_JSON(DIGITS, "--json", "--data", path);
    expect_same(lines, array);
    json_decref(lines);
    json_decref(array);
    temporary_close(&temporary);
}

Test(profile, writes_a_snapshot_and_a_table)
{
    struct temporary temporary;
    struct command command;
    char path[128];
    temporary_open(&temporary);
    snprintf(path, sizeof path, "%s/out.json", temporary.path);
    COMMAND_RUN(&command, "profile", DIGITS_DYING, "--data", DATA, "--out", path);
    cr_assert_eq(command.status, 0, "%s", command.err);
    cr_assert_str_empty(command.err, "a bar where there is no terminal");
    cr_assert(strstr(command.out, "1797 rows") && strstr(command.out, "\nlayer  activation  units"),
              "%s", command.out);
    cr_assert(strstr(command.out, "\nfc1    relu          128    0.9509    65"), "%s", command.out);
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    cr_assert_str_eq(json_string_value(json_object_get(json, "format")), "relud-stats");
    cr_assert_eq(json_integer_value(json_object_get(json, "format_version")), 1);
    cr_assert_eq(json_integer_value(json_object_get(json, "samples")), DIGITS_ROWS);
    json_decref(json);
    command_free(&command);
    temporary_close(&temporary);
}

/* Rows of a as long as the input called left, of b as the other. */
static void write_rows(struct temporary *temporary, const char *name, size_t rows, size_t features)
{
    char *text = calloc(rows * features + 1, 8), *at = text;
    for (size_t i = 0; i < rows * features; i++)
        at += sprintf(at, "%zu%c", i * 7 % 13, i % features + 1 == features ? '\n' : ',');
    temporary_write(temporary, name, text, (size_t)(at - text));
    free(text);
}

static json_t *signature_of(const char *path)
{
    struct command command;
    COMMAND_RUN(&command, "inspect", "--json", path);
    json_t *json = json_loads(command.out, 0, NULL);
    cr_assert(json);
    command_free(&command);
    return json;
}

/* "NAME=FILE" for input i of that model, with so many rows. */
static void write_input(struct temporary *temporary, const json_t *signature, size_t i, size_t rows,
                        char data[512])
{
    const json_t *input = json_array_get(json_object_get(signature, "inputs"), i);
    const json_t *shape = json_object_get(input, "shape");
    size_t features = 1;
    char name[32];
    for (size_t d = 1; d < json_array_size(shape); d++)
        features *= (size_t)json_integer_value(json_array_get(shape, d));
    snprintf(name, sizeof name, "%zu-%zu.csv", i, rows);
    write_rows(temporary, name, rows, features);
    snprintf(data, 512, "%s=%s", json_string_value(json_object_get(input, "name")),
             temporary->file);
}

Test(profile, several_inputs)
{
    struct temporary temporary;
    char a[512], b[512], longer[512];
    json_t *signature = signature_of(SIAMESE);
    temporary_open(&temporary);
    write_input(&temporary, signature, 0, 50, a);
    write_input(&temporary, signature, 1, 50, b);
    write_input(&temporary, signature, 1, 51, longer);
    json_t *json = PROFILE_JSON(SIAMESE, "--data", b, "--data", a, "--json", "--batch=7");
    cr_assert_eq(json_integer_value(json_object_get(json, "samples")), 50);
    json_decref(json);
    EXPECT_FAILURE(1, "expected as many rows in", SIAMESE, "--data", a, "--data", longer);
    EXPECT_FAILURE(1, "has no data set", SIAMESE, "--data", a);
    EXPECT_FAILURE(1, "has two data sets", SIAMESE, "--data", a, "--data", a);
    EXPECT_FAILURE(1, "the model has 2 inputs", SIAMESE, "--data", DATA);
    *strchr(a, '=') = *strchr(b, '=') = '\0';
    strcat(a, "=/dev/null");
    EXPECT_FAILURE(1, "expected rows in /dev/null, found none", SIAMESE, "--data", a, "--data",
                   strcat(b, "=/dev/null"));
    strcpy(strchr(a, '=') + 1, "-");
    strcpy(strchr(b, '=') + 1, "-");
    EXPECT_FAILURE(1, "standard input is for one input only", SIAMESE, "--data", a, "--data", b);
    json_decref(signature);
    temporary_close(&temporary);
}

/* What if */

/* Of what is said before or after a change; when is NULL where there was none. */
static const json_t *layer_of(const json_t *json, const char *when, size_t i)
{
    const json_t *said = when ? json_object_get(json, when) : json;
    return json_array_get(json_object_get(said, "layers"), i);
}

static json_int_t count_of(const json_t *layer, const char *verdict)
{
    return json_integer_value(json_object_get(json_object_get(layer, verdict), "count"));
}

/* Before a change the model is as it is. After it, what was dead under a leak is silent; whoever
 * profiles the model as served with it gets the same. */
Test(profile, what_if_the_units_leaked)
{
    json_t *plain = PROFILE_JSON(DIGITS_DYING, "--data", DATA, "--json");
    json_t *both = PROFILE_JSON(DIGITS_DYING, "--data", DATA, "--json", "--activation",
                                "digits-dying/*=leaky_relu(alpha=0.1)");
    expect_same(json_object_get(both, "before"), plain);
    cr_assert_eq(count_of(layer_of(both, "before", 0), "dead"), 65);
    cr_assert_eq(count_of(layer_of(both, "after", 0), "dead"), 0);
    cr_assert_eq(count_of(layer_of(both, "after", 0), "silent"), 65);
    cr_assert(!json_equal(json_object_get(json_object_get(both, "after"), "digest"),
                          json_object_get(plain, "digest")));
    json_decref(plain);
    json_decref(both);
}

/* --bias for each dead unit of a layer: its margin times factor. */
static size_t raise_the_dead(const json_t *layer, double factor, char biases[][64])
{
    const json_t *dead = json_object_get(json_object_get(layer, "dead"), "units");
    const json_t *margins = json_object_get(json_object_get(layer, "unit_stats"), "margin");
    for (size_t i = 0; i < json_array_size(dead); i++) {
        const json_int_t unit = json_integer_value(json_array_get(dead, i));
        const double margin = json_number_value(json_array_get(margins, (size_t)unit));
        cr_assert(margin > 0);
        snprintf(biases[i], sizeof biases[i], "--bias=%s[%d]+=%.9g",
                 json_string_value(json_object_get(layer, "name")), (int)unit, margin * factor);
    }
    return json_array_size(dead);
}

/* The dead units of layer i fire once their biases are raised by their margins and a little, and
 * not before. */
static void check_margins(const json_t *plain, size_t i, size_t dead)
{
    static const double factors[] = {0.999, 1.0001};
    for (size_t f = 0; f < 2; f++) {
        char biases[128][64];
        const char *arguments[128 + 6] = {"profile", DIGITS_DYING, "--data", DATA, "--json"};
        cr_assert_eq(raise_the_dead(layer_of(plain, NULL, i), factors[f], biases), dead);
        for (size_t b = 0; b < dead; b++)
            arguments[5 + b] = biases[b];
        json_t *both = profile_json(arguments);
        cr_assert_eq(count_of(layer_of(both, "before", i), "dead"), dead);
        cr_assert_eq(count_of(layer_of(both, "after", i), "dead"), factors[f] < 1 ? dead : 0);
        json_decref(both);
    }
}

Test(profile, what_if_biases_were_raised_by_the_margins)
{
    json_t *plain = PROFILE_JSON(DIGITS_DYING, "--data", DATA, "--json");
    check_margins(plain, 0, 65);
    check_margins(plain, 1, 9);
    json_decref(plain);
}

Test(profile, what_if_is_a_table)
{
    struct temporary temporary;
    struct command command;
    char path[128];
    temporary_open(&temporary);
    snprintf(path, sizeof path, "%s/out.json", temporary.path);
    COMMAND_RUN(&command, "profile", DIGITS_DYING, "--data", DATA, "--out", path, "--bias",
                "fc1-=1000", "--activation=fc2=elu");
    cr_assert_eq(command.status, 0, "%s", command.err);
    cr_assert(strstr(command.out, "63 -> 0") && strstr(command.out, "65 -> 128") &&
                  strstr(command.out, "relu -> elu"),
              "%s", command.out);
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    cr_assert_eq(count_of(json_array_get(json_object_get(json, "layers"), 0), "dead"), 128);
    json_decref(json);
    command_free(&command);
    EXPECT_FAILURE(1, "bias: the model has no layer \"nope\"", DIGITS, "--data", DATA, "--bias",
                   "nope+=1");
    EXPECT_FAILURE(1, "the model has no layer \"nope\"", DIGITS, "--data", DATA,
                   "--activation=nope=elu");
    EXPECT_FAILURE(1, "unknown activation \"nope\"", DIGITS, "--data", DATA,
                   "--activation=fc1=nope");
    temporary_close(&temporary);
}

Test(profile, failures)
{
    struct temporary temporary;
    temporary_open(&temporary);
    EXPECT_FAILURE(2, "usage: relud profile PATH --data", DIGITS);
    EXPECT_FAILURE(2, "usage: relud profile PATH --data", "--data", DATA);
    EXPECT_FAILURE(2, "--threads: expected a whole number from 1 to 256", DIGITS, "--threads", "0");
    EXPECT_FAILURE(2, "unknown option \"--nope\"", DIGITS, "--nope");
    EXPECT_FAILURE(1, "no/such.csv: No such file", DIGITS, "--data", "no/such.csv");
    EXPECT_FAILURE(1, "no/model: No such file", "no/model", "--data", DATA);
    EXPECT_FAILURE(1, "no/such/out.json.tmp: No such file", DIGITS, "--data", DATA, "--out",
                   "no/such/out.json");
    temporary_write(&temporary, "data.csv", "1,2,3\n", 6);
    EXPECT_FAILURE(1, "line 1: expected 64 numbers, found 3", DIGITS, "--data", temporary.file);
    temporary_close(&temporary);
}
