#include <string.h>

#include "v2.h"

/* The index of the port of that name; count when there is none. */
static size_t find_port(const struct port *ports, size_t count, const char *name)
{
    size_t i = 0;
    while (i < count && strcmp(ports[i].name, name) != 0)
        i++;
    return i;
}

/* One input */

static enum status read_dims(const json_t *item, size_t dims[TENSOR_RANK_MAX], size_t *rank,
                             struct error *error)
{
    const json_t *shape = json_object_get(item, "shape");
    *rank = json_array_size(shape);
    if (!json_is_array(shape) || *rank > TENSOR_RANK_MAX)
        return error_set(error, STATUS_INVALID,
                         "expected \"shape\", a list of at most %d dimensions", TENSOR_RANK_MAX);
    for (size_t d = 0; d < *rank; d++) {
        const json_t *dim = json_array_get(shape, d);
        if (!json_is_integer(dim) || json_integer_value(dim) < 1)
            return error_set(error, STATUS_INVALID,
                             "dimension %zu of the shape: expected a whole number from 1 on", d);
        dims[d] = (size_t)json_integer_value(dim);
    }
    return STATUS_OK;
}

static enum status wrong_shape(const struct port *port, const size_t *dims, size_t rank,
                               struct error *error)
{
    char expected[DIMS_TEXT_BYTES], found[DIMS_TEXT_BYTES];
    int64_t found_dims[TENSOR_RANK_MAX];
    for (size_t d = 0; d < rank; d++)
        found_dims[d] = (int64_t)dims[d];
    return error_set(error, STATUS_INVALID, "expected the shape %s, found %s",
                     dims_text(expected, port->dims, port->rank),
                     dims_text(found, found_dims, rank));
}

static enum status read_rows(struct v2 *v2, const struct port *port, const json_t *item,
                             struct error *error)
{
    struct job *job = &v2->infer.job;
    size_t dims[TENSOR_RANK_MAX], rank;
    if (read_dims(item, dims, &rank, error) != STATUS_OK)
        return error->status;
    size_t rows = port_rows(port, rank, dims);
    if (rows == 0)
        return wrong_shape(port, dims, rank, error);
    if (job->rows > 0 && rows != job->rows)
        return error_set(error, STATUS_INVALID, "found %zu rows, the input before it has %zu", rows,
                         job->rows);
    job->rows = rows;
    v2->batched |= !v2->infer.model->whole || rank > port->rank;
    return infer_check_rows(&v2->infer, error);
}

static enum status read_datatype(const json_t *item, enum datatype *type, struct error *error)
{
    const char *name = json_string_value(json_object_get(item, "datatype"));
    if (!name)
        return error_set(error, STATUS_INVALID, "expected a \"datatype\"");
    if (!datatype_find(name, type))
        return error_set(error, STATUS_INVALID,
                         "expected the datatype FP32 or another of numbers, found \"%s\"", name);
    return STATUS_OK;
}

/* Whether the numbers, which are as many as they should be, are flat or nested as their shape, or
 * at least in their rows. */
static bool is_nested_well(const struct port *port, size_t rows, const struct lift_array *array)
{
    bool even = !array->ragged && array->odd_row == 0;
    return array->depth == 1 || (even && (port_rows(port, array->depth, array->dims) == rows ||
                                          (array->depth == 2 && array->dims[0] == rows)));
}

static enum status check_numbers(const struct lift_array *array, const float *numbers,
                                 enum datatype type, struct error *error)
{
    if (array->literals && type != DATATYPE_BOOL)
        return error_set(error, STATUS_INVALID, "expected numbers, found true or false among them");
    for (size_t i = 0; i < array->count; i++)
        if (!datatype_holds(type, numbers[i]))
            return error_set(error, STATUS_INVALID, "number %zu is no %s", i, datatype_name(type));
    return STATUS_OK;
}

static enum status take_json(struct v2 *v2, size_t index, const json_t *data, enum datatype type,
                             struct error *error)
{
    const struct infer *infer = &v2->infer;
    const struct port *port = &infer->model->inputs[index];
    if (!json_is_integer(data))
        return error_set(error, STATUS_INVALID, "\"data\": expected a list of numbers");
    const struct lift_array *array = &infer->lift.arrays[json_integer_value(data)];
    size_t count = infer->job.rows * port->features;
    if (array->count != count)
        return error_set(error, STATUS_INVALID,
                         "\"data\": expected %zu numbers, as the shape says, found %zu", count,
                         array->count);
    if (!is_nested_well(port, infer->job.rows, array))
        return error_set(error, STATUS_INVALID, "\"data\" is not nested as its shape");
    v2->inputs[index] = (struct v2_input){.given = true, .array = array};
    return check_numbers(array, infer->lift.numbers + array->first, type, error);
}

static enum status take_binary(struct v2 *v2, size_t index, const json_t *size, enum datatype type,
                               struct error *error)
{
    struct infer *infer = &v2->infer;
    const struct port *port = &infer->model->inputs[index];
    size_t count = infer->job.rows * port->features;
    uint64_t bytes = (uint64_t)count * datatype_bytes(type);
    if (!json_is_integer(size) || (uint64_t)json_integer_value(size) != bytes)
        return error_set(error, STATUS_INVALID,
                         "\"binary_data_size\": expected %llu, for %zu %s, as the shape says",
                         (unsigned long long)bytes, count, datatype_name(type));
    v2->inputs[index] = (struct v2_input){.given = true, .tensor = infer->binary.tensor_count};
    return binary_expect(&infer->binary, port->name, type, count, error);
}

/* The input of that index, and where its numbers are. */
static enum status read_tensor(struct v2 *v2, size_t index, const json_t *item, struct error *error)
{
    const json_t *data = json_object_get(item, "data");
    const json_t *size = json_object_get(json_object_get(item, "parameters"), "binary_data_size");
    enum datatype type;
    if (v2->inputs[index].given)
        return error_set(error, STATUS_INVALID, "it is given twice");
    if (read_rows(v2, &v2->infer.model->inputs[index], item, error) != STATUS_OK ||
        read_datatype(item, &type, error) != STATUS_OK)
        return error->status;
    if (!data == !size)
        return error_set(error, STATUS_INVALID,
                         "expected either \"data\" or the parameter \"binary_data_size\"");
    return data ? take_json(v2, index, data, type, error)
                : take_binary(v2, index, size, type, error);
}

static enum status read_input(struct v2 *v2, const json_t *item, struct error *error)
{
    const struct model *model = v2->infer.model;
    const char *name = json_string_value(json_object_get(item, "name"));
    if (!name)
        return error_set(error, STATUS_INVALID, "\"inputs\": expected objects with a \"name\"");
    size_t index = find_port(model->inputs, model->graph.input_count, name);
    if (index == model->graph.input_count)
        return error_set(error, STATUS_INVALID, "the model has no input \"%s\"", name);
    return read_tensor(v2, index, item, error) == STATUS_OK
               ? STATUS_OK
               : error_prefix(error, "input \"%s\"", name);
}

static enum status read_inputs(struct v2 *v2, struct error *error)
{
    const struct model *model = v2->infer.model;
    const json_t *inputs = json_object_get(v2->infer.envelope, "inputs"), *item;
    size_t i;
    if (!json_is_array(inputs))
        return error_set(error, STATUS_INVALID, "\"inputs\": expected a list of tensors");
    json_array_foreach(inputs, i, item)
    {
        if (read_input(v2, item, error) != STATUS_OK)
            return error->status;
    }
    for (i = 0; i < model->graph.input_count; i++)
        if (!v2->inputs[i].given)
            return error_set(error, STATUS_INVALID, "input \"%s\" is missing",
                             model->inputs[i].name);
    return STATUS_OK;
}

/* Outputs */

void v2_want_all(struct v2 *v2, bool binary)
{
    v2->output_count = v2->infer.model->graph.output_count;
    for (size_t i = 0; i < v2->output_count; i++)
        v2->outputs[i] = (struct v2_output){.index = i, .binary = binary};
}

static bool is_wanted(const struct v2 *v2, size_t index)
{
    for (size_t i = 0; i < v2->output_count; i++)
        if (v2->outputs[i].index == index)
            return true;
    return false;
}

/* What the client may say of an output; classification 0 means none. */
static enum status read_wishes(struct v2_output *output, const json_t *parameters,
                               struct error *error)
{
    const json_t *binary = json_object_get(parameters, "binary_data");
    const json_t *classes = json_object_get(parameters, "classification");
    if (binary && !json_is_boolean(binary))
        return error_set(error, STATUS_INVALID, "\"binary_data\": expected true or false");
    if (classes && (!json_is_integer(classes) || json_integer_value(classes) < 0))
        return error_set(error, STATUS_INVALID, "\"classification\": expected a number from 0 on");
    if (binary)
        output->binary = json_is_true(binary);
    output->classes = (size_t)json_integer_value(classes);
    return STATUS_OK;
}

static enum status read_output(struct v2 *v2, const json_t *item, bool binary, struct error *error)
{
    const struct model *model = v2->infer.model;
    const char *name = json_string_value(json_object_get(item, "name"));
    if (!name)
        return error_set(error, STATUS_INVALID, "\"outputs\": expected objects with a \"name\"");
    struct v2_output output = {.index = find_port(model->outputs, model->graph.output_count, name),
                               .binary = binary};
    if (output.index == model->graph.output_count)
        return error_set(error, STATUS_INVALID, "the model has no output \"%s\"", name);
    if (is_wanted(v2, output.index))
        return error_set(error, STATUS_INVALID, "output \"%s\": it is asked for twice", name);
    if (read_wishes(&output, json_object_get(item, "parameters"), error) != STATUS_OK)
        return error_prefix(error, "output \"%s\"", name);
    v2->outputs[v2->output_count++] = output;
    return STATUS_OK;
}

static enum status read_outputs(struct v2 *v2, bool binary, struct error *error)
{
    const json_t *outputs = json_object_get(v2->infer.envelope, "outputs"), *item;
    size_t i;
    if (outputs && !json_is_array(outputs))
        return error_set(error, STATUS_INVALID, "\"outputs\": expected a list");
    json_array_foreach(outputs, i, item)
    {
        if (read_output(v2, item, binary, error) != STATUS_OK)
            return error->status;
    }
    if (v2->output_count == 0)
        v2_want_all(v2, binary);
    return STATUS_OK;
}

/* The whole */

/* Parameters of the request; those of other servers' making mean nothing here. */
static enum status read_parameters(struct infer *infer, bool *binary, struct error *error)
{
    const json_t *parameters = json_object_get(infer->envelope, "parameters");
    const json_t *stats = json_object_get(parameters, "stats");
    const json_t *timeout = json_object_get(parameters, "timeout");
    const json_t *output = json_object_get(parameters, "binary_data_output");
    if (parameters && !json_is_object(parameters))
        return error_set(error, STATUS_INVALID, "\"parameters\": expected an object");
    if (timeout && (!json_is_integer(timeout) || json_integer_value(timeout) < 0))
        return error_set(error, STATUS_INVALID, "\"timeout\": expected microseconds from 0 on");
    if (output && !json_is_boolean(output))
        return error_set(error, STATUS_INVALID, "\"binary_data_output\": expected true or false");
    infer->timeout_us = (uint64_t)json_integer_value(timeout);
    *binary = json_is_true(output);
    return stats ? infer_read_stats(infer, stats, error) : STATUS_OK;
}

enum status v2_read_json(struct v2 *v2, struct error *error)
{
    struct infer *infer = &v2->infer;
    bool binary = false;
    if (lift_finish(&infer->lift, error) != STATUS_OK || infer_parse(infer, error) != STATUS_OK ||
        infer_read_id(infer, error) != STATUS_OK ||
        read_parameters(infer, &binary, error) != STATUS_OK ||
        read_outputs(v2, binary, error) != STATUS_OK)
        return error->status;
    return read_inputs(v2, error);
}

enum status v2_bind(struct v2 *v2, struct error *error)
{
    struct infer *infer = &v2->infer;
    const struct binary *binary = &infer->binary;
    if (binary->bytes != binary->expected_bytes)
        return error_set(
            error, STATUS_INVALID, "expected %llu bytes of binary data behind the JSON, found %llu",
            (unsigned long long)binary->expected_bytes, (unsigned long long)binary->bytes);
    for (size_t i = 0; i < infer->model->graph.input_count; i++) {
        const struct v2_input *input = &v2->inputs[i];
        infer->job.x[i] = input->array ? infer->lift.numbers + input->array->first
                                       : binary->numbers + binary->tensors[input->tensor].first;
    }
    return STATUS_OK;
}
