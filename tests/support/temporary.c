#include "temporary.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void temporary_open(struct temporary *temporary)
{
    snprintf(temporary->path, sizeof temporary->path, "/tmp/relud-test-XXXXXX");
    cr_assert(mkdtemp(temporary->path));
}

static const char *path_of(struct temporary *temporary, const char *name)
{
    snprintf(temporary->file, sizeof temporary->file, "%s/%s", temporary->path, name);
    return temporary->file;
}

const char *temporary_write(struct temporary *temporary, const char *name, const void *bytes,
                            size_t count)
{
    FILE *file = fopen(path_of(temporary, name), "wb");
    cr_assert(file && fwrite(bytes, 1, count, file) == count && fclose(file) == 0);
    return temporary->file;
}

void temporary_close(struct temporary *temporary)
{
    DIR *directory = opendir(temporary->path);
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        if (entry->d_name[0] != '.')
            unlink(path_of(temporary, entry->d_name));
    if (directory)
        closedir(directory);
    rmdir(temporary->path);
}
