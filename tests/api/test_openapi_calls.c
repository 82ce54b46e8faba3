/* Every operation of /openapi.json is called, with every status that it documents: the document's
 * own examples make the requests, and the answers must be what its schemas say. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "network.h"
#include "schema.h"
#include "scene.h"
#include "temporary.h"

#define NEVER_MS "600000"

enum { SLOW_ROWS = 20000 };

/* Servers in a state in which they give a status. */
enum server { SERVER_OPEN, SERVER_KEYED, SERVER_UNLOADED, SERVER_DRAINING, SERVER_SLOW, SERVERS };

struct walk {
    json_t *document;
    struct daemon daemons[SERVERS];
};

/* One operation of the document. */
struct operation {
    const char *path, *method;
    const json_t *node;
    const json_t *example; /* of its body in JSON; NULL for none */
    bool needs_model;      /* by its path or query */
};

/* A request in the making. */
struct call {
    enum server server;
    char path[512];
    char *body;         /* owned; NULL for none */
    const char *header; /* NULL for none */
};

/* The parts of a call */

static const json_t *parameter_of(const struct walk *walk, const struct operation *operation,
                                  const char *name)
{
    const json_t *item;
    size_t i;
    json_array_foreach(json_object_get(operation->node, "parameters"), i, item)
    {
        item = schema_resolve(walk->document, item);
        if (strcmp(json_string_value(json_object_get(item, "name")), name) == 0)
            return item;
    }
    return NULL;
}

/* The value of a parameter: the document's example, but another model or a bad value on request. */
static void put_value(const json_t *parameter, const char *model, const char *bad, char value[64])
{
    const char *name = json_string_value(json_object_get(parameter, "name"));
    const json_t *example = json_object_get(parameter, "example");
    cr_assert(example, "parameter %s has no example", name);
    if (model && strcmp(name, "model") == 0)
        snprintf(value, 64, "%s", model);
    else if (bad && strcmp(name, bad) == 0)
        snprintf(value, 64, "%%21");
    else if (json_is_string(example))
        snprintf(value, 64, "%s", json_string_value(example));
    else
        snprintf(value, 64, "%g", json_number_value(example));
}

/* The path with its parameters and, of every other one, the query. */
static void put_path(const struct walk *walk, const struct operation *operation, const char *model,
                     const char *bad, char path[512])
{
    const char *at = operation->path, *before = "?";
    const json_t *item;
    char value[64];
    size_t length = 0, i;
    for (; *at; at++) {
        if (*at != '{') {
            path[length++] = *at;
            continue;
        }
        char name[32];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at + 1, "}"), at + 1);
        put_value(parameter_of(walk, operation, name), model, bad, value);
        length += (size_t)sprintf(path + length, "%s", value);
        at += strcspn(at, "}");
    }
    path[length] = '\0';
    json_array_foreach(json_object_get(operation->node, "parameters"), i, item)
    {
        item = schema_resolve(walk->document, item);
        const char *name = json_string_value(json_object_get(item, "name"));
        if (strcmp(json_string_value(json_object_get(item, "in")), "query") != 0)
            continue;
        put_value(item, model, bad, value);
        length += (size_t)snprintf(path + length, 512 - length, "%s%s=%s", before, name, value);
        before = "&";
    }
}

/* A query parameter that takes certain values only; NULL when there is none. */
static const char *strict_parameter(const struct walk *walk, const struct operation *operation)
{
    const json_t *item;
    size_t i;
    json_array_foreach(json_object_get(operation->node, "parameters"), i, item)
    {
        item = schema_resolve(walk->document, item);
        if (json_object_get(json_object_get(item, "schema"), "enum"))
            return json_string_value(json_object_get(item, "name"));
    }
    return NULL;
}

/* A key whose scope the operation does not name. */
static const char *other_key(const struct operation *operation)
{
    const json_t *choice = json_array_get(json_object_get(operation->node, "security"), 0);
    const json_t *scope = json_array_get(json_object_get(choice, "key"), 0);
    return strcmp(json_string_value(scope), "infer") == 0 ? "Authorization: Bearer m-key"
                                                          : "Authorization: Bearer i-key";
}

static bool is_native(const struct operation *operation)
{
    return strcmp(operation->path, "/infer") == 0;
}

/* What takes longer than the slow server's deadline: many rows, or a deadline of no time. */
static char *slow_body(const struct operation *operation)
{
    json_t *body;
    if (is_native(operation)) {
        json_t *rows = json_array();
        for (size_t i = 0; i < SLOW_ROWS; i++)
            json_array_append_new(rows, json_pack("[i,i,i,i]", 1, 2, 3, 4));
        body = json_pack("{s:o}", "inputs", rows);
    } else {
        body = json_deep_copy(operation->example);
        json_object_set_new(json_object_get(body, "parameters"), "timeout", json_integer(1));
    }
    char *text = json_dumps(body, 0);
    json_decref(body);
    return text;
}

/* Calls */

/* The request that is answered with that status. */
static struct call provoke(const struct walk *walk, const struct operation *operation, int status)
{
    struct call call = {.server = SERVER_OPEN};
    const char *model = NULL, *bad = NULL;
    if (operation->example)
        call.body = json_dumps(operation->example, 0);
    switch (status) {
    case 200:
        break;
    case 304:
        call.header = "If-None-Match: *";
        break;
    case 400:
        bad = call.body ? NULL : strict_parameter(walk, operation);
        if (call.body)
            strcpy(call.body, "{");
        break;
    case 403:
        call.header = other_key(operation);
        /* fallthrough */
    case 401:
        call.server = SERVER_KEYED;
        break;
    case 404:
        model = "nobody";
        break;
    case 413: /* see send_huge() */
        break;
    case 415:
        call.header = "Content-Type: text/plain";
        break;
    case 503:
        call.server = operation->needs_model ? SERVER_UNLOADED : SERVER_DRAINING;
        break;
    case 504:
        call.server = SERVER_SLOW;
        free(call.body);
        call.body = slow_body(operation);
        model = is_native(operation) ? "slow" : NULL;
        break;
    default:
        cr_assert_fail("nobody knows how to provoke %d at %s", status, operation->path);
    }
    put_path(walk, operation, model, bad, call.path);
    return call;
}

/* A body announced as longer than any that is read: the answer does not wait for it. */
static void send_huge(const struct daemon *daemon, const struct call *call, struct reply *reply)
{
    char head[768];
    int wire = wire_connect(daemon->port);
    snprintf(head, sizeof head,
             "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", call->path);
    cr_assert(wire_text(wire, head));
    wire_answer(wire, reply, PATIENCE_MS);
    close(wire);
}

static void send(const struct walk *walk, const struct operation *operation, int status,
                 const struct call *call, struct reply *reply)
{
    const struct daemon *daemon = &walk->daemons[call->server];
    struct request request = {.method = strcmp(operation->method, "get") == 0 ? "GET" : "POST",
                              .path = call->path,
                              .headers = {call->header},
                              .body = call->body,
                              .body_count = call->body ? strlen(call->body) : 0};
    if (status == 413)
        send_huge(daemon, call, reply);
    else
        client_once(daemon->port, &request, reply);
}

/* Whether the answer is one that the document describes for the status. */
static void expect_documented(const struct walk *walk, const json_t *response,
                              const struct reply *reply, const char *what)
{
    char type[HEADER_BYTES], why[SCHEMA_WHY_BYTES] = "";
    const json_t *contents = json_object_get(schema_resolve(walk->document, response), "content");
    if (!contents) {
        cr_assert(reply->body_count == 0, "%s: a body is not documented", what);
        return;
    }
    reply_header(reply, "Content-Type", type);
    type[strcspn(type, ";")] = '\0';
    const json_t *content = json_object_get(contents, type);
    cr_assert(content, "%s: the type %s is not documented", what, type);
    if (strcmp(type, "application/json") != 0)
        return;
    json_t *json = json_of(reply);
    if (!schema_fits(walk->document, json_object_get(content, "schema"), json, why))
        cr_assert_fail("%s: %s: %.300s", what, why, reply->body);
    json_decref(json);
}

static void try_status(const struct walk *walk, const struct operation *operation, const char *code,
                       const json_t *response)
{
    char what[600];
    struct reply reply = {.status = 0};
    int status = atoi(code);
    struct call call = provoke(walk, operation, status);
    /* The sweep may cut a body off that is late for the slow server's deadline. */
    for (int i = 0; i < (status == 504 ? 50 : 1) && reply.status != status; i++) {
        reply_free(&reply);
        send(walk, operation, status, &call, &reply);
    }
    snprintf(what, sizeof what, "%s %s for %s", operation->method, call.path, code);
    cr_assert_eq(reply.status, status, "%s: %ld: %.300s", what, reply.status, reply.body);
    expect_documented(walk, response, &reply, what);
    reply_free(&reply);
    free(call.body);
}

/* The documented body's example must be what its own schema says. */
static const json_t *example_of(const struct walk *walk, const struct operation *operation)
{
    char why[SCHEMA_WHY_BYTES] = "";
    const json_t *body = json_object_get(operation->node, "requestBody");
    const json_t *content = json_object_get(json_object_get(body, "content"), "application/json");
    const json_t *example = json_object_get(content, "example");
    if (example && !schema_fits(walk->document, json_object_get(content, "schema"), example, why))
        cr_assert_fail("the example of %s: %s", operation->path, why);
    return example;
}

static void walk_operation(const struct walk *walk, struct operation *operation)
{
    const char *code;
    json_t *response;
    operation->example = example_of(walk, operation);
    operation->needs_model = parameter_of(walk, operation, "model") != NULL;
    json_object_foreach(json_object_get(operation->node, "responses"), code, response)
    {
        if (strcmp(code, "default") != 0)
            try_status(walk, operation, code, response);
    }
}

/* The servers */

static void unload(const struct daemon *daemon, const char *model)
{
    char path[96];
    struct reply reply;
    snprintf(path, sizeof path, "/v2/repository/models/%s/unload", model);
    client_post(daemon->port, path, "", &reply);
    expect_json(&reply, 200, path);
    reply_free(&reply);
}

static void wait_until_draining(const struct daemon *daemon)
{
    struct reply reply = {.status = 200};
    unsigned long long end = clock_ms() + PATIENCE_MS;
    daemon_signal(daemon, SIGTERM);
    while (reply.status == 200 && clock_ms() < end) {
        client_get(daemon->port, "/readyz", &reply);
        reply_free(&reply);
    }
}

static void start_servers(struct walk *walk, struct temporary *temporary, const char *slow)
{
    static const char keys[] = "infer i-key\nmetrics m-key\n";
    const char *file = temporary_write(temporary, "keys", keys, strlen(keys));
    DAEMON_START(&walk->daemons[SERVER_OPEN], "--admin", DIGITS);
    DAEMON_START(&walk->daemons[SERVER_KEYED], "--admin", "--api-keys", file, DIGITS);
    DAEMON_START(&walk->daemons[SERVER_UNLOADED], "--admin", DIGITS);
    unload(&walk->daemons[SERVER_UNLOADED], "digits");
    DAEMON_START(&walk->daemons[SERVER_DRAINING], "--drain-delay-ms", NEVER_MS, DIGITS);
    wait_until_draining(&walk->daemons[SERVER_DRAINING]);
    DAEMON_START(&walk->daemons[SERVER_SLOW], DIGITS, slow, "--request-timeout-ms", "40",
                 "--max-batch-rows", "100000", "--loops", "1");
}

static void stop_servers(struct walk *walk)
{
    daemon_signal(&walk->daemons[SERVER_DRAINING], SIGTERM);
    cr_assert_eq(daemon_wait(&walk->daemons[SERVER_DRAINING], PATIENCE_MS), 0);
    for (size_t i = 0; i < SERVERS; i++)
        if (i != SERVER_DRAINING)
            daemon_stop(&walk->daemons[i]);
}

Test(openapi_calls, every_operation_gives_every_status_it_documents)
{
    static const struct chain chain = {"x", "y", {4, 512, 512, 512, 4, 0}, "Relu"};
    char network[NETWORK_PATH_BYTES], slow[NETWORK_PATH_BYTES + 8];
    struct temporary temporary;
    struct walk walk;
    const char *path, *method;
    json_t *item, *node;
    int file = network_file(network, &chain, 1);
    temporary_open(&temporary);
    snprintf(slow, sizeof slow, "slow=%s", network);
    start_servers(&walk, &temporary, slow);
    walk.document = get_json(&walk.daemons[SERVER_OPEN], "/openapi.json");
    json_object_foreach(json_object_get(walk.document, "paths"), path, item)
    {
        json_object_foreach(item, method, node)
        {
            walk_operation(&walk,
                           &(struct operation){.path = path, .method = method, .node = node});
        }
    }
    stop_servers(&walk);
    json_decref(walk.document);
    temporary_close(&temporary);
    close(file);
}
