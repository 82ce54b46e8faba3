/* --tls-cert, --tls-key: the same server over TLS. */
#include <criterion/criterion.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certificate.h"
#include "load.h"

/* A daemon with a certificate of its own. */
struct secure {
    struct temporary temporary;
    struct certificate certificate;
    struct daemon daemon;
};

static void start(struct secure *secure)
{
    temporary_open(&secure->temporary);
    certificate_make(&secure->certificate, &secure->temporary, "server");
    DAEMON_START(&secure->daemon, "--tls-cert", secure->certificate.path, "--tls-key",
                 secure->certificate.key_path, "--header-timeout-s", "1", "--loops", "2", DIGITS);
}

static void stop(struct secure *secure)
{
    daemon_stop(&secure->daemon);
    temporary_close(&secure->temporary);
}

static struct client *connect_client(const struct secure *secure)
{
    return client_open_tls(secure->daemon.port, secure->certificate.path);
}

static void expect_healthy(const struct secure *secure, const char *what)
{
    struct client *client = connect_client(secure);
    struct reply reply;
    client_send(client, &(struct request){.path = "/healthz"}, &reply);
    expect_json(&reply, 200, what);
    reply_free(&reply);
    client_close(client);
}

/* The client knows the certificate, and no other. */
Test(tls, answers_and_errors_are_the_same)
{
    struct secure secure;
    struct certificate other;
    struct reply reply;
    start(&secure);
    certificate_make(&other, &secure.temporary, "other");
    struct client *client = connect_client(&secure);
    struct request request = {
        .path = "/infer", .body = good_body(), .body_count = strlen(good_body())};
    client_send(client, &request, &reply);
    expect_json(&reply, 200, "a good request");
    cr_assert(strstr(reply.body, "\"labels\":[\"0\"]"), "%s", reply.body);
    reply_free(&reply);
    client_send(client, &(struct request){.path = "/nowhere"}, &reply);
    expect_error(&reply, 404, "not_found", "/nowhere", "an error");
    reply_free(&reply);
    client_close(client);
    client = client_open_tls(secure.daemon.port, other.path);
    client_send(client, &request, &reply);
    cr_assert_eq(reply.status, 0, "a server with another certificate was trusted");
    reply_free(&reply);
    client_close(client);
    stop(&secure);
}

/* All rows of the data set in one body of a few hundred KiB, and the answer to them. */
Test(tls, large_bodies_go_both_ways)
{
    struct secure secure;
    struct reply reply;
    start(&secure);
    struct client *client = connect_client(&secure);
    char *body = digits_body(0, DIGITS_ROWS, ",\"stats\":\"units\"");
    struct request request = {.path = "/infer", .body = body, .body_count = strlen(body)};
    for (int i = 0; i < 3; i++) {
        client_send(client, &request, &reply);
        expect_json(&reply, 200, "all rows");
        json_t *json = json_of(&reply);
        const json_t *labels = json_object_get(json, "labels");
        size_t right = 0;
        for (size_t r = 0; r < DIGITS_ROWS; r++)
            right += json_string_value(json_array_get(labels, r))[0] == digits()->labels[r];
        cr_assert_gt(right, DIGITS_ROWS * 95 / 100);
        json_decref(json);
        reply_free(&reply);
    }
    free(body);
    client_close(client);
    stop(&secure);
}

struct asking {
    pthread_t thread;
    const struct secure *secure;
    const struct quiz *quiz;
    size_t right, connects;
};

enum { ASKERS = 6, QUESTIONS = 60 };

static void *ask(void *context)
{
    struct asking *asking = context;
    struct client *client = connect_client(asking->secure);
    for (size_t i = 0; i < QUESTIONS; i++) {
        size_t row = i % asking->quiz->rows;
        struct request request = quiz_request(asking->quiz, row, 1, i % 2);
        struct reply reply;
        client_send(client, &request, &reply);
        asking->connects += (size_t)reply.connects;
        asking->right += quiz_is_right(asking->quiz, row, 1, i % 2, &reply);
        reply_free(&reply);
        free((void *)request.body);
    }
    client_close(client);
    return NULL;
}

/* What each row gives is learnt from a server without TLS. */
static void learn(struct quiz *quiz)
{
    struct daemon plain;
    quiz_init(quiz, "/infer", PIXELS, SCORES, 20);
    DAEMON_START(&plain, DIGITS);
    quiz_learn(quiz, &plain);
    daemon_stop(&plain);
}

Test(tls, many_clients_keep_their_connections)
{
    struct asking askings[ASKERS];
    struct secure secure;
    struct quiz quiz;
    learn(&quiz);
    start(&secure);
    for (size_t i = 0; i < ASKERS; i++) {
        askings[i] = (struct asking){.secure = &secure, .quiz = &quiz};
        cr_assert_eq(pthread_create(&askings[i].thread, NULL, ask, &askings[i]), 0);
    }
    for (size_t i = 0; i < ASKERS; i++) {
        pthread_join(askings[i].thread, NULL);
        cr_assert_eq(askings[i].right, QUESTIONS, "client %zu: %zu right", i, askings[i].right);
        cr_assert_eq(askings[i].connects, 1);
    }
    quiz_free(&quiz);
    stop(&secure);
}

/* The first bytes of a handshake, then nothing or one byte at a time: the time for headers ends
 * it. */
Test(tls, slow_handshakes_are_cut_off)
{
    static const char hello[] = "\x16\x03\x01\x02\x00\x01";
    struct secure secure;
    start(&secure);
    int silent = wire_connect(secure.daemon.port), slow = wire_connect(secure.daemon.port);
    cr_assert(wire_send(silent, hello, 5));
    unsigned long long end = clock_ms() + PATIENCE_MS;
    cr_assert(wire_send(slow, hello, 6));
    while (wire_send(slow, "", 1) && clock_ms() < end)
        rest_ms(100);
    cr_assert(clock_ms() < end, "one byte at a time is not cut off");
    cr_assert(wire_closed(silent, PATIENCE_MS));
    close(silent);
    close(slow);
    expect_healthy(&secure, "after slow handshakes");
    stop(&secure);
}

/* A client whose handshake is done, and who has asked for nothing yet. */
static CURL *shake_hands(const struct secure *secure)
{
    CURL *curl = curl_easy_init();
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%u", secure->daemon.port);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_CAINFO, secure->certificate.path);
    curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
    cr_assert_eq(curl_easy_perform(curl), CURLE_OK);
    return curl;
}

static bool say(CURL *curl, const char *text)
{
    size_t sent = 0;
    return curl_easy_send(curl, text, strlen(text), &sent) == CURLE_OK && sent == strlen(text);
}

/* The time for headers does not run while there is none. */
Test(tls, who_waits_after_the_handshake_is_answered)
{
    struct secure secure;
    char answer[512] = "";
    size_t got = 0;
    start(&secure);
    CURL *curl = shake_hands(&secure);
    rest_ms(2500);
    cr_assert(say(curl, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
    unsigned long long end = clock_ms() + PATIENCE_MS;
    while (curl_easy_recv(curl, answer, sizeof answer - 1, &got) == CURLE_AGAIN && clock_ms() < end)
        rest_ms(2);
    cr_assert(strncmp(answer, "HTTP/1.1 200", 12) == 0, "%s", answer);
    curl_easy_cleanup(curl);
    stop(&secure);
}

Test(tls, slow_headers_are_cut_off)
{
    struct secure secure;
    start(&secure);
    CURL *curl = shake_hands(&secure);
    unsigned long long end = clock_ms() + PATIENCE_MS;
    cr_assert(say(curl, "GET /healthz HTTP/1.1\r\nX: "));
    while (say(curl, "x") && clock_ms() < end)
        rest_ms(100);
    cr_assert(clock_ms() < end);
    curl_easy_cleanup(curl);
    stop(&secure);
}

/* Who has asked for nothing holds no drain up. */
Test(tls, idle_connections_are_closed_by_a_drain)
{
    struct secure secure;
    temporary_open(&secure.temporary);
    certificate_make(&secure.certificate, &secure.temporary, "server");
    DAEMON_START(&secure.daemon, "--tls-cert", secure.certificate.path, "--tls-key",
                 secure.certificate.key_path, "--header-timeout-s", "10000", "--idle-timeout-s",
                 "10000", "--drain-timeout-ms", "600000", DIGITS);
    CURL *curl = shake_hands(&secure);
    stop(&secure);
    curl_easy_cleanup(curl);
}

static void wait_for_descriptors(const struct daemon *daemon, size_t most)
{
    unsigned long long end = clock_ms() + PATIENCE_MS;
    while (daemon_descriptors(daemon) > most && clock_ms() < end)
        rest_ms(5);
    cr_assert_leq(daemon_descriptors(daemon), most);
}

/* Plain HTTP, garbage, half a handshake and a reset: each is closed, and nobody else notices. */
Test(tls, what_is_no_tls_is_closed)
{
    static const char *const sent[] = {"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01",
                                       "\xff\xff\xff\xff\xff\xff\xff\xff", ""};
    struct secure secure;
    start(&secure);
    size_t before = daemon_descriptors(&secure.daemon);
    for (size_t i = 0; i < 200; i++) {
        int wire = wire_connect(secure.daemon.port);
        wire_text(wire, sent[i % 4]);
        if (i % 4 == 0)
            cr_assert(wire_closed(wire, PATIENCE_MS), "plain HTTP");
        if (i % 8 < 4)
            close(wire);
        else
            wire_reset(wire);
    }
    wait_for_descriptors(&secure.daemon, before);
    expect_healthy(&secure, "after what was no TLS");
    stop(&secure);
}

static int check_health(const char *const *variables, const char *url, const char *part)
{
    struct command command;
    command_run(&command, variables, (const char *const[]){"healthcheck", url, NULL});
    cr_assert(strstr(command.err, part), "%s: %s", url, command.err);
    int status = command.status;
    command_free(&command);
    return status;
}

Test(tls, healthcheck_speaks_it)
{
    struct secure secure;
    struct daemon plain;
    char url[64], port[32];
    start(&secure);
    DAEMON_START(&plain, DIGITS);
    snprintf(url, sizeof url, "https://127.0.0.1:%u", secure.daemon.port);
    cr_assert_eq(check_health(NULL, url, ""), 0);
    snprintf(url, sizeof url, "https://127.0.0.1:%u/nowhere", secure.daemon.port);
    cr_assert_eq(check_health(NULL, url, "it answered 404"), 1);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", secure.daemon.port);
    cr_assert_eq(check_health(NULL, url, "it answered 0"), 1);
    snprintf(url, sizeof url, "https://127.0.0.1:%u", plain.port);
    cr_assert_eq(check_health(NULL, url, ": TLS: "), 1);
    snprintf(port, sizeof port, "RELUD_PORT=%u", secure.daemon.port);
    cr_assert_eq(
        check_health((const char *const[]){port, "RELUD_TLS_CERT=server.pem", NULL}, NULL, ""), 0);
    daemon_stop(&plain);
    stop(&secure);
}

Test(tls, files_that_do_not_fit_end_the_start)
{
    struct temporary temporary;
    struct certificate a, b;
    temporary_open(&temporary);
    certificate_make(&a, &temporary, "a");
    certificate_make(&b, &temporary, "b");
    const char *const cases[][5] = {
        {"--tls-cert and --tls-key", "--tls-cert", a.path},
        {"--tls-cert and --tls-key", "--tls-key", a.key_path},
        {"do not match", "--tls-cert", a.path, "--tls-key", b.key_path},
        {"expected a certificate", "--tls-cert", a.key_path, "--tls-key", a.key_path},
        {"expected a certificate", "--tls-cert", a.path, "--tls-key", DIGITS "/model.onnx"},
        {"--tls-cert /nowhere: ", "--tls-cert", "/nowhere", "--tls-key", a.key_path},
        {"--tls-key models: ", "--tls-cert", a.path, "--tls-key", "models"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *arguments[] = {DIGITS,      cases[i][1], cases[i][2],
                                   cases[i][3], cases[i][4], NULL};
        struct command command;
        command_run(&command, NULL, arguments);
        cr_assert_eq(command.status, 1, "%s", command.err);
        cr_assert(strstr(command.err, cases[i][0]), "%s", command.err);
        command_free(&command);
    }
    temporary_close(&temporary);
}
