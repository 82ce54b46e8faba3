/* --model-dir and SIGHUP: versions, models that come, change, break and go. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scene.h"
#include "tree.h"

/* Two networks of one signature. */
#define NETWORK_A DIGITS "/model.onnx"
#define NETWORK_B DIGITS_DYING "/model.onnx"

enum { PROBES = 20 };

/* What the two networks answer to the first rows. */
struct answers {
    float a[PROBES * SCORES], b[PROBES * SCORES];
};

static void learn(struct answers *answers)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, DIGITS_DYING);
    raw_scores(&daemon, "/infer?model=digits", 0, PROBES, answers->a);
    raw_scores(&daemon, "/infer?model=digits-dying", 0, PROBES, answers->b);
    cr_assert_not(same_bits(answers->a, answers->b, PROBES * SCORES));
    daemon_stop(&daemon);
}

static void expect_answers(const struct daemon *daemon, const char *path, const float *expected)
{
    float scores[PROBES * SCORES];
    raw_scores(daemon, path, 0, PROBES, scores);
    cr_assert(same_bits(scores, expected, PROBES * SCORES), "%s is another network", path);
}

static void expect_refusal(const struct daemon *daemon, const char *path, long status,
                           const char *code, const char *part)
{
    struct reply reply;
    client_post(daemon->port, path, good_body(), &reply);
    expect_error(&reply, status, code, part, path);
    reply_free(&reply);
}

/* The entry of /models for a version of a model, NULL for none; the caller releases it. */
static json_t *find_model(const struct daemon *daemon, const char *name, const char *version)
{
    json_t *json = get_json(daemon, "/models"), *found = NULL, *model;
    size_t i;
    json_array_foreach(json_object_get(json, "models"), i, model)
    {
        const char *its_name = json_string_value(json_object_get(model, "name"));
        const char *its_version = json_string_value(json_object_get(model, "version"));
        if (strcmp(its_name, name) == 0 && strcmp(its_version, version) == 0)
            found = json_incref(model);
    }
    json_decref(json);
    return found;
}

/* Text of the entry, "" for none; it lives until the next call. */
static const char *text_of(const struct daemon *daemon, const char *name, const char *version,
                           const char *key)
{
    static char text[1024];
    json_t *model = find_model(daemon, name, version);
    const char *value = json_string_value(json_object_get(model, key));
    snprintf(text, sizeof text, "%s", value ? value : "");
    json_decref(model);
    return text;
}

/* How often the log says so. */
static size_t events(const struct daemon *daemon, const char *event)
{
    size_t count = 0;
    char *log = daemon_log(daemon);
    for (const char *at = log; (at = strstr(at, event)); at++)
        count++;
    free(log);
    return count;
}

/* SIGHUP; waits until the log says event count times more. */
static void reload_until(const struct daemon *daemon, const char *event, size_t count)
{
    size_t before = events(daemon, event);
    unsigned long long end = clock_ms() + PATIENCE_MS;
    daemon_signal(daemon, SIGHUP);
    while (events(daemon, event) < before + count) {
        if (clock_ms() > end)
            cr_assert_fail("%s: not seen:\n%s", event, daemon_log(daemon));
        rest_ms(2);
    }
}

static uint64_t samples(const struct daemon *daemon, const char *path)
{
    json_t *json = get_json(daemon, path);
    uint64_t count = (uint64_t)json_integer_value(json_object_get(json, "samples"));
    json_decref(json);
    return count;
}

Test(repository, the_latest_version_answers_unless_another_is_named)
{
    struct answers answers;
    struct tree tree;
    struct daemon daemon;
    tree_open(&tree);
    tree_copy(&tree, "net/2/model.onnx", NETWORK_A);
    tree_copy(&tree, "net/10/model.onnx", NETWORK_B);
    tree_copy(&tree, "net/011/model.onnx", NETWORK_A); /* not a version */
    tree_copy(&tree, "net/new/model.onnx", NETWORK_A); /* nor this */
    tree_copy(&tree, "a/model.onnx", NETWORK_A);
    tree_copy(&tree, "notes/README", "README.md");
    tree_copy(&tree, "stray.onnx", NETWORK_A);
    learn(&answers);
    DAEMON_START(&daemon, "--model-dir", tree.path, "--default-model", "net");
    expect_answers(&daemon, "/infer", answers.b);
    expect_answers(&daemon, "/infer?model=net", answers.b);
    expect_answers(&daemon, "/infer?model=net&version=10", answers.b);
    expect_answers(&daemon, "/infer?version=2", answers.a);
    expect_answers(&daemon, "/infer?model=a&version=1", answers.a);
    cr_assert_eq(samples(&daemon, "/stats?model=net&version=2"), PROBES);
    cr_assert_eq(samples(&daemon, "/stats?model=net"), 3 * PROBES);
    static const char *const unknown[] = {"/infer?version=1", "/infer?version=011",
                                          "/infer?version=", "/infer?model=a&version=2"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        expect_refusal(&daemon, unknown[i], 404, "unknown_model", "Request for unknown model: '");
    expect_refusal(&daemon, "/infer?model=stray", 404, "unknown_model", "'stray'");
    json_t *json = get_json(&daemon, "/models"), *models = json_object_get(json, "models"), *model;
    static const char *const listed[][2] = {{"a", "1"}, {"net", "2"}, {"net", "10"}};
    size_t i;
    cr_assert_eq(json_array_size(models), 3);
    json_array_foreach(models, i, model)
    {
        cr_assert_str_eq(json_string_value(json_object_get(model, "name")), listed[i][0]);
        cr_assert_str_eq(json_string_value(json_object_get(model, "version")), listed[i][1]);
        cr_assert_eq(json_is_true(json_object_get(model, "default")), i == 2);
    }
    json_decref(json);
    daemon_stop(&daemon);
    tree_close(&tree);
}

/* A configuration beside the versions is that of all which have none of their own. */
Test(repository, versions_share_a_configuration)
{
    static const char one[] = "{\"max_batch_rows\":1}", two[] = "{\"max_batch_rows\":2}";
    struct tree tree;
    struct daemon daemon;
    char argument[128];
    tree_open(&tree);
    tree_copy(&tree, "1/model.onnx", NETWORK_A);
    tree_copy(&tree, "2/model.onnx", NETWORK_A);
    tree_write(&tree, "config.json", one, strlen(one));
    tree_write(&tree, "2/config.json", two, strlen(two));
    snprintf(argument, sizeof argument, "net=%s", tree.path);
    DAEMON_START(&daemon, argument);
    char *body = digits_body(0, 3, "");
    for (size_t version = 1; version <= 2; version++) {
        char path[64], part[64];
        struct reply reply;
        snprintf(path, sizeof path, "/infer?version=%zu", version);
        snprintf(part, sizeof part, "at most %zu rows", version);
        client_post(daemon.port, path, body, &reply);
        expect_error(&reply, 413, "too_large", part, path);
        reply_free(&reply);
    }
    free(body);
    daemon_stop(&daemon);
    tree_close(&tree);
}

Test(repository, sighup_finds_new_models_and_misses_removed_ones)
{
    struct answers answers;
    struct tree tree;
    struct daemon daemon;
    learn(&answers);
    tree_open(&tree);
    DAEMON_START(&daemon, "--model-dir", tree.path); /* empty so far */
    expect_refusal(&daemon, "/infer", 404, "unknown_model", "no default");
    tree_copy(&tree, "one/model.onnx", NETWORK_A);
    tree_copy(&tree, "two/1/model.onnx", NETWORK_B);
    reload_until(&daemon, "model loaded", 2);
    expect_answers(&daemon, "/infer", answers.a);
    expect_answers(&daemon, "/infer?model=two", answers.b);
    tree_remove(&tree, "one");
    tree_copy(&tree, "two/2/model.onnx", NETWORK_A);
    reload_until(&daemon, "model loaded", 1);
    expect_refusal(&daemon, "/infer?model=one", 404, "unknown_model", "'one'");
    expect_answers(&daemon, "/infer", answers.a);
    expect_answers(&daemon, "/infer?model=two&version=1", answers.b);
    tree_remove(&tree, "two/2");
    reload_until(&daemon, "model unchanged", 1);
    expect_answers(&daemon, "/infer?model=two", answers.b);
    daemon_stop(&daemon);
    tree_close(&tree);
}

Test(repository, sighup_loads_what_changed_and_keeps_the_statistics_of_what_did_not)
{
    struct answers answers;
    struct tree tree;
    struct daemon daemon;
    char argument[128];
    learn(&answers);
    tree_open(&tree);
    tree_copy(&tree, "net/model.onnx", NETWORK_A);
    snprintf(argument, sizeof argument, "net=%s/net/model.onnx", tree.path);
    DAEMON_START(&daemon, argument, DIGITS);
    expect_answers(&daemon, "/infer?model=net", answers.a);
    expect_answers(&daemon, "/infer?model=digits", answers.a);
    tree_copy(&tree, "net/model.onnx", NETWORK_B);
    reload_until(&daemon, "model loaded", 1);
    cr_assert_eq(samples(&daemon, "/stats?model=net"), 0);
    cr_assert_eq(samples(&daemon, "/stats?model=digits"), PROBES);
    expect_answers(&daemon, "/infer?model=net", answers.b);
    cr_assert_eq(samples(&daemon, "/stats?model=net"), PROBES);
    daemon_stop(&daemon);
    tree_close(&tree);
}

Test(repository, a_failed_reload_keeps_the_old_generation_and_says_why)
{
    struct answers answers;
    struct tree tree;
    struct daemon daemon;
    learn(&answers);
    tree_open(&tree);
    tree_copy(&tree, "net/model.onnx", NETWORK_A);
    DAEMON_START(&daemon, "--model-dir", tree.path);
    tree_write(&tree, "net/model.onnx", "nonsense", 8);
    reload_until(&daemon, "model not loaded", 1);
    expect_answers(&daemon, "/infer", answers.a);
    cr_assert_str_eq(text_of(&daemon, "net", "1", "state"), "ready");
    cr_assert(strstr(text_of(&daemon, "net", "1", "reason"), "net/model.onnx: "));
    tree_copy(&tree, "net/model.onnx", NETWORK_B);
    reload_until(&daemon, "model loaded", 1);
    cr_assert_str_empty(text_of(&daemon, "net", "1", "reason"));
    expect_answers(&daemon, "/infer", answers.b);
    json_decref(get_json(&daemon, "/readyz"));
    daemon_stop(&daemon);
    tree_close(&tree);
}

/* A new model that does not load is no reason to stop serving the others. */
Test(repository, a_new_model_that_does_not_load_is_unavailable)
{
    struct tree tree;
    struct daemon daemon;
    tree_open(&tree);
    DAEMON_START(&daemon, "--model-dir", tree.path, DIGITS);
    tree_write(&tree, "net/1/model.onnx", "nonsense", 8);
    reload_until(&daemon, "reload incomplete", 1);
    expect_refusal(&daemon, "/infer?model=net", 503, "unavailable", "net/1/model.onnx: ");
    cr_assert_str_eq(text_of(&daemon, "net", "1", "state"), "unavailable");
    expect_alive(&daemon, "beside it");
    tree_copy(&tree, "net/2/model.onnx", NETWORK_A);
    reload_until(&daemon, "reload incomplete", 1);
    cr_assert_str_eq(text_of(&daemon, "net", "2", "state"), "ready");
    expect_refusal(&daemon, "/infer?model=net&version=1", 503, "unavailable", "model.onnx");
    daemon_stop(&daemon);
    tree_close(&tree);
}
