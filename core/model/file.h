/* file: a file that is read piece by piece, at any place.
 *
 * Files are read, not mapped: one that is cut short while it is read is an error with a sentence, a
 * mapping of it would be a signal. Bytes in memory can stand for a file. */
#ifndef RELUD_FILE_H
#define RELUD_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "status.h"

struct file {
    int descriptor;       /* owned; -1 when the bytes lie in memory, or nothing is open */
    const uint8_t *bytes; /* those bytes; NULL for a real file */
    size_t count;         /* bytes in all */
};

/* Opens the regular file at path. NOT_FOUND when there is none, TOO_LARGE beyond limit. */
enum status file_open(struct file *file, const char *path, size_t limit_bytes, struct error *error);

/* The same of a descriptor, which file owns from now on, also when it is refused. */
enum status file_adopt(struct file *file, int descriptor, size_t limit_bytes, struct error *error);
void file_close(struct file *file);

/* Bytes that stay the caller's, as a file. */
struct file file_of_bytes(const uint8_t *bytes, size_t count);

/* Copies bytes [offset, offset + count), which must lie inside the file, to a place of its own. Any
 * number of threads may read one file. */
enum status file_read(const struct file *file, size_t offset, size_t count, void *to,
                      struct error *error);

/* All bytes of an open file, in arena; and of the regular file at path. */
enum status file_load_from(struct arena *arena, const struct file *file, struct file *loaded,
                           struct error *error);
enum status file_load(struct arena *arena, const char *path, size_t limit_bytes,
                      struct file *loaded, struct error *error);

#endif
