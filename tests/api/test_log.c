/* What a request leaves behind: its name, its line in the log, what it took. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scene.h"
#include "tensors.h"

static void send_with(const struct daemon *daemon, const char *path, const char *header,
                      struct reply *reply)
{
    struct request request = {.path = path, .headers = {header}};
    client_once(daemon->port, &request, reply);
}

/* What comes back in X-Request-Id. */
static void id_of(const struct daemon *daemon, const char *path, const char *sent,
                  char id[HEADER_BYTES])
{
    char header[512];
    struct reply reply;
    snprintf(header, sizeof header, "X-Request-Id: %s", sent);
    send_with(daemon, path, sent[0] ? header : "A: b", &reply);
    cr_assert_neq(reply.status, 0, "%s", reply.body);
    reply_header(&reply, "X-Request-Id", id);
    reply_free(&reply);
}

Test(log, request_ids_come_back)
{
    static const char *const good[] = {"a", "7b1f-99", "trace:1/2;x=\"y\"\\~!"};
    static const char *const bad[] = {"", "a b", "caf\xC3\xA9", "a\x7F"};
    static const char *const paths[] = {"/healthz", "/nothing", "/stats", "/infer"};
    char id[HEADER_BYTES], longest[130];
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        for (size_t p = 0; p < sizeof paths / sizeof paths[0]; p++) {
            id_of(&daemon, paths[p], good[i], id);
            cr_assert_str_eq(id, good[i], "%s", paths[p]);
        }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        id_of(&daemon, "/healthz", bad[i], id);
        cr_assert_str_empty(id, "%s", bad[i]);
    }
    memset(longest, 'x', sizeof longest);
    for (size_t length = 128; length <= 129; length++) {
        longest[length] = '\0';
        id_of(&daemon, "/healthz", longest, id);
        cr_assert_str_eq(id, length == 128 ? longest : "");
        longest[length] = 'x';
    }
    daemon_stop(&daemon);
}

/* The lines of the log that hold part, in the order of the log, as soon as there are count. */
static size_t lines_with(const struct daemon *daemon, const char *part, size_t count,
                         char lines[][1024])
{
    for (unsigned waited = 0;; waited += 10) {
        char *log = daemon_log(daemon), *rest = NULL;
        size_t found = 0;
        for (char *line = strtok_r(log, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
            if (strstr(line, part) && found < count)
                snprintf(lines[found++], 1024, "%s", line);
        free(log);
        if (found == count || waited > PATIENCE_MS)
            return found;
        rest_ms(10);
    }
}

/* Some text of a line of JSON. */
static void expect_text(const json_t *line, const char *key, const char *expected)
{
    const char *found = json_string_value(json_object_get(line, key));
    cr_assert(found && strcmp(found, expected) == 0, "%s: %s", key, found);
}

static void expect_number(const json_t *line, const char *key, long long expected)
{
    cr_assert_eq(json_integer_value(json_object_get(line, key)), expected, "%s", key);
}

Test(log, access_log_has_a_line_for_every_request)
{
    char lines[3][1024], id[HEADER_BYTES];
    struct daemon daemon;
    struct reply reply;
    DAEMON_START(&daemon, DIGITS, "--access-log", "--log-format", "json", "--log-level", "error",
                 "--loops", "1"); /* which writes the lines in the order of the requests */
    char *body = digits_body(0, 3, "");
    client_post(daemon.port, "/infer?model=digits", body, &reply);
    expect_json(&reply, 200, "three rows");
    long long bytes = (long long)reply.body_count;
    reply_header(&reply, "X-Request-Id", id);
    cr_assert_eq(strlen(id), 16);
    cr_assert_eq(strspn(id, "0123456789abcdef"), 16);
    reply_free(&reply);
    free(body);
    send_with(&daemon, "/no%0Awhere%1b%22", "X-Request-Id: mine", &reply);
    reply_free(&reply);
    send_with(&daemon, "/healthz", "X-Request-Id: not mine", &reply);
    reply_free(&reply);
    cr_assert_eq(lines_with(&daemon, "\"event\":\"request\"", 3, lines), 3);
    json_t *json[3];
    for (size_t i = 0; i < 3; i++) {
        json[i] = json_loads(lines[i], JSON_REJECT_DUPLICATES, NULL);
        cr_assert(json[i], "%s", lines[i]);
        cr_assert_geq(json_integer_value(json_object_get(json[i], "duration_us")), 1);
    }
    expect_text(json[0], "method", "POST");
    expect_text(json[0], "path", "/infer");
    expect_number(json[0], "status", 200);
    expect_number(json[0], "bytes", bytes);
    expect_text(json[0], "model", "digits");
    expect_number(json[0], "rows", 3);
    expect_text(json[0], "request_id", id);
    expect_text(json[1], "path", "/no\nwhere\x1b\"");
    expect_number(json[1], "status", 404);
    expect_text(json[1], "request_id", "mine");
    expect_text(json[1], "model", "");
    expect_number(json[1], "rows", 0);
    cr_assert_str_neq(json_string_value(json_object_get(json[2], "request_id")), "not mine");
    for (size_t i = 0; i < 3; i++)
        json_decref(json[i]);
    daemon_stop(&daemon);
}

/* A line is one line of visible ASCII, whatever a client sends. */
Test(log, logfmt_lines_stay_lines)
{
    char line[1][1024];
    struct daemon daemon;
    struct reply reply;
    DAEMON_START(&daemon, DIGITS, "--access-log");
    send_with(&daemon, "/x%0Atime%1b[31m", "A: b", &reply);
    reply_free(&reply);
    cr_assert_eq(lines_with(&daemon, "event=request", 1, line), 1);
    cr_assert(strstr(line[0], "path=\"/x\\u000atime\\u001b[31m\" status=404"), "%s", line[0]);
    daemon_stop(&daemon);
}

Test(log, there_is_no_access_log_unless_asked_for)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    expect_alive(&daemon, "silently");
    char *log = daemon_log(&daemon);
    cr_assert_null(strstr(log, "event=request"), "%s", log);
    free(log);
    daemon_stop(&daemon);
}

/* Hundreds of refusals are few lines, and no refusal is forgotten. */
Test(log, a_flood_of_refusals_is_a_line_a_second)
{
    enum { FLOOD = 500 };
    struct daemon daemon;
    unsigned long long begun = clock_ms();
    unsigned counted = 0, lines = 0, bad = 0;
    DAEMON_START(&daemon, DIGITS);
    struct client *client = client_open(daemon.port);
    for (int i = 0; i < FLOOD; i++) {
        char path[32];
        struct reply reply;
        snprintf(path, sizeof path, "/nothing/%d", i);
        struct request request = {.path = i % 2 ? path : "/infer", .body = "{}", .body_count = 2};
        client_send(client, &request, &reply);
        reply_free(&reply);
    }
    client_close(client);
    daemon_signal(&daemon, SIGTERM);
    cr_assert_eq(daemon_wait(&daemon, PATIENCE_MS), 0);
    unsigned long long seconds = (clock_ms() - begun) / 1000;
    char *log = daemon_log(&daemon), *rest = NULL;
    for (char *line = strtok_r(log, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        const char *count = strstr(line, " count=");
        if (!strstr(line, "level=info event=refused") || !count)
            continue;
        lines++;
        counted += (unsigned)strtoul(count + 7, NULL, 10);
        bad += strstr(line, "code=invalid status=400") != NULL;
    }
    free(log);
    cr_assert_eq(counted, FLOOD);
    cr_assert(bad > 0 && bad < lines && lines <= 2 * (seconds + 3), "%u lines", lines);
}

/* Where the body does not say what a request took, a header does. */
Test(log, server_timing_where_the_body_has_none)
{
    char value[HEADER_BYTES];
    struct daemon daemon;
    struct reply reply;
    struct tensors body;
    double queue, compute;
    int end = 0;
    DAEMON_START(&daemon, DIGITS);
    for (int binary = 0; binary < 2; binary++) {
        tensors_digits(&body, 0, 3, binary, "");
        tensors_post(&daemon, DIGITS_V2, &body, &reply);
        reply_header(&reply, "Server-Timing", value);
        cr_assert_eq(sscanf(value, "queue;dur=%lf, compute;dur=%lf%n", &queue, &compute, &end), 2);
        cr_assert(value[end] == '\0' && queue >= 0 && compute > 0 && compute < PATIENCE_MS);
        reply_free(&reply);
        tensors_free(&body);
    }
    struct request raw = {
        .path = "/infer",
        .headers = {"Content-Type: application/octet-stream", "Accept: application/octet-stream"},
        .body = digits()->pixels,
        .body_count = sizeof digits()->pixels[0]};
    client_once(daemon.port, &raw, &reply);
    cr_assert_eq(strncmp(reply_header(&reply, "Server-Timing", value), "queue;dur=", 10), 0);
    reply_free(&reply);
    client_post(daemon.port, "/infer", good_body(), &reply);
    cr_assert_str_empty(reply_header(&reply, "Server-Timing", value));
    reply_free(&reply);
    client_post(daemon.port, DIGITS_V2, "{}", &reply);
    cr_assert_eq(reply.status, 400);
    cr_assert_str_empty(reply_header(&reply, "Server-Timing", value));
    reply_free(&reply);
    daemon_stop(&daemon);
}
