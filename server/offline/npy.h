/* npy: the header of NumPy's .npy files, format 1.0, 2.0 and 3.0 (NEP 1). */
#ifndef RELUD_NPY_H
#define RELUD_NPY_H

#include <stdint.h>

#include "codec/datatype.h"
#include "status.h"
#include "tensor.h"

enum {
    NPY_MAGIC_BYTES = 6,
    NPY_PREFIX_BYTES = 12, /* the longest: magic, version, length of the header */
    NPY_HEADER_BYTES_MAX = 1 << 16
};

#define NPY_MAGIC "\x93NUMPY"

struct npy {
    enum datatype type;
    size_t rank;
    size_t dims[TENSOR_RANK_MAX];
};

/* How long prefix and header are together, of which prefix[NPY_PREFIX_BYTES] are the first bytes:
 * so much of the file comes before the numbers. */
enum status npy_length(const uint8_t *prefix, size_t *length, struct error *error);

/* Reads the header of a file that begins with bytes[length], length as above. Its numbers follow in
 * C order, little-endian; another order or byte order is UNSUPPORTED, as are types that hold no
 * real numbers. */
enum status npy_read(struct npy *npy, const uint8_t *bytes, size_t length, struct error *error);

#endif
