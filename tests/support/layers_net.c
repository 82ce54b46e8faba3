#include "layers_net.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum status layers_load_bytes(struct model *model, const char *json, const uint8_t *bytes,
                              size_t count, struct error *error)
{
    struct arena arena;
    struct safetensors tensors;
    struct files files;
    *model = (struct model){.name = "test", .version = "1", .level = STATS_full};
    arena_init(&model->arena, MODEL_MEMORY_BYTES_MAX);
    arena_init(&arena, MODEL_MEMORY_BYTES_MAX);
    char *text = strdup(json);
    if (!text)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the test");
    for (char *c = text; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    error->message[0] = '\0';
    files_of_bytes(&files, bytes, count);
    enum status status = safetensors_read(&tensors, &arena, &files, error);
    if (status == STATUS_OK)
        status = layers_import(model, text, strlen(text), &tensors, error);
    arena_free(&arena);
    free(text);
    return status == STATUS_OK ? plan_init(&model->plan, &model->graph, error) : status;
}

enum status layers_load(struct model *model, const char *json, const struct weights_file *file,
                        struct error *error)
{
    size_t count;
    uint8_t *bytes = weights_pack(file, &count);
    const enum status status = layers_load_bytes(model, json, bytes, count, error);
    free(bytes);
    return status;
}

void layers_write_digits(struct temporary *directory)
{
    static const char json[] =
        "{\"format\": \"relud-layers\", \"version\": 1,"
        " \"input\": {\"name\": \"pixels\", \"shape\": [64]}, \"output\": {\"name\": \"scores\"},"
        " \"layers\": [{\"type\": \"dense\", \"name\": \"fc1\", \"activation\": \"relu\"},"
        " {\"type\": \"dense\", \"name\": \"fc2\", \"activation\": {\"type\": \"relu\"}},"
        " {\"type\": \"dense\", \"name\": \"fc3\"}]}";
    struct weights_file file;
    size_t count;
    weights_open(&file);
    weights_of_onnx(&file, "models/digits/model.onnx");
    uint8_t *bytes = weights_pack(&file, &count);
    temporary_open(directory);
    temporary_write(directory, "model.json", json, sizeof json - 1);
    temporary_write(directory, "weights.safetensors", bytes, count);
    free(bytes);
    weights_close(&file);
}
