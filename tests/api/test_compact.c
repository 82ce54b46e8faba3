/* relud compact: models/digits-dying without its dead units, and what is refused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scene.h"
#include "tree.h"

#define DATA DIGITS "/digits.csv"
enum { PATH_BYTES = 160, UNITS = 192 };

/* A directory with room for files, and the paths of some. */
struct place {
    struct tree tree;
    char stats[PATH_BYTES], out[PATH_BYTES];
};

#define RUN(status, command, ...) \
    expect_command((status), (const char *const[]){__VA_ARGS__, NULL}, (command))

/* With a snapshot of what model does on rows of data. */
static void open_place(struct place *place, const char *model, const char *data)
{
    struct command command;
    tree_open(&place->tree);
    snprintf(place->stats, PATH_BYTES, "%s/stats.json", place->tree.path);
    snprintf(place->out, PATH_BYTES, "%s/slim.onnx", place->tree.path);
    RUN(0, &command, "profile", model, "--data", data, "--out", place->stats);
    command_free(&command);
}

static json_t *compact_json(const char *const *arguments)
{
    struct command command;
    json_error_t error;
    expect_command(0, arguments, &command);
    cr_assert_str_empty(command.err);
    json_t *json = json_loads(command.out, JSON_REJECT_DUPLICATES, &error);
    cr_assert(json, "%s: %s", error.text, command.out);
    command_free(&command);
    return json;
}
#define COMPACT_JSON(...) \
    compact_json((const char *const[]){"compact", "--json", __VA_ARGS__, NULL})

static const json_t *layer_of(const json_t *json, size_t i)
{
    return json_array_get(json_object_get(json, "layers"), i);
}

static size_t removed(const json_t *json)
{
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(json_object_get(json, "layers")); i++)
        count += json_array_size(json_object_get(layer_of(json, i), "removed"));
    return count;
}

static json_int_t number(const json_t *json, const char *object, const char *key)
{
    return json_integer_value(json_object_get(json_object_get(json, object), key));
}

static double real(const json_t *json, const char *object, const char *key)
{
    return json_number_value(json_object_get(json_object_get(json, object), key));
}

/* Units of both layers that the snapshot names under a verdict. */
static void expect_removed(const json_t *json, const struct place *place, const char *verdict)
{
    json_t *stats = json_load_file(place->stats, 0, NULL);
    for (size_t i = 0; i < 2; i++) {
        const json_t *units =
            json_object_get(json_object_get(layer_of(stats, i), verdict), "units");
        cr_assert(units && json_equal(units, json_object_get(layer_of(json, i), "removed")));
    }
    json_decref(stats);
}

/* What a daemon answers of both to all rows, to the last bit. */
static void expect_same_answers(const char *out)
{
    struct daemon daemon;
    const size_t count = (size_t)DIGITS_ROWS * SCORES;
    float *before = malloc(count * sizeof *before), *after = malloc(count * sizeof *after);
    DAEMON_START(&daemon, DIGITS_DYING, out);
    raw_scores(&daemon, "/infer?model=digits-dying", 0, DIGITS_ROWS, before);
    raw_scores(&daemon, "/infer?model=slim", 0, DIGITS_ROWS, after);
    cr_assert(same_bits(before, after, count));
    daemon_stop(&daemon);
    free(before);
    free(after);
}

Test(compact, digits_without_their_dead_units)
{
    struct place place;
    char check[2 * PATH_BYTES];
    open_place(&place, DIGITS_DYING, DATA);
    json_t *json =
        COMPACT_JSON(DIGITS_DYING, "--stats", place.stats, "--out", place.out, "--data", DATA);
    cr_assert(10 * removed(json) >= 3 * UNITS, "%zu", removed(json));
    expect_removed(json, &place, "dead");
    cr_assert_eq(number(json, "data", "rows"), DIGITS_ROWS);
    cr_assert_eq(number(json, "data", "woken"), 0);
    cr_assert_eq(number(json, "data", "differing"), 0);
    cr_assert_eq(real(json, "after", "units"), (double)(UNITS - removed(json)));
    cr_assert(real(json, "after", "parameters") < 0.5 * real(json, "before", "parameters"));
    cr_assert(real(json, "after", "mflops") < 0.5 * real(json, "before", "mflops"));
    cr_assert(real(json, "after", "latency_us") > 0);
    expect_same_answers(place.out);
    snprintf(check, sizeof check,
             "/usr/bin/python3 -c 'import onnx; m = onnx.load(\"%s\"); "
             "onnx.checker.check_model(m, full_check=True)'",
             place.out);
    cr_assert_eq(system(check), 0);
    json_decref(json);
    tree_close(&place.tree);
}

Test(compact, only_what_is_proven)
{
    struct place place;
    open_place(&place, DIGITS_DYING, DATA);
    json_t *json = COMPACT_JSON(DIGITS_DYING, "--proven-only", "--stats", place.stats, "--out",
                                place.out, "--data", DATA);
    cr_assert_eq(removed(json), 2);
    expect_removed(json, &place, "dead_proven");
    json_decref(json);
    json = COMPACT_JSON(DIGITS_DYING, "--proven-only", "--out", place.out); /* needs no snapshot */
    cr_assert_eq(removed(json), 2);
    json_decref(json);
    json = COMPACT_JSON(DIGITS_DYING, "--stats", place.stats, "--min-samples", "1798", "--out",
                        place.out);
    cr_assert_eq(removed(json), 2);
    json_decref(json);
    tree_close(&place.tree);
}

/* Rows far outside of the declared range wake what is proven dead inside: it stays. */
Test(compact, a_proof_that_was_void)
{
    struct place place;
    struct command command;
    char wild[PATH_BYTES], text[20 * PIXELS * 6], *at = text;
    open_place(&place, DIGITS_DYING, DATA);
    for (uint32_t i = 0; i < 20 * PIXELS; i++)
        at += sprintf(at, "%s1000%c", (i * 2654435761u) >> 31 ? "" : "-",
                      (i + 1) % PIXELS ? ',' : '\n');
    tree_write(&place.tree, "wild.csv", text, (size_t)(at - text));
    snprintf(wild, sizeof wild, "%s/wild.csv", place.tree.path);
    RUN(0, &command, "profile", DIGITS_DYING, "--data", wild, "--out", place.stats);
    command_free(&command);
    json_t *json =
        COMPACT_JSON(DIGITS_DYING, "--proven-only", "--stats", place.stats, "--out", place.out);
    cr_assert_eq(removed(json), 0);
    json_decref(json);
    tree_close(&place.tree);
}

/* Of a few rows more units seem dead than of all: rows that wake them are told, the others are
 * answered as before. */
Test(compact, rows_that_wake_units)
{
    struct place place;
    struct command command;
    char few[PATH_BYTES];
    open_place(&place, DIGITS_DYING, DATA);
    char text[5 * PIXELS * 4] = "";
    for (size_t row = 0; row < 5; row++)
        strcat(strcat(text, digits()->lines[row]), "\n");
    tree_write(&place.tree, "few.csv", text, strlen(text));
    snprintf(few, sizeof few, "%s/few.csv", place.tree.path);
    RUN(0, &command, "profile", DIGITS_DYING, "--data", few, "--out", place.stats);
    command_free(&command);
    json_t *json = COMPACT_JSON(DIGITS_DYING, "--stats", place.stats, "--min-samples", "5", "--out",
                                place.out, "--data", DATA);
    cr_assert(removed(json) > 74 && number(json, "data", "woken") > 100);
    cr_assert(number(json, "data", "woken") < DIGITS_ROWS);
    cr_assert_eq(number(json, "data", "differing"), 0);
    json_decref(json);
    tree_close(&place.tree);
}

/* A model whose config.json gives fc1 another function: the file does not say so, so that its
 * units stay; those of fc2 go, and the smaller model is compared with that function. */
Test(compact, configured_activations)
{
    static const char config[] = "{\"activations\":{\"fc1\":{\"type\":\"relu6\"}}}";
    struct place place;
    char model[PATH_BYTES];
    open_place(&place, DIGITS_DYING, DATA);
    tree_copy(&place.tree, "model/model.onnx", DIGITS_DYING "/model.onnx");
    tree_write(&place.tree, "model/config.json", config, sizeof config - 1);
    snprintf(model, sizeof model, "%s/model", place.tree.path);
    struct command command;
    RUN(0, &command, "profile", model, "--data", DATA, "--out", place.stats);
    command_free(&command);
    json_t *json = COMPACT_JSON(model, "--stats", place.stats, "--out", place.out, "--data", DATA);
    const json_t *fc1 = layer_of(json, 0), *kept = json_object_get(fc1, "kept");
    cr_assert_eq(json_array_size(json_object_get(fc1, "removed")), 0);
    cr_assert_eq(json_array_size(kept), 65);
    cr_assert_str_eq(json_string_value(json_object_get(json_array_get(kept, 0), "reason")),
                     "configured");
    cr_assert(json_array_size(json_object_get(layer_of(json, 1), "removed")) > 0);
    cr_assert_eq(number(json, "data", "differing"), 0);
    json_decref(json);
    tree_close(&place.tree);
}

Test(compact, a_table_for_people)
{
    struct place place;
    struct command command;
    open_place(&place, DIGITS_DYING, DATA);
    RUN(0, &command, "compact", DIGITS_DYING, "--fold", "--stats", place.stats, "--out", place.out,
        "--data", DATA);
    cr_assert(strstr(command.out, "fc1    relu          128    65       65    63") &&
                  strstr(command.out, "latency of a row, us") &&
                  strstr(command.out, "1797 of 1797 answers agree within 1e-06"),
              "%s", command.out);
    command_free(&command);
    tree_close(&place.tree);
}

#define EXPECT_FAILURE(status, part, ...) \
    expect_command_fails((status), (part), (const char *const[]){"compact", __VA_ARGS__, NULL})

Test(compact, failures)
{
    struct place place;
    char layers[PATH_BYTES];
    open_place(&place, DIGITS_DYING, DATA);
    EXPECT_FAILURE(2, "usage: relud compact PATH --stats", DIGITS_DYING);
    EXPECT_FAILURE(2, "usage: relud compact PATH --stats", DIGITS_DYING, "--stats", place.stats);
    EXPECT_FAILURE(2, "usage: relud compact PATH --stats", DIGITS_DYING, "--out", place.out);
    EXPECT_FAILURE(2, "--min-samples: expected a whole number", DIGITS_DYING, "--min-samples=0");
    EXPECT_FAILURE(1, "no/model: No such file", "no/model", "--stats", place.stats, "--out",
                   place.out);
    EXPECT_FAILURE(1, "no/such.json: No such file", DIGITS_DYING, "--stats", "no/such.json",
                   "--out", place.out);
    EXPECT_FAILURE(1, "stats.json: expected statistics of the model with digest sha256:", DIGITS,
                   "--stats", place.stats, "--out", place.out);
    EXPECT_FAILURE(1, "no/such.csv: No such file", DIGITS_DYING, "--stats", place.stats, "--out",
                   place.out, "--data", "no/such.csv");
    tree_write(&place.tree, "layers/model.json", "{}", 2);
    tree_write(&place.tree, "layers/weights.safetensors", "", 0);
    snprintf(layers, sizeof layers, "%s/layers", place.tree.path);
    EXPECT_FAILURE(1, "expected a model in an ONNX file, found model.json", layers, "--stats",
                   place.stats, "--out", place.out);
    cr_assert(access(place.out, F_OK) != 0, "something was written");
    EXPECT_FAILURE(1, "no/such/slim.onnx.tmp: No such file", DIGITS_DYING, "--stats", place.stats,
                   "--out", "no/such/slim.onnx");
    tree_close(&place.tree);
}
