/* tree: a directory with files and directories below it, gone at the end of the test. */
#ifndef RELUD_TESTS_TREE_H
#define RELUD_TESTS_TREE_H

#include <stddef.h>

struct tree {
    char path[64];
};

void tree_open(struct tree *tree);
void tree_close(struct tree *tree);

/* Puts a file at place, below directories that are made as needed. What was there before is
 * replaced at once: nobody sees half a file. */
void tree_write(const struct tree *tree, const char *place, const void *bytes, size_t count);
void tree_copy(const struct tree *tree, const char *place, const char *from);

/* Removes the file or directory at place, with all that is below. */
void tree_remove(const struct tree *tree, const char *place);

#endif
