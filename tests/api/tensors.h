/* tensors: requests and replies of the Open Inference Protocol (v2). */
#ifndef RELUD_TEST_TENSORS_H
#define RELUD_TEST_TENSORS_H

#include "scene.h"

#define DIGITS_V2 "/v2/models/digits/infer"

/* A request's body: JSON, and binary data behind it. */
struct tensors {
    char *bytes; /* owned */
    size_t json_count, count;
    bool binary; /* the header says where the JSON ends */
};

/* json as printf writes it; binary_count bytes follow, and the header when binary is not NULL. */
void tensors_write(struct tensors *body, const void *binary, size_t binary_count,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));
void tensors_free(struct tensors *body);

/* rows of the digits from first on, as JSON or binary, with tail (",\"id\":…") at the end. */
void tensors_digits(struct tensors *body, size_t first, size_t rows, bool binary, const char *tail);

void tensors_post(const struct daemon *daemon, const char *path, const struct tensors *body,
                  struct reply *reply);

/* The JSON of a reply that must be 200: all of it, or what the header announces. The caller
 * releases it. */
json_t *tensors_json(const struct reply *reply);

/* The numbers of the reply's output called name, however they came; returns how many. */
size_t tensors_output(const struct reply *reply, const char *name, float *y, size_t room);

#endif
