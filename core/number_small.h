/* number_small: integers of few digits, as pixels, counts and marks are, many at once. */
#ifndef RELUD_NUMBER_SMALL_H
#define RELUD_NUMBER_SMALL_H

#include <stddef.h>

/* Reads integers of one to three digits from the start of text[length] into values[room], each with
 * a comma behind it and, but for the first, perhaps a space in front. Returns how many, *used
 * receives their characters; values beyond them are undefined. What is something else ends it, and
 * so does room for less than 16 values; without AVX2 nothing is read. */
size_t number_read_small(const char *text, size_t length, float *values, size_t room, size_t *used);

#endif
