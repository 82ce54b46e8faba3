/* config.json: what it sets, and that a slip of the pen is refused with a sentence. */
#include <criterion/criterion.h>
#include <string.h>

#include "model/config.h"
#include "onnx_builder.h"

/* The small network: input "x" [N, 4], layers "fc1" (relu) and "fc2", output "y" [N, 2]. */
static void open_small(struct model *model)
{
    struct onnx_builder builder;
    struct error error;
    onnx_open(&builder);
    onnx_small(&builder);
    cr_assert(onnx_load(&builder, model, &error) == STATUS_OK, "%s", error.message);
    onnx_close(&builder);
}

static void apply(struct model *model, const char *json)
{
    struct error error;
    cr_assert(config_apply(model, json, strlen(json), &error) == STATUS_OK, "%s: %s", json,
              error.message);
}

Test(config, nothing_changes_nothing)
{
    struct model model;
    open_small(&model);
    apply(&model, "{}");
    apply(&model, "{\"inputs\": {}, \"outputs\": {\"y\": {}}, \"activations\": {}}");
    cr_assert(!model.inputs[0].min && !model.inputs[0].max && !model.outputs[0].labels);
    cr_assert(model.max_batch_rows == 0 && model.level == STATS_full);
    model_close(&model);
}

Test(config, a_range_is_one_number_or_one_per_feature)
{
    struct model model;
    open_small(&model);
    apply(&model, "{\"inputs\": {\"x\": {\"min\": -1.5, \"max\": [1, 2, 3, 4e0]}}}");
    for (size_t i = 0; i < 4; i++)
        cr_assert(model.inputs[0].min[i] == -1.5f && model.inputs[0].max[i] == (float)(i + 1));
    apply(&model, "{\"inputs\": {\"x\": {\"max\": 16, \"min\": 16}}}");
    cr_assert(model.inputs[0].min[3] == 16 && model.inputs[0].max[0] == 16);
    model_close(&model);
}

Test(config, labels_name_an_output)
{
    struct model model;
    open_small(&model);
    apply(&model, "{\"outputs\": {\"y\": {\"labels\": [\"nein\", \"\\u006aa …\"]}}}");
    cr_assert_str_eq(model.outputs[0].labels[0], "nein");
    cr_assert_str_eq(model.outputs[0].labels[1], "ja …");
    model_close(&model);
}

Test(config, activations_are_set_by_layer)
{
    struct model model;
    open_small(&model);
    apply(&model, "{\"activations\": {\"fc1\": {\"type\": \"leaky_relu\", \"alpha\": 0.125}}}");
    cr_assert(model.graph.nodes[0].activation.type == ACTIVATION_leaky_relu);
    cr_assert(model.graph.nodes[0].activation.parameters[0] == 0.125f);
    apply(&model, "{\"activations\": {\"fc2\": {\"alpha\": 2, \"type\": \"elu\"}}}");
    cr_assert(model.graph.nodes[1].activation.type == ACTIVATION_elu);
    cr_assert(model.graph.nodes[1].activation.parameters[0] == 2);
    apply(&model, "{\"activations\": {\"fc2\": {\"type\": \"identity\"}}}");
    apply(&model, "{\"activations\": {\"*\": {\"type\": \"tanh\"}}}");
    cr_assert(model.graph.nodes[0].activation.type == ACTIVATION_tanh);
    cr_assert(model.graph.nodes[1].activation.type == ACTIVATION_identity, "* is hidden layers");
    model_close(&model);
}

Test(config, limits_and_level_are_set)
{
    struct model model;
    open_small(&model);
    apply(&model, "{\"max_batch_rows\": 1, \"stats\": \"counts\"}");
    cr_assert(model.max_batch_rows == 1 && model.level == STATS_counts);
    apply(&model, "{\"max_batch_rows\": 1048576, \"stats\": \"off\"}");
    cr_assert(model.max_batch_rows == 1048576 && model.level == STATS_off);
    apply(&model, "{\"stats\": \"full\"}");
    cr_assert(model.level == STATS_full);
    model_close(&model);
}

static const struct {
    const char *json, *says;
} refused[] = {
    {"", "line 1"},
    {"{", "line 1"},
    {"{\n\"stats\" \"full\"}", "line 2"},
    {"[]", "config.json: expected an object"},
    {"3", "line 1"},
    {"{} {}", "line 1"},
    {"{\"stats\": \"off\", \"stats\": \"full\"}", "duplicate"},
    {"{\"input\": {}}", "unknown key \"input\""},
    {"{\"\": 1}", "unknown key \"\""},
    {"{\"inputs\": []}", "inputs: expected an object"},
    {"{\"inputs\": {\"z\": {}}}", "no input \"z\""},
    {"{\"inputs\": {\"x\": 16}}", "x: expected an object"},
    {"{\"inputs\": {\"x\": {\"min\": 0}}}", "\"x\": expected both min and max"},
    {"{\"inputs\": {\"x\": {\"max\": 0}}}", "\"x\": expected both min and max"},
    {"{\"inputs\": {\"x\": {\"min\": 2, \"max\": 1}}}", "\"x\": min 2 is above max 1"},
    {"{\"inputs\": {\"x\": {\"min\": [0,0,0,3], \"max\": 2}}}", "min 3 is above max 2"},
    {"{\"inputs\": {\"x\": {\"min\": [0,0,0], \"max\": 2}}}", "a number, or 4 of them"},
    {"{\"inputs\": {\"x\": {\"min\": [0,0,0,\"0\"], \"max\": 2}}}", "a number, or 4 of them"},
    {"{\"inputs\": {\"x\": {\"min\": [0,0,0,0,0], \"max\": 2}}}", "a number, or 4 of them"},
    {"{\"inputs\": {\"x\": {\"min\": null, \"max\": 2}}}", "a number, or 4 of them"},
    {"{\"inputs\": {\"x\": {\"min\": 0, \"max\": 1e39}}}", "a number, or 4 of them"},
    {"{\"inputs\": {\"x\": {\"mean\": 0}}}", "\"x\": unknown key \"mean\""},
    {"{\"outputs\": {\"x\": {}}}", "no output \"x\""},
    {"{\"outputs\": {\"y\": []}}", "y: expected an object"},
    {"{\"outputs\": {\"y\": {\"label\": []}}}", "\"y\": unknown key \"label\""},
    {"{\"outputs\": {\"y\": {\"labels\": [\"a\"]}}}", "\"y\": expected 2 labels"},
    {"{\"outputs\": {\"y\": {\"labels\": [\"a\",\"b\",\"c\"]}}}", "\"y\": expected 2 labels"},
    {"{\"outputs\": {\"y\": {\"labels\": \"ab\"}}}", "\"y\": expected 2 labels"},
    {"{\"outputs\": {\"y\": {\"labels\": [\"a\", 1]}}}", "\"y\": label 1 is no string"},
    {"{\"activations\": {\"fc3\": {\"type\": \"relu\"}}}", "no layer \"fc3\""},
    {"{\"activations\": {\"fc1\": {}}}", "\"fc1\": unknown type \"\""},
    {"{\"activations\": {\"fc1\": 7}}", "\"fc1\""},
    {"{\"activations\": {\"fc1\": {\"type\": 7}}}", "\"fc1\": unknown type"},
    {"{\"activations\": {\"fc1\": {\"type\": \"Relu\"}}}", "unknown type \"Relu\""},
    {"{\"activations\": {\"fc1\": {\"type\": \"relu\", \"alpha\": 1}}}", "relu takes no parameter"},
    {"{\"activations\": {\"fc1\": {\"type\": \"elu\", \"slope\": 1}}}",
     "\"alpha\", found \"slope\""},
    {"{\"activations\": {\"fc1\": {\"type\": \"elu\", \"alpha\": \"1\"}}}", "must be a number"},
    {"{\"activations\": {\"fc1\": {\"type\": \"elu\", \"alpha\": 1e39}}}", "finite"},
    {"{\"activations\": {\"fc1\": {\"type\": \"softmax\"}}}", "softmax"},
    {"{\"max_batch_rows\": 0}", "max_batch_rows must be 1 to 1048576"},
    {"{\"max_batch_rows\": 1048577}", "max_batch_rows must be 1 to 1048576"},
    {"{\"max_batch_rows\": 1.5}", "max_batch_rows"},
    {"{\"max_batch_rows\": \"8\"}", "max_batch_rows"},
    {"{\"stats\": \"some\"}", "\"off\", \"counts\" or \"full\""},
    {"{\"baseline\": 7}", "baseline: expected the name of a file"},
    {"{\"baseline\": \"\"}", "baseline: expected the name of a file, found none"},
    {"{\"baseline\": \"/etc/passwd\"}", "baseline: expected a place inside the model's directory"},
    {"{\"baseline\": \"a/../../b\"}", "baseline: expected a place inside the model's directory"},
    {"{\"stats\": true}", "\"off\", \"counts\" or \"full\""},
};

Test(config, slips_are_refused_with_a_sentence)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct model model;
        struct error error = {STATUS_OK, ""};
        open_small(&model);
        cr_assert(config_apply(&model, refused[i].json, strlen(refused[i].json), &error) !=
                      STATUS_OK,
                  "%s is accepted", refused[i].json);
        cr_assert(error.status != STATUS_OK && strstr(error.message, refused[i].says), "%s: %s",
                  refused[i].json, error.message);
        model_close(&model);
    }
}

static const char *digest_of(const char *json)
{
    static char texts[2][DIGEST_TEXT_BYTES];
    static size_t turn;
    struct digest digest;
    turn = !turn;
    digest_init(&digest);
    digest_add(&digest, "x", 1);
    cr_assert(config_digest(json, strlen(json), &digest, NULL) == STATUS_OK);
    digest_text(&digest, texts[turn]);
    return texts[turn];
}

/* However it is written, and whatever its statistics are compared with, a model stays the same. */
Test(config, the_digest_is_of_what_it_says)
{
    const char *json = "{\"stats\": \"full\", \"outputs\": {\"y\": {}}}";
    cr_assert_str_eq(digest_of(json), digest_of("{\"outputs\":{\"y\":{}},\n\"stats\":\"full\"}"));
    cr_assert_str_eq(digest_of(json), digest_of("{\"baseline\": \"p.json\", \"stats\": \"full\", "
                                                "\"outputs\": {\"y\": {}}}"));
    cr_assert_str_neq(digest_of(json), digest_of("{\"stats\": \"full\"}"));
    char none[DIGEST_TEXT_BYTES];
    struct digest digest;
    digest_init(&digest);
    digest_add(&digest, "x", 1);
    digest_text(&digest, none);
    cr_assert_str_eq(digest_of("{\"baseline\": \"p.json\"}"), none);
    cr_assert_str_eq(digest_of("{}"), none);
}

/* Depth that would be recursion in a parser is jansson's to refuse. */
Test(config, depth_is_refused)
{
    struct model model;
    struct error error;
    static char json[200001];
    memset(json, '[', 100000);
    memset(json + 100000, ']', 100000);
    open_small(&model);
    cr_assert(config_apply(&model, json, 200000, &error) == STATUS_INVALID);
    model_close(&model);
}

Test(config, without_memory_it_says_so)
{
    static const char *const jsons[] = {
        "{\"inputs\": {\"x\": {\"min\": 0, \"max\": 1}}}",
        "{\"outputs\": {\"y\": {\"labels\": [\"a\", \"b\"]}}}",
    };
    for (size_t i = 0; i < 2; i++) {
        struct model model;
        struct error error;
        open_small(&model);
        const size_t used = model.arena.used_bytes;
        for (size_t more = 0; more < 2; more++) {
            model.arena.limit_bytes = used + more * ARENA_ALIGNMENT;
            cr_assert(config_apply(&model, jsons[i], strlen(jsons[i]), &error) ==
                      STATUS_OUT_OF_MEMORY);
        }
        model_close(&model);
    }
}
