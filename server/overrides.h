/* overrides: the activations that --activation MODEL/LAYER=NAME(param=value) gives to a model. */
#ifndef RELUD_OVERRIDES_H
#define RELUD_OVERRIDES_H

#include "sources.h"

struct overrides {
    struct activation_override items[OPTION_LIST_MAX];
    char *texts[OPTION_LIST_MAX]; /* owned: the layers' names */
    size_t count;
};

/* Adds LAYER=NAME(param=value). */
enum status overrides_add(struct overrides *overrides, const char *text, struct error *error);

/* Whether each --activation names one of the models. */
enum status overrides_check(const struct options *options, const struct sources *sources,
                            struct error *error);

/* Those among the options that are meant for the model called name. */
enum status overrides_read(struct overrides *overrides, const struct options *options,
                           const struct sources *sources, const char *name, struct error *error);
void overrides_free(struct overrides *overrides);

#endif
