/* draft: an ONNX graph drawn up in memory, for the importer to read.
 *
 * All of its memory is taken when it is opened, so that adding to it cannot fail. Texts are
 * borrowed and must outlive the draft. */
#ifndef RELUD_DRAFT_H
#define RELUD_DRAFT_H

#include "graph/graph.h"
#include "onnx.pb-c.h"

enum {
    DRAFT_OPSET = 13,
    DRAFT_INPUTS_MAX = 5,     /* of a node */
    DRAFT_ATTRIBUTES_MAX = 6, /* of a node */
    DRAFT_INTS_MAX = 4        /* in one attribute */
};

struct draft {
    Onnx__GraphProto *graph;
    struct draft_ports *ports;
    struct draft_node *nodes;     /* the first n_node are in the graph */
    struct draft_tensor *tensors; /* the first n_initializer are */
};

/* An empty graph of DRAFT_OPSET with room for so many nodes and tensors. */
enum status draft_open(struct draft *draft, struct arena *arena, size_t nodes, size_t tensors,
                       struct error *error);

/* A float32 input [N, shape…]; at most one, and one output. */
void draft_input(struct draft *draft, const char *name, const struct shape *shape);
void draft_output(struct draft *draft, const char *name);

/* A constant of an ONNX data type, whose numbers lie at a place of the file the graph goes with. */
void draft_tensor(struct draft *draft, const char *name, int32_t type, size_t rank,
                  const int64_t *dims, size_t offset, size_t bytes);

/* A constant list of numbers in memory, which are borrowed. */
void draft_floats(struct draft *draft, const char *name, size_t count, const float *numbers);

/* A node of one input, to which others may be added, and one output, whose name is made up. */
Onnx__NodeProto *draft_node(struct draft *draft, const char *op_type, const char *name,
                            const char *input);
void draft_reads(Onnx__NodeProto *node, const char *input);

/* Attributes of node. */
void draft_int(Onnx__NodeProto *node, const char *name, int64_t value);
void draft_ints(Onnx__NodeProto *node, const char *name, size_t count, const int64_t *values);
void draft_float(Onnx__NodeProto *node, const char *name, float value);
void draft_text(Onnx__NodeProto *node, const char *name, const char *value);

#endif
