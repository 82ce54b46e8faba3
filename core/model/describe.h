/* describe: a model as JSON. */
#ifndef RELUD_DESCRIBE_H
#define RELUD_DESCRIBE_H

#include "model.h"
#include "text.h"

/* "name":…,"version":…,"digest":…,"inputs":[…],"outputs":[…], without braces. An input with a
 * declared range has "min" and "max", each one number or one per feature, an output with labels
 * "labels". */
void describe_signature(struct text *text, const struct model *model);

/* "inputs":[…],"outputs":[…], without braces: names, datatypes and shapes. */
void describe_ports(struct text *text, const struct model *model);

/* "layers":[…]: every layer of the file with its kind, shapes, window, activation and costs,
 * without braces. Copies that the import added are left out. */
void describe_layers(struct text *text, const struct model *model);

/* The dimensions that a node's window slides along: the last ones of its arrays; 0 when it has
 * none. */
size_t describe_spatial(const struct graph *graph, const struct node *node);

/* What the model takes; bytes are memory, row_bytes those of the plan. */
struct costs {
    size_t parameters, weight_bytes;
    size_t flops, row_bytes, bitmap_row_bytes; /* of one row */
    size_t copies;                             /* that the import added */
};
struct costs describe_costs(const struct model *model);

#endif
