#include "pair.h"

#include <stdint.h>
#include <stdio.h>

#include "network.h"

const char pair_native[] =
    "{\"inputs\":{\"a\":[[0.5,-1,2],[1e-3,0,7]],\"b\":[[1,-2,3,-4,5],[-6,7,-8,9,-10]]}}";

int pair_start(struct daemon *daemon)
{
    static const struct chain chains[] = {
        {.input = "a", .output = "left", .widths = {3, 7, 2}, .activation = "Relu"},
        {.input = "b", .output = "right", .widths = {5, 6, 4}, .activation = "Relu"}};
    char path[NETWORK_PATH_BYTES], argument[NETWORK_PATH_BYTES + 8];
    int file = network_file(path, chains, 2);
    snprintf(argument, sizeof argument, "pair=%s", path);
    DAEMON_START(daemon, argument, DIGITS);
    return file;
}

void pair_post(const struct daemon *daemon, const char *tail, struct reply *reply)
{
    static const int8_t b[10] = {1, -2, 3, -4, 5, -6, 7, -8, 9, -10};
    struct tensors body;
    tensors_write(&body, b, sizeof b,
                  "{\"inputs\":[{\"name\":\"b\",\"shape\":[2,5],\"datatype\":\"INT8\","
                  "\"parameters\":{\"binary_data_size\":10}},{\"name\":\"a\",\"shape\":[2,3],"
                  "\"datatype\":\"FP32\",\"data\":[0.5,-1,2,1e-3,0,7]}]%s}",
                  tail);
    tensors_post(daemon, "/v2/models/pair/infer", &body, reply);
    tensors_free(&body);
}
