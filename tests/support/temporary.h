/* temporary: a directory with files, gone at the end of the test. */
#ifndef RELUD_TESTS_TEMPORARY_H
#define RELUD_TESTS_TEMPORARY_H

#include <stddef.h>

struct temporary {
    char path[64];
    char file[320]; /* the file written last */
};

void temporary_open(struct temporary *temporary);

/* Writes a file into the directory; returns its path, which lives until the next call. */
const char *temporary_write(struct temporary *temporary, const char *name, const void *bytes,
                            size_t count);

/* Removes the directory and its files. */
void temporary_close(struct temporary *temporary);

#endif
