/* A baseline in config.json: what has shifted since, in /stats and as metrics. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "repository.h"

#define CONFIG "{\"inputs\": {\"pixels\": {\"min\": 0, \"max\": 16}}"

/* A model directory with the digits network, without a baseline; the daemon may begin. */
struct scene {
    struct tree tree;
    struct daemon daemon;
    char model[96];
};

static void write_config(const struct scene *scene, const char *rest)
{
    char text[256];
    snprintf(text, sizeof text, CONFIG "%s}", rest);
    tree_write(&scene->tree, "m/config.json", text, strlen(text));
}

static void open_scene(struct scene *scene)
{
    tree_open(&scene->tree);
    tree_copy(&scene->tree, "m/model.onnx", NETWORK_A);
    write_config(scene, "");
    snprintf(scene->model, sizeof scene->model, "%s/m", scene->tree.path);
}

static void close_scene(struct scene *scene)
{
    tree_close(&scene->tree);
}

/* Profiles the digits data into the file at place. */
static void write_profile(const struct scene *scene, const char *place)
{
    struct command command;
    char path[160];
    snprintf(path, sizeof path, "%s/%s", scene->tree.path, place);
    COMMAND_RUN(&command, "profile", scene->model, "--data", DIGITS "/digits.csv", "--out", path);
    cr_assert_eq(command.status, 0, "%s", command.err);
    command_free(&command);
}

/* Posts all rows, as they are or inverted. */
static void post_all(const struct scene *scene, bool inverted)
{
    char *body = malloc(DIGITS_ROWS * PIXELS * 4 + 64), *at = body;
    struct reply reply;
    at += sprintf(at, "{\"stats\":\"none\",\"inputs\":[");
    for (size_t row = 0; row < DIGITS_ROWS; row++)
        for (size_t i = 0; i < PIXELS; i++) {
            const int pixel = (int)digits()->pixels[row][i];
            at += sprintf(at, "%s%d%s",
                          i     ? ","
                          : row ? ",["
                                : "[",
                          inverted ? 16 - pixel : pixel, i + 1 == PIXELS ? "]" : "");
        }
    strcpy(at, "]}");
    client_post(scene->daemon.port, "/infer", body, &reply);
    expect_json(&reply, 200, "all rows");
    reply_free(&reply);
    free(body);
}

static json_t *drift_of(const struct scene *scene)
{
    json_t *json = get_json(&scene->daemon, "/stats");
    json_t *drift = json_incref(json_object_get(json, "drift"));
    json_decref(json);
    return drift;
}

static json_int_t shifted(const struct scene *scene)
{
    json_t *drift = drift_of(scene);
    cr_assert_not(json_object_get(drift, "error"));
    const json_int_t count = json_integer_value(json_object_get(drift, "shifted"));
    const json_t *layers = json_object_get(drift, "layers");
    cr_assert_eq(json_array_size(layers), 2);
    json_decref(drift);
    return count;
}

/* The value of a metric of fc1; -1 when it is not there. */
static double metric(const struct scene *scene, const char *name)
{
    struct reply reply;
    char line[128];
    client_get(scene->daemon.port, "/metrics", &reply);
    snprintf(line, sizeof line, "\n%s{model=\"m\",layer=\"fc1\"} ", name);
    const char *found = strstr(reply.body, line);
    const double value = found ? atof(found + strlen(line)) : -1;
    reply_free(&reply);
    return value;
}

Test(drift, the_same_data_show_none_and_inverted_pixels_at_once)
{
    struct scene scene;
    open_scene(&scene);
    write_profile(&scene, "m/profile.json");
    write_config(&scene, ", \"baseline\": \"profile.json\"");
    DAEMON_START(&scene.daemon, scene.model);
    cr_assert_eq(shifted(&scene), 0, "before the first row");
    cr_assert(metric(&scene, "relud_layer_drift_units") == -1);
    post_all(&scene, false);
    cr_assert_eq(shifted(&scene), 0);
    cr_assert(metric(&scene, "relud_layer_drift_units") == 0);
    cr_assert(metric(&scene, "relud_layer_drift_mean_shift") == 0);
    post_all(&scene, true);
    cr_assert(shifted(&scene) > 100);
    cr_assert(metric(&scene, "relud_layer_drift_units") > 50);
    cr_assert(metric(&scene, "relud_layer_drift_mean_shift") > 0.1);
    daemon_stop(&scene.daemon);
    close_scene(&scene);
}

Test(drift, without_a_baseline_nothing_is_said)
{
    struct scene scene;
    open_scene(&scene);
    DAEMON_START(&scene.daemon, scene.model);
    post_all(&scene, false);
    cr_assert_not(drift_of(&scene));
    cr_assert(metric(&scene, "relud_layer_drift_units") == -1);
    daemon_stop(&scene.daemon);
    close_scene(&scene);
}

static void expect_unusable(struct scene *scene, const char *part)
{
    struct reply reply;
    DAEMON_START(&scene->daemon, scene->model);
    client_post(scene->daemon.port, "/infer", good_body(), &reply);
    expect_json(&reply, 200, part);
    reply_free(&reply);
    json_t *drift = drift_of(scene);
    const char *error = json_string_value(json_object_get(drift, "error"));
    cr_assert(error && strstr(error, part), "expected \"%s\", found \"%s\"", part, error);
    json_decref(drift);
    char *log = daemon_log(&scene->daemon);
    cr_assert(strstr(log, "no baseline") && strstr(log, part), "%s", log);
    free(log);
    daemon_stop(&scene->daemon);
}

/* A model is served whatever its baseline is. */
Test(drift, a_baseline_that_is_no_use_keeps_nobody_from_serving)
{
    struct scene scene;
    char elsewhere[160];
    open_scene(&scene);
    write_config(&scene, ", \"baseline\": \"deep/profile.json\"");
    expect_unusable(&scene, "deep/profile.json: No such file");
    tree_write(&scene.tree, "m/deep/profile.json", "{\"format\"", 9);
    expect_unusable(&scene, "deep/profile.json: line 1");
    write_profile(&scene, "m/deep/profile.json");
    tree_copy(&scene.tree, "m/model.onnx", NETWORK_B);
    expect_unusable(&scene, "expected statistics of the model with digest");
    snprintf(elsewhere, sizeof elsewhere, "%s/m/deep/link.json", scene.tree.path);
    cr_assert_eq(symlink("profile.json", elsewhere), 0);
    write_config(&scene, ", \"baseline\": \"deep/link.json\"");
    expect_unusable(&scene, "symbolic links are not followed");
    close_scene(&scene);
}

Test(drift, a_path_that_leads_out_is_refused)
{
    struct scene scene;
    struct command command;
    open_scene(&scene);
    write_profile(&scene, "profile.json");
    write_config(&scene, ", \"baseline\": \"../profile.json\"");
    COMMAND_RUN(&command, "--port=0", scene.model);
    cr_assert_eq(command.status, 1);
    cr_assert(strstr(command.err, "baseline: expected a place inside the model's directory"), "%s",
              command.err);
    command_free(&command);
    close_scene(&scene);
}

/* The baseline is no part of what a model is: a new one takes over, statistics go on. */
static void check_reload(const char *option, const char *directory)
{
    struct scene scene;
    char store[160];
    open_scene(&scene);
    snprintf(store, sizeof store, "%s/%s", scene.tree.path, directory ? directory : "");
    DAEMON_START(&scene.daemon, scene.model, option, directory ? store : NULL);
    post_all(&scene, false);
    char *digest = strdup(text_of(&scene.daemon, "m", "1", "digest"));
    write_profile(&scene, "m/profile.json");
    write_config(&scene, ", \"baseline\": \"profile.json\"");
    reload_until(&scene.daemon, "model loaded", 1);
    cr_assert_eq(shifted(&scene), 0);
    cr_assert_eq(samples(&scene.daemon, "/stats"), DIGITS_ROWS);
    cr_assert_str_eq(text_of(&scene.daemon, "m", "1", "digest"), digest);
    reload_until(&scene.daemon, "model unchanged", 1);
    free(digest);
    daemon_stop(&scene.daemon);
    close_scene(&scene);
}

Test(drift, a_reload_takes_up_another_baseline)
{
    check_reload("--admin", NULL);
    check_reload("--stats-dir", "store");
}
