/* Nodes that multiply with weights, and normalisations. */
#include <string.h>

#include "links.h"

/* Input i of node as weights of that rank; NULL when it is something else. */
static struct item *find_weight(const struct links *links, size_t node, size_t rank)
{
    struct item *weight = links_input(links, node, 1);
    bool fits =
        weight && weight->constant && weight->rank == rank && weight->tensor.dtype == DTYPE_FLOAT32;
    return fits ? weight : NULL;
}

/* A chain over the channels of x, each with its part of the weights along in_axis; made gets those
 * along out_axis. Where x has its channels elsewhere they stay. */
static bool link_chain(struct links *links, size_t node, struct sink sink, struct item *x,
                       size_t channel_axis)
{
    struct binding bindings[2] = {{sink.out_axis, item_span(sink.made)}};
    size_t count = 1;
    sink.node = node;
    sink.span = item_span(x);
    sink.folds = sink.folds && sink.weight->proto && links->file->ir_version >= LINKS_IR_MIN &&
                 sink.weight->proto->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    if (x->axis == channel_axis && sink.span.count == sink.weight->dims[sink.in_axis]) {
        bindings[count++] = (struct binding){sink.in_axis, sink.span};
        links->sinks[links->sink_count++] = sink;
    } else {
        links_pin(links, sink.span, KEEP_operator, node);
    }
    links_bind(links, sink.weight, node, bindings, count);
    return true;
}

/* Joins a bias, input 2, with the channels it is added to. */
static void link_bias(struct links *links, size_t node, const struct item *made)
{
    struct item *bias = links_input(links, node, 2);
    const struct span span = item_span(made);
    if (!bias)
        return;
    const bool row = bias->rank > 0 && bias->dims[bias->rank - 1] == span.count && span.count > 1;
    links_bind(links, bias, node, &(struct binding){row ? bias->rank - 1 : 0, span}, row);
}

bool link_gemm(struct links *links, size_t node)
{
    const Onnx__NodeProto *proto = links->proto->node[node];
    struct item *x = links_input(links, node, 0), *weight = find_weight(links, node, 2);
    int64_t trans_a, trans_b;
    float beta;
    if (!x || x->constant || x->rank != 2 || !weight ||
        onnx_attribute_int(proto, "transA", 0, &trans_a, links->error) != STATUS_OK ||
        onnx_attribute_int(proto, "transB", 0, &trans_b, links->error) != STATUS_OK ||
        onnx_attribute_float(proto, "beta", 1, &beta, links->error) != STATUS_OK || trans_a)
        return false;
    struct sink sink = {.weight = weight,
                        .in_axis = trans_b ? 1 : 0,
                        .out_axis = trans_b ? 0 : 1,
                        .folds = beta != 0};
    const size_t dims[] = {0, weight->dims[sink.out_axis]};
    sink.made = links_value(links, proto->output[0], 2, dims, 1);
    if (!sink.made)
        return true;
    link_bias(links, node, sink.made);
    return link_chain(links, node, sink, x, 1);
}

bool link_matmul(struct links *links, size_t node)
{
    const Onnx__NodeProto *proto = links->proto->node[node];
    struct item *x = links_input(links, node, 0), *weight = find_weight(links, node, 2);
    size_t dims[TENSOR_RANK_MAX];
    if (!x || x->constant || x->rank < 2 || !weight)
        return false;
    memcpy(dims, x->dims, x->rank * sizeof *dims);
    dims[x->rank - 1] = weight->dims[1];
    struct sink sink = {.weight = weight, .in_axis = 0, .out_axis = 1, .folds = true};
    sink.made = links_value(links, proto->output[0], x->rank, dims, x->rank - 1);
    return !sink.made || link_chain(links, node, sink, x, x->rank - 1);
}

/* Whether every window lies inside of the image, whatever its size. */
static bool has_no_padding(const Onnx__NodeProto *proto)
{
    const Onnx__AttributeProto *pads = onnx_attribute(proto, "pads");
    const Onnx__AttributeProto *automatic = onnx_attribute(proto, "auto_pad");
    for (size_t i = 0; pads && i < pads->n_ints; i++)
        if (pads->ints[i] != 0)
            return false;
    return !automatic || onnx_attribute_says(automatic, "NOTSET") ||
           onnx_attribute_says(automatic, "VALID");
}

/* What the channels a depthwise convolution makes always are: those of a channel of zeros its bias,
 * at the border, too. */
static void set_depthwise(struct links *links, size_t node, const struct item *x,
                          struct item *weight, const struct item *made)
{
    struct item *bias = links_input(links, node, 2);
    const float *w = links_floats(links, weight), *b = bias ? links_floats(links, bias) : NULL;
    const struct span in = item_span(x), out = item_span(made);
    const size_t taps = w ? tensor_count(&weight->tensor) / out.count : 0;
    const bool inside = has_no_padding(links->proto->node[node]);
    if (!w || (bias && (!b || tensor_count(&bias->tensor) != out.count)))
        return;
    for (size_t i = 0; i < out.count; i++) {
        const float c = links->channels[in.first + i / (out.count / in.count)].constant;
        double sum = 0;
        for (size_t tap = 0; tap < taps; tap++)
            sum += (double)w[i * taps + tap];
        if (c == 0)
            links->channels[out.first + i].constant = b ? b[i] : 0;
        else if (inside && !isnan(c))
            links->channels[out.first + i].constant = (float)(sum * (double)c + (b ? b[i] : 0));
    }
}

/* Each channel gives one or more of its own. */
static bool link_depthwise(struct links *links, size_t node, const struct item *x,
                           struct item *weight, const struct item *made)
{
    const struct span in = item_span(x), out = item_span(made);
    const size_t each = out.count / in.count;
    if (!weight->proto)
        links_pin(links, in, KEEP_operator, node);
    for (size_t i = 0; i < out.count; i++)
        links_join(links, (struct span){out.first + i, 1}, (struct span){in.first + i / each, 1});
    links_bind(links, weight, node, &(struct binding){0, out}, 1);
    links->groups[links->group_count++] = (struct count_of){.node = node, .span = in};
    set_depthwise(links, node, x, weight, made);
    return true;
}

bool link_conv(struct links *links, size_t node)
{
    const Onnx__NodeProto *proto = links->proto->node[node];
    struct item *x = links_input(links, node, 0);
    struct item *weight = x && !x->constant ? find_weight(links, node, x->rank) : NULL;
    const bool transposed = onnx_is_op(proto, "ConvTranspose");
    size_t dims[TENSOR_RANK_MAX];
    int64_t groups;
    const size_t rank = links_made_dims(links, node, dims);
    if (!weight || x->rank < 3 || rank != x->rank ||
        onnx_attribute_int(proto, "group", 1, &groups, links->error) != STATUS_OK ||
        (groups > 1 && (transposed || x->axis != 1 || (size_t)groups != x->dims[1])))
        return false;
    struct sink sink = {.weight = weight,
                        .in_axis = transposed ? 0 : 1,
                        .out_axis = transposed ? 1 : 0,
                        .folds = !transposed && has_no_padding(proto)};
    sink.made = links_value(links, proto->output[0], rank, dims, 1);
    if (!sink.made)
        return true;
    link_bias(links, node, sink.made);
    return groups > 1 ? link_depthwise(links, node, x, weight, sink.made)
                      : link_chain(links, node, sink, x, 1);
}

/* What a normalisation makes of a channel that is always the same, as the importer computes it. */
static void set_normalised(struct links *links, size_t node, struct span in, struct span out)
{
    const float *p[4];
    float epsilon;
    if (onnx_attribute_float(links->proto->node[node], "epsilon", 1e-5f, &epsilon, links->error) !=
        STATUS_OK)
        return;
    for (size_t i = 0; i < 4; i++)
        if (!(p[i] = links_floats(links, links_input(links, node, i + 1))))
            return;
    for (size_t c = 0; c < in.count; c++) {
        const double scale = (double)p[0][c] / sqrt((double)p[3][c] + (double)epsilon);
        const float shift = (float)((double)p[1][c] - (double)p[2][c] * scale);
        const float constant = links->channels[in.first + c].constant;
        links->channels[out.first + c].constant = fmaf((float)scale, constant, shift);
    }
}

bool link_batch_norm(struct links *links, size_t node)
{
    struct item *x = links_input(links, node, 0);
    if (!x || x->constant || x->axis != 1)
        return false;
    const struct span in = item_span(x);
    for (size_t i = 1; i < 5; i++) {
        const struct item *item = links_input(links, node, i);
        if (!item || !item->constant || item->rank != 1 || item->dims[0] != in.count)
            return false;
    }
    struct item *made =
        links_value(links, links->proto->node[node]->output[0], x->rank, x->dims, 1);
    if (!made)
        return true;
    links_join(links, in, item_span(made));
    for (size_t i = 1; i < 5; i++)
        links_bind(links, links_input(links, node, i), node, &(struct binding){0, in}, 1);
    set_normalised(links, node, in, item_span(made));
    return true;
}
