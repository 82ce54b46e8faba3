#include "tensors.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tensors_write(struct tensors *body, const void *binary, size_t binary_count,
                   const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    size_t json = (size_t)vsnprintf(NULL, 0, format, args);
    *body = (struct tensors){.bytes = malloc(json + 1 + binary_count),
                             .json_count = json,
                             .count = json + binary_count,
                             .binary = binary != NULL};
    cr_assert(body->bytes);
    vsnprintf(body->bytes, json + 1, format, again);
    va_end(again);
    va_end(args);
    if (binary)
        memcpy(body->bytes + json, binary, binary_count);
}

void tensors_free(struct tensors *body)
{
    free(body->bytes);
}

void tensors_digits(struct tensors *body, size_t first, size_t rows, bool binary, const char *tail)
{
    size_t bytes = rows * PIXELS * sizeof(float);
    if (binary) {
        tensors_write(body, digits()->pixels[first], bytes,
                      "{\"inputs\":[{\"name\":\"pixels\",\"shape\":[%zu,64],\"datatype\":\"FP32\","
                      "\"parameters\":{\"binary_data_size\":%zu}}]%s}",
                      rows, bytes, tail);
        return;
    }
    char *data = malloc(rows * 512);
    size_t length = 0;
    cr_assert(data);
    for (size_t r = 0; r < rows; r++)
        length += (size_t)sprintf(data + length, "%s%s", r ? "," : "", digits()->lines[first + r]);
    tensors_write(body, NULL, 0,
                  "{\"inputs\":[{\"name\":\"pixels\",\"shape\":[%zu,64],\"datatype\":\"FP32\","
                  "\"data\":[%s]}]%s}",
                  rows, data, tail);
    free(data);
}

void tensors_post(const struct daemon *daemon, const char *path, const struct tensors *body,
                  struct reply *reply)
{
    char length[64];
    snprintf(length, sizeof length, "Inference-Header-Content-Length: %zu", body->json_count);
    struct request request = {.path = path,
                              .headers = {"Expect:", "Content-Type:", body->binary ? length : NULL},
                              .body = body->bytes,
                              .body_count = body->count};
    client_once(daemon->port, &request, reply);
}

/* Bytes of the reply's JSON. */
static size_t json_count(const struct reply *reply)
{
    char length[HEADER_BYTES];
    reply_header(reply, "Inference-Header-Content-Length", length);
    return length[0] ? strtoull(length, NULL, 10) : reply->body_count;
}

json_t *tensors_json(const struct reply *reply)
{
    char type[HEADER_BYTES];
    json_error_t error;
    size_t count = json_count(reply);
    cr_assert_eq(reply->status, 200, "%s", reply->body);
    cr_assert_leq(count, reply->body_count);
    cr_assert_str_eq(reply_header(reply, "Content-Type", type),
                     count < reply->body_count ? "application/octet-stream" : "application/json");
    json_t *json = json_loadb(reply->body, count, JSON_REJECT_DUPLICATES, &error);
    cr_assert(json, "%s: %s", error.text, reply->body);
    return json;
}

static size_t copy_numbers(const json_t *data, float *y, size_t room)
{
    size_t i;
    const json_t *number;
    json_array_foreach(data, i, number)
    {
        if (i < room)
            y[i] = (float)json_number_value(number);
    }
    return json_array_size(data);
}

static size_t copy_bytes(const char *bytes, size_t count, float *y, size_t room)
{
    cr_assert_leq(count, room * sizeof *y);
    memcpy(y, bytes, count);
    return count / sizeof *y;
}

size_t tensors_output(const struct reply *reply, const char *name, float *y, size_t room)
{
    json_t *json = tensors_json(reply);
    const char *at = reply->body + json_count(reply);
    size_t i, found = 0;
    const json_t *output;
    json_array_foreach(json_object_get(json, "outputs"), i, output)
    {
        bool is_it = strcmp(json_string_value(json_object_get(output, "name")), name) == 0;
        const json_t *data = json_object_get(output, "data");
        size_t bytes = (size_t)json_integer_value(
            json_object_get(json_object_get(output, "parameters"), "binary_data_size"));
        cr_assert_leq(at + bytes, reply->body + reply->body_count);
        if (is_it)
            found = data ? copy_numbers(data, y, room) : copy_bytes(at, bytes, y, room);
        at += bytes;
    }
    cr_assert_eq(at, reply->body + reply->body_count, "bytes are left over");
    json_decref(json);
    return found;
}
