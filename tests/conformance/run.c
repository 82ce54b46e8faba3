/* conformance: runs directories in the layout of ONNX's test data.
 *
 *     conformance OUT_OF_SCOPE DIR...
 *
 * Each DIR holds test_<name>/model.onnx with test_data_set_<i>/input_<j>.pb and output_<j>.pb. A
 * case passes when every output of every data set is within rtol 1e-3 and atol 1e-5 of what the
 * file says, with every usable kernel, alone and as the last of three equal rows. A case that is
 * refused as it is, because weights or shapes are inputs of its graph, which relud wants constant,
 * is tried again with all inputs but the first as initializers; nothing else is changed, and the
 * last line says how many cases passed so. Cases whose name fits a pattern in OUT_OF_SCOPE must be
 * refused at load, or have outputs that are left out. */
#include <dirent.h>
#include <fnmatch.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "graph/session.h"
#include "model/model.h"
#include "model/onnx.h"
#include "onnx.pb-c.h"

enum { PATH_BYTES = 4096, ROWS = 3, LIST_MAX = 1024 };

struct counts {
    size_t passed, baked, failed, outside;
};

/* How a case went. */
struct outcome {
    bool passed;
    bool baked; /* inputs became initializers */
    bool taken; /* relud serves all of its outputs */
    char why[ERROR_MESSAGE_BYTES + 256];
};

struct list {
    char *patterns[LIST_MAX];
    size_t count;
};

static Onnx__TensorProto *read_tensor(const char *set, const char *kind, size_t i)
{
    char path[PATH_BYTES];
    struct arena arena;
    struct file file;
    Onnx__TensorProto *tensor = NULL;
    snprintf(path, sizeof path, "%s/%s_%zu.pb", set, kind, i);
    arena_init(&arena, SIZE_MAX);
    if (file_load(&arena, path, SIZE_MAX, &file, NULL) == STATUS_OK)
        tensor = onnx__tensor_proto__unpack(NULL, file.count, file.bytes);
    arena_free(&arena);
    return tensor;
}

/* The floats of a tensor; NULL when it holds something else. */
static const float *floats(const Onnx__TensorProto *tensor, size_t *count)
{
    if (!tensor || tensor->data_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT)
        return NULL;
    *count = tensor->has_raw_data ? tensor->raw_data.len / sizeof(float) : tensor->n_float_data;
    return tensor->has_raw_data ? (const float *)(const void *)tensor->raw_data.data
                                : tensor->float_data;
}

/* Appends inputs 1… of the data set to the initializers. */
static void bake(struct onnx_file *onnx, const char *set)
{
    Onnx__GraphProto *graph = onnx->proto->graph;
    const size_t count = graph->n_initializer;
    Onnx__TensorProto **list =
        arena_alloc(&onnx->arena, count + graph->n_input, sizeof *graph->initializer);
    if (count > 0)
        memcpy(list, graph->initializer, count * sizeof *list);
    graph->initializer = list;
    for (size_t i = 1; i < graph->n_input; i++) {
        Onnx__TensorProto *tensor = read_tensor(set, "input", i);
        if (!tensor)
            continue;
        free(tensor->name);
        tensor->name = strdup(graph->input[i]->name);
        list[graph->n_initializer++] = tensor;
    }
}

/* The initializers from first on, which bake() appended. */
static void free_baked(const Onnx__GraphProto *graph, size_t first)
{
    for (size_t i = first; i < graph->n_initializer; i++)
        onnx__tensor_proto__free_unpacked(graph->initializer[i], NULL);
}

static enum status import(struct model *model, const char *path, const char *baked_from,
                          struct error *error)
{
    struct onnx_file onnx;
    *model = (struct model){.name = "conformance", .version = "1"};
    arena_init(&model->arena, MODEL_MEMORY_BYTES_MAX);
    if (onnx_file_open(&onnx, path, error) != STATUS_OK)
        return error->status;
    const Onnx__GraphProto *graph = onnx.proto->graph;
    const size_t own = graph->n_initializer;
    if (baked_from)
        bake(&onnx, baked_from);
    enum status status = onnx_import(model, &onnx, error);
    free_baked(graph, own);
    onnx_file_close(&onnx);
    return status == STATUS_OK ? plan_init(&model->plan, &model->graph, error) : status;
}

/* NaN is like NaN, an infinity like itself. */
static bool close_to(float found, float expected)
{
    if (isnan(expected) || isinf(expected))
        return isnan(expected) ? isnan(found) : found == expected;
    return fabs((double)found - (double)expected) <= 1e-5 + 1e-3 * fabs((double)expected);
}

/* The output file of output i of the model: outputs that are no floats are left out. */
static Onnx__TensorProto *read_output(const char *set, size_t i)
{
    for (size_t file = 0;; file++) {
        Onnx__TensorProto *tensor = read_tensor(set, "output", file);
        size_t count;
        if (!tensor || (floats(tensor, &count) && i-- == 0))
            return tensor;
        onnx__tensor_proto__free_unpacked(tensor, NULL);
    }
}

static bool check_output(const struct session *session, const struct model *model, size_t i,
                         size_t rows, size_t repeat, const char *set, char *why)
{
    const size_t features = model->outputs[i].features;
    size_t count = 0;
    Onnx__TensorProto *tensor = read_output(set, i);
    const float *expected = floats(tensor, &count);
    float *row = malloc(features * sizeof *row);
    bool fits = expected && count == rows * features;
    if (!fits)
        sprintf(why, "output %zu: expected %zu numbers, relud makes %zu x %zu", i, count, rows,
                features);
    for (size_t r = 0; fits && r < rows; r++) {
        session_output(session, i, repeat * rows + r, row);
        for (size_t j = 0; fits && j < features; j++) {
            fits = close_to(row[j], expected[r * features + j]);
            if (!fits)
                sprintf(why, "output %zu, row %zu, element %zu: expected %g, found %g", i, r, j,
                        (double)expected[r * features + j], (double)row[j]);
        }
    }
    free(row);
    if (tensor)
        onnx__tensor_proto__free_unpacked(tensor, NULL);
    return fits;
}

/* The inputs of the data set, the rows of all repeated ROWS times. */
static float *read_input(const struct model *model, const char *set, size_t i, size_t *rows,
                         char *why)
{
    size_t count = 0, features = model->inputs[i].features;
    Onnx__TensorProto *tensor = read_tensor(set, "input", i);
    const float *x = floats(tensor, &count);
    float *repeated = x ? malloc(ROWS * count * sizeof *x + 64) : NULL;
    if (!x || count % features != 0 || count == 0)
        sprintf(why, "input %zu: expected rows of %zu numbers, found %zu", i, features, count);
    else
        for (size_t r = 0; r < ROWS; r++)
            memcpy(repeated + r * count, x, count * sizeof *x);
    *rows = count / features;
    if (tensor)
        onnx__tensor_proto__free_unpacked(tensor, NULL);
    return repeated;
}

static bool run_set(const struct model *model, const struct kernels *kernels, const char *set,
                    char *why)
{
    float *inputs[GRAPH_IO_MAX] = {NULL};
    size_t rows = 0, all = 0;
    struct session session;
    struct error error;
    why[0] = '\0';
    for (size_t i = 0; i < model->graph.input_count; i++)
        inputs[i] = read_input(model, set, i, &rows, why);
    for (size_t repeats = 1; !why[0] && repeats <= ROWS; repeats += ROWS - 1) {
        all = rows * repeats;
        if (session_open(&session, &model->plan, kernels, STATS_full, all, &error) != STATUS_OK) {
            sprintf(why, "%s", error.message);
            break;
        }
        memset(session.memory, 0xFF, all * model->plan.floats_per_row * sizeof(float)); /* NaN */
        for (size_t i = 0; i < model->graph.input_count; i++)
            session_bind(&session, i, inputs[i]);
        session_begin(&session, all);
        session_advance(&session, UINT64_MAX);
        for (size_t i = 0; !why[0] && i < model->graph.output_count; i++)
            check_output(&session, model, i, rows, repeats - 1, set, why);
        session_close(&session);
    }
    for (size_t i = 0; i < model->graph.input_count; i++)
        free(inputs[i]);
    return !why[0];
}

static bool exists(const char *path)
{
    struct stat stat_buffer;
    return stat(path, &stat_buffer) == 0;
}

/* Imports the case as it is, or else with the inputs of that data set as initializers. */
static bool import_case(struct model *model, const char *path, const char *set,
                        struct outcome *outcome)
{
    struct error error;
    enum status status = STATUS_INVALID;
    if (!outcome->baked) {
        status = import(model, path, NULL, &error);
        outcome->baked = status != STATUS_OK;
        if (outcome->baked)
            model_close(model);
    }
    if (outcome->baked)
        status = import(model, path, set, &error);
    if (status != STATUS_OK)
        sprintf(outcome->why, "%s", error.message);
    return status == STATUS_OK;
}

static void run_case(const char *path, struct outcome *outcome)
{
    char model_path[PATH_BYTES + 32], set[PATH_BYTES + 32];
    size_t isas, sets = 0;
    const struct kernels *const *kernels = kernels_usable(&isas);
    snprintf(model_path, sizeof model_path, "%s/model.onnx", path);
    sprintf(outcome->why, "no test_data_set_0");
    do {
        struct model model;
        snprintf(set, sizeof set, "%s/test_data_set_%zu", path, sets);
        if (!exists(set))
            break;
        outcome->passed = import_case(&model, model_path, set, outcome);
        outcome->taken = outcome->passed && model.left_out_count == 0;
        for (size_t i = 0; outcome->passed && i < isas; i++)
            outcome->passed = run_set(&model, kernels[i], set, outcome->why);
        model_close(&model);
        sets++;
    } while (outcome->passed);
}

static bool listed(const struct list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (fnmatch(list->patterns[i], name, FNM_EXTMATCH) == 0)
            return true;
    return false;
}

static void read_list(struct list *list, const char *path)
{
    char line[512];
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        char *rest = line, *word;
        while (line[0] != '#' && (word = strtok_r(rest, " \t\n", &rest)) && list->count < LIST_MAX)
            list->patterns[list->count++] = strdup(word);
    }
    if (file)
        fclose(file);
}

static void count_case(const char *name, const struct outcome *outcome, bool scoped,
                       struct counts *counts)
{
    if (scoped ? !outcome->passed : outcome->taken)
        printf("FAIL %s: %s\n", name,
               scoped ? outcome->why : "listed as out of scope, but relud serves it");
    if (!scoped && !outcome->taken)
        counts->outside++;
    else if (!scoped || !outcome->passed)
        counts->failed++;
    else
        counts->passed++;
    counts->baked += scoped && outcome->passed && outcome->baked;
}

static void run_directory(const char *directory, const struct list *outside, struct counts *counts)
{
    struct dirent **entries;
    int count = scandir(directory, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        char path[PATH_BYTES];
        struct outcome outcome = {.passed = false};
        snprintf(path, sizeof path, "%s/%s", directory, name);
        if (strncmp(name, "test_", 5) == 0) {
            run_case(path, &outcome);
            count_case(name, &outcome, !listed(outside, name), counts);
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

int main(int argc, char **argv)
{
    struct list outside = {.count = 0};
    struct counts counts = {0};
    if (argc < 3) {
        fprintf(stderr, "usage: conformance OUT_OF_SCOPE DIR...\n");
        return 2;
    }
    read_list(&outside, argv[1]);
    for (int i = 2; i < argc; i++)
        run_directory(argv[i], &outside, &counts);
    for (size_t i = 0; i < outside.count; i++)
        free(outside.patterns[i]);
    printf("%zu passed (%zu with inputs as initializers), %zu failed, %zu out of scope\n",
           counts.passed, counts.baked, counts.failed, counts.outside);
    return counts.failed > 0 || counts.passed == 0;
}
