/* --model-dir and SIGHUP: versions, models that come, change, break and go. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "repository.h"

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
