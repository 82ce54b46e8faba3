#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "files.h"

enum { CONFIG_BATCH_ROWS_MAX = 1 << 20 };

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the configuration");
}

static enum status expect_object(const json_t *json, const char *where, struct error *error)
{
    if (json_is_object(json))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, "%s: expected an object", where);
}

static struct port *find_port(struct port *ports, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(ports[i].name, name) == 0)
            return &ports[i];
    return NULL;
}

/* A bound: one number for all features, or one per feature. */
static enum status read_bound(struct model *model, const struct port *port, const json_t *json,
                              const float **bound, struct error *error)
{
    float *values = arena_alloc(&model->arena, port->features, sizeof *values);
    if (!values)
        return no_memory(error);
    bool each = json_is_array(json) && json_array_size(json) == port->features;
    for (size_t i = 0; i < port->features; i++) {
        const json_t *number = each ? json_array_get(json, i) : json;
        values[i] = (float)json_number_value(number);
        if (!json_is_number(number) || !isfinite(values[i]))
            return error_set(error, STATUS_INVALID,
                             "input \"%s\": min and max must be a number, or %zu of them",
                             port->name, port->features);
    }
    *bound = values;
    return STATUS_OK;
}

static enum status check_range(const struct port *port, struct error *error)
{
    if (!port->min != !port->max)
        return error_set(error, STATUS_INVALID,
                         "input \"%s\": expected both min and max, or neither", port->name);
    for (size_t i = 0; port->min && i < port->features; i++)
        if (port->min[i] > port->max[i])
            return error_set(error, STATUS_INVALID, "input \"%s\": min %g is above max %g",
                             port->name, port->min[i], port->max[i]);
    return STATUS_OK;
}

static enum status apply_input(struct model *model, const char *name, json_t *json,
                               struct error *error)
{
    struct port *port = find_port(model->inputs, model->graph.input_count, name);
    if (!port)
        return error_set(error, STATUS_NOT_FOUND, "inputs: the model has no input \"%s\"", name);
    if (expect_object(json, name, error) != STATUS_OK)
        return error->status;
    const char *key;
    json_t *value;
    json_object_foreach(json, key, value)
    {
        bool min = strcmp(key, "min") == 0;
        if (!min && strcmp(key, "max") != 0)
            return error_set(error, STATUS_INVALID, "input \"%s\": unknown key \"%s\"", name, key);
        if (read_bound(model, port, value, min ? &port->min : &port->max, error) != STATUS_OK)
            return error->status;
    }
    return check_range(port, error);
}

static enum status read_labels(struct model *model, struct port *port, const json_t *json,
                               struct error *error)
{
    if (!json_is_array(json) || json_array_size(json) != port->features)
        return error_set(error, STATUS_INVALID, "output \"%s\": expected %zu labels", port->name,
                         port->features);
    const char **labels = arena_alloc(&model->arena, port->features, sizeof *labels);
    if (!labels)
        return no_memory(error);
    for (size_t i = 0; i < port->features; i++) {
        const json_t *label = json_array_get(json, i);
        if (!json_is_string(label))
            return error_set(error, STATUS_INVALID, "output \"%s\": label %zu is no string",
                             port->name, i);
        labels[i] = arena_text(&model->arena, json_string_value(label), json_string_length(label));
        if (!labels[i])
            return no_memory(error);
    }
    port->labels = labels;
    return STATUS_OK;
}

static enum status apply_output(struct model *model, const char *name, json_t *json,
                                struct error *error)
{
    struct port *port = find_port(model->outputs, model->graph.output_count, name);
    if (!port)
        return error_set(error, STATUS_NOT_FOUND, "outputs: the model has no output \"%s\"", name);
    if (expect_object(json, name, error) != STATUS_OK)
        return error->status;
    const char *key;
    json_t *value;
    json_object_foreach(json, key, value)
    {
        if (strcmp(key, "labels") != 0)
            return error_set(error, STATUS_INVALID, "output \"%s\": unknown key \"%s\"", name, key);
        if (read_labels(model, port, value, error) != STATUS_OK)
            return error->status;
    }
    return STATUS_OK;
}

static enum status apply_activation(struct model *model, const char *layer, json_t *json,
                                    struct error *error)
{
    struct activation activation;
    if (fields_activation(json, &activation, error) != STATUS_OK)
        return error_prefix(error, "activations: \"%s\"", layer);
    return model_set_activation(model, layer, activation, error);
}

typedef enum status apply_function(struct model *model, const char *name, json_t *json,
                                   struct error *error);

static enum status apply_each(struct model *model, const char *section, json_t *json,
                              apply_function *apply, struct error *error)
{
    if (expect_object(json, section, error) != STATUS_OK)
        return error->status;
    const char *name;
    json_t *value;
    json_object_foreach(json, name, value)
    {
        if (apply(model, name, value, error) != STATUS_OK)
            return error->status;
    }
    return STATUS_OK;
}

static enum status apply_baseline(struct model *model, const json_t *json, struct error *error)
{
    if (!json_is_string(json))
        return error_set(error, STATUS_INVALID, "baseline: expected the name of a file");
    if (files_check(json_string_value(json), error) != STATUS_OK)
        return error_prefix(error, "baseline");
    model->baseline = arena_text(&model->arena, json_string_value(json), json_string_length(json));
    return model->baseline ? STATUS_OK : no_memory(error);
}

static enum status apply_section(struct model *model, const char *section, json_t *json,
                                 struct error *error)
{
    if (strcmp(section, "inputs") == 0)
        return apply_each(model, section, json, apply_input, error);
    if (strcmp(section, "outputs") == 0)
        return apply_each(model, section, json, apply_output, error);
    if (strcmp(section, "activations") == 0)
        return apply_each(model, section, json, apply_activation, error);
    if (strcmp(section, "max_batch_rows") == 0) {
        json_int_t rows = json_integer_value(json);
        if (rows < 1 || rows > CONFIG_BATCH_ROWS_MAX)
            return error_set(error, STATUS_INVALID, "max_batch_rows must be 1 to %d",
                             CONFIG_BATCH_ROWS_MAX);
        model->max_batch_rows = (size_t)rows;
        return STATUS_OK;
    }
    if (strcmp(section, "stats") == 0) {
        if (!json_is_string(json) || !stats_level_named(&model->level, json_string_value(json)))
            return error_set(error, STATUS_INVALID,
                             "stats must be \"off\", \"counts\" or \"full\"");
        return STATUS_OK;
    }
    if (strcmp(section, "baseline") == 0)
        return apply_baseline(model, json, error);
    return error_set(error, STATUS_INVALID, "unknown key \"%s\"", section);
}

enum status config_apply(struct model *model, const char *text, size_t length, struct error *error)
{
    json_error_t at;
    json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &at);
    if (!json)
        return error_set(error, STATUS_INVALID, "line %d: %s", at.line, at.text);
    enum status status = apply_each(model, "config.json", json, apply_section, error);
    json_decref(json);
    return status;
}

enum status config_digest(const char *text, size_t length, struct digest *digest,
                          struct error *error)
{
    json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    json_object_del(json, "baseline");
    char *sorted = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    if (sorted && json_object_size(json) > 0)
        digest_add(digest, sorted, strlen(sorted));
    const bool complete = sorted != NULL;
    free(sorted);
    json_decref(json);
    return complete ? STATUS_OK : no_memory(error);
}
