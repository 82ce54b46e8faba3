/* save: a file that is replaced whole or not at all. */
#ifndef RELUD_SAVE_H
#define RELUD_SAVE_H

#include <stddef.h>

#include "status.h"

/* Makes bytes the content of the file at path. Whoever reads it, and whenever the machine stops,
 * finds either the old content or the new: the bytes go to "PATH.tmp" first, reach the disk, then
 * take the name. What is there but no regular file (a pipe, /dev/stdout) is written to instead. */
enum status save_file(const char *path, const void *bytes, size_t count, struct error *error);

#endif
