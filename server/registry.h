/* registry: the models being served, by name. */
#ifndef RELUD_REGISTRY_H
#define RELUD_REGISTRY_H

#include "generation.h"
#include "options.h"

enum { REGISTRY_MODELS_MAX = 1024 };

struct registry {
    struct generation **generations; /* owned, in the order they were given */
    size_t count;
    size_t default_index;
};

/* Loads every model the options name, with seats for so many loops. On failure nothing stays open.
 */
enum status registry_open(struct registry *registry, const struct options *options,
                          const struct kernels *kernels, size_t loops, struct error *error);
void registry_close(struct registry *registry);

/* The model of that name (NULL: the default one) and version (NULL: the latest); NULL when there is
 * none. */
struct generation *registry_find(const struct registry *registry, const char *name,
                                 const char *version);

#endif
