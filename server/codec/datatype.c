#include "datatype.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Elements as doubles */

#define INTEGER(name, type, min, max)           \
    static double load_##name(const char *from) \
    {                                           \
        type value;                             \
        memcpy(&value, from, sizeof value);     \
        return (double)value;                   \
    }
#define FLOATING(name, type)
#include "datatype.def"
#undef INTEGER
#undef FLOATING

/* 1 sign, 5 exponent, 10 mantissa bits; the exponent's largest value means infinity or NaN. */
static double load_FP16(const char *from)
{
    enum { MANTISSA_BITS = 10, EXPONENT_MAX = 31, BIAS = 15 };
    uint16_t bits;
    memcpy(&bits, from, sizeof bits);
    int exponent = bits >> MANTISSA_BITS & EXPONENT_MAX;
    int mantissa = bits & ((1 << MANTISSA_BITS) - 1);
    double value;
    if (exponent == EXPONENT_MAX)
        value = mantissa ? NAN : INFINITY;
    else if (exponent == 0)
        value = ldexp(mantissa, 1 - BIAS - MANTISSA_BITS);
    else
        value = ldexp(mantissa + (1 << MANTISSA_BITS), exponent - BIAS - MANTISSA_BITS);
    return bits >> 15 ? -value : value;
}

/* The upper half of a float32. */
static double load_BF16(const char *from)
{
    uint16_t bits;
    memcpy(&bits, from, sizeof bits);
    uint32_t whole = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &whole, sizeof value);
    return value;
}

static double load_FP32(const char *from)
{
    float value;
    memcpy(&value, from, sizeof value);
    return value;
}

static double load_FP64(const char *from)
{
    double value;
    memcpy(&value, from, sizeof value);
    return value;
}

/* The table */

static const struct {
    const char *name;
    size_t bytes;
    double (*load)(const char *from);
    bool whole;
    float min, max; /* of a whole number */
} types[] = {
#define INTEGER(name, type, min, max) \
    {#name, sizeof(type), load_##name, true, (float)min, (float)max},
#define FLOATING(name, type) {#name, sizeof(type), load_##name, false, 0, 0},
#include "datatype.def"
#undef INTEGER
#undef FLOATING
};

bool datatype_find(const char *name, enum datatype *type)
{
    for (size_t i = 0; i < DATATYPE_COUNT; i++) {
        if (strcmp(types[i].name, name) != 0)
            continue;
        *type = (enum datatype)i;
        return true;
    }
    return false;
}

const char *datatype_name(enum datatype type)
{
    return types[type].name;
}

size_t datatype_bytes(enum datatype type)
{
    return types[type].bytes;
}

size_t datatype_read(enum datatype type, const char *bytes, size_t count, float *numbers)
{
    if (type == DATATYPE_FP32) {
        memcpy(numbers, bytes, count * sizeof *numbers);
        return count;
    }
    for (size_t i = 0; i < count; i++) {
        double value = types[type].load(bytes + i * types[type].bytes);
        numbers[i] = (float)(type == DATATYPE_BOOL ? value != 0 : value);
        if (isinf(numbers[i]) && isfinite(value))
            return i;
    }
    return count;
}

bool datatype_holds(enum datatype type, float number)
{
    return !types[type].whole ||
           (number == truncf(number) && number >= types[type].min && number <= types[type].max);
}
