/* Bodies of v2 that must be refused, each with its status and one sentence, and each followed by a
 * good request on the same daemon. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "encode.h"
#include "pair.h"

#define LENGTH "Inference-Header-Content-Length: "

static void expect_refused(const struct daemon *daemon, const struct tensors *body, long status,
                           const char *part, const char *what)
{
    struct reply reply;
    tensors_post(daemon, DIGITS_V2, body, &reply);
    expect_error(&reply, status, status == 413 ? "too_large" : "invalid", part, what);
    reply_free(&reply);
    expect_alive(daemon, what);
}

/* "R" stands for row 0's 64 numbers, "P" for the beginning of a good input and its data. */
#define ROW_21 "1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1"
#define ROW_63 ROW_21 "," ROW_21 "," ROW_21
#define P      "{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"shape\":[1,64],\"data\":[R]"
static const struct {
    const char *body, *part;
} cases[] = {
    /* Another document */
    {"", "empty body"},
    {"[]", "expected a JSON object"},
    {"{}", "\"inputs\": expected a list of tensors"},
    {"{\"inputs\":null}", "\"inputs\": expected a list of tensors"},
    {"{\"inputs\":[]}", "\"inputs\": expected a list of tensors"},
    {"{\"inputs\":[R]}", "\"inputs\": expected a list of tensors"},
    {"{\"inputs\":[[R]]}", "\"inputs\": expected a list of tensors"},
    {"{\"inputs\":{\"pixels\":[R]}}", "\"inputs\": expected a list of tensors"},
    {"{\"inputs\":7}", "expected an array"},
    {"{\"inputs\":[{}]}", "expected objects with a \"name\""},
    {"{\"inputs\":[{\"name\":1}]}", "expected objects with a \"name\""},
    {"{\"inputs\":[{\"name\":\"x\"}]}", "the model has no input \"x\""},
    {"{\"inputs\":[[{\"name\":\"pixels\"}]]}", "expected a number"},
    {P "}", "malformed JSON"},
    {P "}]}}", "malformed JSON"},
    {P ",}]}", "malformed JSON"},
    {P "}]}x", "malformed JSON"},
    {P ",\"data\":[R]}]}", "duplicate"},
    {P "}],\"inputs\":[]}", "duplicate"},
    /* Inputs */
    {P "},{\"name\":\"pixels\",\"datatype\":\"FP32\",\"shape\":[1,64],\"data\":[R]}]}",
     "input \"pixels\": it is given twice"},
    {P "},{\"name\":\"more\",\"datatype\":\"FP32\",\"shape\":[1,64],\"data\":[R]}]}",
     "the model has no input \"more\""},
    {P ",\"parameters\":{\"binary_data_size\":256}}]}", "expected either \"data\" or"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"shape\":[1,64]}]}",
     "input \"pixels\": expected either \"data\" or the parameter \"binary_data_size\""},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"shape\":[1,64],\"parameters\":"
     "{\"shared_memory_region\":\"x\"}}]}",
     "expected either \"data\""},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"shape\":[1,64],\"parameters\":"
     "{\"binary_data_size\":256}}]}",
     "expected 256 bytes of binary data behind the JSON, found 0"},
    /* Shapes */
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[R]}]}",
     "input \"pixels\": expected \"shape\""},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[R],\"shape\":64}]}",
     "expected \"shape\""},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[R],\"shape\":"
     "[1,1,1,1,1,1,1,1,64]}]}",
     "at most 8 dimensions"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[R],\"shape\":[]}]}",
     "expected the shape [-1, 64], found []"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[R],\"shape\":[64]}]}",
     "expected the shape [-1, 64], found [64]"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[R],\"shape\":[64,1]}]}",
     "expected the shape [-1, 64], found [64, 1]"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[R],\"shape\":[0,64]}]}",
     "dimension 0 of the shape: expected a whole number from 1 on"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[R],\"shape\":[-1,64]}]}",
     "dimension 0"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[R],\"shape\":[-1,-64]}]}",
     "dimension 0"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[R],\"shape\":[1,-64]}]}",
     "dimension 1"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[R],\"shape\":[1.0,64]}]}",
     "dimension 0"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[R],\"shape\":[\"1\",64]}]}",
     "dimension 0"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[R],"
     "\"shape\":[16,1152921504606846978]}]}",
     "expected the shape [-1, 64], found [16, 1152921504606846978]"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[R],"
     "\"shape\":[99999999999999999999,64]}]}",
     "malformed JSON"},
    /* Data */
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[],\"shape\":[1,64]}]}",
     "expected 64 numbers, as the shape says, found 0"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[R,1,2],\"shape\":[1,64]}]}",
     "expected 64 numbers, as the shape says, found 66"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[R,1],\"shape\":[1,66]}]}",
     "expected the shape [-1, 64], found [1, 66]"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[" ROW_63
     "],\"shape\":[1,64]}]}",
     "expected 64 numbers, as the shape says, found 63"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[R,R],\"shape\":[1,64]}]}",
     "found 128"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[R],\"shape\":[2,64]}]}",
     "expected 128 numbers, as the shape says, found 64"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[[R,R]],\"shape\":[2,64]}]}",
     "\"data\" is not nested as its shape"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[[1],[R]],\"shape\":[1,64]}]"
     "}",
     "found 65"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":5,\"shape\":[1,64]}]}",
     "found a number"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":null,\"shape\":[1,64]}]}",
     "expected a list of numbers"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":{},\"shape\":[1,64]}]}",
     "expected a list of numbers"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":\"R\",\"shape\":[1,64]}]}",
     "expected a list of numbers"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[NaN],\"shape\":[1,64]}]}",
     "expected a number"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[1e39],\"shape\":[1,64]}]}",
     "beyond float32's range"},
    /* Datatypes */
    {"{\"inputs\":[{\"name\":\"pixels\",\"data\":[R],\"shape\":[1,64]}]}",
     "expected a \"datatype\""},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":4,\"data\":[R],\"shape\":[1,64]}]}",
     "expected a \"datatype\""},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"BYTES\",\"data\":[R],\"shape\":[1,64]}]}",
     "found \"BYTES\""},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"fp32\",\"data\":[R],\"shape\":[1,64]}]}",
     "found \"fp32\""},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"BOOL\",\"data\":[R],\"shape\":[1,64]}]}",
     "number 2 is no BOOL"},
    {"{\"inputs\":[{\"name\":\"pixels\",\"datatype\":\"FP32\",\"data\":[true],\"shape\":[1,64]}]}",
     "found 1"},
    /* Outputs */
    {P "}],\"outputs\":{}}", "\"outputs\": expected a list"},
    {P "}],\"outputs\":[1]}", "expected objects with a \"name\""},
    {P "}],\"outputs\":[{\"name\":\"x\"}]}", "the model has no output \"x\""},
    {P "}],\"outputs\":[{\"name\":\"pixels\"}]}", "the model has no output \"pixels\""},
    {P "}],\"outputs\":[{\"name\":\"scores\"},{\"name\":\"scores\"}]}",
     "output \"scores\": it is asked for twice"},
    {P "}],\"outputs\":[{\"name\":\"scores\",\"parameters\":{\"binary_data\":1}}]}",
     "output \"scores\": \"binary_data\": expected true or false"},
    {P "}],\"outputs\":[{\"name\":\"scores\",\"parameters\":{\"classification\":-1}}]}",
     "\"classification\": expected a number from 0 on"},
    {P "}],\"outputs\":[{\"name\":\"scores\",\"parameters\":{\"classification\":\"3\"}}]}",
     "\"classification\""},
    /* Parameters */
    {P "}],\"id\":7}", "\"id\": expected a string"},
    {P "}],\"parameters\":[]}", "\"parameters\": expected an object"},
    {P "}],\"parameters\":{\"stats\":\"all\"}}", "\"stats\": expected none, summary or units"},
    {P "}],\"parameters\":{\"timeout\":-1}}", "\"timeout\": expected microseconds"},
    {P "}],\"parameters\":{\"timeout\":\"1\"}}", "\"timeout\""},
    {P "}],\"parameters\":{\"binary_data_output\":\"true\"}}", "\"binary_data_output\""},
};

/* The body with every R replaced by row 0. */
static void expand(struct tensors *body, const char *from)
{
    const char *row = digits()->lines[0];
    size_t room = strlen(from) * strlen(row) + 1;
    *body = (struct tensors){.bytes = calloc(room, 1)};
    cr_assert(body->bytes);
    char *at = body->bytes;
    for (; *from; from++)
        at += *from == 'R' ? sprintf(at, "%s", row) : sprintf(at, "%c", *from);
    body->count = body->json_count = (size_t)(at - body->bytes);
}

/* With the header as without it: then the JSON is read before the body has ended. */
Test(v2_hostile, each_body_is_400_with_its_sentence)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tensors body;
        expand(&body, cases[i].body);
        expect_refused(&daemon, &body, 400, cases[i].part, cases[i].body);
        body.binary = body.count > 0;
        expect_refused(&daemon, &body, 400, body.count ? cases[i].part : "", cases[i].body);
        tensors_free(&body);
    }
    daemon_stop(&daemon);
}

/* Shapes and sizes whose product overflows must not pass for the bytes that came. */
Test(v2_hostile, binary_sizes_that_do_not_fit)
{
    static const struct {
        const char *shape, *datatype, *size, *part;
        size_t count;
        long status;
    } binaries[] = {
        {"[1,64]", "FP32", "252", "\"binary_data_size\": expected 256, for 64 FP32", 252, 400},
        {"[1,64]", "FP32", "-256", "\"binary_data_size\": expected 256", 256, 400},
        {"[1,64]", "FP32", "256.0", "\"binary_data_size\": expected 256", 256, 400},
        {"[1,64]", "FP64", "256", "\"binary_data_size\": expected 512, for 64 FP64", 256, 400},
        {"[1,64]", "FP32", "256", "expected 256 bytes of binary data behind the JSON, found 255",
         255, 400},
        {"[1,64]", "FP32", "256", "expected 256 bytes of binary data behind the JSON, found 258",
         258, 400},
        {"[2,64]", "FP32", "512", "behind the JSON, found 256", 256, 400},
        {"[1,64]", "FP64", "512", "number 0 is beyond float32's range", 512, 400},
        {"[16,1152921504606846978]", "FP32", "128", "expected the shape [-1, 64]", 128, 400},
        {"[4611686018427387905,64]", "FP32", "256", "expected at most 4096 rows", 256, 413},
        {"[4097,64]", "FP32", "1048832", "expected at most 4096 rows, found 4097", 256, 413},
    };
    double numbers[64];
    struct daemon daemon;
    for (size_t i = 0; i < 64; i++)
        numbers[i] = 1e300;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < sizeof binaries / sizeof binaries[0]; i++) {
        struct tensors body;
        tensors_write(&body, numbers, binaries[i].count,
                      "{\"inputs\":[{\"name\":\"pixels\",\"shape\":%s,\"datatype\":\"%s\","
                      "\"parameters\":{\"binary_data_size\":%s}}]}",
                      binaries[i].shape, binaries[i].datatype, binaries[i].size);
        expect_refused(&daemon, &body, binaries[i].status, binaries[i].part, body.bytes);
        tensors_free(&body);
    }
    daemon_stop(&daemon);
}

Test(v2_hostile, lengths_of_the_json)
{
    static const struct {
        const char *header, *part;
    } lengths[] = {
        {LENGTH "99999999999", "expected a number of bytes up to 67108864, found \"99999999999\""},
        {LENGTH "99999999999999999999999", "expected a number of bytes"},
        {LENGTH "18446744073709551615", "expected a number of bytes"},
        {LENGTH "-1", "expected a number of bytes up to 67108864, found \"-1\""},
        {LENGTH "+1", "expected a number of bytes"},
        {LENGTH "1x", "expected a number of bytes"},
        {LENGTH "0x10", "expected a number of bytes"},
        {LENGTH "x", "expected a number of bytes"},
        {LENGTH "1", "malformed JSON"},
        {LENGTH "67108864", "announces 67108864 bytes of JSON, the body has"},
    };
    struct daemon daemon;
    struct tensors body;
    DAEMON_START(&daemon, DIGITS);
    tensors_digits(&body, 0, 1, true, "");
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct reply reply;
        struct request request = {.path = DIGITS_V2,
                                  .headers = {lengths[i].header},
                                  .body = body.bytes,
                                  .body_count = body.count};
        client_once(daemon.port, &request, &reply);
        expect_error(&reply, 400, "invalid", lengths[i].part, lengths[i].header);
        reply_free(&reply);
        expect_alive(&daemon, lengths[i].header);
    }
    tensors_free(&body);
    daemon_stop(&daemon);
}

Test(v2_hostile, rows_at_the_limit_and_one_more)
{
    struct daemon daemon;
    struct reply reply;
    DAEMON_START(&daemon, DIGITS, "--max-batch-rows", "5");
    for (size_t i = 0; i < 4; i++) {
        struct tensors body;
        tensors_digits(&body, 0, 5 + i / 2, i & 1, "");
        tensors_post(&daemon, DIGITS_V2, &body, &reply);
        if (i / 2)
            expect_error(&reply, 413, "too_large", "at most 5 rows, found 6", "6 rows");
        else
            json_decref(tensors_json(&reply));
        reply_free(&reply);
        tensors_free(&body);
        expect_alive(&daemon, "rows");
    }
    daemon_stop(&daemon);
}

/* Rows of several inputs must agree. */
Test(v2_hostile, inputs_that_disagree)
{
    struct daemon daemon;
    struct reply reply;
    struct tensors body;
    int file = pair_start(&daemon);
    tensors_write(&body, NULL, 0,
                  "{\"inputs\":[{\"name\":\"b\",\"shape\":[1,5],\"datatype\":\"FP32\",\"data\":"
                  "[1,2,3,4,5]},{\"name\":\"a\",\"shape\":[2,3],\"datatype\":\"FP32\",\"data\":"
                  "[1,2,3,4,5,6]}]}");
    tensors_post(&daemon, "/v2/models/pair/infer", &body, &reply);
    expect_error(&reply, 400, "invalid", "input \"a\": found 2 rows, the input before it has 1",
                 "rows");
    reply_free(&reply);
    tensors_free(&body);
    tensors_write(&body, NULL, 0,
                  "{\"inputs\":[{\"name\":\"b\",\"shape\":[1,5],\"datatype\":\"FP32\",\"data\":"
                  "[1,2,3,4,5]}]}");
    tensors_post(&daemon, "/v2/models/pair/infer", &body, &reply);
    expect_error(&reply, 400, "invalid", "input \"a\" is missing", "one of two");
    reply_free(&reply);
    tensors_free(&body);
    daemon_stop(&daemon);
    close(file);
}

Test(v2_hostile, json_nested_120_and_250000_deep)
{
    static const size_t depths[] = {120, 250000};
    static const struct {
        const char *begin, *end;
        char open, close;
    } shapes[] = {{"{\"inputs\":", "}", '[', ']'},
                  {"{\"inputs\":[{\"data\":", "}]}", '[', ']'},
                  {"{\"parameters\":", "}", '[', ']'},
                  {"", "", '[', ']'},
                  {"{\"id\":", "}", '{', '}'}};
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < 2 * sizeof shapes / sizeof shapes[0]; i++) {
        size_t depth = depths[i % 2];
        char *middle = malloc(2 * depth + 1);
        struct tensors body;
        cr_assert(middle);
        memset(middle, shapes[i / 2].open, depth);
        memset(middle + depth, shapes[i / 2].close, depth);
        middle[2 * depth] = '\0';
        tensors_write(&body, NULL, 0, "%s%s%s", shapes[i / 2].begin, middle, shapes[i / 2].end);
        expect_refused(&daemon, &body, 400, "deep", shapes[i / 2].begin);
        tensors_free(&body);
        free(middle);
    }
    daemon_stop(&daemon);
}

/* Transfer */

Test(v2_hostile, many_chunks)
{
    enum { CHUNKS = 65537 };
    struct daemon daemon;
    struct reply reply;
    char head[256];
    struct tensors body;
    DAEMON_START(&daemon, DIGITS, "--max-batch-rows", "300");
    tensors_digits(&body, 0, 256, true, "");
    cr_assert_geq(body.count, CHUNKS - 1);
    size_t count = CHUNKS - 1, length;
    char *chunks = encode_chunks(body.bytes, count, 1, &length);
    snprintf(head, sizeof head,
             "POST " DIGITS_V2 " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" LENGTH
             "%zu\r\n\r\n",
             body.json_count);
    int wire = wire_connect(daemon.port);
    cr_assert(wire_text(wire, head) && wire_send(wire, chunks, length));
    wire_answer(wire, &reply, PATIENCE_MS);
    expect_error(&reply, 400, "invalid", "expected 65536 bytes of binary data", "65537 chunks");
    reply_free(&reply);
    close(wire);
    free(chunks);
    tensors_free(&body);
    expect_alive(&daemon, "65537 chunks");
    daemon_stop(&daemon);
}

/* A good body, made count bytes long with spaces behind or, for binary ones, inside the JSON. */
static void pad(struct tensors *body, bool binary, size_t count)
{
    tensors_digits(body, 0, 1, binary, "");
    size_t pad = count - body->count;
    char *bytes = malloc(count);
    cr_assert(bytes && body->count <= count);
    memcpy(bytes, body->bytes, body->json_count);
    memset(bytes + body->json_count, ' ', pad);
    memcpy(bytes + body->json_count + pad, body->bytes + body->json_count,
           body->count - body->json_count);
    free(body->bytes);
    body->bytes = bytes;
    body->json_count += pad;
    body->count = count;
}

Test(v2_hostile, body_limit_less_one_exactly_and_one_more)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--max-body-bytes", "2000");
    for (size_t i = 0; i < 12; i++) {
        struct tensors body;
        struct reply reply;
        char length[64];
        size_t count = 1999 + i % 3, sent;
        bool binary = i / 3 & 1, gzip = i / 6;
        pad(&body, binary, count);
        sent = count;
        void *encoded = gzip ? encode(ENCODE_GZIP, body.bytes, count, &sent) : NULL;
        snprintf(length, sizeof length, LENGTH "%zu", body.json_count);
        struct request request = {
            .path = DIGITS_V2,
            .headers = {gzip ? "Content-Encoding: gzip" : "Expect:", binary ? length : NULL},
            .body = gzip ? encoded : body.bytes,
            .body_count = sent};
        client_once(daemon.port, &request, &reply);
        if (count > 2000)
            expect_error(&reply, 413, "too_large", "2000 bytes", length);
        else
            json_decref(tensors_json(&reply));
        reply_free(&reply);
        free(encoded);
        tensors_free(&body);
        expect_alive(&daemon, length);
    }
    daemon_stop(&daemon);
}

static void post_gzip(const struct daemon *daemon, const void *bytes, size_t count,
                      size_t json_count, struct reply *reply)
{
    char length[64];
    snprintf(length, sizeof length, LENGTH "%zu", json_count);
    struct request request = {
        .path = DIGITS_V2,
        .headers = {"Content-Encoding: gzip", "Expect:", json_count ? length : NULL},
        .body = bytes,
        .body_count = count};
    client_once(daemon->port, &request, reply);
}

Test(v2_hostile, gzip_bombs_are_413)
{
    enum { BOMB_BYTES = 20000000 };
    struct daemon daemon;
    struct tensors body;
    struct reply reply;
    size_t count;
    DAEMON_START(&daemon, DIGITS, "--max-body-bytes", "100000");
    for (size_t i = 0; i < 2; i++) {
        pad(&body, i, BOMB_BYTES);
        if (i)
            body.json_count -= BOMB_BYTES / 2; /* the rest would be binary data */
        void *bomb = encode(ENCODE_GZIP, body.bytes, body.count, &count);
        cr_assert(count < 100000);
        post_gzip(&daemon, bomb, count, i ? 500 : 0, &reply);
        expect_error(&reply, 413, "too_large", "100000 bytes", "gzip bomb");
        reply_free(&reply);
        expect_alive(&daemon, "gzip bomb");
        free(bomb);
        tensors_free(&body);
    }
    daemon_stop(&daemon);
}

/* A byte spoilt in each of 100 places: most are noticed by zlib, the rest by what reads the JSON.
 */
Test(v2_hostile, a_hundred_malformed_gzip_bodies)
{
    struct daemon daemon;
    struct tensors body;
    size_t count;
    DAEMON_START(&daemon, DIGITS);
    tensors_digits(&body, 0, 4, true, "");
    uint8_t *gzip = encode(ENCODE_GZIP, body.bytes, body.count, &count);
    for (size_t i = 0; i < 100; i++) {
        struct reply reply;
        size_t at = 10 + i * (count - 10) / 100;
        gzip[at] ^= (uint8_t)(1 + i);
        post_gzip(&daemon, gzip, i % 2 ? count : at + 1, body.json_count, &reply);
        expect_error(&reply, 400, "invalid", "", "malformed gzip");
        reply_free(&reply);
        gzip[at] ^= (uint8_t)(1 + i);
    }
    struct reply reply;
    post_gzip(&daemon, gzip, count, body.json_count, &reply);
    json_decref(tensors_json(&reply));
    reply_free(&reply);
    free(gzip);
    tensors_free(&body);
    expect_alive(&daemon, "malformed gzip");
    daemon_stop(&daemon);
}
