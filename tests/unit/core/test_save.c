/* A file is replaced whole or not at all. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"
#include "model/file.h"
#include "save.h"
#include "temporary.h"

static void expect_content(const char *path, const char *expected)
{
    struct arena arena;
    struct file file;
    struct error error;
    arena_init(&arena, 1 << 20);
    cr_assert(file_load(&arena, path, 1 << 16, &file, &error) == STATUS_OK, "%s", error.message);
    cr_assert_eq(file.count, strlen(expected));
    cr_assert_arr_eq(file.bytes, expected, file.count);
    arena_free(&arena);
}

Test(save, makes_and_replaces)
{
    struct temporary temporary;
    struct error error;
    char path[96];
    temporary_open(&temporary);
    snprintf(path, sizeof path, "%s/file", temporary.path);
    cr_assert(save_file(path, "first", 5, &error) == STATUS_OK, "%s", error.message);
    expect_content(path, "first");
    cr_assert(save_file(path, "2", 1, &error) == STATUS_OK, "%s", error.message);
    expect_content(path, "2");
    strcat(path, ".tmp");
    cr_assert(access(path, F_OK) != 0, "the temporary file is left");
    temporary_close(&temporary);
}

/* Somebody who has the old file open keeps reading it: it was not written to. */
Test(save, leaves_the_old_content_to_its_readers)
{
    struct temporary temporary;
    struct error error;
    char line[16] = "";
    temporary_open(&temporary);
    const char *path = temporary_write(&temporary, "file", "old", 3);
    FILE *reader = fopen(path, "r");
    cr_assert(save_file(path, "new", 3, &error) == STATUS_OK, "%s", error.message);
    cr_assert_str_eq(fgets(line, sizeof line, reader), "old");
    fclose(reader);
    expect_content(path, "new");
    temporary_close(&temporary);
}

Test(save, keeps_the_old_content_when_it_fails)
{
    struct temporary temporary;
    struct error error;
    char blocked[128];
    temporary_open(&temporary);
    const char *path = temporary_write(&temporary, "file", "old", 3);
    snprintf(blocked, sizeof blocked, "%s.tmp", path);
    cr_assert_eq(mkdir(blocked, 0700), 0);
    cr_assert(save_file(path, "new", 3, &error) == STATUS_IO);
    cr_assert(strstr(error.message, "directory"), "%s", error.message);
    expect_content(path, "old");
    rmdir(blocked);
    cr_assert(save_file("no/such/directory", "new", 3, &error) == STATUS_IO);
    temporary_close(&temporary);
}

Test(save, writes_to_what_is_no_regular_file)
{
    struct stat found;
    struct error error;
    cr_assert(save_file("/dev/null", "new", 3, &error) == STATUS_OK, "%s", error.message);
    cr_assert(stat("/dev/null", &found) == 0 && S_ISCHR(found.st_mode));
}
