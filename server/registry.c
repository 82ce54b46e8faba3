#include "registry.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

enum { PATH_BYTES_MAX = 4096 };

/* A model to load. */
struct source {
    char path[PATH_BYTES_MAX];
    char name[MODEL_NAME_BYTES];
};

struct sources {
    struct source *items; /* owned */
    size_t count;
};

/* name may be NULL: that of the path. */
static enum status add_source(struct sources *sources, const char *path, const char *name,
                              size_t name_length, struct error *error)
{
    if (sources->count == REGISTRY_MODELS_MAX)
        return error_set(error, STATUS_TOO_LARGE, "expected at most %d models",
                         REGISTRY_MODELS_MAX);
    struct source *items = realloc(sources->items, (sources->count + 1) * sizeof *items);
    if (!items)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the list of models");
    sources->items = items;
    struct source *source = &items[sources->count++];
    snprintf(source->path, sizeof source->path, "%s", path);
    if (name)
        snprintf(source->name, sizeof source->name, "%.*s", (int)name_length, name);
    else
        model_path_name(source->name, path);
    return STATUS_OK;
}

/* [NAME=]PATH; a NAME has no slash, so that a path may contain "=". */
static enum status add_argument(struct sources *sources, const char *argument, struct error *error)
{
    size_t length = strcspn(argument, "=/");
    if (argument[length] != '=')
        return add_source(sources, argument, NULL, 0, error);
    return add_source(sources, argument + length + 1, argument, length, error);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Every subdirectory that holds a model, in alphabetical order. */
static enum status add_directory(struct sources *sources, const char *directory,
                                 struct error *error)
{
    struct dirent **entries;
    int count = scandir(directory, &entries, is_visible, alphasort);
    if (count < 0)
        return error_set(error, STATUS_NOT_FOUND, "--model-dir %s: %s", directory, strerror(errno));
    enum status status = STATUS_OK;
    for (int i = 0; i < count; i++) {
        char path[PATH_BYTES_MAX];
        snprintf(path, sizeof path, "%s/%s", directory, entries[i]->d_name);
        if (status == STATUS_OK && model_in_directory(path))
            status = add_source(sources, path, NULL, 0, error);
        free(entries[i]);
    }
    free(entries);
    return status;
}

static enum status find_sources(struct sources *sources, const struct options *options,
                                struct error *error)
{
    for (size_t i = 0; i < options->models.count; i++)
        if (add_argument(sources, options->models.items[i], error) != STATUS_OK)
            return error->status;
    if (options->model_dir && add_directory(sources, options->model_dir, error) != STATUS_OK)
        return error->status;
    if (sources->count == 0)
        return error_set(error, STATUS_INVALID, "expected a model: a PATH or --model-dir");
    if (options->model_name && sources->count > 1)
        return error_set(error, STATUS_INVALID, "--model-name names one model, found %zu",
                         sources->count);
    if (options->model_name)
        snprintf(sources->items[0].name, sizeof sources->items[0].name, "%s", options->model_name);
    return STATUS_OK;
}

/* --activation */

/* MODEL/LAYER=ACTIVATION: MODEL is the longest name of a model that fits, so that both may hold
 * slashes. */
static bool splits_at(const char *item, const char *name, const char **layer)
{
    size_t length = strlen(name);
    if (strncmp(item, name, length) != 0 || item[length] != '/')
        return false;
    *layer = item + length + 1;
    return true;
}

static enum status read_override(struct activation_override *override, char *layer,
                                 struct error *error)
{
    char *equals = strrchr(layer, '(');
    if (!equals)
        equals = layer + strlen(layer);
    while (equals > layer && *equals != '=')
        equals--;
    if (equals == layer)
        return error_set(error, STATUS_INVALID,
                         "--activation: expected MODEL/LAYER=NAME, found \"%s\"", layer);
    *equals = '\0';
    override->layer = layer;
    if (activation_parse(&override->activation, equals + 1, error) != STATUS_OK)
        return error_prefix(error, "--activation");
    return STATUS_OK;
}

/* The source that an --activation is meant for, and the layer after it. */
static const struct source *override_target(const struct sources *sources, const char *item,
                                            const char **layer)
{
    const struct source *best = NULL;
    size_t best_length = 0;
    for (size_t i = 0; i < sources->count; i++) {
        const char *rest;
        size_t length = strlen(sources->items[i].name);
        if (splits_at(item, sources->items[i].name, &rest) && (!best || length > best_length)) {
            best = &sources->items[i];
            best_length = length;
            *layer = rest;
        }
    }
    return best;
}

struct overrides {
    struct activation_override items[OPTION_LIST_MAX];
    char *texts[OPTION_LIST_MAX]; /* owned: the layers' names */
    size_t count;
};

static void free_overrides(struct overrides *overrides)
{
    for (size_t i = 0; i < overrides->count; i++)
        free(overrides->texts[i]);
    overrides->count = 0;
}

/* The overrides among the options that are meant for source. */
static enum status collect_overrides(struct overrides *overrides, const struct sources *sources,
                                     const struct source *source, const struct options *options,
                                     struct error *error)
{
    overrides->count = 0;
    for (size_t i = 0; i < options->activation.count; i++) {
        const char *item = options->activation.items[i], *layer = NULL;
        const struct source *target = override_target(sources, item, &layer);
        if (!target)
            return error_set(error, STATUS_NOT_FOUND, "--activation %s: no such model", item);
        if (target != source)
            continue;
        char *copy = strdup(layer);
        if (!copy)
            return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for --activation");
        overrides->texts[overrides->count] = copy;
        if (read_override(&overrides->items[overrides->count++], copy, error) != STATUS_OK)
            return error->status;
    }
    return STATUS_OK;
}

/* What all models are opened with. */
struct opening {
    const struct sources *sources;
    const struct options *options;
    const struct kernels *kernels;
    size_t loops;
};

static enum status open_model(struct registry *registry, const struct opening *opening,
                              const struct source *source, struct error *error)
{
    struct overrides overrides = {.count = 0};
    struct generation *made;
    struct model_options how = {.name = source->name, .overrides = overrides.items};
    stats_level_named(&how.level, opening->options->stats);
    enum status status =
        collect_overrides(&overrides, opening->sources, source, opening->options, error);
    how.override_count = overrides.count;
    if (status == STATUS_OK)
        status =
            generation_open(&made, source->path, &how, opening->kernels, opening->loops, error);
    free_overrides(&overrides);
    if (status != STATUS_OK)
        return status;
    const struct model *model = &made->model;
    bool taken = registry_find(registry, model->name, NULL) != NULL;
    registry->generations[registry->count++] = made;
    if (taken)
        return error_set(error, STATUS_INVALID, "two models are called \"%s\"", model->name);
    log_event(LOG_INFO, "model loaded", "name", model->name, "path", source->path, "digest",
              model->digest);
    return STATUS_OK;
}

static enum status find_default(struct registry *registry, const char *name, struct error *error)
{
    while (registry->default_index < registry->count) {
        if (strcmp(registry->generations[registry->default_index]->model.name, name) == 0)
            return STATUS_OK;
        registry->default_index++;
    }
    return error_set(error, STATUS_NOT_FOUND, "--default-model %s: no such model", name);
}

static enum status open_models(struct registry *registry, const struct opening *opening,
                               struct error *error)
{
    const struct sources *sources = opening->sources;
    registry->generations = calloc(sources->count, sizeof(struct generation *));
    if (!registry->generations)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the models");
    for (size_t i = 0; i < sources->count; i++)
        if (open_model(registry, opening, &sources->items[i], error) != STATUS_OK)
            return error->status;
    const char *name = opening->options->default_model;
    return name ? find_default(registry, name, error) : STATUS_OK;
}

enum status registry_open(struct registry *registry, const struct options *options,
                          const struct kernels *kernels, size_t loops, struct error *error)
{
    struct sources sources = {.items = NULL};
    struct opening opening = {&sources, options, kernels, loops};
    *registry = (struct registry){.generations = NULL};
    enum status status = find_sources(&sources, options, error);
    if (status == STATUS_OK)
        status = open_models(registry, &opening, error);
    free(sources.items);
    if (status != STATUS_OK)
        registry_close(registry);
    return status;
}

void registry_close(struct registry *registry)
{
    for (size_t i = 0; i < registry->count; i++)
        generation_release(registry->generations[i]);
    free(registry->generations);
    *registry = (struct registry){.generations = NULL};
}

struct generation *registry_find(const struct registry *registry, const char *name,
                                 const char *version)
{
    for (size_t i = 0; i < registry->count; i++) {
        const struct model *model = &registry->generations[i]->model;
        bool named = name ? strcmp(model->name, name) == 0 : i == registry->default_index;
        if (named && (!version || strcmp(model->version, version) == 0))
            return registry->generations[i];
    }
    return NULL;
}
