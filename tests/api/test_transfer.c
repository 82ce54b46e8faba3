/* How a body may come and an answer may go: raw, compressed, in pieces. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "encode.h"
#include "scene.h"

enum { ROWS = 9 };

static const char octets[] = "Content-Type: application/octet-stream";
static const char accept_octets[] = "Accept: application/octet-stream";

/* Posts rows 0 to count - 1, raw or as JSON, and reads the answer, raw or as JSON. */
static void scores_of(const struct daemon *daemon, bool raw_in, bool raw_out, size_t count,
                      float *scores)
{
    char *json = digits_body(0, count, "");
    struct request request = {.path = "/infer",
                              .headers = {raw_in ? octets : "Content-Type: application/json",
                                          raw_out ? accept_octets : "Accept: */*"},
                              .body = raw_in ? (const void *)digits()->pixels : json,
                              .body_count = raw_in ? count * PIXELS * sizeof(float) : strlen(json)};
    struct reply reply;
    char type[HEADER_BYTES];
    client_once(daemon->port, &request, &reply);
    cr_assert_eq(reply.status, 200, "%s", reply.body);
    cr_assert_str_eq(reply_header(&reply, "Content-Type", type),
                     raw_out ? "application/octet-stream" : "application/json");
    if (raw_out) {
        cr_assert_eq(reply.body_count, count * SCORES * sizeof(float));
        memcpy(scores, reply.body, reply.body_count);
    } else {
        cr_assert_eq(outputs_of(&reply, scores, count * SCORES), count * SCORES);
    }
    reply_free(&reply);
    free(json);
}

Test(transfer, raw_and_json_give_the_same_bits_in_all_four_combinations)
{
    static float scores[4][DIGITS_ROWS * SCORES];
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    for (int way = 0; way < 4; way++)
        scores_of(&daemon, way & 1, way & 2, DIGITS_ROWS, scores[way]);
    for (int way = 1; way < 4; way++)
        cr_assert(same_bits(scores[0], scores[way], DIGITS_ROWS * SCORES), "way %d", way);
    daemon_stop(&daemon);
}

/* The API's default for "stats" is summary, and a raw body cannot say otherwise. */
Test(transfer, a_raw_body_answered_in_json_has_the_default_statistics)
{
    struct daemon daemon;
    struct reply reply;
    struct request request = {.path = "/infer",
                              .headers = {octets},
                              .body = digits()->pixels,
                              .body_count = PIXELS * sizeof(float)};
    DAEMON_START(&daemon, DIGITS);
    client_once(daemon.port, &request, &reply);
    expect_json(&reply, 200, "raw in, JSON out");
    json_t *json = json_of(&reply);
    const json_t *stats = json_object_get(json, "stats");
    cr_expect_eq(json_array_size(json_object_get(stats, "layers")), 2, "%s", reply.body);
    cr_assert_str_eq(json_string_value(json_array_get(json_object_get(json, "labels"), 0)), "0");
    json_decref(json);
    reply_free(&reply);
    daemon_stop(&daemon);
}

Test(transfer, raw_bodies_must_be_whole_rows)
{
    static const size_t counts[] = {0, 1, PIXELS * 4 - 1, PIXELS * 4 + 1, PIXELS * 6};
    struct daemon daemon;
    struct reply reply;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        char what[32];
        struct request request = {.path = "/infer",
                                  .headers = {octets, accept_octets},
                                  .body = digits()->pixels,
                                  .body_count = counts[i]};
        snprintf(what, sizeof what, "%zu bytes", counts[i]);
        client_once(daemon.port, &request, &reply);
        expect_error(&reply, 400, "invalid", "rows of 256 bytes (64 float32)", what);
        reply_free(&reply);
        expect_alive(&daemon, what);
    }
    daemon_stop(&daemon);
}

Test(transfer, raw_nan_and_infinity_are_computed)
{
    static const uint32_t specials[] = {0x7FC00000, 0x7F800000, 0xFF800000, 0x00000001};
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < 4; i++) {
        float row[PIXELS] = {0};
        memcpy(&row[20], &specials[i], sizeof row[0]);
        struct request request = {
            .path = "/infer", .headers = {octets}, .body = row, .body_count = sizeof row};
        struct reply reply;
        client_once(daemon.port, &request, &reply);
        expect_json(&reply, 200, "a special number");
        json_decref(json_of(&reply));
        cr_assert_eq(strstr(reply.body, "\"nonfinite\":true") != NULL, i < 3, "%zu: %s", i,
                     reply.body);
        reply_free(&reply);
    }
    daemon_stop(&daemon);
}

Test(transfer, content_types_that_are_read_as_json)
{
    /* "Content-Type:" makes libcurl send none. */
    static const char *const headers[] = {
        "Content-Type:", "Content-Type: application/x-www-form-urlencoded",
        "Content-Type: application/json", "Content-Type: application/json; charset=utf-8",
        "Content-Type: Application/JSON"};
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        struct request request = {.path = "/infer",
                                  .headers = {headers[i]},
                                  .body = good_body(),
                                  .body_count = strlen(good_body())};
        struct reply reply;
        client_once(daemon.port, &request, &reply);
        expect_json(&reply, 200, headers[i]);
        reply_free(&reply);
    }
    daemon_stop(&daemon);
}

/* Compression */

static void post_encoded(const struct daemon *daemon, const char *type, const char *encoding,
                         const void *body, size_t count, struct reply *reply)
{
    struct request request = {
        .path = "/infer", .headers = {type, encoding}, .body = body, .body_count = count};
    client_once(daemon->port, &request, reply);
}

static void expect_encoded_scores(const struct daemon *daemon, enum encoding encoding, bool raw,
                                  const float *expected)
{
    static const char *const headers[] = {"Content-Encoding: gzip", "Content-Encoding: deflate"};
    float scores[ROWS * SCORES];
    struct reply reply;
    size_t count;
    char *json = digits_body(0, ROWS, "");
    void *body = raw ? encode(encoding, digits()->pixels, ROWS * PIXELS * sizeof(float), &count)
                     : encode(encoding, json, strlen(json), &count);
    post_encoded(daemon, raw ? octets : "Content-Type: application/json", headers[encoding], body,
                 count, &reply);
    expect_json(&reply, 200, headers[encoding]);
    cr_assert_eq(outputs_of(&reply, scores, ROWS * SCORES), ROWS * SCORES);
    cr_assert(same_bits(scores, expected, ROWS * SCORES), "%s", headers[encoding]);
    reply_free(&reply);
    free(body);
    free(json);
}

Test(transfer, compressed_bodies_give_the_same_bits)
{
    float expected[ROWS * SCORES];
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    raw_scores(&daemon, "/infer", 0, ROWS, expected);
    for (int raw = 0; raw < 2; raw++) {
        expect_encoded_scores(&daemon, ENCODE_GZIP, raw, expected);
        expect_encoded_scores(&daemon, ENCODE_DEFLATE, raw, expected);
    }
    daemon_stop(&daemon);
}

/* A gzip body with its bytes from at on changed by xor, cut to count bytes. */
static void expect_refused_gzip(const struct daemon *daemon, const uint8_t *gzip, size_t count,
                                size_t at, const char *what)
{
    struct reply reply;
    uint8_t *body = malloc(count + 8);
    cr_assert(body);
    memcpy(body, gzip, count);
    if (at < count)
        body[at] ^= 0x5A;
    post_encoded(daemon, "Content-Type:", "Content-Encoding: gzip", body, count, &reply);
    expect_error(&reply, 400, "invalid", "", what);
    reply_free(&reply);
    free(body);
    expect_alive(daemon, what);
}

Test(transfer, malformed_gzip_is_refused)
{
    struct daemon daemon;
    size_t count;
    DAEMON_START(&daemon, DIGITS);
    uint8_t *gzip = encode(ENCODE_GZIP, good_body(), strlen(good_body()), &count);
    uint8_t *longer = malloc(count + 5);
    cr_assert(longer);
    memcpy(longer, gzip, count);
    memcpy(longer + count, "after", 5);
    expect_refused_gzip(&daemon, (const uint8_t *)good_body(), 40, SIZE_MAX, "not compressed");
    expect_refused_gzip(&daemon, gzip, count, 2, "another method");
    expect_refused_gzip(&daemon, gzip, count, count - 1, "a wrong length at the end");
    expect_refused_gzip(&daemon, gzip, count, count - 5, "a wrong checksum");
    expect_refused_gzip(&daemon, gzip, count / 2, SIZE_MAX, "half of it");
    expect_refused_gzip(&daemon, gzip, count - 1, SIZE_MAX, "all but one byte");
    expect_refused_gzip(&daemon, longer, count + 5, SIZE_MAX, "something behind it");
    expect_refused_gzip(&daemon, gzip, 0, SIZE_MAX, "nothing");
    free(longer);
    free(gzip);
    daemon_stop(&daemon);
}

Test(transfer, a_gzip_bomb_is_413)
{
    enum { BOMB_BYTES = 20000000 };
    struct daemon daemon;
    struct reply reply;
    size_t count;
    DAEMON_START(&daemon, DIGITS, "--max-body-bytes", "100000");
    char *zeros = malloc(BOMB_BYTES);
    cr_assert(zeros);
    memset(zeros, ' ', BOMB_BYTES);
    void *bomb = encode(ENCODE_GZIP, zeros, BOMB_BYTES, &count);
    cr_assert(count < 100000);
    post_encoded(&daemon, "Content-Type:", "Content-Encoding: gzip", bomb, count, &reply);
    expect_error(&reply, 413, "too_large", "100000 bytes", "gzip bomb, JSON");
    reply_free(&reply);
    expect_alive(&daemon, "gzip bomb, JSON");
    post_encoded(&daemon, octets, "Content-Encoding: gzip", bomb, count, &reply);
    expect_error(&reply, 413, "too_large", "100000 bytes", "gzip bomb, raw");
    reply_free(&reply);
    expect_alive(&daemon, "gzip bomb, raw");
    free(bomb);
    free(zeros);
    daemon_stop(&daemon);
}

/* Pieces */

/* Posts body chunked in pieces of that size, over a bare socket. */
static void post_chunks(const struct daemon *daemon, const char *headers, const void *body,
                        size_t count, size_t piece, struct reply *reply)
{
    char head[512];
    size_t length;
    char *chunks = encode_chunks(body, count, piece, &length);
    snprintf(head, sizeof head,
             "POST /infer HTTP/1.1\r\nHost: x\r\n%sTransfer-Encoding: chunked\r\n\r\n", headers);
    int wire = wire_connect(daemon->port);
    cr_assert(wire >= 0 && wire_text(wire, head) && wire_send(wire, chunks, length));
    wire_answer(wire, reply, PATIENCE_MS);
    close(wire);
    free(chunks);
}

Test(transfer, pieces_of_any_size_give_the_same_answer)
{
    static const size_t pieces[] = {1, 2, 3, 7, 64, 1000, 100000};
    float expected[ROWS * SCORES], scores[ROWS * SCORES];
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    raw_scores(&daemon, "/infer", 0, ROWS, expected);
    char *json = digits_body(0, ROWS, ",\"id\":\"pieces\"");
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct reply reply;
        post_chunks(&daemon, "", json, strlen(json), pieces[i], &reply);
        expect_json(&reply, 200, "JSON in pieces");
        cr_assert_eq(outputs_of(&reply, scores, ROWS * SCORES), ROWS * SCORES);
        cr_assert(same_bits(scores, expected, ROWS * SCORES), "pieces of %zu", pieces[i]);
        cr_assert(strstr(reply.body, "\"id\":\"pieces\""));
        reply_free(&reply);
        post_chunks(&daemon,
                    "Content-Type: application/octet-stream\r\n"
                    "Accept: application/octet-stream\r\n",
                    digits()->pixels, ROWS * PIXELS * sizeof(float), pieces[i], &reply);
        cr_assert_eq(reply.status, 200, "%s", reply.body);
        cr_assert_eq(reply.body_count, sizeof scores);
        cr_assert(memcmp(reply.body, expected, sizeof expected) == 0, "raw, pieces of %zu",
                  pieces[i]);
        reply_free(&reply);
    }
    free(json);
    daemon_stop(&daemon);
}

Test(transfer, a_body_in_many_packets_gives_the_same_answer)
{
    float expected[ROWS * SCORES], scores[ROWS * SCORES];
    char head[128];
    struct daemon daemon;
    struct reply reply;
    DAEMON_START(&daemon, DIGITS);
    raw_scores(&daemon, "/infer", 0, ROWS, expected);
    char *json = digits_body(0, ROWS, "");
    int wire = wire_connect(daemon.port);
    snprintf(head, sizeof head, "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
             strlen(json));
    for (const char *at = head; *at; at++, rest_ms(1))
        cr_assert(wire_send(wire, at, 1));
    for (size_t at = 0, count = strlen(json); at < count; at += 5, rest_ms(at % 10 == 0))
        cr_assert(wire_send(wire, json + at, count - at < 5 ? count - at : 5));
    wire_answer(wire, &reply, PATIENCE_MS);
    expect_json(&reply, 200, "packets of 5 bytes");
    cr_assert_eq(outputs_of(&reply, scores, ROWS * SCORES), ROWS * SCORES);
    cr_assert(same_bits(scores, expected, ROWS * SCORES));
    reply_free(&reply);
    close(wire);
    free(json);
    daemon_stop(&daemon);
}

Test(transfer, expect_continue_is_answered_before_the_body)
{
    struct daemon daemon;
    char bytes[64] = "";
    struct reply reply;
    DAEMON_START(&daemon, DIGITS);
    char *json = digits_body(0, 1, "");
    char head[160];
    snprintf(head, sizeof head,
             "POST /infer HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
             "Content-Length: %zu\r\n\r\n",
             strlen(json));
    int wire = wire_connect(daemon.port);
    cr_assert(wire_text(wire, head));
    for (size_t got = 0; !strstr(bytes, "\r\n\r\n") && got < sizeof bytes - 1;) {
        ssize_t more = read(wire, bytes + got, sizeof bytes - 1 - got);
        cr_assert(more > 0);
        got += (size_t)more;
    }
    cr_assert(strncmp(bytes, "HTTP/1.1 100 ", 13) == 0, "%s", bytes);
    cr_assert(wire_text(wire, json));
    wire_answer(wire, &reply, PATIENCE_MS);
    expect_json(&reply, 200, "after 100 Continue");
    reply_free(&reply);
    close(wire);
    free(json);
    daemon_stop(&daemon);
}

/* A client that asks first is refused at once, with its body unsent. */
Test(transfer, expect_continue_is_refused_before_the_body)
{
    static const char *const heads[] = {
        "POST /infer?model=nobody HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n",
        "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\nContent-Length: 500\r\n",
        "POST /stats HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n",
        "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n"};
    static const long statuses[] = {404, 415, 405, 413};
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--max-body-bytes", "1000");
    for (size_t i = 0; i < 4; i++) {
        struct reply reply;
        int wire = wire_connect(daemon.port);
        cr_assert(wire_text(wire, heads[i]) && wire_text(wire, "Expect: 100-continue\r\n\r\n"));
        wire_answer(wire, &reply, PATIENCE_MS);
        expect_json(&reply, statuses[i], heads[i]);
        reply_free(&reply);
        close(wire);
        expect_alive(&daemon, heads[i]);
    }
    daemon_stop(&daemon);
}

Test(transfer, pipelined_requests_are_answered_in_order)
{
    enum { REQUESTS = 20 };
    float expected[REQUESTS * SCORES], scores[SCORES];
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    raw_scores(&daemon, "/infer", 0, REQUESTS, expected);
    char *all = calloc(REQUESTS, 1024);
    cr_assert(all);
    size_t length = 0;
    for (size_t i = 0; i < REQUESTS; i++) {
        char *json = digits_body(i, 1, "");
        length += (size_t)sprintf(
            all + length, "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n%s\r\n%s",
            strlen(json), i == REQUESTS - 1 ? "Connection: close\r\n" : "", json);
        free(json);
    }
    int wire = wire_connect(daemon.port);
    cr_assert(wire_send(wire, all, length));
    struct reply reply;
    char *answers = calloc(REQUESTS, 4096), *at = answers;
    cr_assert(answers);
    for (ssize_t got; (got = read(wire, at, REQUESTS * 4096u - (size_t)(at - answers) - 1)) > 0;)
        at += got;
    at = answers;
    for (size_t i = 0; i < REQUESTS; i++) {
        at = strstr(at, "{\"model\"");
        cr_assert(at, "answer %zu is missing", i);
        reply = (struct reply){.body = at};
        cr_assert_eq(outputs_of(&reply, scores, SCORES) >= SCORES, 1);
        cr_assert(same_bits(scores, expected + i * SCORES, SCORES), "answer %zu", i);
        at += 8;
    }
    free(answers);
    free(all);
    close(wire);
    daemon_stop(&daemon);
}
