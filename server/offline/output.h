/* output: standard output, to its end: a full disk is an error, not half a file. */
#ifndef RELUD_OUTPUT_H
#define RELUD_OUTPUT_H

#include "status.h"
#include "text.h"

/* Prints text and frees it. */
enum status output_print(struct text *text, struct error *error);

/* After what was printed otherwise. */
enum status output_flush(struct error *error);

#endif
