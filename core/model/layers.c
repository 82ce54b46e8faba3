#include "layers.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "fields.h"
#include "layers_types.h"
#include "onnx.h"

/* What each layer adds at most: a flattening, itself, its activation; and the rename at the end. */
enum { NODES_PER_LAYER = 3, TENSORS_PER_LAYER = 3 };

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the layers");
}

/* What the types share */

Onnx__NodeProto *layers_node(struct layers *layers, const char *op_type, const char *name)
{
    Onnx__NodeProto *node = draft_node(&layers->draft, op_type, name, layers->value);
    layers->value = node->output[0];
    return node;
}

const char *layers_text(struct layers *layers, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int length = vsnprintf(NULL, 0, format, args);
    char *text = arena_alloc(layers->arena, (size_t)length + 1, 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}

enum status layers_take(struct layers *layers, const char *key, const char *name,
                        const struct safetensor **tensor, struct error *error)
{
    struct safetensor *found = safetensors_find(layers->tensors, name);
    *tensor = found;
    if (!found)
        return error_set(error, STATUS_NOT_FOUND, "%s: the weights have no tensor \"%s\"", key,
                         name);
    if (safetensors_onnx_type(found->type) == ONNX__TENSOR_PROTO__DATA_TYPE__UNDEFINED)
        return error_set(error, STATUS_UNSUPPORTED,
                         "%s \"%s\": expected F32, F16, BF16 or F64, found %s", key, name,
                         safetensors_type_name(found->type));
    found->used = true;
    return STATUS_OK;
}

enum status layers_tensor(struct layers *layers, const struct spec *spec, const char *key,
                          bool needed, const struct safetensor **tensor, struct error *error)
{
    const json_t *json = json_object_get(spec->json, key);
    const char *name = json_string_value(json);
    const char *usual = layers_text(layers, "%.*s.%s", (int)spec->stem_length, spec->stem, key);
    *tensor = NULL;
    if (!usual)
        return no_memory(error);
    if (json && !name && !json_is_null(json))
        return error_set(error, STATUS_INVALID, "%s: expected the name of a tensor", key);
    if (name || needed)
        return layers_take(layers, key, name ? name : usual, tensor, error);
    if (!safetensors_find(layers->tensors, usual))
        return STATUS_OK;
    /* Who writes null knows of the tensor: it is taken, and left out. */
    if (layers_take(layers, key, usual, tensor, error) == STATUS_OK && json_is_null(json))
        *tensor = NULL;
    return error->status;
}

enum status layers_expect_list(const char *key, const struct safetensor *tensor, size_t count,
                               struct error *error)
{
    char text[DIMS_TEXT_BYTES];
    if (tensor->rank == 1 && (size_t)tensor->dims[0] == count)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, "%s \"%s\" %s: expected [%zu]", key, tensor->name,
                     dims_text(text, tensor->dims, tensor->rank), count);
}

/* One layer */

/* A type of layer: a row of layers.def. */
struct type {
    const char *name, *keys;
    layer_function *add;
};

static const struct type *find_type(const char *name)
{
    static const struct type types[] = {
#define LAYER(type, keys) {#type, "type name activation " keys, add_##type},
#include "layers.def"
#undef LAYER
    };
    for (size_t i = 0; name && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

/* The length of a weight's name without ".weight"; 0 when it does not end so. */
static size_t stem_length(const char *weight)
{
    static const char suffix[] = ".weight";
    const size_t length = strlen(weight), cut = sizeof suffix - 1;
    return length > cut && strcmp(weight + length - cut, suffix) == 0 ? length - cut : 0;
}

/* A layer is called what it says, else what its weight is called, else <type>_<index>. */
static enum status name_layer(struct layers *layers, const struct type *type, size_t index,
                              struct spec *spec, struct error *error)
{
    const char *weight = json_string_value(json_object_get(spec->json, "weight"));
    if (fields_text(spec->json, "name", &spec->name, error) != STATUS_OK)
        return error->status;
    spec->stem = weight ? weight : "";
    spec->stem_length = stem_length(spec->stem);
    if (!spec->name && spec->stem_length > 0)
        spec->name = layers_text(layers, "%.*s", (int)spec->stem_length, spec->stem);
    else if (!spec->name)
        spec->name = layers_text(layers, "%s_%zu", type->name, index);
    if (!spec->name)
        return no_memory(error);
    if (spec->stem_length == 0) {
        spec->stem = spec->name;
        spec->stem_length = strlen(spec->name);
    }
    return STATUS_OK;
}

/* The activation that a layer of any type may have. */
static enum status activate(struct layers *layers, const struct spec *spec, struct error *error)
{
    const json_t *activation = json_object_get(spec->json, "activation");
    if (!activation || json_is_null(activation))
        return STATUS_OK;
    const char *name = layers_text(layers, "%s.%s", spec->name, fields_activation_type(activation));
    return name ? layers_activate(layers, activation, name, error) : no_memory(error);
}

static enum status add_layer(struct layers *layers, const json_t *json, size_t index,
                             struct error *error)
{
    struct spec spec = {.json = json};
    const char *name;
    if (!json_is_object(json) || fields_text(json, "type", &name, error) != STATUS_OK || !name)
        return error_set(error, STATUS_INVALID, "layer %zu: expected an object with a type", index);
    const struct type *type = find_type(name);
    if (!type)
        return error_set(error, STATUS_UNSUPPORTED, "layer %zu: unknown type \"%s\"", index, name);
    if (name_layer(layers, type, index, &spec, error) != STATUS_OK)
        return error_prefix(error, "layer %zu", index);
    if (fields_check(json, type->keys, error) != STATUS_OK ||
        type->add(layers, &spec, error) != STATUS_OK ||
        (type->add != add_activation && activate(layers, &spec, error) != STATUS_OK))
        return error_prefix(error, "layer \"%s\"", spec.name);
    return STATUS_OK;
}

/* The whole */

static enum status read_shape(const json_t *json, struct shape *shape, struct error *error)
{
    shape->rank = json_array_size(json);
    bool fits = shape->rank >= 1 && shape->rank < TENSOR_RANK_MAX;
    for (size_t i = 0; fits && i < shape->rank; i++) {
        const json_t *dim = json_array_get(json, i);
        shape->dims[i] = (size_t)json_integer_value(dim);
        fits &= json_is_integer(dim) && json_integer_value(dim) > 0;
    }
    if (fits && shape_count(shape) > 0 && shape_count(shape) <= MODEL_FEATURES_MAX)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "shape: expected 1 to %d whole numbers of 1 or more (without the batch), at "
                     "most %d elements in all",
                     TENSOR_RANK_MAX - 1, MODEL_FEATURES_MAX);
}

/* The name of the input or the output, which no tensor may have. */
static enum status read_port(const struct layers *layers, const json_t *json, const char *keys,
                             const char **name, struct error *error)
{
    if (fields_check(json, keys, error) != STATUS_OK ||
        fields_text(json, "name", name, error) != STATUS_OK)
        return error->status;
    if (!*name)
        return error_set(error, STATUS_INVALID, "expected a name");
    if (safetensors_find(layers->tensors, *name))
        return error_set(error, STATUS_INVALID, "name: a tensor is called \"%s\" already", *name);
    return STATUS_OK;
}

static enum status add_input(struct layers *layers, const json_t *json, struct error *error)
{
    if (read_port(layers, json, "name shape", &layers->value, error) != STATUS_OK ||
        read_shape(json_object_get(json, "shape"), &layers->shape, error) != STATUS_OK)
        return error_prefix(error, "input");
    draft_input(&layers->draft, layers->value, &layers->shape);
    return STATUS_OK;
}

/* What the last layer makes gets the name of the output. */
static enum status add_output(struct layers *layers, const json_t *json, struct error *error)
{
    const char *name;
    if (read_port(layers, json, "name", &name, error) != STATUS_OK)
        return error_prefix(error, "output");
    if (strcmp(name, layers->draft.graph->input[0]->name) == 0)
        return error_set(error, STATUS_INVALID, "output: the input is called \"%s\" already", name);
    layers_node(layers, "Identity", name)->output[0] = (char *)name;
    draft_output(&layers->draft, name);
    return STATUS_OK;
}

/* Tensors that layers use become initializers. One that none uses hints at a layer that was
 * forgotten, unless it holds whole numbers, as the counters of a training do. */
static enum status add_tensors(struct layers *layers, bool strict, struct error *error)
{
    for (size_t i = 0; i < layers->tensors->count; i++) {
        const struct safetensor *tensor = &layers->tensors->items[i];
        const int32_t type = safetensors_onnx_type(tensor->type);
        if (tensor->used)
            draft_tensor(&layers->draft, tensor->name, type, tensor->rank, tensor->dims,
                         tensor->offset, tensor->bytes);
        else if (strict && type != ONNX__TENSOR_PROTO__DATA_TYPE__UNDEFINED)
            return error_set(error, STATUS_INVALID,
                             "no layer uses the tensor \"%s\" (\"strict\": false allows that)",
                             tensor->name);
    }
    return STATUS_OK;
}

static enum status check_head(const json_t *json, struct error *error)
{
    const char *format;
    int64_t version;
    if (fields_check(json, "format version input output layers strict", error) != STATUS_OK ||
        fields_text(json, "format", &format, error) != STATUS_OK ||
        fields_int(json, "version", 0, 0, &version, error) != STATUS_OK)
        return error->status;
    if (!format || strcmp(format, "relud-layers") != 0)
        return error_set(error, STATUS_INVALID, "format: expected \"relud-layers\"");
    return version == 1 ? STATUS_OK
                        : error_set(error, STATUS_UNSUPPORTED,
                                    "version: expected 1, found %" PRId64, version);
}

static enum status draw(struct layers *layers, const json_t *json, struct error *error)
{
    const json_t *list = json_object_get(json, "layers");
    const size_t count = json_array_size(list);
    bool strict;
    if (check_head(json, error) != STATUS_OK ||
        fields_flag(json, "strict", true, &strict, error) != STATUS_OK)
        return error->status;
    if (count < 1 || count > LAYERS_MAX)
        return error_set(error, STATUS_INVALID, "layers: expected a list of 1 to %d", LAYERS_MAX);
    if (draft_open(&layers->draft, layers->arena, NODES_PER_LAYER * count + 1,
                   TENSORS_PER_LAYER * count + layers->tensors->count, error) != STATUS_OK ||
        add_input(layers, json_object_get(json, "input"), error) != STATUS_OK)
        return error->status;
    for (size_t i = 0; i < count; i++)
        if (add_layer(layers, json_array_get(list, i), i, error) != STATUS_OK)
            return error->status;
    if (add_output(layers, json_object_get(json, "output"), error) != STATUS_OK)
        return error->status;
    return add_tensors(layers, strict, error);
}

enum status layers_import(struct model *model, const char *text, size_t length,
                          const struct safetensors *tensors, struct error *error)
{
    struct arena arena;
    struct layers layers = {.arena = &arena, .tensors = tensors};
    json_error_t at;
    json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &at);
    if (!json)
        return error_set(error, STATUS_INVALID, "line %d: %s", at.line, at.text);
    error->status = STATUS_OK;
    arena_init(&arena, MODEL_MEMORY_BYTES_MAX);
    if (draw(&layers, json, error) == STATUS_OK) {
        const struct onnx_graph graph = {.proto = layers.draft.graph,
                                         .files = tensors->files,
                                         .opset = DRAFT_OPSET,
                                         .layers = true};
        onnx_import_graph(model, &graph, error);
    }
    arena_free(&arena);
    json_decref(json);
    return error->status;
}
