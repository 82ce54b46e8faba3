#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/binary.h"
#include "failing_malloc.h"
#include "randoms.h"

/* Feeds bytes in pieces of 1 to most bytes, each in memory of its exact size; 0 for one piece. */
static enum status feed(struct binary *binary, const void *bytes, size_t count, size_t most,
                        struct error *error)
{
    struct randoms random = {7};
    enum status status = STATUS_OK;
    for (size_t at = 0; at < count && status == STATUS_OK;) {
        size_t piece = most ? random_between(&random, 1, most) : count;
        piece = piece < count - at ? piece : count - at;
        char *copy = malloc(piece);
        cr_assert(copy);
        memcpy(copy, (const char *)bytes + at, piece);
        status = binary_feed(binary, copy, piece, error);
        free(copy);
        at += piece;
    }
    return status;
}

static void expect(struct binary *binary, const char *name, enum datatype type, size_t count)
{
    struct error error;
    cr_assert_eq(binary_expect(binary, name, type, count, &error), STATUS_OK);
}

/* Three bytes in front of everything else: nothing behind them is aligned. */
Test(binary, tensors_follow_each_other_whatever_the_pieces)
{
    static const size_t pieces[] = {0, 1, 2, 3, 5, 7, 64, 1000};
    enum { FLOATS = 333, DOUBLES = 50 };
    struct randoms random = {4711};
    float floats[FLOATS];
    double doubles[DOUBLES];
    char bytes[3 + sizeof floats + sizeof doubles] = {1, 0, 1};
    random_floats(&random, RANDOM_WILD, floats, FLOATS);
    for (size_t i = 0; i < DOUBLES; i++)
        doubles[i] = (double)i / 3;
    memcpy(bytes + 3, floats, sizeof floats);
    memcpy(bytes + 3 + sizeof floats, doubles, sizeof doubles);
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        struct binary binary = {.numbers = NULL};
        struct error error;
        expect(&binary, "a", DATATYPE_BOOL, 3);
        expect(&binary, "b", DATATYPE_FP32, FLOATS);
        expect(&binary, "none", DATATYPE_INT16, 0);
        expect(&binary, "c", DATATYPE_FP64, DOUBLES);
        cr_assert_eq(binary.expected_bytes, sizeof bytes);
        cr_assert_eq(feed(&binary, bytes, sizeof bytes, pieces[p], &error), STATUS_OK);
        cr_assert_eq(binary.bytes, sizeof bytes);
        cr_assert(binary.numbers[0] == 1 && binary.numbers[1] == 0 && binary.numbers[2] == 1);
        cr_assert(memcmp(binary.numbers + binary.tensors[1].first, floats, sizeof floats) == 0);
        for (size_t i = 0; i < DOUBLES; i++)
            cr_assert_eq(binary.numbers[binary.tensors[3].first + i], (float)doubles[i]);
        binary_free(&binary);
    }
}

Test(binary, what_is_too_much_is_counted_only)
{
    struct binary binary = {.numbers = NULL};
    struct error error;
    char bytes[1000] = {0};
    expect(&binary, "a", DATATYPE_INT16, 5);
    cr_assert_eq(feed(&binary, bytes, sizeof bytes, 3, &error), STATUS_OK);
    cr_assert_eq(binary.bytes, 1000);
    cr_assert_eq(binary.expected_bytes, 10);
    cr_assert_eq(binary.capacity, 5);
    binary_free(&binary);
}

Test(binary, nothing_expected_takes_nothing)
{
    struct binary binary = {.numbers = NULL};
    struct error error;
    cr_assert_eq(feed(&binary, "abc", 3, 0, &error), STATUS_OK);
    cr_assert(binary.bytes == 3 && !binary.numbers);
    binary_free(&binary);
}

/* What a client announces costs nothing until it arrives. */
Test(binary, memory_grows_with_what_arrives)
{
    struct binary binary = {.numbers = NULL};
    struct error error;
    char bytes[4000] = {0};
    expect(&binary, "a", DATATYPE_FP32, (size_t)1 << 40);
    cr_assert_eq(feed(&binary, bytes, sizeof bytes, 100, &error), STATUS_OK);
    cr_assert(binary.capacity >= 1000 && binary.capacity <= 2000, "%zu", binary.capacity);
    binary_free(&binary);
}

Test(binary, a_number_beyond_float32_is_refused_with_its_place)
{
    static const size_t pieces[] = {0, 1, 11};
    double numbers[40] = {0};
    numbers[37] = -1e39;
    for (size_t p = 0; p < 3; p++) {
        struct binary binary = {.numbers = NULL};
        struct error error;
        expect(&binary, "x", DATATYPE_FP64, 40);
        cr_assert_eq(feed(&binary, numbers, sizeof numbers, pieces[p], &error), STATUS_INVALID);
        cr_assert_str_eq(error.message, "input \"x\": number 37 is beyond float32's range");
        binary_free(&binary);
    }
}

Test(binary, memory_that_cannot_be_had)
{
    struct binary binary = {.numbers = NULL};
    struct error error;
    float numbers[4] = {0};
    if (!malloc_watched())
        cr_skip_test("another malloc is in use");
    malloc_fail_after(0);
    enum status expected = binary_expect(&binary, "x", DATATYPE_FP32, 4, &error);
    cr_assert(malloc_stop_failing());
    cr_assert_eq(expected, STATUS_OUT_OF_MEMORY);
    expect(&binary, "x", DATATYPE_FP32, 4);
    malloc_fail_after(0);
    enum status fed = binary_feed(&binary, (const char *)numbers, sizeof numbers, &error);
    cr_assert(malloc_stop_failing());
    cr_assert_eq(fed, STATUS_OUT_OF_MEMORY);
    binary_free(&binary);
}
