/* model: a network as it is served: graph, plan, signature, names.
 *
 * A model is read from PATH: an .onnx file, or a directory with model.onnx, or with model.json and
 * weights.safetensors (layers.h), and, optionally, config.json. Once open it never changes, so that
 * any number of threads may read it. */
#ifndef RELUD_MODEL_H
#define RELUD_MODEL_H

#include "graph/graph.h"
#include "graph/plan.h"
#include "stats/counters.h"
#include "stats/proof.h"

enum {
    MODEL_FEATURES_MAX = 1 << 24, /* numbers in one row of any value */
    MODEL_NODES_MAX = 1 << 14,
    MODEL_NAME_BYTES = 256,
    MODEL_PATH_BYTES = 4096,
    MODEL_DIGEST_BYTES = sizeof "sha256:" + 64,
};

/* No file larger than protobuf's own limit, no model that takes more memory than this. */
#define MODEL_FILE_BYTES_MAX   ((size_t)1 << 31)
#define MODEL_MEMORY_BYTES_MAX ((size_t)1 << 33)

/* Where a model's files are; "" for those it does not have. */
struct model_paths {
    char network[MODEL_PATH_BYTES]; /* .onnx, or the weights of layers */
    char layers[MODEL_PATH_BYTES];  /* model.json */
    char config[MODEL_PATH_BYTES];  /* which need not be there */
};

/* An input or output as clients name it. */
struct port {
    const char *name;
    size_t rank;
    int64_t dims[TENSOR_RANK_MAX]; /* dims[0] is -1, the batch, unless the model is whole */
    size_t features;               /* the product of the others */
    const float *min, *max;    /* [features] declared range of an input; NULL when not declared */
    const char *const *labels; /* [features] of an output; NULL when not declared */
};

struct model {
    struct arena arena; /* owned: everything below */
    const char *name;
    const char *version;
    char digest[MODEL_DIGEST_BYTES]; /* of the files and the effective activations */
    struct graph graph;
    struct plan plan;
    struct port inputs[GRAPH_IO_MAX], outputs[GRAPH_IO_MAX];
    const char *left_out[GRAPH_IO_MAX]; /* outputs of the file that are not served: they do not hold
                                           float32 numbers, but others do */
    size_t left_out_count;
    bool whole; /* the file fixes the batch and does something to it: a row is a run of the file,
                   and the first dimension of its ports one of the row's */
    size_t max_batch_rows; /* 0: not configured */
    const char *baseline;  /* a snapshot to compare with, a file in its directory; NULL for none */
    enum stats_level level;
    struct proof proof; /* for the declared ranges; none at level off */
};

/* One --activation: layer is a name or "*" for all hidden ones. */
struct activation_override {
    const char *layer;
    struct activation activation;
};

struct model_options {
    const char *name;       /* NULL: that of the path */
    const char *version;    /* NULL: "1" */
    const char *config;     /* file to read when the model has no config.json; NULL for none */
    enum stats_level level; /* unless config.json says otherwise */
    const struct activation_override *overrides;
    size_t override_count;
    const char *const *biases; /* changes as bias.h takes them */
    size_t bias_count;
};

/* How many rows a tensor of that shape holds for port: its first dimension, when the others are the
 * port's. Of a whole model it may be the port's shape for one run, or have one dimension more for
 * several. 0 when the shape is another. */
size_t port_rows(const struct port *port, size_t rank, const size_t *dims);

/* How many of so many rows of each input, dense, are not in the declared ranges; 0 where nothing is
 * proven for them. */
size_t model_out_of_range(const struct model *model, const struct kernels *kernels,
                          const float *const *x, size_t rows);

/* The name of the model at path unless another is given: its last part, without ".onnx". */
void model_path_name(char name[MODEL_NAME_BYTES], const char *path);

/* Finds the files of the model at path. */
enum status model_find(struct model_paths *paths, const char *path, struct error *error);

/* Whether directory is one that holds a model, be it one that cannot be opened. */
bool model_in_directory(const char *directory);

/* Opens the model at path. On failure nothing is left open and the error's message names the file,
 * and the node or tensor at fault. */
enum status model_open(struct model *model, const char *path, const struct model_options *options,
                       struct error *error);
void model_close(struct model *model);

/* Gives the node called layer that activation; NOT_FOUND when the graph has no such node. Before
 * planning only. "*" means every node whose activation is counted. */
enum status model_set_activation(struct model *model, const char *layer,
                                 struct activation activation, struct error *error);

#endif
