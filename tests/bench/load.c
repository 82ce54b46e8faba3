/* load FILE.onnx: how long opening a model takes beside reading and copying its file, and how much
 * memory it needs at most beside its weights and its plan. One line of each:
 *
 *     time OPENED_MS COPIED_MS RATIO       medians of alternating runs, the file in the page cache
 *     memory PEAK_BYTES NEEDED_BYTES       of a process that opens it and does nothing else */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "model/describe.h"
#include "model/file.h"
#include "model/model.h"

enum { RUNS = 21 };

static double now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

static void fail(const char *message)
{
    fprintf(stderr, "load: %s\n", message);
    exit(1);
}

static void read_and_copy(const char *path)
{
    struct file file;
    struct error error;
    if (file_open(&file, path, SIZE_MAX, &error) != STATUS_OK)
        fail(error.message);
    char *bytes = malloc(file.count), *copy = malloc(file.count);
    if (!bytes || !copy || file_read(&file, 0, file.count, bytes, &error) != STATUS_OK)
        fail("cannot read the file");
    memcpy(copy, bytes, file.count);
    __asm__ volatile("" ::"r"(copy) : "memory"); /* somebody may look at the copy */
    free(bytes);
    free(copy);
    file_close(&file);
}

/* Returns the bytes of weights and of a row's plan. */
static size_t open_and_close(const char *path)
{
    const struct model_options options = {.level = STATS_full};
    struct model model;
    struct error error;
    if (model_open(&model, path, &options, &error) != STATUS_OK)
        fail(error.message);
    const struct costs costs = describe_costs(&model);
    const size_t bytes = costs.weight_bytes + costs.row_bytes + costs.bitmap_row_bytes;
    model_close(&model);
    return bytes;
}

/* The most memory this process has had resident. */
static size_t peak_bytes(void)
{
    char line[128];
    size_t kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "VmHWM: %zu kB", &kib) == 1)
            break;
    if (status)
        fclose(status);
    return kib * 1024;
}

static void print_memory(const char *path)
{
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        const size_t needed = open_and_close(path);
        printf("memory %zu %zu\n", peak_bytes(), needed);
        exit(0);
    }
    waitpid(child, NULL, 0);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *of)
{
    qsort(of, RUNS, sizeof *of, compare);
    return of[RUNS / 2];
}

static void print_time(const char *path)
{
    double copied[RUNS], opened[RUNS], ratio[RUNS];
    for (size_t i = 0; i < RUNS; i++) {
        const double begin = now_ms();
        read_and_copy(path);
        const double between = now_ms();
        open_and_close(path);
        copied[i] = between - begin;
        opened[i] = now_ms() - between;
        ratio[i] = opened[i] / copied[i];
    }
    printf("time %.2f %.2f %.3f\n", median(opened), median(copied), median(ratio));
}

int main(int count, char **argv)
{
    if (count != 2)
        fail("usage: load FILE.onnx");
    print_memory(argv[1]);
    print_time(argv[1]);
    return 0;
}
