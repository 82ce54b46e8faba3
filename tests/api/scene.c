#include "scene.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CSV_BYTES_MAX = 1 << 19 };

/* The data */

static void read_lines(const char *path, char *text, const char **lines)
{
    FILE *file = fopen(path, "re");
    cr_assert(file, "%s: run the tests from the repository's root", path);
    text[fread(text, 1, CSV_BYTES_MAX - 1, file)] = '\0';
    fclose(file);
    char *rest = NULL;
    size_t count = 0;
    for (char *line = strtok_r(text, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest))
        if (count < DIGITS_ROWS)
            lines[count++] = line;
    cr_assert(count == DIGITS_ROWS, "%s has %zu lines", path, count);
}

static void read_digits(struct digits *data)
{
    static char csv[CSV_BYTES_MAX], labels_csv[CSV_BYTES_MAX];
    const char *labels[DIGITS_ROWS];
    read_lines("models/digits/digits.csv", csv, data->lines);
    read_lines("models/digits/labels.csv", labels_csv, labels);
    for (size_t r = 0; r < DIGITS_ROWS; r++) {
        const char *at = data->lines[r];
        data->labels[r] = labels[r][0];
        for (size_t i = 0; i < PIXELS; i++, at += *at == ',') {
            char *end;
            data->pixels[r][i] = strtof(at, &end);
            at = end;
        }
    }
}

const struct digits *digits(void)
{
    static struct digits data;
    if (!data.lines[0])
        read_digits(&data);
    return &data;
}

char *digits_body(size_t first, size_t count, const char *tail)
{
    const struct digits *data = digits();
    size_t room = strlen(tail) + 32, length;
    for (size_t i = 0; i < count; i++)
        room += strlen(data->lines[(first + i) % DIGITS_ROWS]) + 3;
    char *body = malloc(room);
    cr_assert(body);
    length = (size_t)sprintf(body, "{\"inputs\":[");
    for (size_t i = 0; i < count; i++)
        length += (size_t)sprintf(body + length, "%s[%s]", i ? "," : "",
                                  data->lines[(first + i) % DIGITS_ROWS]);
    sprintf(body + length, "]%s}", tail);
    return body;
}

const char *good_body(void)
{
    static char body[512];
    if (!body[0])
        snprintf(body, sizeof body, "{\"inputs\":[[%s]]}", digits()->lines[0]);
    return body;
}

/* Replies */

static void expect_answer(const struct reply *reply, long status, const char *what)
{
    if (reply->status != status)
        cr_assert_fail("%s: expected status %ld, found %ld: %.300s", what, status, reply->status,
                       reply->body);
}

void expect_json(const struct reply *reply, long status, const char *what)
{
    char type[HEADER_BYTES];
    expect_answer(reply, status, what);
    if (strcmp(reply_header(reply, "Content-Type", type), "application/json") != 0)
        cr_assert_fail("%s: the content type is \"%s\"", what, type);
}

void expect_command(int status, const char *const *arguments, struct command *command)
{
    command_run(command, NULL, arguments);
    cr_assert_eq(command->status, status, "%d: %s%s", command->status, command->err, command->out);
}

void expect_command_fails(int status, const char *part, const char *const *arguments)
{
    struct command command;
    expect_command(status, arguments, &command);
    cr_assert(strncmp(command.err, "relud: ", 7) == 0 && strstr(command.err, part) &&
                  strchr(command.err, '\n')[1] == '\0' && !command.out[0],
              "expected \"%s\", found %s%s", part, command.err, command.out);
    command_free(&command);
}

json_t *json_of(const struct reply *reply)
{
    json_error_t error;
    json_t *json = json_loadb(reply->body, reply->body_count, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        cr_assert_fail("no JSON (%s): %.300s", error.text, reply->body);
    return json;
}

void expect_error(const struct reply *reply, long status, const char *code, const char *part,
                  const char *what)
{
    expect_json(reply, status, what);
    json_t *json = json_of(reply);
    const char *sentence = json_string_value(json_object_get(json, "error"));
    const char *found = json_string_value(json_object_get(json, "code"));
    if (json_object_size(json) != 2 || !sentence || !found || strcmp(found, code) != 0 ||
        !strstr(sentence, part))
        cr_assert_fail("%s: expected code %s and \"%s\" in the sentence, found %s", what, code,
                       part, reply->body);
    json_decref(json);
}

void expect_alive(const struct daemon *daemon, const char *what)
{
    struct reply reply;
    client_get(daemon->port, "/healthz", &reply);
    expect_json(&reply, 200, what);
    reply_free(&reply);
    client_post(daemon->port, "/infer", good_body(), &reply);
    expect_json(&reply, 200, what);
    reply_free(&reply);
}

json_t *get_json(const struct daemon *daemon, const char *path)
{
    struct reply reply;
    client_get(daemon->port, path, &reply);
    expect_json(&reply, 200, path);
    json_t *json = json_of(&reply);
    reply_free(&reply);
    return json;
}

uint64_t sum_of(const json_t *array)
{
    uint64_t sum = 0;
    size_t i;
    const json_t *item;
    json_array_foreach(array, i, item) sum +=
        json_is_array(item) ? sum_of(item) : (uint64_t)json_integer_value(item);
    return sum;
}

size_t outputs_of(const struct reply *reply, float *y, size_t room)
{
    const char *at = strstr(reply->body, "\"outputs\":");
    const char *end = at ? strstr(at, "\"labels\"") : NULL;
    if (at && !end)
        end = strstr(at, "\"timing_us\"");
    size_t count = 0;
    while (at && (at = strpbrk(at, "[,")) != NULL && at < end) {
        char *after;
        float value = strtof(at + 1, &after);
        if (after > at + 1 && count < room)
            y[count++] = value;
        at++;
    }
    return count;
}

void raw_scores(const struct daemon *daemon, const char *path, size_t first, size_t count,
                float *scores)
{
    struct client *client = client_open(daemon->port);
    struct reply reply;
    for (size_t r = 0; r < count; r++) {
        struct request request = {.path = path,
                                  .headers = {"Content-Type: application/octet-stream",
                                              "Accept: application/octet-stream"},
                                  .body = digits()->pixels[(first + r) % DIGITS_ROWS],
                                  .body_count = PIXELS * sizeof(float)};
        client_send(client, &request, &reply);
        expect_answer(&reply, 200, "one row, raw");
        if (reply.body_count != SCORES * sizeof(float))
            cr_assert_fail("a raw answer has %zu bytes", reply.body_count);
        memcpy(scores + r * SCORES, reply.body, reply.body_count);
        reply_free(&reply);
    }
    client_close(client);
}

bool same_bits(const float *a, const float *b, size_t count)
{
    return memcmp(a, b, count * sizeof *a) == 0;
}
