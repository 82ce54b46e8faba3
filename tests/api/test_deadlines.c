/* Who waits no longer, because the time is over or the client has left, is let go at once, and
 * nothing is computed for nobody. */
#include <criterion/criterion.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"
#include "network.h"
#include "scrape.h"

enum { FEATURES = 16, OUTPUTS = 4, LONG_ROWS = 500000 };

static const struct chain heavy = {.input = "x",
                                   .output = "y",
                                   .widths = {FEATURES, 2048, 2048, 2048, OUTPUTS},
                                   .activation = "Relu"};

/* A daemon with one loop that serves "heavy" and the digits. */
struct stage {
    struct daemon daemon;
    int file;
};

static void stage_open(struct stage *stage, const char *timeout_ms)
{
    char path[NETWORK_PATH_BYTES], argument[NETWORK_PATH_BYTES + 8];
    stage->file = network_file(path, &heavy, 1);
    snprintf(argument, sizeof argument, "heavy=%s", path);
    DAEMON_START(&stage->daemon, argument, DIGITS, "--loops", "1", "--slice-ms", "5",
                 "--default-model", "digits", "--max-batch-rows", "1000000", "--max-queue-rows",
                 "2000000", "--request-timeout-ms", timeout_ms);
}

static void stage_close(struct stage *stage)
{
    daemon_stop(&stage->daemon);
    close(stage->file);
}

/* Asks for what takes minutes; the answer is for whoever waits at the wire. */
static int ask_for_ages(const struct daemon *daemon)
{
    char head[256];
    size_t bytes = (size_t)LONG_ROWS * FEATURES * sizeof(float);
    void *body = calloc(1, bytes);
    snprintf(head, sizeof head,
             "POST /infer?model=heavy HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n"
             "Content-Type: application/octet-stream\r\n\r\n",
             bytes);
    int wire = wire_connect(daemon->port);
    cr_assert(body && wire_text(wire, head) && wire_send(wire, body, bytes));
    free(body);
    return wire;
}

static bool is_answered(int wire)
{
    struct pollfd polled = {.fd = wire, .events = POLLIN};
    return poll(&polled, 1, 0) != 0;
}

static void await_number(const struct daemon *daemon, const char *series, double value)
{
    for (unsigned waited = 0; scrape_once(daemon, series) != value; waited += 10) {
        cr_assert(waited < PATIENCE_MS, "%s is not %g", series, value);
        rest_ms(10);
    }
}

static void expect_row(const struct daemon *daemon)
{
    struct reply reply;
    client_post(daemon->port, "/infer?model=heavy",
                "{\"inputs\":[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6]}", &reply);
    expect_json(&reply, 200, "one row");
    reply_free(&reply);
}

/* Posts a row that may take 30 ms, again as long as there is time for it; returns how often there
 * was. */
static int hurry(const struct daemon *daemon)
{
    static const char body[] =
        "{\"parameters\":{\"timeout\":30000},\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\","
        "\"shape\":[1,16],\"data\":[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6]}]}";
    struct reply reply;
    for (int answered = 0;; answered++) {
        client_post(daemon->port, "/v2/models/heavy/infer", body, &reply);
        if (reply.status != 200)
            expect_error(&reply, 504, "deadline", "deadline", "30 ms beside minutes");
        bool expired = reply.status == 504;
        reply_free(&reply);
        if (expired)
            return answered;
    }
}

/* A deadline of the client's own passes while a computation of minutes runs; then who asked for
 * that hangs up, and the loop is free again. */
Test(deadlines, pass_while_a_batch_runs_and_who_has_gone_is_not_computed_for)
{
    struct stage stage;
    stage_open(&stage, "600000");
    int wire = ask_for_ages(&stage.daemon);
    int answered = hurry(&stage.daemon); /* until the long one has arrived */
    cr_assert_not(is_answered(wire), "nobody waited for the long one");
    close(wire);
    await_number(&stage.daemon, "relud_rejected_total{reason=\"client_closed\"}", 1);
    expect_row(&stage.daemon);
    json_t *stats = get_json(&stage.daemon, "/stats?model=heavy");
    cr_assert_lt(json_integer_value(json_object_get(stats, "samples")), LONG_ROWS);
    json_decref(stats);
    cr_assert_eq(scrape_once(&stage.daemon, "relud_rows_total{model=\"heavy\"}"), answered + 1);
    stage_close(&stage);
}

/* The server's own deadline ends a computation that is under way. */
Test(deadlines, end_what_is_being_computed)
{
    struct stage stage;
    struct reply reply;
    stage_open(&stage, "2000");
    int wire = ask_for_ages(&stage.daemon);
    wire_answer(wire, &reply, PATIENCE_MS);
    if (reply.status != 0) /* else it took two seconds to arrive */
        expect_error(&reply, 504, "deadline", "deadline", "minutes in two seconds");
    reply_free(&reply);
    close(wire);
    expect_alive(&stage.daemon, "after the deadline");
    stage_close(&stage);
}

/* Clients whose time is short and clients who leave, in the same batches as others: who gets an
 * answer gets the right one. */
Test(deadlines, those_who_stay_get_their_own_rows)
{
    enum { CLIENTS = 12, TIMES = 25, MOST = 60 };
    struct asker askers[CLIENTS];
    struct quiz quiz;
    struct stage stage;
    size_t right = 0, other = 0;
    stage_open(&stage, "600000");
    quiz_init(&quiz, "/infer?model=heavy", FEATURES, OUTPUTS, 100);
    quiz_learn(&quiz, &stage.daemon);
    stage_close(&stage);
    stage_open(&stage, "20");
    for (size_t i = 0; i < CLIENTS; i++) {
        askers[i] = (struct asker){.port = stage.daemon.port,
                                   .quiz = &quiz,
                                   .most = i % 2 ? MOST : 1,
                                   .times = TIMES,
                                   .seed = i + 1};
        asker_start(&askers[i]);
    }
    for (int i = 0; i < 50; i++) {
        struct request request = quiz_request(&quiz, 0, MOST, true);
        char head[256];
        snprintf(head, sizeof head,
                 "POST /infer?model=heavy HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n"
                 "Content-Type: application/octet-stream\r\n\r\n",
                 request.body_count);
        int wire = wire_connect(stage.daemon.port);
        if (wire_text(wire, head) && wire_send(wire, request.body, request.body_count))
            rest_ms(i % 10);
        close(wire);
        free((void *)request.body);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        asker_join(&askers[i]);
        cr_assert_eq(askers[i].wrong, 0, "%s", askers[i].first_wrong);
        right += askers[i].right;
        other += askers[i].other;
    }
    cr_assert_eq(right + other, CLIENTS * TIMES);
    cr_assert_gt(other, 0, "no deadline passed");
    expect_alive(&stage.daemon, "after the crowd");
    quiz_free(&quiz);
    stage_close(&stage);
}

/* While one computation of minutes fills the only loop, everybody else is served. */
Test(deadlines, health_and_metrics_answer_under_full_load)
{
    static const char *const paths[] = {"/healthz", "/readyz", "/metrics",
                                        "/stats",   "/models", "/v2/health/ready"};
    enum { WIRES = 3, ROUNDS = 10 };
    int wires[WIRES];
    struct stage stage;
    stage_open(&stage, "600000");
    for (size_t i = 0; i < WIRES; i++)
        wires[i] = ask_for_ages(&stage.daemon);
    for (int round = 0; round < ROUNDS; round++)
        for (size_t p = 0; p < sizeof paths / sizeof paths[0]; p++) {
            struct reply reply;
            client_get(stage.daemon.port, paths[p], &reply);
            cr_assert_eq(reply.status, 200, "%s: %s", paths[p], reply.body);
            reply_free(&reply);
        }
    for (size_t i = 0; i < WIRES; i++) {
        cr_assert_not(is_answered(wires[i]), "there was no load");
        close(wires[i]);
    }
    await_number(&stage.daemon, "relud_rejected_total{reason=\"client_closed\"}", WIRES);
    stage_close(&stage);
}
