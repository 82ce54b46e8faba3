/* Every route with every status it can give, but for those that need load (test_load.c), time
 * (test_slow.c) or a drain (test_drain.c). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "route_table.h"
#include "scene.h"

static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"};

/* Whether an Allow header names method. */
static bool allows(const char *allow, const char *method)
{
    const char *at = strstr(allow, method);
    return at && (at == allow || at[-1] == ' ') && strchr(", ", at[strlen(method)]);
}

static const char *allowed(const char *method)
{
    return strcmp(method, "GET") == 0 ? "GET, HEAD" : method;
}

static const char *value_of(char letter)
{
    return letter == 'm' ? "digits-dying" : letter == 'v' ? "1" : "app.js";
}

/* A path that fits the pattern: digits-dying, version 1, with or without the optional part. */
static const char *path_of(const char *pattern, bool optional, char path[64])
{
    char *at = path;
    for (; *pattern; pattern++) {
        if (*pattern == '[' && !optional)
            pattern = strchr(pattern, ']');
        else if (*pattern == '{')
            at += sprintf(at, "%s", value_of(pattern[1])), pattern += 2;
        else if (*pattern != '[' && *pattern != ']')
            *at++ = *pattern;
    }
    *at = '\0';
    return path;
}

/* A good body for the path. */
static const char *body_of(const char *path)
{
    static char tensors[512];
    snprintf(tensors, sizeof tensors,
             "{\"inputs\":[{\"name\":\"pixels\",\"shape\":[1,64],\"datatype\":\"FP32\","
             "\"data\":[%s]}]}",
             digits()->lines[0]);
    return strncmp(path, "/v2/", 4) == 0 ? tensors : good_body();
}

static void try_method(const struct daemon *daemon, const char *path, const char *methods_allowed,
                       const char *method)
{
    char what[96], allow[HEADER_BYTES];
    struct reply reply;
    const char *body = strchr("P", method[0]) ? body_of(path) : NULL;
    struct request request = {
        .method = method, .path = path, .body = body, .body_count = body ? strlen(body) : 0};
    snprintf(what, sizeof what, "%s %s", method, path);
    client_once(daemon->port, &request, &reply);
    reply_header(&reply, "Allow", allow);
    if (allows(methods_allowed, method)) {
        if (strcmp(path, "/metrics") == 0 || strcmp(path, "/") == 0 || strstr(path, "/web/"))
            cr_assert_eq(reply.status, 200, "%s", what);
        else
            expect_json(&reply, 200, what);
        cr_assert_str_empty(allow, "%s", what);
    } else if (strcmp(method, "HEAD") == 0) {
        expect_json(&reply, 405, what);
        cr_assert_str_eq(allow, methods_allowed, "%s", what);
    } else {
        expect_error(&reply, 405, "method_not_allowed", method, what);
        cr_assert_str_eq(allow, methods_allowed, "%s", what);
    }
    if (strcmp(method, "HEAD") == 0)
        cr_assert_eq(reply.body_count, 0, "%s", what);
    reply_free(&reply);
    expect_alive(daemon, what);
}

/* The last route unloads the model that the paths name. */
Test(routes, answer_their_methods_and_refuse_the_others_with_allow)
{
    struct daemon daemon;
    char path[64];
    DAEMON_START(&daemon, "--admin", DIGITS, DIGITS_DYING);
    for (size_t i = 0; i < 2 * ROUTES; i++)
        for (size_t m = 0; m < sizeof methods / sizeof methods[0]; m++)
            try_method(&daemon, path_of(routes[i / 2].path, i % 2, path),
                       allowed(routes[i / 2].method), methods[m]);
    daemon_stop(&daemon);
}

Test(routes, unknown_paths_are_404)
{
    static const char *const paths[] = {"/infer/",
                                        "/index.html",
                                        "/web/",
                                        "/web",
                                        "/Infer",
                                        "//infer",
                                        "/stats/x",
                                        "/healthz/",
                                        "/%2e%2e/stats",
                                        "/inferx",
                                        "/infe",
                                        "/v3",
                                        "/v2/",
                                        "/v2/models",
                                        "/v2/models/",
                                        "/v2/models/digits/",
                                        "/v2/models/digits/x",
                                        "/v2/models/digits/versions",
                                        "/v2/models/digits/versions/",
                                        "/v2/models/digits/versions/1/x",
                                        "/v2/health",
                                        "/v2/models//infer"};
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct reply reply;
        client_get(daemon.port, paths[i], &reply);
        expect_error(&reply, 404, "not_found", "nothing at", paths[i]);
        reply_free(&reply);
        client_post(daemon.port, paths[i], good_body(), &reply);
        expect_error(&reply, 404, "not_found", "nothing at", paths[i]);
        reply_free(&reply);
        expect_alive(&daemon, paths[i]);
    }
    daemon_stop(&daemon);
}

Test(routes, an_error_names_the_path_as_valid_json)
{
    struct daemon daemon;
    struct reply reply;
    DAEMON_START(&daemon, DIGITS);
    client_get(daemon.port, "/a%22b%5C%0A%01%ff", &reply);
    expect_error(&reply, 404, "not_found", "/a\"b\\\n\x01", "a path that must be escaped");
    reply_free(&reply);
    daemon_stop(&daemon);
}

Test(routes, head_is_get_without_the_body)
{
    static const char *const paths[] = {"/models", "/healthz", "/readyz", "/stats?model=nobody"};
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct reply get, head;
        char get_length[HEADER_BYTES], head_length[HEADER_BYTES];
        client_get(daemon.port, paths[i], &get);
        client_once(daemon.port, &(struct request){.method = "HEAD", .path = paths[i]}, &head);
        cr_assert_eq(head.status, get.status, "%s", paths[i]);
        cr_assert_eq(head.body_count, 0, "%s", paths[i]);
        cr_assert_str_eq(reply_header(&head, "Content-Length", head_length),
                         reply_header(&get, "Content-Length", get_length), "%s", paths[i]);
        reply_free(&get);
        reply_free(&head);
    }
    daemon_stop(&daemon);
}

Test(routes, unknown_models_and_versions_are_404)
{
    static const char *const queries[] = {"?model=nobody",
                                          "?model=",
                                          "?version=2",
                                          "?model=digits&version=0",
                                          "?model=digits%2f",
                                          "?model=../digits",
                                          "?model=%2e%2e%2fdigits",
                                          "?model=/etc/passwd",
                                          "?version=../1"};
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        char path[128];
        struct reply reply;
        snprintf(path, sizeof path, "/infer%s", queries[i]);
        client_post(daemon.port, path, good_body(), &reply);
        expect_error(&reply, 404, "unknown_model", "model", path);
        reply_free(&reply);
        snprintf(path, sizeof path, "/stats%s", queries[i]);
        client_get(daemon.port, path, &reply);
        expect_error(&reply, 404, "unknown_model", "Request for unknown model: '", path);
        reply_free(&reply);
        expect_alive(&daemon, path);
    }
    daemon_stop(&daemon);
}

Test(routes, models_lists_what_is_served)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "other=" DIGITS_DYING, "--default-model", "other");
    json_t *json = get_json(&daemon, "/models");
    json_t *models = json_object_get(json, "models");
    cr_assert_eq(json_array_size(models), 2);
    for (size_t i = 0; i < 2; i++) {
        const char *name, *version, *state, *digest, *in, *out, *in_type, *out_type, *label;
        int is_default, batch, features, min, max, out_batch, scores;
        int failed = json_unpack(json_array_get(models, i),
                                 "{s:s, s:s, s:s, s:s, s:b, s:[{s:s, s:s, s:[i,i], s:i, s:i}],"
                                 " s:[{s:s, s:s, s:[i,i], s:[s]}]}",
                                 "name", &name, "version", &version, "state", &state, "digest",
                                 &digest, "default", &is_default, "inputs", "name", &in, "datatype",
                                 &in_type, "shape", &batch, &features, "min", &min, "max", &max,
                                 "outputs", "name", &out, "datatype", &out_type, "shape",
                                 &out_batch, &scores, "labels", &label);
        cr_assert_eq(failed, 0);
        cr_assert_str_eq(name, i ? "other" : "digits");
        cr_assert_eq(is_default, i == 1);
        cr_assert_str_eq(version, "1");
        cr_assert_str_eq(state, "ready");
        cr_assert_eq(strlen(digest), strlen("sha256:") + 64);
        cr_assert_str_eq(in, "pixels");
        cr_assert_str_eq(out, "scores");
        cr_assert(min == 0 && max == 16);
        cr_assert_str_eq(label, "0");
        cr_assert_eq(batch == -1 && features == PIXELS && out_batch == -1 && scores == SCORES, 1);
    }
    json_decref(json);
    daemon_stop(&daemon);
}

Test(routes, health_and_readiness)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    json_t *live = get_json(&daemon, "/healthz"), *ready = get_json(&daemon, "/readyz");
    cr_assert(json_is_true(json_object_get(live, "live")));
    cr_assert(json_is_true(json_object_get(ready, "ready")));
    json_decref(live);
    json_decref(ready);
    daemon_stop(&daemon);
}

static void expect_unsupported(const struct daemon *daemon, const char *header, const char *part)
{
    struct reply reply;
    struct request request = {.path = "/infer",
                              .headers = {header},
                              .body = good_body(),
                              .body_count = strlen(good_body())};
    client_once(daemon->port, &request, &reply);
    expect_error(&reply, 415, "unsupported", part, header);
    reply_free(&reply);
    expect_alive(daemon, header);
}

Test(routes, infer_refuses_other_types_and_encodings)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    expect_unsupported(&daemon, "Content-Type: text/plain", "\"text/plain\"");
    expect_unsupported(&daemon, "Content-Type: application/jsonx", "\"application/jsonx\"");
    expect_unsupported(&daemon, "Content-Type: multipart/form-data; boundary=x", "multipart");
    expect_unsupported(&daemon, "Content-Encoding: br", "\"br\"");
    expect_unsupported(&daemon, "Content-Encoding: gzip, gzip", "\"gzip, gzip\"");
    daemon_stop(&daemon);
}

Test(routes, stats_refuses_bad_values)
{
    static const struct {
        const char *query, *code, *part;
        long status;
    } cases[] = {
        {"?tau=", "invalid", "tau", 400},
        {"?tau=x", "invalid", "\"x\"", 400},
        {"?tau=-1", "invalid", "tau", 400},
        {"?tau=nan", "invalid", "tau", 400},
        {"?tau=inf", "invalid", "tau", 400},
        {"?tau=0.1x", "invalid", "tau", 400},
        {"?detail=", "invalid", "detail", 400},
        {"?detail=all", "invalid", "\"all\"", 400},
        {"?window=", "invalid", "window", 400},
        {"?window=60", "invalid", "\"60\"", 400},
        {"?layer=fc9", "unknown_layer", "\"fc9\"", 404},
        {"?layer=", "unknown_layer", "layer", 404},
        {"?layer=fc3", "unknown_layer", "\"fc3\"", 404}, /* identity: not counted */
    };
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[64];
        struct reply reply;
        snprintf(path, sizeof path, "/stats%s", cases[i].query);
        client_get(daemon.port, path, &reply);
        expect_error(&reply, cases[i].status, cases[i].code, cases[i].part, path);
        reply_free(&reply);
        expect_alive(&daemon, path);
    }
    daemon_stop(&daemon);
}

/* What a browser gets: nothing is guessed at, framed, kept or shared with other origins. */
Test(routes, browsers_are_told_to_keep_to_themselves)
{
    static const char *const requests[][2] = {
        {"GET", "/healthz"}, {"GET", "/models"},    {"HEAD", "/stats"},    {"GET", "/nowhere"},
        {"GET", "/infer"},   {"OPTIONS", "/infer"}, {"OPTIONS", "/stats"}, {"POST", "/infer"}};
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        char value[HEADER_BYTES];
        struct reply reply;
        struct request request = {
            .method = requests[i][0],
            .path = requests[i][1],
            .headers = {"Origin: http://example.com", "Access-Control-Request-Method: POST"}};
        client_once(daemon.port, &request, &reply);
        cr_assert_gt(reply.status, 0);
        cr_assert_not(strcasestr(reply.head, "Access-Control-"), "%s", reply.head);
        if (i < 5) {
            cr_assert_str_eq(reply_header(&reply, "X-Content-Type-Options", value), "nosniff");
            cr_assert_str_eq(reply_header(&reply, "Cache-Control", value), "no-store");
            cr_assert_str_eq(reply_header(&reply, "Content-Security-Policy", value),
                             "default-src 'none'; frame-ancestors 'none'");
        }
        reply_free(&reply);
    }
    daemon_stop(&daemon);
}
