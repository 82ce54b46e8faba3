/* options: flags, environment and --help of `relud serve`, from one table. */
#ifndef RELUD_OPTIONS_H
#define RELUD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "status.h"

enum { OPTION_LIST_MAX = 256 };

struct option_list {
    const char
        *items[OPTION_LIST_MAX]; /* borrowed from argv, or owned with the environment's copy */
    size_t count;
    char *owned;
};

struct options {
#define OPTION_TEXT(field, name, fallback, meta, help)               const char *field;
#define OPTION_CHOICE(field, name, fallback, choices, help)          const char *field;
#define OPTION_COUNT(field, name, fallback, least, most, meta, help) uint64_t field;
#define OPTION_LIST(field, name, meta, help)                         struct option_list field;
#define OPTION_SWITCH(field, name, help)                             bool field;
#include "options.def"
#undef OPTION_TEXT
#undef OPTION_CHOICE
#undef OPTION_COUNT
#undef OPTION_LIST
#undef OPTION_SWITCH
    struct option_list models; /* [NAME=]PATH, as given */
};

/* Defaults, then the environment, then argv[0..count). INVALID names the option and what it takes.
 * Text is borrowed from argv and the environment. */
enum status options_read(struct options *options, int count, char *const *argv,
                         struct error *error);
void options_free(struct options *options);

/* One line per option. */
void options_help(FILE *to);

#endif
