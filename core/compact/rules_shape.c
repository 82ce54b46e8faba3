/* Nodes that move, gather or pool what channels hold, and leave the channels apart. */
#include <string.h>

#include "links.h"

/* The value that input 0 is; NULL when it is a constant. */
static struct item *find_value(const struct links *links, size_t node)
{
    struct item *x = links_input(links, node, 0);
    return x && !x->constant ? x : NULL;
}

static const char *made_name(const struct links *links, size_t node)
{
    return links->proto->node[node]->output[0];
}

/* Output 0 with x's channels along axis; each stays what it always is where keeps says so. */
static bool link_same(struct links *links, size_t node, const struct item *x, size_t rank,
                      const size_t *dims, size_t axis, bool keeps_zero, bool keeps_other)
{
    const struct item *made = links_value(links, made_name(links, node), rank, dims, axis);
    if (!made)
        return true;
    const struct span in = item_span(x), out = item_span(made);
    links_join(links, in, out);
    for (size_t i = 0; i < in.count; i++) {
        const float constant = links->channels[in.first + i].constant;
        if (constant == 0 ? keeps_zero : keeps_other)
            links->channels[out.first + i].constant = constant;
    }
    return true;
}

/* The whole numbers of a constant; none when it has no such. */
static struct ints read_ints(const struct item *item)
{
    const bool fits = item && item->constant && item->tensor.dtype == DTYPE_INT64 &&
                      item->tensor.rank <= 1 && item->tensor.data;
    return fits ? (struct ints){item->tensor.data, tensor_count(&item->tensor)}
                : (struct ints){NULL, 0};
}

/* The same of an attribute, or of input i. */
static struct ints find_ints(const struct links *links, size_t node, const char *name, size_t i)
{
    const Onnx__AttributeProto *attribute = onnx_attribute(links->proto->node[node], name);
    if (attribute && attribute->n_ints > 0)
        return (struct ints){attribute->ints, attribute->n_ints};
    return read_ints(links_input(links, node, i));
}

static bool says_zero(const Onnx__NodeProto *proto, const char *name)
{
    const Onnx__AttributeProto *attribute = onnx_attribute(proto, name);
    for (size_t i = 0; attribute && i < attribute->n_ints; i++)
        if (attribute->ints[i] != 0)
            return false;
    return !attribute || attribute->i == 0;
}

bool link_pool(struct links *links, size_t node)
{
    const Onnx__NodeProto *proto = links->proto->node[node];
    const struct item *x = find_value(links, node);
    size_t dims[TENSOR_RANK_MAX];
    const size_t rank = links_made_dims(links, node, dims);
    if (!x || x->axis != 1 || rank != x->rank || dims[1] != x->dims[1])
        return false;
    const bool whole = !onnx_is_op(proto, "AveragePool") ||
                       (says_zero(proto, "count_include_pad") && says_zero(proto, "ceil_mode"));
    return link_same(links, node, x, rank, dims, 1, true, whole);
}

bool link_reduce(struct links *links, size_t node)
{
    const struct item *x = find_value(links, node);
    const struct ints axes = find_ints(links, node, "axes", 1);
    size_t dims[TENSOR_RANK_MAX], axis = x ? x->axis : 0;
    const size_t rank = links_made_dims(links, node, dims);
    if (!x || axes.count == 0)
        return false;
    for (size_t i = 0; i < axes.count; i++) {
        const int64_t reduced = axes.numbers[i] + (axes.numbers[i] < 0 ? (int64_t)x->rank : 0);
        if (reduced == (int64_t)x->axis || reduced <= 0)
            return false;
        axis -= rank < x->rank && reduced < (int64_t)x->axis;
    }
    if (axis == 0 || axis >= rank || dims[axis] != x->dims[x->axis])
        return false;
    return link_same(links, node, x, rank, dims, axis, true, true);
}

bool link_transpose(struct links *links, size_t node)
{
    const struct item *x = find_value(links, node);
    const struct ints order = find_ints(links, node, "perm", 1);
    size_t dims[TENSOR_RANK_MAX], axis = 0;
    const size_t rank = links_made_dims(links, node, dims);
    if (!x || order.count != x->rank || rank != x->rank || order.numbers[0] != 0)
        return false;
    while (axis < rank && order.numbers[axis] != (int64_t)x->axis)
        axis++;
    return axis < rank && link_same(links, node, x, rank, dims, axis, true, true);
}

/* Padding with the number 0 keeps a channel of zeros what it is. */
bool link_pad(struct links *links, size_t node)
{
    const Onnx__NodeProto *proto = links->proto->node[node];
    const struct item *x = find_value(links, node);
    const struct ints pads = find_ints(links, node, "pads", 1);
    const Onnx__AttributeProto *mode = onnx_attribute(proto, "mode");
    const Onnx__AttributeProto *value = onnx_attribute(proto, "value");
    struct item *number = links_input(links, node, 2);
    size_t dims[TENSOR_RANK_MAX];
    const size_t rank = links_made_dims(links, node, dims);
    if (!x || rank != x->rank || pads.count != 2 * rank || links_input(links, node, 3) ||
        pads.numbers[x->axis] != 0 || pads.numbers[rank + x->axis] != 0)
        return false;
    const float *floats = number ? links_floats(links, number) : NULL;
    const bool copies = mode && !onnx_attribute_says(mode, "constant");
    const bool zero = number ? floats && *floats == 0 : !value || value->f == 0;
    return link_same(links, node, x, rank, dims, x->axis, zero || copies, copies);
}

/* Shape: of what it says only the size of the batch, its first number, may matter. */

static bool takes_batch(const struct links *links, size_t node)
{
    const Onnx__NodeProto *proto = links->proto->node[node];
    const struct item *index = links_input(links, node, 1);
    if (!onnx_is_op(proto, "Gather") || !index || index->tensor.dtype != DTYPE_INT64 ||
        !index->tensor.data || tensor_count(&index->tensor) != 1)
        return false;
    return *(const int64_t *)index->tensor.data == 0;
}

bool link_shape(struct links *links, size_t node)
{
    const Onnx__GraphProto *proto = links->proto;
    const char *made = made_name(links, node);
    int64_t start;
    if (onnx_attribute_int(proto->node[node], "start", 0, &start, links->error) != STATUS_OK ||
        start != 0)
        return false;
    for (size_t i = 0; i < proto->n_node; i++)
        for (size_t j = 0; j < proto->node[i]->n_input; j++)
            if (strcmp(proto->node[i]->input[j], made) == 0 && (j > 0 || !takes_batch(links, i)))
                return false;
    for (size_t i = 0; i < proto->n_output; i++)
        if (strcmp(proto->output[i]->name, made) == 0)
            return false;
    return find_value(links, node) != NULL;
}

/* Concatenation */

static bool same_channels(const struct item *a, const struct item *b)
{
    return a->rank == b->rank && a->axis == b->axis;
}

/* Side by side along another axis than that of the channels: they are joined across the inputs. */
static bool concat_along(struct links *links, size_t node, const struct item *first, size_t rank,
                         const size_t *dims)
{
    const Onnx__NodeProto *proto = links->proto->node[node];
    for (size_t i = 1; i < proto->n_input; i++)
        if (item_span(links_input(links, node, i)).count != item_span(first).count)
            return false;
    const struct item *made = links_value(links, proto->output[0], rank, dims, first->axis);
    for (size_t i = 0; made && i < proto->n_input; i++) {
        const struct span in = item_span(links_input(links, node, i)), out = item_span(made);
        links_join(links, in, out);
        for (size_t c = 0; c < in.count; c++) {
            const float constant = links->channels[in.first + c].constant;
            float *to = &links->channels[out.first + c].constant;
            *to = i == 0 || *to == constant ? constant : NAN;
        }
    }
    return true;
}

static bool concat_channels(struct links *links, size_t node, size_t axis, size_t rank,
                            const size_t *dims)
{
    const Onnx__NodeProto *proto = links->proto->node[node];
    const struct item *made = links_value(links, proto->output[0], rank, dims, axis);
    size_t at = 0;
    for (size_t i = 0; made && i < proto->n_input; i++) {
        const struct span in = item_span(links_input(links, node, i));
        const struct span out = {item_span(made).first + at, in.count};
        links_join(links, in, out);
        for (size_t c = 0; c < in.count; c++)
            links->channels[out.first + c].constant = links->channels[in.first + c].constant;
        at += in.count;
    }
    return true;
}

bool link_concat(struct links *links, size_t node)
{
    const Onnx__NodeProto *proto = links->proto->node[node];
    const struct item *first = find_value(links, node);
    size_t dims[TENSOR_RANK_MAX], count = 0;
    const size_t rank = links_made_dims(links, node, dims);
    int64_t axis;
    if (!first || rank != first->rank ||
        onnx_attribute_int(proto, "axis", 1, &axis, links->error) != STATUS_OK)
        return false;
    for (size_t i = 0; i < proto->n_input; i++) {
        const struct item *item = links_input(links, node, i);
        if (!item || item->constant || !same_channels(first, item))
            return false;
        count += item_span(item).count;
    }
    axis += axis < 0 ? (int64_t)rank : 0;
    if (axis != (int64_t)first->axis)
        return concat_along(links, node, first, rank, dims);
    return dims[axis] == count && concat_channels(links, node, first->axis, rank, dims);
}

/* Other shapes of as many numbers */

/* Where channels go: of each dimension axis of the new shape, channel c is at
 * (before * count + c) * behind + after. */
struct regrouping {
    size_t axis, before, behind;
};

static size_t product(const size_t *dims, size_t from, size_t to)
{
    size_t result = 1;
    for (size_t i = from; i < to; i++)
        result *= dims[i];
    return result;
}

/* The dimension of the new shape that holds whole channels; false when it splits them up. */
static bool find_regrouping(const struct item *x, size_t rank, const size_t *dims,
                            struct regrouping *found)
{
    const size_t count = x->dims[x->axis];
    const size_t before = product(x->dims, 1, x->axis);
    const size_t behind = product(x->dims, x->axis + 1, x->rank);
    for (size_t axis = 1; axis < rank; axis++) {
        const size_t own_before = product(dims, 1, axis);
        const size_t own_behind = product(dims, axis + 1, rank);
        if (before % own_before != 0 || behind % own_behind != 0 ||
            dims[axis] != before / own_before * count * (behind / own_behind))
            continue;
        *found = (struct regrouping){axis, before / own_before, behind / own_behind};
        return count > 1 || dims[axis] == 1;
    }
    return false;
}

/* What Reshape is told: nothing, when it says so by itself (-1, or 0 for the dimension as it was);
 * else the number must be changed with the channels. */
static bool read_target(struct links *links, size_t node, const struct item *x,
                        const struct regrouping *found, size_t rank, bool *written)
{
    struct item *target = links_input(links, node, 1);
    const struct ints ints = read_ints(target);
    if (ints.count != rank)
        return false;
    const int64_t number = ints.numbers[found->axis];
    if (x->axis < rank && x->axis != found->axis && ints.numbers[x->axis] == 0)
        return false;
    *written = number > 0;
    if (number == 0)
        return found->axis == x->axis && found->before == 1 && found->behind == 1;
    return number == -1 || (number > 0 && target->proto);
}

bool link_reshape(struct links *links, size_t node)
{
    const Onnx__NodeProto *proto = links->proto->node[node];
    const struct item *x = find_value(links, node);
    struct regrouping found;
    size_t dims[TENSOR_RANK_MAX];
    bool written = false;
    const size_t rank = links_made_dims(links, node, dims);
    if (!x || rank == 0 || !find_regrouping(x, rank, dims, &found) ||
        (onnx_is_op(proto, "Squeeze") && find_ints(links, node, "axes", 1).count == 0) ||
        (onnx_is_op(proto, "Reshape") && !read_target(links, node, x, &found, rank, &written)))
        return false;
    const struct item *made = links_value(links, proto->output[0], rank, dims, found.axis);
    if (!made)
        return true;
    const struct span in = item_span(x), out = item_span(made);
    for (size_t i = 0; i < out.count; i++) {
        const size_t c = in.first + i / found.behind % in.count;
        links_join(links, (struct span){out.first + i, 1}, (struct span){c, 1});
        links->channels[out.first + i].constant = links->channels[c].constant;
    }
    if (written)
        links->targets[links->target_count++] =
            (struct count_of){.node = node, .place = found.axis, .span = out};
    return true;
}
