/* binary: tensors as bare little-endian bytes, one behind the other.
 *
 * The bytes arrive cut anywhere and are turned into floats as they come. Memory grows with what has
 * arrived, never with what was announced. */
#ifndef RELUD_BINARY_H
#define RELUD_BINARY_H

#include <stdint.h>

#include "datatype.h"
#include "status.h"

struct binary_tensor {
    const char *name; /* borrowed; for messages */
    enum datatype type;
    size_t first, count; /* its place among the numbers */
};

struct binary {
    float *numbers; /* owned */
    size_t capacity;
    struct binary_tensor *tensors; /* owned */
    size_t tensor_count;
    uint64_t expected_bytes; /* of all tensors */
    uint64_t bytes;          /* arrived, whether a tensor takes them or not */
    size_t current, done;    /* the tensor being filled, and its elements that are */
    char part[DATATYPE_BYTES_MAX];
    size_t part_bytes; /* of an element cut by the end of a piece */
};

void binary_free(struct binary *binary);

/* Another tensor follows. The elements of all of them, as floats, must be countable in bytes. */
enum status binary_expect(struct binary *binary, const char *name, enum datatype type, size_t count,
                          struct error *error);

/* The next piece. Bytes behind the last tensor are counted only. */
enum status binary_feed(struct binary *binary, const char *bytes, size_t count,
                        struct error *error);

#endif
