#include "model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bias.h"
#include "config.h"
#include "digest.h"
#include "layers.h"
#include "onnx.h"
#include "panel.h"

enum { CONFIG_BYTES_MAX = 1 << 20 };

_Static_assert((int)DIGEST_TEXT_BYTES == (int)MODEL_DIGEST_BYTES,
               "a model keeps its digest as text");

/* Writes the path of a file in a directory; whether there is such a file. */
static bool find_file(char path[MODEL_PATH_BYTES], const char *directory, const char *name)
{
    struct stat found;
    snprintf(path, MODEL_PATH_BYTES, "%s/%s", directory, name);
    return stat(path, &found) == 0;
}

static enum status find_in_directory(struct model_paths *paths, const char *directory,
                                     struct error *error)
{
    const bool onnx = find_file(paths->network, directory, "model.onnx");
    const bool layers = find_file(paths->layers, directory, "model.json");
    if (!onnx && !layers)
        return error_set(error, STATUS_NOT_FOUND,
                         "expected a file model.onnx or model.json in it, found none");
    if (onnx && layers)
        return error_set(error, STATUS_INVALID,
                         "expected a file model.onnx or model.json in it, found both");
    if (onnx)
        paths->layers[0] = '\0';
    else if (!find_file(paths->network, directory, "weights.safetensors"))
        return error_set(error, STATUS_INVALID,
                         "expected a file weights.safetensors beside model.json, found none");
    find_file(paths->config, directory, "config.json");
    return STATUS_OK;
}

enum status model_find(struct model_paths *paths, const char *path, struct error *error)
{
    struct stat found;
    paths->layers[0] = paths->config[0] = '\0';
    if (stat(path, &found) != 0)
        return error_set(error, STATUS_NOT_FOUND, "%s", strerror(errno));
    if (strlen(path) > MODEL_PATH_BYTES - sizeof "/weights.safetensors")
        return error_set(error, STATUS_TOO_LARGE, "the path is too long");
    if (S_ISDIR(found.st_mode))
        return find_in_directory(paths, path, error);
    snprintf(paths->network, MODEL_PATH_BYTES, "%s", path);
    return STATUS_OK;
}

bool model_in_directory(const char *directory)
{
    struct model_paths paths;
    struct error error;
    return find_in_directory(&paths, directory, &error) != STATUS_NOT_FOUND;
}

void model_path_name(char name[MODEL_NAME_BYTES], const char *path)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    if (end - begin > 5 && memcmp(path + end - 5, ".onnx", 5) == 0)
        end -= 5;
    size_t length = end - begin < MODEL_NAME_BYTES ? end - begin : MODEL_NAME_BYTES - 1;
    memcpy(name, path + begin, length);
    name[length] = '\0';
}

enum status model_set_activation(struct model *model, const char *layer,
                                 struct activation activation, struct error *error)
{
    bool all = strcmp(layer, "*") == 0;
    size_t found = 0;
    for (size_t i = 0; i < model->graph.node_count; i++) {
        struct node *node = &model->graph.nodes[i];
        bool named = strcmp(node->name, layer) == 0 && op_has_units(node->op);
        if (!named && !(all && activation_counted(&node->activation)))
            continue;
        if (activation.type == ACTIVATION_softmax || activation.type == ACTIVATION_log_softmax)
            return error_set(error, STATUS_UNSUPPORTED, "softmax cannot replace an activation");
        if ((activation.type == ACTIVATION_crelu) != (node->activation.type == ACTIVATION_crelu))
            return error_set(error, STATUS_UNSUPPORTED,
                             "layer \"%s\": crelu gives two numbers for each unit; no other "
                             "activation can take its place, nor it another's",
                             node->name);
        node->activation = activation;
        found++;
    }
    return found > 0 ? STATUS_OK
                     : error_set(error, STATUS_NOT_FOUND, "the model has no layer \"%s\"", layer);
}

static enum status apply_overrides(struct model *model, const struct model_options *options,
                                   struct error *error)
{
    for (size_t i = 0; i < options->override_count; i++) {
        const struct activation_override *override = &options->overrides[i];
        if (model_set_activation(model, override->layer, override->activation, error) != STATUS_OK)
            return error->status;
    }
    return STATUS_OK;
}

/* The effective activations are part of what a model is: statistics of one do not fit the other. */
static void digest_activations(struct digest *digest, const struct graph *graph)
{
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct node *node = &graph->nodes[i];
        const char *type = activation_info(node->activation.type)->name;
        digest_add(digest, node->name, strlen(node->name) + 1);
        digest_add(digest, type, strlen(type) + 1);
        digest_add(digest, node->activation.parameters, sizeof node->activation.parameters);
        if (node->activation.slope)
            digest_add(digest, node->activation.slope, node->n * sizeof(float));
    }
}

/* Biases that are not the file's make another model, too. */
static enum status change_biases(struct model *model, const struct model_options *options,
                                 struct digest *digest, struct error *error)
{
    for (size_t i = 0; i < options->bias_count; i++) {
        const char *text = options->biases[i];
        digest_add(digest, text, strlen(text) + 1);
        if (bias_change(model, text, error) != STATUS_OK)
            return error_prefix(error, "bias");
    }
    return STATUS_OK;
}

static enum status load_onnx(struct model *model, const char *path, struct digest *digest,
                             struct error *error)
{
    struct onnx_file file;
    if (onnx_file_open(&file, path, error) == STATUS_OK) {
        digest_files(digest, &file.files);
        onnx_import(model, &file, error);
        digest_join(digest, error);
        onnx_file_close(&file);
    }
    return error->status == STATUS_OK ? STATUS_OK : error_prefix(error, "%s", path);
}

/* Reads the description of a network whose weights' places are known. */
static enum status load_layers(struct model *model, const char *path,
                               const struct safetensors *tensors, struct arena *arena,
                               struct file *text, struct error *error)
{
    if (file_load(arena, path, LAYERS_TEXT_BYTES_MAX, text, error) == STATUS_OK)
        layers_import(model, (const char *)text->bytes, text->count, tensors, error);
    return error->status == STATUS_OK ? STATUS_OK : error_prefix(error, "%s", path);
}

static enum status load_tensors(struct model *model, const struct model_paths *paths,
                                struct digest *digest, struct error *error)
{
    struct files files;
    struct arena arena;
    struct safetensors tensors;
    struct file text = file_of_bytes(NULL, 0);
    if (files_open(&files, paths->network, MODEL_MEMORY_BYTES_MAX, error) != STATUS_OK)
        return error_prefix(error, "%s", paths->network);
    arena_init(&arena, MODEL_MEMORY_BYTES_MAX);
    digest_files(digest, &files);
    if (safetensors_read(&tensors, &arena, &files, error) == STATUS_OK)
        load_layers(model, paths->layers, &tensors, &arena, &text, error);
    else
        error_prefix(error, "%s", paths->network);
    if (digest_join(digest, error) == STATUS_OK)
        digest_add(digest, text.bytes, text.count);
    arena_free(&arena);
    files_close(&files);
    return error->status;
}

static enum status load_network(struct model *model, const struct model_paths *paths,
                                struct digest *digest, struct error *error)
{
    return paths->layers[0] ? load_tensors(model, paths, digest, error)
                            : load_onnx(model, paths->network, digest, error);
}

/* config.json is optional: a missing one is no error. */
static enum status load_config(struct model *model, const char *path, struct digest *digest,
                               struct error *error)
{
    struct file file;
    if (!path[0])
        return STATUS_OK;
    enum status status = file_load(&model->arena, path, CONFIG_BYTES_MAX, &file, error);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status == STATUS_OK) {
        const char *text = (const char *)file.bytes;
        status = config_apply(model, text, file.count, error);
        if (status == STATUS_OK)
            status = config_digest(text, file.count, digest, error);
    }
    return status == STATUS_OK ? status : error_prefix(error, "%s", path);
}

static enum status name_model(struct model *model, const char *path,
                              const struct model_options *options, struct error *error)
{
    char own[MODEL_NAME_BYTES];
    model_path_name(own, path);
    const char *name = options->name ? options->name : own;
    const char *version = options->version ? options->version : "1";
    model->name = arena_text(&model->arena, name, strlen(name));
    model->version = arena_text(&model->arena, version, strlen(version));
    if (!model->name || !model->version)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the model's name");
    return STATUS_OK;
}

static enum status prove(struct model *model, struct error *error)
{
    struct proof_range ranges[GRAPH_IO_MAX];
    if (model->level == STATS_off)
        return STATUS_OK;
    for (size_t i = 0; i < model->graph.input_count; i++)
        ranges[i] = (struct proof_range){model->inputs[i].min, model->inputs[i].max};
    return proof_open(&model->proof, &model->arena, &model->plan, ranges, error);
}

static enum status load(struct model *model, const char *path, const struct model_options *options,
                        struct error *error)
{
    struct model_paths paths;
    struct digest digest;
    digest_init(&digest);
    if (model_find(&paths, path, error) != STATUS_OK)
        return error_prefix(error, "%s", path);
    const char *config = paths.config;
    if (options->config && access(config, F_OK) != 0)
        config = options->config;
    if (load_network(model, &paths, &digest, error) != STATUS_OK ||
        load_config(model, config, &digest, error) != STATUS_OK)
        return error->status;
    if (apply_overrides(model, options, error) != STATUS_OK ||
        change_biases(model, options, &digest, error) != STATUS_OK)
        return error_prefix(error, "%s", path);
    if (name_model(model, path, options, error) != STATUS_OK)
        return error->status;
    digest_activations(&digest, &model->graph);
    digest_text(&digest, model->digest);
    if (plan_init(&model->plan, &model->graph, error) != STATUS_OK)
        return error->status;
    return prove(model, error);
}

enum status model_open(struct model *model, const char *path, const struct model_options *options,
                       struct error *error)
{
    *model = (struct model){.level = options->level};
    arena_init(&model->arena, MODEL_MEMORY_BYTES_MAX);
    error->status = STATUS_OK;
    enum status status = load(model, path, options, error);
    if (status != STATUS_OK)
        model_close(model);
    return status;
}

void model_close(struct model *model)
{
    arena_free(&model->arena);
}

static bool row_is_within(const struct model *model, const struct kernels *kernels,
                          const float *const *x, size_t row)
{
    for (size_t i = 0; i < model->graph.input_count; i++) {
        const struct port *port = &model->inputs[i];
        const float *numbers = x[i] + row * port->features;
        if (port->min && !kernels->within(port->features, numbers, port->min, port->max))
            return false;
    }
    return true;
}

size_t model_out_of_range(const struct model *model, const struct kernels *kernels,
                          const float *const *x, size_t rows)
{
    size_t outside = 0;
    for (size_t row = 0; model->proof.upper && row < rows; row++)
        outside += !row_is_within(model, kernels, x, row);
    return outside;
}

static bool same_dims(const int64_t *expected, const size_t *dims, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if ((size_t)expected[i] != dims[i])
            return false;
    return true;
}

size_t port_rows(const struct port *port, size_t rank, const size_t *dims)
{
    const bool whole = port->rank == 0 || port->dims[0] != -1;
    if (whole && rank == port->rank)
        return same_dims(port->dims, dims, rank);
    const size_t hidden = whole ? 0 : 1; /* dimensions of the port that no row has */
    bool fits = rank > 0 && rank - 1 + hidden == port->rank &&
                same_dims(port->dims + hidden, dims + 1, rank - 1);
    return fits ? dims[0] : 0;
}
