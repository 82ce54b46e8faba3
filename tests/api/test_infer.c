/* POST /infer with JSON: what goes in, what comes out. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "network.h"
#include "scene.h"

static char *file_text(const char *path)
{
    char *text = calloc(1, 65536);
    FILE *file = fopen(path, "re");
    cr_assert(file && text && fread(text, 1, 65535, file) > 0, "%s", path);
    fclose(file);
    return text;
}

/* The reply to body, which must be 200. */
static json_t *infer(const struct daemon *daemon, const char *path, const char *body)
{
    struct reply reply;
    client_post(daemon->port, path, body, &reply);
    expect_json(&reply, 200, body);
    json_t *json = json_of(&reply);
    reply_free(&reply);
    return json;
}

static const char *text_at(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text ? text : "(none)";
}

Test(infer, first_request_of_the_readme)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    char *body = file_text("models/digits/examples/one.json");
    json_t *json = infer(&daemon, "/infer", body);
    const char *label;
    int rows, queue, compute, batch_rows;
    cr_assert_str_eq(text_at(json, "model"), "digits");
    cr_assert_str_eq(text_at(json, "version"), "1");
    cr_assert_not(json_object_get(json, "id"));
    cr_assert_not(json_object_get(json, "nonfinite"));
    cr_assert_eq(json_unpack(json, "{s:i, s:[s], s:{s:i, s:i, s:i}}", "rows", &rows, "labels",
                             &label, "timing_us", "queue", &queue, "compute", &compute,
                             "batch_rows", &batch_rows),
                 0);
    cr_assert_eq(rows, 1);
    cr_assert_str_eq(label, "8");
    cr_assert(queue >= 0 && compute >= 0 && batch_rows == 1);
    const json_t *outputs = json_object_get(json, "outputs");
    cr_assert_eq(json_array_size(outputs), 1);
    cr_assert_eq(json_array_size(json_array_get(outputs, 0)), SCORES);
    json_decref(json);
    free(body);
    daemon_stop(&daemon);
}

Test(infer, seven_examples_have_their_labels)
{
    static const char *const labels[] = {"8", "3", "2", "0", "3", "6", "1"};
    static const char *const paths[] = {"/infer?model=digits", "/infer?model=digits-dying",
                                        "/infer?version=1&model=digits-dying"};
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, DIGITS_DYING);
    char *body = file_text("models/digits/examples/seven.json");
    for (size_t p = 0; p < 3; p++) {
        json_t *json = infer(&daemon, paths[p], body);
        cr_assert_str_eq(text_at(json, "model"), p ? "digits-dying" : "digits");
        const json_t *found = json_object_get(json, "labels");
        cr_assert_eq(json_array_size(found), 7);
        for (size_t i = 0; i < 7; i++)
            cr_assert_str_eq(json_string_value(json_array_get(found, i)), labels[i]);
        json_decref(json);
    }
    free(body);
    daemon_stop(&daemon);
}

Test(infer, default_model_is_the_first_unless_named)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS_DYING, DIGITS);
    json_t *json = infer(&daemon, "/infer", good_body());
    cr_assert_str_eq(text_at(json, "model"), "digits-dying");
    json_decref(json);
    daemon_stop(&daemon);
    DAEMON_START(&daemon, DIGITS_DYING, DIGITS, "--default-model", "digits");
    json = infer(&daemon, "/infer", good_body());
    cr_assert_str_eq(text_at(json, "model"), "digits");
    json_decref(json);
    daemon_stop(&daemon);
}

/* What the answer to body says without its timing and id, which differ. */
static json_t *answer_of(const struct daemon *daemon, const char *body)
{
    json_t *json = infer(daemon, "/infer", body);
    json_object_del(json, "timing_us");
    json_object_del(json, "id");
    return json;
}

Test(infer, forms_of_a_row_mean_the_same)
{
    const char *row = digits()->lines[0];
    static const char *const formats[] = {
        "{\"inputs\":[%s]}",
        " {\n\t\"inputs\" : [ [ %s\r\n ] ] } ",
        "{\"inputs\":{\"pixels\":[[%s]]}}",
        "{\"inputs\":{\"pixels\":[%s]}}",
        "{\"id\":\"x\",\"stats\":\"summary\",\"inputs\":[[%s]],\"more\":{\"inputs\":[1]}}",
    };
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    json_t *expected = answer_of(&daemon, good_body());
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        char body[1024];
        snprintf(body, sizeof body, formats[i], row);
        json_t *found = answer_of(&daemon, body);
        if (!json_equal(found, expected))
            cr_assert_fail("%s is answered with %s", body, json_dumps(found, 0));
        json_decref(found);
    }
    json_decref(expected);
    daemon_stop(&daemon);
}

Test(infer, forms_of_a_number_mean_the_same)
{
    /* Row 0 begins 0,0,5,13,9,1. */
    static const char *const begins[] = {"0.0,0e5,5.000,1.3e1,0.9E+1,10e-1",
                                         "-0,0.000e-9,50e-1,130E-1,900e-2,0.01e2"};
    const char *rest = digits()->lines[0] + strlen("0,0,5,13,9,1");
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    json_t *expected = answer_of(&daemon, good_body());
    for (size_t i = 0; i < 2; i++) {
        char body[1024];
        snprintf(body, sizeof body, "{\"inputs\":[[%s%s]]}", begins[i], rest);
        json_t *found = answer_of(&daemon, body);
        cr_assert(json_equal(found, expected), "%s", begins[i]);
        json_decref(found);
    }
    json_decref(expected);
    daemon_stop(&daemon);
}

Test(infer, id_comes_back_as_it_was)
{
    static const char *const ids[] = {"\"\"", "\"7\"", "\"\\\"\\\\\\n\\u0001/é\"",
                                      "\"\\ud83d\\ude00\""};
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        char *body, tail[64];
        snprintf(tail, sizeof tail, ",\"id\":%s", ids[i]);
        body = digits_body(0, 1, tail);
        struct reply reply;
        client_post(daemon.port, "/infer", body, &reply);
        expect_json(&reply, 200, ids[i]);
        json_t *json = json_loadb(reply.body, reply.body_count, 0, NULL);
        json_t *sent = json_loads(ids[i], JSON_DECODE_ANY, NULL);
        cr_assert(json && sent);
        cr_assert(json_equal(json_object_get(json, "id"), sent), "%s: %s", ids[i], reply.body);
        json_decref(sent);
        json_decref(json);
        reply_free(&reply);
        free(body);
    }
    daemon_stop(&daemon);
}

/* Statistics of a reply */

/* Asserts that active_units of a layer is ascending and counts what active says. */
static void check_units(const json_t *layer, size_t rows)
{
    const json_t *active = json_object_get(layer, "active");
    const json_t *all = json_object_get(layer, "active_units");
    json_int_t units = json_integer_value(json_object_get(layer, "units"));
    cr_assert_eq(json_array_size(all), rows);
    for (size_t r = 0; r < rows; r++) {
        const json_t *row = json_array_get(all, r);
        json_int_t last = -1;
        for (size_t i = 0; i < json_array_size(row); i++) {
            json_int_t unit = json_integer_value(json_array_get(row, i));
            if (unit <= last || unit >= units)
                cr_assert_fail("unit %lld after %lld of %lld", unit, last, units);
            last = unit;
        }
        cr_assert_eq((json_int_t)json_array_size(row),
                     json_integer_value(json_array_get(active, r)));
    }
}

/* Checks a stats object but for its active_units; returns the sum over everything active. */
static void check_stats(const json_t *stats, size_t rows)
{
    static const char *const names[] = {"fc1", "fc2"};
    static const json_int_t units[] = {128, 64};
    const json_t *layers = json_object_get(stats, "layers");
    double active = 0, observed = 0;
    cr_assert_eq(json_array_size(layers), 2, "fc3 is identity and must not be listed");
    for (size_t i = 0; i < 2; i++) {
        const json_t *layer = json_array_get(layers, i);
        cr_assert_str_eq(text_at(layer, "name"), names[i]);
        cr_assert_str_eq(text_at(layer, "activation"), "relu");
        cr_assert_eq(json_integer_value(json_object_get(layer, "units")), units[i]);
        cr_assert_eq(json_array_size(json_object_get(layer, "active")), rows);
        double sum = (double)sum_of(json_object_get(layer, "active"));
        double all = (double)rows * (double)units[i];
        cr_assert_float_eq(json_real_value(json_object_get(layer, "sparsity")), 1 - sum / all,
                           1e-6);
        active += sum;
        observed += all;
    }
    cr_assert_float_eq(json_real_value(json_object_get(stats, "sparsity")), 1 - active / observed,
                       1e-6);
}

Test(infer, statistics_none_summary_and_units)
{
    static const char *const tails[] = {"", ",\"stats\":\"none\"", ",\"stats\":\"summary\"",
                                        ",\"stats\":\"units\""};
    json_t *replies[4];
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < 4; i++) {
        char *body = digits_body(5, 9, tails[i]);
        replies[i] = answer_of(&daemon, body);
        free(body);
    }
    cr_assert(json_equal(replies[0], replies[2]), "summary is the default");
    cr_assert_not(json_object_get(replies[1], "stats"));
    for (size_t i = 2; i < 4; i++) {
        const json_t *stats = json_object_get(replies[i], "stats");
        check_stats(stats, 9);
        for (size_t layer = 0; layer < 2; layer++) {
            json_t *of = json_array_get(json_object_get(stats, "layers"), layer);
            if (i == 3)
                check_units(of, 9);
            json_object_del(of, "active_units");
        }
    }
    cr_assert(json_equal(replies[2], replies[3]), "units only adds active_units");
    json_object_del(replies[2], "stats");
    cr_assert(json_equal(replies[1], replies[2]), "statistics do not change the answer");
    for (size_t i = 0; i < 4; i++)
        json_decref(replies[i]);
    daemon_stop(&daemon);
}

/* The units a fresh daemon lists for its first rows are those it has counted. */
Test(infer, active_units_are_the_ones_that_were_counted)
{
    enum { ROWS = 12 };
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    char *body = digits_body(100, ROWS, ",\"stats\":\"units\"");
    json_t *reply = infer(&daemon, "/infer", body);
    json_t *stats = get_json(&daemon, "/stats?detail=units");
    const json_t *replied = json_object_get(json_object_get(reply, "stats"), "layers");
    for (size_t i = 0; i < 2; i++) {
        json_int_t listed[128] = {0};
        const json_t *layer = json_array_get(json_object_get(stats, "layers"), i);
        const json_t *counts = json_object_get(json_object_get(layer, "unit_stats"), "active");
        const json_t *rows = json_object_get(json_array_get(replied, i), "active_units"), *row;
        size_t r, k;
        const json_t *unit;
        json_array_foreach(rows, r, row) json_array_foreach(row, k, unit)
            listed[json_integer_value(unit)]++;
        for (size_t u = 0; u < json_array_size(counts); u++)
            if (json_integer_value(json_array_get(counts, u)) != listed[u])
                cr_assert_fail("layer %zu, unit %zu", i, u);
    }
    json_decref(stats);
    json_decref(reply);
    free(body);
    daemon_stop(&daemon);
}

/* Several inputs and outputs */

enum { LEFT = 3, RIGHT = 2, LEFT_OUT = 4, RIGHT_OUT = 5 };

static const struct chain twins[] = {
    {"left", "sum", {LEFT, 7, LEFT_OUT, 0}, "Relu"},
    {"right", "diff", {RIGHT, 70, RIGHT_OUT, 0}, "Tanh"},
};

static void expect_shape(const json_t *outputs, const char *name, size_t rows, size_t features)
{
    const json_t *output = json_object_get(outputs, name);
    cr_assert_eq(json_array_size(output), rows, "%s", name);
    for (size_t r = 0; r < rows; r++)
        cr_assert_eq(json_array_size(json_array_get(output, r)), features, "%s", name);
}

Test(infer, several_inputs_and_outputs_go_by_name)
{
    char path[NETWORK_PATH_BYTES], argument[NETWORK_PATH_BYTES + 8];
    int file = network_file(path, twins, 2);
    struct daemon daemon;
    snprintf(argument, sizeof argument, "twins=%s", path);
    DAEMON_START(&daemon, argument);
    json_t *both = infer(&daemon, "/infer",
                         "{\"inputs\":{\"right\":[[1,2],[3,4]],\"left\":[[1,2,3],[4,5,6]]}}");
    json_t *swapped =
        infer(&daemon, "/infer", "{\"inputs\":{\"left\":[[4,5,6]],\"right\":[[3,4]]}}");
    const json_t *outputs = json_object_get(both, "outputs");
    expect_shape(outputs, "sum", 2, LEFT_OUT);
    expect_shape(outputs, "diff", 2, RIGHT_OUT);
    const json_t *one = json_object_get(swapped, "outputs");
    static const char *const names[] = {"sum", "diff"};
    for (size_t i = 0; i < 2; i++)
        cr_assert(json_equal(json_array_get(json_object_get(outputs, names[i]), 1),
                             json_array_get(json_object_get(one, names[i]), 0)));
    json_decref(both);
    json_decref(swapped);
    daemon_stop(&daemon);
    close(file);
}

Test(infer, several_inputs_are_checked_by_name)
{
    static const struct {
        const char *body, *part;
    } cases[] = {
        {"{\"inputs\":[[1,2,3]]}", "2 names"},
        {"{\"inputs\":{\"left\":[[1,2,3]]}}", "\"right\" is missing"},
        {"{\"inputs\":{\"left\":[[1,2,3]],\"right\":[[1,2]],\"x\":[[1]]}}", "found 3"},
        {"{\"inputs\":{\"left\":[[1,2,3]],\"right\":[[1,2],[3,4]]}}", "found 2 rows"},
        {"{\"inputs\":{\"left\":[[1,2]],\"right\":[[1,2]]}}",
         "input \"left\": row 0 has 2 numbers, the model takes 3"},
        {"{\"inputs\":{\"left\":\"x\",\"right\":[[1,2]]}}", "\"left\": expected an array"},
        {"{\"inputs\":{\"left\":0,\"right\":[[1,2]]}}", "found a number"},
        {"{\"inputs\":{\"left\":[[1,2,3]],\"left\":[[1,2,3]]}}", "duplicate"},
    };
    char path[NETWORK_PATH_BYTES];
    int file = network_file(path, twins, 2);
    struct daemon daemon;
    DAEMON_START(&daemon, path);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reply reply;
        client_post(daemon.port, "/infer", cases[i].body, &reply);
        expect_error(&reply, 400, "invalid", cases[i].part, cases[i].body);
        reply_free(&reply);
        json_decref(
            infer(&daemon, "/infer", "{\"inputs\":{\"left\":[[1,2,3]],\"right\":[[1,2]]}}"));
    }
    daemon_stop(&daemon);
    close(file);
}

Test(infer, output_that_is_not_finite_is_null)
{
    static const struct chain chain = {"x", "y", {2, 3, 3, 3, 0}, "Relu"};
    char path[NETWORK_PATH_BYTES];
    int file = network_file(path, &chain, 1);
    struct daemon daemon;
    struct reply reply;
    DAEMON_START(&daemon, path);
    client_post(daemon.port, "/infer", "{\"inputs\":[[3.4e38,-3.4e38],[1,1]]}", &reply);
    expect_json(&reply, 200, "overflow");
    cr_assert(strstr(reply.body, "null"), "%s", reply.body);
    cr_assert(strstr(reply.body, "\"nonfinite\":true"), "%s", reply.body);
    cr_assert_not(strstr(reply.body, "inf"), "%s", reply.body);
    reply_free(&reply);
    client_post(daemon.port, "/infer", "{\"inputs\":[[1,1]]}", &reply);
    cr_assert_not(strstr(reply.body, "nonfinite"), "%s", reply.body);
    reply_free(&reply);
    daemon_stop(&daemon);
    close(file);
}
