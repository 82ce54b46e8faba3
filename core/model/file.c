#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status measure(struct file *file, size_t limit_bytes, struct error *error)
{
    struct stat stat;
    if (fstat(file->descriptor, &stat) != 0)
        return error_set(error, STATUS_IO, "%s", strerror(errno));
    if (!S_ISREG(stat.st_mode))
        return error_set(error, STATUS_INVALID, "expected a regular file");
    file->count = (size_t)stat.st_size;
    if (file->count > limit_bytes)
        return error_set(error, STATUS_TOO_LARGE, "expected at most %zu bytes, found %zu",
                         limit_bytes, file->count);
    if (file->count == 0)
        return error_set(error, STATUS_INVALID, "the file is empty");
    return STATUS_OK;
}

enum status file_adopt(struct file *file, int descriptor, size_t limit_bytes, struct error *error)
{
    *file = (struct file){.descriptor = descriptor};
    enum status status = measure(file, limit_bytes, error);
    if (status != STATUS_OK)
        file_close(file);
    return status;
}

enum status file_open(struct file *file, const char *path, size_t limit_bytes, struct error *error)
{
    *file = (struct file){.descriptor = -1};
    /* A pipe must not keep the opener waiting for somebody to write to it. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return error_set(error, errno == ENOENT || errno == ENOTDIR ? STATUS_NOT_FOUND : STATUS_IO,
                         "%s", strerror(errno));
    return file_adopt(file, descriptor, limit_bytes, error);
}

void file_close(struct file *file)
{
    if (file->descriptor >= 0)
        close(file->descriptor);
    *file = (struct file){.descriptor = -1};
}

struct file file_of_bytes(const uint8_t *bytes, size_t count)
{
    return (struct file){.descriptor = -1, .bytes = bytes, .count = count};
}

enum status file_read(const struct file *file, size_t offset, size_t count, void *to,
                      struct error *error)
{
    char *at = to;
    if (file->bytes && count > 0)
        memcpy(at, file->bytes + offset, count);
    while (!file->bytes && count > 0) {
        ssize_t got = pread(file->descriptor, at, count, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set(error, STATUS_IO, "%s", strerror(errno));
        if (got == 0)
            return error_set(error, STATUS_IO,
                             "the file ends at byte %zu, it had %zu when it was "
                             "opened",
                             offset, file->count);
        at += got;
        offset += (size_t)got;
        count -= (size_t)got;
    }
    return STATUS_OK;
}

enum status file_load_from(struct arena *arena, const struct file *file, struct file *loaded,
                           struct error *error)
{
    uint8_t *bytes = arena_alloc(arena, file->count, 1);
    *loaded = file_of_bytes(bytes, file->count);
    return bytes ? file_read(file, 0, file->count, bytes, error)
                 : error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the file");
}

enum status file_load(struct arena *arena, const char *path, size_t limit_bytes,
                      struct file *loaded, struct error *error)
{
    struct file file;
    enum status status = file_open(&file, path, limit_bytes, error);
    if (status != STATUS_OK)
        return status;
    status = file_load_from(arena, &file, loaded, error);
    file_close(&file);
    return status;
}
