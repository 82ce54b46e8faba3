#include "inputs.h"

#include <string.h>

/* Which input a --data is for: INPUT=F, or F where there is but one. */
static enum status find_input(const struct model *model, const char *data, size_t *input,
                              const char **path, struct error *error)
{
    for (size_t i = 0; i < model->graph.input_count; i++) {
        const size_t length = strlen(model->inputs[i].name);
        if (strncmp(data, model->inputs[i].name, length) != 0 || data[length] != '=')
            continue;
        *input = i;
        *path = data + length + 1;
        return STATUS_OK;
    }
    *input = 0;
    *path = data;
    if (model->graph.input_count == 1)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "--data: the model has %zu inputs, expected one of them in front of \"=\", "
                     "found \"%s\"",
                     model->graph.input_count, data);
}

/* Finds the data of every input among --data. */
static enum status find_data(const struct model *model, const struct argument_list *data,
                             const char *paths[GRAPH_IO_MAX], struct error *error)
{
    size_t standard = 0;
    for (size_t i = 0; i < data->count; i++) {
        size_t input;
        const char *path;
        if (find_input(model, data->items[i], &input, &path, error) != STATUS_OK)
            return error->status;
        if (paths[input])
            return error_set(error, STATUS_INVALID, "--data: input \"%s\" has two data sets",
                             model->inputs[input].name);
        paths[input] = path;
        standard += strcmp(path, "-") == 0;
    }
    for (size_t i = 0; i < model->graph.input_count; i++)
        if (!paths[i])
            return error_set(error, STATUS_INVALID, "--data: input \"%s\" has no data set",
                             model->inputs[i].name);
    return standard <= 1
               ? STATUS_OK
               : error_set(error, STATUS_INVALID, "--data: standard input is for one input only");
}

enum status inputs_open(struct inputs *inputs, const struct model *model,
                        const struct argument_list *data, struct error *error)
{
    const char *paths[GRAPH_IO_MAX] = {NULL};
    inputs->count = 0;
    if (find_data(model, data, paths, error) != STATUS_OK)
        return error->status;
    for (size_t i = 0; i < model->graph.input_count; i++) {
        if (dataset_open(&inputs->sets[i], paths[i], &model->inputs[i], error) != STATUS_OK)
            return error->status;
        inputs->count++;
    }
    return STATUS_OK;
}

void inputs_close(struct inputs *inputs)
{
    for (size_t i = 0; i < inputs->count; i++)
        dataset_close(&inputs->sets[i]);
}
