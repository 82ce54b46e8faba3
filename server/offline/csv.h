/* csv: lines of numbers, separated by commas, semicolons or tabs, with blanks around them or none.
 */
#ifndef RELUD_CSV_H
#define RELUD_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

/* Of a line, its end ("\n" or "\r\n") included: whether nothing stands in it; whether its first
 * field is no number, so that it names columns. */
bool csv_is_blank(const char *line, size_t length);
bool csv_is_header(const char *line, size_t length);

/* Reads exactly count numbers into x, each rounded to double, then to float32; what is not finite
 * there is refused. */
enum status csv_read(const char *line, size_t length, size_t count, float *x, struct error *error);

#endif
