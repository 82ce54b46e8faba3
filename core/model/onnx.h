/* onnx: reads an ONNX file into a model's graph and signature. */
#ifndef RELUD_ONNX_H
#define RELUD_ONNX_H

#include "model.h"
#include "onnx_file.h"

/* Imports file into model->graph, inputs and outputs. Anything relud cannot run exactly is refused
 * with a sentence naming the node or tensor. */
enum status onnx_import(struct model *model, const struct onnx_file *file, struct error *error);

/* What the import has made of a name of the file. */
struct onnx_name {
    const char *name;
    bool constant;
    struct tensor tensor; /* of a constant, readable until the file is closed */
    uint32_t value;       /* of the graph; ONNX_NO_VALUE for what is computed inside of another */
};

#define ONNX_NO_VALUE UINT32_MAX

/* How a file and the graph made of it belong together. */
struct onnx_trace {
    struct arena *arena; /* borrowed: everything below */
    struct onnx_name *names;
    size_t name_count;
    const char **activated; /* by node of the graph: what the file calls the output of its
                               activation; NULL where the file has none, and for crelu */
};

/* The same as onnx_import(), and fills in trace. */
enum status onnx_import_traced(struct model *model, const struct onnx_file *file,
                               struct onnx_trace *trace, struct error *error);

/* The domain of activations that need not be ONNX operators, in a graph of layers: op_type is a
 * name of activation.def, attributes are its parameters. */
#define ONNX_DOMAIN_RELUD "relud"

/* A graph that was read, or drawn up in memory. */
struct onnx_graph {
    const Onnx__GraphProto *proto;
    const struct files *files; /* where its initializers say their numbers are */
    int64_t opset;             /* the operator set its nodes mean */
    struct onnx_trace *trace;  /* to fill in; NULL for none */
    bool layers;               /* its nodes are model.json's layers, and are called so */
};

/* The same of such a graph, which may go afterwards, and so may its files. */
enum status onnx_import_graph(struct model *model, const struct onnx_graph *graph,
                              struct error *error);

#endif
