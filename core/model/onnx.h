/* onnx: reads an ONNX file into a model's graph and signature. */
#ifndef RELUD_ONNX_H
#define RELUD_ONNX_H

#include "model.h"
#include "onnx.pb-c.h"

/* Imports the ONNX model in bytes[count] into model->graph, inputs and outputs. The bytes may go
 * afterwards. Anything relud cannot run exactly is refused with a sentence naming the node or
 * tensor. */
enum status onnx_import(struct model *model, const uint8_t *bytes, size_t count,
                        struct error *error);

/* The same of a graph that was read, or made, before; opset is the operator set its nodes mean. The
 * raw data of its initializers is read where it is; the graph may go afterwards. */
enum status onnx_import_graph(struct model *model, const Onnx__GraphProto *graph, int64_t opset,
                              struct error *error);

#endif
