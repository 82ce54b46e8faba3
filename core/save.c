#include "save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES_MAX = 4096 };

static enum status refuse(const char *path, struct error *error)
{
    return error_set(error, STATUS_IO, "%s: %s", path, strerror(errno));
}

static bool write_all(int descriptor, const char *bytes, size_t count)
{
    while (count > 0) {
        const ssize_t written = write(descriptor, bytes, count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        bytes += written;
        count -= (size_t)written;
    }
    return true;
}

/* Writes to the file at path, which begins empty; own: to a regular file, and waits until the disk
 * has it. */
static enum status write_file(const char *path, const void *bytes, size_t count, bool own,
                              struct error *error)
{
    const int descriptor =
        open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | (own ? O_NOFOLLOW : 0), 0666);
    if (descriptor < 0)
        return refuse(path, error);
    const bool written = write_all(descriptor, bytes, count) && (!own || fsync(descriptor) == 0);
    const enum status status = written ? STATUS_OK : refuse(path, error);
    if (close(descriptor) != 0 && status == STATUS_OK)
        return refuse(path, error);
    return status;
}

/* A name is on the disk when its directory is. */
static enum status sync_directory(const char *path, struct error *error)
{
    char directory[PATH_BYTES_MAX] = ".";
    const char *slash = strrchr(path, '/');
    if (slash)
        snprintf(directory, sizeof directory, "%.*s", (int)(slash - path) + 1, path);
    const int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return refuse(directory, error);
    /* Some file systems do not sync directories, and say EINVAL. */
    const bool synced = fsync(descriptor) == 0 || errno == EINVAL;
    const enum status status = synced ? STATUS_OK : refuse(directory, error);
    close(descriptor);
    return status;
}

enum status save_file(const char *path, const void *bytes, size_t count, struct error *error)
{
    char temporary[PATH_BYTES_MAX];
    struct stat found;
    if (stat(path, &found) == 0 && !S_ISREG(found.st_mode))
        return write_file(path, bytes, count, false, error);
    if ((size_t)snprintf(temporary, sizeof temporary, "%s.tmp", path) >= sizeof temporary)
        return error_set(error, STATUS_TOO_LARGE, "%.64s…: the path is too long", path);
    enum status status = write_file(temporary, bytes, count, true, error);
    if (status == STATUS_OK && rename(temporary, path) != 0)
        status = refuse(path, error);
    if (status != STATUS_OK) {
        unlink(temporary);
        return status;
    }
    return sync_directory(path, error);
}
