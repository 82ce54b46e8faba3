/* A daemon whose loops borrow helpers against one that computes everything alone: the same answers,
 * bit for bit, the same counts. */
#include <criterion/criterion.h>
#include <unistd.h>

#include "load.h"
#include "network.h"

enum { ASKERS = 6, TIMES = 15, MOST = 150 };

/* Layers of one panel and of several, large enough to be shared out from a single row on. */
static const struct chain wide = {"x", "scores", {500, 700, 600, 200, 10, 0}, "Relu"};

static void ask_all(const struct daemon *daemon, const struct quiz *quiz)
{
    struct asker askers[ASKERS];
    for (size_t i = 0; i < ASKERS; i++) {
        askers[i] = (struct asker){.port = daemon->port,
                                   .quiz = quiz,
                                   .most = i % 2 ? MOST : 1,
                                   .times = TIMES,
                                   .seed = 88172645463325252u + i * 7919};
        asker_start(&askers[i]);
    }
    for (size_t i = 0; i < ASKERS; i++)
        asker_join(&askers[i]);
    for (size_t i = 0; i < ASKERS; i++) {
        cr_assert(askers[i].wrong == 0, "asker %zu: %s", i, askers[i].first_wrong);
        cr_assert(askers[i].right == TIMES);
    }
}

/* Of each layer what does not depend on the order in which rows were added up. */
static json_t *take_counts(const struct daemon *daemon)
{
    static const char *const keys[] = {"active", "max_preactivation"};
    json_t *stats = get_json(daemon, "/stats?detail=units"), *counts = json_array(), *layer;
    size_t i;
    json_array_append(counts, json_object_get(stats, "samples"));
    json_array_foreach(json_object_get(stats, "layers"), i, layer)
    {
        json_array_append(counts, json_object_get(layer, "nonfinite"));
        for (size_t k = 0; k < 2; k++)
            json_array_append(counts,
                              json_object_get(json_object_get(layer, "unit_stats"), keys[k]));
    }
    cr_assert_eq(json_array_size(counts), 1 + 3 * 3);
    json_decref(stats);
    return counts;
}

/* Slices end within a run. */
static void start(struct daemon *daemon, const char *path, const char *loops, const char *crew)
{
    DAEMON_START(daemon, path, "--loops", loops, "--crew", crew, "--slice-ms", "1");
}

Test(crew, helpers_change_neither_answers_nor_counts)
{
    static const char *const others[][2] = {{"1", "1"}, {"2", "1"}, {"3", "63"}};
    struct daemon daemon;
    struct quiz quiz;
    char path[NETWORK_PATH_BYTES];
    int file = network_file(path, &wide, 1);
    quiz_init(&quiz, "/infer", 500, 10, 200);
    start(&daemon, path, "1", "0");
    quiz_learn(&quiz, &daemon);
    daemon_stop(&daemon);
    start(&daemon, path, "1", "0");
    ask_all(&daemon, &quiz);
    json_t *alone = take_counts(&daemon);
    daemon_stop(&daemon);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        start(&daemon, path, others[i][0], others[i][1]);
        ask_all(&daemon, &quiz);
        json_t *counts = take_counts(&daemon);
        cr_assert(json_equal(counts, alone), "--loops %s --crew %s", others[i][0], others[i][1]);
        json_decref(counts);
        daemon_stop(&daemon);
    }
    json_decref(alone);
    quiz_free(&quiz);
    close(file);
}
