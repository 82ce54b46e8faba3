/* layers_types: one function for each type of layer in model.json. */
#ifndef RELUD_LAYERS_TYPES_H
#define RELUD_LAYERS_TYPES_H

#include <jansson.h>

#include "draft.h"
#include "safetensors.h"

/* The network so far. */
struct layers {
    struct arena *arena; /* of what the draft borrows */
    struct draft draft;
    const struct safetensors *tensors;
    const char *value;  /* what the last layer makes */
    struct shape shape; /* of it, without the batch */
};

/* One layer of model.json. */
struct spec {
    const char *name;
    const char *stem; /* its tensors are called <stem>.weight, … unless it says otherwise */
    size_t stem_length;
    const json_t *json;
};

/* Adds the nodes of one layer. */
typedef enum status layer_function(struct layers *layers, const struct spec *spec,
                                   struct error *error);

#define LAYER(type, keys) layer_function add_##type;
#include "layers.def"
#undef LAYER

/* Adds an activation; name is that of its node, unless it becomes part of the layer before
 * (layers_activation.c). */
enum status layers_activate(struct layers *layers, const json_t *json, const char *name,
                            struct error *error);

/* What the types share (layers.c) */

/* Adds a node that reads what the last layer makes, and makes it the last. */
Onnx__NodeProto *layers_node(struct layers *layers, const char *op_type, const char *name);

/* A formatted text in the arena; NULL without memory. */
const char *layers_text(struct layers *layers, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The tensor of that name, which is used as key. */
enum status layers_take(struct layers *layers, const char *key, const char *name,
                        const struct safetensor **tensor, struct error *error);

/* The tensor that key names, or the one called <stem>.<key>. NULL when the layer can do without and
 * the file has none, or key is null. */
enum status layers_tensor(struct layers *layers, const struct spec *spec, const char *key,
                          bool needed, const struct safetensor **tensor, struct error *error);

/* INVALID unless tensor, used as key, is a list of count numbers. */
enum status layers_expect_list(const char *key, const struct safetensor *tensor, size_t count,
                               struct error *error);

#endif
