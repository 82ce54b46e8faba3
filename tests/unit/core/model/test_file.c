/* Files that are read piece by piece. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/file.h"
#include "temporary.h"

Test(file, is_read_at_any_place)
{
    struct temporary directory;
    struct file file;
    char some[3];
    temporary_open(&directory);
    const char *path = temporary_write(&directory, "f", "relud", 5);
    cr_assert(file_open(&file, path, 5, NULL) == STATUS_OK);
    cr_assert(file.count == 5);
    cr_assert(file_read(&file, 2, 3, some, NULL) == STATUS_OK && memcmp(some, "lud", 3) == 0);
    cr_assert(file_read(&file, 0, 2, some, NULL) == STATUS_OK && memcmp(some, "red", 3) == 0);
    cr_assert(file_read(&file, 5, 0, some, NULL) == STATUS_OK);
    file_close(&file);
    cr_assert(file.descriptor == -1);
    file_close(&file);
    temporary_close(&directory);
}

Test(file, bytes_in_memory_can_be_one)
{
    char some[3];
    const struct file file = file_of_bytes((const uint8_t *)"relud", 5);
    cr_assert(file_read(&file, 2, 3, some, NULL) == STATUS_OK && memcmp(some, "lud", 3) == 0);
    const struct file nothing = file_of_bytes(NULL, 0);
    cr_assert(file_read(&nothing, 0, 0, some, NULL) == STATUS_OK);
}

Test(file, is_loaded_whole)
{
    struct temporary directory;
    struct arena arena;
    struct file file;
    temporary_open(&directory);
    arena_init(&arena, 64);
    const char *path = temporary_write(&directory, "f", "relud", 5);
    cr_assert(file_load(&arena, path, 5, &file, NULL) == STATUS_OK);
    cr_assert(file.count == 5 && memcmp(file.bytes, "relud", 5) == 0);
    cr_assert(file_load(&arena, path, 5, &file, NULL) == STATUS_OUT_OF_MEMORY);
    arena_free(&arena);
    temporary_close(&directory);
}

/* Somebody writes the file anew while it is being read. */
Test(file, one_that_has_become_shorter_is_an_error)
{
    struct temporary directory;
    struct file file;
    struct error error;
    char some[5];
    temporary_open(&directory);
    const char *path = temporary_write(&directory, "f", "relud", 5);
    cr_assert(file_open(&file, path, 5, NULL) == STATUS_OK);
    cr_assert(truncate(path, 3) == 0);
    cr_assert(file_read(&file, 0, 5, some, &error) == STATUS_IO);
    cr_assert_str_eq(error.message, "the file ends at byte 3, it had 5 when it was opened");
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
    char fifo[96];
    temporary_open(&directory);
    cr_assert(file_open(&file, "/nowhere/at/all", 9, NULL) == STATUS_NOT_FOUND);
    cr_assert(file_open(&file, "/dev/null/x", 9, NULL) == STATUS_NOT_FOUND);
    cr_assert(file_open(&file, directory.path, 9, NULL) == STATUS_INVALID);
    cr_assert(file_open(&file, "/dev/zero", 9, NULL) == STATUS_INVALID);
    cr_assert(file_open(&file, temporary_write(&directory, "f", "", 0), 9, NULL) == STATUS_INVALID);
    cr_assert(mkfifo(strcat(strcpy(fifo, directory.path), "/fifo"), 0600) == 0);
    cr_assert(file_open(&file, fifo, 9, NULL) == STATUS_INVALID, "nor does it wait for a writer");
    cr_assert(file.descriptor == -1);
    temporary_close(&directory);
}
