/* Statistics of v2: what was asked of each model, and what it took. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"
#include "network.h"
#include "scrape.h"
#include "tensors.h"
#include "tree.h"

/* The statistics at path, of its one model; the caller releases them. */
static json_t *stats_at(const struct daemon *daemon, const char *path)
{
    json_t *json = get_json(daemon, path), *stats = json_object_get(json, "model_stats");
    cr_assert_eq(json_array_size(stats), 1, "%s", path);
    stats = json_incref(json_array_get(stats, 0));
    json_decref(json);
    return stats;
}

static long long number(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);
    cr_assert(json_is_integer(value), "%s", key);
    return json_integer_value(value);
}

/* The count or the nanoseconds of one kind. */
static long long of_kind(const json_t *stats, const char *kind, const char *key)
{
    return number(json_object_get(json_object_get(stats, "inference_stats"), kind), key);
}

/* What must be true of any statistics at rest. */
static void check(const json_t *stats)
{
    const json_t *batches = json_object_get(stats, "batch_stats"), *batch;
    long long rows = 0, runs = 0, last = 0;
    size_t i;
    json_array_foreach(batches, i, batch)
    {
        long long size = number(batch, "batch_size");
        long long count = number(json_object_get(batch, "compute_infer"), "count");
        cr_assert(size > last && count > 0);
        cr_assert_geq(number(json_object_get(batch, "compute_infer"), "ns"), 0);
        cr_assert_eq(number(json_object_get(batch, "compute_input"), "count"), count);
        cr_assert_eq(number(json_object_get(batch, "compute_output"), "count"), count);
        rows += size * count;
        runs += count;
        last = size;
    }
    cr_assert_eq(number(stats, "inference_count"), rows);
    cr_assert_eq(number(stats, "execution_count"), runs);
    long long success = of_kind(stats, "success", "count"), parts = 0;
    static const char *const kinds[] = {"queue", "compute_input", "compute_infer",
                                        "compute_output"};
    for (size_t k = 0; k < 4; k++) {
        cr_assert_eq(of_kind(stats, kinds[k], "count"), success, "%s", kinds[k]);
        parts += of_kind(stats, kinds[k], "ns");
    }
    cr_assert_leq(parts, of_kind(stats, "success", "ns"));
    cr_assert_eq(of_kind(stats, "cache_hit", "count") + of_kind(stats, "cache_miss", "count"), 0);
}

Test(v2_stats, a_model_that_was_not_asked)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    json_t *stats = stats_at(&daemon, "/v2/models/digits/stats");
    cr_assert_str_eq(json_string_value(json_object_get(stats, "name")), "digits");
    cr_assert_str_eq(json_string_value(json_object_get(stats, "version")), "1");
    cr_assert_eq(number(stats, "last_inference"), 0);
    cr_assert_eq(json_array_size(json_object_get(stats, "batch_stats")), 0);
    check(stats);
    json_decref(stats);
    daemon_stop(&daemon);
}

Test(v2_stats, requests_of_both_protocols_are_counted)
{
    struct daemon daemon;
    struct reply reply;
    struct tensors body;
    DAEMON_START(&daemon, DIGITS, DIGITS_DYING);
    unsigned long long sizes[] = {1, 3, 3, 40};
    for (size_t i = 0; i < 4; i++) {
        tensors_digits(&body, 0, sizes[i], i & 1, "");
        tensors_post(&daemon, DIGITS_V2, &body, &reply);
        json_decref(tensors_json(&reply));
        reply_free(&reply);
        tensors_free(&body);
    }
    char *native = digits_body(0, 3, "");
    client_post(daemon.port, "/infer", native, &reply);
    expect_json(&reply, 200, "/infer");
    reply_free(&reply);
    free(native);
    json_t *stats = stats_at(&daemon, "/v2/models/digits/versions/1/stats");
    check(stats);
    cr_assert_eq(number(stats, "inference_count"), 50);
    cr_assert_eq(number(stats, "execution_count"), 5);
    cr_assert_eq(of_kind(stats, "success", "count"), 5);
    cr_assert_eq(of_kind(stats, "fail", "count"), 0);
    cr_assert_gt(of_kind(stats, "compute_infer", "ns"), 0);
    cr_assert_gt(number(stats, "last_inference"), 1600000000000);
    const json_t *batches = json_object_get(stats, "batch_stats");
    cr_assert_eq(json_array_size(batches), 3);
    cr_assert_eq(number(json_array_get(batches, 1), "batch_size"), 3);
    json_decref(stats);
    json_t *all = get_json(&daemon, "/v2/models/stats");
    const json_t *models = json_object_get(all, "model_stats");
    cr_assert_eq(json_array_size(models), 2);
    cr_assert_eq(number(json_array_get(models, 0), "inference_count"), 50);
    cr_assert_eq(number(json_array_get(models, 1), "inference_count"), 0);
    json_decref(all);
    daemon_stop(&daemon);
}

/* How many models and versions the statistics at path tell of. */
static size_t count_at(const struct daemon *daemon, const char *path)
{
    json_t *json = get_json(daemon, path);
    size_t count = json_array_size(json_object_get(json, "model_stats"));
    json_decref(json);
    return count;
}

Test(v2_stats, versions_are_told_apart)
{
    struct tree tree;
    struct daemon daemon;
    struct reply reply;
    struct tensors body;
    tree_open(&tree);
    tree_copy(&tree, "twice/1/model.onnx", DIGITS "/model.onnx");
    tree_copy(&tree, "twice/2/model.onnx", DIGITS_DYING "/model.onnx");
    DAEMON_START(&daemon, DIGITS, "--model-dir", tree.path, "--default-model", "digits");
    tensors_digits(&body, 0, 7, true, "");
    tensors_post(&daemon, "/v2/models/twice/versions/1/infer", &body, &reply);
    json_decref(tensors_json(&reply));
    reply_free(&reply);
    tensors_free(&body);
    cr_assert_eq(count_at(&daemon, "/v2/models/stats"), 3);
    cr_assert_eq(count_at(&daemon, "/v2/models/twice/stats"), 2);
    for (int version = 1; version <= 2; version++) {
        char path[64];
        snprintf(path, sizeof path, "/v2/models/twice/versions/%d/stats", version);
        json_t *stats = stats_at(&daemon, path);
        cr_assert_eq(json_string_value(json_object_get(stats, "version"))[0], '0' + version);
        cr_assert_eq(number(stats, "inference_count"), version == 1 ? 7 : 0);
        json_decref(stats);
    }
    json_t *model = get_json(&daemon, "/v2/models/twice");
    const char *first, *second;
    cr_assert_eq(json_unpack(model, "{s:[s,s!]}", "versions", &first, &second), 0);
    cr_assert(strcmp(first, "1") == 0 && strcmp(second, "2") == 0);
    json_decref(model);
    daemon_stop(&daemon);
    tree_close(&tree);
}

/* Whoever fails, in the header, the body or at its end, is counted once. */
Test(v2_stats, failures_are_counted)
{
    static const struct {
        const char *path, *header, *body;
        long status;
    } cases[] = {
        {"/infer", "Content-Type: a/b", "{}", 415},
        {"/infer", "Content-Encoding: br", "{}", 415},
        {"/infer", "X: y", "{}", 400},
        {"/infer", "X: y", "{\"inputs\":[x", 400},
        {"/infer", "Content-Encoding: gzip", "no gzip", 400},
        {DIGITS_V2, "Inference-Header-Content-Length: -1", "{}", 400},
        {DIGITS_V2, "Inference-Header-Content-Length: 2", "{}", 400},
        {DIGITS_V2, "X: y", "{}", 400},
        {DIGITS_V2, "X: y", "{\"parameters\":{\"timeout\":1},\"inputs\":[{\"name\":\"pixels\"",
         400},
    };
    enum { CASES = sizeof cases / sizeof cases[0] };
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--loops", "1");
    for (long long i = 0; i < CASES; i++) {
        struct reply reply;
        struct request request = {.path = cases[i].path,
                                  .headers = {cases[i].header},
                                  .body = cases[i].body,
                                  .body_count = strlen(cases[i].body)};
        client_once(daemon.port, &request, &reply);
        cr_assert_eq(reply.status, cases[i].status, "%s", reply.body);
        reply_free(&reply);
        json_t *stats = stats_at(&daemon, "/v2/models/digits/stats");
        cr_assert_eq(of_kind(stats, "fail", "count"), i + 1, "%s %s", cases[i].header,
                     cases[i].body);
        cr_assert_gt(of_kind(stats, "fail", "ns"), 0);
        cr_assert_eq(of_kind(stats, "success", "count"), 0);
        check(stats);
        json_decref(stats);
    }
    daemon_stop(&daemon);
}

/* Eight clients at one loop: their rows meet in runs, which the statistics show. */
Test(v2_stats, batches_show_what_was_run_together)
{
    static const struct chain big = {
        .input = "x", .output = "y", .widths = {784, 1024, 512, 10}, .activation = "Relu"};
    enum { CLIENTS = 8, TIMES = 40, MOST = 3 };
    struct asker askers[CLIENTS];
    struct quiz quiz;
    struct daemon daemon;
    char path[NETWORK_PATH_BYTES], argument[NETWORK_PATH_BYTES + 8];
    int file = network_file(path, &big, 1);
    snprintf(argument, sizeof argument, "big=%s", path);
    DAEMON_START(&daemon, argument, DIGITS, "--loops", "1");
    quiz_init(&quiz, "/infer?model=big", 784, 10, 50);
    quiz_learn(&quiz, &daemon);
    for (size_t i = 0; i < CLIENTS; i++) {
        askers[i] = (struct asker){
            .port = daemon.port, .quiz = &quiz, .most = MOST, .times = TIMES, .seed = i + 1};
        asker_start(&askers[i]);
    }
    size_t right = 0;
    for (size_t i = 0; i < CLIENTS; i++) {
        asker_join(&askers[i]);
        right += askers[i].right;
    }
    cr_assert_eq(right, CLIENTS * TIMES);
    json_t *stats = stats_at(&daemon, "/v2/models/big/stats");
    const json_t *batches = json_object_get(stats, "batch_stats");
    check(stats);
    cr_assert_eq(of_kind(stats, "success", "count"), CLIENTS * TIMES + (long long)quiz.rows);
    cr_assert_lt(number(stats, "execution_count"), of_kind(stats, "success", "count"));
    const json_t *largest = json_array_get(batches, json_array_size(batches) - 1);
    cr_assert_gt(number(largest, "batch_size"), MOST);
    char *page = scrape_page(daemon.port, NULL); /* the metrics say the same */
    cr_assert_eq(scrape_number(page, "relud_batch_rows_count{model=\"big\"}"),
                 number(stats, "execution_count"));
    cr_assert_eq(scrape_number(page, "relud_batch_rows_sum{model=\"big\"}"),
                 number(stats, "inference_count"));
    cr_assert_lt(scrape_number(page, "relud_batch_rows_bucket{model=\"big\",le=\"2\"}"),
                 number(stats, "execution_count"));
    free(page);
    json_decref(stats);
    quiz_free(&quiz);
    daemon_stop(&daemon);
    close(file);
}
