/* onnx_ports: the inputs, outputs and initializers of the file. */
#ifndef RELUD_ONNX_PORTS_H
#define RELUD_ONNX_PORTS_H

#include "onnx_import.h"

/* Defines every initializer as a constant, every other input as a value; reads the batch the file
 * fixes. */
enum status import_initializers(struct importer *importer, struct error *error);
enum status import_inputs(struct importer *importer, struct error *error);

/* Declares the outputs, in plain layout. */
enum status import_outputs(struct importer *importer, struct error *error);

#endif
