/* model.json and weights.safetensors that are cut or damaged are refused, or read as what they
 * became; nothing crashes. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "failing_malloc.h"
#include "layers_net.h"
#include "onnx_builder.h"
#include "randoms.h"

static const char json[] =
    "{'format':'relud-layers','version':1,'input':{'name':'x','shape':[2,4,4]},"
    "'output':{'name':'y'},'layers':["
    "{'type':'conv2d','name':'c','padding':'same','activation':{'type':'prelu','slope':'s'}},"
    "{'type':'batch_norm','name':'bn'},{'type':'max_pool2d','kernel_size':[2,2]},"
    "{'type':'dense','weight':'fc','layout':'out_in','activation':'softmax'}]}";

static void open_weights(struct weights_file *file)
{
    struct randoms random = {3};
    float numbers[64];
    random_floats(&random, RANDOM_PLAIN, numbers, 64);
    numbers[0] = 0.5f;
    weights_open(file);
    weights_floats(file, "c.weight", 4, (const int64_t[]){3, 2, 3, 3}, numbers);
    weights_floats(file, "s", 1, (const int64_t[]){1}, numbers);
    weights_floats(file, "bn.running_mean", 1, (const int64_t[]){3}, numbers);
    weights_add(file, "bn.running_var", "F16", 1, (const int64_t[]){3}, "\0\x3c\0\x40\0\x42", 6);
    weights_floats(file, "fc", 2, (const int64_t[]){2, 12}, numbers);
}

/* Runs a model that was accepted, unless damage made it large. */
static void run_accepted(const struct model *model)
{
    enum { LARGEST = 1 << 12 };
    float x[2 * LARGEST] = {0}, y[2 * LARGEST];
    if (model->inputs[0].features <= LARGEST && model->outputs[0].features <= LARGEST &&
        model->plan.floats_per_row <= LARGEST)
        model_run(model, x, 2, y);
}

/* Loads text over bytes and runs what comes of it; whether it was accepted. */
static bool survives(const char *text, const uint8_t *bytes, size_t count)
{
    struct model model;
    struct error error;
    const bool accepted = layers_load_bytes(&model, text, bytes, count, &error) == STATUS_OK;
    if (accepted)
        run_accepted(&model);
    else
        cr_assert(error.status != STATUS_OK && error.message[0], "refused without a sentence");
    model_close(&model);
    return accepted;
}

static void damage(struct randoms *random, uint8_t *bytes, size_t count)
{
    for (size_t flips = random_between(random, 1, 3); flips > 0; flips--)
        bytes[random_between(random, 0, count - 1)] = (uint8_t)random_bits(random);
}

enum { FLIPS = 20000 };

Test(layers_hostile, damaged_weights)
{
    struct randoms random = {1};
    struct weights_file file;
    size_t count, accepted = 0;
    open_weights(&file);
    uint8_t *bytes = weights_pack(&file, &count), *damaged = malloc(count);
    cr_assert(survives(json, bytes, count));
    for (size_t i = 0; i < FLIPS; i++) {
        memcpy(damaged, bytes, count);
        damage(&random, damaged, count);
        accepted += survives(json, damaged, count);
    }
    cr_assert(accepted > FLIPS / 100 && accepted < FLIPS, "%zu were accepted", accepted);
    free(damaged);
    free(bytes);
    weights_close(&file);
}

/* A damaged text keeps its end, so that more of it is looked at. */
Test(layers_hostile, damaged_layers)
{
    struct randoms random = {2};
    struct weights_file file;
    size_t count, accepted = 0;
    char damaged[sizeof json];
    open_weights(&file);
    uint8_t *bytes = weights_pack(&file, &count);
    for (size_t i = 0; i < FLIPS; i++) {
        memcpy(damaged, json, sizeof json);
        for (size_t flips = random_between(&random, 1, 2); flips > 0; flips--)
            damaged[random_between(&random, 0, sizeof json - 2)] =
                json[random_between(&random, 0, sizeof json - 2)];
        accepted += survives(damaged, bytes, count);
    }
    cr_assert(accepted > FLIPS / 1000 && accepted < FLIPS, "%zu were accepted", accepted);
    free(bytes);
    weights_close(&file);
}

Test(layers_hostile, layers_that_are_cut_anywhere_are_refused)
{
    struct weights_file file;
    size_t count;
    char cut[sizeof json] = "";
    open_weights(&file);
    uint8_t *bytes = weights_pack(&file, &count);
    for (size_t i = 0; i < sizeof json - 1; i++) {
        memcpy(cut, json, i);
        cr_assert(!survives(cut, bytes, count), "accepted when cut to %zu", i);
    }
    free(bytes);
    weights_close(&file);
}

/* Deep nesting, in either file, is jansson's to refuse, without overflowing the stack. */
Test(layers_hostile, deep_nesting)
{
    enum { DEPTH = 1 << 20 };
    struct weights_file file;
    size_t count, deep_count;
    char *deep = malloc(DEPTH + 1);
    memset(deep, '[', DEPTH);
    deep[DEPTH] = '\0';
    open_weights(&file);
    uint8_t *bytes = weights_pack(&file, &count);
    uint8_t *deep_bytes = weights_join(deep, NULL, 0, &deep_count);
    cr_assert(!survives(deep, bytes, count));
    cr_assert(!survives(json, deep_bytes, deep_count));
    free(deep_bytes);
    free(bytes);
    free(deep);
    weights_close(&file);
}

/* Whichever request for memory fails, loading fails with a sentence, and leaks nothing. */
Test(layers_hostile, a_failing_malloc_is_an_error)
{
    struct weights_file file;
    size_t count, failures = 0;
    if (!malloc_watched())
        cr_skip_test("malloc is AddressSanitizer's here");
    open_weights(&file);
    uint8_t *bytes = weights_pack(&file, &count);
    char *text = strdup(json);
    for (bool blown = true; blown; failures += blown) {
        struct model model;
        struct error error;
        malloc_fail_after(failures);
        const enum status status = layers_load_bytes(&model, text, bytes, count, &error);
        blown = malloc_stop_failing();
        cr_assert(blown ? status != STATUS_OK && error.message[0] : status == STATUS_OK,
                  "request %zu: %s", failures, error.message);
        model_close(&model);
    }
    cr_assert(failures > 50, "%zu requests", failures);
    free(text);
    free(bytes);
    weights_close(&file);
}
