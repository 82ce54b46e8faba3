/* Changes the messages of the file: what was chosen is cut out of its tensors, and what counts
 * channels counts those that are left. */
#include <string.h>

#include "links.h"

static void no_memory(struct links *links)
{
    if (!links_failed(links))
        error_set(links->error, STATUS_OUT_OF_MEMORY, "no memory left for a smaller tensor");
}

/* Tensors */

/* The numbers of a tensor, however it holds them. */
struct numbers {
    uint8_t *bytes;
    size_t *count;  /* of elements, or bytes of raw data */
    size_t element; /* bytes of one */
    size_t unit;    /* of what count counts */
};

static size_t element_bytes(int32_t type)
{
    switch (type) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
        return 8;
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
    case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16:
        return 2;
    default:
        return 4;
    }
}

static struct numbers find_numbers(Onnx__TensorProto *proto)
{
    if (proto->has_raw_data)
        return (struct numbers){proto->raw_data.data, &proto->raw_data.len,
                                element_bytes(proto->data_type), 1};
    if (proto->n_float_data > 0)
        return (struct numbers){(uint8_t *)proto->float_data, &proto->n_float_data, 4, 4};
    if (proto->n_double_data > 0)
        return (struct numbers){(uint8_t *)proto->double_data, &proto->n_double_data, 8, 8};
    return (struct numbers){(uint8_t *)proto->int32_data, &proto->n_int32_data, 4, 4};
}

/* Moves what is left along an axis together: outer times the channels of span, each of so many
 * bytes. Returns the bytes that are left. */
static size_t close_up(const struct links *links, struct span span, size_t outer, size_t bytes,
                       uint8_t *data)
{
    uint8_t *to = data;
    for (size_t i = 0; i < outer; i++)
        for (size_t c = 0; c < span.count; c++, data += bytes) {
            if (links->channels[span.first + c].removed)
                continue;
            memmove(to, data, bytes);
            to += bytes;
        }
    return (size_t)(to - (data - outer * span.count * bytes));
}

static void cut_axis(const struct links *links, Onnx__TensorProto *proto, size_t axis,
                     struct span span)
{
    const struct numbers numbers = find_numbers(proto);
    size_t outer = 1, bytes = numbers.element;
    for (size_t i = 0; i < axis; i++)
        outer *= (size_t)proto->dims[i];
    for (size_t i = axis + 1; i < proto->n_dims; i++)
        bytes *= (size_t)proto->dims[i];
    *numbers.count = close_up(links, span, outer, bytes, numbers.bytes) / numbers.unit;
    proto->dims[axis] = (int64_t)links_left(links, span);
}

/* Values whose shape a file tells */

static Onnx__TensorShapeProto *shape_of(const Onnx__ValueInfoProto *info)
{
    const bool tensor = info->type &&
                        info->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE &&
                        info->type->tensor_type;
    return tensor ? info->type->tensor_type->shape : NULL;
}

/* Old files list their initializers among the inputs. */
static void resize_input(const struct links *links, const struct item *item)
{
    for (size_t i = 0; i < links->proto->n_input; i++) {
        const Onnx__ValueInfoProto *info = links->proto->input[i];
        const Onnx__TensorShapeProto *shape = shape_of(info);
        if (strcmp(info->name, item->name) != 0 || !shape || shape->n_dim != item->proto->n_dims)
            continue;
        for (size_t axis = 0; axis < shape->n_dim; axis++)
            if (shape->dim[axis]->value_case ==
                ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
                shape->dim[axis]->dim_value = item->proto->dims[axis];
    }
}

static bool loses(const struct links *links, struct span span)
{
    return span.count > 0 && links_left(links, span) < span.count;
}

static void cut_tensor(const struct links *links, const struct item *item)
{
    bool changed = false;
    for (size_t axis = 0; axis < item->rank; axis++)
        if (loses(links, item->axes[axis])) {
            cut_axis(links, item->proto, axis, item->axes[axis]);
            changed = true;
        }
    if (changed)
        resize_input(links, item);
}

/* What the file says of values that have become smaller is dropped. */
static void drop_value_info(struct links *links)
{
    Onnx__GraphProto *proto = links->proto;
    size_t kept = 0;
    for (size_t i = 0; i < proto->n_value_info; i++) {
        const struct item *item = links_find(links, proto->value_info[i]->name);
        bool stale = false;
        for (size_t axis = 0; item && axis < item->rank; axis++)
            stale |= loses(links, item->axes[axis]);
        if (!stale)
            proto->value_info[kept++] = proto->value_info[i];
    }
    proto->n_value_info = kept;
}

/* Attributes and shapes that count channels */

static void set_group(const struct links *links, const struct count_of *counted)
{
    const Onnx__NodeProto *node = links->proto->node[counted->node];
    Onnx__AttributeProto *group = (Onnx__AttributeProto *)onnx_attribute(node, "group");
    group->i = (int64_t)links_left(links, counted->span);
}

/* A new shape for the one node that reshapes: others may read the old one. */
static void set_target(struct links *links, const struct count_of *counted)
{
    const struct item *item = links_input(links, counted->node, 1);
    const size_t rank = tensor_count(&item->tensor);
    int64_t *dims = arena_alloc(links->arena, rank, sizeof *dims);
    if (!dims) {
        no_memory(links);
        return;
    }
    memcpy(dims, item->tensor.data, rank * sizeof *dims);
    dims[counted->place] = (int64_t)links_left(links, counted->span);
    Onnx__TensorProto *made =
        links_constant(links, item->name, ONNX__TENSOR_PROTO__DATA_TYPE__INT64);
    if (!made)
        return;
    made->has_raw_data = 1;
    made->dims[0] = (int64_t)rank;
    made->raw_data = (ProtobufCBinaryData){rank * sizeof *dims, (uint8_t *)dims};
    links->proto->node[counted->node]->input[1] = made->name;
}

void links_cut(struct links *links)
{
    drop_value_info(links);
    for (size_t i = 0; i < links->group_count; i++)
        if (loses(links, links->groups[i].span))
            set_group(links, &links->groups[i]);
    for (size_t i = 0; i < links->target_count && !links_failed(links); i++)
        if (loses(links, links->targets[i].span))
            set_target(links, &links->targets[i]);
    for (size_t i = 0; i < links->item_count; i++)
        if (links->items[i].proto)
            cut_tensor(links, &links->items[i]);
}
