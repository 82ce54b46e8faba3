/* Bodies and batches at their limits and one beyond, each followed by a good request. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "encode.h"
#include "scene.h"

/* A good body, padded with spaces to count bytes. */
static char *padded(size_t count)
{
    char *body = malloc(count + 1);
    cr_assert(body && strlen(good_body()) <= count);
    memset(body, ' ', count);
    memcpy(body, good_body(), strlen(good_body()));
    body[count] = '\0';
    return body;
}

static void post_padded(const struct daemon *daemon, size_t count, const char *header,
                        struct reply *reply)
{
    char *body = padded(count);
    struct request request = {.path = "/infer",
                              .headers = {header, "Content-Type: application/json"},
                              .body = body,
                              .body_count = count};
    client_once(daemon->port, &request, reply);
    free(body);
}

Test(limits, body_at_the_limit_and_one_byte_over)
{
    static const char *const headers[] = {"Expect:", "Expect: 100-continue",
                                          "Transfer-Encoding: chunked"};
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--max-body-bytes", "1000");
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        struct reply reply;
        post_padded(&daemon, 1000, headers[i], &reply);
        expect_json(&reply, 200, headers[i]);
        reply_free(&reply);
        post_padded(&daemon, 1001, headers[i], &reply);
        expect_error(&reply, 413, "too_large", "1000 bytes", headers[i]);
        reply_free(&reply);
        expect_alive(&daemon, headers[i]);
        post_padded(&daemon, 2001, headers[i], &reply);
        expect_error(&reply, 413, "too_large", "1000 bytes", headers[i]);
        reply_free(&reply);
        expect_alive(&daemon, headers[i]);
    }
    daemon_stop(&daemon);
}

Test(limits, inflated_body_at_the_limit_and_one_byte_over)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--max-body-bytes", "1000");
    for (size_t i = 0; i < 2; i++) {
        struct reply reply;
        size_t count;
        char *body = padded(1000 + i);
        void *gzip = encode(ENCODE_GZIP, body, 1000 + i, &count);
        struct request request = {.path = "/infer",
                                  .headers = {"Content-Encoding: gzip"},
                                  .body = gzip,
                                  .body_count = count};
        client_once(daemon.port, &request, &reply);
        if (i == 0)
            expect_json(&reply, 200, "at the limit");
        else
            expect_error(&reply, 413, "too_large", "1000 bytes", "one byte over");
        reply_free(&reply);
        expect_alive(&daemon, "inflated");
        free(gzip);
        free(body);
    }
    daemon_stop(&daemon);
}

/* A chunked body that never ends is cut off at twice the limit. */
Test(limits, endless_chunks_are_cut_off)
{
    struct daemon daemon;
    char piece[1024 + 8];
    DAEMON_START(&daemon, DIGITS, "--max-body-bytes", "100000");
    int wire = wire_connect(daemon.port);
    memcpy(piece, "400\r\n", 5);
    memset(piece + 5, ' ', 1024);
    memcpy(piece + 5 + 1024, "\r\n", 2);
    cr_assert(wire_text(wire, "POST /infer HTTP/1.1\r\nHost: x\r\n"
                              "Transfer-Encoding: chunked\r\n\r\n"));
    size_t sent = 0;
    while (sent < 100000 * 1024 && wire_send(wire, piece, 5 + 1024 + 2))
        sent += 1024;
    cr_assert(sent < 100000 * 1024, "%zu bytes were taken", sent);
    close(wire);
    expect_alive(&daemon, "endless chunks");
    daemon_stop(&daemon);
}

/* A header of so many bytes and a few. */
static void post_with_header(const struct daemon *daemon, size_t count, struct reply *reply)
{
    char header[32 * 1024] = "X-Padding: ";
    size_t begun = strlen(header);
    cr_assert(count < sizeof header);
    memset(header + begun, 'a', count - begun);
    struct request request = {.path = "/infer",
                              .headers = {header},
                              .body = good_body(),
                              .body_count = strlen(good_body())};
    client_once(daemon->port, &request, reply);
}

Test(limits, a_header_of_14_kib_is_taken_and_one_of_17_refused)
{
    struct daemon daemon;
    struct reply reply;
    DAEMON_START(&daemon, DIGITS);
    post_with_header(&daemon, 14 * 1024, &reply);
    expect_json(&reply, 200, "14 KiB");
    reply_free(&reply);
    post_with_header(&daemon, 17 * 1024, &reply);
    cr_assert_eq(reply.status, 431, "found %d", (int)reply.status);
    reply_free(&reply);
    expect_alive(&daemon, "17 KiB");
    daemon_stop(&daemon);
}

Test(limits, the_default_limit_refuses_65_mib)
{
    struct daemon daemon;
    struct reply reply;
    DAEMON_START(&daemon, DIGITS);
    post_padded(&daemon, 65 << 20, "Expect:", &reply);
    expect_error(&reply, 413, "too_large", "67108864", "65 MiB");
    reply_free(&reply);
    expect_alive(&daemon, "65 MiB");
    post_padded(&daemon, 65 << 20, "Expect: 100-continue", &reply);
    expect_error(&reply, 413, "too_large", "67108864", "65 MiB, asked first");
    reply_free(&reply);
    expect_alive(&daemon, "65 MiB, asked first");
    daemon_stop(&daemon);
}

Test(limits, rows_at_the_limit_and_one_more)
{
    struct daemon daemon;
    struct reply reply;
    DAEMON_START(&daemon, DIGITS, "--max-batch-rows", "7");
    char *body = digits_body(0, 7, "");
    client_post(daemon.port, "/infer", body, &reply);
    expect_json(&reply, 200, "7 rows");
    reply_free(&reply);
    free(body);
    for (size_t rows = 8; rows < 200; rows *= 3) {
        body = digits_body(0, rows, "");
        client_post(daemon.port, "/infer", body, &reply);
        expect_error(&reply, 413, "too_large", "at most 7 rows", "too many rows");
        reply_free(&reply);
        expect_alive(&daemon, "too many rows");
        free(body);
        struct request request = {.path = "/infer",
                                  .headers = {"Content-Type: application/octet-stream"},
                                  .body = digits()->pixels,
                                  .body_count = rows * PIXELS * sizeof(float)};
        client_once(daemon.port, &request, &reply);
        expect_error(&reply, 413, "too_large", "at most 7 rows", "too many rows, raw");
        reply_free(&reply);
        expect_alive(&daemon, "too many rows, raw");
    }
    daemon_stop(&daemon);
}
