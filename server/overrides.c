#include "overrides.h"

#include <stdlib.h>
#include <string.h>

/* The model an --activation is meant for is the longest name that fits, as both names may contain
 * anything: its length, 0 for none. */
static size_t target_length(const char *item, const struct sources *sources)
{
    size_t best = 0;
    for (size_t i = 0; i < sources->count; i++) {
        const char *name = sources->items[i].name;
        size_t length = strlen(name);
        if (length > best && strncmp(item, name, length) == 0 && item[length] == '/')
            best = length;
    }
    return best;
}

enum status overrides_check(const struct options *options, const struct sources *sources,
                            struct error *error)
{
    for (size_t i = 0; i < options->activation.count; i++)
        if (target_length(options->activation.items[i], sources) == 0)
            return error_set(error, STATUS_NOT_FOUND, "--activation %s: no such model",
                             options->activation.items[i]);
    return STATUS_OK;
}

/* LAYER=ACTIVATION; layer is cut at the "=". */
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

enum status overrides_add(struct overrides *overrides, const char *text, struct error *error)
{
    char *copy = strdup(text);
    if (!copy)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for --activation");
    overrides->texts[overrides->count] = copy;
    return read_override(&overrides->items[overrides->count++], copy, error);
}

enum status overrides_read(struct overrides *overrides, const struct options *options,
                           const struct sources *sources, const char *name, struct error *error)
{
    overrides->count = 0;
    for (size_t i = 0; i < options->activation.count; i++) {
        const char *item = options->activation.items[i];
        size_t length = target_length(item, sources);
        if (length != strlen(name) || strncmp(item, name, length) != 0)
            continue;
        if (overrides_add(overrides, item + length + 1, error) != STATUS_OK) {
            overrides_free(overrides);
            return error->status;
        }
    }
    return STATUS_OK;
}

void overrides_free(struct overrides *overrides)
{
    for (size_t i = 0; i < overrides->count; i++)
        free(overrides->texts[i]);
    overrides->count = 0;
}
