#include <assert.h>
#include <string.h>

#include "native.h"

static enum status wrong_row(const struct port *port, size_t row, size_t found, struct error *error)
{
    return error_set(error, STATUS_INVALID,
                     "input \"%s\": row %zu has %zu numbers, the model takes %zu", port->name, row,
                     found, port->features);
}

static enum status wrong_nesting(const struct port *port, const struct lift_array *array,
                                 struct error *error)
{
    char text[DIMS_TEXT_BYTES];
    return error_set(
        error, STATUS_INVALID, "input \"%s\": row %zu is not nested as the model's shape %s",
        port->name, array->ragged ? array->ragged_row : 0, dims_text(text, port->dims, port->rank));
}

/* How many rows of port an array holds: they are nested to the model's shape, or flat. */
static enum status count_rows(const struct port *port, const struct lift_array *array, size_t *rows,
                              struct error *error)
{
    const bool even = !array->ragged && array->odd_row == 0;
    if (array->count == 0 && array->dims[0] == 0)
        return error_set(error, STATUS_INVALID,
                         "input \"%s\": expected at least one row, found none", port->name);
    *rows = even ? port_rows(port, array->depth, array->dims) : 0;
    if (*rows > 0)
        return STATUS_OK;
    *rows = array->depth == 1 ? 1 : array->dims[0];
    size_t first = array->depth == 1 ? array->count : array->row_count;
    if (first != port->features)
        return wrong_row(port, 0, first, error);
    if (array->odd_row > 0)
        return wrong_row(port, array->odd_row, array->odd_count, error);
    return array->depth <= 2 ? STATUS_OK : wrong_nesting(port, array, error);
}

/* Input i is that array. */
static enum status bind_array(struct infer *infer, size_t i, size_t index, struct error *error)
{
    const struct port *port = &infer->model->inputs[i];
    assert(index < infer->lift.array_count);
    const struct lift_array *array = &infer->lift.arrays[index];
    size_t rows = 0;
    if (count_rows(port, array, &rows, error) != STATUS_OK)
        return error->status;
    if (infer->job.rows > 0 && rows != infer->job.rows)
        return error_set(error, STATUS_INVALID,
                         "input \"%s\": found %zu rows, the input before it has %zu", port->name,
                         rows, infer->job.rows);
    infer->job.rows = rows;
    infer->job.x[i] = infer->lift.numbers + array->first;
    return STATUS_OK;
}

/* Input i is the array that stands as placeholder in the envelope. */
static enum status bind_input(struct infer *infer, size_t i, const json_t *placeholder,
                              struct error *error)
{
    if (!json_is_integer(placeholder))
        return error_set(error, STATUS_INVALID,
                         "input \"%s\": expected an array of rows of numbers",
                         infer->model->inputs[i].name);
    return bind_array(infer, i, (size_t)json_integer_value(placeholder), error);
}

static enum status bind_named(struct infer *infer, const json_t *inputs, struct error *error)
{
    const struct model *model = infer->model;
    for (size_t i = 0; i < model->graph.input_count; i++) {
        const json_t *placeholder = json_object_get(inputs, model->inputs[i].name);
        if (!placeholder)
            return error_set(error, STATUS_INVALID, "input \"%s\" is missing",
                             model->inputs[i].name);
        if (bind_input(infer, i, placeholder, error) != STATUS_OK)
            return error->status;
    }
    if (json_object_size(inputs) > model->graph.input_count)
        return error_set(error, STATUS_INVALID, "expected %zu inputs, found %zu",
                         model->graph.input_count, json_object_size(inputs));
    return STATUS_OK;
}

static enum status bind_inputs(struct infer *infer, struct error *error)
{
    const json_t *inputs = json_object_get(infer->envelope, "inputs");
    if (!inputs)
        return error_set(error, STATUS_INVALID, "expected \"inputs\" in the body, found none");
    if (json_is_object(inputs))
        return bind_named(infer, inputs, error);
    if (infer->model->graph.input_count > 1)
        return error_set(error, STATUS_INVALID,
                         "\"inputs\": expected an object with %zu names, as the model has so many "
                         "inputs",
                         infer->model->graph.input_count);
    return bind_input(infer, 0, inputs, error);
}

static enum status read_settings(struct infer *infer, struct error *error)
{
    const json_t *stats = json_object_get(infer->envelope, "stats");
    if (infer_read_id(infer, error) != STATUS_OK ||
        (stats && infer_read_stats(infer, stats, error) != STATUS_OK))
        return error->status;
    if (native_of(infer)->raw_reply)
        infer->stats = INFER_NONE; /* a raw reply has no room for them */
    return STATUS_OK;
}

/* Whether the body was nothing but one tensor, {"inputs": […]}, as most are: jansson has nothing to
 * say of that, and takes as long as a small network. */
static bool is_bare(const struct text *envelope)
{
    static const char *const forms[] = {"{\"inputs\": 0 }", "{\"inputs\":  0 }"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (envelope->count == strlen(forms[i]) &&
            memcmp(envelope->bytes, forms[i], envelope->count) == 0)
            return true;
    return false;
}

static enum status decode_json(struct infer *infer, struct error *error)
{
    if (lift_finish(&infer->lift, error) != STATUS_OK)
        return error->status;
    if (infer->model->graph.input_count == 1 && is_bare(&infer->lift.envelope))
        return bind_array(infer, 0, 0, error);
    if (infer_parse(infer, error) != STATUS_OK || read_settings(infer, error) != STATUS_OK)
        return error->status;
    return bind_inputs(infer, error);
}

enum status native_decode(struct infer *infer, struct error *error)
{
    if (native_of(infer)->raw_body)
        return infer_decode_raw(infer, error);
    enum status status = decode_json(infer, error);
    return status == STATUS_OK ? infer_check_rows(infer, error) : status;
}
