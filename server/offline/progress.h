/* progress: a bar on standard error while a pass runs, where that is a terminal. */
#ifndef RELUD_PROGRESS_H
#define RELUD_PROGRESS_H

#include "offline/pass.h"

struct progress {
    uint64_t begun_ns, shown_ns;
};

/* As struct pass wants it; context is a struct progress. */
void progress_show(void *context, const struct pass *pass);

/* Puts what it took in place of the bar. */
void progress_end(const struct progress *progress, const struct pass *pass);

#endif
