#include "repository.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void learn(struct answers *answers)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, DIGITS_DYING);
    raw_scores(&daemon, "/infer?model=digits", 0, PROBES, answers->a);
    raw_scores(&daemon, "/infer?model=digits-dying", 0, PROBES, answers->b);
    cr_assert_not(same_bits(answers->a, answers->b, PROBES * SCORES));
    daemon_stop(&daemon);
}

void expect_answers(const struct daemon *daemon, const char *path, const float *expected)
{
    float scores[PROBES * SCORES];
    raw_scores(daemon, path, 0, PROBES, scores);
    cr_assert(same_bits(scores, expected, PROBES * SCORES), "%s is another network", path);
}

void expect_refusal(const struct daemon *daemon, const char *path, long status, const char *code,
                    const char *part)
{
    struct reply reply;
    client_post(daemon->port, path, good_body(), &reply);
    expect_error(&reply, status, code, part, path);
    reply_free(&reply);
}

/* The entry of /models for a version of a model, NULL for none; the caller releases it. */
static json_t *find_model(const struct daemon *daemon, const char *name, const char *version)
{
    json_t *json = get_json(daemon, "/models"), *found = NULL, *model;
    size_t i;
    json_array_foreach(json_object_get(json, "models"), i, model)
    {
        const char *its_name = json_string_value(json_object_get(model, "name"));
        const char *its_version = json_string_value(json_object_get(model, "version"));
        if (strcmp(its_name, name) == 0 && strcmp(its_version, version) == 0)
            found = json_incref(model);
    }
    json_decref(json);
    return found;
}

const char *text_of(const struct daemon *daemon, const char *name, const char *version,
                    const char *key)
{
    static char text[1024];
    json_t *model = find_model(daemon, name, version);
    const char *value = json_string_value(json_object_get(model, key));
    snprintf(text, sizeof text, "%s", value ? value : "");
    json_decref(model);
    return text;
}

/* How often the log says so. */
static size_t events(const struct daemon *daemon, const char *event)
{
    size_t count = 0;
    char *log = daemon_log(daemon);
    for (const char *at = log; (at = strstr(at, event)); at++)
        count++;
    free(log);
    return count;
}

void reload_until(const struct daemon *daemon, const char *event, size_t count)
{
    size_t before = events(daemon, event);
    unsigned long long end = clock_ms() + PATIENCE_MS;
    daemon_signal(daemon, SIGHUP);
    while (events(daemon, event) < before + count) {
        if (clock_ms() > end)
            cr_assert_fail("%s: not seen:\n%s", event, daemon_log(daemon));
        rest_ms(2);
    }
}

uint64_t samples(const struct daemon *daemon, const char *path)
{
    json_t *json = get_json(daemon, path);
    uint64_t count = (uint64_t)json_integer_value(json_object_get(json, "samples"));
    json_decref(json);
    return count;
}
