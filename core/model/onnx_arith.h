/* onnx_arith: arithmetic for importers that lower an operator to it. */
#ifndef RELUD_ONNX_ARITH_H
#define RELUD_ONNX_ARITH_H

#include "onnx_import.h"

/* Axes of input i in the file, the batch included; 0 when there is none. */
size_t arith_file_rank(struct importer *importer, const Onnx__NodeProto *proto, size_t i);

/* The most axes an input of node has in the file. */
size_t arith_rank(struct importer *importer, const Onnx__NodeProto *proto);

/* Input i as a value to broadcast with others of so many axes in the file: a constant loses its
 * axis for the batch, which must be 1. */
enum status arith_operand(struct importer *importer, const Onnx__NodeProto *proto, size_t i,
                          size_t rank, uint32_t *value, struct error *error);

/* The shape that two have together: aligned at the last dimension, repeated where they are 1. */
enum status arith_broadcast(const struct shape *a, const struct shape *b, struct shape *shape,
                            struct error *error);

/* Adds a node that computes ab[0] and ab[1] by the row of arithmetic.def that detail names. */
enum status arith_make(struct importer *importer, const char *name, int detail, const uint32_t *ab,
                       uint32_t *value, struct error *error);

/* Makes output 0 of node stand for a function of input 0: the row that detail names. */
enum status arith_unary(struct importer *importer, const Onnx__NodeProto *proto, int detail,
                        struct error *error);

/* A number as a value of rank 0. */
enum status arith_scalar(struct importer *importer, float number, uint32_t *value,
                         struct error *error);

#endif
