#include "tensor.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

size_t dtype_bytes(enum dtype dtype)
{
    return dtype == DTYPE_FLOAT32 ? sizeof(float) : sizeof(int64_t);
}

bool dims_count(const int64_t *dims, size_t rank, size_t *count)
{
    size_t product = 1;
    bool empty = false;
    for (size_t i = 0; i < rank; i++) {
        if (dims[i] < 0)
            return false;
        empty |= dims[i] == 0;
        if (dims[i] > 0 && __builtin_mul_overflow(product, (size_t)dims[i], &product))
            return false;
    }
    *count = empty ? 0 : product;
    return product <= SIZE_MAX / sizeof(int64_t);
}

size_t tensor_count(const struct tensor *tensor)
{
    size_t count = 0;
    bool fits = dims_count(tensor->dims, tensor->rank, &count);
    assert(fits);
    (void)fits;
    return count;
}

char *dims_text(char text[DIMS_TEXT_BYTES], const int64_t *dims, size_t rank)
{
    char *at = text;
    *at++ = '[';
    for (size_t i = 0; i < rank; i++)
        at += sprintf(at, "%s%" PRId64, i ? ", " : "", dims[i]);
    *at++ = ']';
    *at = '\0';
    return text;
}
