/* Snapshots: what comes back, what fits together, and that a damaged one is refused. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "counted.h"
#include "randoms.h"
#include "stats/snapshot.h"

static const char since[] = "2026-11-20T12:00:00Z";

/* Counts, means and maxima as awkward as they come; part picks which. */
static void count(struct counted *counted, enum stats_level level, uint64_t part)
{
    counted_open(counted, level);
    counted_rows(counted, 1000 + 17 * part);
    for (size_t layer = 0; layer < COUNTED_LAYERS; layer++) {
        counted->counters.layers[layer].nonfinite = part + layer;
        for (size_t unit = 0; unit < counted->net.plan.layers[layer].units; unit++) {
            const uint64_t active = (part * 7 + unit * 131) % 1000;
            const double mean = sin((double)(unit + 10 * layer + 100 * part)) / 3;
            counted_unit(counted, layer, unit, unit ? active : 0, layer ? mean : fabs(mean),
                         fabs(mean) * 1.1, (float)mean * 1e-7f);
        }
    }
}

static struct text written(const struct counted *counted)
{
    struct text text = {.bytes = NULL};
    snapshot_write(&text, &counted->model, &counted->counters, since, 1000);
    cr_assert(!text.failed);
    return text;
}

static void take(struct snapshot *snapshot, const struct counted *counted)
{
    struct error error;
    struct text text = written(counted);
    cr_assert(snapshot_read(snapshot, text.bytes, text.count, &error) == STATUS_OK, "%s",
              error.message);
    text_free(&text);
}

static void expect_near(double found, double expected)
{
    cr_assert(fabs(found - expected) <= 1e-12 * fabs(expected), "%.17g is not %.17g", found,
              expected);
}

/* Counts and maxima are equal, sums within 1e-12. */
static void expect_equal(const struct counters *a, const struct counters *b)
{
    cr_assert_eq(a->samples, b->samples);
    cr_assert_eq(a->plan->layer_count, b->plan->layer_count);
    for (size_t i = 0; i < a->plan->layer_count; i++) {
        const struct layer_counters *x = &a->layers[i], *y = &b->layers[i];
        const size_t units = b->plan->layers[i].units;
        cr_assert_eq(x->observations, y->observations);
        cr_assert_eq(x->nonfinite, y->nonfinite);
        cr_assert_eq(!x->sum, !y->sum);
        cr_assert_arr_eq(x->active, y->active, units * sizeof *x->active);
        for (size_t unit = 0; x->sum && unit < units; unit++) {
            cr_assert(x->max[unit] == y->max[unit]);
            expect_near(x->sum[unit], y->sum[unit]);
            expect_near(x->magnitude[unit], y->magnitude[unit]);
        }
    }
}

Test(snapshot, is_the_report_of_all_units_with_a_format)
{
    struct counted counted;
    struct text report = {.bytes = NULL};
    const struct report_options options = {.tau = 0.025,
                                           .min_samples = 1000,
                                           .detail = REPORT_UNITS,
                                           .layer = PLAN_LAYER_NONE,
                                           .since = since};
    count(&counted, STATS_full, 1);
    struct text text = written(&counted);
    report_write(&report, &counted.model, &counted.counters, &options);
    json_t *a = json_loadb(text.bytes, text.count, JSON_REJECT_DUPLICATES, NULL);
    json_t *b = json_loadb(report.bytes, report.count, JSON_REJECT_DUPLICATES, NULL);
    cr_assert_str_eq(json_string_value(json_object_get(a, "format")), "relud-stats");
    cr_assert_eq(json_integer_value(json_object_get(a, "format_version")), 1);
    json_object_del(a, "format");
    json_object_del(a, "format_version");
    cr_assert(a && json_equal(a, b));
    json_decref(a);
    json_decref(b);
    text_free(&text);
    text_free(&report);
    counted_close(&counted);
}

Test(snapshot, comes_back)
{
    for (enum stats_level level = STATS_counts; level <= STATS_full; level++) {
        struct counted counted;
        struct snapshot snapshot;
        struct error error;
        count(&counted, level, 3);
        take(&snapshot, &counted);
        cr_assert_str_eq(snapshot.model.name, "hand \"made\"");
        cr_assert_str_eq(snapshot.model.version, "1");
        cr_assert_str_eq(snapshot.since, since);
        expect_equal(&snapshot.counters, &counted.counters);
        cr_assert(snapshot_fits(&snapshot, &counted.model, &error) == STATUS_OK);
        snapshot_free(&snapshot);
        counted_close(&counted);
    }
}

/* Read and written again it is the same text: verdicts need no model, slopes come along. */
Test(snapshot, reports_what_the_model_would)
{
    struct counted counted;
    struct snapshot snapshot;
    struct text again = {.bytes = NULL};
    counted_open(&counted, STATS_full);
    counted_rows(&counted, 1024);
    for (size_t unit = 1; unit < 8; unit++)
        counted_unit(&counted, 0, unit, unit * 100, 0.25, 0.25, 0.125f);
    struct text text = written(&counted);
    take(&snapshot, &counted);
    snapshot_write(&again, &snapshot.model, &snapshot.counters, snapshot.since, 1000);
    cr_assert_eq(again.count, text.count);
    cr_assert_arr_eq(again.bytes, text.bytes, text.count);
    cr_assert(strstr(text.bytes, "\"slope\":[0,0.5,-1]"));
    snapshot_free(&snapshot);
    text_free(&text);
    text_free(&again);
    counted_close(&counted);
}

/* dense_2 becomes a sigmoid: how often it was in its flat tails comes along. */
Test(snapshot, tails_come_back)
{
    struct counted counted;
    struct snapshot snapshot;
    counted_open(&counted, STATS_counts);
    counted.net.graph.nodes[1].activation = net_parse("sigmoid");
    cr_assert(counters_init(&counted.counters, &counted.net.arena, &counted.net.plan, STATS_counts,
                            NULL) == STATUS_OK);
    counted_rows(&counted, 1000);
    struct layer_counters *layer = &counted.counters.layers[1];
    for (size_t unit = 0; unit < 4; unit++) {
        layer->low[unit] = 250 * unit;
        layer->high[unit] = 1000 - 250 * unit;
    }
    take(&snapshot, &counted);
    const struct layer_counters *found = &snapshot.counters.layers[1];
    cr_assert_arr_eq(found->low, layer->low, 4 * sizeof *layer->low);
    cr_assert_arr_eq(found->high, layer->high, 4 * sizeof *layer->high);
    cr_assert(!snapshot.counters.layers[0].low);
    snapshot_free(&snapshot);
    counted_close(&counted);
}

Test(snapshot, proofs_come_back)
{
    double upper[3][8] = {{0, 1, 1, 1, 1, -2, 1, 1}, {-1, -1, -1, -1}, {-1, -1, 1}};
    double *layers[3] = {upper[0], upper[1], upper[2]};
    struct counted counted;
    struct snapshot snapshot;
    count(&counted, STATS_full, 1);
    counted.model.proof.upper = layers;
    counted.counters.out_of_range = 3;
    take(&snapshot, &counted);
    cr_assert_eq(snapshot.counters.out_of_range, 3);
    for (size_t i = 0; i < COUNTED_LAYERS; i++)
        for (size_t unit = 0; unit < counted.net.plan.layers[i].units; unit++)
            cr_assert_eq(proof_dead(&snapshot.model.proof, &snapshot.model.plan, i, unit),
                         proof_dead(&counted.model.proof, &counted.net.plan, i, unit));
    snapshot_free(&snapshot);
    counted_close(&counted);
}

Test(snapshot, before_the_first_row)
{
    struct counted counted;
    struct snapshot snapshot;
    for (enum stats_level level = STATS_off; level <= STATS_full; level++) {
        counted_open(&counted, level);
        take(&snapshot, &counted);
        cr_assert_eq(snapshot.counters.samples, 0);
        cr_assert(level < STATS_full || isinf(snapshot.counters.layers[1].max[2]));
        snapshot_free(&snapshot);
        counted_close(&counted);
    }
}

/* JSON has no infinity; what was active tells which one it was. */
Test(snapshot, infinite_maxima)
{
    struct counted counted;
    struct snapshot snapshot;
    count(&counted, STATS_full, 1);
    counted_unit(&counted, 0, 3, 5, 0, 0, INFINITY);
    counted_unit(&counted, 0, 4, 0, 0, 0, -INFINITY);
    take(&snapshot, &counted);
    cr_assert(snapshot.counters.layers[0].max[3] == INFINITY);
    cr_assert(snapshot.counters.layers[0].max[4] == -INFINITY);
    snapshot_free(&snapshot);
    counted_close(&counted);
}

Test(snapshot, merges_as_counters_do)
{
    struct counted whole, part;
    struct snapshot snapshot, other;
    count(&whole, STATS_full, 0);
    take(&snapshot, &whole);
    for (uint64_t i = 1; i < 7; i++) {
        count(&part, STATS_full, i);
        take(&other, &part);
        strcpy(other.since, i == 3 ? "2026-11-19T12:00:00Z" : "2026-12-24T00:00:00Z");
        counters_merge(&whole.counters, &part.counters);
        snapshot_merge(&snapshot, &other);
        snapshot_free(&other);
        counted_close(&part);
    }
    expect_equal(&snapshot.counters, &whole.counters);
    cr_assert_str_eq(snapshot.since, "2026-11-19T12:00:00Z");
    snapshot_free(&snapshot);
    counted_close(&whole);
}

static void expect_misfit(const struct snapshot *snapshot, const struct model *model,
                          const char *says)
{
    struct error error;
    cr_assert(snapshot_fits(snapshot, model, &error) == STATUS_INVALID);
    cr_assert(strstr(error.message, says), "%s", error.message);
}

Test(snapshot, fits_its_own_model_only)
{
    struct counted counted;
    struct snapshot snapshot;
    count(&counted, STATS_full, 1);
    take(&snapshot, &counted);
    strcpy(snapshot.model.digest, "sha256:01");
    expect_misfit(&snapshot, &counted.model, "expected statistics of the model with digest sha256");
    strcpy(snapshot.model.digest, "sha256:00");
    snapshot.model.level = STATS_counts;
    expect_misfit(&snapshot, &counted.model, "expected level full, found counts");
    snapshot.model.level = STATS_full;
    snapshot.model.plan.layers[1].units = 5;
    expect_misfit(&snapshot, &counted.model, "expected layer \"dense_2\" of 4 leaky_relu units");
    snapshot.model.plan.layers[1].units = 4;
    snapshot.model.plan.layers[1].positions = 3;
    expect_misfit(&snapshot, &counted.model, "at 1 positions, found \"dense_2\"");
    snapshot.model.plan.layers[1].positions = 0;
    cr_assert(snapshot_fits(&snapshot, &counted.model, NULL) == STATUS_OK, "no rows, no telling");
    snapshot.model.graph.nodes[1].activation.type = ACTIVATION_relu6;
    expect_misfit(&snapshot, &counted.model, "found \"dense_2\" of 4 relu6");
    snapshot.model.plan.layer_count = 2;
    expect_misfit(&snapshot, &counted.model, "expected 3 layers, found 2");
    snapshot_free(&snapshot);
    counted_close(&counted);
}

/* Damage */

static void expect_refusal(const char *text, size_t length, const char *says)
{
    struct snapshot snapshot;
    struct error error;
    cr_assert(snapshot_read(&snapshot, text, length, &error) != STATUS_OK, "%s", says);
    cr_assert(strstr(error.message, says), "expected \"%s\", found \"%s\"", says, error.message);
}

/* The text with the first of what replaced. */
static void expect_damage(const struct text *text, const char *what, const char *by,
                          const char *says)
{
    const char *at = memmem(text->bytes, text->count, what, strlen(what));
    cr_assert(at, "no %s", what);
    struct text damaged = {.bytes = NULL};
    const size_t before = (size_t)(at - text->bytes), after = before + strlen(what);
    text_add(&damaged, text->bytes, before);
    text_put(&damaged, by);
    text_add(&damaged, text->bytes + after, text->count - after);
    expect_refusal(damaged.bytes, damaged.count, says);
    text_free(&damaged);
}

Test(snapshot, every_field_is_checked)
{
    static const char *const cases[][3] = {
        {"relud-stats", "relud-layers", "\"format\": \"relud-stats\""},
        {"\"format_version\":1", "\"format_version\":2", "expected format_version 1"},
        {"\"format_version\":1", "\"format_version\":\"1\"", "expected format_version 1"},
        {"\"model\":\"hand", "\"modal\":\"hand", "model: expected a text"},
        {"\"version\":\"1\"", "\"version\":\"\"", "version: expected a text"},
        {"sha256:00", "", "digest: expected a text of 1 to 71 bytes"},
        {"2026-11-20T12:00:00Z", "2026-11-20T12:00:00.0Z", "since: expected a text of 1 to 20"},
        {"\"level\":\"full\"", "\"level\":\"all\"", "level: expected \"off\""},
        {"\"samples\":1017", "\"samples\":-1", "samples: expected a whole number"},
        {"\"samples\":1017", "\"samples\":1017.5", "samples: expected a whole number"},
        {"\"samples\":1017", "\"samples\":1018", "layers[0]: observations: expected a multiple"},
        {"\"layers\":[", "\"layers\":[3,", "layers[0]: name: expected a text"},
        {"\"units\":8,", "\"units\":0,", "layers[0]: units: expected 1 to"},
        {"\"units\":8,", "\"units\":16777217,", "layers[0]: units: expected 1 to"},
        {"\"units\":8,", "\"units\":7,", "layers[0]: unit_stats.active: expected 7 numbers"},
        {"{\"type\":\"relu\"}", "{\"type\":\"rely\"}", "layers[0]: activation: unknown type"},
        {"\"nonfinite\":1", "\"nonfinite\":null", "layers[0]: nonfinite: expected a whole number"},
        {"\"active\":[0", "\"active\":[1018", "unit_stats.active: no such value may stand at 0"},
        {"\"active\":[0", "\"active\":[-1", "unit_stats.active: no such value may stand at 0"},
        {"\"mean\":[", "\"mean\":[null,", "unit_stats.mean: expected 8 numbers"},
        {"\"mean_abs\":[", "\"mean_abs\":[-", "unit_stats.mean_abs: no such value may stand at 0"},
        {"\"max_preactivation\":[", "\"max_preactivation\":[9e", "line 1, column"},
        {"e-8,", "e48,", "unit_stats.max_preactivation: no such value may stand at"},
        {"\"slope\":[0,", "\"slope\":[\"0\",", "layers[2]: unit_stats.slope: no such value"},
        {"\"slope\":[0,", "\"slope\":[", "layers[2]: unit_stats.slope: expected 3 numbers"},
    };
    struct counted counted;
    count(&counted, STATS_full, 1);
    struct text text = written(&counted);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_damage(&text, cases[i][0], cases[i][1], cases[i][2]);
    text_free(&text);
    counted_close(&counted);
}

/* Torn anywhere it is no JSON any more; only the line end at its end may be missing. */
Test(snapshot, a_torn_file_is_refused)
{
    struct counted counted;
    count(&counted, STATS_full, 1);
    struct text text = written(&counted);
    for (size_t length = 0; length + 1 < text.count; length++)
        expect_refusal(text.bytes, length, "line 1");
    text_free(&text);
    counted_close(&counted);
}

/* Whatever byte changes: an error with a sentence, or another sound snapshot, never a crash. */
Test(snapshot, changed_bytes_do_no_harm)
{
    struct counted counted;
    count(&counted, STATS_full, 1);
    struct text text = written(&counted);
    for (uint32_t i = 0; i < 20000; i++) {
        struct snapshot snapshot;
        struct error error = {.message = ""};
        const size_t at = (i * 2654435761u) % text.count;
        const char was = text.bytes[at];
        text.bytes[at] = (char)(i >> 3);
        if (snapshot_read(&snapshot, text.bytes, text.count, &error) == STATUS_OK)
            snapshot_free(&snapshot);
        else
            cr_assert(error.message[0]);
        text.bytes[at] = was;
    }
    text_free(&text);
    counted_close(&counted);
}

Test(snapshot, a_missing_file_is_named)
{
    struct snapshot snapshot;
    struct error error;
    cr_assert(snapshot_load(&snapshot, "no/such.json", &error) == STATUS_NOT_FOUND);
    cr_assert(strstr(error.message, "no/such.json: "), "%s", error.message);
    cr_assert(snapshot_load(&snapshot, "Makefile", &error) == STATUS_INVALID);
    cr_assert(strstr(error.message, "Makefile: line 1"), "%s", error.message);
}
