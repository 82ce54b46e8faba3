#include "binary.h"

#include <stdlib.h>
#include <string.h>

/* Floats that the first piece makes room for: small enough for malloc's fastest bins. */
enum { BINARY_FIRST_NUMBERS = 224 };

void binary_free(struct binary *binary)
{
    free(binary->numbers);
    free(binary->tensors);
    *binary = (struct binary){.numbers = NULL};
}

static enum status out_of_memory(struct error *error)
{
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the inputs");
}

/* Elements of all tensors. */
static size_t total(const struct binary *binary)
{
    if (binary->tensor_count == 0)
        return 0;
    const struct binary_tensor *last = &binary->tensors[binary->tensor_count - 1];
    return last->first + last->count;
}

enum status binary_expect(struct binary *binary, const char *name, enum datatype type, size_t count,
                          struct error *error)
{
    struct binary_tensor *tensors =
        realloc(binary->tensors, (binary->tensor_count + 1) * sizeof *tensors);
    if (!tensors)
        return out_of_memory(error);
    binary->tensors = tensors;
    size_t first = total(binary);
    tensors[binary->tensor_count++] = (struct binary_tensor){name, type, first, count};
    binary->expected_bytes += (uint64_t)count * datatype_bytes(type);
    return STATUS_OK;
}

/* Room for count floats in all. */
static bool reserve(struct binary *binary, size_t count)
{
    if (count <= binary->capacity)
        return true;
    size_t capacity = count * 2 > BINARY_FIRST_NUMBERS ? count * 2 : BINARY_FIRST_NUMBERS;
    if (capacity > total(binary))
        capacity = total(binary);
    float *numbers = realloc(binary->numbers, capacity * sizeof *numbers);
    if (!numbers)
        return false;
    binary->numbers = numbers;
    binary->capacity = capacity;
    return true;
}

/* Takes whole elements of the current tensor. */
static enum status take(struct binary *binary, const char *bytes, size_t count, struct error *error)
{
    const struct binary_tensor *tensor = &binary->tensors[binary->current];
    size_t place = tensor->first + binary->done;
    if (!reserve(binary, place + count))
        return out_of_memory(error);
    size_t read = datatype_read(tensor->type, bytes, count, binary->numbers + place);
    binary->done += read;
    if (read == count)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, "input \"%s\": number %zu is beyond float32's range",
                     tensor->name, binary->done);
}

/* Takes as much of [bytes, bytes + count) as the current tensor wants, to the next whole element or
 * end of the piece; *taken receives how much. */
static enum status fill(struct binary *binary, const char *bytes, size_t count, size_t *taken,
                        struct error *error)
{
    const struct binary_tensor *tensor = &binary->tensors[binary->current];
    size_t size = datatype_bytes(tensor->type), left = tensor->count - binary->done;
    if (binary->part_bytes == 0 && count >= size) {
        size_t whole = count / size < left ? count / size : left;
        *taken = whole * size;
        return take(binary, bytes, whole, error);
    }
    size_t missing = size - binary->part_bytes;
    *taken = count < missing ? count : missing;
    memcpy(binary->part + binary->part_bytes, bytes, *taken);
    binary->part_bytes += *taken;
    if (binary->part_bytes < size)
        return STATUS_OK;
    binary->part_bytes = 0;
    return take(binary, binary->part, 1, error);
}

enum status binary_feed(struct binary *binary, const char *bytes, size_t count, struct error *error)
{
    enum status status = STATUS_OK;
    binary->bytes += count;
    while (count > 0 && binary->current < binary->tensor_count && status == STATUS_OK) {
        size_t taken = 0;
        if (binary->done == binary->tensors[binary->current].count) {
            binary->current++;
            binary->done = 0;
            continue;
        }
        status = fill(binary, bytes, count, &taken, error);
        bytes += taken;
        count -= taken;
    }
    return status;
}
