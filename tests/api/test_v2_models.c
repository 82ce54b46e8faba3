/* What the Open Inference Protocol tells of the server and its models. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pair.h"
#include "server.h"

Test(v2_models, the_server_says_what_it_is)
{
    struct daemon daemon;
    const char *name, *version;
    json_t *extensions;
    DAEMON_START(&daemon, DIGITS);
    json_t *json = get_json(&daemon, "/v2");
    cr_assert_eq(json_unpack(json, "{s:s, s:s, s:o !}", "name", &name, "version", &version,
                             "extensions", &extensions),
                 0);
    cr_assert_str_eq(name, "relud");
    cr_assert_str_eq(version, RELUD_VERSION);
    cr_assert_geq(json_array_size(extensions), 4);
    json_decref(json);
    daemon_stop(&daemon);
}

Test(v2_models, health_and_readiness)
{
    static const char *const ready[] = {"/v2/health/ready", "/v2/models/digits/ready",
                                        "/v2/models/digits/versions/1/ready"};
    struct daemon daemon;
    struct reply reply;
    DAEMON_START(&daemon, DIGITS, "--drain-delay-ms", "60000");
    json_t *json = get_json(&daemon, "/v2/health/live");
    cr_assert(json_is_true(json_object_get(json, "live")));
    cr_assert(json_is_true(json_object_get(json, "ready")));
    json_decref(json);
    for (size_t i = 0; i < 3; i++) {
        json = get_json(&daemon, ready[i]);
        cr_assert(json_is_true(json_object_get(json, "ready")), "%s", ready[i]);
        json_decref(json);
    }
    daemon_signal(&daemon, SIGTERM);
    for (unsigned long long end = clock_ms() + PATIENCE_MS; clock_ms() < end; rest_ms(5)) {
        client_get(daemon.port, "/readyz", &reply);
        long status = reply.status;
        reply_free(&reply);
        if (status == 503)
            break;
    }
    for (size_t i = 0; i < 3; i++) {
        client_get(daemon.port, ready[i], &reply);
        expect_error(&reply, 503, "draining", "shutting down", ready[i]);
        reply_free(&reply);
    }
    json = get_json(&daemon, "/v2/health/live");
    cr_assert(json_is_false(json_object_get(json, "ready")));
    json_decref(json);
    daemon_signal(&daemon, SIGTERM);
    cr_assert_eq(daemon_wait(&daemon, PATIENCE_MS), 0);
}

Test(v2_models, metadata_and_configuration)
{
    struct daemon daemon;
    const char *name, *platform, *in, *out, *type, *backend;
    int batch, features, size, dims;
    json_t *inputs, *outputs, *input;
    int file = pair_start(&daemon);
    json_t *json = get_json(&daemon, "/v2/models/pair/versions/1?x");
    cr_assert_eq(json_unpack(json, "{s:s, s:[s], s:s, s:o, s:[{s:s},{s:s}] !}", "name", &name,
                             "versions", &type, "platform", &platform, "inputs", &inputs, "outputs",
                             "name", &in, "name", &out),
                 0);
    cr_assert(strcmp(name, "pair") == 0 && strcmp(type, "1") == 0 &&
              strcmp(platform, "relud") == 0 && strcmp(in, "left") == 0 &&
              strcmp(out, "right") == 0);
    cr_assert_eq(json_unpack(json_array_get(inputs, 1), "{s:s, s:s, s:[i,i] !}", "name", &in,
                             "datatype", &type, "shape", &batch, &features),
                 0);
    cr_assert(strcmp(in, "b") == 0 && strcmp(type, "FP32") == 0 && batch == -1 && features == 5);
    json_decref(json);
    json = get_json(&daemon, "/v2/models/pair/config");
    cr_assert_eq(json_unpack(json, "{s:s, s:s, s:s, s:i, s:o, s:o}", "name", &name, "platform",
                             &platform, "backend", &backend, "max_batch_size", &size, "input",
                             &inputs, "output", &outputs),
                 0);
    cr_assert(strcmp(name, "pair") == 0 && strcmp(platform, "relud") == 0 &&
              strcmp(backend, "relud") == 0 && size == 4096);
    input = json_array_get(inputs, 0);
    cr_assert_eq(
        json_unpack(input, "{s:s, s:s, s:[i]}", "name", &in, "data_type", &type, "dims", &dims), 0);
    cr_assert(strcmp(in, "a") == 0 && strcmp(type, "TYPE_FP32") == 0 && dims == 3);
    cr_assert_eq(json_array_size(outputs), 2);
    json_decref(json);
    daemon_stop(&daemon);
    close(file);
}

Test(v2_models, unknown_models_and_versions_are_404)
{
    static const struct {
        const char *model, *sentence;
    } cases[] = {
        {"nobody", "Request for unknown model: 'nobody' is not found"},
        {"Digits", "Request for unknown model: 'Digits' is not found"},
        {"a%20%22b", "Request for unknown model: 'a \"b' is not found"},
        {"%2e%2e", "Request for unknown model: '..' is not found"},
        {"nobody/versions/1", "Request for unknown model: 'nobody' is not found"},
        {"digits/versions/2", "Request for unknown model: 'digits' version 2 is not found"},
        {"digits/versions/x", "Request for unknown model: 'digits' version x is not found"},
    };
    static const char *const routes[] = {"", "/ready", "/config", "/infer"};
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < 4 * sizeof cases / sizeof cases[0]; i++) {
        char path[128];
        struct reply reply;
        snprintf(path, sizeof path, "/v2/models/%s%s", cases[i / 4].model, routes[i % 4]);
        if (i % 4 == 3)
            client_post(daemon.port, path, good_body(), &reply);
        else
            client_get(daemon.port, path, &reply);
        json_t *json = json_of(&reply);
        expect_error(&reply, 404, "unknown_model", "", path);
        cr_assert_str_eq(json_string_value(json_object_get(json, "error")), cases[i / 4].sentence,
                         "%s", path);
        json_decref(json);
        reply_free(&reply);
        expect_alive(&daemon, path);
    }
    daemon_stop(&daemon);
}

Test(v2_models, names_may_be_percent_encoded)
{
    struct daemon daemon;
    struct reply reply;
    struct tensors body;
    DAEMON_START(&daemon, "my digits %=" DIGITS);
    tensors_digits(&body, 0, 1, true, "");
    json_decref(get_json(&daemon, "/v2/models/my%20digits%20%25/ready"));
    tensors_post(&daemon, "/v2/models/m%79%20digits%20%25/versions/%31/infer?%41=%42", &body,
                 &reply);
    json_t *json = tensors_json(&reply);
    cr_assert_str_eq(json_string_value(json_object_get(json, "model_name")), "my digits %");
    json_decref(json);
    reply_free(&reply);
    tensors_free(&body);
    daemon_stop(&daemon);
}
