/* fields: the values of a JSON object, checked, each refused with a sentence that names its key. */
#ifndef RELUD_FIELDS_H
#define RELUD_FIELDS_H

#include <jansson.h>
#include <stdint.h>

#include "activation.h"
#include "status.h"

/* INVALID unless json is an object and keys, words separated by spaces, lists all of its keys. */
enum status fields_check(const json_t *json, const char *keys, struct error *error);

/* Each reads the value of key, or what it is when object has no such key or null there. */

/* A text that is not empty, borrowed from object; NULL when there is none. */
enum status fields_text(const json_t *object, const char *key, const char **text,
                        struct error *error);
enum status fields_flag(const json_t *object, const char *key, bool fallback, bool *flag,
                        struct error *error);
enum status fields_number(const json_t *object, const char *key, double fallback, double *number,
                          struct error *error);
/* At least least, at most INT32_MAX. */
enum status fields_int(const json_t *object, const char *key, int64_t fallback, int64_t least,
                       int64_t *number, struct error *error);
/* Two such numbers, or one that is meant twice. */
enum status fields_pair(const json_t *object, const char *key, const int64_t fallback[2],
                        int64_t least, int64_t pair[2], struct error *error);

/* An activation: its name, or an object with its type and its parameters. The type is "" when there
 * is none. */
const char *fields_activation_type(const json_t *json);
enum status fields_activation(const json_t *json, struct activation *activation,
                              struct error *error);

#endif
