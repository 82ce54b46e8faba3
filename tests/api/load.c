#include "load.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

/* xorshift64 (Marsaglia 2003). */
static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state >> 16;
}

void quiz_init(struct quiz *quiz, const char *path, size_t features, size_t outputs, size_t rows)
{
    uint64_t state = 88172645463325252u;
    *quiz = (struct quiz){path, features, outputs, rows, NULL, NULL};
    quiz->x = malloc(rows * features * sizeof *quiz->x);
    quiz->y = calloc(rows * outputs, sizeof *quiz->y);
    cr_assert(quiz->x && quiz->y);
    for (size_t i = 0; i < rows * features; i++)
        quiz->x[i] = next(&state) % 3 ? (float)(next(&state) % 20000) * 1e-4f : 0.0f;
}

void quiz_free(struct quiz *quiz)
{
    free(quiz->x);
    free(quiz->y);
}

static char *json_body(const float *x, size_t rows, size_t features, size_t *count)
{
    char *body = malloc(rows * (features * (NUMBER_FLOAT_CHARS + 1) + 3) + 32), *at = body;
    if (!body)
        abort();
    at += sprintf(at, "{\"inputs\":[");
    for (size_t r = 0; r < rows; r++) {
        at += sprintf(at, r ? ",[" : "[");
        for (size_t i = 0; i < features; i++) {
            if (i)
                *at++ = ',';
            at += number_write_float(at, x[r * features + i]);
        }
        *at++ = ']';
    }
    at += sprintf(at, "]}");
    *count = (size_t)(at - body);
    return body;
}

struct request quiz_request(const struct quiz *quiz, size_t first, size_t count, bool raw)
{
    const float *x = quiz->x + first * quiz->features;
    struct request request = {.path = quiz->path, .headers = {"Expect:"}};
    if (!raw) {
        request.body = json_body(x, count, quiz->features, &request.body_count);
        return request;
    }
    request.headers[1] = "Content-Type: application/octet-stream";
    request.headers[2] = "Accept: application/octet-stream";
    request.body_count = count * quiz->features * sizeof *x;
    void *copy = malloc(request.body_count);
    if (!copy)
        abort();
    request.body = memcpy(copy, x, request.body_count);
    return request;
}

bool quiz_is_right(const struct quiz *quiz, size_t first, size_t count, bool raw,
                   const struct reply *reply)
{
    const float *expected = quiz->y + first * quiz->outputs;
    size_t outputs = count * quiz->outputs;
    if (reply->status != 200)
        return false;
    if (raw)
        return reply->body_count == outputs * sizeof *expected &&
               memcmp(reply->body, expected, reply->body_count) == 0;
    float *found = malloc(outputs * sizeof *found);
    bool right = found && outputs_of(reply, found, outputs) == outputs &&
                 same_bits(found, expected, outputs);
    free(found);
    return right;
}

void quiz_learn(struct quiz *quiz, const struct daemon *daemon)
{
    struct client *client = client_open(daemon->port);
    size_t row_bytes = quiz->outputs * sizeof *quiz->y;
    for (size_t r = 0; r < quiz->rows; r++) {
        struct request request = quiz_request(quiz, r, 1, true);
        struct reply reply;
        client_send(client, &request, &reply);
        if (reply.status != 200 || reply.body_count != row_bytes)
            cr_assert_fail("row %zu: %ld, %s", r, reply.status, reply.body);
        memcpy(quiz->y + r * quiz->outputs, reply.body, row_bytes);
        reply_free(&reply);
        free((void *)request.body);
    }
    client_close(client);
}

/* Askers */

static void judge(struct asker *asker, size_t first, size_t count, bool raw,
                  const struct reply *reply)
{
    if (reply->status != 200) {
        asker->other++;
        return;
    }
    if (quiz_is_right(asker->quiz, first, count, raw, reply)) {
        asker->right++;
    } else if (asker->wrong++ == 0) {
        snprintf(asker->first_wrong, sizeof asker->first_wrong, "rows %zu to %zu: %.200s", first,
                 first + count - 1, raw ? "(raw)" : reply->body);
    }
    const char *batch = raw ? NULL : strstr(reply->body, "\"batch_rows\":");
    asker->batched += batch && strtoul(batch + 13, NULL, 10) > count;
}

static void *ask(void *context)
{
    struct asker *asker = context;
    struct client *client = client_open(asker->port);
    for (size_t i = 0; i < asker->times && !(asker->stop && atomic_load(asker->stop)); i++) {
        size_t count = 1 + next(&asker->seed) % asker->most;
        size_t first = next(&asker->seed) % (asker->quiz->rows - count + 1);
        bool raw = i % 2;
        struct request request = quiz_request(asker->quiz, first, count, raw);
        struct reply reply;
        client_send(client, &request, &reply);
        judge(asker, first, count, raw, &reply);
        reply_free(&reply);
        free((void *)request.body);
    }
    client_close(client);
    return NULL;
}

void asker_start(struct asker *asker)
{
    cr_assert(pthread_create(&asker->thread, NULL, ask, asker) == 0);
}

void asker_join(struct asker *asker)
{
    pthread_join(asker->thread, NULL);
}
