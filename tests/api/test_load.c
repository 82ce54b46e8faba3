/* Many clients at once. Every answer is compared bit for bit with that of its rows alone. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"
#include "network.h"

enum { ASKERS = 16 };

/* Large enough to be gathered into batches. */
static const struct chain big = {"image", "scores", {784, 512, 512, 10, 0}, "Relu"};

/* Small bodies, long computations. */
static const struct chain slow = {"x", "y", {4, 512, 512, 512, 4, 0}, "Relu"};

static void start_askers(struct asker askers[ASKERS], const struct daemon *daemon,
                         const struct quiz *const quizzes[2], size_t most, size_t times,
                         _Atomic bool *stop)
{
    for (size_t i = 0; i < ASKERS; i++) {
        askers[i] = (struct asker){.port = daemon->port,
                                   .quiz = quizzes[i % 2],
                                   .most = most,
                                   .times = times,
                                   .seed = 88172645463325252u + i * 7919,
                                   .stop = stop};
        asker_start(&askers[i]);
    }
}

static size_t join_askers(struct asker askers[ASKERS], size_t *others)
{
    size_t batched = 0;
    *others = 0;
    for (size_t i = 0; i < ASKERS; i++)
        asker_join(&askers[i]);
    for (size_t i = 0; i < ASKERS; i++) {
        if (askers[i].wrong)
            cr_assert_fail("asker %zu: %zu wrong answers, first %s", i, askers[i].wrong,
                           askers[i].first_wrong);
        batched += askers[i].batched;
        *others += askers[i].other;
    }
    return batched;
}

/* Asks two models from 16 clients at once; returns how many answers came out of shared batches. */
static size_t crowd(const struct daemon *daemon, struct quiz quizzes[2], size_t most, size_t times)
{
    struct asker askers[ASKERS];
    size_t others;
    quiz_learn(&quizzes[0], daemon);
    quiz_learn(&quizzes[1], daemon);
    start_askers(askers, daemon, (const struct quiz *const[]){&quizzes[0], &quizzes[1]}, most,
                 times, NULL);
    size_t batched = join_askers(askers, &others);
    cr_assert_eq(others, 0, "%zu requests failed", others);
    return batched;
}

Test(load, sixteen_clients_each_get_their_own_rows)
{
    struct quiz quizzes[2];
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, DIGITS_DYING);
    quiz_init(&quizzes[0], "/infer?model=digits", PIXELS, SCORES, 400);
    quiz_init(&quizzes[1], "/infer?model=digits-dying", PIXELS, SCORES, 400);
    crowd(&daemon, quizzes, 20, 150);
    quiz_free(&quizzes[0]);
    quiz_free(&quizzes[1]);
    daemon_stop(&daemon);
}

/* One loop, so that requests meet in its batches. */
Test(load, sixteen_clients_share_batches_and_not_answers)
{
    struct quiz quizzes[2];
    struct daemon daemon;
    char path[NETWORK_PATH_BYTES], argument[NETWORK_PATH_BYTES + 8];
    int file = network_file(path, &big, 1);
    snprintf(argument, sizeof argument, "big=%s", path);
    DAEMON_START(&daemon, argument, DIGITS, "--loops", "1");
    quiz_init(&quizzes[0], "/infer?model=big", 784, 10, 100);
    quiz_init(&quizzes[1], "/infer?model=big&version=1", 784, 10, 100);
    size_t batched = crowd(&daemon, quizzes, 17, 25);
    cr_assert(batched > 0, "no two requests were computed together");
    quiz_free(&quizzes[0]);
    quiz_free(&quizzes[1]);
    daemon_stop(&daemon);
    close(file);
}

/* Large and small requests, several loops, slices as short as they can be. */
Test(load, mixed_models_in_short_slices)
{
    struct quiz quizzes[2];
    struct daemon daemon;
    char path[NETWORK_PATH_BYTES], argument[NETWORK_PATH_BYTES + 8];
    int file = network_file(path, &big, 1);
    snprintf(argument, sizeof argument, "big=%s", path);
    DAEMON_START(&daemon, argument, DIGITS, "--loops", "3", "--slice-ms", "1");
    quiz_init(&quizzes[0], "/infer?model=big", 784, 10, 400);
    quiz_init(&quizzes[1], "/infer?model=digits", PIXELS, SCORES, 400);
    crowd(&daemon, quizzes, 300, 6);
    quiz_free(&quizzes[0]);
    quiz_free(&quizzes[1]);
    daemon_stop(&daemon);
    close(file);
}

/* The quiz's rows again and again, count of them. */
static float *repeat(const float *rows, size_t row_count, size_t width, size_t count)
{
    float *all = malloc(count * width * sizeof *all);
    cr_assert(all);
    for (size_t r = 0; r < count; r++)
        memcpy(all + r * width, rows + r % row_count * width, width * sizeof *all);
    return all;
}

/* A long request is computed in slices; small ones of the same model, which run where they are
 * received, come in between. Neither may touch what the other computes. */
Test(load, small_requests_do_not_disturb_a_long_one_of_their_model)
{
    static const struct chain medium = {"x", "scores", {PIXELS, 512, 512, SCORES, 0}, "Relu"};
    enum { ROWS = 4000, ROUNDS = 5 };
    struct quiz quiz;
    struct daemon daemon;
    struct asker askers[ASKERS];
    _Atomic bool stop = false;
    size_t others;
    char path[NETWORK_PATH_BYTES];
    int file = network_file(path, &medium, 1);
    DAEMON_START(&daemon, path, "--loops", "1", "--slice-ms", "1", "--max-batch-rows", "100000",
                 "--request-timeout-ms", "600000");
    quiz_init(&quiz, "/infer", PIXELS, SCORES, 50);
    quiz_learn(&quiz, &daemon);
    struct quiz whole = {quiz.path,
                         PIXELS,
                         SCORES,
                         ROWS,
                         repeat(quiz.x, 50, PIXELS, ROWS),
                         repeat(quiz.y, 50, SCORES, ROWS)};
    start_askers(askers, &daemon, (const struct quiz *const[]){&quiz, &quiz}, 1, SIZE_MAX, &stop);
    struct request request = quiz_request(&whole, 0, ROWS, true);
    size_t right = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct reply reply;
        client_once(daemon.port, &request, &reply);
        right += quiz_is_right(&whole, 0, ROWS, true, &reply);
        reply_free(&reply);
    }
    atomic_store(&stop, true);
    join_askers(askers, &others);
    cr_assert_eq(others, 0);
    cr_assert_eq(right, ROUNDS, "%zu of %d long answers were right", right, ROUNDS);
    free((void *)request.body);
    quiz_free(&whole);
    quiz_free(&quiz);
    daemon_stop(&daemon);
    close(file);
}

/* Everything that was answered is in the statistics, and nothing else. */
Test(load, concurrent_rows_are_all_counted)
{
    struct quiz quizzes[2];
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--loops", "4");
    quiz_init(&quizzes[0], "/infer", PIXELS, SCORES, 50);
    quiz_init(&quizzes[1], "/infer?model=digits", PIXELS, SCORES, 50);
    crowd(&daemon, quizzes, 1, 100);
    json_t *json = get_json(&daemon, "/stats");
    cr_assert_eq(json_integer_value(json_object_get(json, "samples")), 2 * 50 + ASKERS * 100);
    json_decref(json);
    quiz_free(&quizzes[0]);
    quiz_free(&quizzes[1]);
    daemon_stop(&daemon);
}

Test(load, readers_of_stats_do_not_disturb)
{
    struct quiz quizzes[2];
    struct daemon daemon;
    struct asker askers[ASKERS];
    size_t others;
    int64_t last = 0;
    DAEMON_START(&daemon, DIGITS);
    quiz_init(&quizzes[0], "/infer", PIXELS, SCORES, 50);
    quiz_learn(&quizzes[0], &daemon);
    start_askers(askers, &daemon, (const struct quiz *const[]){&quizzes[0], &quizzes[0]}, 8, 60,
                 NULL);
    for (int i = 0; i < 50; i++) {
        json_t *json = get_json(&daemon, "/stats?detail=units");
        int64_t samples = json_integer_value(json_object_get(json, "samples"));
        cr_assert(samples >= last, "counts went back");
        last = samples;
        json_decref(json);
    }
    join_askers(askers, &others);
    cr_assert_eq(others, 0);
    quiz_free(&quizzes[0]);
    daemon_stop(&daemon);
}

Test(load, a_killed_daemon_starts_again_on_its_port)
{
    struct quiz quiz;
    struct daemon daemon;
    struct asker askers[ASKERS];
    _Atomic bool stop = false;
    char port[16];
    size_t others;
    DAEMON_START(&daemon, DIGITS);
    quiz_init(&quiz, "/infer", PIXELS, SCORES, 50);
    quiz_learn(&quiz, &daemon);
    start_askers(askers, &daemon, (const struct quiz *const[]){&quiz, &quiz}, 8, SIZE_MAX, &stop);
    rest_ms(200);
    snprintf(port, sizeof port, "%u", daemon.port);
    daemon_signal(&daemon, SIGKILL);
    cr_assert_eq(daemon_wait(&daemon, PATIENCE_MS), 128 + SIGKILL);
    struct daemon again;
    DAEMON_START(&again, "--port", port, DIGITS);
    cr_assert_eq(again.port, daemon.port);
    expect_alive(&again, "after kill -9");
    atomic_store(&stop, true);
    join_askers(askers, &others);
    cr_assert(others > 0, "nobody noticed the kill");
    expect_alive(&again, "after kill -9 and the crowd");
    json_t *json = get_json(&again, "/stats");
    cr_assert(json_integer_value(json_object_get(json, "samples")) > 0);
    json_decref(json);
    quiz_free(&quiz);
    daemon_stop(&again);
}

/* Refusals under load */

/* Posts a computation of that many rows to the model called slow. */
static void post_slow(struct client *client, size_t rows, struct reply *reply)
{
    float *x = calloc(rows, 4 * sizeof *x);
    if (!x)
        abort();
    struct request request = {.path = "/infer?model=slow",
                              .headers = {"Content-Type: application/octet-stream",
                                          "Accept: application/octet-stream", "Expect:"},
                              .body = x,
                              .body_count = rows * 4 * sizeof *x};
    client_send(client, &request, reply);
    free(x);
}

struct crowder {
    pthread_t thread;
    unsigned port;
    _Atomic bool *seen;
    size_t answered, unexpected;
    char refusal[512]; /* the head and body of a 503 */
};

/* Posts long computations until somebody has been refused. */
static void *crowd_in(void *context)
{
    struct crowder *crowder = context;
    struct client *client = client_open(crowder->port);
    for (int i = 0; i < 1000 && !atomic_load(crowder->seen); i++) {
        struct reply reply;
        post_slow(client, 500, &reply);
        crowder->answered += reply.status == 200;
        crowder->unexpected += reply.status != 200 && reply.status != 503;
        if (reply.status == 503) {
            snprintf(crowder->refusal, sizeof crowder->refusal, "%s%s", reply.head, reply.body);
            atomic_store(crowder->seen, true);
        }
        reply_free(&reply);
    }
    client_close(client);
    return NULL;
}

Test(load, a_full_queue_is_503_with_retry_after)
{
    enum { CROWDERS = 8 };
    struct crowder crowders[CROWDERS];
    _Atomic bool seen = false;
    struct daemon daemon;
    char path[NETWORK_PATH_BYTES], argument[NETWORK_PATH_BYTES + 8];
    int file = network_file(path, &slow, 1);
    size_t answered = 0, refused = 0;
    snprintf(argument, sizeof argument, "slow=%s", path);
    DAEMON_START(&daemon, DIGITS, argument, "--loops", "1", "--max-queue-rows", "501");
    for (size_t i = 0; i < CROWDERS; i++) {
        crowders[i] = (struct crowder){.port = daemon.port, .seen = &seen};
        cr_assert(pthread_create(&crowders[i].thread, NULL, crowd_in, &crowders[i]) == 0);
    }
    for (size_t i = 0; i < CROWDERS; i++)
        pthread_join(crowders[i].thread, NULL);
    for (size_t i = 0; i < CROWDERS; i++) {
        const char *refusal = crowders[i].refusal;
        answered += crowders[i].answered;
        cr_assert_eq(crowders[i].unexpected, 0);
        if (!refusal[0])
            continue;
        refused++;
        cr_assert(strstr(refusal, "Retry-After: 1\r\n"), "%s", refusal);
        cr_assert(strstr(refusal, "Content-Type: application/json\r\n"), "%s", refusal);
        cr_assert(strstr(refusal, "\"code\":\"overloaded\"}"), "%s", refusal);
    }
    cr_assert(refused > 0);
    cr_assert(answered > 0);
    expect_alive(&daemon, "after the crowd");
    daemon_stop(&daemon);
    close(file);
}

/* Every row is zero, so each unit is active in all rows that were counted, or in none. */
static void expect_even_counts(const struct daemon *daemon)
{
    json_t *json = get_json(daemon, "/stats?model=slow&detail=units");
    size_t i, unit;
    const json_t *layer, *count;
    json_array_foreach(json_object_get(json, "layers"), i, layer)
    {
        const json_t *units = json_object_get(layer, "unit_stats");
        json_int_t rows = json_integer_value(json_object_get(layer, "observations"));
        json_array_foreach(json_object_get(units, "active"), unit, count)
        {
            json_int_t active = json_integer_value(count);
            if (active != 0 && active != rows)
                cr_assert_fail("layer %zu, unit %zu: active in %lld of %lld rows", i, unit, active,
                               rows);
        }
    }
    json_decref(json);
}

/* The sweep may cut a body that is late in arriving, so some tries may end without an answer. */
Test(load, a_deadline_that_has_passed_is_504)
{
    struct daemon daemon;
    struct reply reply = {.status = 0};
    char path[NETWORK_PATH_BYTES], argument[NETWORK_PATH_BYTES + 8];
    int file = network_file(path, &slow, 1);
    snprintf(argument, sizeof argument, "slow=%s", path);
    DAEMON_START(&daemon, DIGITS, argument, "--request-timeout-ms", "40", "--slice-ms", "1",
                 "--max-batch-rows", "100000", "--loops", "1");
    struct client *client = client_open(daemon.port);
    for (int i = 0, expired = 0; i < 50 && expired < 3; i++) {
        post_slow(client, 20000, &reply);
        if (reply.status == 504)
            expect_error(&reply, 504, "deadline", "deadline", "20,000 rows in 40 ms");
        expired += reply.status == 504;
        cr_assert(reply.status == 504 || reply.status == 0 || reply.status == 200);
        cr_assert(expired || i < 49, "no deadline passed");
        reply_free(&reply);
    }
    post_slow(client, 1, &reply);
    cr_assert_eq(reply.status, 200, "%s", reply.body);
    reply_free(&reply);
    client_close(client);
    expect_alive(&daemon, "after a deadline");
    expect_even_counts(&daemon);
    daemon_stop(&daemon);
    close(file);
}

/* While a long computation runs, its loop still answers others. */
Test(load, a_long_computation_does_not_block_its_loop)
{
    struct daemon daemon;
    char path[NETWORK_PATH_BYTES], argument[NETWORK_PATH_BYTES + 8], head[256];
    int file = network_file(path, &slow, 1);
    enum { ROWS = 20000 };
    float *x = calloc(ROWS, 4 * sizeof *x);
    snprintf(argument, sizeof argument, "slow=%s", path);
    DAEMON_START(&daemon, DIGITS, argument, "--loops", "1", "--slice-ms", "1", "--max-batch-rows",
                 "100000", "--request-timeout-ms", "600000");
    snprintf(head, sizeof head,
             "POST /infer?model=slow HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n"
             "Content-Type: application/octet-stream\r\n"
             "Accept: application/octet-stream\r\n\r\n",
             ROWS * 4 * sizeof *x);
    int wire = wire_connect(daemon.port);
    cr_assert(x && wire_text(wire, head) && wire_send(wire, x, ROWS * 4 * sizeof *x));
    size_t meanwhile = 0;
    while (!wire_closed(wire, 0) && meanwhile < 3) {
        expect_alive(&daemon, "meanwhile");
        meanwhile++;
    }
    struct reply reply;
    wire_answer(wire, &reply, PATIENCE_MS);
    cr_assert_eq(reply.status, 200);
    cr_assert_eq(reply.body_count, ROWS * 4 * sizeof(float));
    reply_free(&reply);
    close(wire);
    free(x);
    daemon_stop(&daemon);
    close(file);
}

/* At the limit of connections clients wait in the backlog and are served later. */
Test(load, connections_beyond_the_limit_wait)
{
    enum { WIRES = 12 };
    int wires[WIRES];
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--max-connections", "4", "--loops", "2");
    for (size_t i = 0; i < WIRES; i++) {
        wires[i] = wire_connect(daemon.port);
        cr_assert(wires[i] >= 0 && wire_text(wires[i], "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
    }
    for (size_t i = 0; i < WIRES; i++) {
        struct reply reply;
        wire_answer(wires[i], &reply, PATIENCE_MS);
        expect_json(&reply, 200, "after its turn has come");
        reply_free(&reply);
        close(wires[i]);
    }
    daemon_stop(&daemon);
}
