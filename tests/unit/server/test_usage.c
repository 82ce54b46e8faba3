#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "failing_malloc.h"
#include "randoms.h"
#include "usage.h"

static struct usage_sample run_of(size_t rows, size_t batch_rows, bool leads)
{
    return (struct usage_sample){.status = 200,
                                 .inference = true,
                                 .total_ns = 1000,
                                 .queue_ns = 5,
                                 .input_ns = 10,
                                 .infer_ns = 100,
                                 .output_ns = 20,
                                 .rows = rows,
                                 .batch_rows = batch_rows,
                                 .leads = leads};
}

static struct usage_sum collect(struct usage *usage)
{
    struct usage_sum sum = {.rows = 0};
    cr_assert(usage_collect(usage, &sum));
    return sum;
}

static void expect_time(const struct usage_sum *sum, enum usage_kind kind, uint64_t count,
                        uint64_t ns)
{
    cr_assert(sum->times[kind].count == count && sum->times[kind].ns == ns, "%d: %llu, %llu",
              (int)kind, (unsigned long long)sum->times[kind].count,
              (unsigned long long)sum->times[kind].ns);
}

Test(usage, requests_of_one_run_count_it_once)
{
    struct usage usage;
    struct usage_sample first = run_of(2, 5, true), second = run_of(3, 5, false);
    struct usage_sample failed = {.status = 503,
                                  .code = "overloaded",
                                  .inference = true,
                                  .total_ns = 7,
                                  .infer_ns = 9,
                                  .rows = 3};
    uint64_t now_ms = (uint64_t)time(NULL) * 1000u;
    usage_init(&usage);
    usage_record(&usage, &first);
    usage_record(&usage, &second);
    usage_record(&usage, &failed);
    struct usage_sum sum = collect(&usage);
    cr_assert(sum.rows == 5 && sum.runs == 1 && sum.batch_count == 1);
    cr_assert(sum.last_ms + 2000 >= now_ms && sum.last_ms <= now_ms + 10000);
    expect_time(&sum, USAGE_success, 2, 2000);
    expect_time(&sum, USAGE_fail, 1, 7);
    expect_time(&sum, USAGE_queue, 2, 10);
    expect_time(&sum, USAGE_compute_input, 2, 20);
    expect_time(&sum, USAGE_compute_infer, 2, 200);
    expect_time(&sum, USAGE_compute_output, 2, 40);
    expect_time(&sum, USAGE_cache_hit, 0, 0);
    expect_time(&sum, USAGE_cache_miss, 0, 0);
    const struct usage_batch *batch = &sum.batches[0];
    cr_assert(batch->rows == 5 && batch->count == 1 && batch->input_ns == 20 &&
              batch->infer_ns == 100 && batch->output_ns == 40);
    usage_sum_free(&sum);
    usage_free(&usage);
}

/* Sizes come in any order and are listed in theirs, also across several collected into one. */
Test(usage, batches_are_listed_by_size)
{
    enum { SIZES = 300, RUNS = 20000 };
    uint64_t expected[SIZES + 1] = {0};
    struct randoms random = {3};
    struct usage usages[2];
    struct usage_sum sum = {.rows = 0};
    for (size_t i = 0; i < 2; i++)
        usage_init(&usages[i]);
    for (size_t i = 0; i < RUNS; i++) {
        size_t rows = random_between(&random, 1, SIZES);
        struct usage_sample sample = run_of(rows, rows, true);
        usage_record(&usages[rows % 3 == 0], &sample);
        expected[rows]++;
    }
    for (size_t i = 0; i < 2; i++)
        cr_assert(usage_collect(&usages[i], &sum));
    cr_assert(sum.runs == RUNS && sum.batch_count == SIZES);
    for (size_t i = 0; i < SIZES; i++)
        cr_assert(sum.batches[i].rows == i + 1 && sum.batches[i].count == expected[i + 1]);
    usage_sum_free(&sum);
    for (size_t i = 0; i < 2; i++)
        usage_free(&usages[i]);
}

static const struct usage_answer *find_answer(const struct usage_sum *sum, int status,
                                              const char *code)
{
    for (size_t i = 0; i < sum->answer_count; i++) {
        const struct usage_answer *answer = &sum->answers[i];
        if (answer->status == status && !answer->code == !code &&
            (!code || strcmp(answer->code, code) == 0))
            return answer;
    }
    return NULL;
}

/* Whatever asked for no outputs is an answer, but nobody's inference. */
Test(usage, answers_are_counted_by_status_and_code)
{
    static const struct {
        int status;
        const char *code;
        uint64_t count;
    } cases[] = {{200, NULL, 5},
                 {503, "overloaded", 2},
                 {404, "not_found", 1},
                 {503, "draining", 4},
                 {404, "unknown_model", 3}};
    struct usage usage;
    usage_init(&usage);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (uint64_t n = 0; n < cases[i].count; n++) {
            struct usage_sample sample = {.status = cases[i].status, .code = cases[i].code};
            usage_record(&usage, &sample);
        }
    struct usage_sum sum = collect(&usage);
    cr_assert(usage_collect(&usage, &sum)); /* once more */
    cr_assert_eq(sum.answer_count, sizeof cases / sizeof cases[0]);
    for (size_t i = 0; i < sum.answer_count; i++) {
        const struct usage_answer *answer = find_answer(&sum, cases[i].status, cases[i].code);
        cr_assert(answer && answer->count == 2 * cases[i].count, "case %zu", i);
        cr_assert(i == 0 || sum.answers[i - 1].status <= sum.answers[i].status);
    }
    cr_assert(sum.last_ms == 0 && sum.rows == 0 && sum.runs == 0);
    expect_time(&sum, USAGE_success, 0, 0);
    expect_time(&sum, USAGE_fail, 0, 0);
    usage_sum_free(&sum);
    usage_free(&usage);
}

/* A bucket holds what is at most its limit, 10 us times a power of two. */
Test(usage, times_go_to_the_first_bucket_that_holds_them)
{
    struct usage usage;
    usage_init(&usage);
    for (size_t i = 0; i < USAGE_BUCKETS; i++) {
        const uint64_t limit = (uint64_t)USAGE_BUCKET_NS << i, times[] = {limit, limit + 1};
        for (size_t t = 0; t < 2; t++) {
            struct usage_sample sample = run_of(1, 1, true);
            sample.total_ns = times[t];
            usage_record(&usage, &sample);
        }
    }
    struct usage_sum sum = collect(&usage);
    const uint64_t *buckets = sum.times[USAGE_success].buckets;
    for (size_t i = 0; i < USAGE_BUCKETS; i++)
        cr_assert_eq(buckets[i], i == 0 ? 1 : i < USAGE_BUCKETS - 1 ? 2 : 3, "bucket %zu", i);
    cr_assert_eq(sum.times[USAGE_queue].buckets[0], 2 * USAGE_BUCKETS);
    usage_sum_free(&sum);
    usage_free(&usage);
}

Test(usage, is_written_as_triton_does)
{
    struct usage usage;
    struct text text = {.bytes = NULL};
    struct usage_sample sample = run_of(4, 4, true);
    usage_init(&usage);
    usage_record(&usage, &sample);
    struct usage_sum sum = collect(&usage);
    sum.last_ms = 1700000000123;
    text_put(&text, "{");
    usage_write(&text, &sum);
    text_put(&text, "}");
    json_t *json = json_loadb(text.bytes, text.count, JSON_REJECT_DUPLICATES, NULL);
    json_t *expected = json_loads(
        "{\"last_inference\":1700000000123,\"inference_count\":4,\"execution_count\":1,"
        "\"inference_stats\":{\"success\":{\"count\":1,\"ns\":1000},\"fail\":{\"count\":0,"
        "\"ns\":0},\"queue\":{\"count\":1,\"ns\":5},\"compute_input\":{\"count\":1,\"ns\":10},"
        "\"compute_infer\":{\"count\":1,\"ns\":100},\"compute_output\":{\"count\":1,\"ns\":20},"
        "\"cache_hit\":{\"count\":0,\"ns\":0},\"cache_miss\":{\"count\":0,\"ns\":0}},"
        "\"batch_stats\":[{\"batch_size\":4,\"compute_input\":{\"count\":1,\"ns\":10},"
        "\"compute_infer\":{\"count\":1,\"ns\":100},\"compute_output\":{\"count\":1,"
        "\"ns\":20}}]}",
        0, NULL);
    cr_assert(json_equal(json, expected), "%.*s", (int)text.count, text.bytes);
    json_decref(json);
    json_decref(expected);
    text_free(&text);
    usage_sum_free(&sum);
    usage_free(&usage);
}

/* The first memory a request asks for is for its answer, the second for the size of its run. */
Test(usage, without_memory_only_an_item_of_a_list_is_lost)
{
    if (!malloc_watched())
        cr_skip_test("another malloc is in use");
    for (size_t granted = 0; granted < 2; granted++) {
        struct usage usage;
        struct usage_sample sample = run_of(1, 1, true);
        struct usage_sum sum = {.rows = 0};
        usage_init(&usage);
        malloc_fail_after(granted);
        usage_record(&usage, &sample);
        cr_assert(malloc_stop_failing());
        usage_record(&usage, &sample);
        malloc_fail_after(granted);
        bool collected = usage_collect(&usage, &sum);
        cr_assert(malloc_stop_failing());
        cr_assert_not(collected);
        usage_sum_free(&sum);
        sum = collect(&usage);
        cr_assert(sum.runs == 2 && sum.batch_count == 1 && sum.answer_count == 1);
        cr_assert_eq(sum.answers[0].count, granted == 0 ? 1 : 2);
        cr_assert_eq(sum.batches[0].count, granted == 1 ? 1 : 2);
        usage_sum_free(&sum);
        usage_free(&usage);
    }
}
