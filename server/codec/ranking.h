/* ranking: which numbers of a list are the largest. */
#ifndef RELUD_RANKING_H
#define RELUD_RANKING_H

#include <stddef.h>

/* Writes the indices of the k largest of numbers[count] into best, the largest first; k is at most
 * count. Of equal numbers the one that comes first wins; NaN comes after everything else. */
void ranking_best(const float *numbers, size_t count, size_t k, size_t *best);

#endif
