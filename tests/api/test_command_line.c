/* The command line: help, version, errors and exit codes, environment, inspect, healthcheck. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layers_net.h"
#include "scene.h"

static const char *const option_names[] = {
#define OPTION_TEXT(field, name, fallback, meta, help)               name,
#define OPTION_CHOICE(field, name, fallback, choices, help)          name,
#define OPTION_COUNT(field, name, fallback, least, most, meta, help) name,
#define OPTION_LIST(field, name, meta, help)                         name,
#define OPTION_SWITCH(field, name, help)                             name,
#include "options.def"
#undef OPTION_TEXT
#undef OPTION_CHOICE
#undef OPTION_COUNT
#undef OPTION_LIST
#undef OPTION_SWITCH
};

enum { OPTIONS = sizeof option_names / sizeof option_names[0] };

/* One line of standard error, "relud: …part…", with that exit status and nothing on standard
 * output. */
static void expect_failure(const struct command *command, int status, const char *part)
{
    const char *line = strstr(command->err, "relud: ");
    const char *end = line ? strchr(line, '\n') : NULL;
    if (command->status != status || !end || end[1] || !strstr(line, part) || command->out[0])
        cr_assert_fail("expected %d and \"%s\", found %d: %s%s", status, part, command->status,
                       command->err, command->out);
}

Test(command_line, help_lists_every_option)
{
    static const char *const flags[] = {"--help", "-h"};
    for (size_t i = 0; i < 2; i++) {
        struct command command;
        COMMAND_RUN(&command, flags[i]);
        cr_assert_eq(command.status, 0);
        cr_assert_str_empty(command.err);
        for (size_t o = 0; o < OPTIONS; o++) {
            char flag[64];
            snprintf(flag, sizeof flag, "\n  --%s ", option_names[o]);
            cr_assert(strstr(command.out, flag), "%s is missing", option_names[o]);
        }
        cr_assert(strstr(command.out, "relud inspect"));
        cr_assert(strstr(command.out, "relud healthcheck"));
        command_free(&command);
    }
}

Test(command_line, version)
{
    struct command command;
    int parts[3];
    COMMAND_RUN(&command, "--version");
    cr_assert_eq(command.status, 0);
    cr_assert_eq(sscanf(command.out, "relud %d.%d.%d\n", &parts[0], &parts[1], &parts[2]), 3);
    command_free(&command);
}

Test(command_line, usage_errors_exit_with_2)
{
    static const char *const cases[][4] = {
        {"--nope", "--nope"},
        {"--nope=1", "--nope=1"},
        {"unknown option", "--por"},
        {"unknown option", "--"},
        {"--port: expected a value", "--port"},
        {"--port", "--port", "x"},
        {"--port", "--port", "65536"},
        {"--port", "--port", "-1"},
        {"--port", "--port", ""},
        {"--loops", "--loops=257"},
        {"--loops", "--loops", "1.5"},
        {"--crew", "--crew=64"},
        {"--max-body-bytes", "--max-body-bytes", "0"},
        {"--isa: expected auto|avx512", "--isa", "sse"},
        {"--stats: expected off|counts|full", "--stats", "all"},
        {"--stats", "--stats", ""},
        {"--log-level", "--log-level", "loud"},
        {"--log-format", "--log-format", "xml"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct command command;
        const char *arguments[] = {cases[i][1], cases[i][2], NULL};
        command_run(&command, NULL, arguments);
        expect_failure(&command, 2, cases[i][0]);
        command_free(&command);
    }
}

Test(command_line, failures_exit_with_1)
{
    static const char *const cases[][6] = {
        {"expected a model", "--port", "0"},
        {"expected a model", "serve", "--port", "0"},
        {"models/nothing", "--port", "0", "models/nothing"},
        {"expected a file model.onnx", "--port", "0", "models"},
        {"Makefile", "--port", "0", "Makefile"},
        {"two models are called \"digits\"", "--port", "0", DIGITS, DIGITS "/"},
        {"--default-model nobody", "--port", "0", DIGITS, "--default-model=nobody"},
        {"--model-name names one model", "--model-name=x", DIGITS, DIGITS_DYING},
        {"--model-dir models/nothing", "--model-dir", "models/nothing"},
        {"--host", "--port", "0", "--host=no.such.host.invalid", DIGITS},
        {"cannot listen on 192.0.2.1", "--port", "0", "--host=192.0.2.1", DIGITS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct command command;
        command_run(&command, NULL, cases[i] + 1);
        expect_failure(&command, 1, cases[i][0]);
        command_free(&command);
    }
}

Test(command_line, a_port_in_use_exits_with_1)
{
    struct daemon daemon;
    struct command command;
    char port[16];
    DAEMON_START(&daemon, DIGITS);
    snprintf(port, sizeof port, "%u", daemon.port);
    COMMAND_RUN(&command, "--port", port, DIGITS);
    expect_failure(&command, 1, "cannot listen on 127.0.0.1");
    cr_assert(strstr(command.err, "in use"), "%s", command.err);
    command_free(&command);
    expect_alive(&daemon, "the first one");
    daemon_stop(&daemon);
}

/* Environment; usage errors show that a variable is read, as no server starts. */

static void run_with(const char *variable, const char *other, const char *argument,
                     struct command *command)
{
    const char *variables[] = {variable, other, NULL};
    const char *arguments[] = {argument, NULL};
    command_run(command, variables, arguments);
}

Test(command_line, every_option_has_a_variable)
{
    static const struct {
        const char *variable, *part;
        int status;
    } cases[] = {
        {"RELUD_PORT=x", "environment: --port", 2},
        {"RELUD_MAX_BODY_BYTES=0", "environment: --max-body-bytes", 2},
        {"RELUD_STATS_MIN_SAMPLES=-1", "environment: --stats-min-samples", 2},
        {"RELUD_ISA=sse", "environment: --isa", 2},
        {"RELUD_LOG_FORMAT=xml", "environment: --log-format", 2},
        {"RELUD_DEFAULT_MODEL=nobody", "--default-model nobody", 1},
        {"RELUD_MODEL_DIR=models/nothing", "--model-dir models/nothing", 1},
        {"RELUD_ACTIVATION=digits/fc1=nope", "unknown activation", 1},
        {"RELUD_ACTIVATION=digits/fc1=elu digits/fc2=nope", "unknown activation", 1},
        {"RELUD_HOST=192.0.2.1", "cannot listen on 192.0.2.1", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct command command;
        bool port = strncmp(cases[i].variable, "RELUD_PORT", 10) == 0;
        run_with(cases[i].variable, port ? NULL : "RELUD_PORT=0", DIGITS, &command);
        expect_failure(&command, cases[i].status, cases[i].part);
        command_free(&command);
    }
}

Test(command_line, a_flag_wins_over_its_variable)
{
    struct command command;
    const char *variables[] = {"RELUD_DEFAULT_MODEL=variable", NULL};
    const char *arguments[] = {"--default-model=flag", "--port=0", DIGITS, NULL};
    command_run(&command, variables, arguments);
    expect_failure(&command, 1, "--default-model flag");
    command_free(&command);
}

/* Kubernetes injects such a variable for a Service named relud. */
Test(command_line, a_port_from_kubernetes_is_ignored)
{
    struct command command;
    const char *variables[] = {"RELUD_PORT=tcp://10.0.0.1:8080", NULL};
    const char *arguments[] = {"--host=192.0.2.1", DIGITS, NULL};
    command_run(&command, variables, arguments);
    expect_failure(&command, 1, "cannot listen on 192.0.2.1:8080");
    command_free(&command);
    const char *check[] = {"healthcheck", "http://127.0.0.1:1", NULL};
    command_run(&command, variables, check);
    expect_failure(&command, 1, "port 1");
    command_free(&command);
}

/* Serving */

Test(command_line, serve_is_the_default_command)
{
    struct daemon daemon;
    struct reply reply;
    DAEMON_START(&daemon, "--model-name", "x", DIGITS);
    client_post(daemon.port, "/infer?model=x", good_body(), &reply);
    expect_json(&reply, 200, "--model-name");
    reply_free(&reply);
    daemon_stop(&daemon);
}

Test(command_line, model_dir_serves_every_model_in_it)
{
    struct daemon daemon;
    DAEMON_START(&daemon, "--model-dir", "models");
    json_t *json = get_json(&daemon, "/models"), *models = json_object_get(json, "models");
    cr_assert_eq(json_array_size(models), 2);
    for (size_t i = 0; i < 2; i++)
        cr_assert_str_eq(json_string_value(json_object_get(json_array_get(models, i), "name")),
                         i ? "digits-dying" : "digits");
    json_decref(json);
    daemon_stop(&daemon);
}

/* The digits network as layers over a safetensors file, found by --model-dir: the same bits. */
Test(command_line, a_directory_of_layers_and_weights_is_served)
{
    struct temporary model, repository;
    struct daemon daemon;
    char link[128];
    float expected[SCORES], found[SCORES];
    layers_write_digits(&model);
    temporary_open(&repository);
    snprintf(link, sizeof link, "%s/layered", repository.path);
    cr_assert_eq(symlink(model.path, link), 0);
    DAEMON_START(&daemon, "--model-dir", repository.path, DIGITS);
    raw_scores(&daemon, "/infer?model=digits", 7, 1, expected);
    raw_scores(&daemon, "/infer?model=layered", 7, 1, found);
    cr_assert(same_bits(expected, found, SCORES));
    daemon_stop(&daemon);
    temporary_close(&repository);
    temporary_close(&model);
}

Test(command_line, a_single_file_is_a_model_too)
{
    struct daemon daemon;
    struct reply reply;
    DAEMON_START(&daemon, DIGITS "/model.onnx");
    client_post(daemon.port, "/infer?model=model", good_body(), &reply);
    expect_json(&reply, 200, "model.onnx");
    cr_assert_not(strstr(reply.body, "labels"), "a file alone has no config.json");
    reply_free(&reply);
    daemon_stop(&daemon);
}

Test(command_line, instruction_sets_give_the_same_bits)
{
    static const char *const isas[] = {"auto", "avx512", "avx2", "neon"};
    static float expected[100 * SCORES], scores[100 * SCORES];
    for (size_t i = 0; i < 4; i++) {
        struct command probe;
        struct daemon daemon;
        COMMAND_RUN(&probe, "--isa", isas[i], "--host=192.0.2.1", DIGITS);
        cr_assert_eq(probe.status, 1);
        bool usable = strstr(probe.err, "cannot listen") != NULL;
        command_free(&probe);
        if (!usable)
            continue;
        DAEMON_START(&daemon, DIGITS, "--isa", isas[i]);
        raw_scores(&daemon, "/infer", 0, 100, i ? scores : expected);
        cr_assert(i == 0 || same_bits(scores, expected, 100 * SCORES), "%s", isas[i]);
        daemon_stop(&daemon);
    }
}

/* The baseline of x86 has no fused multiply-add: close, not equal. */
Test(command_line, the_baseline_is_close)
{
    static float expected[100 * SCORES], scores[100 * SCORES];
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    raw_scores(&daemon, "/infer", 0, 100, expected);
    daemon_stop(&daemon);
    DAEMON_START(&daemon, DIGITS, "--isa", "baseline");
    raw_scores(&daemon, "/infer", 0, 100, scores);
    daemon_stop(&daemon);
    for (size_t i = 0; i < 100 * SCORES; i++)
        if (!(scores[i] - expected[i] < 1e-4f && expected[i] - scores[i] < 1e-4f))
            cr_assert_fail("%g and %g", (double)expected[i], (double)scores[i]);
}

Test(command_line, logs_are_lines_of_json)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--log-format", "json", "--log-level", "debug");
    char *log = daemon_log(&daemon), *rest = NULL;
    size_t loaded = 0;
    for (char *line = strtok_r(log, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, "relud: ", 7) == 0)
            continue;
        json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        cr_assert(json, "%s", line);
        cr_assert(json_string_value(json_object_get(json, "level")), "%s", line);
        const char *event = json_string_value(json_object_get(json, "event"));
        loaded += event && strcmp(event, "model loaded") == 0;
        json_decref(json);
    }
    cr_assert_eq(loaded, 1);
    free(log);
    daemon_stop(&daemon);
}

Test(command_line, log_level_error_is_quiet)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--log-level", "error");
    expect_alive(&daemon, "quiet");
    char *log = daemon_log(&daemon);
    cr_assert_eq(strncmp(log, "relud: listening on http://127.0.0.1:", 37), 0, "%s", log);
    cr_assert_eq(strchr(log, '\n')[1], '\0', "%s", log);
    free(log);
    daemon_stop(&daemon);
}

/* inspect */

Test(command_line, inspect_prints_the_model)
{
    static const char *const parts[] = {"digits",    "pixels", "[-1, 64]", "scores",  "fc1",
                                        "64 -> 128", "relu",   "fc3",      "0 to 16", "17226"};
    struct command command;
    COMMAND_RUN(&command, "inspect", DIGITS);
    cr_assert_eq(command.status, 0, "%s", command.err);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        cr_assert(strstr(command.out, parts[i]), "\"%s\" is missing in %s", parts[i], command.out);
    command_free(&command);
}

Test(command_line, inspect_json_is_json)
{
    static const json_int_t parameters[] = {64 * 128 + 128, 128 * 64 + 64, 64 * 10 + 10};
    struct command command;
    COMMAND_RUN(&command, "inspect", "--json", DIGITS);
    cr_assert_eq(command.status, 0, "%s", command.err);
    json_t *json = json_loads(command.out, JSON_REJECT_DUPLICATES, NULL);
    cr_assert(json, "%s", command.out);
    const json_t *layers = json_object_get(json, "layers");
    cr_assert_str_eq(json_string_value(json_object_get(json, "name")), "digits");
    cr_assert_eq(json_array_size(layers), 3);
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(json_integer_value(json_object_get(json_array_get(layers, i), "parameters")),
                     parameters[i]);
    cr_assert_eq(json_integer_value(json_object_get(json, "parameters")),
                 parameters[0] + parameters[1] + parameters[2]);
    json_decref(json);
    command_free(&command);
}

/* A model directory over weights that are all zero. */
static void write_images(struct temporary *directory)
{
    static const char json[] =
        "{\"format\": \"relud-layers\", \"version\": 1, \"output\": {\"name\": \"y\"},"
        " \"input\": {\"name\": \"x\", \"shape\": [4, 9, 9]}, \"layers\": ["
        "{\"type\": \"conv2d\", \"name\": \"a\", \"stride\": 2, \"groups\": 2, \"activation\": "
        "\"relu6\"},"
        "{\"type\": \"conv2d\", \"name\": \"b\", \"groups\": 6, \"padding\": \"same\"},"
        "{\"type\": \"max_pool2d\", \"name\": \"p\", \"kernel_size\": [2, 1]},"
        "{\"type\": \"dense\", \"name\": \"c\", \"activation\": {\"type\": \"elu\", \"alpha\": "
        "2}}]}";
    static const float zeros[24 * 5];
    struct weights_file file;
    size_t count;
    weights_open(&file);
    weights_floats(&file, "a.weight", 4, (const int64_t[]){6, 2, 3, 3}, zeros);
    weights_floats(&file, "b.weight", 4, (const int64_t[]){6, 1, 3, 3}, zeros);
    weights_floats(&file, "c.weight", 2, (const int64_t[]){2, 48}, zeros);
    uint8_t *bytes = weights_pack(&file, &count);
    temporary_open(directory);
    temporary_write(directory, "model.json", json, sizeof json - 1);
    temporary_write(directory, "weights.safetensors", bytes, count);
    free(bytes);
    weights_close(&file);
}

Test(command_line, inspect_shows_the_layers_a_user_knows)
{
    static const char expected[] =
        "layer  kind                 shape           activation    parameters  MFLOPs  bytes\n"
        "a      conv 3x3/2 groups 2  4x9x9 -> 6x4x4  relu6                114  0.0035   2432\n"
        "b      conv 3x3 depthwise   6x4x4 -> 6x4x4  identity              60  0.0017    640\n"
        "p      max_pool 2x1/2x1     6x4x4 -> 6x2x4                         0  0.0001      0\n"
        "c      dense                48 -> 2         elu(alpha=2)          98  0.0002   3136\n"
        "\ntotal   272 parameters, 0.0055 MFLOPs a row\n"
        "memory  6208 bytes of weights; plan ";
    struct temporary directory;
    struct command command;
    write_images(&directory);
    COMMAND_RUN(&command, "inspect", directory.path);
    cr_assert_eq(command.status, 0, "%s", command.err);
    cr_assert(strstr(command.out, expected), "%s", command.out);
    command_free(&command);
    temporary_close(&directory);
}

Test(command_line, inspect_errors)
{
    struct command command;
    COMMAND_RUN(&command, "inspect");
    expect_failure(&command, 2, "usage");
    command_free(&command);
    COMMAND_RUN(&command, "inspect", "--nope", DIGITS);
    expect_failure(&command, 2, "usage");
    command_free(&command);
    COMMAND_RUN(&command, "inspect", DIGITS, DIGITS);
    expect_failure(&command, 2, "usage");
    command_free(&command);
    COMMAND_RUN(&command, "inspect", "models/nothing");
    expect_failure(&command, 1, "models/nothing");
    command_free(&command);
    COMMAND_RUN(&command, "inspect", "README.md");
    expect_failure(&command, 1, "README.md");
    command_free(&command);
}

/* healthcheck */

static void check_health(const char *url, int status)
{
    struct command command;
    COMMAND_RUN(&command, "healthcheck", url);
    cr_assert_eq(command.status, status, "%s: %d, %s", url, command.status, command.err);
    if (status == 0)
        cr_assert_str_empty(command.err);
    else
        expect_failure(&command, status, "");
    command_free(&command);
}

Test(command_line, healthcheck_of_a_live_and_of_a_dead_server)
{
    struct daemon daemon;
    struct command command;
    char urls[4][128], variable[32];
    DAEMON_START(&daemon, DIGITS);
    snprintf(urls[0], sizeof urls[0], "http://127.0.0.1:%u", daemon.port);
    snprintf(urls[1], sizeof urls[1], "http://127.0.0.1:%u/", daemon.port);
    snprintf(urls[2], sizeof urls[2], "http://localhost:%u/healthz", daemon.port);
    snprintf(urls[3], sizeof urls[3], "http://127.0.0.1:%u/nowhere", daemon.port);
    snprintf(variable, sizeof variable, "RELUD_PORT=%u", daemon.port);
    for (int i = 0; i < 4; i++)
        check_health(urls[i], i == 3);
    run_with(variable, NULL, "healthcheck", &command);
    cr_assert_eq(command.status, 0, "%s", command.err);
    command_free(&command);
    daemon_stop(&daemon);
    check_health(urls[0], 1);
    run_with(variable, NULL, "healthcheck", &command);
    expect_failure(&command, 1, "refused");
    command_free(&command);
}

Test(command_line, healthcheck_usage)
{
    check_health("ftp://127.0.0.1", 2);
    check_health("127.0.0.1:80", 2);
    check_health("http://", 2);
    check_health("http://:80", 2);
}
