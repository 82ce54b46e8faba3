/* inputs: a data set for every input of a model, as --data names them. */
#ifndef RELUD_INPUTS_H
#define RELUD_INPUTS_H

#include "offline/arguments.h"
#include "offline/dataset.h"

struct inputs {
    struct dataset sets[GRAPH_IO_MAX]; /* by input; owned */
    size_t count;
};

/* Opens them: "INPUT=F", or "F" where there is but one input. Close them whatever the status. */
enum status inputs_open(struct inputs *inputs, const struct model *model,
                        const struct argument_list *data, struct error *error);
void inputs_close(struct inputs *inputs);

#endif
