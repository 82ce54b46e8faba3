#include "compact.h"

#include <string.h>

#include "links.h"
#include "model/onnx.h"
#include "model/onnx_file.h"
#include "stats/verdict.h"

static const struct {
    const char *name, *text;
} keeps[KEEP_COUNT] = {
    [KEEP_none] = {"", ""},
#define KEEP(name, text) [KEEP_##name] = {#name, text},
#include "keep.def"
#undef KEEP
};

const char *keep_name(enum keep keep)
{
    return keeps[keep].name;
}

const char *keep_text(enum keep keep)
{
    return keeps[keep].text;
}

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for a smaller model");
}

/* What the network and its file are made of, while it is compacted. */
struct work {
    const struct model *model; /* as it is served */
    const struct compact_options *options;
    struct onnx_file file;
    struct model plain; /* as the file alone says */
    struct onnx_trace trace;
    Onnx__ModelProto *proto; /* the file again, to be changed */
    struct links links;
};

/* Stuck units */

static bool is_dead(const struct work *work, const struct layer_view *view, size_t layer,
                    size_t unit)
{
    const struct model *model = work->model;
    const bool fired = view->counters && view->counters->active && view->counters->active[unit] > 0;
    const bool proven =
        !fired && model->proof.upper && proof_dead(&model->proof, &model->plan, layer, unit);
    return proven ||
           (!work->options->proven_only && layer_is_decided(view, work->options->min_samples) &&
            verdict_holds(VERDICT_dead, view, unit, 0, 0));
}

static bool is_stuck_high(const struct work *work, const struct layer_view *view, size_t unit)
{
    return work->options->fold && !work->options->proven_only &&
           layer_is_decided(view, work->options->min_samples) &&
           verdict_holds(VERDICT_stuck_high, view, unit, 0, 0);
}

static void find_stuck(const struct work *work, const struct counters *counters, size_t index,
                       struct compact_layer *layer)
{
    const struct activation *activation = &layer->layer->node->activation;
    const float low = activation_threshold(activation);
    const struct layer_view view = {.layer = layer->layer,
                                    .counters = counters ? &counters->layers[index] : NULL,
                                    .samples = counters ? counters->samples : 0};
    for (size_t unit = 0; unit < layer->layer->units; unit++) {
        layer->stuck[unit] = NAN;
        layer->high[unit] = counters && is_stuck_high(work, &view, unit);
        if (layer->high[unit])
            layer->stuck[unit] = (float)activation_value(activation, unit,
                                                         (double)activation_tails(activation).high);
        else if (is_dead(work, &view, index, unit))
            layer->stuck[unit] = (float)activation_value(activation, unit, (double)low);
    }
}

static bool same_activation(const struct activation *a, const struct activation *b, size_t units)
{
    return a->type == b->type && memcmp(a->parameters, b->parameters, sizeof a->parameters) == 0 &&
           !a->slope == !b->slope &&
           (!a->slope || memcmp(a->slope, b->slope, units * sizeof *a->slope) == 0);
}

/* Finds a layer's value in the file; units whose activation the file does not have must stay. */
static void find_made(const struct work *work, struct compact_layer *layer)
{
    const struct node *node = layer->layer->node;
    const size_t index = (size_t)(node - work->model->graph.nodes);
    const bool same =
        same_activation(&node->activation, &work->plain.graph.nodes[index].activation, node->n);
    layer->made = same ? work->trace.activated[index] : NULL;
    layer->configured = !same;
}

static enum status open_layer(struct compact *compact, const struct work *work,
                              const struct counters *counters, size_t index, struct error *error)
{
    struct compact_layer *layer = &compact->layers[index];
    layer->layer = &work->model->plan.layers[index];
    const size_t units = layer->layer->units;
    layer->stuck = arena_alloc(&compact->arena, units, sizeof *layer->stuck);
    layer->high = arena_alloc(&compact->arena, units, sizeof *layer->high);
    layer->removed = arena_alloc(&compact->arena, units, sizeof *layer->removed);
    layer->kept = arena_alloc(&compact->arena, units, sizeof *layer->kept);
    layer->kept_at = arena_alloc(&compact->arena, units, sizeof *layer->kept_at);
    if (!layer->stuck || !layer->high || !layer->removed || !layer->kept || !layer->kept_at)
        return no_memory(error);
    find_stuck(work, counters, index, layer);
    find_made(work, layer);
    return STATUS_OK;
}

static enum status open_layers(struct compact *compact, const struct work *work,
                               const struct counters *counters, struct error *error)
{
    compact->layer_count = work->model->plan.layer_count;
    compact->layers = arena_alloc(&compact->arena, compact->layer_count, sizeof *compact->layers);
    if (!compact->layers)
        return no_memory(error);
    for (size_t i = 0; i < compact->layer_count; i++)
        if (open_layer(compact, work, counters, i, error) != STATUS_OK)
            return error->status;
    return STATUS_OK;
}

/* Reading */

static enum status embed(struct compact *compact, const struct work *work, struct error *error)
{
    const Onnx__GraphProto *graph = work->proto->graph;
    const struct files *files = &work->file.files;
    for (size_t i = 0; i < graph->n_initializer; i++)
        if (onnx_tensor_embed(&compact->arena, files, graph->initializer[i], error) != STATUS_OK)
            return error->status;
    for (size_t i = 0; i < graph->n_node; i++)
        for (size_t j = 0; j < graph->node[i]->n_attribute; j++)
            if (graph->node[i]->attribute[j]->t &&
                onnx_tensor_embed(&compact->arena, files, graph->node[i]->attribute[j]->t, error) !=
                    STATUS_OK)
                return error->status;
    return STATUS_OK;
}

/* The file's messages once more, with all of their fields and numbers. */
static enum status unpack(struct compact *compact, struct work *work, struct error *error)
{
    struct file bytes;
    if (file_load_from(&compact->arena, &work->file.files.list[0], &bytes, error) != STATUS_OK ||
        onnx_unpack(&compact->arena, bytes.count, bytes.bytes, &work->proto, error) != STATUS_OK)
        return error->status;
    return embed(compact, work, error);
}

static enum status read(struct compact *compact, struct work *work, struct error *error)
{
    work->trace.arena = &compact->arena;
    if (onnx_import_traced(&work->plain, &work->file, &work->trace, error) != STATUS_OK)
        return error->status;
    if (work->plain.whole)
        return error_set(error, STATUS_UNSUPPORTED,
                         "the file does something to its batch, so that its units cannot be told "
                         "from its rows: expected one that keeps the rows apart");
    if (work->plain.graph.node_count != work->model->graph.node_count)
        return error_set(error, STATUS_INVALID, "the file has changed since it was opened");
    return unpack(compact, work, error);
}

/* Writing */

static void note_fate(const struct links *links, struct compact_layer *layer)
{
    const struct span span = links_units(links, layer);
    for (size_t unit = 0; unit < layer->layer->units; unit++) {
        if (span.count == 0) {
            layer->kept[unit] = layer->configured ? KEEP_configured : KEEP_operator;
            continue;
        }
        const size_t channel = span.first + unit;
        const struct channel *root = &links->channels[links_root(links, channel)];
        const uint32_t node = root->node;
        layer->removed[unit] = links->channels[channel].removed;
        layer->kept[unit] = (enum keep)root->keep;
        layer->kept_at[unit] = node < links->proto->n_node ? links->proto->node[node]->name : NULL;
    }
}

/* The nodes of the file are named in the report, and its arena is the report's. */
static enum status pack(struct compact *compact, const Onnx__ModelProto *proto, struct error *error)
{
    const size_t count = onnx__model_proto__get_packed_size(proto);
    if (count >= MODEL_FILE_BYTES_MAX)
        return error_set(error, STATUS_TOO_LARGE,
                         "expected a file of less than %zu bytes with all external data in it, "
                         "found %zu",
                         MODEL_FILE_BYTES_MAX, count);
    compact->bytes = arena_alloc(&compact->arena, count, 1);
    if (!compact->bytes)
        return no_memory(error);
    compact->byte_count = onnx__model_proto__pack(proto, compact->bytes);
    return STATUS_OK;
}

static enum status cut(struct compact *compact, struct work *work, struct error *error)
{
    struct links *links = &work->links;
    *links = (struct links){.arena = &compact->arena,
                            .file = work->proto,
                            .proto = work->proto->graph,
                            .model = &work->plain,
                            .fold = work->options->fold,
                            .error = error};
    if (links_open(links, &work->trace, compact->layers, compact->layer_count) == STATUS_OK) {
        links_choose(links);
        for (size_t i = 0; i < compact->layer_count; i++)
            note_fate(links, &compact->layers[i]);
        links_fold(links);
        links_cut(links);
        links_insert(links);
    }
    links_close(links);
    return error->status == STATUS_OK ? pack(compact, work->proto, error) : error->status;
}

/* What config.json says of activations goes for the smaller model, too. */
static enum status configure(struct compact *compact, struct error *error)
{
    for (size_t i = 0; i < compact->layer_count; i++) {
        const struct compact_layer *layer = &compact->layers[i];
        if (layer->configured &&
            model_set_activation(&compact->model, layer->layer->name,
                                 layer->layer->node->activation, error) != STATUS_OK)
            return error->status;
    }
    return STATUS_OK;
}

/* What was made is read as any file is. */
static enum status load(struct compact *compact, struct error *error)
{
    struct onnx_file file;
    struct model *model = &compact->model;
    if (onnx_file_of_bytes(&file, compact->bytes, compact->byte_count, error) == STATUS_OK) {
        onnx_import(model, &file, error);
        onnx_file_close(&file);
    }
    if (error->status == STATUS_OK && configure(compact, error) == STATUS_OK)
        plan_init(&model->plan, &model->graph, error);
    return error->status == STATUS_OK ? STATUS_OK : error_prefix(error, "the smaller model");
}

enum status compact_open(struct compact *compact, const struct model *model, const char *path,
                         const struct counters *counters, const struct compact_options *options,
                         struct error *error)
{
    struct work work = {.model = model, .options = options};
    *compact = (struct compact){.model = {.level = model->level}};
    arena_init(&compact->model.arena, MODEL_MEMORY_BYTES_MAX);
    arena_init(&compact->arena, 2 * MODEL_MEMORY_BYTES_MAX);
    arena_init(&work.plain.arena, MODEL_MEMORY_BYTES_MAX);
    error->status = STATUS_OK;
    if (onnx_file_open(&work.file, path, error) == STATUS_OK) {
        if (read(compact, &work, error) == STATUS_OK &&
            open_layers(compact, &work, counters, error) == STATUS_OK &&
            cut(compact, &work, error) == STATUS_OK)
            load(compact, error);
        onnx_file_close(&work.file);
    }
    arena_free(&work.plain.arena);
    return error->status == STATUS_OK ? STATUS_OK : error_prefix(error, "%s", path);
}

void compact_close(struct compact *compact)
{
    model_close(&compact->model);
    arena_free(&compact->arena);
}
