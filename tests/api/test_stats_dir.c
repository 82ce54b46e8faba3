/* --stats-dir: what the neurons did survives the process, however it ends. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scene.h"
#include "temporary.h"

enum { MODELS = 16, KILLS = 20, ROWS = 7 };

static uint64_t samples_of(const struct daemon *daemon, const char *model)
{
    char path[64];
    snprintf(path, sizeof path, "/stats?model=%s", model);
    json_t *json = get_json(daemon, path);
    const json_int_t samples = json_integer_value(json_object_get(json, "samples"));
    json_decref(json);
    return (uint64_t)samples;
}

static void post_rows(const struct daemon *daemon, const char *model)
{
    char path[64], *body = digits_body(0, ROWS, "");
    struct reply reply;
    snprintf(path, sizeof path, "/infer?model=%s", model);
    client_post(daemon->port, path, body, &reply);
    expect_json(&reply, 200, model);
    reply_free(&reply);
    free(body);
}

/* The samples a snapshot holds; 0 when there is none. One that is torn fails the test. */
static uint64_t samples_kept(const struct temporary *directory, const char *file)
{
    char path[160];
    json_error_t error;
    snprintf(path, sizeof path, "%s/%s", directory->path, file);
    if (access(path, F_OK) != 0)
        return 0;
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    cr_assert(json, "%s: %s", path, error.text);
    cr_assert(json_array_size(json_object_get(json, "layers")) > 0);
    const json_int_t samples = json_integer_value(json_object_get(json, "samples"));
    json_decref(json);
    return (uint64_t)samples;
}

static void await_kept(const struct temporary *directory, const char *file, uint64_t samples)
{
    const unsigned long long end = clock_ms() + PATIENCE_MS;
    while (samples_kept(directory, file) < samples) {
        cr_assert(clock_ms() < end, "not written");
        rest_ms(10);
    }
}

static void expect_logged(const struct daemon *daemon, const char *part)
{
    char *log = daemon_log(daemon);
    cr_assert(strstr(log, part), "no \"%s\" in %s", part, log);
    free(log);
}

Test(stats_dir, a_restart_keeps_what_was_counted)
{
    struct temporary directory;
    struct daemon daemon;
    temporary_open(&directory);
    DAEMON_START(&daemon, "--stats-dir", directory.path, DIGITS);
    post_rows(&daemon, "digits");
    json_t *before = get_json(&daemon, "/stats?detail=units");
    daemon_stop(&daemon);
    cr_assert_eq(samples_kept(&directory, "digits@1.json"), ROWS);
    DAEMON_START(&daemon, "--stats-dir", directory.path, DIGITS);
    json_t *after = get_json(&daemon, "/stats?detail=units");
    expect_logged(&daemon, "statistics taken up");
    cr_assert(json_equal(json_object_get(before, "since"), json_object_get(after, "since")));
    cr_assert(json_equal(json_object_get(before, "layers"), json_object_get(after, "layers")));
    post_rows(&daemon, "digits");
    cr_assert_eq(samples_of(&daemon, "digits"), 2 * ROWS);
    json_decref(before);
    json_decref(after);
    daemon_stop(&daemon);
    temporary_close(&directory);
}

Test(stats_dir, another_model_begins_anew)
{
    struct temporary directory;
    struct daemon daemon;
    temporary_open(&directory);
    DAEMON_START(&daemon, "--stats-dir", directory.path, "x=" DIGITS);
    post_rows(&daemon, "x");
    daemon_stop(&daemon);
    DAEMON_START(&daemon, "--stats-dir", directory.path, "x=" DIGITS_DYING);
    cr_assert_eq(samples_of(&daemon, "x"), 0);
    expect_logged(&daemon, "statistics set aside");
    daemon_stop(&daemon);
    cr_assert_eq(samples_kept(&directory, "x@1.json.previous"), ROWS);
    temporary_close(&directory);
}

Test(stats_dir, a_damaged_file_is_refused_with_one_line)
{
    struct temporary directory;
    struct daemon daemon;
    temporary_open(&directory);
    temporary_write(&directory, "digits@1.json", "{\"format\": \"relud-st", 20);
    DAEMON_START(&daemon, "--stats-dir", directory.path, DIGITS);
    char *log = daemon_log(&daemon), *line = strstr(log, "set aside");
    cr_assert(line && !strstr(line + 1, "set aside"), "%s", log);
    free(log);
    post_rows(&daemon, "digits");
    cr_assert_eq(samples_of(&daemon, "digits"), ROWS);
    daemon_stop(&daemon);
    cr_assert_eq(samples_kept(&directory, "digits@1.json"), ROWS);
    temporary_close(&directory);
}

/* An unloaded model finds its statistics again; a reload of a changed one puts them aside. */
Test(stats_dir, unloading_saves)
{
    struct temporary directory;
    struct daemon daemon;
    struct reply reply;
    temporary_open(&directory);
    DAEMON_START(&daemon, "--admin", "--stats-dir", directory.path, DIGITS);
    post_rows(&daemon, "digits");
    client_post(daemon.port, "/v2/repository/models/digits/unload", "", &reply);
    cr_assert_eq(reply.status, 200, "%s", reply.body);
    reply_free(&reply);
    cr_assert_eq(samples_kept(&directory, "digits@1.json"), ROWS);
    client_post(daemon.port, "/v2/repository/models/digits/load", "", &reply);
    cr_assert_eq(reply.status, 200, "%s", reply.body);
    reply_free(&reply);
    cr_assert_eq(samples_of(&daemon, "digits"), ROWS);
    daemon_stop(&daemon);
    temporary_close(&directory);
}

Test(stats_dir, a_reset_is_kept_too)
{
    struct temporary directory;
    struct daemon daemon;
    struct reply reply;
    temporary_open(&directory);
    DAEMON_START(&daemon, "--admin", "--stats-dir", directory.path, DIGITS);
    post_rows(&daemon, "digits");
    daemon_stop(&daemon);
    DAEMON_START(&daemon, "--admin", "--stats-dir", directory.path, DIGITS);
    client_post(daemon.port, "/stats/reset", "", &reply);
    expect_json(&reply, 200, "reset");
    reply_free(&reply);
    daemon_stop(&daemon);
    cr_assert_eq(samples_kept(&directory, "digits@1.json"), 0);
    temporary_close(&directory);
}

Test(stats_dir, two_daemons_do_not_share_one)
{
    struct temporary directory;
    struct daemon daemon;
    struct command command;
    temporary_open(&directory);
    DAEMON_START(&daemon, "--stats-dir", directory.path, DIGITS);
    COMMAND_RUN(&command, "--port=0", "--stats-dir", directory.path, DIGITS);
    cr_assert_eq(command.status, 1);
    cr_assert(strstr(command.err, "another process keeps its statistics there"), "%s", command.err);
    command_free(&command);
    COMMAND_RUN(&command, "--port=0", "--stats-dir", "no/such/directory", DIGITS);
    cr_assert_eq(command.status, 1);
    cr_assert(strstr(command.err, "--stats-dir no/such/directory: No such file"), "%s",
              command.err);
    command_free(&command);
    daemon_stop(&daemon);
    temporary_close(&directory);
}

/* Killed at any moment: many models, whose files are written most of the time. */

struct life {
    struct temporary directory;
    struct daemon daemon;
    char names[MODELS][32]; /* "m0=models/digits" */
    const char *arguments[MODELS + 5];
    uint64_t kept[MODELS]; /* at least so much must be found */
};

static void name_models(struct life *life)
{
    const char **argument = life->arguments;
    *argument++ = "--stats-dir";
    *argument++ = life->directory.path;
    *argument++ = "--stats-interval-s=1";
    for (size_t i = 0; i < MODELS; i++) {
        snprintf(life->names[i], sizeof life->names[i], "m%zu=" DIGITS, i);
        *argument++ = life->names[i];
    }
}

/* The file of a model is whole and holds at least what is known to be kept. */
static uint64_t check_file(struct life *life, size_t i)
{
    char file[32];
    snprintf(file, sizeof file, "m%zu@1.json", i);
    const uint64_t kept = samples_kept(&life->directory, file);
    cr_assert(kept >= life->kept[i] && kept % ROWS == 0, "%s: %zu after %zu", file, (size_t)kept,
              (size_t)life->kept[i]);
    life->kept[i] = kept;
    return kept;
}

/* Starts the daemon on the files as they are, each of which must be taken up, and counts more. */
static void live(struct life *life)
{
    daemon_start(&life->daemon, life->arguments);
    for (size_t i = 0; i < MODELS; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%zu", i);
        cr_assert_eq(samples_of(&life->daemon, name), check_file(life, i));
        post_rows(&life->daemon, name);
    }
}

static size_t kills(void)
{
    const char *text = getenv("KILLS");
    return text ? (size_t)atoi(text) : KILLS;
}

/* The odd lives end within the second that is one interval. In the even ones an interval is over
 * when the first model's rows are written: they may not be lost any more. */
Test(stats_dir, killed_at_any_moment_it_loses_one_interval_at_most, .timeout = 3600)
{
    struct life life = {.kept = {0}};
    unsigned random = 20261121;
    temporary_open(&life.directory);
    name_models(&life);
    for (size_t kill = 0; kill < kills(); kill++) {
        live(&life);
        if (kill % 2 == 0)
            await_kept(&life.directory, "m0@1.json", life.kept[0] += ROWS);
        random = random * 1664525 + 1013904223;
        rest_ms(kill % 2 == 0 ? random >> 24 : random >> 22);
        daemon_signal(&life.daemon, SIGKILL);
        cr_assert_eq(daemon_wait(&life.daemon, PATIENCE_MS), 128 + SIGKILL);
        for (size_t i = 0; i < MODELS; i++)
            check_file(&life, i);
    }
    temporary_close(&life.directory);
}
