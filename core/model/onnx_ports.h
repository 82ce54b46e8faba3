/* onnx_ports: the inputs, outputs and initializers of the file. */
#ifndef RELUD_ONNX_PORTS_H
#define RELUD_ONNX_PORTS_H

#include "onnx_import.h"

/* Defines every initializer as a constant, every other input as a value; reads the batch the file
 * fixes. */
enum status import_initializers(struct importer *importer, struct error *error);
enum status import_inputs(struct importer *importer, struct error *error);

/* Whether every dimension of every input has its size, the batch included. */
bool onnx_inputs_fixed(const Onnx__GraphProto *graph);

/* Declares the outputs, in plain layout. */
enum status import_outputs(struct importer *importer, struct error *error);

#endif
