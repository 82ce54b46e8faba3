#include "metrics.h"

#include <math.h>
#include <string.h>

enum {
    BATCH_BUCKETS = 13, /* 1 to 4096 rows, each twice the one before */
    HISTOGRAM_BUCKETS_MAX = USAGE_BUCKETS > BATCH_BUCKETS ? USAGE_BUCKETS : BATCH_BUCKETS,
};

/* Counts of what is at most first, 2 first, 4 first, …; what is more is in count alone. */
struct histogram {
    double first, sum;
    size_t bucket_count;
    uint64_t buckets[HISTOGRAM_BUCKETS_MAX];
    uint64_t count;
};

struct metric {
    const char *name, *type, *help;
    void (*write)(struct text *text, const struct metric *metric, const struct reading *reading);
    union {
        double (*of_reading)(const struct reading *reading);
        double (*of_sum)(const struct usage_sum *sum);
        double (*of_layer)(const struct layer_reading *layer);
        void (*fill)(struct histogram *histogram, const struct usage_sum *sum);
    };
    bool triton;
};

/* Lines */

/* ,name="value" without the comma at the first; *labels counts them. */
static void put_label(struct text *text, size_t *labels, const char *name, const char *value)
{
    text_put(text, (*labels)++ ? "," : "{");
    text_put(text, name);
    text_put(text, "=");
    text_quote_label(text, value, strlen(value));
}

static void end_line(struct text *text, size_t labels, double value)
{
    text_put(text, labels ? "} " : " ");
    text_double(text, value);
    text_put(text, "\n");
}

/* A line with up to two labels, of which NULL is left out; a value that is not known is no line. */
static void put_line(struct text *text, const char *name, const char *model, const char *key,
                     const char *other, double value)
{
    size_t labels = 0;
    if (isnan(value))
        return;
    text_put(text, name);
    if (model)
        put_label(text, &labels, "model", model);
    if (other)
        put_label(text, &labels, key, other);
    end_line(text, labels, value);
}

/* Histograms */

static void add_times(struct histogram *histogram, const struct usage_time *times)
{
    histogram->first = 1e-9 * USAGE_BUCKET_NS;
    histogram->bucket_count = USAGE_BUCKETS - 1;
    for (size_t i = 0; i < histogram->bucket_count; i++)
        histogram->buckets[i] += times->buckets[i];
    histogram->count += times->count;
    histogram->sum += 1e-9 * (double)times->ns;
}

static void add_batches(struct histogram *histogram, const struct usage_sum *sum)
{
    histogram->first = 1;
    histogram->bucket_count = BATCH_BUCKETS;
    for (size_t i = 0; i < sum->batch_count; i++) {
        const struct usage_batch *batch = &sum->batches[i];
        size_t bucket = 0;
        while (bucket < BATCH_BUCKETS && batch->rows > (size_t)1 << bucket)
            bucket++;
        if (bucket < BATCH_BUCKETS)
            histogram->buckets[bucket] += batch->count;
        histogram->count += batch->count;
        histogram->sum += (double)batch->rows * (double)batch->count;
    }
}

static void put_bucket(struct text *text, const struct metric *metric, const char *model,
                       double limit, uint64_t count)
{
    size_t labels = 0;
    text_put(text, metric->name);
    text_put(text, "_bucket");
    put_label(text, &labels, "model", model);
    text_put(text, ",le=\"");
    if (isfinite(limit))
        text_double(text, limit);
    else
        text_put(text, "+Inf");
    text_put(text, "\"");
    end_line(text, labels, (double)count);
}

static void put_part(struct text *text, const struct metric *metric, const char *part,
                     const char *model, double value)
{
    size_t labels = 0;
    text_put(text, metric->name);
    text_put(text, part);
    put_label(text, &labels, "model", model);
    end_line(text, labels, value);
}

static void put_histogram(struct text *text, const struct metric *metric, const char *model,
                          const struct histogram *histogram)
{
    uint64_t count = 0;
    double limit = histogram->first;
    for (size_t i = 0; i < histogram->bucket_count; i++, limit *= 2) {
        count += histogram->buckets[i];
        put_bucket(text, metric, model, limit, count);
    }
    put_bucket(text, metric, model, INFINITY, histogram->count);
    put_part(text, metric, "_sum", model, histogram->sum);
    put_part(text, metric, "_count", model, (double)histogram->count);
}

/* One function for each kind of metric */

static void write_one(struct text *text, const struct metric *metric, const struct reading *reading)
{
    put_line(text, metric->name, NULL, NULL, NULL, metric->of_reading(reading));
}

/* The account of all versions of a model; NULL for any other. */
static const struct account *model_account(const struct reading *reading, size_t i)
{
    const struct account *account = &reading->accounts.items[i];
    return account->version || !account->name[0] ? NULL : account;
}

static void write_models(struct text *text, const struct metric *metric,
                         const struct reading *reading)
{
    for (size_t i = 0; i < reading->accounts.count; i++) {
        const struct account *account = model_account(reading, i);
        if (account)
            put_line(text, metric->name, account->name, NULL, NULL, metric->of_sum(&account->sum));
    }
}

static void write_versions(struct text *text, const struct metric *metric,
                           const struct reading *reading)
{
    for (size_t i = 0; i < reading->accounts.count; i++) {
        const struct account *account = &reading->accounts.items[i];
        if (account->version)
            put_line(text, metric->name, account->name, "version", account->version,
                     metric->of_sum(&account->sum));
    }
}

static void write_histograms(struct text *text, const struct metric *metric,
                             const struct reading *reading)
{
    for (size_t i = 0; i < reading->accounts.count; i++) {
        const struct account *account = model_account(reading, i);
        struct histogram histogram = {.count = 0};
        if (!account)
            continue;
        metric->fill(&histogram, &account->sum);
        put_histogram(text, metric, account->name, &histogram);
    }
}

static void write_layers(struct text *text, const struct metric *metric,
                         const struct reading *reading)
{
    for (size_t i = 0; i < reading->layer_count; i++) {
        const struct layer_reading *layer = &reading->layers[i];
        put_line(text, metric->name, layer->model, "layer", layer->layer, metric->of_layer(layer));
    }
}

/* The answers of one status follow each other in the sum, whatever their codes. */
static void put_statuses(struct text *text, const struct metric *metric,
                         const struct account *account)
{
    const struct usage_sum *sum = &account->sum;
    for (size_t i = 0, next; i < sum->answer_count; i = next) {
        int status = sum->answers[i].status;
        uint64_t count = 0;
        char digits[16];
        for (next = i; next < sum->answer_count && sum->answers[next].status == status; next++)
            count += sum->answers[next].count;
        snprintf(digits, sizeof digits, "%d", status);
        put_line(text, metric->name, account->name, "code", digits, (double)count);
    }
}

static void write_relud_requests_total(struct text *text, const struct metric *metric,
                                       const struct reading *reading)
{
    for (size_t i = 0; i < reading->accounts.count; i++)
        if (!reading->accounts.items[i].version)
            put_statuses(text, metric, &reading->accounts.items[i]);
}

/* Whether that answer of the sum is the first one with its code. */
static bool is_first(const struct usage_sum *sum, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (sum->answers[i].code && strcmp(sum->answers[i].code, sum->answers[index].code) == 0)
            return false;
    return true;
}

static void write_relud_rejected_total(struct text *text, const struct metric *metric,
                                       const struct reading *reading)
{
    const struct usage_sum *sum = &reading->total;
    for (size_t i = 0; i < sum->answer_count; i++) {
        const char *code = sum->answers[i].code;
        uint64_t count = 0;
        if (!code || !is_first(sum, i))
            continue;
        for (size_t j = i; j < sum->answer_count; j++)
            if (sum->answers[j].code && strcmp(sum->answers[j].code, code) == 0)
                count += sum->answers[j].count;
        put_line(text, metric->name, NULL, "reason", code, (double)count);
    }
}

static void write_relud_model_info(struct text *text, const struct metric *metric,
                                   const struct reading *reading)
{
    for (size_t i = 0; i < reading->catalog->count; i++) {
        const struct entry *entry = &reading->catalog->entries[i];
        size_t labels = 0;
        if (!entry->generation)
            continue;
        text_put(text, metric->name);
        put_label(text, &labels, "model", entry->name);
        put_label(text, &labels, "version", entry->version);
        put_label(text, &labels, "digest", entry->generation->model.digest);
        put_label(text, &labels, "isa", reading->server->engine.kernels->name);
        put_label(text, &labels, "precision", "fp32");
        end_line(text, labels, 1);
    }
}

/* The table */

#define METRIC(name, type, help, value)                          \
    static double value_of_##name(const struct reading *reading) \
    {                                                            \
        return value;                                            \
    }
#define METRIC_MODEL(name, type, help, value)                  \
    static double value_of_##name(const struct usage_sum *sum) \
    {                                                          \
        return value;                                          \
    }
#define METRIC_LAYER(name, type, help, value)                        \
    static double value_of_##name(const struct layer_reading *layer) \
    {                                                                \
        return value;                                                \
    }
#define METRIC_HISTOGRAM(name, help, value)                                               \
    static void value_of_##name(struct histogram *histogram, const struct usage_sum *sum) \
    {                                                                                     \
        value;                                                                            \
    }
#define METRIC_TRITON(name, help, value) METRIC_MODEL(name, counter, help, (double)(value))
#define METRIC_OTHER(name, type, help)
#include "metrics.def"
#undef METRIC
#undef METRIC_MODEL
#undef METRIC_LAYER
#undef METRIC_HISTOGRAM
#undef METRIC_TRITON
#undef METRIC_OTHER

static const struct metric metrics[] = {
#define METRIC(name, type, help, value) \
    {#name, #type, help, write_one, {.of_reading = value_of_##name}, false},
#define METRIC_MODEL(name, type, help, value) \
    {#name, #type, help, write_models, {.of_sum = value_of_##name}, false},
#define METRIC_LAYER(name, type, help, value) \
    {#name, #type, help, write_layers, {.of_layer = value_of_##name}, false},
#define METRIC_HISTOGRAM(name, help, value) \
    {#name, "histogram", help, write_histograms, {.fill = value_of_##name}, false},
#define METRIC_TRITON(name, help, value) \
    {#name, "counter", help, write_versions, {.of_sum = value_of_##name}, true},
#define METRIC_OTHER(name, type, help) {#name, #type, help, write_##name, {NULL}, false},
#include "metrics.def"
#undef METRIC
#undef METRIC_MODEL
#undef METRIC_LAYER
#undef METRIC_HISTOGRAM
#undef METRIC_TRITON
#undef METRIC_OTHER
};

void metrics_write(struct text *text, const struct reading *reading, bool triton)
{
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++) {
        const struct metric *metric = &metrics[i];
        if (metric->triton && !triton)
            continue;
        text_format(text, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name,
                    metric->type);
        metric->write(text, metric, reading);
    }
}
