/* onnx: reads an ONNX file into a model's graph and signature. */
#ifndef RELUD_ONNX_H
#define RELUD_ONNX_H

#include "model.h"

/* Imports the ONNX model in bytes[count] into model->graph, inputs and outputs. The bytes may go
 * afterwards. Anything relud cannot run exactly is refused with a sentence naming the node or
 * tensor. */
enum status onnx_import(struct model *model, const uint8_t *bytes, size_t count,
                        struct error *error);

#endif
