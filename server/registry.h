/* registry: the models being served, by name. */
#ifndef RELUD_REGISTRY_H
#define RELUD_REGISTRY_H

#include "model/model.h"
#include "options.h"

enum { REGISTRY_MODELS_MAX = 1024, REGISTRY_NONE = -1 };

struct registry {
    struct model *models; /* owned, sorted as they were given */
    size_t count;
    size_t default_index;
};

/* Loads every model the options name. On failure nothing stays open. */
enum status registry_open(struct registry *registry, const struct options *options,
                          struct error *error);
void registry_close(struct registry *registry);

/* The index of the model of that name, REGISTRY_NONE when there is none. */
int registry_find(const struct registry *registry, const char *name);

#endif
