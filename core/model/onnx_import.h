/* onnx_import: what the files of the ONNX reader share. */
#ifndef RELUD_ONNX_IMPORT_H
#define RELUD_ONNX_IMPORT_H

#include "model.h"
#include "onnx.pb-c.h"

/* What a name stands for in the ONNX graph. */
struct operand {
    bool defined;                      /* false: only mentioned so far */
    const char *name;                  /* of a constant */
    const Onnx__TensorProto *constant; /* NULL: a value of the graph */
    bool initializer;                  /* the constant is one, so its name was given by a person */
    uint32_t value;
    size_t rank;
    int64_t dims[TENSOR_RANK_MAX]; /* of a value: dims[0] is -1 */
    size_t uses; /* nodes and graph outputs that read it, under any of its names */
};

struct importer;

/* Imports one node. */
typedef enum status import_function(struct importer *importer, const Onnx__NodeProto *node,
                                    struct error *error);

/* The importer of that operator and the inputs it needs at least; NULL when there is none. */
import_function *onnx_op_importer(const char *op_type, size_t *inputs);

/* The operand of input i of node, NULL when the node has none there. */
struct operand *importer_operand(struct importer *importer, const Onnx__NodeProto *node, size_t i);

/* Makes output 0 of node stand for operand, which may be a copy of one that has a name already. */
enum status importer_define(struct importer *importer, const Onnx__NodeProto *node,
                            struct operand operand, struct error *error);

struct graph *importer_graph(struct importer *importer);

/* The rows the file fixes the batch to, -1 when it leaves them open. */
int64_t importer_batch(const struct importer *importer);

/* Attributes by name, or the fallback when node has none of that name; INVALID when it has another
 * type. */
enum status onnx_attribute_float(const Onnx__NodeProto *node, const char *name, float fallback,
                                 float *value, struct error *error);
enum status onnx_attribute_int(const Onnx__NodeProto *node, const char *name, int64_t fallback,
                               int64_t *value, struct error *error);
const Onnx__AttributeProto *onnx_attribute(const Onnx__NodeProto *node, const char *name);

/* Reads tensor as float32 or int64: *tensor borrows the message's memory. Refused unless type,
 * shape and bytes agree. */
enum status onnx_tensor(const Onnx__TensorProto *proto, enum dtype dtype, struct tensor *tensor,
                        struct error *error);

#endif
