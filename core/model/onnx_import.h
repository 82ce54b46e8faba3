/* onnx_import: what the files of the ONNX reader share.
 *
 * Each name of the file stands for an operand: a constant tensor, known now, or a value of the
 * graph. First come the nodes whose inputs are all constant, which are computed at once
 * (onnx_fold.c); then the sub-graphs that are an activation written out become one step each
 * (onnx_fuse.c); then the importer walks over what is left in the file's order and makes nodes of
 * the graph of it, but for constants that only now turn out to be some, as shapes do.
 *
 * The first axis of every value is the batch and not part of its shape here. A file whose batch is
 * fixed, and whose nodes do something to that axis, is imported whole: then its values have all
 * their axes, and one "row" is one run of the file. */
#ifndef RELUD_ONNX_IMPORT_H
#define RELUD_ONNX_IMPORT_H

#include <string.h>

#include "files.h"
#include "onnx.h"

/* In an int64 constant: the batch, whatever it will be. No file has this number by chance. */
#define ONNX_BATCH (INT64_MIN + 0x5ca1ab1e)

/* What a name stands for in the ONNX graph. */
struct operand {
    const char *name;
    bool defined;     /* by an initializer, an input or an imported node */
    bool initializer; /* a constant that is one, so that its name was given by a person */
    bool is_constant;
    struct tensor tensor; /* of a constant */
    uint32_t value;       /* of the others */
    size_t uses;          /* nodes and graph outputs that read it, under any of its names */
    struct step *maker;   /* NULL when no node makes it */
    bool needed;          /* by an output that is served, where others are left out */
};

/* What is to be done with a node of the file. */
struct step {
    const Onnx__NodeProto *proto;   /* NULL: nothing, it is done or part of another step */
    const struct activation *fused; /* what proto's one input goes through, whatever its operator
                                       says; NULL: what the operator says */
};

enum { FOLD_COUNT_MAX = 1 << 28 }; /* numbers in a computed constant */

struct importer {
    struct model *model;
    struct arena *scratch; /* for what only the import needs */
    const Onnx__GraphProto *proto;
    const struct files *files;  /* where large tensors are */
    struct hsearch_data *names; /* name -> struct operand */
    struct operand *operands;
    size_t operand_count, operand_capacity;
    struct step *steps;                     /* one for each node of the file */
    const Onnx__NodeProto *current;         /* the one being imported; NULL before and after */
    bool *left_out;                         /* by output of the file: not served */
    bool leaves_out;                        /* whether there is one */
    uint32_t (*converted)[LAYOUT_COUNT][2]; /* by value: the same in that layout, with padding or
                                               without; 0 for none */
    int64_t opset;
    size_t row_max;         /* numbers in a row of what a node may make */
    int64_t batch;          /* the rows the file fixes the batch to, -1 when it leaves them open */
    bool whole;             /* the batch is an axis like the others */
    bool layers;            /* drawn up by draft.c: the names of nodes are those of layers */
    const char **activated; /* by node of the graph: what the file calls the output of its
                               activation, NULL where it has none of its own */
    bool *mixes; /* set when a node does something to the batch, for which whole is needed */
};

/* Axes in front of a tensor of the file that its value does not have: the batch. */
static inline size_t importer_hidden(const struct importer *importer)
{
    return importer->whole ? 0 : 1;
}

/* Imports one node. */
typedef enum status import_function(struct importer *importer, const Onnx__NodeProto *node,
                                    struct error *error);

/* An operator relud imports. */
struct onnx_op {
    const char *op_type;
    import_function *import;
    size_t least, most; /* inputs */
};

/* NULL when there is none of that name. */
const struct onnx_op *onnx_op_named(const char *op_type);

static inline bool onnx_is_op(const Onnx__NodeProto *node, const char *op_type)
{
    return strcmp(node->op_type, op_type) == 0;
}

/* Whether node's operator is one of ONNX's own. */
bool onnx_is_standard(const Onnx__NodeProto *node);

/* The importers */
#define ONNX_OP(op, import, least, most) import_function import;
#include "onnx_ops.def"
#undef ONNX_OP
import_function import_activation;
import_function import_own_activation; /* of ONNX_DOMAIN_RELUD */

/* Reads the numbers that *activation, which node's operator names, takes as parameters. It may
 * become another: ONNX has two gelus under one name, and no relu6. */
enum status onnx_activation(struct importer *importer, const Onnx__NodeProto *node,
                            struct activation *activation, struct error *error);

/* A clip to that range, called relu6 where it is one. */
void onnx_set_clip(struct activation *activation, float low, float high);

/* Imports a fused step. */
enum status import_fused(struct importer *importer, const struct step *step, struct error *error);

/* Turns each sub-graph that is an activation written out into one step (onnx_fuse.def lists them).
 * Constants must be known, and no other step be done yet. Takes time in proportion to the steps. */
enum status onnx_fuse(struct importer *importer, struct error *error);

/* Whether all inputs of node are known constants, so that its outputs are constants too. */
bool onnx_foldable(struct importer *importer, const Onnx__NodeProto *node);
import_function onnx_fold;

/* Parts of onnx_fold: functions of one whole number, of two or three; copies of whole numbers;
 * anything else. */
import_function onnx_fold_int;
import_function onnx_fold_ints;
import_function onnx_fold_moved;
import_function onnx_fold_floats;

/* Input i of a node that is computed now, NULL when it has none there; and what it makes. */
const struct tensor *onnx_fold_input(struct importer *importer, const Onnx__NodeProto *node,
                                     size_t i);
enum status onnx_fold_define(struct importer *importer, const Onnx__NodeProto *node,
                             const struct tensor *result, struct error *error);

/* Checks the dimensions of a constant that is being computed, and makes room for its numbers. */
enum status onnx_fold_room(struct importer *importer, struct tensor *result, void **data,
                           struct error *error);

/* ONNX's own operators for what scikit-learn does (onnx_ml.c) */

#define ONNX_DOMAIN_ML "ai.onnx.ml"

/* The importer of an operator of that domain; NULL when there is none of that name. */
const struct onnx_op *onnx_ml_op_named(const char *op_type);

/* Marks the outputs that do not hold float32 numbers as left out, unless none does, and drops the
 * steps that nothing else needs: a classifier's labels, beside its probabilities. */
void onnx_leave_out(struct importer *importer);

/* Whether an output that is served may need the operand of that name. */
bool onnx_is_needed(const struct importer *importer, const char *name);

/* The node that makes the output of that name when it is a ZipMap; NULL otherwise. */
const Onnx__NodeProto *onnx_zip_map(const struct importer *importer, const char *output);

/* The names that a ZipMap gives to count columns; NULL when it gives other ones, or without memory.
 */
const char *const *onnx_zip_map_labels(struct arena *arena, const Onnx__NodeProto *node,
                                       size_t count);

/* Fills in a trace of what has been imported (onnx_trace.c). */
enum status onnx_trace_fill(const struct importer *importer, struct onnx_trace *trace,
                            struct error *error);

/* Operands (onnx_operand.c) */

/* Enters every name of the file and counts its uses. */
enum status importer_open(struct importer *importer, struct error *error);
void importer_close(struct importer *importer);

/* The operand of a name of the file, defined or not. */
struct operand *importer_named(const struct importer *importer, const char *name);

/* The operand of that name, NULL when nothing has defined it yet. */
struct operand *importer_find(struct importer *importer, const char *name);

/* The operand of input i of node, NULL when the node has none there. */
struct operand *importer_operand(struct importer *importer, const Onnx__NodeProto *node, size_t i);

/* Makes name stand for operand, a new one or a copy of one that has a name already. */
enum status importer_enter(struct importer *importer, const char *name, struct operand operand,
                           struct error *error);

/* The same for output i of node; nothing when it has no such output. */
enum status importer_define(struct importer *importer, const Onnx__NodeProto *node, size_t i,
                            struct operand operand, struct error *error);
enum status importer_define_value(struct importer *importer, const Onnx__NodeProto *node, size_t i,
                                  uint32_t value, struct error *error);

/* Input i as a constant of that type, its numbers at hand; what names it in the message. */
enum status importer_constant(struct importer *importer, const Onnx__NodeProto *node, size_t i,
                              const char *what, enum dtype dtype, struct tensor *tensor,
                              struct error *error);

/* The same for weights, which may still be stored. */
enum status importer_weight(struct importer *importer, const Onnx__NodeProto *node, size_t i,
                            const char *what, struct tensor *tensor, struct error *error);

/* Whole numbers that old operator sets have as an attribute and newer ones as input i; no numbers
 * when there is neither. */
struct ints {
    const int64_t *numbers;
    size_t count;
};
enum status importer_ints(struct importer *importer, const Onnx__NodeProto *node, size_t i,
                          const char *name, struct ints *ints, struct error *error);

/* UNSUPPORTED: a node does something to the batch, as the sentence's beginning says, which only a
 * file that fixes the batch may do. */
enum status importer_mixes(struct importer *importer, struct error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* An axis as the file counts them (negative ones from the end) as an axis of a value of that rank,
 * which the file calls name. UNSUPPORTED when it is the batch. */
enum status importer_axis(struct importer *importer, const char *name, int64_t axis, size_t rank,
                          size_t *of_row, struct error *error);

/* Values (onnx_value.c) */

/* Input i as a value; a float constant becomes one, with all its axes. */
enum status importer_value(struct importer *importer, const Onnx__NodeProto *node, size_t i,
                           uint32_t *value, struct error *error);

/* A constant as a value of that shape, which has as many elements. */
enum status importer_constant_value(struct importer *importer, const struct tensor *tensor,
                                    const struct shape *shape, uint32_t *value,
                                    struct error *error);

/* Input i as an image, channels last, and padded if it must be; its shape [channels, spatial…]. In
 * a file imported whole the value is a row of such images. */
enum status importer_image(struct importer *importer, const Onnx__NodeProto *node, size_t i,
                           bool padded, uint32_t *value, struct shape *shape, struct error *error);

/* The node that makes input i, when nothing but the node at hand reads it and it is of that op and
 * has no activation yet; NULL otherwise. */
struct node *importer_sole_producer(struct importer *importer, const Onnx__NodeProto *node,
                                    size_t i, enum op op);

/* The same, for any op that ends with an epilogue over weights: dense, conv, depthwise. */
struct node *importer_linear_producer(struct importer *importer, const Onnx__NodeProto *node,
                                      size_t i);

/* The same value in that layout; and with the padding that kernels read. Itself where it is so
 * already. */
enum status importer_layout(struct importer *importer, uint32_t value, enum layout layout,
                            uint32_t *as, struct error *error);
enum status importer_padded(struct importer *importer, uint32_t value, enum layout layout,
                            uint32_t *as, struct error *error);

/* The same numbers under another shape of as many; with the axes in another order. */
enum status importer_reshape(struct importer *importer, uint32_t value, const struct shape *shape,
                             uint32_t *as, struct error *error);
enum status importer_transpose(struct importer *importer, uint32_t value, const size_t *axes,
                               uint32_t *as, struct error *error);

/* Adds a node to the graph, called <op>_<index> when it has no name. */
enum status importer_make(struct importer *importer, struct node node, const uint32_t *inputs,
                          const struct shape *shape, enum layout layout, uint32_t *value,
                          struct error *error);

/* The same, and makes output 0 of the ONNX node stand for what it makes. */
enum status importer_add(struct importer *importer, const Onnx__NodeProto *proto, struct node node,
                         const uint32_t *inputs, const struct shape *shape, enum layout layout,
                         struct error *error);

/* The same for a node that makes an image, which importer_image() gave its input. */
enum status importer_add_image(struct importer *importer, const Onnx__NodeProto *proto,
                               struct node node, const uint32_t *inputs, const struct shape *shape,
                               struct error *error);

/* The layer's name by the rules of API.md; weight is the operand of its weights, NULL for none.
 * NULL without memory. */
const char *importer_layer_name(struct importer *importer, const Onnx__NodeProto *node,
                                const struct operand *weight);

/* Makes output 0 of node stand for values side by side along its attribute "axis"
 * (onnx_select.c). */
enum status importer_concat(struct importer *importer, const Onnx__NodeProto *proto,
                            const uint32_t *inputs, size_t count, struct error *error);

/* Copies (onnx_move.c) */

/* A move of all of from into a value to of the same shape. */
struct move move_same(const struct value *from, const struct value *to);

/* The same copies in an order that is quick: fewer dimensions, the shortest strides last. */
void move_settle(struct move *move);

/* A node of copies; elements no move reaches become *fill, unless it is NULL. */
enum status importer_make_moves(struct importer *importer, const char *name,
                                const struct move *moves, size_t move_count, const uint32_t *inputs,
                                size_t input_count, const float *fill, const struct shape *shape,
                                enum layout layout, uint32_t *value, struct error *error);

/* Attributes (onnx_attribute.c) */

/* Attributes by name, or the fallback when node has none of that name; INVALID when it has another
 * type. */
enum status onnx_attribute_float(const Onnx__NodeProto *node, const char *name, float fallback,
                                 float *value, struct error *error);
enum status onnx_attribute_int(const Onnx__NodeProto *node, const char *name, int64_t fallback,
                               int64_t *value, struct error *error);
const Onnx__AttributeProto *onnx_attribute(const Onnx__NodeProto *node, const char *name);

/* Whether a text attribute says text. */
bool onnx_attribute_says(const Onnx__AttributeProto *attribute, const char *text);

/* Tensors (onnx_tensor.c)
 *
 * The numbers of a large tensor stay stored in the file until they are wanted: to be packed, piece
 * by piece, or all together for a computation. A tensor's data is NULL as long. */

/* Reads a tensor as float32 (half and double precision are converted) or int64 (int32 and bool
 * are): *tensor borrows the message's memory, lies in scratch memory or is stored. Refused unless
 * type, shape and bytes agree. */
enum status onnx_tensor(struct importer *importer, const Onnx__TensorProto *proto,
                        struct tensor *tensor, struct error *error);

/* The file a tensor's external data is in, NULL for none. */
const char *onnx_tensor_location(const Onnx__TensorProto *proto);

/* Gives tensor, whose shape is known, the type of number and that number in every place. The number
 * stays where it is. */
enum status onnx_tensor_repeat(struct importer *importer, const struct tensor *number,
                               struct tensor *tensor, struct error *error);

/* Copies elements [first, first + count) of any tensor, as its dtype. */
enum status onnx_tensor_numbers(const struct tensor *tensor, size_t first, size_t count, void *to,
                                struct error *error);

/* Copies what a tensor points at into arena, so that it can be read until its file is closed. */
enum status onnx_tensor_keep(struct arena *arena, struct tensor *tensor, struct error *error);

/* Makes external data raw data of the tensor, in arena. */
enum status onnx_tensor_embed(struct arena *arena, const struct files *files,
                              Onnx__TensorProto *proto, struct error *error);

/* Brings stored numbers into scratch memory. */
enum status onnx_tensor_load(struct importer *importer, struct tensor *tensor, struct error *error);

#endif
