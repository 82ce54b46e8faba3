/* arguments: the command line of an offline command: flags from a table, and paths. */
#ifndef RELUD_ARGUMENTS_H
#define RELUD_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

enum { ARGUMENTS_MAX = 256 };

struct argument_list {
    const char *items[ARGUMENTS_MAX]; /* borrowed from argv */
    size_t count;
};

enum flag_kind { FLAG_SWITCH, FLAG_TEXT, FLAG_LIST, FLAG_COUNT, FLAG_NUMBER };

/* "--name" or "--name VALUE" or "--name=VALUE". A list may be given again. */
struct flag {
    const char *name;
    enum flag_kind kind;
    void *to;           /* bool, const char *, struct argument_list, uint64_t, double */
    double least, most; /* of a count or a number */
};

/* Reads argv[0..count): INVALID names the flag and what it takes. Paths are what is no flag; "-" is
 * one. Text is borrowed from argv. */
enum status arguments_read(int count, char *const *argv, const struct flag *flags,
                           size_t flag_count, struct argument_list *paths, struct error *error);

#endif
