#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status map(struct file *file, int descriptor, size_t limit_bytes, struct error *error)
{
    struct stat stat;
    if (fstat(descriptor, &stat) != 0)
        return error_set(error, STATUS_IO, "%s", strerror(errno));
    if (!S_ISREG(stat.st_mode))
        return error_set(error, STATUS_INVALID, "expected a regular file");
    file->count = (size_t)stat.st_size;
    if (file->count > limit_bytes)
        return error_set(error, STATUS_TOO_LARGE, "expected at most %zu bytes, found %zu",
                         limit_bytes, file->count);
    if (file->count == 0)
        return error_set(error, STATUS_INVALID, "the file is empty");
    void *bytes = mmap(NULL, file->count, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (bytes == MAP_FAILED)
        return error_set(error, STATUS_IO, "%s", strerror(errno));
    file->bytes = bytes;
    return STATUS_OK;
}

enum status file_open(struct file *file, const char *path, size_t limit_bytes, struct error *error)
{
    *file = (struct file){.bytes = NULL};
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return error_set(error, errno == ENOENT || errno == ENOTDIR ? STATUS_NOT_FOUND : STATUS_IO,
                         "%s", strerror(errno));
    enum status status = map(file, descriptor, limit_bytes, error);
    close(descriptor);
    return status;
}

void file_close(struct file *file)
{
    if (file->bytes)
        munmap((void *)file->bytes, file->count);
    file->bytes = NULL;
}
