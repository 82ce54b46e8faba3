/* Units that are stuck at another number than 0: what they add to the sums of the next layer goes
 * into its bias. */
#include <string.h>

#include "links.h"

static void no_memory(struct links *links)
{
    if (!links_failed(links))
        error_set(links->error, STATUS_OUT_OF_MEMORY, "no memory left for a folded bias");
}

static bool adds_something(const struct links *links, const struct sink *sink)
{
    for (size_t i = 0; i < sink->span.count; i++) {
        const struct channel *channel = &links->channels[sink->span.first + i];
        if (channel->removed && channel->constant != 0)
            return true;
    }
    return false;
}

/* What the removed channels add to each output of the sink. */
static double *sum_up(struct links *links, const struct sink *sink)
{
    const float *weights = links_floats(links, sink->weight);
    double *sums = arena_alloc(links->arena, item_span(sink->made).count, sizeof *sums);
    size_t strides[TENSOR_RANK_MAX], count = 1;
    if (!weights || !sums) {
        no_memory(links);
        return NULL;
    }
    for (size_t axis = sink->weight->rank; axis-- > 0;) {
        strides[axis] = count;
        count *= sink->weight->dims[axis];
    }
    for (size_t i = 0; i < count; i++) {
        const size_t in = i / strides[sink->in_axis] % sink->span.count;
        const size_t out = i / strides[sink->out_axis] % item_span(sink->made).count;
        const struct channel *channel = &links->channels[sink->span.first + in];
        if (channel->removed)
            sums[out] += (double)weights[i] * (double)channel->constant;
    }
    return sums;
}

/* The bias a node has, one number or one for each output, plus the sums times scale. */
static float *add_bias(struct links *links, struct item *bias, const double *sums, double scale,
                       size_t count)
{
    float *to = arena_alloc(links->arena, count, sizeof *to);
    const float *from = bias ? links_floats(links, bias) : NULL;
    if (!to || (bias && !from)) {
        no_memory(links);
        return NULL;
    }
    const bool one = bias && tensor_count(&bias->tensor) == 1;
    for (size_t i = 0; i < count; i++)
        to[i] = (float)((from ? (double)from[one ? 0 : i] : 0.0) + scale * sums[i]);
    return to;
}

/* Whether the numbers of a bias can be replaced where they are. */
static bool is_own(const struct item *bias, size_t count)
{
    return bias && bias->proto && bias->readers == 1 && tensor_count(&bias->tensor) == count &&
           bias->proto->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
}

static void replace(Onnx__TensorProto *proto, float *numbers, size_t count)
{
    proto->n_float_data = 0;
    proto->has_raw_data = 1;
    proto->raw_data = (ProtobufCBinaryData){count * sizeof *numbers, (uint8_t *)numbers};
}

/* A new initializer of the numbers whose channels stay. */
static Onnx__TensorProto *new_bias(struct links *links, const char *like, struct span span,
                                   float *numbers)
{
    size_t count = 0;
    Onnx__TensorProto *made = links_constant(links, like, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
    if (!made)
        return NULL;
    for (size_t i = 0; i < span.count; i++)
        if (!links->channels[span.first + i].removed)
            numbers[count++] = numbers[i];
    made->dims[0] = (int64_t)count;
    replace(made, numbers, count);
    return made;
}

/* Gives a node another third input. */
static void set_bias(struct links *links, Onnx__NodeProto *proto, char *name)
{
    char **inputs = arena_alloc(links->arena, 3, sizeof *inputs);
    if (!inputs) {
        no_memory(links);
        return;
    }
    memcpy(inputs, proto->input, 2 * sizeof *inputs);
    inputs[2] = name;
    proto->input = inputs;
    proto->n_input = 3;
}

/* An Add between a MatMul, which has no bias, and whoever reads it. */
static void insert_add(struct links *links, size_t node, char *bias)
{
    Onnx__NodeProto *product = links->proto->node[node];
    Onnx__NodeProto *add = arena_alloc(links->arena, 1, sizeof *add);
    char **names = arena_alloc(links->arena, 4, sizeof *names);
    char *sum = links_new_name(links, product->output[0]);
    if (!add || !names || !sum) {
        no_memory(links);
        return;
    }
    onnx__node_proto__init(add);
    names[0] = sum;
    names[1] = bias;
    names[2] = product->output[0];
    names[3] = sum;
    add->op_type = (char *)"Add";
    add->name = sum;
    add->input = names;
    add->n_input = 2;
    add->output = names + 2;
    add->n_output = 1;
    product->output = names + 3;
    links->inserted[node] = add;
}

static void fold_sink(struct links *links, const struct sink *sink)
{
    Onnx__NodeProto *proto = links->proto->node[sink->node];
    const struct span span = item_span(sink->made);
    struct item *bias = links_input(links, sink->node, 2);
    float alpha = 1, beta = 1;
    if (onnx_is_op(proto, "Gemm") &&
        (onnx_attribute_float(proto, "alpha", 1, &alpha, links->error) != STATUS_OK ||
         onnx_attribute_float(proto, "beta", 1, &beta, links->error) != STATUS_OK))
        return;
    const double *sums = sum_up(links, sink);
    float *numbers =
        sums ? add_bias(links, bias, sums, (double)alpha / (double)beta, span.count) : NULL;
    if (!numbers)
        return;
    if (is_own(bias, span.count)) {
        replace(bias->proto, numbers, span.count);
        return;
    }
    const Onnx__TensorProto *made = new_bias(links, sink->weight->name, span, numbers);
    if (made && onnx_is_op(proto, "MatMul"))
        insert_add(links, sink->node, made->name);
    else if (made)
        set_bias(links, proto, made->name);
}

void links_insert(struct links *links)
{
    Onnx__GraphProto *proto = links->proto;
    Onnx__NodeProto **nodes = arena_alloc(links->arena, 2 * proto->n_node, sizeof *nodes);
    size_t count = 0;
    if (!nodes) {
        no_memory(links);
        return;
    }
    for (size_t i = 0; i < proto->n_node; i++) {
        nodes[count++] = proto->node[i];
        if (links->inserted[i])
            nodes[count++] = links->inserted[i];
    }
    proto->node = nodes;
    proto->n_node = count;
}

void links_fold(struct links *links)
{
    for (size_t i = 0; i < links->sink_count && !links_failed(links); i++)
        if (adds_something(links, &links->sinks[i]))
            fold_sink(links, &links->sinks[i]);
}
