/* GET /metrics: what it says after known traffic, and that Prometheus' own tool has nothing to say.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "repository.h"
#include "scrape.h"

static void post(const struct daemon *daemon, const char *path, const char *body, long status)
{
    struct reply reply;
    client_post(daemon->port, path, body, &reply);
    cr_assert_eq(reply.status, status, "%s: %ld %s", path, reply.status, reply.body);
    reply_free(&reply);
}

static void post_rows(const struct daemon *daemon, const char *path, size_t rows)
{
    char *body = digits_body(0, rows, "");
    post(daemon, path, body, 200);
    free(body);
}

struct expected {
    const char *series;
    double value;
};

static void expect_numbers(const char *page, const struct expected *expected, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double found = scrape_number(page, expected[i].series);
        if (isnan(expected[i].value) ? !isnan(found) : found != expected[i].value)
            cr_assert_fail("%s: expected %g, found %g in\n%s", expected[i].series,
                           expected[i].value, found, page);
    }
}

Test(metrics, requests_are_counted_by_model_and_status)
{
    static const struct expected expected[] = {
        {"relud_requests_total{model=\"digits\",code=\"200\"}", 4},
        {"relud_requests_total{model=\"digits\",code=\"400\"}", 2},
        {"relud_requests_total{model=\"digits-dying\",code=\"200\"}", 1},
        {"relud_requests_total{model=\"\",code=\"200\"}", 1},
        {"relud_requests_total{model=\"\",code=\"404\"}", 51},
        {"relud_requests_total{model=\"\",code=\"405\"}", 1},
        {"relud_requests_total{model=\"digits\",code=\"503\"}", NAN},
        {"relud_rows_total{model=\"digits\"}", 43},
        {"relud_rows_total{model=\"digits-dying\"}", 3},
        {"relud_rejected_total{reason=\"invalid\"}", 2},
        {"relud_rejected_total{reason=\"unknown_model\"}", 50},
        {"relud_rejected_total{reason=\"not_found\"}", 1},
        {"relud_rejected_total{reason=\"method_not_allowed\"}", 1},
        {"relud_batch_rows_bucket{model=\"digits\",le=\"1\"}", 2},
        {"relud_batch_rows_bucket{model=\"digits\",le=\"2\"}", 2},
        {"relud_batch_rows_bucket{model=\"digits\",le=\"32\"}", 2},
        {"relud_batch_rows_bucket{model=\"digits\",le=\"64\"}", 3},
        {"relud_batch_rows_bucket{model=\"digits\",le=\"+Inf\"}", 3},
        {"relud_batch_rows_sum{model=\"digits\"}", 43},
        {"relud_batch_rows_count{model=\"digits\"}", 3},
        {"relud_request_duration_seconds_count{model=\"digits\"}", 5},
        {"relud_queue_duration_seconds_count{model=\"digits\"}", 3},
        {"relud_compute_duration_seconds_count{model=\"digits\"}", 3},
        {"relud_compute_duration_seconds_bucket{model=\"digits\",le=\"+Inf\"}", 3},
    };
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS, DIGITS_DYING);
    post_rows(&daemon, "/infer", 1);
    post_rows(&daemon, "/infer?model=digits", 1);
    post_rows(&daemon, "/infer", 41);
    post_rows(&daemon, "/infer?model=digits-dying", 3);
    post(&daemon, "/infer", "{}", 400);
    post(&daemon, "/infer", "{\"inputs\":[x", 400);
    for (int i = 0; i < 50; i++) {
        char path[48];
        snprintf(path, sizeof path, "/infer?model=unheard-of-%d", i);
        post(&daemon, path, "{}", 404);
    }
    post(&daemon, "/nothing", "{}", 404);
    post(&daemon, "/models", "{}", 405);
    json_decref(get_json(&daemon, "/healthz"));
    json_decref(get_json(&daemon, "/stats"));
    char *page = scrape_page(daemon.port, NULL);
    expect_numbers(page, expected, sizeof expected / sizeof expected[0]);
    cr_assert_null(strstr(page, "unheard-of"));
    cr_assert_geq(scrape_number(page, "relud_connections"), 1);
    expect_clean(page);
    free(page);
    cr_assert_eq(scrape_once(&daemon, "relud_requests_total{model=\"\",code=\"200\"}"), 2,
                 "the scrape before counts as well");
    daemon_stop(&daemon);
}

/* Buckets only grow, and the last one holds all. */
static void check_histogram(const char *page, const char *name)
{
    char prefix[96], series[96];
    double last = 0, limit = 0, from = 1;
    size_t lines = 0;
    snprintf(prefix, sizeof prefix, "\n%s_bucket{model=\"digits\",le=\"", name);
    for (const char *at = page; (at = strstr(at, prefix)); at++, lines++) {
        char *end;
        double le = strtod(at + strlen(prefix), &end), count = strtod(end + 2, NULL);
        cr_assert(count >= last && le > limit, "%s: %.80s", name, at);
        from = lines == 0 ? le : from;
        last = count;
        limit = le;
    }
    snprintf(series, sizeof series, "%s_count{model=\"digits\"}", name);
    cr_assert(lines > 10 && isinf(limit) && last == scrape_number(page, series), "%s", name);
    snprintf(series, sizeof series, "%s_sum{model=\"digits\"}", name);
    cr_assert_geq(scrape_number(page, series), 0);
    cr_assert_eq(from, strcmp(name, "relud_batch_rows") == 0 ? 1 : 1e-5, "%s", name);
}

/* Scrapes while eight clients ask: every page is clean, no counter falls, and in the end all are
 * there. */
Test(metrics, pages_are_clean_while_traffic_runs)
{
    enum { CLIENTS = 8, TIMES = 400, MOST = 4, SCRAPES = 10 };
    struct asker askers[CLIENTS];
    struct quiz quiz;
    struct daemon daemon;
    double last = 0;
    DAEMON_START(&daemon, DIGITS, "--loops", "2");
    quiz_init(&quiz, "/infer?model=digits", PIXELS, SCORES, 50);
    quiz_learn(&quiz, &daemon);
    for (size_t i = 0; i < CLIENTS; i++) {
        askers[i] = (struct asker){
            .port = daemon.port, .quiz = &quiz, .most = MOST, .times = TIMES, .seed = i + 1};
        asker_start(&askers[i]);
    }
    for (int i = 0; i < SCRAPES; i++) {
        char *page = scrape_page(daemon.port, NULL);
        double count = scrape_number(page, "relud_requests_total{model=\"digits\",code=\"200\"}");
        expect_clean(page);
        check_histogram(page, "relud_request_duration_seconds");
        check_histogram(page, "relud_queue_duration_seconds");
        check_histogram(page, "relud_compute_duration_seconds");
        check_histogram(page, "relud_batch_rows");
        cr_assert(count >= last);
        last = count;
        free(page);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        asker_join(&askers[i]);
        cr_assert_eq(askers[i].right, TIMES);
    }
    char *page = scrape_page(daemon.port, NULL);
    double requests = scrape_number(page, "relud_requests_total{model=\"digits\",code=\"200\"}");
    cr_assert_eq(requests, CLIENTS * TIMES + (double)quiz.rows);
    cr_assert_eq(scrape_number(page, "relud_compute_duration_seconds_count{model=\"digits\"}"),
                 requests);
    free(page);
    quiz_free(&quiz);
    daemon_stop(&daemon);
}

/* The count of a verdict in a layer of GET /stats. */
static double count_in_stats(const json_t *stats, size_t layer, const char *verdict)
{
    const json_t *layers = json_object_get(stats, "layers");
    const json_t *found = json_object_get(json_array_get(layers, layer), verdict);
    return json_number_value(json_is_object(found) ? json_object_get(found, "count") : found);
}

static void expect_layer(const char *page, const char *metric, const char *layer, double expected)
{
    char series[96];
    snprintf(series, sizeof series, "relud_layer_%s{model=\"digits-dying\",layer=\"%s\"}", metric,
             layer);
    double found = scrape_number(page, series);
    if (isnan(expected) ? !isnan(found) : found != expected)
        cr_assert_fail("%s: expected %g, found %g", series, expected, found);
}

Test(metrics, layers_are_those_of_stats_once_decided)
{
    static const char *const metrics[][2] = {
        {"dead_units", "dead"},           {"silent_units", "silent"}, {"dormant_units", "dormant"},
        {"always_on_units", "always_on"}, {"sparsity", "sparsity"},
    };
    static const char *const layers[] = {"fc1", "fc2"};
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS_DYING, "--stats-min-samples", "100");
    for (int rows = 99; rows <= 100; rows++) {
        if (rows == 99)
            post_rows(&daemon, "/infer", 99);
        else
            post_rows(&daemon, "/infer", 1);
        json_t *stats = get_json(&daemon, "/stats");
        char *page = scrape_page(daemon.port, NULL);
        expect_clean(page);
        for (size_t l = 0; l < 2; l++) {
            expect_layer(page, "units", layers[l], l ? 64 : 128);
            expect_layer(page, "nonfinite_total", layers[l], 0);
            for (size_t m = 0; m < sizeof metrics / sizeof metrics[0]; m++)
                expect_layer(page, metrics[m][0], layers[l],
                             rows == 99 ? NAN : count_in_stats(stats, l, metrics[m][1]));
        }
        cr_assert(rows == 99 || scrape_sum(page, "relud_layer_dead_units") > 60);
        free(page);
        json_decref(stats);
    }
    daemon_stop(&daemon);
}

/* What a level does not measure is not there. */
Test(metrics, levels_leave_out_what_they_do_not_measure)
{
    static const char *const levels[] = {"off", "counts", "full"};
    for (int level = 0; level < 3; level++) {
        struct daemon daemon;
        DAEMON_START(&daemon, DIGITS_DYING, "--stats-min-samples", "1", "--stats", levels[level]);
        post_rows(&daemon, "/infer", 1);
        char *page = scrape_page(daemon.port, NULL);
        const char *dead = strstr(page, "\nrelud_layer_dead_units{");
        const char *dormant = strstr(page, "\nrelud_layer_dormant_units{");
        expect_clean(page);
        cr_assert_eq(dead != NULL, level >= 1, "%s", levels[level]);
        cr_assert_eq(dormant != NULL, level == 2, "%s", levels[level]);
        cr_assert_null(strstr(page, "null"));
        free(page);
        daemon_stop(&daemon);
    }
}

/* Whatever a model is called, the page can be read. */
Test(metrics, names_are_escaped)
{
    struct daemon daemon;
    DAEMON_START(&daemon, "a\"b\\c\nd\te\xFF=" DIGITS);
    post_rows(&daemon, "/infer", 2);
    char *page = scrape_page(daemon.port, NULL);
    expect_clean(page);
    cr_assert_eq(scrape_number(page, "relud_rows_total{model=\"a\\\"b\\\\c\\nd\te\xEF\xBF\xBD\"}"),
                 2, "%s", page);
    free(page);
    daemon_stop(&daemon);
}

/* Another network, an unloaded one, a version that has gone: the counts of the model go on. */
Test(metrics, counts_survive_reloads)
{
    static const struct expected expected[] = {
        {"relud_requests_total{model=\"net\",code=\"200\"}", 4},
        {"relud_rows_total{model=\"net\"}", 4},
        {"relud_request_duration_seconds_count{model=\"net\"}", 4},
        {"relud_batch_rows_count{model=\"net\"}", 4},
    };
    struct tree tree;
    struct daemon daemon;
    tree_open(&tree);
    tree_copy(&tree, "net/1/model.onnx", NETWORK_A);
    tree_copy(&tree, "net/2/model.onnx", NETWORK_A);
    DAEMON_START(&daemon, "--model-dir", tree.path, "--admin");
    post_rows(&daemon, "/infer", 1);
    post_rows(&daemon, "/infer?version=1", 1);
    tree_copy(&tree, "net/2/model.onnx", NETWORK_B);
    reload_until(&daemon, "model loaded", 1);
    post_rows(&daemon, "/infer", 1);
    post(&daemon, "/v2/repository/models/net/unload", "{}", 200);
    post(&daemon, "/infer", good_body(), 503);
    char *page = scrape_page(daemon.port, NULL);
    cr_assert_eq(scrape_number(page, "relud_requests_total{model=\"net\",code=\"503\"}"), 1);
    cr_assert_eq(scrape_number(page, "relud_rejected_total{reason=\"unavailable\"}"), 1);
    cr_assert_eq(scrape_number(page, "relud_rows_total{model=\"net\"}"), 3);
    cr_assert_null(strstr(page, "\nrelud_model_info{"));
    expect_clean(page);
    free(page);
    tree_remove(&tree, "net/1");
    post(&daemon, "/v2/repository/models/net/load", "{}", 200);
    post_rows(&daemon, "/infer", 1);
    page = scrape_page(daemon.port, NULL);
    expect_numbers(page, expected, sizeof expected / sizeof expected[0]);
    expect_clean(page);
    free(page);
    page = scrape_page(daemon.port, "/metrics?names=triton");
    cr_assert_eq(scrape_number(page, "nv_inference_count{model=\"net\",version=\"2\"}"), 3);
    cr_assert_null(strstr(page, "version=\"1\""));
    free(page);
    daemon_stop(&daemon);
    tree_close(&tree);
}

/* Two versions side by side: the layers are those of the one that answers who names none. */
Test(metrics, a_layer_is_listed_once)
{
    struct tree tree;
    struct daemon daemon;
    tree_open(&tree);
    tree_copy(&tree, "net/1/model.onnx", NETWORK_A);
    tree_copy(&tree, "net/2/model.onnx", NETWORK_B);
    DAEMON_START(&daemon, "--model-dir", tree.path, "--stats-min-samples", "1");
    post_rows(&daemon, "/infer?version=1", 20);
    char *page = scrape_page(daemon.port, NULL);
    cr_assert(isnan(scrape_number(page, "relud_layer_dead_units{model=\"net\",layer=\"fc1\"}")));
    free(page);
    post_rows(&daemon, "/infer?version=2", 20);
    page = scrape_page(daemon.port, NULL);
    cr_assert_eq(scrape_number(page, "relud_layer_units{model=\"net\",layer=\"fc1\"}"), 128);
    cr_assert_eq(scrape_sum(page, "relud_layer_units"), 192);
    cr_assert_eq(scrape_sum(page, "relud_model_info"), 2);
    cr_assert_eq(scrape_number(page, "relud_rows_total{model=\"net\"}"), 40);
    expect_clean(page);
    free(page);
    daemon_stop(&daemon);
    tree_close(&tree);
}

/* Under Triton's names on request, for every version what its statistics say. */
Test(metrics, triton_names_on_request)
{
    struct daemon daemon;
    struct reply reply;
    DAEMON_START(&daemon, DIGITS, DIGITS_DYING);
    post_rows(&daemon, "/infer", 5);
    post_rows(&daemon, "/infer", 6);
    post(&daemon, "/infer", "{}", 400);
    char *page = scrape_page(daemon.port, NULL);
    cr_assert_null(strstr(page, "nv_inference"));
    free(page);
    static const struct expected expected[] = {
        {"nv_inference_request_success{model=\"digits\",version=\"1\"}", 2},
        {"nv_inference_request_failure{model=\"digits\",version=\"1\"}", 1},
        {"nv_inference_count{model=\"digits\",version=\"1\"}", 11},
        {"nv_inference_exec_count{model=\"digits\",version=\"1\"}", 2},
        {"nv_inference_count{model=\"digits-dying\",version=\"1\"}", 0},
    };
    page = scrape_page(daemon.port, "/metrics?names=triton");
    expect_numbers(page, expected, sizeof expected / sizeof expected[0]);
    static const char *const parts[] = {"queue", "compute_input", "compute_infer",
                                        "compute_output"};
    double sum = 0;
    for (size_t i = 0; i < 4; i++) {
        char series[96];
        snprintf(series, sizeof series,
                 "nv_inference_%s_duration_us{model=\"digits\",version=\"1\"}", parts[i]);
        sum += scrape_number(page, series);
    }
    cr_assert(sum > 0);
    cr_assert_leq(sum, scrape_number(page, "nv_inference_request_duration_us{model=\"digits\","
                                           "version=\"1\"}"));
    free(page);
    client_get(daemon.port, "/metrics?names=other", &reply);
    expect_error(&reply, 400, "invalid", "names: expected \"triton\"", "names=other");
    reply_free(&reply);
    daemon_stop(&daemon);
}

Test(metrics, the_process_is_described)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    char *page = scrape_page(daemon.port, NULL);
    double started = scrape_number(page, "process_start_time_seconds");
    cr_assert(started > 1.6e9 && started <= (double)time(NULL) + 1);
    cr_assert(scrape_number(page, "process_resident_memory_bytes") > 1e6);
    cr_assert(scrape_number(page, "process_cpu_seconds_total") > 0);
    cr_assert(scrape_number(page, "process_max_fds") > 0);
    double descriptors = (double)daemon_descriptors(&daemon); /* with or without the connection */
    cr_assert(fabs(scrape_number(page, "process_open_fds") - descriptors) <= 1);
    free(page);
    cr_assert_eq(scrape_once(&daemon, "process_start_time_seconds"), started);
    daemon_stop(&daemon);
}
