/* Columns line up. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "table.h"

Test(table, columns_line_up)
{
    struct table table = {.sides = "lrl"};
    char *printed = NULL;
    size_t length;
    table_add(&table, "name");
    table_add(&table, "n");
    table_add(&table, "kind");
    table_add(&table, "a\nb");
    table_add(&table, "%d", 1234);
    table_add(&table, "x");
    FILE *to = open_memstream(&printed, &length);
    table_print(&table, to);
    fclose(to);
    cr_assert_str_eq(printed, "name     n  kind\na?b   1234  x\n");
    free(printed);
    table_free(&table);
}
