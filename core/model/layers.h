/* layers: a network that model.json describes, for weights that carry no graph.
 *
 * model.json lists layers, each reading what the one before it makes. They are drawn up as an ONNX
 * graph whose initializers are the tensors of a safetensors file, and imported as one, so that
 * there is one importer. Defaults are PyTorch's. */
#ifndef RELUD_LAYERS_H
#define RELUD_LAYERS_H

#include "model.h"
#include "safetensors.h"

enum { LAYERS_TEXT_BYTES_MAX = 1 << 22, LAYERS_MAX = MODEL_NODES_MAX / 4 };

/* Imports the network that the model.json in text[length] describes into model->graph, inputs and
 * outputs. Marks the tensors it uses. Text and tensors may go afterwards. What is refused is
 * refused with a sentence that names the layer and the tensor. */
enum status layers_import(struct model *model, const char *text, size_t length,
                          const struct safetensors *tensors, struct error *error);

#endif
