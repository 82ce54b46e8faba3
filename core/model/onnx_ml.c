/* What scikit-learn's models are exported with: operators of ai.onnx.ml, and outputs that are not
 * float32 numbers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "graph/ops_arith.h"
#include "onnx_arith.h"

/* Scaler: y = (x - offset) * scale, by one number or one for each feature */

/* A list of floats as a value. */
static enum status list_value(struct importer *importer, const Onnx__AttributeProto *list,
                              size_t features, uint32_t *value, struct error *error)
{
    if (list->n_floats != 1 && list->n_floats != features)
        return error_set(error, STATUS_INVALID, "%s: expected 1 or %zu numbers, found %zu",
                         list->name, features, list->n_floats);
    const struct tensor tensor = {
        .dtype = DTYPE_FLOAT32, .rank = 1, .dims = {(int64_t)list->n_floats}, .data = list->floats};
    const struct shape shape = shape_flat(list->n_floats);
    return importer_constant_value(importer, &tensor, &shape, value, error);
}

static enum status import_scaler(struct importer *importer, const Onnx__NodeProto *proto,
                                 struct error *error)
{
    static const char *const steps[][2] = {{"offset", "Sub"}, {"scale", "Mul"}};
    uint32_t xy[2];
    if (importer_operand(importer, proto, 0)->is_constant)
        return error_set(error, STATUS_UNSUPPORTED, "expected an input that is no constant");
    if (importer_value(importer, proto, 0, &xy[0], error) != STATUS_OK)
        return error->status;
    const struct shape shape = importer->model->graph.values[xy[0]].shape;
    for (size_t i = 0; i < 2; i++) {
        const Onnx__AttributeProto *list = onnx_attribute(proto, steps[i][0]);
        if (list &&
            (list_value(importer, list, shape.rank ? shape.dims[shape.rank - 1] : 1, &xy[1],
                        error) != STATUS_OK ||
             arith_make(importer, importer_layer_name(importer, proto, NULL),
                        arithmetic_by_onnx_op(steps[i][1]), xy, &xy[0], error) != STATUS_OK))
            return error->status;
    }
    return importer_define_value(importer, proto, 0, xy[0], error);
}

/* ZipMap: a dictionary for each row, from the names of its columns to their numbers. The numbers
 * are served, and the names are labels of the output. */

static enum status import_zip_map(struct importer *importer, const Onnx__NodeProto *proto,
                                  struct error *error)
{
    struct operand numbers = *importer_operand(importer, proto, 0);
    if (proto->n_output > 0 && proto->output[0][0])
        numbers.maker = importer_named(importer, proto->output[0])->maker;
    return importer_define(importer, proto, 0, numbers, error);
}

const Onnx__NodeProto *onnx_zip_map(const struct importer *importer, const char *output)
{
    const struct operand *operand = importer_named(importer, output);
    if (!operand || !operand->maker)
        return NULL;
    const Onnx__NodeProto *node = importer->proto->node[operand->maker - importer->steps];
    bool zips = node->domain && strcmp(node->domain, ONNX_DOMAIN_ML) == 0 && node->op_type &&
                onnx_is_op(node, "ZipMap");
    return zips ? node : NULL;
}

const char *const *onnx_zip_map_labels(struct arena *arena, const Onnx__NodeProto *node,
                                       size_t count)
{
    const Onnx__AttributeProto *strings = onnx_attribute(node, "classlabels_strings");
    const Onnx__AttributeProto *ints = onnx_attribute(node, "classlabels_int64s");
    const bool named = strings && strings->n_strings == count;
    const char **labels = arena_alloc(arena, count, sizeof *labels);
    if (!labels || (!named && (!ints || ints->n_ints != count)))
        return NULL;
    for (size_t i = 0; i < count; i++) {
        char digits[32];
        int length = named ? 0 : snprintf(digits, sizeof digits, "%" PRId64, ints->ints[i]);
        labels[i] = named ? arena_text(arena, (const char *)strings->strings[i].data,
                                       strings->strings[i].len)
                          : arena_text(arena, digits, (size_t)length);
        if (!labels[i])
            return NULL;
    }
    return labels;
}

const struct onnx_op *onnx_ml_op_named(const char *op_type)
{
    static const struct onnx_op ops[] = {{"Scaler", import_scaler, 1, 1},
                                         {"ZipMap", import_zip_map, 1, 1}};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (strcmp(ops[i].op_type, op_type) == 0)
            return &ops[i];
    return NULL;
}

/* Outputs that are left out */

/* Whether an output holds float32 numbers, as far as the file says. */
static bool holds_floats(const struct importer *importer, const Onnx__ValueInfoProto *info)
{
    const Onnx__TypeProto *type = info->type;
    if (!type || type->value_case == ONNX__TYPE_PROTO__VALUE__NOT_SET || !info->name ||
        onnx_zip_map(importer, info->name))
        return true;
    if (type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return false;
    const int32_t elements = type->tensor_type->elem_type;
    return !type->tensor_type->has_elem_type ||
           elements == ONNX__TENSOR_PROTO__DATA_TYPE__UNDEFINED ||
           elements == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
}

static void need(struct importer *importer, const char *name)
{
    if (name && name[0])
        importer_named(importer, name)->needed = true;
}

bool onnx_is_needed(const struct importer *importer, const char *name)
{
    return !importer->leaves_out || importer_named(importer, name)->needed;
}

static bool makes_needed(const struct importer *importer, const Onnx__NodeProto *node)
{
    for (size_t i = 0; i < node->n_output; i++)
        if (node->output[i][0] && onnx_is_needed(importer, node->output[i]))
            return true;
    return false;
}

void onnx_leave_out(struct importer *importer)
{
    const Onnx__GraphProto *proto = importer->proto;
    size_t served = 0;
    for (size_t i = 0; i < proto->n_output; i++)
        served += holds_floats(importer, proto->output[i]);
    if (served == 0 || served == proto->n_output)
        return;
    importer->leaves_out = true;
    for (size_t i = 0; i < proto->n_output; i++) {
        importer->left_out[i] = !holds_floats(importer, proto->output[i]);
        if (!importer->left_out[i])
            need(importer, proto->output[i]->name);
    }
    for (size_t i = proto->n_node; i-- > 0;) {
        const Onnx__NodeProto *node = proto->node[i];
        if (!makes_needed(importer, node))
            importer->steps[i].proto = NULL;
        for (size_t j = 0; importer->steps[i].proto && j < node->n_input; j++)
            need(importer, node->input[j]);
    }
}
