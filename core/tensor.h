/* tensor: a dense array with a type and a shape, as files describe it. Data is borrowed. */
#ifndef RELUD_TENSOR_H
#define RELUD_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TENSOR_RANK_MAX = 8 };

struct stored;

enum dtype { DTYPE_FLOAT32, DTYPE_INT64 };

struct tensor {
    enum dtype dtype;
    size_t rank;
    int64_t dims[TENSOR_RANK_MAX]; /* >= 0; row-major, the last one varies fastest */
    const void *data;              /* tensor_count() elements of dtype; NULL when they are … */
    const struct stored *stored;   /* … still where a file has them (model/onnx_tensor.c) */
};

/* Bytes of one element. */
size_t dtype_bytes(enum dtype dtype);

/* The product of rank dims into *count; false when a dim is negative or the product in elements, or
 * in bytes at 8 bytes each, exceeds SIZE_MAX. */
bool dims_count(const int64_t *dims, size_t rank, size_t *count);

/* Elements of a tensor whose dims have been checked. */
size_t tensor_count(const struct tensor *tensor);

/* Writes "[2, 3]" into text; for messages. Returns text. */
enum { DIMS_TEXT_BYTES = TENSOR_RANK_MAX * 22 + 3 };
char *dims_text(char text[DIMS_TEXT_BYTES], const int64_t *dims, size_t rank);

#endif
