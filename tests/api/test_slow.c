/* Clients that are slow, silent or gone. Times are lower bounds only: a busy machine makes
 * everything later. */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "network.h"
#include "scene.h"

/* Limits at their least; the sweep looks twice a second. */
static void start_impatient(struct daemon *daemon)
{
    DAEMON_START(daemon, DIGITS, "--header-timeout-s", "1", "--request-timeout-ms", "1000");
}

static const char *const beginnings[] = {
    "P",
    "POST /infer HTTP/1.1\r\nHos",
    "POST /infer HTTP/1.1\r\nHost: x\r\n",
    "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n",
    "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{\"inputs\":[[1,2",
    "POST /infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"inp",
    "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{",
};

enum { BEGINNINGS = sizeof beginnings / sizeof beginnings[0] };

/* All at once: each connection must be closed, but not at once, and others are served meanwhile. */
Test(slow, half_a_request_then_silence_is_closed)
{
    int wires[BEGINNINGS];
    struct daemon daemon;
    start_impatient(&daemon);
    unsigned long long begun = clock_ms();
    for (size_t i = 0; i < BEGINNINGS; i++) {
        wires[i] = wire_connect(daemon.port);
        cr_assert(wires[i] >= 0 && wire_text(wires[i], beginnings[i]));
    }
    expect_alive(&daemon, "while they are silent");
    for (size_t i = 0; i < BEGINNINGS; i++) {
        cr_assert(wire_closed(wires[i], PATIENCE_MS), "still open: %s", beginnings[i]);
        cr_assert(clock_ms() - begun >= 900, "after %llu ms: %s", clock_ms() - begun,
                  beginnings[i]);
        close(wires[i]);
    }
    expect_alive(&daemon, "afterwards");
    daemon_stop(&daemon);
}

/* The second request of a connection is watched like the first. */
Test(slow, half_of_a_second_request_then_silence_is_closed)
{
    struct daemon daemon;
    struct reply reply;
    start_impatient(&daemon);
    int wire = wire_connect(daemon.port);
    cr_assert(wire_text(wire, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
    wire_answer(wire, &reply, PATIENCE_MS);
    expect_json(&reply, 200, "the first");
    reply_free(&reply);
    rest_ms(700); /* the sweep has seen it idle */
    unsigned long long begun = clock_ms();
    cr_assert(wire_text(wire, "GET /healthz HTTP/1.1\r\nHo"));
    cr_assert(wire_closed(wire, PATIENCE_MS));
    cr_assert(clock_ms() - begun >= 900);
    close(wire);
    daemon_stop(&daemon);
}

/* Sends byte after byte until the other end is gone; returns how many milliseconds it took. */
static unsigned long long trickle(const struct daemon *daemon, const char *begin,
                                  const char *repeated, unsigned pause_ms)
{
    unsigned long long begun = clock_ms();
    int wire = wire_connect(daemon->port);
    cr_assert(wire >= 0 && wire_text(wire, begin));
    for (size_t i = 0; clock_ms() - begun < PATIENCE_MS; i++) {
        if (!wire_send(wire, &repeated[i % strlen(repeated)], 1) || wire_closed(wire, pause_ms))
            break;
    }
    close(wire);
    expect_alive(daemon, begin);
    return clock_ms() - begun;
}

Test(slow, a_trickling_header_is_closed)
{
    struct daemon daemon;
    start_impatient(&daemon);
    unsigned long long took = trickle(&daemon, "GET /stats HTTP/1.1\r\n", "X: y\r\n", 1000);
    cr_assert(took >= 900 && took < PATIENCE_MS, "%llu ms", took);
    daemon_stop(&daemon);
}

Test(slow, a_header_that_trickles_faster_is_closed)
{
    struct daemon daemon;
    start_impatient(&daemon);
    unsigned long long took = trickle(&daemon, "GET /stats HTTP/1.1\r\n", "X: y\r\n", 50);
    cr_assert(took >= 900 && took < PATIENCE_MS, "%llu ms", took);
    daemon_stop(&daemon);
}

Test(slow, a_trickling_body_is_closed)
{
    struct daemon daemon;
    start_impatient(&daemon);
    unsigned long long took = trickle(
        &daemon, "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", " ", 100);
    cr_assert(took >= 900 && took < PATIENCE_MS, "%llu ms", took);
    daemon_stop(&daemon);
}

Test(slow, idle_connections_are_closed_and_used_ones_are_kept)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--idle-timeout-s", "2", "--header-timeout-s", "1");
    int silent = wire_connect(daemon.port), used = wire_connect(daemon.port);
    unsigned long long begun = clock_ms();
    bool closed = false;
    for (int i = 0; i < 30; i++) {
        struct reply reply;
        cr_assert(wire_text(used, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
        wire_answer(used, &reply, PATIENCE_MS);
        expect_json(&reply, 200, "a connection in use");
        reply_free(&reply);
        closed = closed || wire_closed(silent, 100);
    }
    cr_assert(closed || wire_closed(silent, PATIENCE_MS));
    cr_assert(clock_ms() - begun >= 1000);
    close(silent);
    close(used);
    daemon_stop(&daemon);
}

/* A reader that takes its answer late gets all of it. */
Test(slow, a_slow_reader_gets_the_whole_answer)
{
    static float scores[DIGITS_ROWS * SCORES], expected[DIGITS_ROWS * SCORES];
    char head[128];
    struct daemon daemon;
    struct reply reply;
    DAEMON_START(&daemon, DIGITS);
    char *body = digits_body(0, DIGITS_ROWS, ",\"stats\":\"units\"");
    snprintf(head, sizeof head, "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
             strlen(body));
    int wire = wire_connect(daemon.port);
    cr_assert(wire_text(wire, head) && wire_text(wire, body));
    rest_ms(600);
    wire_answer(wire, &reply, PATIENCE_MS);
    expect_json(&reply, 200, "a slow reader");
    cr_assert_eq(outputs_of(&reply, scores, DIGITS_ROWS * SCORES), DIGITS_ROWS * SCORES);
    raw_scores(&daemon, "/infer", 0, DIGITS_ROWS, expected);
    cr_assert(same_bits(scores, expected, DIGITS_ROWS * SCORES));
    reply_free(&reply);
    close(wire);
    free(body);
    daemon_stop(&daemon);
}

/* Clients that go */

static void settle(const struct daemon *daemon, size_t descriptors)
{
    unsigned long long end = clock_ms() + PATIENCE_MS;
    while (daemon_descriptors(daemon) > descriptors && clock_ms() < end)
        rest_ms(20);
    cr_assert(daemon_descriptors(daemon) <= descriptors, "%zu descriptors, %zu before",
              daemon_descriptors(daemon), descriptors);
}

/* Sends text and goes, politely or not; 200 times. */
static void go_away(const struct daemon *daemon, const void *bytes, size_t count)
{
    for (int i = 0; i < 200; i++) {
        int wire = wire_connect(daemon->port);
        cr_assert(wire >= 0);
        wire_send(wire, bytes, count);
        if (i % 2)
            wire_reset(wire);
        else
            close(wire);
    }
}

Test(slow, two_hundred_clients_go_in_the_middle)
{
    static const char *const parts[] = {
        "",
        "POST /inf",
        "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n",
        "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{\"inputs\":[[1,2,3",
        "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 500\r\n"
        "\r\n\x1f\x8b\x08",
        "GET /stats HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    struct daemon daemon;
    start_impatient(&daemon); /* libmicrohttpd overlooks a FIN that comes with the last bytes */
    expect_alive(&daemon, "before");
    size_t descriptors = daemon_descriptors(&daemon);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        go_away(&daemon, parts[i], strlen(parts[i]));
        expect_alive(&daemon, parts[i]);
    }
    settle(&daemon, descriptors);
    daemon_stop(&daemon);
}

/* Requests large enough to wait for their batch, whose clients do not. */
Test(slow, two_hundred_clients_go_while_they_wait)
{
    enum { ROWS = 4, FEATURES = 64 };
    static const struct chain chain = {"x", "y", {FEATURES, 512, 512, 10, 0}, "Relu"};
    static const char head[] = "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 1024\r\n"
                               "Content-Type: application/octet-stream\r\n\r\n";
    char path[NETWORK_PATH_BYTES], request[sizeof head - 1 + ROWS * FEATURES * sizeof(float)];
    int file = network_file(path, &chain, 1);
    struct daemon daemon;
    memcpy(request, head, sizeof head - 1);
    memcpy(request + sizeof head - 1, digits()->pixels, ROWS * FEATURES * sizeof(float));
    DAEMON_START(&daemon, path, "--loops", "1");
    expect_alive(&daemon, "before");
    size_t descriptors = daemon_descriptors(&daemon);
    go_away(&daemon, request, sizeof request);
    expect_alive(&daemon, "afterwards");
    settle(&daemon, descriptors);
    daemon_stop(&daemon);
    close(file);
}

/* With the default deadlines, 30 s for a body: only the end of the client's side tells that it has
 * gone. The cork makes the end travel with the last bytes, which is when libmicrohttpd overlooks
 * it. */
Test(slow, a_client_that_closes_in_the_middle_of_a_body_is_let_go)
{
    enum { BEFORE_THE_DEADLINE_MS = 20000 };
    const int on = 1;
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    int wire = wire_connect(daemon.port);
    cr_assert(setsockopt(wire, IPPROTO_TCP, TCP_CORK, &on, sizeof on) == 0);
    cr_assert(wire_text(
        wire, "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{\"inputs\":"));
    cr_assert(shutdown(wire, SHUT_WR) == 0);
    cr_assert(wire_closed(wire, BEFORE_THE_DEADLINE_MS), "still open");
    close(wire);
    expect_alive(&daemon, "a client that closed in the middle of a body");
    daemon_stop(&daemon);
}
