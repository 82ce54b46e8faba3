#include "table.h"

#include <stdarg.h>
#include <string.h>

enum { CELL_BYTES = 320 };

/* Names come from files: what terminals obey is not printed. */
static void disarm(char *cell)
{
    for (; *cell; cell++)
        if ((unsigned char)*cell < ' ' || *cell == '\x7F')
            *cell = '?';
}

void table_add(struct table *table, const char *format, ...)
{
    char cell[CELL_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(cell, sizeof cell, format, args);
    va_end(args);
    disarm(cell);
    text_add(&table->text, cell, strlen(cell) + 1);
    table->cells++;
}

void table_print(const struct table *table, FILE *to)
{
    const size_t columns = strlen(table->sides);
    int widths[TABLE_COLUMNS_MAX] = {0};
    const char *cell = table->text.bytes;
    if (table->text.failed || !cell)
        return;
    for (size_t i = 0; i < table->cells; i++, cell += strlen(cell) + 1)
        if ((int)strlen(cell) > widths[i % columns])
            widths[i % columns] = (int)strlen(cell);
    cell = table->text.bytes;
    for (size_t i = 0; i < table->cells; i++, cell += strlen(cell) + 1) {
        const size_t column = i % columns;
        const bool last = column + 1 == columns;
        const int width = table->sides[column] == 'r' ? widths[column] : last ? 0 : -widths[column];
        fprintf(to, "%s%*s%s", column ? "  " : "", width, cell, last ? "\n" : "");
    }
}

void table_free(struct table *table)
{
    text_free(&table->text);
}
