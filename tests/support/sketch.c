#include "sketch.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sketch_begin(struct sketch *s)
{
    onnx_open(&s->onnx);
    s->random = (struct randoms){5};
}

Onnx__TensorProto *sketch_numbers(struct sketch *s, const char *name, size_t rank,
                                  const int64_t *dims)
{
    size_t count = 1;
    for (size_t i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    float *data = malloc(count * sizeof *data);
    random_floats(&s->random, RANDOM_PLAIN, data, count);
    for (size_t i = 0; i < count; i++)
        data[i] *= 0.125f;
    Onnx__TensorProto *made =
        onnx_initializer(&s->onnx, onnx_floats(&s->onnx, name, rank, dims, data));
    free(data);
    return made;
}

Onnx__TensorProto *sketch_bias(struct sketch *s, const char *name, int64_t units, const char *dead)
{
    float data[64];
    for (int64_t i = 0; i < units; i++)
        data[i] = strchr(dead, (int)('0' + i)) ? -100 : 1;
    return onnx_initializer(&s->onnx, onnx_floats(&s->onnx, name, 1, &units, data));
}

Onnx__NodeProto *sketch_layer(struct sketch *s, const char *op, const char *name, const char *x,
                              size_t rank, const int64_t *dims, const char *dead, const char *act)
{
    char weight[64], biases[64], inputs[192], made[64];
    snprintf(weight, sizeof weight, "%s.weight", name);
    snprintf(biases, sizeof biases, "%s.bias", name);
    snprintf(inputs, sizeof inputs, "%s %s %s", x, weight, biases);
    snprintf(made, sizeof made, "%s_h", name);
    sketch_numbers(s, weight, rank, dims);
    sketch_bias(s, biases, dims[0], dead);
    Onnx__NodeProto *node = onnx_node(&s->onnx, op, name, inputs, name);
    if (act)
        onnx_node(&s->onnx, act, "", name, made);
    return node;
}

void sketch_dense(struct sketch *s, const char *name, const char *x, int64_t n, int64_t k,
                  const char *dead, const char *act)
{
    Onnx__NodeProto *node = sketch_layer(s, "Gemm", name, x, 2, (const int64_t[]){n, k}, dead, act);
    onnx_int(&s->onnx, node, "transB", 1);
}

Onnx__NodeProto *sketch_conv(struct sketch *s, const char *name, const char *x, int64_t n,
                             int64_t k, int64_t size, const char *dead, const char *act)
{
    const int64_t pad = size / 2;
    Onnx__NodeProto *node =
        sketch_layer(s, "Conv", name, x, 4, (const int64_t[]){n, k, size, size}, dead, act);
    onnx_list(&s->onnx, node, "pads", 4, (const int64_t[]){pad, pad, pad, pad});
    return node;
}

void sketch_image(struct sketch *s)
{
    onnx_input(&s->onnx, "x", 4, (const int64_t[]){-1, 2, 6, 6});
}

void sketch_vector(struct sketch *s)
{
    onnx_input(&s->onnx, "x", 2, (const int64_t[]){-1, 5});
}

void sketch_end(struct sketch *s, const char *x, int64_t k)
{
    onnx_node(&s->onnx, "GlobalMaxPool", "", x, "g");
    onnx_node(&s->onnx, "Flatten", "", "g", "f");
    sketch_dense(s, "out", "f", 3, k, "", NULL);
}

void sketch_finish(struct sketch *s, struct compacted *c, const struct compact_options *options,
                   double tolerance)
{
    struct temporary files;
    onnx_output(&s->onnx, "out");
    compacted_open(c, &s->onnx, options);
    onnx_close(&s->onnx);
    cr_assert_eq(compacted_compare(c, tolerance), COMPACTED_ROWS + COMPACTED_MORE);
    temporary_open(&files);
    compacted_write(c, &files, "slim");
    compacted_check(&files);
    temporary_close(&files);
}

void sketch_expect_dims(const struct compacted *c, const char *name, size_t rank,
                        const int64_t *dims)
{
    Onnx__ModelProto *proto = compacted_proto(c);
    const Onnx__TensorProto *tensor = proto_tensor(proto, name);
    cr_assert(tensor->n_dims == rank && memcmp(tensor->dims, dims, rank * sizeof *dims) == 0,
              "%s: %d %d", name, (int)tensor->dims[0], (int)tensor->dims[rank - 1]);
    onnx__model_proto__free_unpacked(proto, NULL);
}
