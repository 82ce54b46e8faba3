/* weights_file: safetensors files made in a test. */
#ifndef RELUD_TESTS_WEIGHTS_FILE_H
#define RELUD_TESTS_WEIGHTS_FILE_H

#include <stdint.h>

#include "text.h"

struct weights_file {
    struct text header, data; /* owned */
};

void weights_open(struct weights_file *file);
void weights_close(struct weights_file *file);

/* Adds a tensor whose data are bytes[count]. */
void weights_add(struct weights_file *file, const char *name, const char *type, size_t rank,
                 const int64_t *dims, const void *bytes, size_t count);

/* Adds an F32 tensor. */
void weights_floats(struct weights_file *file, const char *name, size_t rank, const int64_t *dims,
                    const float *values);

/* Adds the F32 initializers of an ONNX file. */
void weights_of_onnx(struct weights_file *file, const char *path);

/* The file, which the caller frees. */
uint8_t *weights_pack(const struct weights_file *file, size_t *count);

/* Puts a header in front of data: a file that need not be sound. The caller frees it. */
uint8_t *weights_join(const char *header, const void *data, size_t data_bytes, size_t *count);

#endif
