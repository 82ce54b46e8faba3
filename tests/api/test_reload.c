/* Models that are swapped, loaded and unloaded while clients ask for them. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"
#include "network.h"
#include "repository.h"

enum { CLIENTS = 8, ROWS = 200 };

/* A client that asks a model which is now one network, now the other, or none. */
struct caller {
    pthread_t thread;
    unsigned port;
    const struct quiz *a, *b;
    size_t most; /* rows of a request */
    uint64_t seed;
    _Atomic bool *stop;
    size_t from_a, from_b, refused, wrong;
    char first_wrong[256];
};

static void judge(struct caller *caller, size_t first, size_t count, bool raw,
                  const struct reply *reply)
{
    if (quiz_is_right(caller->a, first, count, raw, reply))
        caller->from_a++;
    else if (quiz_is_right(caller->b, first, count, raw, reply))
        caller->from_b++;
    else if (reply->status == 503)
        caller->refused++;
    else if (caller->wrong++ == 0)
        snprintf(caller->first_wrong, sizeof caller->first_wrong, "%ld for %zu rows: %.200s",
                 reply->status, count, raw && reply->status == 200 ? "(raw)" : reply->body);
}

static void *call(void *context)
{
    struct caller *caller = context;
    struct client *client = client_open(caller->port);
    for (size_t i = 0; !atomic_load(caller->stop); i++) {
        caller->seed = caller->seed * 6364136223846793005u + 1442695040888963407u;
        size_t count = 1 + (caller->seed >> 33) % caller->most;
        size_t first = (caller->seed >> 20) % (ROWS - count + 1);
        bool raw = i % 2;
        struct request request = quiz_request(caller->a, first, count, raw);
        struct reply reply;
        client_send(client, &request, &reply);
        judge(caller, first, count, raw, &reply);
        reply_free(&reply);
        free((void *)request.body);
    }
    client_close(client);
    return NULL;
}

/* All of them ask the model of the first quiz, and either answer is right; or, apart, half of them
 * ask the one and half the other. */
static void start_callers(struct caller callers[CLIENTS], const struct daemon *daemon,
                          const struct quiz quizzes[2], size_t most, _Atomic bool *stop, bool apart)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        callers[i] = (struct caller){.port = daemon->port,
                                     .a = &quizzes[apart ? i % 2 : 0],
                                     .b = &quizzes[apart ? i % 2 : 1],
                                     .most = most,
                                     .seed = 7919 * (i + 1),
                                     .stop = stop};
        cr_assert(pthread_create(&callers[i].thread, NULL, call, &callers[i]) == 0);
    }
}

/* The sums of all callers, once they have stopped. */
static struct caller join_callers(struct caller callers[CLIENTS], _Atomic bool *stop)
{
    struct caller sum = {.wrong = 0};
    atomic_store(stop, true);
    for (size_t i = 0; i < CLIENTS; i++)
        pthread_join(callers[i].thread, NULL);
    for (size_t i = 0; i < CLIENTS; i++) {
        if (callers[i].wrong)
            cr_assert_fail("caller %zu: %zu wrong answers, first %s", i, callers[i].wrong,
                           callers[i].first_wrong);
        sum.from_a += callers[i].from_a;
        sum.from_b += callers[i].from_b;
        sum.refused += callers[i].refused;
    }
    return sum;
}

/* The two files of a network's generations, and what each answers. */
struct generations {
    struct tree tree;
    const char *files[2];
    struct quiz quizzes[2];
};

static void open_generations(struct generations *g, const char *a, const char *b, size_t features,
                             size_t outputs)
{
    tree_open(&g->tree);
    g->files[0] = a;
    g->files[1] = b;
    for (size_t i = 0; i < 2; i++) {
        struct daemon daemon;
        char argument[128];
        snprintf(argument, sizeof argument, "net=%s", g->files[i]);
        DAEMON_START(&daemon, argument);
        quiz_init(&g->quizzes[i], "/infer?model=net", features, outputs, ROWS);
        quiz_learn(&g->quizzes[i], &daemon);
        daemon_stop(&daemon);
    }
    tree_copy(&g->tree, "net/model.onnx", g->files[0]);
}

static void close_generations(struct generations *g)
{
    quiz_free(&g->quizzes[0]);
    quiz_free(&g->quizzes[1]);
    tree_close(&g->tree);
}

/* One order; the status of its reply. */
static long order(struct client *client, const char *model, const char *what)
{
    char path[96];
    struct reply reply;
    snprintf(path, sizeof path, "/v2/repository/models/%s/%s", model, what);
    client_send(client, &(struct request){.method = "POST", .path = path}, &reply);
    long status = reply.status;
    reply_free(&reply);
    return status;
}

/* Swaps the two generations so often, by request and by signal in turn. */
static void swap(const struct generations *g, const struct daemon *daemon, size_t times)
{
    struct client *client = client_open(daemon->port);
    for (size_t i = 1; i <= times; i++) {
        tree_copy(&g->tree, "net/model.onnx", g->files[i % 2]);
        if (i % 4 == 0)
            reload_until(daemon, "model loaded", 1);
        else
            cr_assert_eq(order(client, "net", "load"), 200);
    }
    client_close(client);
}

static void swap_under_load(const char *a, const char *b, size_t features, size_t outputs,
                            const char *loops, size_t most, size_t times)
{
    struct generations g;
    struct daemon daemon;
    struct caller callers[CLIENTS];
    _Atomic bool stop = false;
    open_generations(&g, a, b, features, outputs);
    DAEMON_START(&daemon, "--admin", "--model-dir", g.tree.path, "--loops", loops, "--slice-ms",
                 "1");
    start_callers(callers, &daemon, g.quizzes, most, &stop, false);
    swap(&g, &daemon, times);
    struct caller sum = join_callers(callers, &stop);
    cr_assert_eq(sum.refused, 0, "%zu requests were refused", sum.refused);
    cr_assert(sum.from_a > 0 && sum.from_b > 0, "%zu and %zu answers", sum.from_a, sum.from_b);
    daemon_stop(&daemon);
    close_generations(&g);
}

/* Small networks run where the request was received, … */
Test(reload, swaps_a_small_network_under_eight_clients)
{
    swap_under_load(NETWORK_A, NETWORK_B, PIXELS, SCORES, "2", 20, 60);
}

/* Networks whose requests wait to be run side by side, and run in slices. */
static void open_large(int files[2], char paths[2][NETWORK_PATH_BYTES])
{
    static const struct chain chains[] = {
        {"x", "y", {64, 700, 700, 10, 0}, "Relu"},
        {"x", "y", {64, 700, 700, 10, 0}, "LeakyRelu"},
    };
    for (size_t i = 0; i < 2; i++)
        files[i] = network_file(paths[i], &chains[i], 1);
}

/* … larger ones in slices, which a swap finds half done, with others waiting behind them. */
Test(reload, swaps_a_large_network_under_eight_clients)
{
    char paths[2][NETWORK_PATH_BYTES];
    int files[2];
    open_large(files, paths);
    swap_under_load(paths[0], paths[1], 64, 10, "1", ROWS, 40);
    close(files[0]);
    close(files[1]);
}

/* Two generations of one name at once are never run side by side. */
Test(reload, versions_share_no_batches)
{
    struct generations g;
    struct daemon daemon;
    struct caller callers[CLIENTS];
    char paths[2][NETWORK_PATH_BYTES];
    int files[2];
    _Atomic bool stop = false;
    open_large(files, paths);
    open_generations(&g, paths[0], paths[1], 64, 10);
    tree_remove(&g.tree, "net/model.onnx");
    tree_copy(&g.tree, "net/1/model.onnx", paths[0]);
    tree_copy(&g.tree, "net/2/model.onnx", paths[1]);
    DAEMON_START(&daemon, "--model-dir", g.tree.path, "--loops", "1", "--slice-ms", "1");
    g.quizzes[0].path = "/infer?model=net&version=1";
    start_callers(callers, &daemon, g.quizzes, ROWS, &stop, true);
    rest_ms(500);
    struct caller sum = join_callers(callers, &stop);
    cr_assert(sum.from_a > 0 && sum.from_b == 0 && sum.refused == 0);
    daemon_stop(&daemon);
    close_generations(&g);
    close(files[0]);
    close(files[1]);
}

/* Orders in a thread of their own. */
struct orders {
    pthread_t thread;
    unsigned port;
    size_t times, other; /* orders; answers that were not 200 */
    bool unload;
};

static void *give_orders(void *context)
{
    struct orders *orders = context;
    struct client *client = client_open(orders->port);
    for (size_t i = 0; i < orders->times; i++)
        orders->other += order(client, "net", orders->unload ? "unload" : "load") != 200;
    client_close(client);
    return NULL;
}

/* Nobody sees anything but right answers and refusals, and the model beside it is not disturbed. */
Test(reload, eight_clients_load_and_unload_while_others_infer)
{
    struct generations g;
    struct daemon daemon;
    struct caller callers[CLIENTS];
    struct orders orders[CLIENTS];
    struct quiz quizzes[2];
    _Atomic bool stop = false;
    open_generations(&g, NETWORK_A, NETWORK_B, PIXELS, SCORES);
    DAEMON_START(&daemon, "--admin", "--model-dir", g.tree.path, DIGITS);
    quizzes[0] = quizzes[1] = g.quizzes[0];
    quizzes[1].path = "/infer?model=digits";
    start_callers(callers, &daemon, quizzes, 10, &stop, true);
    for (size_t i = 0; i < CLIENTS; i++) {
        orders[i] = (struct orders){.port = daemon.port, .times = 60, .unload = i % 2};
        cr_assert(pthread_create(&orders[i].thread, NULL, give_orders, &orders[i]) == 0);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        pthread_join(orders[i].thread, NULL);
        cr_assert_eq(orders[i].other, 0, "client %zu: %zu", i, orders[i].other);
    }
    struct caller sum = join_callers(callers, &stop);
    for (size_t i = 1; i < CLIENTS; i += 2)
        cr_assert_eq(callers[i].refused, 0, "the model beside it was refused");
    cr_assert(sum.from_a > 0);
    struct client *client = client_open(daemon.port);
    cr_assert_eq(order(client, "net", "load"), 200);
    client_close(client);
    expect_alive(&daemon, "afterwards");
    daemon_stop(&daemon);
    close_generations(&g);
}

/* A client in the middle of its request: the header and half of the body are sent. */
static int begin_request(const struct daemon *daemon, const struct quiz *quiz,
                         struct request *request)
{
    char head[256];
    int wire = wire_connect(daemon->port);
    *request = quiz_request(quiz, 0, 1, true);
    int length =
        snprintf(head, sizeof head,
                 "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n%s\r\n"
                 "Content-Length: %zu\r\n\r\n",
                 request->path, request->headers[1], request->headers[2], request->body_count);
    cr_assert(wire >= 0 && wire_send(wire, head, (size_t)length));
    cr_assert(wire_send(wire, request->body, request->body_count / 2));
    return wire;
}

/* Sends the rest and compares the answer. */
static void end_request(int wire, const struct quiz *quiz, struct request *request,
                        const char *what)
{
    char answer[4096];
    size_t half = request->body_count / 2, count = 0;
    cr_assert(wire_send(wire, (const char *)request->body + half, request->body_count - half));
    for (ssize_t got; (got = read(wire, answer + count, sizeof answer - count)) > 0;)
        count += (size_t)got;
    size_t bytes = quiz->outputs * sizeof *quiz->y;
    cr_assert(count > bytes && strncmp(answer, "HTTP/1.1 200 ", 13) == 0, "%s", what);
    cr_assert(memcmp(answer + count - bytes, quiz->y, bytes) == 0, "%s", what);
    close(wire);
    free((void *)request->body);
}

Test(reload, a_request_keeps_the_generation_it_began_with)
{
    struct generations g;
    struct daemon daemon;
    struct request request, other;
    open_generations(&g, NETWORK_A, NETWORK_B, PIXELS, SCORES);
    DAEMON_START(&daemon, "--admin", "--model-dir", g.tree.path, "--loops", "1");
    int wire = begin_request(&daemon, &g.quizzes[0], &request);
    json_decref(get_json(&daemon, "/healthz")); /* by now the header was read */
    swap(&g, &daemon, 1);
    int second = begin_request(&daemon, &g.quizzes[1], &other);
    json_decref(get_json(&daemon, "/healthz"));
    struct client *client = client_open(daemon.port);
    cr_assert_eq(order(client, "net", "unload"), 200);
    client_close(client);
    end_request(wire, &g.quizzes[0], &request, "swapped in the middle");
    end_request(second, &g.quizzes[1], &other, "unloaded in the middle");
    expect_refusal(&daemon, "/infer", 503, "unavailable", "unloaded");
    daemon_stop(&daemon);
    close_generations(&g);
}

/* RELOADS=10000 for the long form. */
Test(reload, memory_stays_flat)
{
    enum { WARM = 100, GROWTH_KIB = 4096 };
    const char *wanted = getenv("RELOADS");
    size_t times = wanted ? strtoul(wanted, NULL, 10) : 300;
    struct generations g;
    struct daemon daemon;
    open_generations(&g, NETWORK_A, NETWORK_B, PIXELS, SCORES);
    DAEMON_START(&daemon, "--admin", "--model-dir", g.tree.path, "--log-level", "error");
    struct client *client = client_open(daemon.port);
    size_t before = 0;
    for (size_t i = 1; i <= times; i++) {
        if (i == WARM)
            before = daemon_resident_kib(&daemon);
        tree_copy(&g.tree, "net/model.onnx", g.files[i % 2]);
        cr_assert_eq(order(client, "net", "load"), 200);
        expect_alive(&daemon, "between two reloads");
    }
    size_t after = daemon_resident_kib(&daemon);
    cr_assert_leq(after, before + GROWTH_KIB, "%zu KiB, then %zu", before, after);
    client_close(client);
    daemon_stop(&daemon);
    close_generations(&g);
}

/* Clients that are there before the models are. */
Test(reload, the_server_answers_while_it_loads)
{
    static const struct chain chain = {"x", "y", {2048, 2048, 2048, 2048, 10, 0}, "Relu"};
    char path[NETWORK_PATH_BYTES], argument[NETWORK_PATH_BYTES + 8], port[16];
    struct daemon probe, daemon;
    struct reply reply;
    bool seen = false;
    int file = network_file(path, &chain, 1);
    snprintf(argument, sizeof argument, "net=%s", path);
    DAEMON_START(&probe, DIGITS); /* its port is free when it has ended */
    snprintf(port, sizeof port, "%u", probe.port);
    daemon_stop(&probe);
    daemon_spawn(&daemon, (const char *const[]){"--port", port, DIGITS, argument, NULL});
    for (unsigned long long end = clock_ms() + PATIENCE_MS; !seen && clock_ms() < end;) {
        client_get(probe.port, "/healthz", &reply);
        seen = reply.status == 200;
        reply_free(&reply);
    }
    cr_assert(seen, "%s", daemon_log(&daemon));
    client_get(probe.port, "/readyz", &reply);
    expect_error(&reply, 503, "loading", "loading", "/readyz");
    reply_free(&reply);
    client_post(probe.port, "/infer?model=net", "{}", &reply);
    expect_error(&reply, 503, "loading", "\"net\" is still loading", "/infer");
    char retry[HEADER_BYTES];
    cr_assert_str_not_empty(reply_header(&reply, "Retry-After", retry));
    reply_free(&reply);
    daemon_await(&daemon);
    json_decref(get_json(&daemon, "/readyz"));
    expect_alive(&daemon, "when it is loaded");
    daemon_stop(&daemon);
    close(file);
}

/* Orders that wait when the server ends are answered or cut off, and nothing waits for them. */
Test(reload, ends_while_clients_give_orders)
{
    struct generations g;
    open_generations(&g, NETWORK_A, NETWORK_B, PIXELS, SCORES);
    for (int again = 0; again < 2; again++) {
        struct daemon daemon;
        struct orders orders[CLIENTS];
        DAEMON_START(&daemon, "--admin", "--model-dir", g.tree.path);
        for (size_t i = 0; i < CLIENTS; i++) {
            orders[i] = (struct orders){.port = daemon.port, .times = 2000, .unload = i % 2};
            cr_assert(pthread_create(&orders[i].thread, NULL, give_orders, &orders[i]) == 0);
        }
        rest_ms(50);
        daemon_signal(&daemon, SIGTERM);
        if (again)
            daemon_signal(&daemon, SIGINT);
        int status = daemon_wait(&daemon, PATIENCE_MS);
        for (size_t i = 0; i < CLIENTS; i++)
            pthread_join(orders[i].thread, NULL);
        if (status != 0)
            cr_assert_fail("relud ended with %d:\n%s", status, daemon_log(&daemon));
        close(daemon.log);
    }
    close_generations(&g);
}
