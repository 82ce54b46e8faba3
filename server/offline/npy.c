#include "npy.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *descr;
    enum datatype type;
} types[] = {
    {"|b1", DATATYPE_BOOL},   {"|i1", DATATYPE_INT8},   {"|u1", DATATYPE_UINT8},
    {"<i2", DATATYPE_INT16},  {"<u2", DATATYPE_UINT16}, {"<i4", DATATYPE_INT32},
    {"<u4", DATATYPE_UINT32}, {"<i8", DATATYPE_INT64},  {"<u8", DATATYPE_UINT64},
    {"<f2", DATATYPE_FP16},   {"<f4", DATATYPE_FP32},   {"<f8", DATATYPE_FP64},
};

enum { TEXT_BYTES = 32, PREFIX_V1_BYTES = 10 };

/* The length of the header has two bytes in format 1.0, four since. */
static size_t prefix_bytes(const uint8_t *prefix)
{
    return prefix[NPY_MAGIC_BYTES] == 1 ? PREFIX_V1_BYTES : NPY_PREFIX_BYTES;
}

enum status npy_length(const uint8_t *prefix, size_t *length, struct error *error)
{
    const unsigned major = prefix[NPY_MAGIC_BYTES], minor = prefix[NPY_MAGIC_BYTES + 1];
    if (memcmp(prefix, NPY_MAGIC, NPY_MAGIC_BYTES) != 0)
        return error_set(error, STATUS_INVALID, "expected an .npy file");
    if (major < 1 || major > 3 || minor != 0)
        return error_set(error, STATUS_UNSUPPORTED,
                         "expected .npy format 1.0, 2.0 or 3.0, found %u.%u", major, minor);
    size_t header = 0;
    for (size_t i = prefix_bytes(prefix); i > NPY_MAGIC_BYTES + 2; i--)
        header = header << 8 | prefix[i - 1];
    if (header > NPY_HEADER_BYTES_MAX)
        return error_set(error, STATUS_TOO_LARGE,
                         "the .npy header is %zu bytes long, at most %d are read", header,
                         NPY_HEADER_BYTES_MAX);
    *length = prefix_bytes(prefix) + header;
    return STATUS_OK;
}

/* The header is a dictionary as Python writes it: text in either quotes, True and False, a tuple of
 * numbers. */

struct cursor {
    const char *at, *end;
};

static void skip_blanks(struct cursor *cursor)
{
    while (cursor->at < cursor->end && isspace((unsigned char)*cursor->at))
        cursor->at++;
}

static bool take(struct cursor *cursor, const char *word)
{
    const size_t length = strlen(word);
    skip_blanks(cursor);
    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, word, length) != 0)
        return false;
    cursor->at += length;
    return true;
}

static bool take_text(struct cursor *cursor, char text[TEXT_BYTES])
{
    skip_blanks(cursor);
    const char quote = cursor->at < cursor->end ? *cursor->at : '\0';
    if (quote != '\'' && quote != '"')
        return false;
    const char *begin = cursor->at + 1;
    const char *close = memchr(begin, quote, (size_t)(cursor->end - begin));
    if (!close || close - begin >= TEXT_BYTES)
        return false;
    memcpy(text, begin, (size_t)(close - begin));
    text[close - begin] = '\0';
    cursor->at = close + 1;
    return true;
}

static bool take_number(struct cursor *cursor, size_t *number)
{
    skip_blanks(cursor);
    const char *begin = cursor->at;
    for (*number = 0; cursor->at < cursor->end && isdigit((unsigned char)*cursor->at); cursor->at++)
        if (__builtin_mul_overflow(*number, 10u, number) ||
            __builtin_add_overflow(*number, (size_t)(*cursor->at - '0'), number))
            return false;
    return cursor->at > begin;
}

static enum status read_type(struct npy *npy, struct cursor *cursor, struct error *error)
{
    char descr[TEXT_BYTES];
    if (!take_text(cursor, descr))
        return error_set(error, STATUS_UNSUPPORTED, "descr: expected the name of one type");
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].descr, descr) != 0)
            continue;
        npy->type = types[i].type;
        return STATUS_OK;
    }
    return error_set(error, STATUS_UNSUPPORTED,
                     "descr: expected <f4, <f8, <f2, a little-endian integer or bool, found \"%s\"",
                     descr);
}

static enum status read_order(struct cursor *cursor, struct error *error)
{
    if (take(cursor, "False"))
        return STATUS_OK;
    if (take(cursor, "True"))
        return error_set(error, STATUS_UNSUPPORTED,
                         "expected an array in C order, found Fortran order "
                         "(numpy.ascontiguousarray makes one)");
    return error_set(error, STATUS_INVALID, "fortran_order: expected True or False");
}

static enum status read_shape(struct npy *npy, struct cursor *cursor, struct error *error)
{
    bool sound = take(cursor, "(");
    for (npy->rank = 0; sound && !take(cursor, ")"); npy->rank++) {
        if (npy->rank == TENSOR_RANK_MAX)
            return error_set(error, STATUS_TOO_LARGE, "shape: expected at most %d dimensions",
                             TENSOR_RANK_MAX);
        sound = take_number(cursor, &npy->dims[npy->rank]);
        if (sound && !take(cursor, ",")) {
            npy->rank++;
            sound = take(cursor, ")");
            break;
        }
    }
    return sound ? STATUS_OK
                 : error_set(error, STATUS_INVALID, "shape: expected a tuple of whole numbers");
}

/* The keys, each of which must be there once. */
enum { SEEN_TYPE = 1, SEEN_ORDER = 2, SEEN_SHAPE = 4, SEEN_ALL = 7 };

static enum status read_entry(struct npy *npy, struct cursor *cursor, unsigned *seen,
                              struct error *error)
{
    char key[TEXT_BYTES];
    if (!take_text(cursor, key) || !take(cursor, ":"))
        return error_set(error, STATUS_INVALID, "expected \"key\": value in the .npy header");
    const unsigned entry = strcmp(key, "descr") == 0           ? SEEN_TYPE
                           : strcmp(key, "fortran_order") == 0 ? SEEN_ORDER
                           : strcmp(key, "shape") == 0         ? SEEN_SHAPE
                                                               : 0;
    if (entry == 0 || (*seen & entry))
        return error_set(error, STATUS_INVALID,
                         "expected descr, fortran_order and shape in the .npy header, found \"%s\"",
                         key);
    *seen |= entry;
    return entry == SEEN_TYPE    ? read_type(npy, cursor, error)
           : entry == SEEN_ORDER ? read_order(cursor, error)
                                 : read_shape(npy, cursor, error);
}

enum status npy_read(struct npy *npy, const uint8_t *bytes, size_t length, struct error *error)
{
    const char *text = (const char *)bytes;
    struct cursor cursor = {text + prefix_bytes(bytes), text + length};
    unsigned seen = 0;
    bool sound = take(&cursor, "{");
    while (sound && !take(&cursor, "}")) {
        if (read_entry(npy, &cursor, &seen, error) != STATUS_OK)
            return error->status;
        if (take(&cursor, ","))
            continue;
        sound = take(&cursor, "}");
        break;
    }
    skip_blanks(&cursor);
    if (!sound || seen != SEEN_ALL || cursor.at < cursor.end)
        return error_set(error, STATUS_INVALID,
                         "expected a dictionary of descr, fortran_order and shape as .npy header");
    return STATUS_OK;
}
