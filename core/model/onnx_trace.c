/* What the import has made of the names of the file. */
#include <string.h>

#include "onnx_import.h"

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the file's names");
}

static enum status note_name(const struct importer *importer, struct onnx_trace *trace,
                             const char *name, struct error *error)
{
    const struct operand *operand = name && name[0] ? importer_named(importer, name) : NULL;
    if (!operand || !operand->defined)
        return STATUS_OK;
    struct onnx_name *to = &trace->names[trace->name_count++];
    *to = (struct onnx_name){.name = arena_text(trace->arena, name, strlen(name)),
                             .constant = operand->is_constant,
                             .tensor = operand->tensor,
                             .value = operand->is_constant ? ONNX_NO_VALUE : operand->value};
    if (!to->name)
        return no_memory(error);
    return to->constant ? onnx_tensor_keep(trace->arena, &to->tensor, error) : STATUS_OK;
}

/* Everything that has a name: initializers, inputs, what nodes make. */
static enum status note_names(const struct importer *importer, struct onnx_trace *trace,
                              struct error *error)
{
    const Onnx__GraphProto *proto = importer->proto;
    trace->names =
        arena_alloc(trace->arena, importer->operand_count + proto->n_input, sizeof *trace->names);
    if (!trace->names)
        return no_memory(error);
    for (size_t i = 0; i < proto->n_initializer; i++)
        if (note_name(importer, trace, proto->initializer[i]->name, error) != STATUS_OK)
            return error->status;
    for (size_t i = 0; i < proto->n_input; i++)
        if (note_name(importer, trace, proto->input[i]->name, error) != STATUS_OK)
            return error->status;
    for (size_t i = 0; i < proto->n_node; i++)
        for (size_t j = 0; j < proto->node[i]->n_output; j++)
            if (note_name(importer, trace, proto->node[i]->output[j], error) != STATUS_OK)
                return error->status;
    return STATUS_OK;
}

enum status onnx_trace_fill(const struct importer *importer, struct onnx_trace *trace,
                            struct error *error)
{
    const size_t count = importer->model->graph.node_count;
    trace->name_count = 0;
    trace->activated = arena_alloc(trace->arena, count, sizeof *trace->activated);
    if (!trace->activated)
        return no_memory(error);
    for (size_t i = 0; i < count; i++) {
        const char *name = importer->activated[i];
        trace->activated[i] = name ? arena_text(trace->arena, name, strlen(name)) : NULL;
        if (name && !trace->activated[i])
            return no_memory(error);
    }
    return note_names(importer, trace, error);
}
