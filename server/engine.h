/* engine: what the rows of all models are computed with. */
#ifndef RELUD_ENGINE_H
#define RELUD_ENGINE_H

#include "crew.h"
#include "kernels/kernels.h"

struct engine {
    const struct kernels *kernels; /* borrowed */
    struct crew *crew;             /* helpers that large runs borrow; NULL for none */
};

#endif
