/* sources: the models that the options name, and where their files are.
 *
 * PATH is an .onnx file, a model directory, or a directory of versions, NAME/1, NAME/2, …; every
 * subdirectory of --model-dir is one of the latter two. Names from clients never become paths: they
 * are looked for in this list. */
#ifndef RELUD_SOURCES_H
#define RELUD_SOURCES_H

#include "model/model.h"
#include "options.h"

enum { SOURCES_MAX = 1024, SOURCE_PATH_BYTES = 4096, SOURCE_VERSION_BYTES = 20 };

struct source {
    char path[SOURCE_PATH_BYTES];
    char config[SOURCE_PATH_BYTES]; /* of all versions; "" for none */
    char name[MODEL_NAME_BYTES];
    char version[SOURCE_VERSION_BYTES]; /* decimal, without leading zeros */
};

struct sources {
    struct source *items; /* owned: as given, then --model-dir in alphabetical order */
    size_t count, capacity;
};

/* Lists what is there now, or says which option names nothing that can be served. An empty
 * --model-dir is no error. */
enum status sources_find(struct sources *sources, const struct options *options,
                         struct error *error);
void sources_free(struct sources *sources);

#endif
