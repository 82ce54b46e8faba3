#include "links.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void no_memory(struct links *links)
{
    if (!links_failed(links))
        error_set(links->error, STATUS_OUT_OF_MEMORY, "no memory left for the model's channels");
}

/* Items */

struct item *links_find(const struct links *links, const char *name)
{
    ENTRY *found;
    if (!name || !name[0] ||
        !hsearch_r((ENTRY){.key = (char *)name}, FIND, &found,
                   (struct hsearch_data *)&links->names))
        return NULL;
    return found->data;
}

struct item *links_input(const struct links *links, size_t node, size_t i)
{
    const Onnx__NodeProto *proto = links->proto->node[node];
    return i < proto->n_input ? links_find(links, proto->input[i]) : NULL;
}

/* The item of name, entered unless it is there. */
static struct item *enter(struct links *links, const char *name)
{
    ENTRY *entry;
    struct item *item = links_find(links, name);
    if (item)
        return item;
    if (links->item_count == links->item_capacity) {
        no_memory(links);
        return NULL;
    }
    item = &links->items[links->item_count++];
    item->name = name;
    if (!hsearch_r((ENTRY){.key = (char *)name, .data = item}, ENTER, &entry, &links->names)) {
        no_memory(links);
        return NULL;
    }
    return item;
}

static void enter_constant(struct links *links, const struct onnx_name *name)
{
    struct item *item = enter(links, name->name);
    if (!item)
        return;
    item->constant = true;
    item->tensor = name->tensor;
    item->rank = name->tensor.rank;
    for (size_t i = 0; i < item->rank; i++)
        item->dims[i] = (size_t)name->tensor.dims[i];
}

/* A value of the graph as the file has it, with the batch in front. */
static size_t value_dims(const struct value *value, size_t dims[TENSOR_RANK_MAX])
{
    if (value->shape.rank == 0 || value->shape.rank >= TENSOR_RANK_MAX)
        return 0;
    dims[0] = 0;
    memcpy(dims + 1, value->shape.dims, value->shape.rank * sizeof *dims);
    return value->shape.rank + 1;
}

static void enter_names(struct links *links, const struct onnx_trace *trace)
{
    for (size_t i = 0; i < trace->name_count && !links_failed(links); i++) {
        struct item *item;
        if (trace->names[i].constant)
            enter_constant(links, &trace->names[i]);
        else if ((item = enter(links, trace->names[i].name)))
            item->value = trace->names[i].value;
    }
}

size_t links_made_dims(const struct links *links, size_t node, size_t dims[TENSOR_RANK_MAX])
{
    const struct item *made = links_find(links, links->proto->node[node]->output[0]);
    return made && made->value != ONNX_NO_VALUE
               ? value_dims(&links->model->graph.values[made->value], dims)
               : 0;
}

const float *links_floats(struct links *links, struct item *item)
{
    const bool known = item->tensor.data || item->tensor.stored;
    if (item->floats || !item->constant || !known || item->tensor.dtype != DTYPE_FLOAT32)
        return item->floats;
    const size_t count = tensor_count(&item->tensor);
    float *floats = arena_alloc(links->arena, count, sizeof *floats);
    if (!floats)
        no_memory(links);
    else if (onnx_tensor_numbers(&item->tensor, 0, count, floats, links->error) == STATUS_OK)
        item->floats = floats;
    return item->floats;
}

/* Channels */

static struct span add_channels(struct links *links, size_t count)
{
    if (count > LINKS_CHANNELS_MAX - links->count) {
        if (!links_failed(links))
            error_set(links->error, STATUS_TOO_LARGE, "expected at most %d channels in all values",
                      LINKS_CHANNELS_MAX);
        return (struct span){0, 0};
    }
    if (links->count + count > links->capacity) {
        const size_t capacity = 2 * (links->count + count);
        struct channel *moved = realloc(links->channels, capacity * sizeof *moved);
        if (!moved) {
            no_memory(links);
            return (struct span){0, 0};
        }
        links->channels = moved;
        links->capacity = capacity;
    }
    const struct span span = {links->count, count};
    for (size_t i = 0; i < count; i++, links->count++)
        links->channels[links->count] = (struct channel){.parent = links->count, .constant = NAN};
    return span;
}

size_t links_root(const struct links *links, size_t channel)
{
    struct channel *channels = links->channels;
    while (channels[channel].parent != channel) {
        channels[channel].parent = channels[channels[channel].parent].parent;
        channel = channels[channel].parent;
    }
    return channel;
}

void links_join(struct links *links, struct span a, struct span b)
{
    const size_t count = a.count < b.count ? a.count : b.count;
    for (size_t i = 0; i < count; i++) {
        const size_t p = links_root(links, a.first + i), q = links_root(links, b.first + i);
        links->channels[p > q ? p : q].parent = p < q ? p : q;
    }
}

void links_pin(struct links *links, struct span span, enum keep keep, size_t node)
{
    for (size_t i = 0; i < span.count; i++) {
        struct channel *channel = &links->channels[span.first + i];
        if (channel->keep != KEEP_none)
            continue;
        channel->keep = (uint8_t)keep;
        channel->node = (uint32_t)node;
    }
}

struct item *links_value(struct links *links, const char *name, size_t rank, const size_t *dims,
                         size_t axis)
{
    struct item *item = enter(links, name);
    if (!item)
        return NULL;
    item->constant = false;
    item->rank = rank;
    memcpy(item->dims, dims, rank * sizeof *dims);
    item->axis = axis;
    item->axes[axis] = add_channels(links, dims[axis]);
    return links_failed(links) ? NULL : item;
}

/* Constants */

char *links_new_name(struct links *links, const char *like)
{
    for (size_t number = 1; number <= links->item_capacity; number++) {
        char text[32];
        const int length = snprintf(text, sizeof text, "_compact%zu", number);
        char *name = arena_alloc(links->arena, strlen(like) + (size_t)length + 1, 1);
        if (!name)
            break;
        strcpy(stpcpy(name, like), text);
        if (!links_find(links, name))
            return enter(links, name) ? name : NULL;
    }
    no_memory(links);
    return NULL;
}

Onnx__TensorProto *links_constant(struct links *links, const char *like, int32_t type)
{
    Onnx__GraphProto *proto = links->proto;
    const size_t count = proto->n_initializer;
    Onnx__TensorProto **list = arena_alloc(links->arena, count + 1, sizeof(Onnx__TensorProto *));
    Onnx__TensorProto *made = arena_alloc(links->arena, 1, sizeof *made);
    int64_t *dims = arena_alloc(links->arena, 1, sizeof *dims);
    char *name = links_new_name(links, like);
    if (!list || !made || !dims || !name) {
        no_memory(links);
        return NULL;
    }
    onnx__tensor_proto__init(made);
    made->name = name;
    made->has_data_type = 1;
    made->data_type = type;
    made->n_dims = 1;
    made->dims = dims;
    if (count > 0)
        memcpy(list, proto->initializer, count * sizeof(Onnx__TensorProto *));
    list[count] = made;
    proto->initializer = list;
    proto->n_initializer++;
    return made;
}

static struct span constant_axis(struct links *links, struct item *item, size_t axis)
{
    if (item->axes[axis].count == 0)
        item->axes[axis] = add_channels(links, item->dims[axis]);
    return item->axes[axis];
}

void links_bind(struct links *links, struct item *constant, size_t node,
                const struct binding *bindings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct span span = bindings[i].span;
        if (!constant->proto || constant->tensor.dtype != DTYPE_FLOAT32 ||
            constant->dims[bindings[i].axis] != span.count)
            links_pin(links, span, KEEP_operator, node);
        else
            links_join(links, constant_axis(links, constant, bindings[i].axis), span);
    }
    for (size_t axis = 0; constant->proto && axis < constant->rank; axis++) {
        bool bound = false;
        for (size_t i = 0; i < count; i++)
            bound |= bindings[i].axis == axis && bindings[i].span.count == constant->dims[axis];
        if (!bound)
            links_pin(links, constant_axis(links, constant, axis), KEEP_operator, node);
    }
}

/* Nodes that are not understood */

static void pin_item(struct links *links, struct item *item, size_t node)
{
    if (item->constant)
        links_bind(links, item, node, NULL, 0);
    else
        links_pin(links, item_span(item), KEEP_operator, node);
}

static void pin_inputs(struct links *links, size_t node)
{
    for (size_t i = 0; i < links->proto->node[node]->n_input; i++)
        if (links_input(links, node, i))
            pin_item(links, links_input(links, node, i), node);
}

/* The axis that is most likely that of its channels: nodes that see another one leave it alone. */
static size_t channel_axis(const struct value *value)
{
    const bool image = value->producer == GRAPH_NODE_NONE && value->shape.rank > 2;
    return image ? 1 : value_channel_axis(value) + 1;
}

/* A value nothing is known of but what the import has made of it. */
static struct item *pinned_value(struct links *links, const char *name, enum keep keep, size_t node)
{
    struct item *item = links_find(links, name);
    size_t dims[TENSOR_RANK_MAX] = {0, 1}, rank = 2, axis = 1;
    if (item && item->value != ONNX_NO_VALUE) {
        const struct value *value = &links->model->graph.values[item->value];
        const size_t known = value_dims(value, dims);
        rank = known ? known : rank;
        axis = known ? channel_axis(value) : axis;
    }
    item = links_value(links, name, rank, dims, axis);
    if (item)
        links_pin(links, item_span(item), keep, node);
    return item;
}

void links_opaque(struct links *links, size_t node)
{
    const Onnx__NodeProto *proto = links->proto->node[node];
    pin_inputs(links, node);
    for (size_t i = 0; i < proto->n_output && !links_failed(links); i++)
        if (proto->output[i][0])
            pinned_value(links, proto->output[i], KEEP_operator, node);
}

/* The walk */

static link_function *find_rule(const Onnx__NodeProto *proto)
{
    static const struct {
        const char *op;
        link_function *link;
    } rules[] = {
#define RULE(op, link) {#op, link},
#include "rules.def"
#undef RULE
    };
    struct activation activation;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (onnx_is_op(proto, rules[i].op))
            return rules[i].link;
    const bool known = activation_by_onnx_op(&activation, proto->op_type) &&
                       activation.type != ACTIVATION_softmax &&
                       activation.type != ACTIVATION_log_softmax;
    return known ? link_elementwise : NULL;
}

static bool reads_constants(const struct links *links, size_t node)
{
    const Onnx__NodeProto *proto = links->proto->node[node];
    for (size_t i = 0; i < proto->n_input; i++)
        if (links_input(links, node, i) && !links_input(links, node, i)->constant)
            return false;
    return true;
}

/* Whether all but the first output of a node are for nobody. */
static bool has_one_output(const struct links *links, const Onnx__NodeProto *proto)
{
    for (size_t i = 1; i < proto->n_output; i++) {
        const struct item *item = links_find(links, proto->output[i]);
        if (item && item->readers > 0)
            return false;
    }
    return proto->n_output > 0 && proto->output[0][0];
}

/* Of a value with as many channels along another axis the units are not told apart. */
struct span links_units(const struct links *links, const struct compact_layer *layer)
{
    const struct item *item = links_find(links, layer->made);
    const struct value *value = &links->model->graph.values[layer->layer->node->output];
    const bool along =
        item && item_span(item).count == layer->layer->units &&
        (item->axis == value_channel_axis(value) + 1 || layer->layer->positions == 1);
    return along ? item_span(item) : (struct span){0, 0};
}

/* What a layer's units always are, once the value they make is known. */
static void note_stuck(struct links *links, const struct compact_layer *layer)
{
    const struct span span = links_units(links, layer);
    for (size_t unit = 0; unit < span.count; unit++) {
        struct channel *channel = &links->channels[span.first + unit];
        channel->stuck = !isnan(layer->stuck[unit]);
        if (channel->stuck)
            channel->constant = layer->stuck[unit];
    }
}

/* Whether everything it reads is a constant or a value with channels. */
static bool reads_known(const struct links *links, size_t node)
{
    const Onnx__NodeProto *proto = links->proto->node[node];
    for (size_t i = 0; i < proto->n_input; i++) {
        const struct item *item = links_input(links, node, i);
        if (item ? !item->constant && item->rank == 0 : proto->input[i][0] != '\0')
            return false;
    }
    return true;
}

static void link_node(struct links *links, size_t node)
{
    const Onnx__NodeProto *proto = links->proto->node[node];
    if (reads_constants(links, node)) { /* what is computed of them cannot be cut */
        pin_inputs(links, node);
        return;
    }
    link_function *link = onnx_is_standard(proto) ? find_rule(proto) : NULL;
    if (!link || !has_one_output(links, proto) || !reads_known(links, node) || !link(links, node))
        links_opaque(links, node);
    const struct item *made =
        proto->n_output > 0 && !links_failed(links) ? links_find(links, proto->output[0]) : NULL;
    if (made && !made->constant && made->layer)
        note_stuck(links, made->layer);
}

/* Opening */

/* The tensor of a constant that a node holds. */
static Onnx__TensorProto *held_tensor(const Onnx__NodeProto *proto)
{
    const Onnx__AttributeProto *value =
        onnx_is_op(proto, "Constant") ? onnx_attribute(proto, "value") : NULL;
    return value ? value->t : NULL;
}

static void hold(struct links *links, const char *name, Onnx__TensorProto *tensor)
{
    struct item *item = links_find(links, name);
    if (item && item->constant)
        item->proto = tensor;
}

static void hold_tensors(struct links *links)
{
    const Onnx__GraphProto *proto = links->proto;
    for (size_t i = 0; i < proto->n_initializer; i++)
        hold(links, proto->initializer[i]->name, proto->initializer[i]);
    for (size_t i = 0; i < proto->n_node; i++)
        if (proto->node[i]->n_output == 1 && held_tensor(proto->node[i]))
            hold(links, proto->node[i]->output[0], held_tensor(proto->node[i]));
}

static void count_reader(struct links *links, const char *name)
{
    struct item *item = links_find(links, name);
    if (item)
        item->readers++;
}

static void count_readers(struct links *links)
{
    const Onnx__GraphProto *proto = links->proto;
    for (size_t i = 0; i < proto->n_output; i++)
        count_reader(links, proto->output[i]->name);
    for (size_t i = 0; i < proto->n_node; i++)
        for (size_t j = 0; j < proto->node[i]->n_input; j++)
            count_reader(links, proto->node[i]->input[j]);
}

static void note_activations(struct links *links, const struct onnx_trace *trace,
                             const struct compact_layer *layers, size_t layer_count)
{
    for (size_t i = 0; i < links->model->graph.node_count; i++) {
        struct item *item = links_find(links, trace->activated[i]);
        if (item)
            item->activation = &links->model->graph.nodes[i].activation;
    }
    for (size_t i = 0; i < layer_count; i++) {
        struct item *item = links_find(links, layers[i].made);
        if (item)
            item->layer = &layers[i];
    }
}

static enum status make_room(struct links *links, const struct onnx_trace *trace)
{
    const Onnx__GraphProto *proto = links->proto;
    links->item_capacity = trace->name_count + proto->n_input + proto->n_output;
    for (size_t i = 0; i < proto->n_node; i++) /* and what may be added for it */
        links->item_capacity += proto->node[i]->n_output + 2;
    links->items = arena_alloc(links->arena, links->item_capacity, sizeof *links->items);
    links->sinks = arena_alloc(links->arena, proto->n_node, sizeof *links->sinks);
    links->groups = arena_alloc(links->arena, proto->n_node, sizeof *links->groups);
    links->targets = arena_alloc(links->arena, proto->n_node, sizeof *links->targets);
    links->inserted = arena_alloc(links->arena, proto->n_node, sizeof *links->inserted);
    if (!links->items || !links->sinks || !links->groups || !links->targets || !links->inserted ||
        !hcreate_r(2 * links->item_capacity + 1, &links->names))
        no_memory(links);
    for (size_t i = 0; i < links->item_capacity && !links_failed(links); i++)
        links->items[i].value = ONNX_NO_VALUE;
    return links->error->status;
}

enum status links_open(struct links *links, const struct onnx_trace *trace,
                       struct compact_layer *layers, size_t layer_count)
{
    const Onnx__GraphProto *proto = links->proto;
    if (make_room(links, trace) != STATUS_OK)
        return links->error->status;
    enter_names(links, trace);
    hold_tensors(links);
    count_readers(links);
    note_activations(links, trace, layers, layer_count);
    for (size_t i = 0; i < proto->n_input && !links_failed(links); i++) {
        const struct item *item = links_find(links, proto->input[i]->name);
        if (!item || !item->constant)
            pinned_value(links, proto->input[i]->name, KEEP_input, LINKS_NODE_NONE);
    }
    for (size_t i = 0; i < proto->n_node && !links_failed(links); i++)
        link_node(links, i);
    for (size_t i = 0; i < proto->n_output && !links_failed(links); i++) {
        const struct item *item = links_find(links, proto->output[i]->name);
        if (item && !item->constant)
            links_pin(links, item_span(item), KEEP_output, LINKS_NODE_NONE);
    }
    return links->error->status;
}

void links_close(struct links *links)
{
    if (links->items)
        hdestroy_r(&links->names);
    free(links->channels);
}
