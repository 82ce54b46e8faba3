/* Opening models: paths, names, digests, overrides. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "failing_malloc.h"
#include "layers_net.h"
#include "nets.h"
#include "onnx_builder.h"
#include "temporary.h"

static const struct model_options defaults = {.level = STATS_full};

/* A directory with the small network, and config.json unless config is NULL. */
static void make_model(struct temporary *directory, const char *config)
{
    struct onnx_builder builder;
    size_t count;
    onnx_open(&builder);
    onnx_small(&builder);
    const uint8_t *bytes = onnx_pack(&builder, &count);
    temporary_open(directory);
    temporary_write(directory, "model.onnx", bytes, count);
    if (config)
        temporary_write(directory, "config.json", config, strlen(config));
    onnx_close(&builder);
}

static void open_model(struct model *model, const char *path, const struct model_options *options)
{
    struct error error;
    cr_assert(model_open(model, path, options, &error) == STATUS_OK, "%s", error.message);
}

static void expect_refused(const char *path, enum status status, const char *says)
{
    struct model model;
    struct error error;
    cr_assert(model_open(&model, path, &defaults, &error) == status, "%s: %s", path, error.message);
    cr_assert(strstr(error.message, path) && strstr(error.message, says), "%s: %s", path,
              error.message);
    cr_assert(!model.arena.blocks, "nothing is left open");
}

static void expect_name(const char *path, const char *expected)
{
    char name[MODEL_NAME_BYTES];
    model_path_name(name, path);
    cr_assert_str_eq(name, expected);
}

Test(model, is_named_after_its_path)
{
    expect_name("models/digits", "digits");
    expect_name("models/digits/", "digits");
    expect_name("models/digits///", "digits");
    expect_name("digits.onnx", "digits");
    expect_name("/a/b.onnx", "b");
    expect_name("/a/b.onnx.txt", "b.onnx.txt");
    expect_name("a/.onnx", ".onnx");
    expect_name("x", "x");
    char longest[400];
    memset(longest, 'n', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    char name[MODEL_NAME_BYTES];
    model_path_name(name, longest);
    cr_assert(strlen(name) == MODEL_NAME_BYTES - 1);
}

Test(model, is_a_directory_or_a_file)
{
    struct temporary directory;
    struct model model;
    char file[128];
    make_model(&directory, "{\"stats\": \"counts\", \"max_batch_rows\": 5}");
    open_model(&model, directory.path, &defaults);
    cr_assert(model.level == STATS_counts && model.max_batch_rows == 5);
    cr_assert_str_eq(model.name, strrchr(directory.path, '/') + 1);
    cr_assert_str_eq(model.version, "1");
    model_close(&model);
    snprintf(file, sizeof file, "%s/model.onnx", directory.path);
    open_model(&model, file, &defaults);
    cr_assert(model.level == STATS_full && model.max_batch_rows == 0, "a file has no config.json");
    cr_assert_str_eq(model.name, "model");
    model_close(&model);
    temporary_close(&directory);
}

/* A directory with those files, which need not be sound. */
static void make_files(struct temporary *directory, const char *const *names, size_t count)
{
    temporary_open(directory);
    for (size_t i = 0; i < count; i++)
        temporary_write(directory, names[i], "{}", 2);
}

static void check_files(const char *const *names, size_t count, bool is_model, const char *says)
{
    struct temporary directory;
    struct model model;
    struct error error;
    make_files(&directory, names, count);
    cr_assert(model_in_directory(directory.path) == is_model, "%s", says);
    cr_assert(model_open(&model, directory.path, &defaults, &error) != STATUS_OK);
    cr_assert(strstr(error.message, directory.path) && strstr(error.message, says), "%s",
              error.message);
    temporary_close(&directory);
}

Test(model, a_directory_holds_one_network)
{
    static const char *const names[] = {"config.json", "weights.safetensors", "model.json",
                                        "model.onnx"};
    check_files(names, 2, false, "expected a file model.onnx or model.json in it, found none");
    check_files(names + 2, 1, true, "a file weights.safetensors beside model.json, found none");
    check_files(names + 2, 2, true, "a file model.onnx or model.json in it, found both");
    check_files(names, 3, true, "weights.safetensors: expected a safetensors file, found 2 bytes");
    check_files(names + 3, 1, true, "model.onnx: ");
    cr_assert(!model_in_directory("README.md") && !model_in_directory("/nowhere"));
}

Test(model, layers_are_a_model_like_any_other)
{
    static const char config[] = "{\"stats\": \"counts\", \"activations\": {\"fc1\": \"tanh\"}}";
    struct temporary directory;
    struct model model;
    layers_write_digits(&directory);
    temporary_write(&directory, "config.json", config, sizeof config - 1);
    open_model(&model, directory.path, &defaults);
    cr_assert(model.level == STATS_counts);
    cr_assert_str_eq(model.name, strrchr(directory.path, '/') + 1);
    cr_assert(model.graph.nodes[0].activation.type == ACTIVATION_tanh);
    cr_assert(model.graph.nodes[1].activation.type == ACTIVATION_relu);
    model_close(&model);
    temporary_write(&directory, "model.json", "{", 1);
    expect_refused(directory.path, STATUS_INVALID, "model.json: line 1");
    temporary_close(&directory);
}

Test(model, takes_name_and_level_from_its_options)
{
    struct temporary directory;
    struct model model;
    make_model(&directory, NULL);
    open_model(&model, directory.path,
               &(struct model_options){.name = "chosen", .level = STATS_off});
    cr_assert_str_eq(model.name, "chosen");
    cr_assert(model.level == STATS_off);
    model_close(&model);
    temporary_close(&directory);
}

Test(model, what_cannot_be_opened_is_named)
{
    struct temporary directory;
    temporary_open(&directory);
    expect_refused("/nowhere/at/all", STATUS_NOT_FOUND, "No such file");
    expect_refused(directory.path, STATUS_NOT_FOUND, "model.onnx");
    expect_refused(temporary_write(&directory, "empty.onnx", "", 0), STATUS_INVALID, "empty");
    expect_refused(temporary_write(&directory, "text.onnx", "hello", 5), STATUS_INVALID,
                   "protobuf");
    expect_refused("/dev/null", STATUS_INVALID, "regular file");
    temporary_close(&directory);
    make_model(&directory, "{\"stat\": 1}");
    expect_refused(directory.path, STATUS_INVALID, "config.json: unknown key \"stat\"");
    temporary_write(&directory, "model.onnx", "hello", 5);
    expect_refused(directory.path, STATUS_INVALID, "model.onnx: ");
    temporary_close(&directory);
}

/* --activation */

static struct activation_override override(const char *layer, const char *activation)
{
    return (struct activation_override){layer, net_parse(activation)};
}

static enum status open_with(struct model *model, const char *path, size_t count,
                             const struct activation_override *overrides, struct error *error)
{
    const struct model_options options = {
        .level = STATS_full, .overrides = overrides, .override_count = count};
    return model_open(model, path, &options, error);
}

Test(model, overrides_come_after_config_json_and_in_order)
{
    struct temporary directory;
    struct model model;
    struct error error;
    make_model(&directory, "{\"activations\": {\"fc1\": {\"type\": \"tanh\"}}}");
    cr_assert(open_with(&model, directory.path, 2,
                        (const struct activation_override[]){override("fc1", "elu(alpha=3)"),
                                                             override("fc2", "sigmoid")},
                        &error) == STATUS_OK);
    cr_assert(model.graph.nodes[0].activation.type == ACTIVATION_elu);
    cr_assert(model.graph.nodes[0].activation.parameters[0] == 3);
    cr_assert(model.graph.nodes[1].activation.type == ACTIVATION_sigmoid);
    cr_assert(model.plan.layer_count == 2, "planned with the activations in effect");
    model_close(&model);
    cr_assert(open_with(&model, directory.path, 2,
                        (const struct activation_override[]){override("fc1", "elu"),
                                                             override("*", "leaky_relu")},
                        &error) == STATUS_OK);
    cr_assert(model.graph.nodes[0].activation.type == ACTIVATION_leaky_relu);
    cr_assert(model.graph.nodes[1].activation.type == ACTIVATION_identity);
    model_close(&model);
    temporary_close(&directory);
}

static void expect_override_refused(const char *path, const char *layer, const char *activation,
                                    enum status status, const char *says)
{
    struct model model;
    struct error error;
    const struct activation_override one = override(layer, activation);
    cr_assert(open_with(&model, path, 1, &one, &error) == status, "%s", error.message);
    cr_assert(strstr(error.message, says) != NULL, "%s", error.message);
    cr_assert(strstr(error.message, path) != NULL, "the file is not named: %s", error.message);
}

Test(model, overrides_that_fit_nothing_are_refused)
{
    struct temporary directory;
    make_model(&directory, NULL);
    expect_override_refused(directory.path, "fc9", "relu", STATUS_NOT_FOUND, "\"fc9\"");
    expect_override_refused(directory.path, "", "relu", STATUS_NOT_FOUND, "\"\"");
    expect_override_refused(directory.path, "fc1", "softmax", STATUS_UNSUPPORTED, "softmax");
    temporary_close(&directory);
}

/* Digests: of the files and of what the activations are in the end. */

static void digest_of(char digest[MODEL_DIGEST_BYTES], const char *path, const char *layer,
                      const char *activation)
{
    struct model model;
    struct error error;
    const struct activation_override one = override(layer, activation);
    cr_assert(open_with(&model, path, activation[0] ? 1 : 0, &one, &error) == STATUS_OK, "%s",
              error.message);
    memcpy(digest, model.digest, MODEL_DIGEST_BYTES);
    model_close(&model);
}

static bool same_digest(const char *path, const char *activation, const char *other)
{
    char a[MODEL_DIGEST_BYTES], b[MODEL_DIGEST_BYTES];
    digest_of(a, path, "*", activation);
    digest_of(b, path, "*", other);
    return strcmp(a, b) == 0;
}

Test(model, the_digest_is_of_files_and_activations)
{
    struct temporary directory;
    char before[MODEL_DIGEST_BYTES], after[MODEL_DIGEST_BYTES];
    make_model(&directory, NULL);
    digest_of(before, directory.path, "*", "relu");
    cr_assert(strncmp(before, "sha256:", 7) == 0 && strlen(before) == 71);
    cr_assert(strspn(before + 7, "0123456789abcdef") == 64);
    cr_assert(same_digest(directory.path, "relu", "relu"));
    cr_assert(!same_digest(directory.path, "relu", "tanh"));
    cr_assert(!same_digest(directory.path, "elu(alpha=1)", "elu(alpha=2)"));
    cr_assert(same_digest(directory.path, "elu(alpha=1)", "elu"));
    temporary_write(&directory, "config.json", "{\"baseline\": \"p.json\"}", 22);
    digest_of(after, directory.path, "*", "relu");
    cr_assert(strcmp(before, after) == 0, "what a model is compared with does not make it another");
    temporary_write(&directory, "config.json", "{\"max_batch_rows\": 7}", 21);
    digest_of(after, directory.path, "*", "relu");
    cr_assert(strcmp(before, after) != 0, "config.json is one of the files");
    temporary_close(&directory);
}

/* Changes what a file says without making it unsound: a space more, another last number. */
static void change(const struct temporary *directory, const char *name, bool append)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory->path, name);
    FILE *file = fopen(path, append ? "ab" : "r+b");
    cr_assert(file && (append || fseek(file, -1, SEEK_END) == 0));
    cr_assert(fputc(append ? ' ' : 0, file) != EOF && fclose(file) == 0);
}

Test(model, the_digest_is_of_layers_and_weights)
{
    struct temporary directory;
    char digests[3][MODEL_DIGEST_BYTES];
    layers_write_digits(&directory);
    digest_of(digests[0], directory.path, "*", "relu");
    change(&directory, "model.json", true);
    digest_of(digests[1], directory.path, "*", "relu");
    change(&directory, "weights.safetensors", false);
    digest_of(digests[2], directory.path, "*", "relu");
    cr_assert(strcmp(digests[0], digests[1]) != 0 && strcmp(digests[1], digests[2]) != 0);
    temporary_close(&directory);
}

/* A prelu of the file with a slope per unit is not a prelu of one slope. */
Test(model, the_digest_is_of_slopes_too)
{
    static const float slopes[3] = {0.5f, 1, 2};
    struct onnx_builder builder;
    struct temporary directory;
    char own[MODEL_DIGEST_BYTES], changed[MODEL_DIGEST_BYTES];
    size_t count;
    onnx_open(&builder);
    onnx_small(&builder);
    onnx_matrix(&builder, "slope", 0, 3, slopes);
    builder.graph->node[1]->op_type = (char *)"PRelu";
    builder.graph->node[1]->input[1] = (char *)"slope";
    builder.graph->node[1]->n_input = 2;
    const uint8_t *bytes = onnx_pack(&builder, &count);
    temporary_open(&directory);
    temporary_write(&directory, "model.onnx", bytes, count);
    struct model model;
    open_model(&model, directory.path, &defaults);
    cr_assert(model.graph.nodes[0].activation.slope[2] == 2);
    memcpy(own, model.digest, sizeof own);
    model_close(&model);
    digest_of(changed, directory.path, "*", "prelu(slope=0.25)");
    cr_assert(strcmp(own, changed) != 0);
    temporary_close(&directory);
    onnx_close(&builder);
}

/* Whichever request for memory fails, opening fails with a sentence, and leaks nothing. Only for
 * the thread that hashes the file there is another way: to do without it. */
Test(model, a_failing_malloc_is_an_error)
{
    struct temporary directory;
    struct model model;
    struct error error;
    size_t failures = 0, done_without = 0;
    if (!malloc_watched())
        cr_skip_test("malloc is AddressSanitizer's here");
    make_model(&directory, "{\"inputs\": {\"x\": {\"min\": 0, \"max\": 1}},"
                           " \"outputs\": {\"y\": {\"labels\": [\"a\", \"b\"]}}}");
    for (bool blown = true; blown; failures += blown) {
        malloc_fail_after(failures);
        const enum status status = model_open(&model, directory.path, &defaults, &error);
        blown = malloc_stop_failing();
        cr_assert(blown || status == STATUS_OK, "request %zu: %s", failures, error.message);
        cr_assert(status == STATUS_OK || (error.message[0] && !model.arena.blocks));
        cr_assert(status != STATUS_OK || strlen(model.digest) == MODEL_DIGEST_BYTES - 1);
        done_without += blown && status == STATUS_OK;
        model_close(&model);
    }
    cr_assert(failures > 30, "%zu requests", failures);
    cr_assert(done_without <= 1, "%zu requests for nothing", done_without);
    temporary_close(&directory);
}

Test(model, rows_of_a_shape)
{
    static const struct port open = {.rank = 3, .dims = {-1, 2, 3}};
    static const struct port whole = {.rank = 2, .dims = {2, 3}};
    static const struct port one = {.rank = 0};
    static const struct {
        const struct port *port;
        size_t rank, dims[4], rows;
    } cases[] = {
        {&open, 3, {5, 2, 3}, 5},  {&open, 3, {5, 3, 2}, 0},
        {&open, 2, {2, 3}, 0},     {&open, 4, {1, 5, 2, 3}, 0},
        {&open, 0, {0}, 0},        {&whole, 2, {2, 3}, 1},
        {&whole, 2, {3, 3}, 0},    {&whole, 2, {2, 2}, 0},
        {&whole, 3, {4, 2, 3}, 4}, {&whole, 4, {1, 4, 2, 3}, 0},
        {&whole, 1, {6}, 0},       {&one, 0, {0}, 1},
        {&one, 1, {7}, 7},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_assert(port_rows(cases[i].port, cases[i].rank, cases[i].dims) == cases[i].rows,
                  "case %zu", i);
}
