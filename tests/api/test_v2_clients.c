/* Requests exactly as NVIDIA's clients put them on the wire. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tensors.h"

/* Sends head, which ends with Content-Length's number to come, and body; reads the answer. */
static void exchange(int wire, const char *head, const struct tensors *body, struct reply *reply)
{
    char length[32];
    snprintf(length, sizeof length, "%zu\r\n\r\n", body->count);
    cr_assert(wire_text(wire, head) && wire_text(wire, length) &&
              wire_send(wire, body->bytes, body->count));
    wire_answer(wire, reply, PATIENCE_MS);
}

static void expect_scores(const struct daemon *daemon, const struct reply *reply)
{
    float expected[SCORES], scores[SCORES];
    raw_scores(daemon, "/infer", 0, 1, expected);
    cr_assert_eq(tensors_output(reply, "scores", scores, SCORES), SCORES);
    cr_assert(same_bits(scores, expected, SCORES));
}

/* tritonclient.http: one connection, no content type, headers in an order of its own. */
Test(v2_clients, python)
{
    static const char *const paths[] = {
        "/v2/health/live",   "/v2/health/ready",        "/v2/models/digits/versions/1/ready", "/v2",
        "/v2/models/digits", "/v2/models/digits/config"};
    struct daemon daemon;
    struct reply reply;
    struct tensors body;
    char head[512];
    DAEMON_START(&daemon, DIGITS);
    int wire = wire_connect(daemon.port);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        snprintf(head, sizeof head,
                 "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: keep-alive\r\n"
                 "User-Agent: python/gevent-http-client-2.0.11\r\n\r\n",
                 paths[i], daemon.port);
        cr_assert(wire_text(wire, head));
        wire_answer(wire, &reply, PATIENCE_MS);
        expect_json(&reply, 200, paths[i]);
        reply_free(&reply);
    }
    tensors_write(&body, digits()->pixels[0], 256,
                  "{\"inputs\":[{\"name\":\"pixels\",\"shape\":[1,64],\"datatype\":\"FP32\","
                  "\"parameters\":{\"binary_data_size\":256}}],"
                  "\"parameters\":{\"binary_data_output\":true}}");
    snprintf(head, sizeof head,
             "POST /v2/models/digits/infer HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
             "Connection: keep-alive\r\nUser-Agent: python/gevent-http-client-2.0.11\r\n"
             "Inference-Header-Content-Length: %zu\r\nContent-Length: ",
             daemon.port, body.json_count);
    exchange(wire, head, &body, &reply);
    expect_scores(&daemon, &reply);
    reply_free(&reply);
    tensors_free(&body);
    tensors_write(&body, NULL, 0,
                  "{\"id\":\"1\",\"inputs\":[{\"name\":\"pixels\",\"shape\":[1,64],"
                  "\"datatype\":\"FP32\",\"data\":[%s]}],\"outputs\":[{\"name\":\"scores\","
                  "\"parameters\":{\"binary_data\":false}}],\"parameters\":{\"sequence_id\":5,"
                  "\"sequence_start\":true,\"sequence_end\":false,\"priority\":1,"
                  "\"timeout\":5000000}}",
                  digits()->lines[0]);
    snprintf(head, sizeof head,
             "POST /v2/models/digits/versions/1/infer?debug=1&x=a+b HTTP/1.1\r\n"
             "Host: 127.0.0.1:%u\r\nConnection: keep-alive\r\n"
             "User-Agent: python/gevent-http-client-2.0.11\r\nContent-Length: ",
             daemon.port);
    exchange(wire, head, &body, &reply);
    expect_scores(&daemon, &reply);
    reply_free(&reply);
    tensors_free(&body);
    close(wire);
    daemon_stop(&daemon);
}

/* The C++ client, which perf_analyzer uses: octet-stream, an empty id, parameters first. */
Test(v2_clients, cplusplus)
{
    static const char *const outputs[] = {
        "", ",\"outputs\":[{\"name\":\"scores\",\"parameters\":{\"binary_data\":true}}]"};
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    int wire = wire_connect(daemon.port);
    for (size_t i = 0; i < 2; i++) {
        struct reply reply;
        struct tensors body;
        char head[512];
        tensors_write(&body, digits()->pixels[0], 256,
                      "{\"id\":\"\"%s,\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\","
                      "\"shape\":[1,64],\"parameters\":{\"binary_data_size\":256}}]%s}",
                      i ? "" : ",\"parameters\":{\"binary_data_output\":true}", outputs[i]);
        snprintf(head, sizeof head,
                 "POST /v2/models/digits/infer HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
                 "User-Agent: libcurl-agent/1.0\r\nAccept: */*\r\n"
                 "Inference-Header-Content-Length: %zu\r\n"
                 "Content-Type: application/octet-stream\r\nContent-Length: ",
                 daemon.port, body.json_count);
        exchange(wire, head, &body, &reply);
        expect_scores(&daemon, &reply);
        reply_free(&reply);
        tensors_free(&body);
    }
    close(wire);
    daemon_stop(&daemon);
}
