/* bias: what if a layer's biases were higher or lower? */
#ifndef RELUD_BIAS_H
#define RELUD_BIAS_H

#include "model.h"

/* Changes the biases of a model whose graph is imported: "fc1+=0.1" or "fc1-=0.1" those of all
 * units of layer fc1, "fc1[3,17]+=0.1" those of two, "*+=0.1" those of all layers whose units are
 * counted. A bias is what a unit's chain begins with, so that its pre-activation changes by as
 * much; where normalisation was folded into the layer, it is the one after that. NOT_FOUND when
 * there is no such layer, INVALID for what cannot be done. */
enum status bias_change(struct model *model, const char *text, struct error *error);

#endif
