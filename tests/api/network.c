#include "network.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "randoms.h"

struct build {
    struct onnx_builder onnx;
    struct randoms random;
    unsigned layers;
};

/* An initializer [rows, columns], or [columns] where rows is 0, of numbers up to scale. */
static void add_weights(struct build *build, const char *name, size_t rows, size_t columns,
                        float scale)
{
    size_t count = (rows ? rows : 1) * columns;
    float *weights = malloc(count * sizeof *weights);
    cr_assert(weights);
    for (size_t i = 0; i < count; i++)
        weights[i] = scale * random_plain(&build->random);
    onnx_matrix(&build->onnx, name, (int64_t)rows, (int64_t)columns, weights);
    free(weights);
}

/* Layer i of a chain: a Gemm of value from, and its activation unless it is the last. */
static void add_layer(struct build *build, const struct chain *chain, size_t i, char from[32])
{
    bool last = chain->widths[i + 2] == 0;
    unsigned number = ++build->layers;
    size_t k = chain->widths[i], n = chain->widths[i + 1];
    char inputs[128], weight[32], bias[32], sum[32];
    snprintf(weight, sizeof weight, "fc%u.weight", number);
    snprintf(bias, sizeof bias, "fc%u.bias", number);
    snprintf(inputs, sizeof inputs, "%s %s %s", from, weight, bias);
    snprintf(sum, sizeof sum, "z%u", number);
    add_weights(build, weight, k, n, sqrtf(6.0f / (float)k));
    add_weights(build, bias, 0, n, 0.1f);
    onnx_node(&build->onnx, "Gemm", "", inputs, last ? chain->output : sum);
    snprintf(from, 32, "h%u", number);
    if (!last)
        onnx_node(&build->onnx, chain->activation, "", sum, from);
}

static void add_chain(struct build *build, const struct chain *chain)
{
    char value[32];
    snprintf(value, sizeof value, "%s", chain->input);
    onnx_input(&build->onnx, chain->input, 2, (const int64_t[]){-1, (int64_t)chain->widths[0]});
    for (size_t i = 0; chain->widths[i + 1]; i++)
        add_layer(build, chain, i, value);
    onnx_output(&build->onnx, chain->output);
}

int network_pack(char path[NETWORK_PATH_BYTES], struct onnx_builder *builder)
{
    size_t size;
    int descriptor = memfd_create("network", MFD_CLOEXEC);
    const uint8_t *bytes = onnx_pack(builder, &size);
    cr_assert(write(descriptor, bytes, size) == (ssize_t)size, "the network cannot be written");
    onnx_close(builder);
    snprintf(path, NETWORK_PATH_BYTES, "/proc/%d/fd/%d", (int)getpid(), descriptor);
    return descriptor;
}

int network_file(char path[NETWORK_PATH_BYTES], const struct chain *chains, size_t count)
{
    struct build build = {.random = {88172645463325252u}};
    onnx_open(&build.onnx);
    for (size_t i = 0; i < count; i++)
        add_chain(&build, &chains[i]);
    return network_pack(path, &build.onnx);
}
