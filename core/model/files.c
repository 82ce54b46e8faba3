#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum { PART_BYTES_MAX = 255 }; /* what Linux takes as a name */

static enum status refuse(struct error *error)
{
    if (errno == ELOOP || errno == ENOTDIR)
        return error_set(error, STATUS_INVALID,
                         "expected directories and a regular file, found something else on the "
                         "way (symbolic links are not followed)");
    return error_set(error, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO, "%s", strerror(errno));
}

enum status files_open(struct files *files, const char *path, size_t limit_bytes,
                       struct error *error)
{
    char directory[4096] = ".";
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) + 1 : 0;
    *files = (struct files){.directory = -1};
    if (length >= sizeof directory)
        return error_set(error, STATUS_TOO_LARGE, "the path is too long");
    if (length > 0) {
        memcpy(directory, path, length);
        directory[length] = '\0';
    }
    files->directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (files->directory < 0)
        return error_set(error, errno == ENOENT || errno == ENOTDIR ? STATUS_NOT_FOUND : STATUS_IO,
                         "%s", strerror(errno));
    files->locations[0] = "";
    enum status status = file_open(&files->list[0], path, limit_bytes, error);
    if (status != STATUS_OK)
        files_close(files);
    else
        files->count = 1;
    return status;
}

void files_of_bytes(struct files *files, const uint8_t *bytes, size_t count)
{
    *files = (struct files){.directory = -1, .locations = {""}, .count = 1};
    files->list[0] = file_of_bytes(bytes, count);
}

void files_close(struct files *files)
{
    for (size_t i = 0; i < files->count; i++)
        file_close(&files->list[i]);
    if (files->directory >= 0)
        close(files->directory);
    files->directory = -1;
    files->count = 0;
}

/* The next part of a path: "weights" of "weights/a.bin". False when nothing is left. */
static bool next_part(const char **rest, const char **part, size_t *length)
{
    *rest += strspn(*rest, "/");
    *part = *rest;
    *length = strcspn(*rest, "/");
    *rest += *length;
    return *length > 0;
}

enum status files_check(const char *location, struct error *error)
{
    const char *rest = location, *part;
    size_t length;
    if (!location[0])
        return error_set(error, STATUS_INVALID, "expected the name of a file, found none");
    if (location[0] == '/')
        return error_set(error, STATUS_INVALID,
                         "expected a place inside the model's directory, found an absolute path");
    while (next_part(&rest, &part, &length)) {
        if (length == 2 && memcmp(part, "..", 2) == 0)
            return error_set(error, STATUS_INVALID,
                             "expected a place inside the model's directory, found \"..\"");
        if (length > PART_BYTES_MAX)
            return error_set(error, STATUS_INVALID, "a name in it is longer than %d bytes",
                             PART_BYTES_MAX);
    }
    return STATUS_OK;
}

/* Opens the file at location, one part of its path after the other. */
static enum status open_beneath(int directory, const char *location, int *descriptor,
                                struct error *error)
{
    const char *rest = location, *part;
    size_t length;
    int at = directory;
    while (next_part(&rest, &part, &length)) {
        char name[PART_BYTES_MAX + 1];
        memcpy(name, part, length);
        name[length] = '\0';
        bool last = rest[strspn(rest, "/")] == '\0';
        int next =
            openat(at, name,
                   (last ? O_RDONLY | O_NONBLOCK : O_PATH | O_DIRECTORY) | O_NOFOLLOW | O_CLOEXEC);
        const enum status status = next < 0 ? refuse(error) : STATUS_OK;
        if (at != directory)
            close(at);
        if (status != STATUS_OK)
            return status;
        at = next;
    }
    *descriptor = at;
    return STATUS_OK;
}

enum status files_add(struct files *files, const char *location, size_t limit_bytes,
                      struct error *error)
{
    int descriptor;
    if (files_find(files, location))
        return STATUS_OK;
    if (files->directory < 0)
        return error_set(error, STATUS_UNSUPPORTED, "the model does not come from a directory");
    if (files->count == FILES_MAX)
        return error_set(error, STATUS_TOO_LARGE, "expected at most %d files", FILES_MAX - 1);
    enum status status = files_check(location, error);
    if (status == STATUS_OK)
        status = open_beneath(files->directory, location, &descriptor, error);
    if (status == STATUS_OK)
        status = file_adopt(&files->list[files->count], descriptor, limit_bytes, error);
    if (status == STATUS_OK)
        files->locations[files->count++] = location;
    return status;
}

static enum status adopt_beneath(struct file *file, const char *directory, const char *location,
                                 size_t limit_bytes, struct error *error)
{
    int descriptor = -1;
    const int beneath = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (beneath < 0)
        return error_set(error, STATUS_IO, "%s: %s", directory, strerror(errno));
    enum status status = open_beneath(beneath, location, &descriptor, error);
    close(beneath);
    return status == STATUS_OK ? file_adopt(file, descriptor, limit_bytes, error) : status;
}

enum status files_load_beneath(struct arena *arena, const char *directory, const char *location,
                               size_t limit_bytes, struct file *loaded, struct error *error)
{
    struct file file;
    enum status status = files_check(location, error);
    if (status == STATUS_OK)
        status = adopt_beneath(&file, directory, location, limit_bytes, error);
    if (status != STATUS_OK)
        return status;
    status = file_load_from(arena, &file, loaded, error);
    file_close(&file);
    return status;
}

const struct file *files_find(const struct files *files, const char *location)
{
    for (size_t i = 0; i < files->count; i++)
        if (strcmp(files->locations[i], location) == 0)
            return &files->list[i];
    return NULL;
}
