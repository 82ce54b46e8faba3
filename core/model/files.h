/* files: the file of a model, and those that it names beside it.
 *
 * A model file may say that numbers of its lie in other files (ONNX's external data). Whoever wrote
 * it must not reach any file but those under its own directory, so a name is taken part by part
 * from there, and neither "..", nor an absolute path, nor a symbolic link is followed. */
#ifndef RELUD_FILES_H
#define RELUD_FILES_H

#include "file.h"

enum { FILES_MAX = 256 };

struct files {
    int directory;                    /* owned; -1 for a model in memory */
    struct file list[FILES_MAX];      /* owned; the first is the model's own, named "" */
    const char *locations[FILES_MAX]; /* the names of the others, borrowed */
    size_t count;
};

/* Opens the file at path, whose directory is that of all others. */
enum status files_open(struct files *files, const char *path, size_t limit_bytes,
                       struct error *error);
void files_close(struct files *files);

/* The same of a model in memory, which has no others. */
void files_of_bytes(struct files *files, const uint8_t *bytes, size_t count);

/* Opens the file at location, unless it is open. */
enum status files_add(struct files *files, const char *location, size_t limit_bytes,
                      struct error *error);

/* INVALID unless location is one that is beneath a directory, whatever lies there. */
enum status files_check(const char *location, struct error *error);

/* All bytes of the regular file at location beneath directory, in arena. */
enum status files_load_beneath(struct arena *arena, const char *directory, const char *location,
                               size_t limit_bytes, struct file *loaded, struct error *error);

/* The file at a location, NULL when it is not open. */
const struct file *files_find(const struct files *files, const char *location);

#endif
