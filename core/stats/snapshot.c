#include "snapshot.h"

#include <inttypes.h>
#include <math.h>

#include "model/fields.h"
#include "model/file.h"
#include "verdict.h"

enum { VERSION = 1 };

/* A file names its layers' sizes; what they take is bounded by what was written of them. */
#define MEMORY_BYTES_MAX (8 * SNAPSHOT_BYTES_MAX)

void snapshot_write(struct text *text, const struct model *model, const struct counters *counters,
                    const char *since, uint64_t min_samples)
{
    const struct report_options options = {.tau = VERDICT_TAU_DEFAULT,
                                           .min_samples = min_samples,
                                           .detail = REPORT_UNITS,
                                           .layer = PLAN_LAYER_NONE,
                                           .since = since};
    text_format(text, "{\"format\":\"relud-stats\",\"format_version\":%d,", VERSION);
    report_write_fields(text, model, counters, &options);
    text_put(text, "}\n");
}

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for a snapshot");
}

/* Fields */

static enum status read_count(const json_t *object, const char *key, uint64_t *count,
                              struct error *error)
{
    const json_t *json = json_object_get(object, key);
    *count = (uint64_t)json_integer_value(json);
    if (json_is_integer(json) && json_integer_value(json) >= 0)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, "%s: expected a whole number from 0 on", key);
}

static enum status read_text(struct arena *arena, const json_t *object, const char *key,
                             const char **text, struct error *error)
{
    const json_t *json = json_object_get(object, key);
    if (!json_is_string(json) || json_string_length(json) == 0)
        return error_set(error, STATUS_INVALID, "%s: expected a text that is not empty", key);
    *text = arena_text(arena, json_string_value(json), json_string_length(json));
    return *text ? STATUS_OK : no_memory(error);
}

/* The same into room for a text of that length at most. */
static enum status read_short(const json_t *object, const char *key, char *text, size_t room,
                              struct error *error)
{
    const json_t *json = json_object_get(object, key);
    const size_t length = json_string_length(json);
    if (!json_is_string(json) || length == 0 || length >= room)
        return error_set(error, STATUS_INVALID, "%s: expected a text of 1 to %zu bytes", key,
                         room - 1);
    memcpy(text, json_string_value(json), length + 1);
    return STATUS_OK;
}

/* Arrays of a layer, one number for each unit */

struct layer_reader {
    struct layer *layer;
    struct node *node;
    struct layer_counters *counters;
    const json_t *units; /* the object unit_stats */
};

typedef bool number_reader(const struct layer_reader *reader, size_t unit, const json_t *json);

/* No unit did anything more often than it was observed. */
static bool take_count(uint64_t *count, const struct layer_reader *reader, const json_t *json)
{
    const json_int_t counted = json_integer_value(json);
    *count = (uint64_t)counted;
    return json_is_integer(json) && counted >= 0 && *count <= reader->counters->observations;
}

static bool take_active(const struct layer_reader *reader, size_t unit, const json_t *json)
{
    return take_count(&reader->counters->active[unit], reader, json);
}

static bool take_low(const struct layer_reader *reader, size_t unit, const json_t *json)
{
    return take_count(&reader->counters->low[unit], reader, json);
}

static bool take_high(const struct layer_reader *reader, size_t unit, const json_t *json)
{
    return take_count(&reader->counters->high[unit], reader, json);
}

/* A mean times its observations is the sum again, but for the last bit; before the first it is
 * null. */
static bool take_mean(double *sum, const struct layer_reader *reader, const json_t *json)
{
    const uint64_t observations = reader->counters->observations;
    *sum = json_number_value(json) * (double)observations;
    return (json_is_number(json) && isfinite(*sum)) || (json_is_null(json) && observations == 0);
}

static bool take_sum(const struct layer_reader *reader, size_t unit, const json_t *json)
{
    return take_mean(&reader->counters->sum[unit], reader, json);
}

static bool take_magnitude(const struct layer_reader *reader, size_t unit, const json_t *json)
{
    return take_mean(&reader->counters->magnitude[unit], reader, json) &&
           reader->counters->magnitude[unit] >= 0;
}

/* What is infinite was written as null: +inf was active, -inf was not. */
static bool take_max(const struct layer_reader *reader, size_t unit, const json_t *json)
{
    const float infinite = reader->counters->active[unit] > 0 ? INFINITY : -INFINITY;
    float *max = &reader->counters->max[unit];
    *max = json_is_null(json) ? infinite : (float)json_number_value(json);
    return json_is_null(json) || (json_is_number(json) && isfinite(*max));
}

static bool take_slope(const struct layer_reader *reader, size_t unit, const json_t *json)
{
    float *slopes = (float *)reader->node->activation.slope;
    slopes[unit] = (float)json_number_value(json);
    return json_is_number(json) && isfinite(slopes[unit]);
}

static enum status read_array(const struct layer_reader *reader, const char *key,
                              number_reader *take, struct error *error)
{
    const json_t *array = json_object_get(reader->units, key);
    if (json_array_size(array) != reader->layer->units)
        return error_set(error, STATUS_INVALID, "unit_stats.%s: expected %zu numbers", key,
                         reader->layer->units);
    for (size_t unit = 0; unit < reader->layer->units; unit++)
        if (!take(reader, unit, json_array_get(array, unit)))
            return error_set(error, STATUS_INVALID, "unit_stats.%s: no such value may stand at %zu",
                             key, unit);
    return STATUS_OK;
}

static enum status read_arrays(const struct layer_reader *reader, struct error *error)
{
    const struct {
        const char *key;
        bool measured;
        number_reader *take;
    } arrays[] = {{"active", reader->counters->active, take_active},
                  {"mean", reader->counters->sum, take_sum},
                  {"mean_abs", reader->counters->magnitude, take_magnitude},
                  {"max_preactivation", reader->counters->max, take_max},
                  {"low_tail", reader->counters->low, take_low},
                  {"high_tail", reader->counters->high, take_high}};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        if (arrays[i].measured &&
            read_array(reader, arrays[i].key, arrays[i].take, error) != STATUS_OK)
            return error->status;
    return STATUS_OK;
}

/* Layers. First all their sizes are read, so that the plan and its counters can be made, then what
 * was counted. */

static enum status read_slopes(struct snapshot *snapshot, struct layer_reader *reader,
                               struct error *error)
{
    if (!json_object_get(reader->units, "slope"))
        return STATUS_OK;
    reader->node->activation.slope =
        arena_alloc(&snapshot->arena, reader->layer->units, sizeof(float));
    return reader->node->activation.slope ? read_array(reader, "slope", take_slope, error)
                                          : no_memory(error);
}

static enum status read_shape(struct snapshot *snapshot, struct layer_reader *reader,
                              const json_t *json, struct error *error)
{
    struct layer *layer = reader->layer;
    uint64_t units = 0;
    if (read_text(&snapshot->arena, json, "name", &reader->node->name, error) != STATUS_OK ||
        read_count(json, "units", &units, error) != STATUS_OK)
        return error->status;
    if (units < 1 || units > MODEL_FEATURES_MAX)
        return error_set(error, STATUS_INVALID, "units: expected 1 to %d, found %" PRIu64,
                         MODEL_FEATURES_MAX, units);
    if (fields_activation(json_object_get(json, "activation"), &reader->node->activation, error) !=
        STATUS_OK)
        return error_prefix(error, "activation");
    reader->node->n = (size_t)units;
    *layer = (struct layer){.name = reader->node->name, .node = reader->node, .units = units};
    return read_slopes(snapshot, reader, error);
}

/* Rows times positions, of which there is no telling before the first row: 0. */
static enum status read_observations(struct snapshot *snapshot, struct layer_reader *reader,
                                     const json_t *json, struct error *error)
{
    const uint64_t rows = snapshot->counters.samples;
    struct layer_counters *counters = reader->counters;
    if (read_count(json, "observations", &counters->observations, error) != STATUS_OK ||
        read_count(json, "nonfinite", &counters->nonfinite, error) != STATUS_OK)
        return error->status;
    const bool whole = rows == 0
                           ? counters->observations == 0
                           : counters->observations >= rows && counters->observations % rows == 0;
    if (!whole)
        return error_set(error, STATUS_INVALID,
                         "observations: expected a multiple of the %" PRIu64
                         " samples, found %" PRIu64,
                         rows, counters->observations);
    reader->layer->positions = rows == 0 ? 0 : (size_t)(counters->observations / rows);
    return STATUS_OK;
}

static enum status read_counted(struct snapshot *snapshot, struct layer_reader *reader,
                                const json_t *json, struct error *error)
{
    if (snapshot->model.level == STATS_off)
        return STATUS_OK;
    if (read_observations(snapshot, reader, json, error) != STATUS_OK)
        return error->status;
    return read_arrays(reader, error);
}

static struct layer_reader reader_of(struct snapshot *snapshot, const json_t *layers, size_t i)
{
    struct layer_counters *counters = snapshot->counters.layers;
    return (struct layer_reader){&snapshot->model.plan.layers[i], &snapshot->model.graph.nodes[i],
                                 counters ? &counters[i] : NULL,
                                 json_object_get(json_array_get(layers, i), "unit_stats")};
}

typedef enum status layer_step(struct snapshot *snapshot, struct layer_reader *reader,
                               const json_t *json, struct error *error);

static enum status each_layer(struct snapshot *snapshot, const json_t *layers, layer_step *step,
                              struct error *error)
{
    for (size_t i = 0; i < snapshot->model.plan.layer_count; i++) {
        struct layer_reader reader = reader_of(snapshot, layers, i);
        if (step(snapshot, &reader, json_array_get(layers, i), error) != STATUS_OK)
            return error_prefix(error, "layers[%zu]", i);
    }
    return STATUS_OK;
}

/* Who is listed cannot reach any threshold, who is not may reach every one. */
static enum status read_proof(struct snapshot *snapshot, struct layer_reader *reader,
                              const json_t *json, struct error *error)
{
    const json_t *units = json_object_get(json_object_get(json, "dead_proven"), "units");
    const size_t count = reader->layer->units;
    double *upper = arena_alloc(&snapshot->arena, count, sizeof *upper);
    if (!upper)
        return no_memory(error);
    if (!json_is_array(units))
        return error_set(error, STATUS_INVALID, "dead_proven: expected an object with units");
    for (size_t unit = 0; unit < count; unit++)
        upper[unit] = INFINITY;
    for (size_t i = 0; i < json_array_size(units); i++) {
        const json_t *unit = json_array_get(units, i);
        if (!json_is_integer(unit) || json_integer_value(unit) < 0 ||
            (size_t)json_integer_value(unit) >= count)
            return error_set(error, STATUS_INVALID, "dead_proven: expected units below %zu", count);
        upper[json_integer_value(unit)] = -INFINITY;
    }
    snapshot->model.proof.upper[reader->layer - snapshot->model.plan.layers] = upper;
    return STATUS_OK;
}

/* Without a declared range there is nothing. */
static enum status read_proofs(struct snapshot *snapshot, const json_t *json, struct error *error)
{
    struct model *model = &snapshot->model;
    if (json_is_null(json_object_get(json, "out_of_range_rows")))
        return STATUS_OK;
    if (read_count(json, "out_of_range_rows", &snapshot->counters.out_of_range, error) != STATUS_OK)
        return error->status;
    model->proof.upper =
        arena_alloc(&snapshot->arena, model->plan.layer_count, sizeof *model->proof.upper);
    return model->proof.upper
               ? each_layer(snapshot, json_object_get(json, "layers"), read_proof, error)
               : no_memory(error);
}

static enum status read_layers(struct snapshot *snapshot, const json_t *layers, struct error *error)
{
    struct model *model = &snapshot->model;
    const size_t count = json_array_size(layers);
    if (!json_is_array(layers) || count > MODEL_NODES_MAX)
        return error_set(error, STATUS_INVALID, "layers: expected an array of at most %d",
                         MODEL_NODES_MAX);
    model->graph.nodes = arena_alloc(&snapshot->arena, count, sizeof *model->graph.nodes);
    model->plan.layers = arena_alloc(&snapshot->arena, count, sizeof *model->plan.layers);
    if (!model->graph.nodes || !model->plan.layers)
        return no_memory(error);
    model->graph.node_count = model->plan.layer_count = count;
    model->plan.graph = &model->graph;
    const uint64_t samples = snapshot->counters.samples;
    if (each_layer(snapshot, layers, read_shape, error) != STATUS_OK ||
        counters_init(&snapshot->counters, &snapshot->arena, &model->plan, model->level, error) !=
            STATUS_OK)
        return error->status;
    snapshot->counters.samples = samples;
    return each_layer(snapshot, layers, read_counted, error);
}

/* The whole */

static enum status read_format(const json_t *json, struct error *error)
{
    const char *format = json_string_value(json_object_get(json, "format"));
    const json_t *version = json_object_get(json, "format_version");
    if (!format || strcmp(format, "relud-stats") != 0)
        return error_set(error, STATUS_INVALID,
                         "expected a snapshot, an object with \"format\": \"relud-stats\"");
    if (!json_is_integer(version) || json_integer_value(version) != VERSION)
        return error_set(error, STATUS_UNSUPPORTED,
                         "expected format_version %d, which this relud writes and reads", VERSION);
    return STATUS_OK;
}

static enum status read_level(const json_t *json, enum stats_level *level, struct error *error)
{
    const char *name = json_string_value(json_object_get(json, "level"));
    if (name && stats_level_named(level, name))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "level: expected \"off\", \"counts\" or \"full\", found \"%s\"",
                     name ? name : "");
}

static enum status read_all(struct snapshot *snapshot, const json_t *json, struct error *error)
{
    struct model *model = &snapshot->model;
    if (read_format(json, error) != STATUS_OK ||
        read_text(&snapshot->arena, json, "model", &model->name, error) != STATUS_OK ||
        read_text(&snapshot->arena, json, "version", &model->version, error) != STATUS_OK ||
        read_short(json, "digest", model->digest, sizeof model->digest, error) != STATUS_OK ||
        read_short(json, "since", snapshot->since, sizeof snapshot->since, error) != STATUS_OK ||
        read_level(json, &model->level, error) != STATUS_OK ||
        read_count(json, "samples", &snapshot->counters.samples, error) != STATUS_OK)
        return error->status;
    if (read_layers(snapshot, json_object_get(json, "layers"), error) != STATUS_OK)
        return error->status;
    return read_proofs(snapshot, json, error);
}

enum status snapshot_read(struct snapshot *snapshot, const char *text, size_t length,
                          struct error *error)
{
    json_error_t at;
    *snapshot = (struct snapshot){.counters = {.samples = 0}};
    arena_init(&snapshot->arena, MEMORY_BYTES_MAX);
    json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &at);
    enum status status = json ? read_all(snapshot, json, error)
                              : error_set(error, STATUS_INVALID, "line %d, column %d: %s", at.line,
                                          at.column, at.text);
    json_decref(json);
    if (status != STATUS_OK)
        snapshot_free(snapshot);
    return status;
}

enum status snapshot_load(struct snapshot *snapshot, const char *path, struct error *error)
{
    struct arena arena;
    struct file file;
    arena_init(&arena, SNAPSHOT_BYTES_MAX + ARENA_ALIGNMENT);
    enum status status = file_load(&arena, path, SNAPSHOT_BYTES_MAX, &file, error);
    if (status == STATUS_OK)
        status = snapshot_read(snapshot, (const char *)file.bytes, file.count, error);
    arena_free(&arena);
    return status == STATUS_OK ? STATUS_OK : error_prefix(error, "%s", path);
}

void snapshot_free(struct snapshot *snapshot)
{
    arena_free(&snapshot->arena);
}

static enum status check_layer(const struct layer *a, const struct layer *b, struct error *error)
{
    const bool same = strcmp(a->name, b->name) == 0 && a->units == b->units &&
                      a->node->activation.type == b->node->activation.type &&
                      (a->positions == b->positions || a->positions == 0 || b->positions == 0);
    if (same)
        return STATUS_OK;
    return error_set(
        error, STATUS_INVALID,
        "expected layer \"%s\" of %zu %s units at %zu positions, found \"%s\" of %zu %s at %zu",
        b->name, b->units, activation_info(b->node->activation.type)->name, b->positions, a->name,
        a->units, activation_info(a->node->activation.type)->name, a->positions);
}

enum status snapshot_is_of(const struct snapshot *snapshot, const struct model *model,
                           struct error *error)
{
    const struct plan *a = &snapshot->model.plan, *b = &model->plan;
    if (strcmp(snapshot->model.digest, model->digest) != 0)
        return error_set(error, STATUS_INVALID,
                         "expected statistics of the model with digest %s, found those of %s",
                         model->digest, snapshot->model.digest);
    if (a->layer_count != b->layer_count)
        return error_set(error, STATUS_INVALID, "expected %zu layers, found %zu", b->layer_count,
                         a->layer_count);
    for (size_t i = 0; i < a->layer_count; i++)
        if (check_layer(&a->layers[i], &b->layers[i], error) != STATUS_OK)
            return error->status;
    return STATUS_OK;
}

enum status snapshot_fits(const struct snapshot *snapshot, const struct model *model,
                          struct error *error)
{
    if (snapshot_is_of(snapshot, model, error) != STATUS_OK)
        return error->status;
    if (snapshot->model.level == model->level)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, "expected level %s, found %s",
                     stats_level_name(model->level), stats_level_name(snapshot->model.level));
}

void snapshot_merge(struct snapshot *snapshot, const struct snapshot *other)
{
    counters_merge(&snapshot->counters, &other->counters);
    if (strcmp(other->since, snapshot->since) < 0)
        memcpy(snapshot->since, other->since, sizeof snapshot->since);
}
