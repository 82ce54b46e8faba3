#include "sources.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A name stands in paths of the API, as one segment. */
static enum status check_name(const char *name, size_t length, struct error *error)
{
    if (length > 0 && length < MODEL_NAME_BYTES && !memchr(name, '/', length) &&
        strncmp(name, ".", length) != 0 && strncmp(name, "..", length) != 0)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "expected a model's name of 1 to %d bytes without \"/\", found \"%.*s\"",
                     MODEL_NAME_BYTES - 1, (int)length, name);
}

static enum status grow(struct sources *sources, struct error *error)
{
    if (sources->count == SOURCES_MAX)
        return error_set(error, STATUS_TOO_LARGE, "expected at most %d models and versions",
                         SOURCES_MAX);
    if (sources->count < sources->capacity)
        return STATUS_OK;
    size_t capacity = sources->capacity ? 2 * sources->capacity : 4;
    struct source *items = realloc(sources->items, capacity * sizeof *items);
    if (!items)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the list of models");
    sources->items = items;
    sources->capacity = capacity;
    return STATUS_OK;
}

/* A source for one version of the model called name; config NULL for none. */
static enum status add_source(struct sources *sources, const char *path, const char *config,
                              const char *name, const char *version, struct error *error)
{
    for (size_t i = 0; i < sources->count; i++) {
        const struct source *other = &sources->items[i];
        if (strcmp(other->name, name) == 0 && strcmp(other->version, version) == 0)
            return error_set(error, STATUS_INVALID, "two models are called \"%s\"", name);
    }
    if (grow(sources, error) != STATUS_OK)
        return error->status;
    struct source *source = &sources->items[sources->count++];
    snprintf(source->path, sizeof source->path, "%s", path);
    snprintf(source->config, sizeof source->config, "%s", config ? config : "");
    snprintf(source->name, sizeof source->name, "%s", name);
    snprintf(source->version, sizeof source->version, "%s", version);
    return STATUS_OK;
}

/* A decimal number from 1 on that fits 64 bits. */
static int is_version(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length < SOURCE_VERSION_BYTES - 1 && entry->d_name[0] != '0' &&
           strspn(entry->d_name, "0123456789") == length;
}

static int by_number(const struct dirent **a, const struct dirent **b)
{
    size_t a_length = strlen((*a)->d_name), b_length = strlen((*b)->d_name);
    if (a_length != b_length)
        return a_length < b_length ? -1 : 1;
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void free_entries(struct dirent **entries, int count)
{
    for (int i = 0; i < count; i++)
        free(entries[i]);
    if (count >= 0)
        free(entries);
}

/* The versions in the directory at path; how many there are, as far as they hold a model. */
static enum status add_versions(struct sources *sources, const char *path, const char *name,
                                size_t *found, struct error *error)
{
    char config[SOURCE_PATH_BYTES], version[SOURCE_PATH_BYTES];
    struct dirent **entries;
    int count = scandir(path, &entries, is_version, by_number);
    enum status status = STATUS_OK;
    *found = 0;
    snprintf(config, sizeof config, "%s/config.json", path);
    for (int i = 0; i < count && status == STATUS_OK; i++) {
        snprintf(version, sizeof version, "%s/%s", path, entries[i]->d_name);
        if (!model_in_directory(version))
            continue;
        status = add_source(sources, version, config, name, entries[i]->d_name, error);
        ++*found;
    }
    free_entries(entries, count);
    return status;
}

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* The model at path, or its versions; where nothing is, loading will say what is missing. */
static enum status add_model(struct sources *sources, const char *path, const char *name,
                             struct error *error)
{
    size_t versions = 0;
    if (check_name(name, strlen(name), error) != STATUS_OK)
        return error->status;
    if (is_directory(path) && !model_in_directory(path) &&
        add_versions(sources, path, name, &versions, error) != STATUS_OK)
        return error->status;
    return versions > 0 ? STATUS_OK : add_source(sources, path, NULL, name, "1", error);
}

/* The last part of path, also of one like "." that only the system can name. */
static void name_path(char name[MODEL_NAME_BYTES], const char *path)
{
    struct error ignored;
    char whole[PATH_MAX];
    model_path_name(name, path);
    if (check_name(name, strlen(name), &ignored) != STATUS_OK && realpath(path, whole))
        model_path_name(name, whole);
}

/* [NAME=]PATH; a NAME has no slash, so that a path may contain "=". */
static enum status add_argument(struct sources *sources, const char *argument, const char *given,
                                struct error *error)
{
    char name[MODEL_NAME_BYTES];
    size_t length = strcspn(argument, "=/");
    bool named = argument[length] == '=';
    const char *path = named ? argument + length + 1 : argument;
    if (named && check_name(argument, length, error) != STATUS_OK)
        return error->status;
    if (named)
        snprintf(name, sizeof name, "%.*s", (int)length, argument);
    else
        name_path(name, path);
    return add_model(sources, path, given ? given : name, error);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* The subdirectories that hold a model or versions of one; others are nobody's mistake. */
static enum status add_directory(struct sources *sources, const char *directory,
                                 struct error *error)
{
    struct dirent **entries;
    int count = scandir(directory, &entries, is_visible, alphasort);
    enum status status = STATUS_OK;
    if (count < 0)
        return error_set(error, STATUS_IO, "--model-dir %s: %s", directory, strerror(errno));
    for (int i = 0; i < count && status == STATUS_OK; i++) {
        char path[SOURCE_PATH_BYTES];
        size_t versions;
        const char *name = entries[i]->d_name;
        snprintf(path, sizeof path, "%s/%s", directory, name);
        if (!is_directory(path))
            continue;
        status = model_in_directory(path) ? add_source(sources, path, NULL, name, "1", error)
                                          : add_versions(sources, path, name, &versions, error);
    }
    free_entries(entries, count);
    return status;
}

static enum status find(struct sources *sources, const struct options *options, struct error *error)
{
    size_t given = options->models.count;
    if (given == 0 && !options->model_dir)
        return error_set(error, STATUS_INVALID, "expected a model: a PATH or --model-dir");
    if (options->model_name && (given != 1 || options->model_dir))
        return error_set(error, STATUS_INVALID,
                         "--model-name names one model given by PATH, found %s",
                         options->model_dir ? "--model-dir" : "several");
    for (size_t i = 0; i < given; i++)
        if (add_argument(sources, options->models.items[i], options->model_name, error) !=
            STATUS_OK)
            return error->status;
    return options->model_dir ? add_directory(sources, options->model_dir, error) : STATUS_OK;
}

enum status sources_find(struct sources *sources, const struct options *options,
                         struct error *error)
{
    *sources = (struct sources){.items = NULL};
    enum status status = find(sources, options, error);
    if (status != STATUS_OK)
        sources_free(sources);
    return status;
}

void sources_free(struct sources *sources)
{
    free(sources->items);
    *sources = (struct sources){.items = NULL};
}
