#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sources.h"
#include "tree.h"

static void put(const struct tree *tree, const char *place)
{
    tree_write(tree, place, "x", 1);
}

/* "NAME VERSION PLACE, …" of what is found, or the error's message; paths below the tree alone. */
static const char *found(const struct tree *tree, const char *const *arguments)
{
    static char text[4096];
    struct options options;
    struct sources sources;
    struct error error;
    int count = 0;
    while (arguments[count])
        count++;
    cr_assert_eq(options_read(&options, count, (char *const *)(uintptr_t)arguments, &error),
                 STATUS_OK);
    text[0] = '\0';
    if (sources_find(&sources, &options, &error) != STATUS_OK) {
        options_free(&options);
        return strcpy(text, error.message);
    }
    for (size_t i = 0; i < sources.count; i++) {
        const struct source *source = &sources.items[i];
        size_t length = strlen(text), root = strlen(tree->path);
        snprintf(text + length, sizeof text - length, "%s%s %s %s%s", i ? ", " : "", source->name,
                 source->version, source->path + root + 1, source->config[0] ? " +" : "");
    }
    sources_free(&sources);
    options_free(&options);
    return text;
}

#define FOUND(tree, ...) found((tree), (const char *const[]){__VA_ARGS__, NULL})

Test(sources, a_directory_of_models)
{
    struct tree tree;
    tree_open(&tree);
    cr_assert_str_eq(FOUND(&tree, "--model-dir", tree.path), "");
    put(&tree, "b/model.onnx");
    put(&tree, "b/7/model.onnx"); /* beside a model no version */
    put(&tree, "a/10/model.onnx");
    put(&tree, "a/9/model.json");
    put(&tree, "a/9/weights.safetensors");
    put(&tree, "a/99999999999999999999/model.onnx"); /* more than 64 bits */
    put(&tree, "a/0/model.onnx");
    put(&tree, "a/01/model.onnx");
    put(&tree, "a/-1/model.onnx");
    put(&tree, "a/11/other");
    put(&tree, ".hidden/model.onnx");
    put(&tree, "stray.onnx");
    put(&tree, "empty/1/nothing");
    cr_assert_str_eq(FOUND(&tree, "--model-dir", tree.path), "a 9 a/9 +, a 10 a/10 +, b 1 b");
    tree_close(&tree);
}

Test(sources, paths_and_their_names)
{
    struct tree tree;
    char a[128], named[128], file[128];
    tree_open(&tree);
    put(&tree, "a/1/model.onnx");
    put(&tree, "m/file.onnx");
    put(&tree, "m/model.onnx");
    snprintf(a, sizeof a, "%s/a", tree.path);
    snprintf(named, sizeof named, "x=%s/m", tree.path);
    snprintf(file, sizeof file, "%s/m/file.onnx", tree.path);
    cr_assert_str_eq(FOUND(&tree, a, named, file), "a 1 a/1 +, x 1 m, file 1 m/file.onnx");
    cr_assert_str_eq(FOUND(&tree, "--model-name", "y", a), "y 1 a/1 +");
    cr_assert_str_eq(FOUND(&tree, a, a), "two models are called \"a\"");
    cr_assert_str_eq(FOUND(&tree, a, "--model-dir", tree.path), "two models are called \"a\"");
    tree_close(&tree);
}

/* "." is no name, what it stands for is. */
Test(sources, the_directory_that_one_is_in)
{
    struct tree tree;
    struct options options;
    struct sources sources;
    struct error error;
    char here[256];
    tree_open(&tree);
    put(&tree, "net/model.onnx");
    snprintf(here, sizeof here, "%s/net", tree.path);
    cr_assert(chdir(here) == 0);
    cr_assert_eq(options_read(&options, 1, (char *[]){"."}, &error), STATUS_OK);
    cr_assert_eq(sources_find(&sources, &options, &error), STATUS_OK);
    cr_assert_str_eq(sources.items[0].name, "net");
    cr_assert_str_eq(sources.items[0].path, ".");
    sources_free(&sources);
    options_free(&options);
    cr_assert(chdir("/") == 0);
    tree_close(&tree);
}

Test(sources, names_at_their_limit_and_beyond)
{
    static const char *const bad[] = {"", ".", "..", "a/b"};
    struct tree tree;
    char name[MODEL_NAME_BYTES + 1];
    tree_open(&tree);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert(strstr(FOUND(&tree, "--model-name", bad[i], "/tmp"), "expected a model's name"),
                  "%s", bad[i]);
    cr_assert(strstr(FOUND(&tree, "=/tmp"), "expected a model's name"));
    for (size_t length = MODEL_NAME_BYTES - 1; length <= MODEL_NAME_BYTES; length++) {
        memset(name, 'n', length);
        name[length] = '\0';
        bool refused = strstr(FOUND(&tree, "--model-name", name, tree.path), "expected a model's");
        cr_assert_eq(refused, length == MODEL_NAME_BYTES);
    }
    tree_close(&tree);
}

Test(sources, at_their_limit_and_one_beyond)
{
    struct tree tree;
    struct options options = {.model_dir = tree.path};
    struct sources sources;
    struct error error;
    tree_open(&tree);
    for (size_t i = 1; i <= SOURCES_MAX; i++) {
        char place[64];
        snprintf(place, sizeof place, "net/%zu/model.onnx", i);
        put(&tree, place);
    }
    cr_assert_eq(sources_find(&sources, &options, &error), STATUS_OK);
    cr_assert_eq(sources.count, SOURCES_MAX);
    cr_assert_str_eq(sources.items[SOURCES_MAX - 1].version, "1024");
    sources_free(&sources);
    put(&tree, "other/model.onnx");
    cr_assert_eq(sources_find(&sources, &options, &error), STATUS_TOO_LARGE);
    tree_close(&tree);
}
