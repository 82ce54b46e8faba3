/* The repository's own requests: index, load, unload, and who may send them. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "repository.h"

static void post(const struct daemon *daemon, const char *path, const char *body,
                 struct reply *reply)
{
    client_post(daemon->port, path, body, reply);
}

static void order(const struct daemon *daemon, const char *model, const char *what)
{
    char path[512];
    struct reply reply;
    snprintf(path, sizeof path, "/v2/repository/models/%s/%s", model, what);
    post(daemon, path, "", &reply);
    expect_json(&reply, 200, path);
    reply_free(&reply);
}

static void expect_order_fails(const struct daemon *daemon, const char *model, const char *what,
                               long status, const char *code, const char *part)
{
    char path[512];
    struct reply reply;
    snprintf(path, sizeof path, "/v2/repository/models/%s/%s", model, what);
    post(daemon, path, "", &reply);
    expect_error(&reply, status, code, part, path);
    reply_free(&reply);
}

/* The index's line of a model: "STATE reason", "" for none; it lives until the next call. */
static const char *index_of(const struct daemon *daemon, const char *body, const char *name)
{
    static char line[1024];
    struct reply reply;
    json_t *entry;
    size_t i;
    post(daemon, "/v2/repository/index", body, &reply);
    expect_json(&reply, 200, "index");
    json_t *json = json_of(&reply);
    reply_free(&reply);
    line[0] = '\0';
    json_array_foreach(json, i, entry)
    {
        if (strcmp(json_string_value(json_object_get(entry, "name")), name) == 0)
            snprintf(line, sizeof line, "%s %s", json_string_value(json_object_get(entry, "state")),
                     json_string_value(json_object_get(entry, "reason")));
    }
    json_decref(json);
    return line;
}

Test(admin, is_closed_by_default)
{
    static const char *const paths[] = {"/v2/repository/models/digits/load",
                                        "/v2/repository/models/digits/unload",
                                        "/v2/repository/models/nobody/load", "/stats/reset"};
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct reply reply;
        post(&daemon, paths[i], "", &reply);
        expect_error(&reply, 403, "forbidden", "--admin", paths[i]);
        reply_free(&reply);
        expect_alive(&daemon, paths[i]);
    }
    cr_assert_str_eq(index_of(&daemon, "", "digits"), "READY ");
    daemon_stop(&daemon);
}

/* A page that somebody looks at must not be able to unload the models on their machine. */
Test(admin, refuses_pages_of_other_origins)
{
    static const char *const foreign[] = {
        "Origin: http://example.com", "Origin: null", "Origin: http://127.0.0.1",
        "Origin: http://127.0.0.1:1", "Origin: ",     "Origin: 127.0.0.1"};
    struct daemon daemon;
    char own[64];
    struct reply reply;
    DAEMON_START(&daemon, "--admin", DIGITS);
    snprintf(own, sizeof own, "Origin: http://127.0.0.1:%u", daemon.port);
    struct request request = {.method = "POST", .path = "/v2/repository/models/digits/unload"};
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        request.headers[0] = foreign[i][8] ? foreign[i] : "Origin;";
        client_once(daemon.port, &request, &reply);
        expect_error(&reply, 403, "forbidden", "origin", foreign[i]);
        reply_free(&reply);
        expect_alive(&daemon, foreign[i]);
    }
    request.headers[0] = own;
    client_once(daemon.port, &request, &reply);
    expect_json(&reply, 200, own);
    reply_free(&reply);
    daemon_stop(&daemon);
}

/* A name in a request is looked up among the models found; it never becomes part of a path. */
Test(admin, names_do_not_lead_out_of_the_directory)
{
    static const char *const names[] = {"..",
                                        ".",
                                        "%2e%2e",
                                        "..%2foutside",
                                        "%2e%2e%2foutside",
                                        "net%2f..%2f..%2foutside",
                                        "%2ftmp",
                                        "outside",
                                        "..%5coutside",
                                        "net%00"};
    static const char *const forms[] = {"/v2/repository/models/%s/load", "/infer?model=%s",
                                        "/v2/models/%s/infer"};
    struct tree tree;
    struct daemon daemon;
    char inside[96];
    tree_open(&tree);
    tree_copy(&tree, "inside/net/model.onnx", NETWORK_A);
    tree_copy(&tree, "outside/model.onnx", NETWORK_B);
    snprintf(inside, sizeof inside, "%s/inside", tree.path);
    DAEMON_START(&daemon, "--admin", "--model-dir", inside);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++) {
            char path[128];
            struct reply reply;
            snprintf(path, sizeof path, forms[f], names[i]);
            post(&daemon, path, f == 0 ? "" : good_body(), &reply);
            expect_json(&reply, 404, path);
            reply_free(&reply);
        }
    expect_alive(&daemon, "after names that lead out");
    daemon_stop(&daemon);
    tree_close(&tree);
}

Test(admin, load_and_unload)
{
    struct answers answers;
    struct tree tree;
    struct daemon daemon;
    learn(&answers);
    tree_open(&tree);
    tree_copy(&tree, "net/1/model.onnx", NETWORK_A);
    DAEMON_START(&daemon, "--admin", "--model-dir", tree.path, DIGITS);
    order(&daemon, "net", "unload");
    cr_assert_str_eq(index_of(&daemon, "", "net"), "UNAVAILABLE unloaded");
    expect_refusal(&daemon, "/infer?model=net", 503, "unavailable", "unloaded");
    expect_refusal(&daemon, "/v2/models/net/infer", 503, "unavailable", "unloaded");
    order(&daemon, "net", "unload");
    order(&daemon, "net", "load");
    expect_answers(&daemon, "/infer?model=net", answers.a);
    cr_assert_eq(samples(&daemon, "/stats?model=net"), PROBES);
    order(&daemon, "net", "load"); /* the same again */
    cr_assert_eq(samples(&daemon, "/stats?model=net"), PROBES);
    tree_copy(&tree, "net/2/model.onnx", NETWORK_B);
    tree_copy(&tree, "other/model.onnx", NETWORK_B);
    order(&daemon, "net", "load");
    expect_answers(&daemon, "/infer?model=net", answers.b);
    expect_answers(&daemon, "/infer?model=net&version=1", answers.a);
    expect_refusal(&daemon, "/infer?model=other", 404, "unknown_model", "'other'");
    order(&daemon, "other", "load");
    expect_answers(&daemon, "/infer?model=other", answers.b);
    tree_remove(&tree, "other");
    expect_order_fails(&daemon, "other", "load", 404, "unknown_model",
                       "Request for unknown model: 'other' is not found");
    expect_answers(&daemon, "/infer?model=other", answers.b);
    order(&daemon, "digits", "unload");
    order(&daemon, "digits", "load");
    expect_alive(&daemon, "the default model again");
    daemon_stop(&daemon);
    tree_close(&tree);
}

Test(admin, a_failed_load_keeps_the_old_generation_and_says_why)
{
    struct answers answers;
    struct tree tree;
    struct daemon daemon;
    learn(&answers);
    tree_open(&tree);
    tree_copy(&tree, "net/model.onnx", NETWORK_A);
    DAEMON_START(&daemon, "--admin", "--model-dir", tree.path);
    tree_write(&tree, "net/model.onnx", "nonsense", 8);
    expect_order_fails(&daemon, "net", "load", 400, "load_failed", "net/model.onnx: ");
    expect_answers(&daemon, "/infer", answers.a);
    cr_assert(strncmp(index_of(&daemon, "", "net"), "READY /tmp/", 11) == 0);
    order(&daemon, "net", "unload");
    expect_order_fails(&daemon, "net", "load", 400, "load_failed", "net/model.onnx: ");
    cr_assert(strncmp(index_of(&daemon, "", "net"), "UNAVAILABLE /tmp/", 17) == 0);
    cr_assert_str_empty(index_of(&daemon, "{\"ready\":true}", "net"));
    tree_copy(&tree, "net/model.onnx", NETWORK_B);
    order(&daemon, "net", "load");
    cr_assert_str_eq(index_of(&daemon, "{\"ready\":true}", "net"), "READY ");
    expect_answers(&daemon, "/infer", answers.b);
    daemon_stop(&daemon);
    tree_close(&tree);
}

/* Triton's clients ask without a body and without a Content-Length. */
Test(admin, index_without_a_body)
{
    struct daemon daemon;
    struct reply reply;
    char answer[2048];
    DAEMON_START(&daemon, DIGITS);
    int wire = wire_connect(daemon.port);
    static const char request[] = "POST /v2/repository/index HTTP/1.1\r\nHost: x\r\n"
                                  "Connection: close\r\n\r\n";
    cr_assert(wire >= 0 && wire_send(wire, request, strlen(request)));
    size_t count = 0;
    for (ssize_t got; (got = read(wire, answer + count, sizeof answer - 1 - count)) > 0;)
        count += (size_t)got;
    answer[count] = '\0';
    close(wire);
    cr_assert(strncmp(answer, "HTTP/1.1 200 ", 13) == 0, "%s", answer);
    cr_assert(strstr(answer, "[{\"name\":\"digits\",\"version\":\"1\",\"state\":\"READY\","
                             "\"reason\":\"\"}]"),
              "%s", answer);
    post(&daemon, "/v2/repository/index?x=y", "", &reply);
    expect_json(&reply, 200, "an empty body");
    reply_free(&reply);
    daemon_stop(&daemon);
}

Test(admin, bad_bodies)
{
    enum { LIMIT = 64 * 1024 };
    static const struct {
        const char *body, *code;
        long status;
    } cases[] = {
        {"{", "invalid", 400},
        {"[]", "invalid", 400},
        {"null", "invalid", 400},
        {"{\"a\":1,\"a\":2}", "invalid", 400},
        {"{\"parameters\":{\"config\":\"{}\"}}", "unsupported", 400},
        {"{\"parameters\":{\"file:1/model.onnx\":\"AAAA\"}}", "unsupported", 400},
    };
    struct daemon daemon;
    struct reply reply;
    char *body = malloc(LIMIT + 2);
    cr_assert(body);
    DAEMON_START(&daemon, "--admin", DIGITS);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        post(&daemon, "/v2/repository/models/digits/load", cases[i].body, &reply);
        expect_error(&reply, cases[i].status, cases[i].code, "", cases[i].body);
        reply_free(&reply);
    }
    for (size_t count = LIMIT; count <= LIMIT + 1; count++) {
        memset(body, ' ', count);
        body[0] = '{';
        body[count - 1] = '}';
        body[count] = '\0';
        post(&daemon, "/v2/repository/index", body, &reply);
        expect_json(&reply, count > LIMIT ? 413 : 200, "the limit");
        reply_free(&reply);
    }
    post(&daemon, "/v2/repository/models/digits/load", "{\"parameters\":{\"other\":1}}", &reply);
    expect_json(&reply, 200, "a parameter that means nothing here");
    reply_free(&reply);
    expect_alive(&daemon, "afterwards");
    free(body);
    daemon_stop(&daemon);
}

/* No name leads out of the repository, and a NUL does not make another name. */
Test(admin, names_that_are_paths)
{
    static const char *const names[] = {"%2e%2e", ".",       "net%2f1",       "net%2f..%2fnet",
                                        "%2ftmp", "net%00",  "net%00x",       "%00",
                                        "net%2e", "net%5c1", "..%2f..%2fetc", "%2e%2e%2fsecret",
                                        "net%",   "net%2",   "net%0g",        "%6eet%20"};
    char longer[452];
    struct tree tree;
    struct daemon daemon;
    tree_open(&tree);
    tree_copy(&tree, "served/net/1/model.onnx", NETWORK_A);
    tree_copy(&tree, "secret/model.onnx", NETWORK_A);
    tree_copy(&tree, "served/1/model.onnx", NETWORK_A);
    char directory[80];
    snprintf(directory, sizeof directory, "%s/served", tree.path);
    DAEMON_START(&daemon, "--admin", "--model-dir", directory, DIGITS);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[256];
        struct reply reply;
        for (int load = 0; load < 2; load++) {
            snprintf(path, sizeof path, "/v2/repository/models/%s/%s", names[i],
                     load ? "load" : "unload");
            post(&daemon, path, "", &reply);
            expect_json(&reply, 404, path);
            reply_free(&reply);
        }
        snprintf(path, sizeof path, "/infer?model=%s", names[i]);
        expect_refusal(&daemon, path, 404, "unknown_model", "Request for unknown model: ");
        snprintf(path, sizeof path, "/infer?model=net&version=%s", names[i]);
        expect_refusal(&daemon, path, 404, "unknown_model", "Request for unknown model: ");
    }
    memset(longer, 'n', sizeof longer - 1);
    for (size_t length = 255; length < sizeof longer; length += 195) {
        longer[length] = '\0';
        expect_order_fails(&daemon, longer, "load", 404, "unknown_model", "Request for unknown");
        longer[length] = 'n';
    }
    expect_alive(&daemon, "afterwards");
    daemon_stop(&daemon);
    tree_close(&tree);
}

Test(admin, percent_encoded_names)
{
    static const char *const names[][2] = {{"a b", "a%20b"},
                                           {"50%", "50%25"},
                                           {"%41", "%2541"},
                                           {"c+d&e=f?g#h", "c%2bd%26e%3Df%3fg%23h"},
                                           {"\xc3\xa9\"\\", "%C3%A9%22%5C"}};
    struct answers answers;
    struct tree tree;
    struct daemon daemon;
    learn(&answers);
    tree_open(&tree);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char place[64];
        snprintf(place, sizeof place, "%s/model.onnx", names[i][0]);
        tree_copy(&tree, place, NETWORK_A);
    }
    DAEMON_START(&daemon, "--admin", "--model-dir", tree.path);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[64];
        snprintf(path, sizeof path, "/infer?model=%s", names[i][1]);
        expect_answers(&daemon, path, answers.a);
        order(&daemon, names[i][1], "unload");
        cr_assert_str_eq(index_of(&daemon, "", names[i][0]), "UNAVAILABLE unloaded", "%s", path);
        order(&daemon, names[i][1], "load");
        snprintf(path, sizeof path, "/v2/models/%s/versions/1", names[i][1]);
        json_t *json = get_json(&daemon, path);
        cr_assert_str_eq(json_string_value(json_object_get(json, "name")), names[i][0]);
        json_decref(json);
    }
    daemon_stop(&daemon);
    tree_close(&tree);
}

Test(admin, reset_begins_anew)
{
    struct daemon daemon;
    struct answers answers;
    struct reply reply;
    learn(&answers);
    DAEMON_START(&daemon, "--admin", DIGITS, DIGITS_DYING);
    for (int times = 0; times < 2; times++) {
        expect_answers(&daemon, "/infer", answers.a);
        expect_answers(&daemon, "/infer?model=digits-dying", answers.b);
        post(&daemon, "/stats/reset", "", &reply);
        expect_json(&reply, 200, "reset");
        reply_free(&reply);
        json_t *json = get_json(&daemon, "/stats?detail=units"), *layer;
        size_t i;
        cr_assert_eq(json_integer_value(json_object_get(json, "samples")), 0);
        json_array_foreach(json_object_get(json, "layers"), i, layer) cr_assert_eq(
            sum_of(json_object_get(json_object_get(layer, "unit_stats"), "active")), 0);
        json_decref(json);
    }
    cr_assert_eq(samples(&daemon, "/stats?model=digits-dying"), 2 * PROBES);
    expect_answers(&daemon, "/infer", answers.a);
    cr_assert_eq(samples(&daemon, "/stats"), PROBES);
    expect_refusal(&daemon, "/stats/reset?model=nobody", 404, "unknown_model", "'nobody'");
    daemon_stop(&daemon);
}
