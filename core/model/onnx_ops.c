#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "onnx_import.h"
#include "panel.h"

/* What the nodes need of their operands */

static enum status need_value(const struct operand *operand, const char *what, struct error *error)
{
    if (!operand || operand->constant)
        return error_set(error, STATUS_UNSUPPORTED, "%s must come from an input of the graph",
                         what);
    return STATUS_OK;
}

static enum status need_constant(const struct operand *operand, const char *what, enum dtype dtype,
                                 struct tensor *tensor, struct error *error)
{
    if (!operand || !operand->constant)
        return error_set(error, STATUS_UNSUPPORTED, "%s must be a constant", what);
    return onnx_tensor(operand->constant, dtype, tensor, error);
}

/* The layer's name: the weight's initializer without its suffix, unless exporters made it up; else
 * the node's name without leading slash and trailing operator; else operator and index. */
static const char *layer_name(struct importer *importer, const Onnx__NodeProto *node,
                              const struct operand *weight)
{
    struct graph *graph = importer_graph(importer);
    static const char *const suffixes[] = {".weight", "/kernel:0"};
    char text[256];
    const char *from = weight && weight->initializer ? weight->name : "";
    if (from[0] && strncmp(from, "onnx::", 6) != 0) {
        size_t length = strlen(from);
        for (size_t i = 0; i < 2; i++) {
            size_t suffix = strlen(suffixes[i]);
            if (length > suffix && strcmp(from + length - suffix, suffixes[i]) == 0)
                length -= suffix;
        }
        return arena_text(graph->arena, from, length);
    }
    if (node->name && node->name[0]) {
        from = node->name + (node->name[0] == '/');
        size_t length = strlen(from), op = strlen(node->op_type);
        if (length > op + 1 && from[length - op - 1] == '/' &&
            strcmp(from + length - op, node->op_type) == 0)
            length -= op + 1;
        return arena_text(graph->arena, from, length);
    }
    size_t length = 0;
    for (const char *c = node->op_type; *c && length < 200; c++)
        text[length++] = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    length += (size_t)snprintf(text + length, sizeof text - length, "_%zu", graph->node_count);
    return arena_text(graph->arena, text, length);
}

/* Adds node to the graph; the ONNX node's output stands for its output, of shape [-1, n]. */
static enum status add_node(struct importer *importer, const Onnx__NodeProto *proto,
                            struct node node, struct operand shape, struct error *error)
{
    if (!node.name)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for a name");
    shape.uses = 0;
    enum status status = graph_add_node(importer_graph(importer), node, &shape.value, error);
    return status == STATUS_OK ? importer_define(importer, proto, shape, error) : status;
}

/* The node that makes operand, when nothing but the node at hand reads it; NULL otherwise. */
static struct node *sole_producer(struct importer *importer, const struct operand *operand)
{
    struct graph *graph = importer_graph(importer);
    int producer = graph->values[operand->value].producer;
    return operand->uses == 1 && producer != GRAPH_NODE_NONE ? &graph->nodes[producer] : NULL;
}

/* Gemm, MatMul, Add */

static enum status check_finite(const struct tensor *tensor, const char *name, struct error *error)
{
    const float *data = tensor->data;
    for (size_t i = 0; i < tensor_count(tensor); i++)
        if (!isfinite(data[i]))
            return error_set(error, STATUS_INVALID,
                             "tensor \"%s\": expected finite weights, found %g at element %zu",
                             name, data[i], i);
    return STATUS_OK;
}

struct dense {
    const struct operand *x, *weight;
    bool transposed; /* the weight is [n, k] */
    float alpha;
};

static enum status check_dense(const struct dense *dense, const struct tensor *weight, size_t *k,
                               size_t *n, struct error *error)
{
    char x_text[DIMS_TEXT_BYTES], w_text[DIMS_TEXT_BYTES];
    if (dense->x->rank == 2 && weight->rank == 2 && weight->dims[1] > 0 && weight->dims[0] > 0) {
        *k = (size_t)weight->dims[dense->transposed ? 1 : 0];
        *n = (size_t)weight->dims[dense->transposed ? 0 : 1];
        if ((size_t)dense->x->dims[1] == *k && *n <= MODEL_FEATURES_MAX)
            return STATUS_OK;
    }
    return error_set(error, STATUS_INVALID, "the shapes do not fit: input %s, weight \"%s\" %s%s",
                     dims_text(x_text, dense->x->dims, dense->x->rank), dense->weight->name,
                     dims_text(w_text, weight->dims, weight->rank),
                     dense->transposed ? " transposed" : "");
}

/* Packs the weight and makes the node, its bias still zero. */
static enum status make_dense(struct importer *importer, const Onnx__NodeProto *proto,
                              const struct dense *dense, struct node *node, struct error *error)
{
    struct tensor weight;
    size_t k = 0, n = 0;
    if (need_value(dense->x, "the first input", error) != STATUS_OK ||
        need_constant(dense->weight, "the weight", DTYPE_FLOAT32, &weight, error) != STATUS_OK ||
        check_dense(dense, &weight, &k, &n, error) != STATUS_OK ||
        check_finite(&weight, dense->weight->name, error) != STATUS_OK)
        return error->status;
    struct arena *arena = importer_graph(importer)->arena;
    float *panels = arena_alloc(arena, panel_padded(n), k * sizeof(float));
    float *bias = arena_alloc(arena, panel_padded(n), sizeof(float));
    if (!panels || !bias)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for %zu x %zu weights", k, n);
    panel_pack(panels, k, n, weight.data, dense->transposed ? 1 : n, dense->transposed ? k : 1,
               dense->alpha);
    for (size_t i = 0; i < k * panel_padded(n); i++)
        if (!isfinite(panels[i]))
            return error_set(error, STATUS_INVALID,
                             "tensor \"%s\": alpha %g makes a weight infinite", dense->weight->name,
                             dense->alpha);
    *node = (struct node){.op = OP_dense,
                          .name = layer_name(importer, proto, dense->weight),
                          .input = dense->x->value,
                          .k = k,
                          .n = n,
                          .panels = panels,
                          .bias = bias};
    return STATUS_OK;
}

/* Adds scale * the constant, broadcast to [1, n], to the node's bias. */
static enum status add_bias(struct node *node, const struct operand *constant, float scale,
                            struct error *error)
{
    struct tensor tensor;
    if (need_constant(constant, "the bias", DTYPE_FLOAT32, &tensor, error) != STATUS_OK)
        return error->status;
    size_t count = tensor_count(&tensor);
    bool row = tensor.rank == 0 || (size_t)tensor.dims[tensor.rank - 1] == count;
    if (!row || (count != 1 && count != node->n)) {
        char text[DIMS_TEXT_BYTES];
        return error_set(error, STATUS_UNSUPPORTED,
                         "bias \"%s\": expected %zu numbers (or one), found the shape %s",
                         constant->name, node->n, dims_text(text, tensor.dims, tensor.rank));
    }
    const float *from = tensor.data;
    float *bias = (float *)node->bias;
    for (size_t i = 0; i < node->n; i++)
        bias[i] += scale * from[count == 1 ? 0 : i];
    return STATUS_OK;
}

/* A new value of shape [-1, features]. */
static struct operand matrix(size_t features)
{
    return (struct operand){.rank = 2, .dims = {-1, (int64_t)features}};
}

static enum status import_gemm(struct importer *importer, const Onnx__NodeProto *proto,
                               struct error *error)
{
    int64_t trans_a, trans_b;
    float alpha, beta;
    if (onnx_attribute_int(proto, "transA", 0, &trans_a, error) != STATUS_OK ||
        onnx_attribute_int(proto, "transB", 0, &trans_b, error) != STATUS_OK ||
        onnx_attribute_float(proto, "alpha", 1, &alpha, error) != STATUS_OK ||
        onnx_attribute_float(proto, "beta", 1, &beta, error) != STATUS_OK)
        return error->status;
    if (trans_a)
        return error_set(error, STATUS_UNSUPPORTED,
                         "transA would mix the rows of a batch; expected 0");
    struct dense dense = {importer_operand(importer, proto, 0),
                          importer_operand(importer, proto, 1), trans_b != 0, alpha};
    const struct operand *c = importer_operand(importer, proto, 2);
    struct node node;
    if (make_dense(importer, proto, &dense, &node, error) != STATUS_OK ||
        (c && add_bias(&node, c, beta, error) != STATUS_OK))
        return error->status;
    return add_node(importer, proto, node, matrix(node.n), error);
}

static enum status import_matmul(struct importer *importer, const Onnx__NodeProto *proto,
                                 struct error *error)
{
    struct dense dense = {importer_operand(importer, proto, 0),
                          importer_operand(importer, proto, 1), false, 1.0f};
    struct node node;
    if (make_dense(importer, proto, &dense, &node, error) != STATUS_OK)
        return error->status;
    return add_node(importer, proto, node, matrix(node.n), error);
}

/* The bias of a MatMul: the only addition a chain of dense layers has. */
static enum status import_add(struct importer *importer, const Onnx__NodeProto *proto,
                              struct error *error)
{
    const struct operand *x = importer_operand(importer, proto, 0);
    const struct operand *bias = importer_operand(importer, proto, 1);
    if (x && x->constant) {
        const struct operand *swap = x;
        x = bias;
        bias = swap;
    }
    if (need_value(x, "one input", error) != STATUS_OK)
        return error->status;
    struct node *node = sole_producer(importer, x);
    if (!node || node->op != OP_dense || node->activation.type != ACTIVATION_identity)
        return error_set(error, STATUS_UNSUPPORTED,
                         "expected the bias of a MatMul, the only Add that is supported");
    if (add_bias(node, bias, 1.0f, error) != STATUS_OK)
        return error->status;
    return importer_define(importer, proto, *x, error);
}

/* Activations */

/* prelu: one slope, or one per feature, broadcast as ONNX does. */
static enum status read_slope(struct importer *importer, const struct operand *operand, size_t n,
                              struct activation *activation, struct error *error)
{
    struct tensor tensor;
    if (need_constant(operand, "the slope", DTYPE_FLOAT32, &tensor, error) != STATUS_OK)
        return error->status;
    size_t count = tensor_count(&tensor);
    if (count != 1 && count != n)
        return error_set(error, STATUS_UNSUPPORTED, "expected 1 or %zu slopes, found %zu", n,
                         count);
    float *slope = arena_alloc(importer_graph(importer)->arena, panel_padded(n), sizeof *slope);
    if (!slope)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for %zu slopes", n);
    const float *from = tensor.data;
    for (size_t i = 0; i < n; i++)
        slope[i] = from[count == 1 ? 0 : i];
    activation->slope = slope;
    return STATUS_OK;
}

static enum status read_activation(struct importer *importer, const Onnx__NodeProto *proto,
                                   size_t n, struct activation *activation, struct error *error)
{
    const struct activation_info *info = activation_info(activation->type);
    if (activation->type == ACTIVATION_prelu)
        return read_slope(importer, importer_operand(importer, proto, 1), n, activation, error);
    if (info->parameter[0])
        return onnx_attribute_float(proto, info->parameter, info->fallback, &activation->parameter,
                                    error);
    return STATUS_OK;
}

static enum status check_softmax_axis(const Onnx__NodeProto *proto, const struct operand *x,
                                      struct error *error)
{
    int64_t axis;
    if (onnx_attribute_int(proto, "axis", -1, &axis, error) != STATUS_OK)
        return error->status;
    if (x->rank != 2 || (axis != -1 && axis != 1))
        return error_set(
            error, STATUS_UNSUPPORTED,
            "expected a softmax over the last axis of 2 dimensions, found axis %" PRId64 " of %zu",
            axis, x->rank);
    return STATUS_OK;
}

static enum status import_activation(struct importer *importer, const Onnx__NodeProto *proto,
                                     struct error *error)
{
    const struct operand *x = importer_operand(importer, proto, 0);
    if (need_value(x, "the input", error) != STATUS_OK)
        return error->status;
    struct activation activation;
    activation_by_onnx_op(&activation, proto->op_type);
    size_t n = importer_graph(importer)->values[x->value].features;
    if (read_activation(importer, proto, n, &activation, error) != STATUS_OK)
        return error->status;
    bool softmax = activation.type == ACTIVATION_softmax;
    if (softmax && check_softmax_axis(proto, x, error) != STATUS_OK)
        return error->status;
    struct node *producer = sole_producer(importer, x);
    if (!softmax && producer && producer->op == OP_dense &&
        producer->activation.type == ACTIVATION_identity) {
        producer->activation = activation;
        return importer_define(importer, proto, *x, error);
    }
    struct node node = {.op = softmax ? OP_softmax : OP_activation,
                        .name = layer_name(importer, proto, NULL),
                        .input = x->value,
                        .k = n,
                        .n = n,
                        .activation = activation};
    return add_node(importer, proto, node, *x, error);
}

/* Operators that only rename or reshape */

static enum status import_alias(struct importer *importer, const Onnx__NodeProto *proto,
                                struct error *error)
{
    const struct operand *x = importer_operand(importer, proto, 0);
    return importer_define(importer, proto, *x, error);
}

static enum status import_cast(struct importer *importer, const Onnx__NodeProto *proto,
                               struct error *error)
{
    int64_t to;
    if (onnx_attribute_int(proto, "to", 0, &to, error) != STATUS_OK)
        return error->status;
    if (to != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT)
        return error_set(error, STATUS_UNSUPPORTED,
                         "expected a cast to float32 (1), found ONNX data type %" PRId64, to);
    return import_alias(importer, proto, error);
}

static enum status import_constant(struct importer *importer, const Onnx__NodeProto *proto,
                                   struct error *error)
{
    const Onnx__AttributeProto *value = onnx_attribute(proto, "value");
    if (!value || !value->t)
        return error_set(error, STATUS_UNSUPPORTED, "expected a tensor in the attribute \"value\"");
    const char *name = proto->n_output > 0 ? proto->output[0] : "";
    return importer_define(importer, proto, (struct operand){.name = name, .constant = value->t},
                           error);
}

/* The same value as x, seen as [-1, features]. */
static struct operand flattened(const struct operand *x, size_t features)
{
    struct operand flat = matrix(features);
    flat.value = x->value;
    flat.uses = x->uses;
    return flat;
}

static enum status import_flatten(struct importer *importer, const Onnx__NodeProto *proto,
                                  struct error *error)
{
    const struct operand *x = importer_operand(importer, proto, 0);
    int64_t axis;
    if (need_value(x, "the input", error) != STATUS_OK ||
        onnx_attribute_int(proto, "axis", 1, &axis, error) != STATUS_OK)
        return error->status;
    if (axis != 1 && axis + (int64_t)x->rank != 1)
        return error_set(error, STATUS_UNSUPPORTED,
                         "expected axis 1, which keeps the batch, found %" PRId64, axis);
    size_t features = importer_graph(importer)->values[x->value].features;
    return importer_define(importer, proto, flattened(x, features), error);
}

/* Whether a Reshape to shape keeps the batch and makes rows of features numbers. */
static bool keeps_rows(const struct operand *x, const int64_t *shape, int64_t batch,
                       size_t features)
{
    bool open = shape[0] == -1;
    if (!open && shape[0] != 0 && shape[0] != batch)
        return false;
    int64_t second = shape[1] == 0 ? x->dims[1] : shape[1];
    return second == (int64_t)features || (second == -1 && !open);
}

static enum status import_reshape(struct importer *importer, const Onnx__NodeProto *proto,
                                  struct error *error)
{
    const struct operand *x = importer_operand(importer, proto, 0);
    struct tensor shape;
    if (need_value(x, "the input", error) != STATUS_OK ||
        need_constant(importer_operand(importer, proto, 1), "the shape", DTYPE_INT64, &shape,
                      error) != STATUS_OK)
        return error->status;
    size_t features = importer_graph(importer)->values[x->value].features;
    if (tensor_count(&shape) != 2 || !keeps_rows(x, shape.data, importer_batch(importer), features))
        return error_set(error, STATUS_UNSUPPORTED,
                         "expected a reshape to [batch, %zu], the only one that is supported",
                         features);
    return importer_define(importer, proto, flattened(x, features), error);
}

import_function *onnx_op_importer(const char *op_type, size_t *inputs)
{
    static const struct {
        const char *op_type;
        import_function *import;
        size_t inputs;
    } importers[] = {
#define ONNX_OP(op, import, inputs) {#op, import, inputs},
#include "onnx_ops.def"
#undef ONNX_OP
    };
    for (size_t i = 0; i < sizeof importers / sizeof importers[0]; i++) {
        if (strcmp(importers[i].op_type, op_type) == 0) {
            *inputs = importers[i].inputs;
            return importers[i].import;
        }
    }
    struct activation activation;
    if (!activation_by_onnx_op(&activation, op_type))
        return NULL;
    *inputs = activation.type == ACTIVATION_prelu ? 2 : 1;
    return import_activation;
}
