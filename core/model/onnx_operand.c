/* Names of the file and what they stand for. */
#include <inttypes.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "onnx_import.h"

/* Names in one file. */
enum { IMPORT_NAMES_MAX = 1 << 20 };

struct operand *importer_named(const struct importer *importer, const char *name)
{
    ENTRY *found;
    if (!hsearch_r((ENTRY){.key = (char *)name}, FIND, &found, importer->names))
        return NULL;
    return found->data;
}

/* Enters name unless it is there; NULL without memory. */
static struct operand *intern(struct importer *importer, const char *name)
{
    ENTRY *entry;
    struct operand *slot = importer_named(importer, name);
    if (slot)
        return slot;
    if (importer->operand_count == importer->operand_capacity)
        return NULL;
    slot = &importer->operands[importer->operand_count];
    if (!hsearch_r((ENTRY){.key = (char *)name, .data = slot}, ENTER, &entry, importer->names))
        return NULL;
    importer->operand_count++;
    slot->name = name;
    return slot;
}

static size_t count_names(const Onnx__GraphProto *proto)
{
    size_t count = proto->n_initializer + proto->n_input + proto->n_output;
    for (size_t i = 0; i < proto->n_node; i++)
        count += proto->node[i]->n_input + proto->node[i]->n_output;
    return count;
}

/* Enters a name; maker, when that is a node. */
static bool take(struct importer *importer, const char *name, struct step *maker)
{
    if (!name || !name[0])
        return true;
    struct operand *slot = intern(importer, name);
    if (slot && maker)
        slot->maker = maker;
    return slot;
}

static bool take_all(struct importer *importer)
{
    const Onnx__GraphProto *proto = importer->proto;
    bool fits = true;
    for (size_t i = 0; i < proto->n_initializer; i++)
        fits &= take(importer, proto->initializer[i]->name, NULL);
    for (size_t i = 0; i < proto->n_input; i++)
        fits &= take(importer, proto->input[i]->name, NULL);
    for (size_t i = 0; i < proto->n_output; i++)
        fits &= take(importer, proto->output[i]->name, NULL);
    for (size_t i = 0; i < proto->n_node; i++) {
        const Onnx__NodeProto *node = importer->steps[i].proto = proto->node[i];
        for (size_t j = 0; j < node->n_input; j++)
            fits &= take(importer, node->input[j], NULL);
        for (size_t j = 0; j < node->n_output; j++)
            fits &= take(importer, node->output[j], &importer->steps[i]);
    }
    return fits;
}

static void count_use(struct importer *importer, const char *name)
{
    if (name && name[0])
        importer_named(importer, name)->uses++;
}

/* What the steps that are left and the outputs that are served read. */
static void count_uses(struct importer *importer)
{
    const Onnx__GraphProto *proto = importer->proto;
    for (size_t i = 0; i < proto->n_output; i++)
        if (!importer->left_out[i])
            count_use(importer, proto->output[i]->name);
    for (size_t i = 0; i < proto->n_node; i++)
        for (size_t j = 0; importer->steps[i].proto && j < proto->node[i]->n_input; j++)
            count_use(importer, proto->node[i]->input[j]);
}

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the names");
}

enum status importer_open(struct importer *importer, struct error *error)
{
    const Onnx__GraphProto *proto = importer->proto;
    struct arena *scratch = importer->scratch;
    size_t names = count_names(proto);
    if (names > IMPORT_NAMES_MAX)
        return error_set(error, STATUS_TOO_LARGE, "expected at most %d names, found %zu",
                         IMPORT_NAMES_MAX, names);
    importer->operand_capacity = names;
    importer->operands = arena_alloc(scratch, names, sizeof *importer->operands);
    importer->steps = arena_alloc(scratch, proto->n_node, sizeof *importer->steps);
    importer->left_out = arena_alloc(scratch, proto->n_output, sizeof *importer->left_out);
    if (!importer->operands || !importer->steps || !importer->left_out ||
        !hcreate_r(names * 2 + 1, importer->names))
        return no_memory(error);
    if (!take_all(importer)) {
        importer_close(importer);
        return no_memory(error);
    }
    onnx_leave_out(importer);
    count_uses(importer);
    return STATUS_OK;
}

void importer_close(struct importer *importer)
{
    hdestroy_r(importer->names);
}

struct operand *importer_find(struct importer *importer, const char *name)
{
    struct operand *operand = importer_named(importer, name);
    return operand && operand->defined ? operand : NULL;
}

struct operand *importer_operand(struct importer *importer, const Onnx__NodeProto *node, size_t i)
{
    return i < node->n_input && node->input[i][0] ? importer_find(importer, node->input[i]) : NULL;
}

enum status importer_enter(struct importer *importer, const char *name, struct operand operand,
                           struct error *error)
{
    struct operand *slot = importer_named(importer, name);
    if (slot->defined)
        return error_set(error, STATUS_INVALID, "\"%s\" is defined twice", name);
    size_t others = operand.uses > 0 ? operand.uses - 1 : 0; /* but for the node that renames it */
    operand.uses = others + slot->uses;
    operand.defined = true;
    if (!operand.name)
        operand.name = slot->name;
    *slot = operand;
    return STATUS_OK;
}

enum status importer_define(struct importer *importer, const Onnx__NodeProto *node, size_t i,
                            struct operand operand, struct error *error)
{
    if (i < node->n_output && node->output[i][0])
        return importer_enter(importer, node->output[i], operand, error);
    return i > 0 ? STATUS_OK : error_set(error, STATUS_INVALID, "the node has no output");
}

enum status importer_define_value(struct importer *importer, const Onnx__NodeProto *node, size_t i,
                                  uint32_t value, struct error *error)
{
    return importer_define(importer, node, i, (struct operand){.value = value}, error);
}

static enum status find_constant(struct importer *importer, const Onnx__NodeProto *node, size_t i,
                                 const char *what, enum dtype dtype, struct operand **operand,
                                 struct error *error)
{
    *operand = importer_operand(importer, node, i);
    if (!*operand || !(*operand)->is_constant)
        return error_set(error, STATUS_UNSUPPORTED, "%s must be a constant", what);
    if ((*operand)->tensor.dtype != dtype)
        return error_set(error, STATUS_UNSUPPORTED, "%s must be %s numbers", what,
                         dtype == DTYPE_FLOAT32 ? "floating-point" : "whole");
    return STATUS_OK;
}

enum status importer_constant(struct importer *importer, const Onnx__NodeProto *node, size_t i,
                              const char *what, enum dtype dtype, struct tensor *tensor,
                              struct error *error)
{
    struct operand *operand;
    if (find_constant(importer, node, i, what, dtype, &operand, error) != STATUS_OK ||
        onnx_tensor_load(importer, &operand->tensor, error) != STATUS_OK)
        return error->status;
    *tensor = operand->tensor;
    return STATUS_OK;
}

enum status importer_weight(struct importer *importer, const Onnx__NodeProto *node, size_t i,
                            const char *what, struct tensor *tensor, struct error *error)
{
    struct operand *operand;
    if (find_constant(importer, node, i, what, DTYPE_FLOAT32, &operand, error) != STATUS_OK)
        return error->status;
    *tensor = operand->tensor;
    return STATUS_OK;
}

enum status importer_ints(struct importer *importer, const Onnx__NodeProto *node, size_t i,
                          const char *name, struct ints *ints, struct error *error)
{
    const Onnx__AttributeProto *attribute = onnx_attribute(node, name);
    struct tensor tensor;
    *ints = (struct ints){.numbers = NULL};
    if (attribute && attribute->n_ints > 0)
        *ints = (struct ints){attribute->ints, attribute->n_ints};
    if (i >= node->n_input || !node->input[i][0])
        return STATUS_OK;
    if (importer_constant(importer, node, i, name, DTYPE_INT64, &tensor, error) != STATUS_OK)
        return error->status;
    if (tensor.rank > 1)
        return error_set(error, STATUS_INVALID, "%s: expected a list, found %zu dimensions", name,
                         tensor.rank);
    *ints = (struct ints){tensor.data, tensor_count(&tensor)};
    return STATUS_OK;
}

enum status importer_mixes(struct importer *importer, struct error *error, const char *format, ...)
{
    char what[ERROR_MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    *importer->mixes = true;
    return error_set(error, STATUS_UNSUPPORTED,
                     "%s; keep the batch as dimension 0 of every value, or export the model "
                     "with a fixed batch size",
                     what);
}

enum status importer_axis(struct importer *importer, const char *name, int64_t axis, size_t rank,
                          size_t *of_row, struct error *error)
{
    const int64_t hidden = (int64_t)importer_hidden(importer), all = (int64_t)rank + hidden;
    if (axis < -all || axis >= all)
        return error_set(error, STATUS_INVALID,
                         "axis: expected %" PRId64 " to %" PRId64 ", found %" PRId64, -all, all - 1,
                         axis);
    axis += axis < 0 ? all : 0;
    if (axis < hidden)
        return importer_mixes(importer, error, "axis 0 of \"%s\" is the batch", name);
    *of_row = (size_t)(axis - hidden);
    return STATUS_OK;
}
