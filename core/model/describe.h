/* describe: a model as JSON. */
#ifndef RELUD_DESCRIBE_H
#define RELUD_DESCRIBE_H

#include "model.h"
#include "text.h"

/* "name":…,"version":…,"digest":…,"inputs":[…],"outputs":[…], without braces. */
void describe_signature(struct text *text, const struct model *model);

/* "inputs":[…],"outputs":[…], without braces. */
void describe_ports(struct text *text, const struct model *model);

/* "layers":[…]: every node with its kind, shape, activation and cost, without braces. */
void describe_layers(struct text *text, const struct model *model);

#endif
