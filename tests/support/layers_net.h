/* layers_net: networks of model.json made in a test. */
#ifndef RELUD_TESTS_LAYERS_NET_H
#define RELUD_TESTS_LAYERS_NET_H

#include "model/layers.h"
#include "temporary.h"
#include "weights_file.h"

/* Imports json (in which ' stands for ") over the safetensors file in bytes into an otherwise empty
 * model, which model_close() frees, and plans it. */
enum status layers_load_bytes(struct model *model, const char *json, const uint8_t *bytes,
                              size_t count, struct error *error);
enum status layers_load(struct model *model, const char *json, const struct weights_file *file,
                        struct error *error);

/* The directory of a model: model.json and weights.safetensors of the digits network. */
void layers_write_digits(struct temporary *directory);

#endif
