/* POST /v2/models/{m}/infer: what goes in, what comes out. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "encode.h"
#include "network.h"
#include "pair.h"

enum { ROWS = 9 };

static const char binary_out[] = ",\"parameters\":{\"binary_data_output\":true}";

/* Posts body and checks the scores of rows from 0 on against /infer, one by one, raw. */
static void expect_scores(const struct daemon *daemon, const char *path, const struct tensors *body,
                          size_t rows, const char *what)
{
    float expected[ROWS * SCORES], scores[ROWS * SCORES];
    struct reply reply;
    raw_scores(daemon, "/infer", 0, rows, expected);
    tensors_post(daemon, path, body, &reply);
    size_t found = tensors_output(&reply, "scores", scores, ROWS * SCORES);
    if (found != rows * SCORES || !same_bits(scores, expected, found))
        cr_assert_fail("%s: %zu scores: %.300s", what, found, reply.body);
    reply_free(&reply);
}

Test(v2_infer, json_and_binary_give_the_bits_of_infer_in_all_four_combinations)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    for (int i = 0; i < 4; i++) {
        struct tensors body;
        tensors_digits(&body, 0, ROWS, i & 1, i & 2 ? binary_out : "");
        expect_scores(&daemon, DIGITS_V2, &body, ROWS, body.bytes);
        expect_scores(&daemon, "/v2/models/digits/versions/1/infer", &body, ROWS, body.bytes);
        expect_scores(&daemon, "/v2/models/%64igit%73/infer?a=b&model=x&version=9", &body, ROWS,
                      body.bytes);
        tensors_free(&body);
    }
    daemon_stop(&daemon);
}

/* "R" stands for a row's numbers. */
Test(v2_infer, data_may_be_flat_or_nested)
{
    static const char *const forms[] = {"[R,R]", "[[R],[R]]", "[ [ R ] ,\n[R]]"};
    const char *row = digits()->lines[0];
    float expected[2 * SCORES], scores[2 * SCORES];
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    raw_scores(&daemon, "/infer", 0, 1, expected);
    memcpy(expected + SCORES, expected, SCORES * sizeof *expected);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char data[1024], *at = data;
        struct tensors body;
        struct reply reply;
        for (const char *form = forms[i]; *form; form++)
            at += *form == 'R' ? sprintf(at, "%s", row) : sprintf(at, "%c", *form);
        tensors_write(&body, NULL, 0,
                      "{\"inputs\":[{\"data\":%s,\"datatype\":\"FP32\",\"shape\":[2,64],"
                      "\"name\":\"pixels\"}]}",
                      data);
        tensors_post(&daemon, DIGITS_V2, &body, &reply);
        cr_assert_eq(tensors_output(&reply, "scores", scores, 2 * SCORES), 2 * SCORES);
        cr_assert(same_bits(scores, expected, 2 * SCORES), "%s", forms[i]);
        reply_free(&reply);
        tensors_free(&body);
    }
    daemon_stop(&daemon);
}

/* Datatypes */

/* Row 0 in another datatype: its pixels are whole numbers up to 16. */
#define AS(type)                                    \
    static void as_##type(const float *x, void *to) \
    {                                               \
        for (size_t i = 0; i < PIXELS; i++)         \
            ((type *)to)[i] = (type)x[i];           \
    }
AS(int8_t)
AS(int16_t)
AS(int32_t)
AS(int64_t)
AS(double)
AS(float)

/* The upper half of a float, which holds a pixel exactly. */
static void as_bf16(const float *x, void *to)
{
    for (size_t i = 0; i < PIXELS; i++)
        memcpy((char *)to + 2 * i, (const char *)&x[i] + 2, 2);
}

/* Exponent and four bits of mantissa are enough for a pixel. */
static void as_fp16(const float *x, void *to)
{
    for (size_t i = 0; i < PIXELS; i++) {
        int exponent;
        float fraction = frexpf(x[i], &exponent);
        const int half = (exponent + 14) << 10 | ((int)(fraction * 2048) - 1024);
        const uint16_t bits = (uint16_t)(x[i] == 0 ? 0 : half);
        memcpy((char *)to + 2 * i, &bits, 2);
    }
}

static const struct {
    const char *name;
    size_t bytes;
    void (*write)(const float *x, void *to);
} datatypes[] = {{"INT8", 1, as_int8_t},    {"UINT8", 1, as_int8_t},   {"INT16", 2, as_int16_t},
                 {"UINT16", 2, as_int16_t}, {"INT32", 4, as_int32_t},  {"UINT32", 4, as_int32_t},
                 {"INT64", 8, as_int64_t},  {"UINT64", 8, as_int64_t}, {"FP16", 2, as_fp16},
                 {"BF16", 2, as_bf16},      {"FP32", 4, as_float},     {"FP64", 8, as_double}};

Test(v2_infer, every_datatype_of_numbers_is_read)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < sizeof datatypes / sizeof datatypes[0]; i++) {
        struct tensors body;
        double binary[PIXELS];
        size_t count = PIXELS * datatypes[i].bytes;
        datatypes[i].write(digits()->pixels[0], binary);
        tensors_write(&body, binary, count,
                      "{\"inputs\":[{\"name\":\"pixels\",\"shape\":[1,64],\"datatype\":\"%s\","
                      "\"parameters\":{\"binary_data_size\":%zu}}]}",
                      datatypes[i].name, count);
        expect_scores(&daemon, DIGITS_V2, &body, 1, datatypes[i].name);
        tensors_free(&body);
        tensors_write(&body, NULL, 0,
                      "{\"inputs\":[{\"name\":\"pixels\",\"shape\":[1,64],\"datatype\":\"%s\","
                      "\"data\":[%s]}]}",
                      datatypes[i].name, digits()->lines[0]);
        expect_scores(&daemon, DIGITS_V2, &body, 1, datatypes[i].name);
        tensors_free(&body);
    }
    daemon_stop(&daemon);
}

Test(v2_infer, booleans_are_zeros_and_ones)
{
    struct daemon daemon;
    uint8_t bytes[PIXELS];
    float pixels[PIXELS], scores[3][SCORES];
    char literals[PIXELS * 6] = "", *at = literals;
    struct tensors bodies[3];
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < PIXELS; i++) {
        bytes[i] = digits()->pixels[0][i] > 3;
        pixels[i] = bytes[i];
        at += sprintf(at, "%s%s", i ? "," : "", bytes[i] ? "true" : "false");
    }
    tensors_write(&bodies[0], pixels, sizeof pixels,
                  "{\"inputs\":[{\"name\":\"pixels\",\"shape\":[1,64],\"datatype\":\"FP32\","
                  "\"parameters\":{\"binary_data_size\":256}}]}");
    tensors_write(&bodies[1], bytes, sizeof bytes,
                  "{\"inputs\":[{\"name\":\"pixels\",\"shape\":[1,64],\"datatype\":\"BOOL\","
                  "\"parameters\":{\"binary_data_size\":64}}]}");
    tensors_write(&bodies[2], NULL, 0,
                  "{\"inputs\":[{\"name\":\"pixels\",\"shape\":[1,64],\"datatype\":\"BOOL\","
                  "\"data\":[%s]}]}",
                  literals);
    for (size_t i = 0; i < 3; i++) {
        struct reply reply;
        tensors_post(&daemon, DIGITS_V2, &bodies[i], &reply);
        cr_assert_eq(tensors_output(&reply, "scores", scores[i], SCORES), SCORES);
        cr_assert(same_bits(scores[i], scores[0], SCORES), "%zu", i);
        reply_free(&reply);
        tensors_free(&bodies[i]);
    }
    daemon_stop(&daemon);
}

Test(v2_infer, timeout_is_a_deadline)
{
    struct daemon daemon;
    struct reply reply;
    struct tensors body;
    DAEMON_START(&daemon, DIGITS);
    tensors_digits(&body, 0, 2, true, ",\"parameters\":{\"timeout\":1}");
    tensors_post(&daemon, DIGITS_V2, &body, &reply);
    expect_error(&reply, 504, "deadline", "deadline", "one microsecond");
    reply_free(&reply);
    tensors_free(&body);
    tensors_digits(&body, 0, 2, true, ",\"parameters\":{\"timeout\":0,\"priority\":7}");
    expect_scores(&daemon, DIGITS_V2, &body, 2, "0 is none");
    tensors_free(&body);
    tensors_digits(&body, 0, 2, true, ",\"parameters\":{\"timeout\":9223372036854775807}");
    expect_scores(&daemon, DIGITS_V2, &body, 2, "more than the server's own");
    tensors_free(&body);
    daemon_stop(&daemon);
}

/* Shapes of another rank */

/* x [N, 2, 3, 1] -> Flatten -> Gemm -> y [N, 2] as "image"; and with a Transpose over a batch that
 * the file fixes, x [2, 3] -> y [3, 2], as "turned". */
static void pack_image(struct onnx_builder *onnx)
{
    static const float weights[12] = {1, 2, 3, 4, 5, 6, -6, 5, -4, 3, -2, 1};
    onnx_open(onnx);
    onnx_input(onnx, "x", 4, (const int64_t[]){-1, 2, 3, 1});
    onnx_matrix(onnx, "w", 6, 2, weights);
    onnx_node(onnx, "Flatten", "", "x", "flat");
    onnx_node(onnx, "MatMul", "", "flat w", "y");
    onnx_output(onnx, "y");
}

static void pack_turned(struct onnx_builder *onnx)
{
    onnx_open(onnx);
    onnx_input(onnx, "x", 2, (const int64_t[]){2, 3});
    onnx_node(onnx, "Transpose", "", "x", "y");
    onnx_output(onnx, "y");
}

static void expect_y(const struct daemon *daemon, const char *model, const char *shape,
                     const char *data, const char *expected)
{
    char path[64];
    struct tensors body;
    struct reply reply;
    snprintf(path, sizeof path, "/v2/models/%s/infer", model);
    tensors_write(&body, NULL, 0,
                  "{\"inputs\":[{\"name\":\"x\",\"shape\":%s,\"datatype\":\"FP32\",\"data\":%s}]}",
                  shape, data);
    tensors_post(daemon, path, &body, &reply);
    if (!strstr(reply.body, expected))
        cr_assert_fail("%s %s: expected %s, found %s", shape, data, expected, reply.body);
    reply_free(&reply);
    tensors_free(&body);
}

Test(v2_infer, shapes_of_another_rank)
{
    static const char *const one[] = {"[1,2,3,4,5,6]", "[[1,2,3,4,5,6]]",
                                      "[[[[1],[2],[3]],[[4],[5],[6]]]]"};
    char image[NETWORK_PATH_BYTES], turned[NETWORK_PATH_BYTES];
    char arguments[2][NETWORK_PATH_BYTES + 8];
    struct onnx_builder onnx;
    struct daemon daemon;
    pack_image(&onnx);
    int image_file = network_pack(image, &onnx);
    pack_turned(&onnx);
    int turned_file = network_pack(turned, &onnx);
    snprintf(arguments[0], sizeof arguments[0], "image=%s", image);
    snprintf(arguments[1], sizeof arguments[1], "turned=%s", turned);
    DAEMON_START(&daemon, arguments[0], arguments[1], DIGITS, "--default-model", "digits");
    for (size_t i = 0; i < 3; i++)
        expect_y(&daemon, "image", "[1,2,3,1]", one[i], "\"shape\":[1,2],\"data\":[");
    expect_y(&daemon, "image", "[2,2,3,1]", "[1,2,3,4,5,6,0,0,0,0,0,0]",
             "\"shape\":[2,2],\"data\":[");
    expect_y(&daemon, "image", "[1,6]", one[0], "expected the shape [-1, 2, 3, 1], found [1, 6]");
    expect_y(&daemon, "image", "[1,2,3]", one[0], "expected the shape [-1, 2, 3, 1]");
    expect_y(&daemon, "image", "[1,3,2,1]", one[0], "expected the shape [-1, 2, 3, 1]");
    expect_y(&daemon, "image", "[1,2,3,1]", "[[1,2,3],[4,5,6]]", "is not nested as its shape");
    expect_y(&daemon, "image", "[2,2,3,1]", "[[1,2,3,4,5,6,7],[8,9,10,11,12]]",
             "is not nested as its shape");
    expect_y(&daemon, "image", "[1,2,3,1]", "[[[[1,2,3]],[[4,5,6]]]]",
             "is not nested as its shape");
    expect_y(&daemon, "image", "[1,2,3,1]", "[[[[1],[2],[3],[4]],[[5],[6]]]]",
             "is not nested as its shape");
    expect_y(&daemon, "turned", "[2,3]", "[1,2,3,4,5,6]", "\"shape\":[3,2],\"data\":[1,4,2,5,3,6]");
    expect_y(&daemon, "turned", "[2,3]", "[[1,2,3],[4,5,6]]", "[1,4,2,5,3,6]");
    expect_y(&daemon, "turned", "[2,2,3]", "[1,2,3,4,5,6,7,8,9,10,11,12]",
             "\"shape\":[2,3,2],\"data\":[1,4,2,5,3,6,7,10,8,11,9,12]");
    expect_y(&daemon, "turned", "[1,2,3]", "[[1,2,3],[4,5,6]]",
             "\"shape\":[1,3,2],\"data\":[1,4,2,5,3,6]");
    expect_y(&daemon, "turned", "[4,3]", "[1,2,3,4,5,6,7,8,9,10,11,12]",
             "expected the shape [2, 3], found [4, 3]");
    json_t *config = get_json(&daemon, "/v2/models/turned/config");
    int size, rows, columns;
    cr_assert_eq(json_unpack(config, "{s:i, s:[{s:[i,i]}]}", "max_batch_size", &size, "output",
                             "dims", &rows, &columns),
                 0);
    cr_assert(size == 0 && rows == 3 && columns == 2);
    json_decref(config);
    expect_alive(&daemon, "shapes");
    daemon_stop(&daemon);
    close(image_file);
    close(turned_file);
}

/* Transfer */

Test(v2_infer, a_header_length_of_zero_means_the_one_raw_input)
{
    float expected[ROWS * SCORES], scores[ROWS * SCORES];
    struct daemon daemon;
    struct reply reply;
    struct tensors body;
    int file = pair_start(&daemon);
    raw_scores(&daemon, "/infer?model=digits", 0, ROWS, expected);
    tensors_write(&body, digits()->pixels, ROWS * PIXELS * sizeof(float), "%s", "");
    tensors_post(&daemon, DIGITS_V2, &body, &reply);
    cr_assert_eq(tensors_output(&reply, "scores", scores, ROWS * SCORES), ROWS * SCORES);
    cr_assert(same_bits(scores, expected, ROWS * SCORES));
    cr_assert_geq(reply.body_count, sizeof expected, "the reply is binary as well");
    cr_assert(memcmp(reply.body + reply.body_count - sizeof expected, expected, sizeof expected) ==
              0);
    reply_free(&reply);
    tensors_post(&daemon, "/v2/models/pair/infer", &body, &reply);
    expect_error(&reply, 400, "invalid", "a model with 2 inputs", "two inputs");
    reply_free(&reply);
    body.count -= 1;
    tensors_post(&daemon, DIGITS_V2, &body, &reply);
    expect_error(&reply, 400, "invalid", "rows of 256 bytes", "one byte short");
    reply_free(&reply);
    body.count = 0;
    tensors_post(&daemon, DIGITS_V2, &body, &reply);
    expect_error(&reply, 400, "invalid", "found 0 bytes", "nothing");
    reply_free(&reply);
    tensors_free(&body);
    daemon_stop(&daemon);
    close(file);
}

Test(v2_infer, compressed_bodies_give_the_same_bits)
{
    static const enum encoding encodings[] = {ENCODE_GZIP, ENCODE_DEFLATE};
    static const char *const headers[] = {"Content-Encoding: gzip", "Content-Encoding: deflate"};
    float expected[ROWS * SCORES], scores[ROWS * SCORES];
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    raw_scores(&daemon, "/infer", 0, ROWS, expected);
    for (size_t i = 0; i < 4; i++) {
        struct tensors body;
        struct reply reply;
        char length[64];
        size_t count;
        tensors_digits(&body, 0, ROWS, i & 1, binary_out);
        void *encoded = encode(encodings[i / 2], body.bytes, body.count, &count);
        snprintf(length, sizeof length, "Inference-Header-Content-Length: %zu", body.json_count);
        struct request request = {.path = DIGITS_V2,
                                  .headers = {headers[i / 2], body.binary ? length : NULL},
                                  .body = encoded,
                                  .body_count = count};
        client_once(daemon.port, &request, &reply);
        cr_assert_eq(tensors_output(&reply, "scores", scores, ROWS * SCORES), ROWS * SCORES);
        cr_assert(same_bits(scores, expected, ROWS * SCORES));
        reply_free(&reply);
        free(encoded);
        tensors_free(&body);
    }
    daemon_stop(&daemon);
}

/* The end of the JSON and the elements of the tensor are cut in every way. */
Test(v2_infer, pieces_of_any_size_give_the_same_answer)
{
    static const size_t pieces[] = {1, 2, 3, 7, 64, 1000};
    float expected[ROWS * SCORES], scores[ROWS * SCORES];
    struct daemon daemon;
    struct tensors body;
    DAEMON_START(&daemon, DIGITS);
    raw_scores(&daemon, "/infer", 0, ROWS, expected);
    tensors_digits(&body, 0, ROWS, true, "");
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        char head[256];
        size_t length;
        struct reply reply;
        char *chunks = encode_chunks(body.bytes, body.count, pieces[i], &length);
        snprintf(head, sizeof head,
                 "POST " DIGITS_V2 " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                 "Inference-Header-Content-Length: %zu\r\n\r\n",
                 body.json_count);
        int wire = wire_connect(daemon.port);
        cr_assert(wire_text(wire, head) && wire_send(wire, chunks, length));
        wire_answer(wire, &reply, PATIENCE_MS);
        cr_assert_eq(tensors_output(&reply, "scores", scores, ROWS * SCORES), ROWS * SCORES);
        cr_assert(same_bits(scores, expected, ROWS * SCORES), "pieces of %zu", pieces[i]);
        reply_free(&reply);
        close(wire);
        free(chunks);
    }
    tensors_free(&body);
    daemon_stop(&daemon);
}

Test(v2_infer, numbers_that_are_not_finite)
{
    float pixels[PIXELS] = {NAN};
    struct daemon daemon;
    struct reply reply;
    struct tensors body;
    DAEMON_START(&daemon, DIGITS);
    tensors_write(&body, pixels, sizeof pixels,
                  "{\"inputs\":[{\"name\":\"pixels\",\"shape\":[1,64],\"datatype\":\"FP32\","
                  "\"parameters\":{\"binary_data_size\":256}}]}");
    tensors_post(&daemon, DIGITS_V2, &body, &reply);
    cr_assert_eq(reply.status, 200);
    cr_assert(strstr(reply.body, "\"data\":[null,null,null,null,null,null,null,null,null,null],"
                                 "\"parameters\":{\"nonfinite\":true}}"),
              "%s", reply.body);
    reply_free(&reply);
    tensors_free(&body);
    tensors_write(&body, pixels, sizeof pixels,
                  "{\"inputs\":[{\"name\":\"pixels\",\"shape\":[1,64],\"datatype\":\"FP32\","
                  "\"parameters\":{\"binary_data_size\":256}}],\"outputs\":[{\"name\":\"scores\","
                  "\"parameters\":{\"classification\":1}}]}");
    tensors_post(&daemon, DIGITS_V2, &body, &reply);
    cr_assert(strstr(reply.body, "\"data\":[\"nan:0:0\"]"), "%s", reply.body);
    reply_free(&reply);
    tensors_free(&body);
    daemon_stop(&daemon);
}
