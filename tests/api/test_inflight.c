/* --max-inflight-bytes: what the bodies of all requests may have together. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "encode.h"
#include "scene.h"
#include "scrape.h"

enum { BUDGET = 100000 };

static void expect_overloaded(struct reply *reply, const char *what)
{
    char value[HEADER_BYTES];
    expect_error(reply, 503, "overloaded", "100000 bytes together", what);
    cr_assert_str_eq(reply_header(reply, "Retry-After", value), "1");
    reply_free(reply);
}

/* Announces a body of so many bytes and sends the first of them. */
static int announce(const struct daemon *daemon, size_t count, size_t sent)
{
    char head[128];
    char *body = calloc(1, sent + 1);
    snprintf(head, sizeof head, "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
             count);
    int wire = wire_connect(daemon->port);
    cr_assert(body && wire >= 0 && wire_text(wire, head));
    memset(body, ' ', sent);
    cr_assert(wire_send(wire, body, sent));
    free(body);
    return wire;
}

static void post_spaces(const struct daemon *daemon, size_t count, const char *header,
                        struct reply *reply)
{
    char *body = malloc(count);
    cr_assert(body);
    memset(body, ' ', count);
    struct request request = {
        .path = "/infer", .headers = {header, "Expect:"}, .body = body, .body_count = count};
    client_once(daemon->port, &request, reply);
    free(body);
}

Test(inflight, one_body_at_the_limit_and_one_byte_over)
{
    static const char *const headers[] = {"A: b", "Transfer-Encoding: chunked"};
    struct daemon daemon;
    struct reply reply;
    DAEMON_START(&daemon, DIGITS, "--max-inflight-bytes", "100000", "--loops", "1");
    for (size_t i = 0; i < 2; i++) {
        post_spaces(&daemon, BUDGET, headers[i], &reply);
        expect_error(&reply, 400, "invalid", "", headers[i]);
        reply_free(&reply);
        post_spaces(&daemon, BUDGET + 1, headers[i], &reply);
        expect_overloaded(&reply, headers[i]);
        expect_alive(&daemon, headers[i]);
    }
    cr_assert_eq(scrape_once(&daemon, "relud_rejected_total{reason=\"overloaded\"}"), 2);
    cr_assert_eq(scrape_once(&daemon, "relud_requests_total{model=\"digits\",code=\"503\"}"), 2);
    daemon_stop(&daemon);
}

/* Whoever holds the budget keeps others out, until his request has ended. */
Test(inflight, bodies_are_counted_together)
{
    struct daemon daemon;
    struct reply reply;
    DAEMON_START(&daemon, DIGITS, "--max-inflight-bytes", "100000", "--loops", "1");
    for (int round = 0; round < 3; round++) {
        int wire = announce(&daemon, 60000, 10);
        do { /* until the announcement was read */
            post_spaces(&daemon, 40001, "A: b", &reply);
        } while (reply.status == 400 && (reply_free(&reply), true));
        expect_overloaded(&reply, "40,001 beside 60,000");
        post_spaces(&daemon, 40000, "A: b", &reply);
        expect_error(&reply, 400, "invalid", "", "40,000 beside 60,000");
        reply_free(&reply);
        close(wire);
        do
            post_spaces(&daemon, BUDGET, "A: b", &reply);
        while (reply.status == 503 && (reply_free(&reply), true));
        expect_error(&reply, 400, "invalid", "", "the other one has gone");
        reply_free(&reply);
    }
    daemon_stop(&daemon);
}

/* A compressed body counts with what comes out of it. */
Test(inflight, inflated_bytes_count)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--max-inflight-bytes", "100000", "--loops", "1");
    for (size_t count = BUDGET; count <= BUDGET + 1; count++) {
        char *body = malloc(count);
        cr_assert(body);
        memset(body, ' ', count);
        size_t packed;
        struct reply reply;
        void *gzip = encode(ENCODE_GZIP, body, count, &packed);
        struct request request = {.path = "/infer",
                                  .headers = {"Content-Encoding: gzip"},
                                  .body = gzip,
                                  .body_count = packed};
        client_once(daemon.port, &request, &reply);
        if (count > BUDGET) {
            expect_overloaded(&reply, "inflated");
        } else {
            expect_error(&reply, 400, "invalid", "", "inflated to the limit");
            reply_free(&reply);
        }
        expect_alive(&daemon, "inflated");
        free(gzip);
        free(body);
    }
    daemon_stop(&daemon);
}

/* Nothing of the body has to come: the refusal costs the same however long it is. Short ones keep
 * their connection. */
Test(inflight, refusals_do_not_wait_for_the_body)
{
    static const size_t sizes[] = {BUDGET + 1, 1 << 20, 64 << 20};
    struct daemon daemon;
    struct reply reply;
    DAEMON_START(&daemon, DIGITS, "--max-inflight-bytes", "100000", "--loops", "1");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int wire = announce(&daemon, sizes[i], 0);
        wire_answer(wire, &reply, PATIENCE_MS);
        expect_overloaded(&reply, "nothing but the header");
        cr_assert(wire_closed(wire, PATIENCE_MS));
        close(wire);
    }
    int holder = announce(&daemon, BUDGET, 10), wire = -1;
    do {
        if (wire >= 0)
            close(wire);
        wire = announce(&daemon, 1000, 1000);
        wire_answer(wire, &reply, PATIENCE_MS);
    } while (reply.status == 400 && (reply_free(&reply), true));
    expect_overloaded(&reply, "a short one");
    cr_assert(wire_text(wire, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
    wire_answer(wire, &reply, PATIENCE_MS);
    expect_json(&reply, 200, "health on the same connection, while the budget is spent");
    reply_free(&reply);
    close(wire);
    close(holder);
    daemon_stop(&daemon);
}
