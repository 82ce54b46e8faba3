/* load FILE.onnx FEATURES OUTPUTS LIBONNXRUNTIME: what it takes until a model is ready to run one
 * row, whose numbers of inputs and outputs are FEATURES and OUTPUTS, and to run it.
 *
 *     peak WHO BYTES        resident at most, of a process that does nothing else
 *     needed BYTES          relud's weights and plan
 *     time WHO MS...        alternating, the file in the page cache
 *
 * WHO is relud, which hashes the file as well, ort, and for the time copy: the file read and copied
 * once in memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contender.h"
#include "cpu.h"
#include "model/describe.h"
#include "model/file.h"

enum { RUNS = 11, WAYS = 3 };

struct load {
    struct subject subject; /* one row of zeros, the model not open */
    struct costs costs;
};

static void must(enum status status, const struct error *error)
{
    if (status != STATUS_OK)
        fail("load", error->message);
}

static void copy(struct load *load)
{
    struct file file;
    struct error error;
    must(file_open(&file, load->subject.path, SIZE_MAX, &error), &error);
    char *bytes = must_alloc(file.count, 1), *second = must_alloc(file.count, 1);
    must(file_read(&file, 0, file.count, bytes, &error), &error);
    memcpy(second, bytes, file.count);
    __asm__ volatile("" ::"r"(second) : "memory"); /* somebody may look at the copy */
    free(bytes);
    free(second);
    file_close(&file);
}

static void open_and_run(const struct contender *contender, const struct subject *subject)
{
    void *self = contender->open(subject);
    contender->run(self, 0);
    contender->close(self);
}

static void relud(struct load *load)
{
    const struct model_options options = {.level = STATS_full};
    struct subject *subject = &load->subject;
    struct error error;
    must(model_open(&subject->model, subject->path, &options, &error), &error);
    if (subject->model.inputs[0].features != subject->features ||
        subject->model.outputs[0].features != subject->outputs)
        fail("load", "the model has other inputs or outputs");
    load->costs = describe_costs(&subject->model);
    open_and_run(&contender_full, subject);
    model_close(&subject->model);
}

static void ort(struct load *load)
{
    open_and_run(&contender_ort, &load->subject);
}

static const struct {
    const char *name;
    void (*load)(struct load *load);
} ways[WAYS] = {{"relud", relud}, {"ort", ort}, {"copy", copy}};

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

static void print_peak(struct load *load, size_t way)
{
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        ways[way].load(load);
        printf("peak %s %zu\n", ways[way].name, peak_bytes());
        if (ways[way].load == relud)
            printf("needed %zu\n",
                   load->costs.weight_bytes + load->costs.row_bytes + load->costs.bitmap_row_bytes);
        exit(0);
    }
    int status;
    if (waitpid(child, &status, 0) != child || status != 0)
        fail(ways[way].name, "did not load the model");
}

static void print_times(struct load *load)
{
    double ms[WAYS][RUNS];
    for (size_t i = 0; i < RUNS; i++)
        for (size_t way = 0; way < WAYS; way++) {
            const uint64_t begun = cpu_clock_ns();
            ways[way].load(load);
            ms[way][i] = (double)(cpu_clock_ns() - begun) * 1e-6;
        }
    for (size_t way = 0; way < WAYS; way++) {
        printf("time %s", ways[way].name);
        for (size_t i = 0; i < RUNS; i++)
            printf(" %.3f", ms[way][i]);
        putchar('\n');
    }
}

int main(int count, char **arguments)
{
    if (count != 5)
        fail("usage", "load FILE.onnx FEATURES OUTPUTS LIBONNXRUNTIME");
    struct load load = {.subject = {.path = arguments[1], .rows = 1, .threads = 1}};
    load.subject.features = strtoul(arguments[2], NULL, 10);
    load.subject.outputs = strtoul(arguments[3], NULL, 10);
    load.subject.ort_library = arguments[4];
    float *zeros = calloc(load.subject.features, sizeof *zeros);
    for (size_t i = 0; i < DIFFERENT_INPUTS; i++)
        load.subject.inputs[i] = zeros;
    print_peak(&load, 0);
    print_peak(&load, 1);
    print_times(&load);
    free(zeros);
    return 0;
}
