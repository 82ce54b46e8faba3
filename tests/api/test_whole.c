/* A model whose file fixes its batch and mixes it: a row of a request is one run of the file. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "network.h"
#include "onnx_builder.h"
#include "scene.h"

/* x [2, 3] -> y [1, 3], the sum of both rows, after a Relu. */
static int sum_of_two(char path[NETWORK_PATH_BYTES])
{
    struct onnx_builder onnx;
    onnx_open(&onnx);
    onnx_input(&onnx, "x", 2, (const int64_t[]){2, 3});
    onnx_initializer(&onnx, onnx_ints(&onnx, "axes", 1, (const int64_t[]){0}));
    onnx_node(&onnx, "Relu", "gate", "x", "h");
    onnx_node(&onnx, "ReduceSum", "", "h axes", "y");
    onnx_output(&onnx, "y");
    return network_pack(path, &onnx);
}

static void start(struct daemon *daemon)
{
    char path[NETWORK_PATH_BYTES], model[NETWORK_PATH_BYTES + 16];
    int descriptor = sum_of_two(path);
    snprintf(model, sizeof model, "sum=%s", path);
    DAEMON_START(daemon, model);
    close(descriptor);
}

static void expect_outputs(const struct daemon *daemon, const char *inputs, size_t runs,
                           const float *expected)
{
    char body[256];
    float y[12];
    struct reply reply;
    snprintf(body, sizeof body, "{\"stats\":\"none\",\"inputs\":%s}", inputs);
    client_post(daemon->port, "/infer", body, &reply);
    expect_json(&reply, 200, body);
    cr_assert_eq(outputs_of(&reply, y, 12), runs * 3, "%s", body);
    cr_assert(memcmp(y, expected, runs * 3 * sizeof *y) == 0, "%s", body);
    reply_free(&reply);
}

Test(whole, a_row_is_a_run)
{
    static const float sums[] = {5, 5, 9, 70, 50, 90};
    struct daemon daemon;
    start(&daemon);
    expect_outputs(&daemon, "[[1,-2,3],[4,5,6]]", 1, sums);
    expect_outputs(&daemon, "[1,-2,3,4,5,6]", 1, sums);
    expect_outputs(&daemon, "[[1,-2,3,4,5,6]]", 1, sums);
    expect_outputs(&daemon, "[[[1,-2,3],[4,5,6]]]", 1, sums);
    expect_outputs(&daemon, "[[1,-2,3,4,5,6],[30,50,60,40,-5,30]]", 2, sums);
    expect_outputs(&daemon, "[[[1,-2,3],[4,5,6]],[[30,50,60],[40,-5,30]]]", 2, sums);
    expect_outputs(&daemon, "{\"x\":[[1,-2,3],[4,5,6]]}", 1, sums);
    daemon_stop(&daemon);
}

Test(whole, other_shapes_are_refused)
{
    static const char *const bodies[][2] = {
        {"{\"inputs\":[[1,2,3]]}", "row 0 has 3 numbers, the model takes 6"},
        {"{\"inputs\":[[1,2,3],[4,5,6],[7,8,9]]}", "row 0 has 3 numbers"},
        {"{\"inputs\":[[1,2],[3,4],[5,6]]}", "row 0 has 2 numbers"},
        {"{\"inputs\":[[1,2,3],[4,5]]}", "row 0 has 3 numbers"},
        {"{\"inputs\":[[[1,2],[3,4],[5,6]]]}", "row 0 is not nested as the model's shape [2, 3]"},
        {"{\"inputs\":[[[1,2,3],[4,5,6]],[[1,2,3]]]}", "row 1 has 3 numbers"},
        {"{\"inputs\":[[[[1,2,3],[4,5,6]]]]}", "not nested"},
        {"{\"inputs\":[[],[]]}", "row 0 has 0 numbers"},
    };
    struct daemon daemon;
    struct reply reply;
    start(&daemon);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        client_post(daemon.port, "/infer", bodies[i][0], &reply);
        expect_error(&reply, 400, "invalid", bodies[i][1], bodies[i][0]);
        reply_free(&reply);
    }
    daemon_stop(&daemon);
}

Test(whole, signature_is_that_of_the_file)
{
    struct daemon daemon;
    int rows[2], columns[2];
    start(&daemon);
    json_t *json = get_json(&daemon, "/models");
    cr_assert_eq(json_unpack(json, "{s:[{s:[{s:[i,i]}], s:[{s:[i,i]}]}]}", "models", "inputs",
                             "shape", &rows[0], &columns[0], "outputs", "shape", &rows[1],
                             &columns[1]),
                 0);
    cr_assert(rows[0] == 2 && columns[0] == 3 && rows[1] == 1 && columns[1] == 3);
    json_decref(json);
    daemon_stop(&daemon);
}
