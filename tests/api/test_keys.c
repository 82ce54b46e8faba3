/* --api-keys: who may do what. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "route_table.h"
#include "scene.h"
#include "temporary.h"

#define KEYS "# who: what for\ninfer i-key\nmetrics m-key\n\nadmin a-key\n"

static const struct {
    const char *header;
    enum scope scopes;
} callers[] = {
    {NULL, SCOPE_OPEN},
    {"Authorization: Bearer unknown", SCOPE_OPEN},
    {"Authorization: Bearer i-key ", SCOPE_INFER},
    {"Authorization: Bearer m-key", SCOPE_METRICS},
    {"authorization: bearer a-key", SCOPE_ALL},
    {"Authorization: Basic YS1rZXk6", SCOPE_OPEN},
    {"Authorization: a-key", SCOPE_OPEN},
    {"X-Api-Key: a-key", SCOPE_OPEN},
};

enum { CALLERS = sizeof callers / sizeof callers[0] };

/* The keys in a file that nobody else may read. */
static const char *write_keys(struct temporary *temporary, const char *text)
{
    const char *path = temporary_write(temporary, "keys", text, strlen(text));
    cr_assert_eq(chmod(path, 0600), 0);
    return path;
}

static void ask(const struct daemon *daemon, const char *method, const char *path,
                const char *header, struct reply *reply)
{
    struct request request = {.method = method, .path = path, .headers = {header}};
    if (strcmp(method, "POST") == 0) {
        request.body = "{}";
        request.body_count = 2;
    }
    client_once(daemon->port, &request, reply);
}

/* The route's path without optional part, for a model that is not there: nothing is unloaded. */
static const char *path_of(const char *pattern, char path[128])
{
    char *at = path;
    for (; *pattern; pattern++) {
        if (*pattern == '[')
            pattern = strchr(pattern, ']');
        else if (*pattern == '{')
            at += sprintf(at, "nobody"), pattern += 2;
        else
            *at++ = *pattern;
    }
    *at = '\0';
    return path;
}

static void try_caller(const struct daemon *daemon, size_t route, size_t caller)
{
    char path[128], what[256], challenge[HEADER_BYTES];
    struct reply reply;
    ask(daemon, routes[route].method, path_of(routes[route].path, path), callers[caller].header,
        &reply);
    snprintf(what, sizeof what, "%s with %s", path, callers[caller].header);
    reply_header(&reply, "WWW-Authenticate", challenge);
    if (routes[route].scopes == SCOPE_OPEN || (routes[route].scopes & callers[caller].scopes)) {
        cr_assert(reply.status == 200 || reply.status == 400 || reply.status == 404, "%s: %s", what,
                  reply.body);
    } else if (callers[caller].scopes == SCOPE_OPEN) {
        expect_error(&reply, 401, "unauthorized", "Authorization: Bearer KEY", what);
        cr_assert_str_eq(challenge, "Bearer", "%s", what);
    } else {
        expect_error(&reply, 403, "forbidden", path, what);
    }
    cr_assert(reply.status == 401 || !challenge[0], "%s: %s", what, challenge);
    reply_free(&reply);
}

Test(keys, open_the_routes_of_their_scope)
{
    struct temporary temporary;
    struct daemon daemon;
    temporary_open(&temporary);
    DAEMON_START(&daemon, "--admin", "--access-log", "--api-keys", write_keys(&temporary, KEYS),
                 DIGITS);
    for (size_t route = 0; route < ROUTES; route++)
        for (size_t caller = 0; caller < CALLERS; caller++)
            try_caller(&daemon, route, caller);
    char *log = daemon_log(&daemon);
    cr_assert_not(strstr(log, "-key"), "no key is logged: %s", log);
    free(log);
    daemon_stop(&daemon);
    temporary_close(&temporary);
}

Test(keys, the_health_check_needs_none)
{
    struct temporary temporary;
    struct daemon daemon;
    struct command command;
    char url[64];
    temporary_open(&temporary);
    DAEMON_START(&daemon, "--api-keys", write_keys(&temporary, KEYS), DIGITS);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", daemon.port);
    COMMAND_RUN(&command, "healthcheck", url);
    cr_assert_eq(command.status, 0, "%s", command.err);
    command_free(&command);
    daemon_stop(&daemon);
    temporary_close(&temporary);
}

Test(keys, an_admin_key_does_not_open_what_needs_admin)
{
    struct temporary temporary;
    struct daemon daemon;
    struct reply reply;
    temporary_open(&temporary);
    DAEMON_START(&daemon, "--api-keys", write_keys(&temporary, KEYS), DIGITS);
    ask(&daemon, "POST", "/stats/reset", "Authorization: Bearer a-key", &reply);
    expect_error(&reply, 403, "forbidden", "--admin", "reset");
    reply_free(&reply);
    daemon_stop(&daemon);
    temporary_close(&temporary);
}

/* The status line comes although the body does not. */
static void expect_answer_before_body(const struct daemon *daemon, const char *headers,
                                      const char *status)
{
    char head[256], line[sizeof "HTTP/1.1 100"] = "";
    int wire = wire_connect(daemon->port);
    snprintf(head, sizeof head, "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n%s\r\n",
             headers);
    cr_assert(wire_text(wire, head));
    cr_assert_eq(recv(wire, line, sizeof line - 1, MSG_WAITALL), sizeof line - 1);
    cr_assert_str_eq(line + strlen("HTTP/1.1 "), status, "%s", headers);
    close(wire);
}

/* A client that asks first is told at once; without the key there is no 100 Continue. */
Test(keys, are_looked_at_before_the_body)
{
    struct temporary temporary;
    struct daemon daemon;
    temporary_open(&temporary);
    DAEMON_START(&daemon, "--api-keys", write_keys(&temporary, KEYS), DIGITS);
    expect_answer_before_body(&daemon, "Expect: 100-continue\r\n", "401");
    expect_answer_before_body(&daemon, "Expect: 100-continue\r\nAuthorization: Bearer m-key\r\n",
                              "403");
    expect_answer_before_body(&daemon, "Expect: 100-continue\r\nAuthorization: Bearer i-key\r\n",
                              "100");
    daemon_stop(&daemon);
    temporary_close(&temporary);
}

static void reload(const struct daemon *daemon, const char *event)
{
    unsigned long long end = clock_ms() + PATIENCE_MS;
    bool seen = false;
    daemon_signal(daemon, SIGHUP);
    while (!seen && clock_ms() < end) {
        char *log = daemon_log(daemon);
        seen = strstr(log, event) != NULL;
        free(log);
        rest_ms(2);
    }
    cr_assert(seen, "%s", event);
}

static void expect_status(const struct daemon *daemon, const char *header, long status)
{
    struct reply reply;
    ask(daemon, "GET", "/models", header, &reply);
    expect_json(&reply, status, header);
    reply_free(&reply);
}

Test(keys, are_read_again_at_sighup)
{
    struct temporary temporary;
    struct daemon daemon;
    temporary_open(&temporary);
    DAEMON_START(&daemon, "--api-keys", write_keys(&temporary, KEYS), DIGITS);
    write_keys(&temporary, "infer new-key\n");
    expect_status(&daemon, "Authorization: Bearer i-key", 200);
    reload(&daemon, "\"keys read again\"");
    expect_status(&daemon, "Authorization: Bearer i-key", 401);
    expect_status(&daemon, "Authorization: Bearer new-key", 200);
    write_keys(&temporary, "infer newest-key\nnonsense\n");
    reload(&daemon, "line 2: expected");
    expect_status(&daemon, "Authorization: Bearer newest-key", 401);
    expect_status(&daemon, "Authorization: Bearer new-key", 200);
    daemon_stop(&daemon);
    temporary_close(&temporary);
}

/* While eight clients ask, the keys change under them. */
struct caller_thread {
    pthread_t thread;
    unsigned port;
    size_t other; /* answers that are neither 200 nor 401 */
};

static void *ask_often(void *context)
{
    struct caller_thread *caller = context;
    struct client *client = client_open(caller->port);
    struct request request = {.path = "/models", .headers = {"Authorization: Bearer new-key"}};
    for (size_t i = 0; i < 300; i++) {
        struct reply reply;
        client_send(client, &request, &reply);
        caller->other += reply.status != 200 && reply.status != 401;
        reply_free(&reply);
    }
    client_close(client);
    return NULL;
}

Test(keys, change_while_they_are_used)
{
    struct caller_thread callers_of[8];
    struct temporary temporary;
    struct daemon daemon;
    temporary_open(&temporary);
    DAEMON_START(&daemon, "--loops", "4", "--api-keys", write_keys(&temporary, KEYS), DIGITS);
    for (size_t i = 0; i < 8; i++) {
        callers_of[i] = (struct caller_thread){.port = daemon.port};
        pthread_create(&callers_of[i].thread, NULL, ask_often, &callers_of[i]);
    }
    for (size_t i = 0; i < 40; i++, rest_ms(2)) {
        write_keys(&temporary, i % 2 ? KEYS : "infer new-key\n");
        daemon_signal(&daemon, SIGHUP);
    }
    for (size_t i = 0; i < 8; i++) {
        pthread_join(callers_of[i].thread, NULL);
        cr_assert_eq(callers_of[i].other, 0);
    }
    daemon_stop(&daemon);
    temporary_close(&temporary);
}

Test(keys, a_file_that_others_may_read_is_warned_about)
{
    for (int open = 0; open < 2; open++) {
        struct temporary temporary;
        struct daemon daemon;
        temporary_open(&temporary);
        const char *path = write_keys(&temporary, KEYS);
        cr_assert_eq(chmod(path, open ? 0604 : 0640), 0);
        DAEMON_START(&daemon, "--api-keys", path, DIGITS);
        char *log = daemon_log(&daemon);
        cr_assert_eq(strstr(log, "level=warning") != NULL, open, "%s", log);
        free(log);
        daemon_stop(&daemon);
        temporary_close(&temporary);
    }
}

Test(keys, a_bad_file_ends_the_start)
{
    struct temporary temporary;
    struct command command;
    temporary_open(&temporary);
    COMMAND_RUN(&command, "--api-keys", write_keys(&temporary, "nonsense\n"), DIGITS);
    cr_assert_eq(command.status, 1);
    cr_assert(strstr(command.err, "relud: --api-keys /") && strstr(command.err, ": line 1: "), "%s",
              command.err);
    command_free(&command);
    temporary_close(&temporary);
}
