#include "tree.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TREE_PATH_BYTES = 512, COPY_BYTES_MAX = 16 << 20 };

void tree_open(struct tree *tree)
{
    snprintf(tree->path, sizeof tree->path, "/tmp/relud-test-XXXXXX");
    cr_assert(mkdtemp(tree->path));
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static void remove_all(const char *path)
{
    nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void tree_close(struct tree *tree)
{
    remove_all(tree->path);
}

static void make_directories(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
}

void tree_write(const struct tree *tree, const char *place, const void *bytes, size_t count)
{
    char path[TREE_PATH_BYTES], unfinished[TREE_PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", tree->path, place);
    snprintf(unfinished, sizeof unfinished, "%s/.unfinished", tree->path);
    make_directories(path);
    FILE *file = fopen(unfinished, "we");
    cr_assert(file && fwrite(bytes, 1, count, file) == count && fclose(file) == 0);
    cr_assert(rename(unfinished, path) == 0, "%s", path);
}

void tree_copy(const struct tree *tree, const char *place, const char *from)
{
    char *bytes = malloc(COPY_BYTES_MAX);
    FILE *file = fopen(from, "re");
    if (!bytes || !file)
        cr_assert_fail("%s cannot be read", from);
    size_t count = fread(bytes, 1, COPY_BYTES_MAX, file);
    fclose(file);
    cr_assert_lt(count, COPY_BYTES_MAX, "%s is too long", from);
    tree_write(tree, place, bytes, count);
    free(bytes);
}

void tree_remove(const struct tree *tree, const char *place)
{
    char path[TREE_PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", tree->path, place);
    remove_all(path);
}
