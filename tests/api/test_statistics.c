/* What GET /stats says after the whole data set has been posted. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scene.h"

enum { LAYERS = 2, UNITS_MAX = 128, CLIENTS = 5 };

/* What the replies to all rows say. */
struct tally {
    float scores[DIGITS_ROWS * SCORES];
    uint64_t active[LAYERS];
    size_t right; /* rows whose label is that of the data */
};

static void tally_reply(struct tally *tally, const struct reply *reply, size_t first, size_t rows)
{
    size_t found = outputs_of(reply, tally->scores + first * SCORES, rows * SCORES);
    if (found != rows * SCORES)
        cr_assert_fail("%zu outputs for %zu rows", found, rows);
    json_t *json = json_of(reply);
    const json_t *layers = json_object_get(json_object_get(json, "stats"), "layers");
    for (size_t i = 0; i < LAYERS; i++)
        tally->active[i] += sum_of(json_object_get(json_array_get(layers, i), "active"));
    for (size_t r = 0; r < rows; r++)
        tally->right += json_string_value(json_array_get(json_object_get(json, "labels"), r))[0] ==
                        digits()->labels[first + r];
    json_decref(json);
}

/* Posts the data set in batches of so many rows, over several connections in turn. */
static void post_all(const struct daemon *daemon, const char *path, size_t batch,
                     struct tally *tally)
{
    struct client *clients[CLIENTS];
    for (size_t i = 0; i < CLIENTS; i++)
        clients[i] = client_open(daemon->port);
    *tally = (struct tally){.right = 0};
    for (size_t first = 0, turn = 0; first < DIGITS_ROWS; first += batch, turn++) {
        size_t rows = DIGITS_ROWS - first < batch ? DIGITS_ROWS - first : batch;
        char *body = digits_body(first, rows, "");
        struct request request = {.path = path, .body = body, .body_count = strlen(body)};
        struct reply reply;
        client_send(clients[turn % CLIENTS], &request, &reply);
        expect_json(&reply, 200, path);
        tally_reply(tally, &reply, first, rows);
        reply_free(&reply);
        free(body);
    }
    for (size_t i = 0; i < CLIENTS; i++)
        client_close(clients[i]);
}

static const json_t *layer_of(const json_t *stats, size_t i)
{
    return json_array_get(json_object_get(stats, "layers"), i);
}

static uint64_t integer_at(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);
    if (!json_is_integer(value))
        cr_assert_fail("\"%s\" is no integer", key);
    return (uint64_t)json_integer_value(value);
}

static double number_at(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);
    if (!json_is_number(value))
        cr_assert_fail("\"%s\" is no number", key);
    return json_number_value(value);
}

/* The sums of the replies' counts are the cumulative ones. */
static void expect_counts(const json_t *stats, const uint64_t active[LAYERS], uint64_t rows)
{
    cr_assert_eq(integer_at(stats, "samples"), rows);
    for (size_t i = 0; i < LAYERS; i++) {
        const json_t *layer = layer_of(stats, i), *units = json_object_get(layer, "unit_stats");
        cr_assert_eq(integer_at(layer, "observations"), rows);
        cr_assert_eq(sum_of(json_object_get(units, "active")), active[i], "layer %zu", i);
    }
}

static void check_ways_of_posting(const struct daemon *daemon, const char *model, size_t right)
{
    static const size_t batches[] = {1, 7, DIGITS_ROWS};
    static struct tally first, other;
    char infer[64], stats[96];
    uint64_t active[LAYERS] = {0};
    snprintf(infer, sizeof infer, "/infer?model=%s", model);
    snprintf(stats, sizeof stats, "/stats?model=%s&detail=units", model);
    for (size_t i = 0; i < 3; i++) {
        struct tally *tally = i ? &other : &first;
        post_all(daemon, infer, batches[i], tally);
        cr_assert(same_bits(tally->scores, first.scores, DIGITS_ROWS * SCORES), "batches of %zu",
                  batches[i]);
        cr_assert_eq(tally->right, right, "%zu right", tally->right);
        for (size_t layer = 0; layer < LAYERS; layer++) {
            cr_assert_eq(tally->active[layer], first.active[layer]);
            active[layer] += tally->active[layer];
        }
        json_t *json = get_json(daemon, stats);
        expect_counts(json, active, (i + 1) * DIGITS_ROWS);
        json_decref(json);
    }
}

/* models/README.md: what NumPy counted, and how many rows each network reads rightly. */
static void expect_dead(const struct daemon *daemon, const char *model, uint64_t fc1, uint64_t fc2)
{
    char path[64];
    snprintf(path, sizeof path, "/stats?model=%s", model);
    json_t *json = get_json(daemon, path);
    const json_t *totals = json_object_get(json, "totals");
    cr_assert_eq(integer_at(json_object_get(layer_of(json, 0), "dead"), "count"), fc1);
    cr_assert_eq(integer_at(json_object_get(layer_of(json, 1), "dead"), "count"), fc2);
    cr_assert_eq(integer_at(totals, "units"), 192);
    cr_assert_eq(integer_at(totals, "dead"), fc1 + fc2);
    cr_assert_float_eq(number_at(totals, "dead_fraction"), (double)(fc1 + fc2) / 192, 1e-12);
    json_decref(json);
}

Test(statistics, the_whole_data_set_posted_in_three_ways)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, DIGITS_DYING);
    check_ways_of_posting(&daemon, "digits", 1790);
    check_ways_of_posting(&daemon, "digits-dying", 1786);
    expect_dead(&daemon, "digits", 1, 1);
    expect_dead(&daemon, "digits-dying", 65, 9);
    daemon_stop(&daemon);
}

/* Leaves what must not depend on how rows were counted: all but since and the means' last bits. */
static void keep_counts(json_t *stats)
{
    json_object_del(stats, "since");
    for (size_t i = 0; i < LAYERS; i++) {
        json_t *units = json_object_get(layer_of(stats, i), "unit_stats");
        json_object_del(units, "mean");
        json_object_del(units, "mean_abs");
    }
}

static void expect_same_counts(json_t *a, json_t *b, const char *where)
{
    keep_counts(a);
    keep_counts(b);
    cr_assert(json_equal(a, b), "%s", where);
}

Test(statistics, the_same_counts_with_1_2_and_4_loops)
{
    static const char *const loops[] = {"1", "2", "4"};
    static struct tally tally;
    json_t *counts[3];
    for (size_t i = 0; i < 3; i++) {
        struct daemon daemon;
        DAEMON_START(&daemon, DIGITS_DYING, "--loops", loops[i]);
        post_all(&daemon, "/infer", 11, &tally);
        counts[i] = get_json(&daemon, "/stats?detail=units");
        expect_same_counts(counts[0], counts[i], loops[i]);
        daemon_stop(&daemon);
    }
    for (size_t i = 0; i < 3; i++)
        json_decref(counts[i]);
}

/* Verdicts, recomputed from the numbers of the units that stand beside them. */

static bool lists(const json_t *verdict, size_t unit)
{
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(verdict, "units"), i,
                       item) if ((size_t)json_integer_value(item) == unit) return true;
    return false;
}

static double unit_number(const json_t *units, const char *key, size_t unit)
{
    return json_number_value(json_array_get(json_object_get(units, key), unit));
}

/* One verdict lists exactly the units that hold says, ascending, and counts them. */
static void check_verdict(const json_t *layer, const char *name, const bool holds[UNITS_MAX])
{
    const json_t *verdict = json_object_get(layer, name);
    const json_t *units = json_object_get(verdict, "units");
    size_t all = integer_at(layer, "units"), count = 0;
    for (size_t unit = 0; unit < all; unit++) {
        if (holds[unit] != lists(verdict, unit))
            cr_assert_fail("%s: unit %zu", name, unit);
        count += holds[unit];
    }
    cr_assert_eq(json_array_size(units), count, "%s", name);
    cr_assert_eq(integer_at(verdict, "count"), count, "%s", name);
    for (size_t i = 1; i < count; i++)
        cr_assert(json_integer_value(json_array_get(units, i - 1)) <
                  json_integer_value(json_array_get(units, i)));
}

static void check_verdicts(const json_t *layer, double rows, double tau)
{
    bool dead[UNITS_MAX], silent[UNITS_MAX] = {false}, dormant[UNITS_MAX], rare[UNITS_MAX],
                          always[UNITS_MAX];
    const json_t *units = json_object_get(layer, "unit_stats");
    size_t count = integer_at(layer, "units");
    double mean = 0, active_sum = 0;
    for (size_t u = 0; u < count; u++)
        mean += unit_number(units, "mean_abs", u) / (double)count;
    for (size_t u = 0; u < count; u++) {
        double active = unit_number(units, "active", u);
        double max = unit_number(units, "max_preactivation", u);
        dead[u] = active == 0;
        dormant[u] = unit_number(units, "mean_abs", u) <= tau * mean;
        rare[u] = active > 0 && active < 0.01 * rows;
        always[u] = active == rows;
        active_sum += active;
        if (fabs(unit_number(units, "rate", u) - active / rows) > 1e-12 ||
            (active > 0) != (max > 0) ||
            unit_number(units, "mean", u) != unit_number(units, "mean_abs", u))
            cr_assert_fail("unit %zu", u);
    }
    check_verdict(layer, "dead", dead);
    check_verdict(layer, "silent", silent);
    check_verdict(layer, "dormant", dormant);
    check_verdict(layer, "rare", rare);
    check_verdict(layer, "always_on", always);
    cr_assert_float_eq(number_at(layer, "sparsity"), 1 - active_sum / rows / (double)count, 1e-12);
    const json_t *of_dead = json_object_get(layer, "dead");
    cr_assert_float_eq(number_at(of_dead, "fraction"),
                       (double)integer_at(of_dead, "count") / (double)count, 1e-12);
    cr_assert_float_eq(number_at(of_dead, "rate_upper_95"), 1 - pow(0.05, 1 / rows), 1e-12);
    cr_assert_float_eq(number_at(json_object_get(layer, "dormant"), "tau"), tau, 1e-15);
}

Test(statistics, verdicts_follow_from_the_units)
{
    static const struct {
        const char *path;
        double tau;
    } cases[] = {{"/stats?detail=units", 0.025},
                 {"/stats?detail=units&tau=0", 0},
                 {"/stats?tau=0.5&detail=units", 0.5},
                 {"/stats?tau=1e-1&detail=units", 0.1},
                 {"/stats?tau=1000&detail=units", 1000}};
    static struct tally tally;
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS_DYING);
    post_all(&daemon, "/infer", 100, &tally);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *json = get_json(&daemon, cases[i].path);
        for (size_t layer = 0; layer < LAYERS; layer++)
            check_verdicts(layer_of(json, layer), DIGITS_ROWS, cases[i].tau);
        json_decref(json);
    }
    daemon_stop(&daemon);
}

Test(statistics, histogram_counts_the_units_rates)
{
    static struct tally tally;
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    post_all(&daemon, "/infer", 100, &tally);
    json_t *json = get_json(&daemon, "/stats?detail=units");
    for (size_t i = 0; i < LAYERS; i++) {
        const json_t *layer = layer_of(json, i),
                     *histogram = json_object_get(layer, "rate_histogram");
        const json_t *edges = json_object_get(histogram, "edges");
        const json_t *counts = json_object_get(histogram, "counts");
        size_t bins = json_array_size(counts);
        cr_assert_eq(json_array_size(edges), bins + 1);
        cr_assert_eq(sum_of(counts), integer_at(layer, "units"));
        for (size_t bin = 0; bin < bins; bin++) {
            double low = json_number_value(json_array_get(edges, bin));
            double high = json_number_value(json_array_get(edges, bin + 1));
            json_int_t count = 0;
            for (size_t u = 0; u < integer_at(layer, "units"); u++) {
                double rate = unit_number(json_object_get(layer, "unit_stats"), "rate", u);
                count += rate >= low && (rate < high || (bin == bins - 1 && rate == high));
            }
            cr_assert_eq(json_integer_value(json_array_get(counts, bin)), count, "bin %zu", bin);
        }
    }
    json_decref(json);
    daemon_stop(&daemon);
}

/* Posts two rows of noughts, the last number of which is raised. */
static void post_raised(const struct daemon *daemon, double last)
{
    char body[512] = "{\"inputs\":[[";
    struct reply reply;
    for (size_t i = 0; i < 127; i++)
        strcat(body, i % 64 == 63 ? "0],[" : "0,");
    snprintf(body + strlen(body), 32, "%g]]}", last);
    client_post(daemon->port, "/infer", body, &reply);
    expect_json(&reply, 200, body);
    reply_free(&reply);
}

/* Windows */

static void expect_windows(const struct daemon *daemon, uint64_t rows)
{
    static const char *const windows[] = {"60s", "15m", "1h"};
    json_t *all = get_json(daemon, "/stats?detail=units");
    cr_assert_eq(integer_at(all, "samples"), rows);
    for (size_t i = 0; i < 3; i++) {
        char path[64];
        snprintf(path, sizeof path, "/stats?detail=units&window=%s", windows[i]);
        json_t *window = get_json(daemon, path);
        expect_same_counts(window, all, windows[i]);
        json_decref(window);
    }
    json_decref(all);
}

/* Everything is younger than a minute: a window says what all of it says, whether it is still at
 * the loops or, six seconds later, in the history. */
Test(statistics, windows_hold_what_is_young_enough)
{
    static struct tally tally;
    struct daemon daemon;
    struct reply reply;
    DAEMON_START(&daemon, DIGITS_DYING, "--admin", "--loops", "2");
    post_all(&daemon, "/infer", 100, &tally);
    expect_windows(&daemon, DIGITS_ROWS);
    sleep(6);
    expect_windows(&daemon, DIGITS_ROWS);
    post_all(&daemon, "/infer", 1000, &tally);
    expect_windows(&daemon, 2 * DIGITS_ROWS);
    client_post(daemon.port, "/stats/reset", "", &reply);
    expect_json(&reply, 200, "reset");
    reply_free(&reply);
    expect_windows(&daemon, 0);
    daemon_stop(&daemon);
}

/* Declared ranges: pixels of both networks are 0 to 16. */

Test(statistics, a_row_outside_its_range_makes_proofs_void)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS_DYING, "--admin");
    expect_alive(&daemon, "a row inside");
    for (uint64_t outside = 0; outside < 3; outside++) {
        json_t *json = get_json(&daemon, "/stats");
        cr_assert_eq(integer_at(json, "out_of_range_rows"), outside);
        for (size_t i = 0; i < LAYERS; i++) {
            const json_t *proven = json_object_get(layer_of(json, i), "dead_proven");
            cr_assert_eq(json_array_size(json_object_get(proven, "units")),
                         integer_at(proven, "count"));
            cr_assert_eq(json_is_true(json_object_get(proven, "void")), outside > 0);
        }
        json_decref(json);
        post_raised(&daemon, 16.5);
    }
    daemon_stop(&daemon);
}

/* The query */

Test(statistics, layer_selects_one)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, DIGITS_DYING);
    expect_alive(&daemon, "one row");
    json_t *all = get_json(&daemon, "/stats?detail=units");
    for (size_t i = 0; i < LAYERS; i++) {
        json_t *one = get_json(&daemon, i ? "/stats?layer=fc2&detail=units&model=digits"
                                          : "/stats?layer=fc1&detail=units");
        cr_assert_eq(json_array_size(json_object_get(one, "layers")), 1);
        cr_assert(json_equal(layer_of(one, 0), layer_of(all, i)));
        cr_assert(json_equal(json_object_get(one, "totals"), json_object_get(all, "totals")));
        json_decref(one);
    }
    json_decref(all);
    daemon_stop(&daemon);
}

Test(statistics, units_are_listed_on_demand_only)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    expect_alive(&daemon, "one row");
    json_t *plain = get_json(&daemon, "/stats"), *detail = get_json(&daemon, "/stats?detail=units");
    for (size_t i = 0; i < LAYERS; i++) {
        json_t *layer = json_array_get(json_object_get(detail, "layers"), i);
        cr_assert_not(json_object_get(layer_of(plain, i), "unit_stats"));
        static const char *const keys[] = {"active", "rate", "mean", "mean_abs",
                                           "max_preactivation"};
        for (size_t k = 0; k < 5; k++)
            cr_assert_eq(
                json_array_size(json_object_get(json_object_get(layer, "unit_stats"), keys[k])),
                integer_at(layer, "units"), "%s", keys[k]);
        json_object_del(layer, "unit_stats");
    }
    cr_assert(json_equal(plain, detail));
    json_decref(plain);
    json_decref(detail);
    daemon_stop(&daemon);
}

Test(statistics, before_the_first_row_nothing_is_claimed)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--stats-min-samples", "0");
    json_t *json = get_json(&daemon, "/stats?detail=units");
    cr_assert_eq(integer_at(json, "samples"), 0, "warm-up runs are not counted");
    cr_assert_eq(integer_at(json_object_get(json, "totals"), "dead"), 0);
    for (size_t i = 0; i < LAYERS; i++) {
        const json_t *layer = layer_of(json, i);
        static const char *const verdicts[] = {"dead",      "silent",     "dormant",  "rare",
                                               "always_on", "stuck_high", "saturated"};
        cr_assert_eq(integer_at(layer, "observations"), 0);
        cr_assert(json_is_null(json_object_get(layer, "sparsity")));
        for (size_t v = 0; v < 7; v++)
            cr_assert_eq(integer_at(json_object_get(layer, verdicts[v]), "count"), 0, "%s",
                         verdicts[v]);
    }
    json_decref(json);
    daemon_stop(&daemon);
}

Test(statistics, refused_requests_are_not_counted)
{
    struct daemon daemon;
    struct reply reply;
    DAEMON_START(&daemon, DIGITS, "--max-batch-rows", "2");
    static const char *const tails[] = {",\"stats\":\"x\"", ",", ",\"id\":1"};
    for (size_t i = 0; i < 3; i++) {
        char *body = digits_body(0, 2, tails[i]);
        client_post(daemon.port, "/infer", body, &reply);
        expect_json(&reply, 400, body);
        reply_free(&reply);
        free(body);
    }
    char *body = digits_body(0, 3, "");
    client_post(daemon.port, "/infer", body, &reply);
    expect_json(&reply, 413, "3 rows");
    reply_free(&reply);
    free(body);
    json_t *json = get_json(&daemon, "/stats");
    cr_assert_eq(integer_at(json, "samples"), 0);
    json_decref(json);
    daemon_stop(&daemon);
}

Test(statistics, a_summary_lists_no_unit)
{
    struct daemon daemon;
    struct reply reply;
    DAEMON_START(&daemon, DIGITS_DYING);
    client_get(daemon.port, "/stats?detail=summary", &reply);
    expect_json(&reply, 200, "summary");
    cr_assert_not(strstr(reply.body, "\"units\":["), "%s", reply.body);
    cr_assert(strstr(reply.body, "\"dead_proven\":{\"count\":2,\"void\":false}"), "%s", reply.body);
    reply_free(&reply);
    daemon_stop(&daemon);
}

/* --stats and --stats-min-samples */

Test(statistics, min_samples_decides)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--stats-min-samples", "3");
    for (uint64_t rows = 1; rows <= 4; rows++) {
        expect_alive(&daemon, "one more row");
        json_t *json = get_json(&daemon, "/stats");
        const json_t *totals = json_object_get(json, "totals");
        for (size_t i = 0; i < LAYERS; i++)
            cr_assert_eq(json_is_true(json_object_get(layer_of(json, i), "decided")), rows >= 3);
        cr_assert_eq(integer_at(totals, "units"), rows >= 3 ? 192 : 0);
        cr_assert_eq(integer_at(totals, "dead") > 0, rows >= 3);
        cr_assert_eq(integer_at(json, "min_samples"), 3);
        cr_assert(integer_at(json_object_get(layer_of(json, 0), "dead"), "count") > 0);
        json_decref(json);
    }
    daemon_stop(&daemon);
}

Test(statistics, default_min_samples_is_1000)
{
    struct daemon daemon;
    struct reply reply;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < 2; i++) {
        char *body = digits_body(0, i ? 1 : 999, "");
        client_post(daemon.port, "/infer", body, &reply);
        expect_json(&reply, 200, "rows");
        reply_free(&reply);
        free(body);
        json_t *json = get_json(&daemon, "/stats");
        cr_assert_eq(json_is_true(json_object_get(layer_of(json, 0), "decided")), i == 1);
        json_decref(json);
    }
    daemon_stop(&daemon);
}

/* A request's own statistics are those of full at every level. */
static void expect_reply_statistics(const struct daemon *daemon)
{
    struct reply reply;
    client_post(daemon->port, "/infer", good_body(), &reply);
    expect_json(&reply, 200, "a request");
    json_t *json = json_of(&reply);
    const json_t *layers = json_object_get(json_object_get(json, "stats"), "layers");
    cr_assert_eq(json_array_size(layers), LAYERS, "%s", reply.body);
    for (size_t i = 0; i < LAYERS; i++) {
        uint64_t active = sum_of(json_object_get(json_array_get(layers, i), "active"));
        cr_assert(active > 0 && active < 128, "%s", reply.body);
    }
    json_decref(json);
    reply_free(&reply);
}

Test(statistics, level_counts_has_no_means)
{
    static const char *const nulls[] = {"mean", "mean_abs", "max_preactivation"};
    static struct tally tally;
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS_DYING, "--stats", "counts");
    post_all(&daemon, "/infer", 7, &tally);
    json_t *json = get_json(&daemon, "/stats?detail=units");
    cr_assert_str_eq(json_string_value(json_object_get(json, "level")), "counts");
    expect_counts(json, tally.active, DIGITS_ROWS);
    for (size_t i = 0; i < LAYERS; i++) {
        const json_t *layer = layer_of(json, i), *units = json_object_get(layer, "unit_stats");
        cr_assert(json_is_null(json_object_get(layer, "dormant")));
        for (size_t k = 0; k < 3; k++)
            cr_assert(json_is_null(json_object_get(units, nulls[k])), "%s", nulls[k]);
    }
    json_decref(json);
    expect_dead(&daemon, "digits-dying", 65, 9);
    expect_reply_statistics(&daemon);
    daemon_stop(&daemon);
}

Test(statistics, level_off_counts_nothing)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--stats", "off", "--stats-min-samples", "0");
    expect_alive(&daemon, "one row");
    expect_reply_statistics(&daemon);
    json_t *json = get_json(&daemon, "/stats?detail=units");
    cr_assert_str_eq(json_string_value(json_object_get(json, "level")), "off");
    cr_assert_eq(integer_at(json_object_get(json, "totals"), "dead"), 0);
    for (size_t i = 0; i < json_array_size(json_object_get(json, "layers")); i++) {
        const json_t *dead = json_object_get(layer_of(json, i), "dead");
        cr_assert(json_is_null(dead) || integer_at(dead, "count") == 0);
    }
    json_decref(json);
    daemon_stop(&daemon);
}

/* What a level does not measure is null, says the contract. */
Test(statistics, level_off_says_null)
{
    static const char *const verdicts[] = {"dead",      "silent",     "dormant",  "rare",
                                           "always_on", "stuck_high", "saturated"};
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, "--stats", "off");
    expect_alive(&daemon, "one row");
    json_t *json = get_json(&daemon, "/stats?detail=units");
    for (size_t i = 0; i < LAYERS; i++) {
        const json_t *layer = layer_of(json, i);
        cr_expect(json_is_null(json_object_get(layer, "sparsity")));
        for (size_t v = 0; v < 7; v++)
            cr_expect(json_is_null(json_object_get(layer, verdicts[v])), "%s", verdicts[v]);
        const json_t *units = json_object_get(layer, "unit_stats");
        cr_expect(json_is_null(json_object_get(units, "active")));
        cr_expect(json_is_null(json_object_get(units, "mean")));
    }
    json_decref(json);
    daemon_stop(&daemon);
}

Test(statistics, since_is_a_time_and_digest_that_of_models)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    json_t *stats = get_json(&daemon, "/stats"), *models = get_json(&daemon, "/models");
    int parts[6];
    char zone = 0;
    cr_assert_eq(sscanf(json_string_value(json_object_get(stats, "since")),
                        "%4d-%2d-%2dT%2d:%2d:%2d%c", &parts[0], &parts[1], &parts[2], &parts[3],
                        &parts[4], &parts[5], &zone),
                 7);
    cr_assert_eq(zone, 'Z');
    cr_assert(json_equal(
        json_object_get(stats, "digest"),
        json_object_get(json_array_get(json_object_get(models, "models"), 0), "digest")));
    json_decref(stats);
    json_decref(models);
    daemon_stop(&daemon);
}
