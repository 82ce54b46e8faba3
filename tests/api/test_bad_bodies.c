/* Bodies that must be refused, each with its status and one sentence, and each followed by a good
 * request on the same daemon. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "encode.h"
#include "scene.h"

static void expect_refused(const struct daemon *daemon, const void *body, size_t count, long status,
                           const char *code, const char *part, const char *what)
{
    struct reply reply;
    struct request request = {.path = "/infer",
                              .headers = {"Content-Type: application/json", "Expect:"},
                              .body = body,
                              .body_count = count};
    client_once(daemon->port, &request, &reply);
    expect_error(&reply, status, code, part, what);
    reply_free(&reply);
    expect_alive(daemon, what);
}

/* Bodies as they stand; "R" in front of the closing bracket of a row stands for row 0's 64 numbers.
 */
static const struct {
    const char *body, *part;
} cases[] = {
    /* Malformed */
    {"", ""},
    {" ", "malformed JSON"},
    {"x", "malformed JSON"},
    {"{", "malformed JSON"},
    {"}", "malformed JSON"},
    {"[", "malformed JSON"},
    {"nul", "malformed JSON"},
    {"{\"inputs\":[[R]]", "malformed JSON"},
    {"{\"inputs\":[[R]", "ends inside an array"},
    {"{\"inputs\":[[R", "ends inside an array"},
    {"{\"inputs\":[", "ends inside an array"},
    {"{\"inputs\":", "malformed JSON"},
    {"{\"inputs\":[[R]]}}", "malformed JSON"},
    {"{\"inputs\":[[R]]} x", "malformed JSON"},
    {"{\"inputs\":[[R]]}{\"inputs\":[[R]]}", "malformed JSON"},
    {"{\"inputs\":[[R]],}", "malformed JSON"},
    {"{,\"inputs\":[[R]]}", "malformed JSON"},
    {"{inputs:[[R]]}", "malformed JSON"},
    {"{'inputs':[[R]]}", "malformed JSON"},
    {"{\"inputs\":[[R]]//x\n}", "malformed JSON"},
    {"{\"inputs\":[[R]] 1}", ""},
    {"{\"inputs\":[[R]][[R]]}", "malformed JSON"},
    {"{\"inputs\":[[R],]}", "malformed JSON"},
    {"{\"inputs\":[,[R]]}", "malformed JSON"},
    {"{\"inputs\":[[R],,[R]]}", "malformed JSON"},
    {"{\"inputs\":[[R][R]]}", "malformed JSON"},
    {"{\"inputs\":[[R,]]}", "malformed JSON"},
    {"{\"inputs\":[[R 1]]}", "malformed JSON"},
    {"{\"inputs\":[[R}]}", ""},
    {"{\"inputs\":[[R]],\"id\":\"\x01\"}", "malformed JSON"},
    {"{\"inputs\":[[R]],\"id\":\"\xff\"}", "malformed JSON"},
    {"{\"inputs\":[[R]],\"id\":\"\\u0000\"}", "malformed JSON"},
    {"{\"inputs\":[[R]],\"id\":\"\\ud800\"}", "malformed JSON"},
    /* No numbers, or not such as JSON has */
    {"{\"inputs\":[[NaN]]}", "expected a number"},
    {"{\"inputs\":[[nan]]}", "expected a number"},
    {"{\"inputs\":[[Infinity]]}", "expected a number"},
    {"{\"inputs\":[[-Infinity]]}", "expected a JSON number"},
    {"{\"inputs\":[[null]]}", "expected a number"},
    {"{\"inputs\":[[R],[null]]}", "row 1: expected a number"},
    {"{\"inputs\":[null]}", "expected a number"},
    {"{\"inputs\":[[true]]}", "expected a number"},
    {"{\"inputs\":[[\"1\"]]}", "expected a number"},
    {"{\"inputs\":[[{}]]}", "expected a number"},
    {"{\"inputs\":[[01]]}", "expected a JSON number"},
    {"{\"inputs\":[[+1]]}", "expected a number"},
    {"{\"inputs\":[[.5]]}", "expected a number"},
    {"{\"inputs\":[[5.]]}", "expected a JSON number"},
    {"{\"inputs\":[[1e]]}", "expected a JSON number"},
    {"{\"inputs\":[[1e+]]}", "expected a JSON number"},
    {"{\"inputs\":[[--1]]}", "expected a JSON number"},
    {"{\"inputs\":[[-]]}", "expected a JSON number"},
    {"{\"inputs\":[[0x10]]}", ""},
    {"{\"inputs\":[[1.2.3]]}", ""},
    {"{\"inputs\":[[1-2]]}", ""},
    {"{\"inputs\":[[1e39]]}", "beyond float32's range"},
    {"{\"inputs\":[[-1e39]]}", "beyond float32's range"},
    {"{\"inputs\":[[1e999]]}", "beyond float32's range"},
    {"{\"inputs\":[[3.4028236e38]]}", "beyond float32's range"},
    {"{\"inputs\":[[R],[1,1e39]]}", "row 1"},
    /* Another shape */
    {"{\"inputs\":[]}", "at least one row"},
    {"{\"inputs\":[[]]}", "row 0 has 0 numbers, the model takes 64"},
    {"{\"inputs\":[[R],[]]}", "row 1 has 0 numbers, the model takes 64"},
    {"{\"inputs\":[[1,2,3]]}", "input \"pixels\": row 0 has 3 numbers, the model takes 64"},
    {"{\"inputs\":[1,2,3]}", "input \"pixels\": row 0 has 3 numbers, the model takes 64"},
    {"{\"inputs\":[R,1]}", "row 0 has 65 numbers, the model takes 64"},
    {"{\"inputs\":[[R],[R],[R],[R,1],[1]]}",
     "input \"pixels\": row 3 has 65 numbers, the model takes 64"},
    {"{\"inputs\":[[R],1]}", "expected a list"},
    {"{\"inputs\":[1,[R]]}", "expected numbers"},
    {"{\"inputs\":[[[R]]]}", "not nested as the model's shape [-1, 64]"},
    {"{\"inputs\":[[[R]],[R]]}", "expected a list"},
    {"{\"inputs\":[[R],[[R]]]}", "expected numbers"},
    {"{\"inputs\":[[[[[[[[[1]]]]]]]]]}", "deep"},
    /* Another document */
    {"[[R]]", "expected a JSON object"},
    {"5", ""},
    {"null", ""},
    {"\"inputs\"", ""},
    {"{}", "\"inputs\""},
    {"{\"input\":[[R]]}", "\"inputs\""},
    {"{\"x\":{\"inputs\":[[R]]}}", "\"inputs\""},
    {"{\"inputs\":null}", "expected an array"},
    {"{\"inputs\":\"x\"}", "expected an array"},
    {"{\"inputs\":5}", "expected an array"},
    {"{\"inputs\":-1.5}", "expected an array"},
    {"{\"inputs\":true}", "expected an array"},
    {"{\"inputs\":{}}", "\"pixels\" is missing"},
    {"{\"inputs\":{\"pixel\":[[R]]}}", "\"pixels\" is missing"},
    {"{\"inputs\":{\"pixels\":[[R]],\"x\":[[R]]}}", "expected 1 inputs, found 2"},
    {"{\"inputs\":{\"pixels\":7}}", "found a number"},
    {"{\"inputs\":{\"pixels\":{\"data\":[[R]]}}}", "expected an array"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"data\":[R]}]}", ""},
    {"{\"inputs\":[[R]],\"inputs\":[[R]]}", "duplicate"},
    {"{\"inputs\":{\"pixels\":[[R]],\"pixels\":[[R]]}}", "duplicate"},
    {"{\"id\":\"a\",\"inputs\":[[R]],\"id\":\"a\"}", "duplicate"},
    {"{\"inputs\":[[R]],\"x\":{\"y\":1,\"y\":1}}", "duplicate"},
    /* A key in disguise must not smuggle in a number that stands for a tensor */
    {"{\"in\\u0070uts\":0}", ""},
    {"{\"in\\u0070uts\":99999999999}", ""},
    {"{\"in\\u0070uts\":-1}", ""},
    {"{\"in\\u0070uts\":{\"pixels\":99999999}}", ""},
    {"{\"inputs\":[[R]],\"in\\u0070uts\":0}", ""},
    {"{\"inputs\":{\"pi\\u0078els\":99999999}}", ""},
    /* Settings */
    {"{\"inputs\":[[R]],\"stats\":\"all\"}", "\"stats\": expected none, summary or units"},
    {"{\"inputs\":[[R]],\"stats\":\"\"}", "\"stats\""},
    {"{\"inputs\":[[R]],\"stats\":null}", "\"stats\""},
    {"{\"inputs\":[[R]],\"stats\":1}", "\"stats\""},
    {"{\"inputs\":[[R]],\"id\":1}", "\"id\": expected a string"},
    {"{\"inputs\":[[R]],\"id\":null}", "\"id\""},
};

/* The body with every R replaced by row 0; the caller frees it. */
static char *expand(const char *body)
{
    const char *row = digits()->lines[0];
    char *text = calloc(strlen(body) + 1, strlen(row) + 1), *at = text;
    cr_assert(text);
    for (; *body; body++)
        at += *body == 'R' ? sprintf(at, "%s", row) : sprintf(at, "%c", *body);
    return text;
}

Test(bad_bodies, each_is_400_with_its_sentence)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *body = expand(cases[i].body);
        expect_refused(&daemon, body, strlen(body), 400, "invalid", cases[i].part, cases[i].body);
        free(body);
    }
    daemon_stop(&daemon);
}

/* The same bodies cut into single bytes: the status must not depend on how a body arrives. */
Test(bad_bodies, each_is_400_in_one_byte_pieces_too)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *body = expand(cases[i].body);
        size_t count;
        char *chunks = encode_chunks(body, strlen(body), 1, &count);
        struct reply reply;
        int wire = wire_connect(daemon.port);
        cr_assert(wire_text(wire, "POST /infer HTTP/1.1\r\nHost: x\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n"));
        wire_send(wire, chunks, count);
        wire_answer(wire, &reply, PATIENCE_MS);
        expect_error(&reply, 400, "invalid", cases[i].part, cases[i].body);
        reply_free(&reply);
        close(wire);
        free(chunks);
        free(body);
    }
    expect_alive(&daemon, "afterwards");
    daemon_stop(&daemon);
}

Test(bad_bodies, an_empty_body_says_so)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    expect_refused(&daemon, "", 0, 400, "invalid", "empty", "no body");
    daemon_stop(&daemon);
}

Test(bad_bodies, a_nul_byte_is_400)
{
    static const char body[] = "{\"inputs\":[[1\0,2]],\"id\":\"a\0b\"}";
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    expect_refused(&daemon, body, sizeof body - 1, 400, "invalid", "", "NUL among numbers");
    expect_refused(&daemon, body + 10, sizeof body - 11, 400, "invalid", "", "NUL outside");
    expect_refused(&daemon, "{\"id\":\"a\0b\"}", 12, 400, "invalid", "", "NUL in a string");
    daemon_stop(&daemon);
}

Test(bad_bodies, row_3_with_63_numbers)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    char *body = digits_body(0, 5, "");
    char *row = body;
    for (int i = 0; i < 4; i++)
        row = strchr(row, ']') + 1;
    memmove(row - 3, row - 1, strlen(row - 1) + 1); /* row 3 ends with ",0" */
    expect_refused(&daemon, body, strlen(body), 400, "invalid",
                   "input \"pixels\": row 3 has 63 numbers, the model takes 64", "63 numbers");
    free(body);
    daemon_stop(&daemon);
}

/* count times what, then what closes them. */
static char *nested(const char *begin, char open, size_t count, char close, const char *end)
{
    size_t front = strlen(begin);
    char *body = malloc(front + 2 * count + strlen(end) + 1);
    cr_assert(body);
    memcpy(body, begin, front);
    memset(body + front, open, count);
    memset(body + front + count, close, count);
    strcpy(body + front + 2 * count, end);
    return body;
}

Test(bad_bodies, depth_of_10000)
{
    static const struct {
        const char *begin;
        char open, close;
        const char *end;
    } shapes[] = {{"{\"inputs\":", '[', ']', "}"},
                  {"{\"x\":", '[', ']', ",\"inputs\":[[1]]}"},
                  {"", '[', ']', ""},
                  {"", '{', '}', ""},
                  {"{\"inputs\":[{\"data\":", '[', ']', "}]}"}};
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        char *body = nested(shapes[i].begin, shapes[i].open, 10000, shapes[i].close, shapes[i].end);
        expect_refused(&daemon, body, strlen(body), 400, "invalid", "deep", shapes[i].begin);
        free(body);
    }
    daemon_stop(&daemon);
}

Test(bad_bodies, depth_at_the_limit_and_one_beyond)
{
    struct daemon daemon;
    struct reply reply;
    char tail[600];
    DAEMON_START(&daemon, DIGITS);
    snprintf(tail, sizeof tail, ",\"inputs\":[[%s]]}", digits()->lines[0]);
    char *body = nested("{\"x\":", '[', 63, ']', tail);
    client_post(daemon.port, "/infer", body, &reply);
    expect_json(&reply, 200, "64 deep");
    reply_free(&reply);
    free(body);
    body = nested("{\"x\":", '[', 64, ']', tail);
    expect_refused(&daemon, body, strlen(body), 400, "invalid", "64 deep", "65 deep");
    free(body);
    daemon_stop(&daemon);
}

/* What libmicrohttpd cannot parse gets its own 4xx (505 for a version) or a closed connection. */
Test(bad_bodies, what_is_no_http_is_refused_or_closed)
{
    static const char *const requests[] = {
        "\r\n\r\n\r\n",
        "hello\r\n\r\n",
        "POST /infer HTTP/9.9\r\nHost: x\r\n\r\n",
        "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST /infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "POST /infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "fffffffffffffffff\r\n",
        "GET /infer HTTP/1.1\r\n\r\n",
    };
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--header-timeout-s", "1", "--request-timeout-ms", "1000",
                 "--idle-timeout-s", "2");
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct reply reply;
        int wire = wire_connect(daemon.port);
        wire_text(wire, requests[i]);
        wire_answer(wire, &reply, PATIENCE_MS);
        bool refused = (reply.status >= 400 && reply.status < 500) || reply.status == 505;
        if (reply.status != 0 && !refused)
            cr_assert_fail("%s: status %ld", requests[i], reply.status);
        reply_free(&reply);
        close(wire);
        expect_alive(&daemon, requests[i]);
    }
    daemon_stop(&daemon);
}

Test(bad_bodies, headers_and_paths_that_are_too_long)
{
    enum { LONG = 100000 };
    struct daemon daemon;
    char *text = malloc(LONG + 100);
    cr_assert(text);
    memset(text, 'a', LONG);
    text[LONG] = '\0';
    DAEMON_START(&daemon, DIGITS);
    for (int i = 0; i < 2; i++) {
        struct reply reply;
        int wire = wire_connect(daemon.port);
        wire_text(wire, i ? "GET /stats HTTP/1.1\r\nX: " : "GET /");
        wire_text(wire, text);
        wire_text(wire, i ? "\r\n\r\n" : " HTTP/1.1\r\n\r\n");
        wire_answer(wire, &reply, PATIENCE_MS);
        cr_assert(reply.status == 0 || (reply.status >= 400 && reply.status < 500));
        reply_free(&reply);
        close(wire);
        expect_alive(&daemon, "too long");
    }
    free(text);
    daemon_stop(&daemon);
}
