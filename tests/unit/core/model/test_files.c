/* The files beside a model: those under its directory, and no others. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/files.h"
#include "temporary.h"

/* A directory with a model; "w" beside it, and "sub/w" below; and what must not be followed. */
struct scene {
    struct temporary directory;
    struct files files;
};

static const char *path_in(const struct scene *scene, const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", scene->directory.path, name);
    return path;
}

static void scene_open(struct scene *scene)
{
    struct error error;
    temporary_open(&scene->directory);
    temporary_write(&scene->directory, "model.onnx", "model", 5);
    temporary_write(&scene->directory, "w", "beside", 6);
    temporary_write(&scene->directory, "empty", "", 0);
    cr_assert(mkdir(path_in(scene, "sub"), 0700) == 0);
    temporary_write(&scene->directory, "sub/w", "below it", 8);
    cr_assert(symlink("w", path_in(scene, "link")) == 0);
    cr_assert(symlink("sub", path_in(scene, "linked")) == 0);
    cr_assert(symlink("/etc/passwd", path_in(scene, "outside")) == 0);
    cr_assert(mkfifo(path_in(scene, "fifo"), 0600) == 0);
    cr_assert(files_open(&scene->files, path_in(scene, "model.onnx"), 5, &error) == STATUS_OK, "%s",
              error.message);
}

static void scene_close(struct scene *scene)
{
    files_close(&scene->files);
    unlink(path_in(scene, "sub/w"));
    rmdir(path_in(scene, "sub"));
    temporary_close(&scene->directory);
}

static void expect(struct scene *scene, const char *location, const char *bytes)
{
    struct error error;
    char found[16] = "";
    cr_assert(files_add(&scene->files, location, 16, &error) == STATUS_OK, "%s: %s", location,
              error.message);
    const struct file *file = files_find(&scene->files, location);
    cr_assert(file && file->count == strlen(bytes));
    cr_assert(file_read(file, 0, file->count, found, &error) == STATUS_OK);
    cr_assert_str_eq(found, bytes);
}

Test(files, lie_beside_the_model_and_below)
{
    struct scene scene;
    scene_open(&scene);
    expect(&scene, "", "model");
    expect(&scene, "w", "beside");
    expect(&scene, "sub/w", "below it");
    expect(&scene, "./sub//w", "below it");
    const size_t count = scene.files.count;
    expect(&scene, "w", "beside");
    cr_assert(count == 4 && scene.files.count == count, "a file is opened once");
    cr_assert(!files_find(&scene.files, "sub"));
    scene_close(&scene);
}

Test(files, lie_beside_a_model_named_without_a_directory)
{
    struct scene scene;
    char old[4096];
    scene_open(&scene);
    files_close(&scene.files);
    cr_assert(getcwd(old, sizeof old) && chdir(scene.directory.path) == 0);
    cr_assert(files_open(&scene.files, "model.onnx", 5, NULL) == STATUS_OK);
    expect(&scene, "w", "beside");
    cr_assert(chdir(old) == 0);
    scene_close(&scene);
}

Test(files, others_are_refused)
{
    static const struct {
        const char *location;
        enum status status;
        const char *says;
    } cases[] = {
        {"/etc/passwd", STATUS_INVALID, "an absolute path"},
        {"..", STATUS_INVALID, "\"..\""},
        {"../w", STATUS_INVALID, "\"..\""},
        {"sub/../w", STATUS_INVALID, "\"..\""},
        {"sub/..", STATUS_INVALID, "\"..\""},
        {"link", STATUS_INVALID, "symbolic links"},
        {"linked/w", STATUS_INVALID, "symbolic links"},
        {"outside", STATUS_INVALID, "symbolic links"},
        {"w/x", STATUS_INVALID, "something else on the way"},
        {"sub", STATUS_INVALID, "expected a regular file"},
        {".", STATUS_INVALID, "expected a regular file"},
        {"fifo", STATUS_INVALID, "expected a regular file"},
        {"empty", STATUS_INVALID, "empty"},
        {"nowhere", STATUS_NOT_FOUND, "No such file"},
        {"nowhere/w", STATUS_NOT_FOUND, "No such file"},
    };
    struct scene scene;
    char longest[300];
    scene_open(&scene);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error error;
        cr_assert(files_add(&scene.files, cases[i].location, 16, &error) == cases[i].status, "%s",
                  cases[i].location);
        cr_assert(strstr(error.message, cases[i].says), "%s: %s", cases[i].location, error.message);
    }
    memset(longest, 'n', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    cr_assert(files_add(&scene.files, longest, 16, NULL) == STATUS_INVALID);
    cr_assert(files_add(&scene.files, "w", 5, NULL) == STATUS_TOO_LARGE);
    cr_assert(scene.files.count == 1);
    scene_close(&scene);
}

Test(files, have_a_limit)
{
    struct scene scene;
    static char names[FILES_MAX][8];
    scene_open(&scene);
    for (size_t i = 0; i < FILES_MAX; i++) {
        snprintf(names[i], sizeof names[i], "w%zu", i);
        temporary_write(&scene.directory, names[i], "w", 1);
        const enum status status = files_add(&scene.files, names[i], 1, NULL);
        cr_assert(status == (i < FILES_MAX - 1 ? STATUS_OK : STATUS_TOO_LARGE), "file %zu", i);
    }
    scene_close(&scene);
}

Test(files, a_model_in_memory_has_none)
{
    struct files files;
    files_of_bytes(&files, (const uint8_t *)"model", 5);
    cr_assert(files_find(&files, "")->count == 5);
    cr_assert(files_add(&files, "w", 16, NULL) == STATUS_UNSUPPORTED);
    files_close(&files);
}

Test(files, the_model_itself_must_be_there)
{
    struct files files;
    cr_assert(files_open(&files, "/nowhere/model.onnx", 5, NULL) == STATUS_NOT_FOUND);
    cr_assert(files_open(&files, "/dev/null/model.onnx", 5, NULL) == STATUS_NOT_FOUND);
    cr_assert(files_open(&files, "/nothing", 5, NULL) == STATUS_NOT_FOUND);
    cr_assert(files.directory == -1 && files.count == 0);
}
