#include "model.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "config.h"
#include "file.h"
#include "layers.h"
#include "onnx.h"
#include "panel.h"

enum { PATH_BYTES_MAX = 4096, CONFIG_BYTES_MAX = 1 << 20 };

/* Where a model's files are; "" for those it does not have. */
struct paths {
    char network[PATH_BYTES_MAX]; /* .onnx, or the weights of layers */
    char layers[PATH_BYTES_MAX];  /* model.json */
    char config[PATH_BYTES_MAX];
};

/* Writes the path of a file in a directory; whether there is such a file. */
static bool find_file(char path[PATH_BYTES_MAX], const char *directory, const char *name)
{
    struct stat found;
    snprintf(path, PATH_BYTES_MAX, "%s/%s", directory, name);
    return stat(path, &found) == 0;
}

static enum status find_in_directory(struct paths *paths, const char *directory,
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

static enum status find_files(struct paths *paths, const char *path, struct error *error)
{
    struct stat found;
    paths->layers[0] = paths->config[0] = '\0';
    if (stat(path, &found) != 0)
        return error_set(error, STATUS_NOT_FOUND, "%s", strerror(errno));
    if (strlen(path) > PATH_BYTES_MAX - sizeof "/weights.safetensors")
        return error_set(error, STATUS_TOO_LARGE, "the path is too long");
    if (S_ISDIR(found.st_mode))
        return find_in_directory(paths, path, error);
    snprintf(paths->network, PATH_BYTES_MAX, "%s", path);
    return STATUS_OK;
}

bool model_in_directory(const char *directory)
{
    struct paths paths;
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
static void digest_activations(struct sha256_ctx *hash, const struct graph *graph)
{
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct node *node = &graph->nodes[i];
        const char *type = activation_info(node->activation.type)->name;
        sha256_update(hash, strlen(node->name) + 1, (const uint8_t *)node->name);
        sha256_update(hash, strlen(type) + 1, (const uint8_t *)type);
        sha256_update(hash, sizeof node->activation.parameters,
                      (const uint8_t *)node->activation.parameters);
        if (node->activation.slope)
            sha256_update(hash, node->n * sizeof(float), (const uint8_t *)node->activation.slope);
    }
}

static void write_digest(struct model *model, struct sha256_ctx *hash)
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    digest_activations(hash, &model->graph);
    sha256_digest(hash, sizeof digest, digest);
    char *text = model->digest + sprintf(model->digest, "sha256:");
    for (size_t i = 0; i < sizeof digest; i++)
        text += sprintf(text, "%02x", digest[i]);
}

static enum status load_onnx(struct model *model, const char *path, struct sha256_ctx *hash,
                             struct error *error)
{
    struct file file;
    if (file_open(&file, path, MODEL_FILE_BYTES_MAX, error) == STATUS_OK) {
        sha256_update(hash, file.count, file.bytes);
        onnx_import(model, file.bytes, file.count, error);
        file_close(&file);
    }
    return error->status == STATUS_OK ? STATUS_OK : error_prefix(error, "%s", path);
}

/* Reads the description of a network whose weights have been read. */
static enum status load_layers(struct model *model, const char *path,
                               const struct safetensors *tensors, struct sha256_ctx *hash,
                               struct error *error)
{
    struct file file;
    if (file_open(&file, path, LAYERS_TEXT_BYTES_MAX, error) == STATUS_OK) {
        sha256_update(hash, file.count, file.bytes);
        layers_import(model, (const char *)file.bytes, file.count, tensors, error);
        file_close(&file);
    }
    return error->status == STATUS_OK ? STATUS_OK : error_prefix(error, "%s", path);
}

static enum status load_tensors(struct model *model, const struct paths *paths,
                                struct sha256_ctx *hash, struct error *error)
{
    struct file file;
    struct arena arena;
    struct safetensors tensors;
    if (file_open(&file, paths->network, MODEL_MEMORY_BYTES_MAX, error) != STATUS_OK)
        return error_prefix(error, "%s", paths->network);
    arena_init(&arena, MODEL_MEMORY_BYTES_MAX);
    sha256_update(hash, file.count, file.bytes);
    if (safetensors_read(&tensors, &arena, file.bytes, file.count, error) == STATUS_OK)
        load_layers(model, paths->layers, &tensors, hash, error);
    else
        error_prefix(error, "%s", paths->network);
    arena_free(&arena);
    file_close(&file);
    return error->status;
}

static enum status load_network(struct model *model, const struct paths *paths,
                                struct sha256_ctx *hash, struct error *error)
{
    return paths->layers[0] ? load_tensors(model, paths, hash, error)
                            : load_onnx(model, paths->network, hash, error);
}

/* config.json is optional: a missing one is no error. */
static enum status load_config(struct model *model, const char *path, struct sha256_ctx *hash,
                               struct error *error)
{
    struct file file;
    if (!path[0])
        return STATUS_OK;
    enum status status = file_open(&file, path, CONFIG_BYTES_MAX, error);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status == STATUS_OK) {
        sha256_update(hash, file.count, file.bytes);
        status = config_apply(model, (const char *)file.bytes, file.count, error);
        file_close(&file);
    }
    return status == STATUS_OK ? status : error_prefix(error, "%s", path);
}

static enum status load(struct model *model, const char *path, const struct model_options *options,
                        struct error *error)
{
    struct paths paths;
    struct sha256_ctx hash;
    sha256_init(&hash);
    if (find_files(&paths, path, error) != STATUS_OK)
        return error_prefix(error, "%s", path);
    if (load_network(model, &paths, &hash, error) != STATUS_OK ||
        load_config(model, paths.config, &hash, error) != STATUS_OK)
        return error->status;
    if (apply_overrides(model, options, error) != STATUS_OK)
        return error_prefix(error, "%s", path);
    char name[MODEL_NAME_BYTES];
    model_path_name(name, path);
    const char *chosen = options->name ? options->name : name;
    model->name = arena_text(&model->arena, chosen, strlen(chosen));
    if (!model->name)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the model's name");
    write_digest(model, &hash);
    return plan_init(&model->plan, &model->graph, error);
}

enum status model_open(struct model *model, const char *path, const struct model_options *options,
                       struct error *error)
{
    *model = (struct model){.version = "1", .level = options->level};
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

size_t model_weight_bytes(const struct model *model)
{
    size_t bytes = 0;
    for (size_t i = 0; i < model->graph.node_count; i++) {
        const struct node *node = &model->graph.nodes[i];
        if (node->panels)
            bytes +=
                (node->k + 1) * panel_padded(node->n / node->groups) * node->groups * sizeof(float);
    }
    return bytes;
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
