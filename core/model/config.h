/* config: a model directory's config.json. */
#ifndef RELUD_CONFIG_H
#define RELUD_CONFIG_H

#include "digest.h"
#include "model.h"

/* Applies the JSON text of a config.json to a model whose graph is imported but not planned:
 * declared ranges, labels, activations, max_batch_rows, statistics level. Unknown keys and names
 * the model does not have are errors, so that a slip of the pen is not silently ignored. */
enum status config_apply(struct model *model, const char *text, size_t length, struct error *error);

/* Adds to digest what of a config.json makes the model another, however it is written: everything
 * but the baseline, which is made of the model's own statistics and says what to compare them with;
 * nothing where nothing else stands. */
enum status config_digest(const char *text, size_t length, struct digest *digest,
                          struct error *error);

#endif
