/* isas: the same check for every instruction set this machine can run. */
#ifndef RELUD_TESTS_ISAS_H
#define RELUD_TESTS_ISAS_H

#include "kernels/kernels.h"

void for_each_isa(void (*check)(const struct kernels *kernels));

/* The best instruction set beside every other whose bits must be the same: those that fuse the
 * multiply and the add. Skips the test where there is no other. */
void for_each_other_isa(void (*check)(const struct kernels *best, const struct kernels *other));

#endif
