/* Counters as JSON, read back by jansson: exactly the fields of API.md, GET /stats. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counted.h"
#include "stats/report.h"

static const struct report_options defaults = {
    .tau = 0.025, .min_samples = 1000, .layer = PLAN_LAYER_NONE, .since = "2026-11-20T12:00:00Z"};

static json_t *report(const struct counted *counted, const struct report_options *options)
{
    struct text text = {.bytes = NULL};
    json_error_t error;
    report_write(&text, &counted->model, &counted->counters, options);
    cr_assert(!text.failed);
    json_t *json = json_loadb(text.bytes, text.count, JSON_REJECT_DUPLICATES, &error);
    cr_assert(json, "%s: %.*s", error.text, (int)text.count, text.bytes);
    text_free(&text);
    return json;
}

/* The member at "layers.0.dead.count"; fails the test when there is none. */
static json_t *at(json_t *json, const char *path)
{
    char copy[128], *rest = copy;
    strcpy(copy, path);
    for (char *key; (key = strtok_r(rest, ".", &rest));)
        json = json_is_array(json) ? json_array_get(json, (size_t)atoi(key))
                                   : json_object_get(json, key);
    cr_assert(json, "no %s", path);
    return json;
}

static double number(json_t *json, const char *path)
{
    json_t *found = at(json, path);
    cr_assert(json_is_number(found), "%s is no number", path);
    return json_number_value(found);
}

/* The member as compact JSON. */
static void expect(json_t *json, const char *path, const char *expected)
{
    char *text = json_dumps(at(json, path), JSON_COMPACT | JSON_ENCODE_ANY);
    cr_assert_str_eq(text, expected, "%s is %s", path, text);
    free(text);
}

/* The keys of an object, in the order they are written, each followed by a blank. */
static void expect_keys(json_t *object, const char *expected)
{
    char keys[512] = "";
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        strcat(strcat(keys, key), " ");
    }
    cr_assert_str_eq(keys, expected);
}

/* 2000 rows; of the relu layer unit 0 is dead, 1 rare, 2 dormant and rare, 7 always on. */
static void count(struct counted *counted, enum stats_level level)
{
    counted_open(counted, level);
    counted_rows(counted, 2000);
    counted_unit(counted, 0, 0, 0, 0, 0, -0.5f);
    counted_unit(counted, 0, 1, 19, 0.5, 0.5, 1.5f);
    counted_unit(counted, 0, 2, 1, 0.001, 0.001, 0.1f);
    for (size_t unit = 3; unit < 7; unit++)
        counted_unit(counted, 0, unit, 500, 1, 1, 3);
    counted_unit(counted, 0, 7, 2000, 3, 3, 9);
    counted->counters.layers[0].nonfinite = 3;
    counted_unit(counted, 1, 0, 0, -0.25, 0.25, -1);
    for (size_t unit = 1; unit < 4; unit++)
        counted_unit(counted, 1, unit, 1000, 0.25, 1, 2);
    for (size_t unit = 0; unit < 3; unit++)
        counted_unit(counted, 2, unit, unit == 0 ? 0 : 20, 0, (double)unit, 0);
}

Test(report, has_the_fields_of_the_api)
{
    struct counted counted;
    struct report_options options = defaults;
    options.detail = REPORT_UNITS;
    count(&counted, STATS_full);
    json_t *json = report(&counted, &options);
    expect_keys(json, "model version digest level since samples out_of_range_rows totals layers ");
    expect_keys(at(json, "totals"), "units dead dead_fraction silent sparsity ");
    expect_keys(at(json, "layers.0"),
                "name activation units observations sparsity nonfinite decided dead silent dormant "
                "rare always_on stuck_high saturated dead_proven rate_histogram unit_stats ");
    expect_keys(at(json, "layers.0.dead"), "count fraction rate_upper_95 units ");
    expect_keys(at(json, "layers.0.silent"), "count units ");
    expect_keys(at(json, "layers.0.dormant"), "tau count units ");
    expect_keys(at(json, "layers.0.rare"), "count units ");
    expect_keys(at(json, "layers.0.always_on"), "count units ");
    expect_keys(at(json, "layers.0.rate_histogram"), "edges counts ");
    expect_keys(at(json, "layers.0.unit_stats"), "active rate mean mean_abs max_preactivation "
                                                 "margin low_tail high_tail ");
    json_decref(json);
    counted_close(&counted);
}

Test(report, a_summary_counts_and_lists_no_unit)
{
    struct counted counted;
    struct report_options options = defaults;
    count(&counted, STATS_full);
    json_t *whole = report(&counted, &options);
    options.detail = REPORT_SUMMARY;
    json_t *json = report(&counted, &options);
    expect_keys(at(json, "layers.0"),
                "name activation units observations sparsity nonfinite decided dead silent dormant "
                "rare always_on stuck_high saturated dead_proven rate_histogram ");
    expect_keys(at(json, "layers.0.dead"), "count fraction rate_upper_95 ");
    expect_keys(at(json, "layers.0.dormant"), "tau count ");
    expect_keys(at(json, "layers.0.rare"), "count ");
    cr_assert(json_integer_value(at(whole, "layers.0.dead.count")) > 0);
    cr_assert(json_equal(at(json, "layers.0.dead.count"), at(whole, "layers.0.dead.count")));
    cr_assert(json_equal(at(json, "totals"), at(whole, "totals")));
    json_decref(whole);
    json_decref(json);
    counted_close(&counted);
}

Test(report, says_whose_it_is)
{
    struct counted counted;
    count(&counted, STATS_full);
    json_t *json = report(&counted, &defaults);
    expect(json, "model", "\"hand \\\"made\\\"\"");
    expect(json, "version", "\"1\"");
    expect(json, "digest", "\"sha256:00\"");
    expect(json, "level", "\"full\"");
    expect(json, "since", "\"2026-11-20T12:00:00Z\"");
    expect(json, "samples", "2000");
    cr_assert(json_array_size(at(json, "layers")) == COUNTED_LAYERS);
    expect(json, "layers.0.name", "\"dense\"");
    expect(json, "layers.0.activation", "{\"type\":\"relu\"}");
    expect(json, "layers.1.activation.type", "\"leaky_relu\"");
    cr_assert_float_eq(number(json, "layers.1.activation.alpha"), 0.01, 1e-9);
    expect(json, "layers.2.activation", "{\"type\":\"prelu\"}");
    json_decref(json);
    counted_close(&counted);
}

Test(report, lists_the_verdicts)
{
    struct counted counted;
    count(&counted, STATS_full);
    json_t *json = report(&counted, &defaults);
    expect(json, "layers.0.dead.units", "[0]");
    expect(json, "layers.0.dead.count", "1");
    cr_assert(number(json, "layers.0.dead.fraction") == 0.125);
    cr_assert_float_eq(number(json, "layers.0.dead.rate_upper_95"), 1 - pow(0.05, 1.0 / 2000),
                       1e-15);
    expect(json, "layers.0.silent", "{\"count\":0,\"units\":[]}");
    expect(json, "layers.0.dormant.units", "[0,2]");
    expect(json, "layers.0.dormant.count", "2");
    cr_assert(number(json, "layers.0.dormant.tau") == 0.025);
    expect(json, "layers.0.rare", "{\"count\":2,\"units\":[1,2]}");
    expect(json, "layers.0.always_on", "{\"count\":1,\"units\":[7]}");
    expect(json, "layers.0.stuck_high", "{\"count\":0,\"units\":[]}");
    expect(json, "layers.0.saturated", "{\"count\":0,\"units\":[]}");
    expect(json, "layers.1.dead.count", "0");
    expect(json, "layers.1.silent", "{\"count\":1,\"units\":[0]}");
    expect(json, "layers.2.dead.units", "[0]");
    expect(json, "layers.2.silent.count", "0");
    json_decref(json);
    counted_close(&counted);
}

/* Unit 0 and 5 of the relu layer, and none that leaks; void once a row was outside the range. */
Test(report, tells_what_is_proven)
{
    double upper[3][8] = {{0, 1, 1, 1, 1, -2, 1, 1}, {-1, -1, -1, -1}, {-1, -1, 1}};
    double *layers[3] = {upper[0], upper[1], upper[2]};
    struct counted counted;
    count(&counted, STATS_full);
    json_t *json = report(&counted, &defaults);
    expect(json, "out_of_range_rows", "null");
    expect(json, "layers.0.dead_proven", "null");
    json_decref(json);
    counted.model.proof.upper = layers;
    json = report(&counted, &defaults);
    expect(json, "out_of_range_rows", "0");
    expect(json, "layers.0.dead_proven", "{\"count\":2,\"void\":false,\"units\":[0,5]}");
    expect(json, "layers.1.dead_proven", "{\"count\":0,\"void\":false,\"units\":[]}");
    expect(json, "layers.2.dead_proven.units", "[0]");
    json_decref(json);
    counted.counters.out_of_range = 3;
    json = report(&counted, &defaults);
    expect(json, "out_of_range_rows", "3");
    expect(json, "layers.0.dead_proven", "{\"count\":2,\"void\":true,\"units\":[0,5]}");
    json_decref(json);
    counted_close(&counted);
}

Test(report, tau_is_a_question)
{
    struct counted counted;
    struct report_options options = defaults;
    count(&counted, STATS_full);
    options.tau = 0;
    json_t *json = report(&counted, &options);
    expect(json, "layers.0.dormant", "{\"tau\":0,\"count\":1,\"units\":[0]}");
    json_decref(json);
    counted_close(&counted);
}

Test(report, counts_what_was_seen)
{
    struct counted counted;
    count(&counted, STATS_full);
    json_t *json = report(&counted, &defaults);
    expect(json, "layers.0.units", "8");
    expect(json, "layers.0.observations", "2000");
    expect(json, "layers.0.nonfinite", "3");
    expect(json, "layers.0.decided", "true");
    cr_assert_float_eq(number(json, "layers.0.sparsity"), 1 - 4020.0 / 16000, 1e-12);
    cr_assert(!json_object_get(at(json, "layers.0"), "unit_stats"));
    json_decref(json);
    counted_close(&counted);
}

/* Bins hold lower <= rate < upper, the last one rate 1 too. */
Test(report, a_histogram_of_rates)
{
    static const uint64_t active[8] = {0, 1, 2, 20, 1000, 1980, 1998, 2000};
    struct counted counted;
    counted_open(&counted, STATS_counts);
    counted_rows(&counted, 2000);
    for (size_t unit = 0; unit < 8; unit++)
        counted_unit(&counted, 0, unit, active[unit], 0, 0, 0);
    json_t *json = report(&counted, &defaults);
    json_t *edges = at(json, "layers.0.rate_histogram.edges");
    cr_assert(json_array_size(edges) ==
              json_array_size(at(json, "layers.0.rate_histogram.counts")) + 1);
    expect(json, "layers.0.rate_histogram.counts", "[2,1,1,0,0,1,0,0,1,2]");
    cr_assert(number(json, "layers.0.rate_histogram.edges.1") == 0.001);
    cr_assert(number(json, "layers.0.rate_histogram.edges.10") == 1);
    json_decref(json);
    counted_close(&counted);
}

Test(report, totals_are_sums_over_layers)
{
    struct counted counted;
    count(&counted, STATS_full);
    json_t *json = report(&counted, &defaults);
    expect(json, "totals.units", "15");
    expect(json, "totals.dead", "2");
    expect(json, "totals.silent", "1");
    cr_assert_float_eq(number(json, "totals.dead_fraction"), 2.0 / 15, 1e-15);
    cr_assert_float_eq(number(json, "totals.sparsity"), 1 - (4020 + 3000 + 40) / (15.0 * 2000),
                       1e-12);
    json_decref(json);
    counted_close(&counted);
}

/* Below min_samples rows lists are filled, nothing is decided and the totals are empty. */
Test(report, too_few_rows_decide_nothing)
{
    struct counted counted;
    struct report_options options = defaults;
    count(&counted, STATS_full);
    options.min_samples = 2000;
    json_t *json = report(&counted, &options);
    expect(json, "layers.0.decided", "true");
    expect(json, "totals.units", "15");
    json_decref(json);
    options.min_samples = 2001;
    json = report(&counted, &options);
    expect(json, "layers.0.decided", "false");
    expect(json, "layers.0.dead.units", "[0]");
    expect(json, "totals",
           "{\"units\":0,\"dead\":0,\"dead_fraction\":null,\"silent\":0,\"sparsity\":null}");
    json_decref(json);
    counted_close(&counted);
}

Test(report, before_the_first_row)
{
    struct counted counted;
    struct report_options options = defaults;
    options.detail = REPORT_UNITS;
    counted_open(&counted, STATS_full);
    json_t *json = report(&counted, &options);
    expect(json, "samples", "0");
    expect(json, "layers.0.sparsity", "null");
    expect(json, "layers.0.decided", "false");
    expect(json, "layers.0.dead", "{\"count\":0,\"fraction\":0,\"rate_upper_95\":1,\"units\":[]}");
    expect(json, "layers.2.unit_stats",
           "{\"active\":[0,0,0],\"rate\":[null,null,null],\"mean\":[null,null,null],"
           "\"mean_abs\":[null,null,null],\"max_preactivation\":[null,null,null],"
           "\"margin\":[null,null,null],\"low_tail\":null,\"high_tail\":null,"
           "\"slope\":[0,0.5,-1]}");
    json_decref(json);
    counted_close(&counted);
}

Test(report, units_are_told_when_asked)
{
    struct counted counted;
    struct report_options options = defaults;
    options.detail = REPORT_UNITS;
    count(&counted, STATS_full);
    json_t *json = report(&counted, &options);
    expect(json, "layers.1.unit_stats.active", "[0,1000,1000,1000]");
    for (size_t unit = 0; unit < 4; unit++) {
        char path[64];
        snprintf(path, sizeof path, "layers.1.unit_stats.rate.%zu", unit);
        cr_assert(number(json, path) == (unit ? 0.5 : 0));
        snprintf(path, sizeof path, "layers.1.unit_stats.mean.%zu", unit);
        cr_assert(number(json, path) == (unit ? 0.25 : -0.25));
        snprintf(path, sizeof path, "layers.1.unit_stats.mean_abs.%zu", unit);
        cr_assert(number(json, path) == (unit ? 1 : 0.25));
        snprintf(path, sizeof path, "layers.1.unit_stats.max_preactivation.%zu", unit);
        cr_assert(number(json, path) == (unit ? 2 : -1));
    }
    expect(json, "layers.1.unit_stats.margin", "[1,null,null,null]");
    expect(json, "layers.0.unit_stats.margin", "[0.5,null,null,null,null,null,null,null]");
    json_decref(json);
    counted_close(&counted);
}

/* What a level does not measure is null. */
Test(report, at_level_counts_magnitudes_are_null)
{
    struct counted counted;
    struct report_options options = defaults;
    options.detail = REPORT_UNITS;
    count(&counted, STATS_counts);
    json_t *json = report(&counted, &options);
    expect(json, "level", "\"counts\"");
    expect(json, "layers.0.dormant", "null");
    expect(json, "layers.0.dead.units", "[0]");
    expect(json, "layers.1.unit_stats.mean", "null");
    expect(json, "layers.1.unit_stats.mean_abs", "null");
    expect(json, "layers.1.unit_stats.max_preactivation", "null");
    expect(json, "layers.1.unit_stats.margin", "null");
    expect(json, "layers.1.unit_stats.active", "[0,1000,1000,1000]");
    json_decref(json);
    counted_close(&counted);
}

/* At level off rows are counted and nothing is known: nothing may look decided or bounded. */
Test(report, at_level_off_nothing_is_decided)
{
    struct counted counted;
    counted_open(&counted, STATS_off);
    counted.counters.samples = 2000;
    json_t *json = report(&counted, &defaults);
    expect(json, "level", "\"off\"");
    expect(json, "samples", "2000");
    expect(json, "totals.dead_fraction", "null");
    expect(json, "layers.0.sparsity", "null");
    expect(json, "layers.0.dormant", "null");
    expect(json, "layers.0.decided", "false");
    expect(json, "layers.0.dead", "null");
    expect(json, "layers.0.rate_histogram", "null");
    expect(json, "layers.0.nonfinite", "null");
    json_decref(json);
    counted_close(&counted);
}

Test(report, one_layer_when_asked)
{
    struct counted counted;
    struct report_options options = defaults;
    options.layer = 1;
    count(&counted, STATS_full);
    json_t *json = report(&counted, &options);
    cr_assert(json_array_size(at(json, "layers")) == 1);
    expect(json, "layers.0.name", "\"dense_2\"");
    expect(json, "totals.units", "15");
    json_decref(json);
    counted_close(&counted);
}
