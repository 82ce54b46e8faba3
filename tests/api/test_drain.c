/* SIGTERM: not ready, then no new connections, then nothing in flight, exit 0. Where a test must
 * see that something does not wait for a timeout, that timeout is far beyond its patience. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "network.h"
#include "visitor.h"

#define NEVER_MS "600000"

static void expect_exit(struct daemon *daemon)
{
    int status = daemon_wait(daemon, PATIENCE_MS);
    if (status != 0)
        cr_assert_fail("exit status %d:\n%s", status, daemon_log(daemon));
    close(daemon->log);
}

static void expect_running(struct daemon *daemon, unsigned for_ms)
{
    cr_assert_eq(daemon_wait(daemon, for_ms), -1, "relud has ended:\n%s", daemon_log(daemon));
}

/* Waits until GET /readyz answers that status. */
static void wait_for_readiness(const struct daemon *daemon, long status, struct reply *reply)
{
    unsigned long long end = clock_ms() + PATIENCE_MS;
    client_get(daemon->port, "/readyz", reply);
    while (reply->status != status && clock_ms() < end) {
        rest_ms(5);
        reply_free(reply);
        client_get(daemon->port, "/readyz", reply);
    }
}

Test(drain, not_ready_but_serving_during_the_delay_and_gone_at_the_second_signal)
{
    struct daemon daemon;
    struct reply reply;
    char url[64], retry[HEADER_BYTES];
    struct command command;
    DAEMON_START(&daemon, DIGITS, "--drain-delay-ms", NEVER_MS);
    daemon_signal(&daemon, SIGTERM);
    wait_for_readiness(&daemon, 503, &reply);
    expect_error(&reply, 503, "draining", "shutting down", "/readyz");
    cr_assert_str_not_empty(reply_header(&reply, "Retry-After", retry));
    reply_free(&reply);
    expect_alive(&daemon, "during the delay");
    json_decref(get_json(&daemon, "/healthz"));
    json_decref(get_json(&daemon, "/stats"));
    snprintf(url, sizeof url, "http://127.0.0.1:%u", daemon.port);
    COMMAND_RUN(&command, "healthcheck", url);
    cr_assert_eq(command.status, 1);
    cr_assert(strstr(command.err, "503"), "%s", command.err);
    command_free(&command);
    daemon_signal(&daemon, SIGTERM);
    expect_exit(&daemon);
}

Test(drain, ends_by_itself_after_the_delay)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--drain-delay-ms", "300");
    unsigned long long begun = clock_ms();
    daemon_signal(&daemon, SIGTERM);
    expect_exit(&daemon);
    cr_assert(clock_ms() - begun >= 290);
}

Test(drain, sigint_is_the_same)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    daemon_signal(&daemon, SIGINT);
    expect_exit(&daemon);
}

/* A connection kept open between requests holds nothing up. */
Test(drain, idle_connections_are_closed)
{
    struct daemon daemon;
    struct reply reply;
    DAEMON_START(&daemon, DIGITS, "--drain-timeout-ms", NEVER_MS, "--idle-timeout-s", "10000");
    int fresh = wire_connect(daemon.port), used = wire_connect(daemon.port);
    cr_assert(wire_text(used, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
    wire_answer(used, &reply, PATIENCE_MS);
    expect_json(&reply, 200, "before");
    reply_free(&reply);
    daemon_signal(&daemon, SIGTERM);
    expect_exit(&daemon);
    close(fresh);
    close(used);
}

/* A request that is under way is waited for, and answered with its last byte. */
Test(drain, half_a_request_is_waited_for)
{
    struct daemon daemon;
    struct reply reply;
    char head[128], value[HEADER_BYTES];
    DAEMON_START(&daemon, DIGITS, "--drain-timeout-ms", NEVER_MS, "--request-timeout-ms", NEVER_MS);
    size_t length = strlen(good_body());
    snprintf(head, sizeof head, "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
             length);
    int wire = wire_connect(daemon.port);
    cr_assert(wire_text(wire, head) && wire_send(wire, good_body(), 20));
    rest_ms(50);
    daemon_signal(&daemon, SIGTERM);
    expect_running(&daemon, 600);
    cr_assert_lt(wire_connect(daemon.port), 0, "new connections are refused");
    cr_assert(wire_send(wire, good_body() + 20, length - 20));
    wire_answer(wire, &reply, PATIENCE_MS);
    expect_json(&reply, 200, "the rest came while draining");
    cr_assert_str_eq(reply_header(&reply, "Connection", value), "close");
    reply_free(&reply);
    cr_assert(wire_closed(wire, PATIENCE_MS));
    close(wire);
    expect_exit(&daemon);
}

Test(drain, the_timeout_ends_what_does_not_finish)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--drain-timeout-ms", "400", "--request-timeout-ms", NEVER_MS);
    int wire = wire_connect(daemon.port);
    cr_assert(wire_text(wire, "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{"));
    rest_ms(50);
    unsigned long long begun = clock_ms();
    daemon_signal(&daemon, SIGTERM);
    expect_exit(&daemon);
    cr_assert(clock_ms() - begun >= 390);
    close(wire);
}

Test(drain, the_second_signal_ends_at_once)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--drain-timeout-ms", NEVER_MS, "--request-timeout-ms", NEVER_MS);
    int wire = wire_connect(daemon.port);
    cr_assert(wire_text(wire, "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{"));
    rest_ms(50);
    daemon_signal(&daemon, SIGTERM);
    expect_running(&daemon, 500);
    daemon_signal(&daemon, SIGTERM);
    expect_exit(&daemon);
    close(wire);
}

/* A long computation that has begun is answered; the second signal gives it up. */
static void signal_while_computing(bool twice)
{
    static const struct chain chain = {"x", "y", {4, 512, 512, 512, 4, 0}, "Relu"};
    enum { ROWS = 10000 };
    struct daemon daemon;
    struct reply reply;
    char path[NETWORK_PATH_BYTES], head[256];
    int file = network_file(path, &chain, 1);
    float *x = calloc(ROWS, 4 * sizeof *x);
    DAEMON_START(&daemon, path, "--max-batch-rows", "100000", "--drain-timeout-ms", NEVER_MS,
                 "--request-timeout-ms", NEVER_MS, "--slice-ms", "1");
    snprintf(head, sizeof head,
             "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n"
             "Content-Type: application/octet-stream\r\n"
             "Accept: application/octet-stream\r\n\r\n",
             ROWS * 4 * sizeof *x);
    int wire = wire_connect(daemon.port);
    cr_assert(x && wire_text(wire, head) && wire_send(wire, x, ROWS * 4 * sizeof *x));
    rest_ms(30);
    for (int i = 0; i <= twice; i++, rest_ms(5))
        daemon_signal(&daemon, SIGTERM);
    wire_answer(wire, &reply, PATIENCE_MS);
    if (!twice) {
        cr_assert_eq(reply.status, 200, "%s", reply.body);
        cr_assert_eq(reply.body_count, ROWS * 4 * sizeof(float));
    }
    reply_free(&reply);
    expect_exit(&daemon);
    free(x);
    close(wire);
    close(file);
}

Test(drain, a_computation_in_flight_is_answered)
{
    signal_while_computing(false);
}

Test(drain, a_computation_in_flight_is_given_up_at_the_second_signal)
{
    signal_while_computing(true);
}

/* Under load */

static void terminate_under_load(struct daemon *daemon, struct quiz *quiz)
{
    enum { VISITORS = 12 };
    struct visitor visitors[VISITORS];
    quiz_learn(quiz, daemon);
    visitors_start(visitors, VISITORS, daemon->port, quiz, NULL);
    rest_ms(300);
    daemon_signal(daemon, SIGTERM);
    expect_exit(daemon);
    visitors_join(visitors, VISITORS);
}

Test(drain, small_requests_in_flight_are_answered)
{
    struct quiz quiz;
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--drain-timeout-ms", NEVER_MS);
    quiz_init(&quiz, "/infer", PIXELS, SCORES, 50);
    terminate_under_load(&daemon, &quiz);
    quiz_free(&quiz);
}

Test(drain, small_requests_in_flight_are_answered_after_a_delay)
{
    struct quiz quiz;
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--drain-timeout-ms", NEVER_MS, "--drain-delay-ms", "200",
                 "--loops", "4");
    quiz_init(&quiz, "/infer", PIXELS, SCORES, 50);
    terminate_under_load(&daemon, &quiz);
    quiz_free(&quiz);
}

Test(drain, batched_requests_in_flight_are_answered)
{
    static const struct chain chain = {"image", "scores", {784, 512, 512, 10, 0}, "Relu"};
    struct quiz quiz;
    struct daemon daemon;
    char path[NETWORK_PATH_BYTES];
    int file = network_file(path, &chain, 1);
    DAEMON_START(&daemon, path, "--drain-timeout-ms", NEVER_MS);
    quiz_init(&quiz, "/infer", 784, 10, 50);
    terminate_under_load(&daemon, &quiz);
    quiz_free(&quiz);
    close(file);
}
