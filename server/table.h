/* table: rows of cells, printed so that their columns line up. */
#ifndef RELUD_TABLE_H
#define RELUD_TABLE_H

#include <stdio.h>

#include "text.h"

enum { TABLE_COLUMNS_MAX = 16 };

struct table {
    const char *sides; /* by column: 'l' or 'r', where its cells stand */
    struct text text;  /* owned: each cell ends with a NUL */
    size_t cells;
};

/* Adds the next cell; as many as there are sides make a row. */
void table_add(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

void table_print(const struct table *table, FILE *to);
void table_free(struct table *table);

#endif
