/* A whole file in memory. */
#include <criterion/criterion.h>
#include <string.h>

#include "model/file.h"
#include "temporary.h"

Test(file, is_mapped_as_it_is)
{
    struct temporary directory;
    struct file file;
    temporary_open(&directory);
    const char *path = temporary_write(&directory, "f", "relud", 5);
    cr_assert(file_open(&file, path, 5, NULL) == STATUS_OK);
    cr_assert(file.count == 5 && memcmp(file.bytes, "relud", 5) == 0);
    file_close(&file);
    cr_assert(!file.bytes);
    file_close(&file);
    temporary_close(&directory);
}

Test(file, has_a_limit)
{
    struct temporary directory;
    struct file file;
    struct error error;
    temporary_open(&directory);
    const char *path = temporary_write(&directory, "f", "relud", 5);
    cr_assert(file_open(&file, path, 4, &error) == STATUS_TOO_LARGE);
    cr_assert_str_eq(error.message, "expected at most 4 bytes, found 5");
    temporary_close(&directory);
}

Test(file, what_is_none_is_refused)
{
    struct temporary directory;
    struct file file;
    temporary_open(&directory);
    cr_assert(file_open(&file, "/nowhere/at/all", 9, NULL) == STATUS_NOT_FOUND);
    cr_assert(file_open(&file, "/dev/null/x", 9, NULL) == STATUS_NOT_FOUND);
    cr_assert(file_open(&file, directory.path, 9, NULL) == STATUS_INVALID);
    cr_assert(file_open(&file, "/dev/zero", 9, NULL) == STATUS_INVALID);
    cr_assert(file_open(&file, temporary_write(&directory, "f", "", 0), 9, NULL) == STATUS_INVALID);
    cr_assert(!file.bytes);
    temporary_close(&directory);
}
