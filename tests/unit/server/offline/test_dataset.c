/* Data sets: lines and arrays into rows, piece by piece, and what is refused. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "offline/dataset.h"
#include "temporary.h"

static const struct port three = {.name = "x", .rank = 2, .dims = {-1, 3}, .features = 3};

struct scene {
    struct temporary temporary;
    struct dataset dataset;
    struct rows rows;
    struct error error;
};

static enum status open_bytes(struct scene *scene, const char *name, const void *bytes,
                              size_t count, const struct port *port)
{
    memset(scene, 0, sizeof *scene);
    temporary_open(&scene->temporary);
    temporary_write(&scene->temporary, name, bytes, count);
    return dataset_open(&scene->dataset, scene->temporary.file, port, &scene->error);
}

static void close_scene(struct scene *scene)
{
    rows_free(&scene->rows);
    dataset_close(&scene->dataset);
    temporary_close(&scene->temporary);
}

/* All rows, most at a time, into x; how many. On failure the error's status is set. */
static size_t read_all(struct scene *scene, size_t most, float *x)
{
    size_t count = 0;
    scene->error.status = STATUS_OK;
    while (dataset_take(&scene->dataset, most, &scene->rows, &scene->error) == STATUS_OK &&
           scene->rows.count > 0) {
        cr_assert(scene->rows.count <= most);
        if (rows_read(&scene->rows, &scene->dataset, x + count * scene->dataset.port->features,
                      &scene->error) != STATUS_OK)
            break;
        count += scene->rows.count;
    }
    return count;
}

static void expect_csv(const char *text, size_t rows, const float *expected)
{
    for (size_t most = 1; most < 5; most++) {
        struct scene scene;
        float x[64];
        cr_assert(open_bytes(&scene, "data", text, strlen(text), &three) == STATUS_OK, "%s: %s",
                  text, scene.error.message);
        cr_assert_eq(read_all(&scene, most, x), rows, "%s: %s", text, scene.error.message);
        cr_assert_arr_eq(x, expected, rows * 3 * sizeof *x, "%s", text);
        close_scene(&scene);
    }
}

Test(dataset, lines_of_numbers)
{
    static const float numbers[] = {1, -2.5f, 3e10f, 4, 0.5f, 6};
    expect_csv("1,-2.5,3e10\n4,0.5,6\n", 2, numbers);
    expect_csv("1,-2.5,3e10\n4,0.5,6", 2, numbers);
    expect_csv("1,-2.5,3e10\r\n4,0.5,6\r\n", 2, numbers);
    expect_csv("1;-2.5;3e10\n4;0.5;6\n\n", 2, numbers);
    expect_csv("1\t-2.5\t3e10\n\n \n4\t0.5\t6\n\n", 2, numbers);
    expect_csv(" 1, -2.5 ,3e10 \n 4 , +.5, 6.\n", 2, numbers);
    expect_csv("a,b,c\n1,-2.5,3e10\n4,0.5,6\n", 2, numbers);
    expect_csv("\xEF\xBB\xBF\"a\",\"b\",\"c\"\n01,-2.50,3.0E+10\n4,5e-1,6\n", 2, numbers);
    expect_csv("\xEF\xBB\xBF"
               "1,-2.5,3e10\n4,0.5,6\n",
               2, numbers);
    expect_csv("a,b,c\n", 0, numbers);
    expect_csv("", 0, numbers);
}

/* The decimal is read as a double, then rounded, as in a request. */
Test(dataset, lines_round_as_requests_do)
{
    static const float numbers[] = {16777216.0f, 0.1f, 1.401298464324817e-45f};
    expect_csv("16777217,0.1,1e-45\n", 1, numbers);
}

static void expect_refusal(const char *name, const void *bytes, size_t count,
                           const struct port *port, const char *says)
{
    struct scene scene;
    float x[64];
    if (open_bytes(&scene, name, bytes, count, port) == STATUS_OK)
        read_all(&scene, 2, x);
    cr_assert(scene.error.status != STATUS_OK, "%s", says);
    cr_assert(strstr(scene.error.message, says) && strstr(scene.error.message, name),
              "expected \"%s\", found \"%s\"", says, scene.error.message);
    close_scene(&scene);
}

Test(dataset, lines_that_are_refused)
{
    static const char *const cases[][2] = {
        {"1,2,3\n4,5\n", "line 2: expected 3 numbers, found 2"},
        {"a,b,c\n\n1,2,3,4\n", "line 3: expected 3 numbers, found 4"},
        {"1,2,3,\n", "line 1: expected 3 numbers, found 4"},
        {"1,2,3\n1,2,3\n1,x,3\n", "line 3: expected a number in column 1, found \"x\""},
        {"1,2,3\n1,,3\n", "line 2: expected a number in column 1, found \"\""},
        {"1,2,3\n1,nan,3\n", "line 2: expected a number in column 1, found \"nan\""},
        {"1,2,3\n1,inf,3\n", "line 2: expected a number in column 1, found \"inf\""},
        {"1,2,3\n1,0x2,3\n", "line 2: expected a number in column 1, found \"0x2\""},
        {"1,2,3\n1,1 2,3\n", "line 2: expected a number in column 1, found \"1 2\""},
        {"1,2,3\n1,2,1e39\n", "line 2: number 2 is beyond float32's range"},
        {"1,2,3\n1,2,\"3\"\n", "line 2: expected a number in column 2, found \"\"3\"\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_refusal("data.csv", cases[i][0], strlen(cases[i][0]), &three, cases[i][1]);
}

/* 64 bytes for each number and 4096 to spare, at the limit and one beyond. */
Test(dataset, lines_have_a_limit)
{
    const size_t most = 4096 + 3 * 64;
    char *line = malloc(most + 8);
    struct scene scene;
    float x[64];
    memset(line, ' ', most);
    memcpy(line, "1,2,3", 5);
    line[most - 1] = '\n';
    cr_assert(open_bytes(&scene, "data.csv", line, most, &three) == STATUS_OK);
    cr_assert_eq(read_all(&scene, 2, x), 1);
    close_scene(&scene);
    line[most - 1] = ' ';
    line[most] = '\n';
    expect_refusal("data.csv", line, most + 1, &three, "line 1 is longer than");
    free(line);
}

/* Arrays */

static size_t array(char *bytes, const char *descr, const char *shape, const void *numbers,
                    size_t count)
{
    const int length =
        sprintf(bytes + 10, "{'descr':'%s','fortran_order':False,'shape':%s}\n", descr, shape);
    memcpy(bytes, NPY_MAGIC "\x01\x00", 8);
    bytes[8] = (char)length;
    bytes[9] = 0;
    memcpy(bytes + 10 + length, numbers, count);
    return 10 + (size_t)length + count;
}

static void expect_array(const char *descr, const char *shape, const void *numbers, size_t count,
                         const struct port *port, const float *expected)
{
    for (size_t most = 1; most < 4; most++) {
        char bytes[512];
        struct scene scene;
        float x[64];
        const size_t total = array(bytes, descr, shape, numbers, count);
        cr_assert(open_bytes(&scene, "data", bytes, total, port) == STATUS_OK, "%s",
                  scene.error.message);
        cr_assert_eq(read_all(&scene, most, x), 2, "%s", scene.error.message);
        cr_assert_arr_eq(x, expected, 6 * sizeof *x);
        close_scene(&scene);
    }
}

static const float six[] = {1, 2, 3, 250, 0, 1};

Test(dataset, arrays_of_every_kind)
{
    static const uint8_t bytes[] = {1, 2, 3, 250, 0, 1};
    static const int64_t longs[] = {1, 2, 3, 250, 0, 1};
    static const double doubles[] = {1, 2, 3, 250, 0, 1};
    static const uint16_t halves[] = {0x3C00, 0x4000, 0x4200, 0x5BD0, 0, 0x3C00};
    static const float truths[] = {1, 1, 1, 1, 0, 1};
    expect_array("<f4", "(2, 3)", six, sizeof six, &three, six);
    expect_array("|u1", "(2, 3)", bytes, sizeof bytes, &three, six);
    expect_array("<i8", "(2, 3)", longs, sizeof longs, &three, six);
    expect_array("<f8", "(2, 3)", doubles, sizeof doubles, &three, six);
    expect_array("<f2", "(2, 3)", halves, sizeof halves, &three, six);
    expect_array("|b1", "(2, 3)", bytes, sizeof bytes, &three, truths);
}

Test(dataset, arrays_have_the_shape_of_the_input)
{
    static const struct port image = {
        .name = "image", .rank = 4, .dims = {-1, 1, 3, 1}, .features = 3};
    static const struct port whole = {.name = "whole", .rank = 2, .dims = {1, 3}, .features = 3};
    char bytes[512];
    expect_array("<f4", "(2, 1, 3, 1)", six, sizeof six, &image, six);
    expect_array("<f4", "(2, 3)", six, sizeof six, &image, six);
    expect_array("<f4", "(2, 1, 3)", six, sizeof six, &whole, six);
    static const char *const others[] = {"(2, 1, 1, 3)", "(6,)",   "()",
                                         "(0, 3)",       "(2, 4)", "(6148914691236517206, 3)"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        const size_t count = array(bytes, "<f4", others[i], six, sizeof six);
        expect_refusal("data.npy", bytes, count, &image,
                       "expected rows for input \"image\" of 3 numbers each, found: shape");
    }
}

Test(dataset, arrays_that_are_cut_short_or_too_long)
{
    char bytes[512];
    const size_t count = array(bytes, "<f4", "(2, 3)", six, sizeof six);
    for (size_t cut = 1; cut < count; cut++)
        expect_refusal("data.npy", bytes, cut, &three,
                       cut < 6 ? "expected an .npy file" : "ends in");
    bytes[count] = 0;
    expect_refusal("data.npy", bytes, count + 1, &three, "to end after row 1, found more bytes");
    static const double wide[] = {1, 2, 3, 4, 1e39, 6};
    const size_t other = array(bytes, "<f8", "(2, 3)", wide, sizeof wide);
    expect_refusal("data.npy", bytes, other, &three, "row 1: number 1 is beyond float32's range");
}

Test(dataset, a_pipe_is_read_in_pieces)
{
    struct scene scene = {.error = {.status = STATUS_OK}};
    char path[96];
    static float x[3 * 30000];
    temporary_open(&scene.temporary);
    snprintf(path, sizeof path, "%s/pipe", scene.temporary.path);
    cr_assert_eq(mkfifo(path, 0600), 0);
    const pid_t writer = fork();
    if (writer == 0) {
        FILE *pipe = fopen(path, "w");
        for (int i = 0; i < 30000; i++)
            fprintf(pipe, "%d,%d,%d\n", i, -i, 7);
        fclose(pipe);
        _exit(0);
    }
    cr_assert(dataset_open(&scene.dataset, path, &three, &scene.error) == STATUS_OK);
    cr_assert_eq(scene.dataset.file_bytes, 0);
    cr_assert_eq(read_all(&scene, 1000, x), 30000, "%s", scene.error.message);
    for (int i = 0; i < 30000; i++)
        cr_assert(x[3 * i] == (float)i && x[3 * i + 1] == (float)-i && x[3 * i + 2] == 7);
    close_scene(&scene);
}

Test(dataset, a_missing_file_is_named)
{
    struct dataset dataset;
    struct error error;
    cr_assert(dataset_open(&dataset, "no/such.csv", &three, &error) == STATUS_NOT_FOUND);
    cr_assert(strstr(error.message, "no/such.csv: "), "%s", error.message);
    cr_assert(dataset_open(&dataset, "core", &three, &error) == STATUS_IO);
    cr_assert(strstr(error.message, "core: "), "%s", error.message);
}
