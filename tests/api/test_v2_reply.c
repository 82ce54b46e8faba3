/* What the client may ask of a v2 reply: which outputs, in which form, with what beside them. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pair.h"

Test(v2_reply, the_reply_is_as_documented)
{
    struct daemon daemon;
    struct tensors body;
    struct reply reply;
    const char *model, *version, *id, *name, *datatype;
    int rows, scores, size;
    DAEMON_START(&daemon, DIGITS);
    tensors_digits(&body, 0, 3, false, ",\"id\":\"a\\u0001\\\"\"");
    tensors_post(&daemon, DIGITS_V2, &body, &reply);
    json_t *json = tensors_json(&reply);
    cr_assert_eq(json_unpack(json, "{s:s, s:s, s:s, s:[{s:s, s:s, s:[i,i], s:o !}] !}",
                             "model_name", &model, "model_version", &version, "id", &id, "outputs",
                             "name", &name, "datatype", &datatype, "shape", &rows, &scores, "data",
                             &(json_t *){NULL}),
                 0, "%s", reply.body);
    cr_assert_str_eq(model, "digits");
    cr_assert_str_eq(version, "1");
    cr_assert_str_eq(id, "a\x01\"");
    cr_assert_str_eq(name, "scores");
    cr_assert_str_eq(datatype, "FP32");
    cr_assert(rows == 3 && scores == SCORES);
    json_decref(json);
    reply_free(&reply);
    tensors_free(&body);
    tensors_digits(&body, 0, 3, false, ",\"parameters\":{\"binary_data_output\":true}");
    tensors_post(&daemon, DIGITS_V2, &body, &reply);
    json = tensors_json(&reply);
    cr_assert_eq(json_unpack(json, "{s:s, s:s, s:[{s:s, s:s, s:[i,i], s:{s:i !} !}] !}",
                             "model_name", &model, "model_version", &version, "outputs", "name",
                             &name, "datatype", &datatype, "shape", &rows, &scores, "parameters",
                             "binary_data_size", &size),
                 0, "%s", reply.body);
    cr_assert(rows == 3 && scores == SCORES && size == 120);
    json_decref(json);
    reply_free(&reply);
    tensors_free(&body);
    daemon_stop(&daemon);
}

/* The names of the reply's outputs, each followed by a space; those in binary have a star. */
static void names_of(const struct reply *reply, char names[64])
{
    json_t *json = tensors_json(reply);
    const json_t *output;
    size_t i;
    names[0] = '\0';
    json_array_foreach(json_object_get(json, "outputs"), i, output)
    {
        strcat(names, json_string_value(json_object_get(output, "name")));
        strcat(names, json_object_get(output, "data") ? " " : "* ");
    }
    json_decref(json);
}

Test(v2_reply, inputs_and_outputs_in_any_order_and_form)
{
    static const struct {
        const char *tail, *names;
    } cases[] = {
        {"", "left right "},
        {",\"outputs\":[]", "left right "},
        {",\"outputs\":[{\"name\":\"right\"}]", "right "},
        {",\"outputs\":[{\"name\":\"right\"},{\"name\":\"left\"}]", "right left "},
        {",\"parameters\":{\"binary_data_output\":true}", "left* right* "},
        {",\"outputs\":[{\"name\":\"right\",\"parameters\":{\"binary_data\":true}},"
         "{\"name\":\"left\",\"parameters\":{}}]",
         "right* left "},
        {",\"outputs\":[{\"name\":\"right\",\"parameters\":{\"binary_data\":false}},"
         "{\"name\":\"left\"}],\"parameters\":{\"binary_data_output\":true}",
         "right left* "},
    };
    struct daemon daemon;
    struct reply reply;
    float expected[12], left[4], right[8];
    int file = pair_start(&daemon);
    client_post(daemon.port, "/infer?model=pair", pair_native, &reply);
    cr_assert_eq(outputs_of(&reply, expected, 12), 12, "%s", reply.body);
    reply_free(&reply);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char names[64];
        pair_post(&daemon, cases[i].tail, &reply);
        names_of(&reply, names);
        cr_assert_str_eq(names, cases[i].names, "%s", cases[i].tail);
        if (strstr(names, "left")) {
            cr_assert_eq(tensors_output(&reply, "left", left, 4), 4);
            cr_assert(same_bits(left, expected, 4), "%s", cases[i].tail);
        }
        cr_assert_eq(tensors_output(&reply, "right", right, 8), 8);
        cr_assert(same_bits(right, expected + 4, 8), "%s", cases[i].tail);
        reply_free(&reply);
    }
    daemon_stop(&daemon);
    close(file);
}

Test(v2_reply, classification_gives_values_indices_and_labels)
{
    struct daemon daemon;
    struct tensors body;
    struct reply reply;
    float scores[2 * SCORES];
    DAEMON_START(&daemon, DIGITS);
    raw_scores(&daemon, "/infer", 0, 2, scores);
    tensors_digits(&body, 0, 2, false,
                   ",\"outputs\":[{\"name\":\"scores\",\"parameters\":{\"classification\":3}}]");
    tensors_post(&daemon, DIGITS_V2, &body, &reply);
    json_t *json = tensors_json(&reply), *data;
    const char *datatype;
    int rows, classes;
    cr_assert_eq(json_unpack(json, "{s:[{s:s, s:[i,i], s:o}]}", "outputs", "datatype", &datatype,
                             "shape", &rows, &classes, "data", &data),
                 0, "%s", reply.body);
    cr_assert_str_eq(datatype, "BYTES");
    cr_assert(rows == 2 && classes == 3 && json_array_size(data) == 6);
    for (size_t i = 0; i < 6; i++) {
        float value, before = INFINITY;
        int index, label;
        const char *text = json_string_value(json_array_get(data, i));
        cr_assert_eq(sscanf(text, "%f:%d:%d", &value, &index, &label), 3, "%s", text);
        const float *row = scores + i / 3 * SCORES;
        cr_assert(value == row[index] && label == index, "%s", text);
        if (i % 3)
            sscanf(json_string_value(json_array_get(data, i - 1)), "%f", &before);
        cr_assert_leq(value, before);
        size_t larger = 0;
        for (size_t k = 0; k < SCORES; k++)
            larger += row[k] > value;
        cr_assert_eq(larger, i % 3, "%s", text);
    }
    json_decref(json);
    reply_free(&reply);
    tensors_free(&body);
    daemon_stop(&daemon);
}

/* In binary each element has its length in front. */
Test(v2_reply, classification_in_binary_and_without_labels)
{
    struct daemon daemon;
    struct reply json_reply, reply;
    int file = pair_start(&daemon);
    pair_post(&daemon, ",\"outputs\":[{\"name\":\"left\",\"parameters\":{\"classification\":99}}]",
              &json_reply);
    pair_post(&daemon,
              ",\"outputs\":[{\"name\":\"left\",\"parameters\":{\"classification\":99,"
              "\"binary_data\":true}},{\"name\":\"right\",\"parameters\":{\"classification\":0}}]",
              &reply);
    json_t *expected = tensors_json(&json_reply), *json = tensors_json(&reply), *data;
    int rows, classes, size;
    cr_assert_eq(json_unpack(expected, "{s:[{s:[i,i], s:o}]}", "outputs", "shape", &rows, &classes,
                             "data", &data),
                 0, "%s", json_reply.body);
    cr_assert(rows == 2 && classes == 2 && json_array_size(data) == 4, "clamped to what there is");
    cr_assert_eq(json_unpack(json, "{s:[{s:{s:i}},{s:[i,i], s:o}]}", "outputs", "parameters",
                             "binary_data_size", &size, "shape", &rows, &classes, "data",
                             &(json_t *){NULL}),
                 0, "%s", reply.body);
    cr_assert(rows == 2 && classes == 4, "classification 0 asks for the numbers");
    const char *at = reply.body + reply.body_count - size;
    for (size_t i = 0; i < 4; i++) {
        const char *text = json_string_value(json_array_get(data, i));
        uint32_t length;
        memcpy(&length, at, sizeof length);
        cr_assert_eq(length, strlen(text));
        cr_assert(memcmp(at + 4, text, length) == 0, "%s", text);
        cr_assert_eq(strspn(text, "-.0123456789"), strlen(text) - 2, "%s has a label", text);
        at += 4 + length;
    }
    cr_assert_eq(at, reply.body + reply.body_count);
    json_decref(expected);
    json_decref(json);
    reply_free(&json_reply);
    reply_free(&reply);
    daemon_stop(&daemon);
    close(file);
}

Test(v2_reply, statistics_are_those_of_infer)
{
    static const char *const levels[] = {"summary", "units"};
    struct daemon daemon;
    struct reply reply;
    struct tensors body;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < 2; i++) {
        char tail[64];
        snprintf(tail, sizeof tail, ",\"stats\":\"%s\"", levels[i]);
        char *native = digits_body(0, 2, tail);
        client_post(daemon.port, "/infer", native, &reply);
        json_t *expected = json_of(&reply);
        reply_free(&reply);
        snprintf(tail, sizeof tail, ",\"parameters\":{\"stats\":\"%s\"}", levels[i]);
        tensors_digits(&body, 0, 2, true, tail);
        tensors_post(&daemon, DIGITS_V2, &body, &reply);
        json_t *json = tensors_json(&reply);
        cr_assert(json_equal(json_object_get(json, "activation_statistics"),
                             json_object_get(expected, "stats")),
                  "%s", reply.body);
        json_decref(json);
        json_decref(expected);
        reply_free(&reply);
        tensors_free(&body);
        free(native);
    }
    for (size_t i = 0; i < 2; i++) {
        tensors_digits(&body, 0, 2, true, i ? ",\"parameters\":{\"stats\":\"none\"}" : "");
        tensors_post(&daemon, DIGITS_V2, &body, &reply);
        cr_assert_not(strstr(reply.body, "activation_statistics"));
        reply_free(&reply);
        tensors_free(&body);
    }
    daemon_stop(&daemon);
}
