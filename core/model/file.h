/* file: a whole file in memory, read-only. */
#ifndef RELUD_FILE_H
#define RELUD_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

struct file {
    const uint8_t *bytes; /* owned: a mapping */
    size_t count;
};

/* Maps the regular file at path. NOT_FOUND when there is none, TOO_LARGE beyond limit. */
enum status file_open(struct file *file, const char *path, size_t limit_bytes, struct error *error);
void file_close(struct file *file);

#endif
