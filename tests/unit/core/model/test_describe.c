/* A model as JSON. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

#include "model/describe.h"
#include "onnx_builder.h"

static json_t *described(void (*write)(struct text *text, const struct model *model),
                         const struct model *model)
{
    struct text text = {.bytes = NULL};
    json_error_t error;
    text_put(&text, "{");
    write(&text, model);
    text_put(&text, "}");
    json_t *json = json_loadb(text.bytes, text.count, JSON_REJECT_DUPLICATES, &error);
    cr_assert(json, "%s: %.*s", error.text, (int)text.count, text.bytes);
    text_free(&text);
    return json;
}

static void expect(json_t *json, const char *expected)
{
    json_t *other = json_loads(expected, 0, NULL);
    char *text = json_dumps(json, JSON_COMPACT);
    cr_assert(other && json_equal(json, other), "%s", text);
    free(text);
    json_decref(other);
    json_decref(json);
}

Test(describe, signature_and_layers)
{
    struct onnx_builder builder;
    struct model model;
    struct error error;
    onnx_open(&builder);
    onnx_small(&builder);
    cr_assert(onnx_load(&builder, &model, &error) == STATUS_OK);
    model.name = "a \"name\"";
    strcpy(model.digest, "sha256:0");
    expect(described(describe_signature, &model),
           "{\"name\": \"a \\\"name\\\"\", \"version\": \"1\", \"digest\": \"sha256:0\","
           " \"inputs\": [{\"name\": \"x\", \"datatype\": \"FP32\", \"shape\": [-1, 4]}],"
           " \"outputs\": [{\"name\": \"y\", \"datatype\": \"FP32\", \"shape\": [-1, 2]}]}");
    expect(described(describe_layers, &model),
           "{\"layers\": [{\"name\": \"fc1\", \"kind\": \"dense\", \"inputs\": 4, \"outputs\": 3,"
           " \"activation\": {\"type\": \"relu\"}, \"parameters\": 15, \"mflops\": 0.000024},"
           " {\"name\": \"fc2\", \"kind\": \"dense\", \"inputs\": 3, \"outputs\": 2,"
           " \"activation\": {\"type\": \"identity\"}, \"parameters\": 8, \"mflops\": 0.000012}]}");
    model_close(&model);
    onnx_close(&builder);
}
