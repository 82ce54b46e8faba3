/* pair: a model with two inputs and two outputs: a [N, 3] -> left [N, 2], b [N, 5] -> right [N, 4].
 */
#ifndef RELUD_TEST_PAIR_H
#define RELUD_TEST_PAIR_H

#include "tensors.h"

/* Serves "pair", then the digits; the caller closes the descriptor that is returned. */
int pair_start(struct daemon *daemon);

/* Two rows, the inputs in another order than the model's: b behind the JSON, then a in it; tail
 * goes behind the inputs. */
void pair_post(const struct daemon *daemon, const char *tail, struct reply *reply);

/* The same rows as a body of /infer. */
extern const char pair_native[];

#endif
