/* --activation: another function for a layer, without exporting the model again. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scene.h"

static const json_t *layer_of(const json_t *json, size_t i)
{
    return json_array_get(json_object_get(json, "layers"), i);
}

/* What the reply to the first row says of layer i. */
static void expect_reply_names(const struct daemon *daemon, const char *fc1, const char *fc2)
{
    struct reply reply;
    client_post(daemon->port, "/infer", good_body(), &reply);
    expect_json(&reply, 200, fc1);
    json_t *json = json_of(&reply);
    const json_t *stats = json_object_get(json, "stats");
    const char *names[] = {fc1, fc2};
    for (size_t i = 0; i < 2; i++)
        cr_assert_str_eq(json_string_value(json_object_get(layer_of(stats, i), "activation")),
                         names[i], "%s", reply.body);
    json_decref(json);
    reply_free(&reply);
}

static json_int_t count_of(const json_t *layer, const char *verdict)
{
    return json_integer_value(json_object_get(json_object_get(layer, verdict), "count"));
}

/* Layer i names that function and its parameter; what never fired is silent (leaks) or dead. */
static void expect_stats_name(const struct daemon *daemon, size_t i, const char *type,
                              const char *parameter, double value, bool leaks)
{
    json_t *json = get_json(daemon, "/stats");
    const json_t *layer = layer_of(json, i), *activation = json_object_get(layer, "activation");
    cr_assert_str_eq(json_string_value(json_object_get(activation, "type")), type);
    cr_assert_eq(json_object_size(activation), parameter ? 2 : 1);
    if (parameter)
        cr_assert_float_eq(json_number_value(json_object_get(activation, parameter)), value, 1e-7);
    cr_assert_eq(count_of(layer, "dead") > 0, !leaks, "%s", type);
    cr_assert_eq(count_of(layer, "silent") > 0, leaks, "%s", type);
    json_decref(json);
}

Test(activation, one_layer_leaks)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--activation", "digits/fc1=leaky_relu(alpha=0.01)");
    expect_reply_names(&daemon, "leaky_relu", "relu");
    expect_stats_name(&daemon, 0, "leaky_relu", "alpha", 0.01, true);
    expect_stats_name(&daemon, 1, "relu", NULL, 0, false);
    daemon_stop(&daemon);
}

Test(activation, star_means_all_hidden_layers)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--activation", "digits/*=elu");
    expect_reply_names(&daemon, "elu", "elu");
    expect_stats_name(&daemon, 0, "elu", "alpha", 1, true);
    expect_stats_name(&daemon, 1, "elu", "alpha", 1, true);
    daemon_stop(&daemon);
}

Test(activation, the_last_one_for_a_layer_wins)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--activation", "digits/*=elu(alpha=0.5)", "--activation",
                 "digits/fc2=relu");
    expect_reply_names(&daemon, "elu", "relu");
    expect_stats_name(&daemon, 0, "elu", "alpha", 0.5, true);
    daemon_stop(&daemon);
}

/* A leak of slope zero is a relu: the same bits, and dead rather than silent. */
Test(activation, a_leak_of_zero_is_a_relu)
{
    float expected[SCORES], found[SCORES];
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "leaky=" DIGITS, "--activation", "leaky/*=leaky_relu(alpha=0)",
                 "--default-model", "leaky");
    raw_scores(&daemon, "/infer?model=digits", 0, 1, expected);
    raw_scores(&daemon, "/infer?model=leaky", 0, 1, found);
    cr_assert(same_bits(expected, found, SCORES));
    expect_stats_name(&daemon, 0, "leaky_relu", "alpha", 0, false);
    daemon_stop(&daemon);
}

/* Of two models "m" and "m2", each is meant by its own name alone. */
Test(activation, names_one_model)
{
    struct daemon daemon;
    DAEMON_START(&daemon, "m=" DIGITS, "m2=" DIGITS, "--activation", "m2/fc1=tanh",
                 "--default-model", "m2");
    expect_reply_names(&daemon, "tanh", "relu");
    daemon_stop(&daemon);
    DAEMON_START(&daemon, "m=" DIGITS, "m2=" DIGITS, "--activation", "m2/fc1=tanh");
    expect_reply_names(&daemon, "relu", "relu");
    daemon_stop(&daemon);
}

/* The effective activations belong to what a model is: the digest changes with them. */
Test(activation, the_digest_changes)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "b=" DIGITS, "c=" DIGITS, "--activation", "b/fc1=elu",
                 "--activation", "c/fc1=elu(alpha=0.5)");
    json_t *json = get_json(&daemon, "/models"), *models = json_object_get(json, "models");
    const char *digests[3];
    for (size_t i = 0; i < 3; i++)
        digests[i] = json_string_value(json_object_get(json_array_get(models, i), "digest"));
    cr_assert(strcmp(digests[0], digests[1]) && strcmp(digests[1], digests[2]) &&
              strcmp(digests[0], digests[2]));
    json_decref(json);
    daemon_stop(&daemon);
}

Test(activation, bad_ones_end_with_a_sentence)
{
    static const struct {
        const char *argument, *part;
    } cases[] = {
        {"digits", "no such model"},
        {"digits/fc1", "expected MODEL/LAYER=NAME"},
        {"digits/=elu", "expected MODEL/LAYER=NAME"},
        {"digits/fc1=", "unknown activation"},
        {"digits/fc1=nope", "unknown activation \"nope\""},
        {"digits/fc9=elu", "no layer \"fc9\""},
        {"nobody/fc1=elu", "no such model"},
        {"digits/fc1=elu(", "elu"},
        {"digits/fc1=elu()", "expected NAME(parameter=value)"},
        {"digits/fc1=elu(alpha)", "expected NAME(parameter=value)"},
        {"digits/fc1=elu(alpha=)", "expected NAME(parameter=value)"},
        {"digits/fc1=elu(alpha=1", "expected NAME(parameter=value)"},
        {"digits/fc1=elu(alpha=x)", "expected NAME(parameter=value)"},
        {"digits/fc1=elu(beta=1)", "the parameter of elu is \"alpha\""},
        {"digits/fc1=elu(alpha=nan)", "finite"},
        {"digits/fc1=elu(alpha=1e39)", "finite"},
        {"digits/fc1=relu(alpha=1)", "relu takes no parameter"},
        {"digits/fc1=softmax", "softmax cannot replace"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct command command;
        COMMAND_RUN(&command, "--port", "0", DIGITS, "--activation", cases[i].argument);
        const char *line = strstr(command.err, "relud: ");
        if ((command.status != 1 && command.status != 2) || !line || strchr(line, '\n')[1] ||
            !strstr(line, cases[i].part))
            cr_assert_fail("%s: exit status %d, %s", cases[i].argument, command.status,
                           command.err);
        command_free(&command);
    }
}
