/* datatype: the number formats of the Open Inference Protocol, read as float32. */
#ifndef RELUD_DATATYPE_H
#define RELUD_DATATYPE_H

#include <stdbool.h>
#include <stddef.h>

enum datatype {
#define INTEGER(name, type, min, max) DATATYPE_##name,
#define FLOATING(name, type)          DATATYPE_##name,
#include "datatype.def"
#undef INTEGER
#undef FLOATING
    DATATYPE_COUNT
};

enum { DATATYPE_BYTES_MAX = 8 };

/* Finds the datatype of that name; false when there is none. */
bool datatype_find(const char *name, enum datatype *type);

const char *datatype_name(enum datatype type);

/* Bytes of one element. */
size_t datatype_bytes(enum datatype type);

/* Reads count little-endian elements, aligned or not, as floats. Every element is rounded to double
 * (exactly, but for 64-bit integers beyond 2^53) and then to float32, so that a number means the
 * same in binary as in JSON; NaN and infinities stay what they are, a BOOL is 0 or 1. Returns how
 * many were read: fewer than count when the next one is finite but beyond float32's range. */
size_t datatype_read(enum datatype type, const char *bytes, size_t count, float *numbers);

/* Whether a tensor of that type may hold the number, which was written in decimal: any in a
 * floating one, whole numbers within its range in the others. */
bool datatype_holds(enum datatype type, float number);

#endif
