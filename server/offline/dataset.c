#include "dataset.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "csv.h"

enum {
    BUFFER_BYTES = 1 << 18,
    LINE_NUMBER_BYTES = 64,     /* of a number and what stands around it; or of a column's name */
    LINE_SPARE_BYTES = 1 << 12, /* of a line of few numbers */
};

static enum status no_memory(struct error *error)
{
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the data");
}

/* Bytes */

/* Reads more behind what is there; at the end of the file sets ended. */
static enum status refill(struct dataset *dataset, struct error *error)
{
    const size_t rest = dataset->end - dataset->begin;
    memmove(dataset->buffer, dataset->buffer + dataset->begin, rest);
    dataset->begin = 0;
    dataset->end = rest;
    if (rest == dataset->capacity) {
        char *buffer = realloc(dataset->buffer, 2 * dataset->capacity);
        if (!buffer)
            return no_memory(error);
        dataset->buffer = buffer;
        dataset->capacity *= 2;
    }
    ssize_t some;
    do
        some = read(dataset->descriptor, dataset->buffer + rest, dataset->capacity - rest);
    while (some < 0 && errno == EINTR);
    if (some < 0)
        return error_set(error, STATUS_IO, "%s", strerror(errno));
    dataset->ended = some == 0;
    dataset->end += (size_t)some;
    /* Whoever shows the progress reads it at any time. */
    __atomic_fetch_add(&dataset->read_bytes, (uint64_t)some, __ATOMIC_RELAXED);
    return STATUS_OK;
}

/* Reads until count bytes are in the buffer or the file ends. */
static enum status await_bytes(struct dataset *dataset, size_t count, struct error *error)
{
    while (dataset->end - dataset->begin < count && !dataset->ended)
        if (refill(dataset, error) != STATUS_OK)
            return error->status;
    return STATUS_OK;
}

static size_t buffered(const struct dataset *dataset)
{
    return dataset->end - dataset->begin;
}

static const uint8_t *front(const struct dataset *dataset)
{
    return (const uint8_t *)dataset->buffer + dataset->begin;
}

/* .npy */

static size_t row_bytes(const struct dataset *dataset)
{
    return dataset->port->features * datatype_bytes(dataset->type);
}

/* [rows, …] as the port has it, or [rows, features]; one run of a whole model may stand alone. */
static enum status find_rows(struct dataset *dataset, const struct npy *npy, struct error *error)
{
    const struct port *port = dataset->port;
    char dims[DIMS_TEXT_BYTES];
    const bool flat = npy->rank == 2 && npy->dims[1] == port->features;
    const bool single = npy->rank == 1 && port->features == 1;
    dataset->rows = flat || single ? npy->dims[0] : port_rows(port, npy->rank, npy->dims);
    uint64_t bytes;
    if (dataset->rows > 0 && !__builtin_mul_overflow(dataset->rows, row_bytes(dataset), &bytes))
        return STATUS_OK;
    int64_t found[TENSOR_RANK_MAX];
    for (size_t i = 0; i < npy->rank; i++)
        found[i] = (int64_t)npy->dims[i];
    error_set(error, STATUS_INVALID, "shape %s", dims_text(dims, found, npy->rank));
    return error_prefix(error, "expected rows for input \"%s\" of %zu numbers each, found",
                        port->name, port->features);
}

static enum status open_npy(struct dataset *dataset, struct error *error)
{
    size_t length;
    struct npy npy;
    if (await_bytes(dataset, NPY_PREFIX_BYTES, error) != STATUS_OK)
        return error->status;
    if (buffered(dataset) < NPY_PREFIX_BYTES)
        return error_set(error, STATUS_INVALID, "the file ends in its .npy header");
    if (npy_length(front(dataset), &length, error) != STATUS_OK ||
        await_bytes(dataset, length, error) != STATUS_OK)
        return error->status;
    if (buffered(dataset) < length)
        return error_set(error, STATUS_INVALID, "the file ends in its .npy header");
    if (npy_read(&npy, front(dataset), length, error) != STATUS_OK)
        return error->status;
    dataset->begin += length;
    dataset->type = npy.type;
    return find_rows(dataset, &npy, error);
}

/* Nothing may follow the last row: a second array would be left out in silence. */
static enum status check_end(struct dataset *dataset, struct error *error)
{
    if (await_bytes(dataset, 1, error) != STATUS_OK)
        return error->status;
    if (buffered(dataset) == 0)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID,
                     "expected the file to end after row %" PRIu64 ", found more bytes",
                     dataset->rows - 1);
}

static enum status take_npy(struct dataset *dataset, size_t most, struct rows *rows,
                            struct error *error)
{
    const uint64_t left = dataset->rows - dataset->taken;
    const size_t count = left < most ? (size_t)left : most;
    const size_t bytes = count * row_bytes(dataset);
    if (count == 0)
        return check_end(dataset, error);
    if (await_bytes(dataset, bytes, error) != STATUS_OK)
        return error->status;
    if (buffered(dataset) < bytes)
        return error_set(error, STATUS_INVALID,
                         "expected %" PRIu64 " rows, the file ends in row %" PRIu64, dataset->rows,
                         dataset->taken + buffered(dataset) / row_bytes(dataset));
    text_add(&rows->bytes, (const char *)front(dataset), bytes);
    rows->count = count;
    rows->first = dataset->taken;
    dataset->begin += bytes;
    dataset->taken += count;
    return STATUS_OK;
}

static enum status read_npy(const struct rows *rows, const struct dataset *dataset, float *x,
                            struct error *error)
{
    const size_t features = dataset->port->features, count = rows->count * features;
    const size_t done = datatype_read(dataset->type, rows->bytes.bytes, count, x);
    if (done == count)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, "row %" PRIu64 ": number %zu is beyond float32's range",
                     rows->first + done / features, done % features);
}

/* .csv */

/* The next line, its end included; empty at the end of the file. */
static enum status next_line(struct dataset *dataset, size_t *length, struct error *error)
{
    const size_t longest = LINE_SPARE_BYTES + LINE_NUMBER_BYTES * dataset->port->features;
    size_t seen = 0;
    for (;;) {
        const uint8_t *line = front(dataset);
        const uint8_t *end = memchr(line + seen, '\n', buffered(dataset) - seen);
        seen = buffered(dataset);
        *length = end ? (size_t)(end - line) + 1 : seen;
        if (*length > longest)
            return error_set(error, STATUS_TOO_LARGE,
                             "line %" PRIu64 " is longer than %zu bytes, too long for %zu numbers",
                             dataset->taken + 1, longest, dataset->port->features);
        if (end || dataset->ended)
            return STATUS_OK;
        if (refill(dataset, error) != STATUS_OK)
            return error->status;
    }
}

static void skip_mark(struct dataset *dataset)
{
    static const char mark[] = "\xEF\xBB\xBF"; /* what some programs put before UTF-8 */
    if (buffered(dataset) >= 3 && memcmp(front(dataset), mark, 3) == 0)
        dataset->begin += 3;
}

static enum status open_csv(struct dataset *dataset, struct error *error)
{
    size_t length;
    skip_mark(dataset);
    if (next_line(dataset, &length, error) != STATUS_OK)
        return error->status;
    if (length > 0 && csv_is_header((const char *)front(dataset), length)) {
        dataset->begin += length;
        dataset->taken++;
    }
    return STATUS_OK;
}

/* Takes lines until most of them are rows. Empty ones, as at the end of many files, are none. */
static enum status take_csv(struct dataset *dataset, size_t most, struct rows *rows,
                            struct error *error)
{
    rows->first = dataset->taken + 1;
    while (rows->count < most) {
        size_t length;
        if (next_line(dataset, &length, error) != STATUS_OK)
            return error->status;
        if (length == 0)
            break;
        text_add(&rows->bytes, (const char *)front(dataset), length);
        rows->count += !csv_is_blank((const char *)front(dataset), length);
        dataset->begin += length;
        dataset->taken++;
    }
    return STATUS_OK;
}

static enum status read_csv(const struct rows *rows, const struct dataset *dataset, float *x,
                            struct error *error)
{
    const size_t features = dataset->port->features;
    const char *at = rows->bytes.bytes, *end = at + rows->bytes.count;
    uint64_t line = rows->first;
    for (size_t length; at < end; at += length, line++) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        length = next ? (size_t)(next - at) + 1 : (size_t)(end - at);
        if (csv_is_blank(at, length))
            continue;
        if (csv_read(at, length, features, x, error) != STATUS_OK)
            return error_prefix(error, "line %" PRIu64, line);
        x += features;
    }
    return STATUS_OK;
}

/* Both */

static enum status open_descriptor(struct dataset *dataset, const char *path, struct error *error)
{
    struct stat found;
    const bool standard = strcmp(path, "-") == 0;
    dataset->name = standard ? "standard input" : path;
    dataset->descriptor =
        standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);
    if (dataset->descriptor < 0 || fstat(dataset->descriptor, &found) != 0)
        return error_set(error, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, "%s",
                         strerror(errno));
    dataset->file_bytes = S_ISREG(found.st_mode) ? (uint64_t)found.st_size : 0;
    posix_fadvise(dataset->descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
    return STATUS_OK;
}

static bool is_named_npy(const char *name)
{
    const size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, ".npy") == 0;
}

static enum status open_format(struct dataset *dataset, struct error *error)
{
    dataset->capacity = BUFFER_BYTES;
    dataset->buffer = malloc(dataset->capacity);
    if (!dataset->buffer)
        return no_memory(error);
    if (await_bytes(dataset, NPY_MAGIC_BYTES, error) != STATUS_OK)
        return error->status;
    dataset->csv = buffered(dataset) < NPY_MAGIC_BYTES ||
                   memcmp(front(dataset), NPY_MAGIC, NPY_MAGIC_BYTES) != 0;
    if (dataset->csv && is_named_npy(dataset->name))
        return error_set(error, STATUS_INVALID, "expected an .npy file, found another");
    return dataset->csv ? open_csv(dataset, error) : open_npy(dataset, error);
}

enum status dataset_open(struct dataset *dataset, const char *path, const struct port *port,
                         struct error *error)
{
    *dataset = (struct dataset){.port = port, .descriptor = -1};
    enum status status = open_descriptor(dataset, path, error);
    if (status == STATUS_OK)
        status = open_format(dataset, error);
    if (status == STATUS_OK)
        return STATUS_OK;
    error_prefix(error, "%s", dataset->name);
    dataset_close(dataset);
    return status;
}

void dataset_close(struct dataset *dataset)
{
    if (dataset->descriptor >= 0)
        close(dataset->descriptor);
    free(dataset->buffer);
    dataset->descriptor = -1;
    dataset->buffer = NULL;
}

enum status dataset_take(struct dataset *dataset, size_t most, struct rows *rows,
                         struct error *error)
{
    rows->bytes.count = rows->count = 0;
    enum status status =
        dataset->csv ? take_csv(dataset, most, rows, error) : take_npy(dataset, most, rows, error);
    if (status == STATUS_OK && rows->bytes.failed)
        status = no_memory(error);
    return status == STATUS_OK ? status : error_prefix(error, "%s", dataset->name);
}

enum status datasets_take(struct dataset *sets, size_t count, size_t most, struct rows *rows,
                          struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (dataset_take(&sets[i], most, &rows[i], error) != STATUS_OK)
            return error->status;
        if (rows[i].count != rows[0].count)
            return error_set(error, STATUS_INVALID,
                             "expected as many rows in %s as in %s, found %s", sets[i].name,
                             sets[0].name, rows[i].count < rows[0].count ? "fewer" : "more");
    }
    return STATUS_OK;
}

void rows_free(struct rows *rows)
{
    text_free(&rows->bytes);
}

enum status rows_read(const struct rows *rows, const struct dataset *dataset, float *x,
                      struct error *error)
{
    enum status status =
        dataset->csv ? read_csv(rows, dataset, x, error) : read_npy(rows, dataset, x, error);
    return status == STATUS_OK ? status : error_prefix(error, "%s", dataset->name);
}
