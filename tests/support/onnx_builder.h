/* onnx_builder: ONNX models made in a test, from a sound small one to a hostile one.
 *
 * Every message belongs to the builder and may be changed until it is packed. Lists of names are
 * one string, separated by spaces; "_" stands for an input left out. */
#ifndef RELUD_TESTS_ONNX_BUILDER_H
#define RELUD_TESTS_ONNX_BUILDER_H

#include "model/model.h"
#include "onnx.pb-c.h"

struct onnx_builder {
    struct arena arena; /* owned */
    Onnx__ModelProto *model;
    Onnx__GraphProto *graph;
};

enum { ONNX_BUILDER_MAX = 64, ONNX_BUILDER_OPSET = 13 };

/* A model of operator set 13 with an empty graph; at most ONNX_BUILDER_MAX of anything. */
void onnx_open(struct onnx_builder *builder);
void onnx_close(struct onnx_builder *builder);

/* A float32 input; a dimension of -1 is the open batch "N". */
Onnx__ValueInfoProto *onnx_input(struct onnx_builder *builder, const char *name, size_t rank,
                                 const int64_t *dims);
Onnx__ValueInfoProto *onnx_output(struct onnx_builder *builder, const char *name);

Onnx__NodeProto *onnx_node(struct onnx_builder *builder, const char *op_type, const char *name,
                           const char *inputs, const char *output);

/* Attributes of node. */
Onnx__AttributeProto *onnx_int(struct onnx_builder *builder, Onnx__NodeProto *node,
                               const char *name, int64_t value);
Onnx__AttributeProto *onnx_int_list(struct onnx_builder *builder, Onnx__NodeProto *node,
                                    const char *name, size_t count, const int64_t *values);
Onnx__AttributeProto *onnx_float(struct onnx_builder *builder, Onnx__NodeProto *node,
                                 const char *name, float value);
Onnx__AttributeProto *onnx_list(struct onnx_builder *builder, Onnx__NodeProto *node,
                                const char *name, size_t count, const int64_t *values);
Onnx__AttributeProto *onnx_text(struct onnx_builder *builder, Onnx__NodeProto *node,
                                const char *name, const char *value);
Onnx__AttributeProto *onnx_value(struct onnx_builder *builder, Onnx__NodeProto *node,
                                 const char *name, Onnx__TensorProto *value);

/* A tensor with a copy of data, as raw bytes; of no graph yet. */
Onnx__TensorProto *onnx_floats(struct onnx_builder *builder, const char *name, size_t rank,
                               const int64_t *dims, const float *data);
Onnx__TensorProto *onnx_ints(struct onnx_builder *builder, const char *name, size_t count,
                             const int64_t *data);

/* Makes tensor an initializer of the graph. */
Onnx__TensorProto *onnx_initializer(struct onnx_builder *builder, Onnx__TensorProto *tensor);

/* An initializer [rows, columns], or [columns] where rows is 0. */
Onnx__TensorProto *onnx_matrix(struct onnx_builder *builder, const char *name, int64_t rows,
                               int64_t columns, const float *data);

/* x [N, 4] -> Gemm "fc1" [3, 4] transB, Relu -> MatMul "fc2" [3, 2] + Add -> y [N, 2]. */
void onnx_small(struct onnx_builder *builder);

/* The file, owned by the builder. */
const uint8_t *onnx_pack(struct onnx_builder *builder, size_t *count);

/* Imports it into an otherwise empty model, which model_close() frees, and plans it. */
enum status onnx_load(struct onnx_builder *builder, struct model *model, struct error *error);

/* The same of bytes; and into a model whose arena is ready, without a plan. */
enum status onnx_load_bytes(struct model *model, const uint8_t *bytes, size_t count,
                            struct error *error);

enum status onnx_import_bytes(struct model *model, const uint8_t *bytes, size_t count,
                              struct error *error);

/* Runs rows of x through a model of one input and one output, on the best kernels or those given; y
 * is dense as well. */
void model_run(const struct model *model, const float *x, size_t rows, float *y);
void model_run_on(const struct model *model, const struct kernels *kernels, const float *x,
                  size_t rows, float *y);

#endif
