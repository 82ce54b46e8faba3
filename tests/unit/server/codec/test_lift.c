#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lift_body.h"

static void expect_failure(const char *body, enum status status, const char *part)
{
    for (size_t p = 0; p < LIFT_PIECES; p++) {
        struct lift lift;
        struct error error = {.message = ""};
        enum status found =
            lift_body(&lift, body, strlen(body), lift_pieces[p], LIFT_LIMIT, &error);
        if (found != status || !strstr(error.message, part))
            cr_assert_fail("%.100s in pieces of %zu: %d, %s", body, lift_pieces[p], (int)found,
                           error.message);
        lift_free(&lift);
    }
}

Test(lift, grammar_errors_inside_arrays)
{
    static const struct {
        const char *array, *part;
    } cases[] = {
        {"[1,]", "a number must follow a comma"},
        {"[[1],]", "a number must follow a comma"},
        {"[,1]", "unexpected comma"},
        {"[1,,2]", "unexpected comma"},
        {"[[1][2]]", "expected a comma or ]"},
        {"[1 2]", "expected a comma or ]"},
        {"[[1]2]", "expected a"},
        {"[1[2]]", "expected a comma or ]"},
        {"[1,[2]]", "expected numbers"},
        {"[[1],2]", "expected a list"},
        {"[[],1]", "expected a list"},
        {"[[[1]],[2]]", "expected a list"},
        {"[[],[[1]]]", "expected numbers"},
        {"[nan]", "expected a number"},
        {"[NaN]", "row 0: expected a number"},
        {"[[1],[NaN]]", "row 1: expected a number"},
        {"[null]", "expected a number"},
        {"[\"1\"]", "found '\"'"},
        {"[1,{}]", "found '{'"},
        {"[\x01]", "found '?'"},
        {"[+1]", "found '+'"},
        {"[.5]", "found '.'"},
        {"[01]", "expected a JSON number"},
        {"[-]", "expected a JSON number"},
        {"[1.]", "expected a JSON number"},
        {"[1e]", "expected a JSON number"},
        {"[--1]", "expected a JSON number"},
        {"[-a]", "expected a JSON number"},
        {"[1e39]", "row 0: the number at byte 11 is beyond float32's range"},
        {"[[1],[2,-1e39]]", "row 1: the number at byte 18 is beyond float32's range"},
        {"[1e400]", "beyond float32's range"},
        {"[3.4028236e38]", "beyond float32's range"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[128];
        snprintf(body, sizeof body, "{\"inputs\":%s}", cases[i].array);
        expect_failure(body, STATUS_INVALID, cases[i].part);
        snprintf(body, sizeof body, "{\"inputs\":{\"a\":%s}}", cases[i].array);
        expect_failure(body, STATUS_INVALID, "");
        snprintf(body, sizeof body, "{\"inputs\":[{\"data\":%s}]}", cases[i].array);
        expect_failure(body, STATUS_INVALID, "");
    }
}

/* Whatever the pieces, the place is that in the whole body. */
Test(lift, errors_name_their_place)
{
    static const char *const ends[] = {"x]}", "1e39]}", ",]}", "01]}", "1 1]}"};
    static const size_t places[] = {0, 0, 0, 0, 2};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        for (size_t before = 20; before < 60; before++) {
            char body[256], part[32];
            size_t at = (size_t)sprintf(body, "{\"inputs\":[");
            for (size_t k = 0; k < before; k++)
                at += (size_t)sprintf(body + at, "12,");
            strcpy(body + at, ends[i]);
            snprintf(part, sizeof part, "byte %zu", at + places[i]);
            expect_failure(body, STATUS_INVALID, part);
        }
}

Test(lift, bodies_that_end_inside_an_array)
{
    static const char *const bodies[] = {"{\"inputs\":[",    "{\"inputs\":[1",  "{\"inputs\":[1.",
                                         "{\"inputs\":[[1]", "{\"inputs\":[1,", "{\"inputs\":[ "};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        expect_failure(bodies[i], STATUS_INVALID, "ends inside an array");
}

/* A plain number where a tensor may stand could be taken for a placeholder. */
Test(lift, numbers_in_place_of_tensors)
{
    static const char *const bodies[] = {"{\"inputs\":0}", "{\"inputs\": -1}",
                                         "{\"inputs\":{\"a\":7}}", "{\"inputs\":[{\"data\":3}]}",
                                         "{\"inputs\":[1]5}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        expect_failure(bodies[i], STATUS_INVALID, "found a number");
}

/* The same in disguise: jansson reads the escape, so the scanner must not be fooled by it. */
Test(lift, escaped_keys_cannot_forge_placeholders)
{
    static const char *const bodies[] = {
        "{\"in\\u0070uts\":5}", "{\"in\\u0070uts\":{\"a\":5}}", "{\"inputs\":{\"\\u0061\":5}}",
        "{\"in\\u0070uts\":[{\"data\":5}]}", "{\"inputs\":[{\"d\\u0061ta\":5}]}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct lift lift;
        struct error error;
        if (lift_body(&lift, bodies[i], strlen(bodies[i]), 0, LIFT_LIMIT, &error) == STATUS_OK)
            cr_expect_fail("%s passes; its 5 would stand for a tensor", bodies[i]);
        lift_free(&lift);
    }
}

static char *repeated(const char *begin, const char *unit, size_t times, const char *end)
{
    char *body = calloc(strlen(begin) + strlen(unit) * times + strlen(end) + 1, 1), *at = body;
    cr_assert(body);
    at = stpcpy(at, begin);
    for (size_t i = 0; i < times; i++)
        at = stpcpy(at, unit);
    strcpy(at, end);
    return body;
}

static void expect_success(const char *body, struct lift *lift)
{
    struct error error;
    if (lift_body(lift, body, strlen(body), 7, LIFT_LIMIT, &error) != STATUS_OK)
        cr_assert_fail("%.100s: %s", body, error.message);
}

Test(lift, nesting_at_its_limits_and_one_beyond)
{
    struct lift lift;
    char *body = repeated("{\"inputs\":", "[", TENSOR_RANK_MAX, "1]]]]]]]]}");
    expect_success(body, &lift);
    cr_assert_eq(lift.arrays[0].depth, TENSOR_RANK_MAX);
    lift_free(&lift);
    free(body);
    body = repeated("{\"inputs\":", "[", TENSOR_RANK_MAX + 1, "1");
    expect_failure(body, STATUS_INVALID, "nested more than 8 deep");
    free(body);
    body = repeated("{\"x\":", "[", LIFT_DEPTH_MAX - 1, "");
    expect_success(body, &lift);
    lift_free(&lift);
    free(body);
    body = repeated("{\"x\":", "[", LIFT_DEPTH_MAX, "");
    expect_failure(body, STATUS_INVALID, "nested more than 64 deep");
    free(body);
    body = repeated("", "{\"x\":", 10000, "");
    expect_failure(body, STATUS_INVALID, "nested more than 64 deep");
    free(body);
}

Test(lift, arrays_at_their_limit_and_one_more)
{
    struct lift lift;
    char *body = repeated("{\"inputs\":{\"a\":[1]", ",\"b\":[2]", LIFT_ARRAYS_MAX - 1, "}}");
    expect_success(body, &lift);
    cr_assert_eq(lift.array_count, LIFT_ARRAYS_MAX);
    cr_assert_eq(lift.numbers[LIFT_ARRAYS_MAX - 1], 2.0f);
    lift_free(&lift);
    free(body);
    body = repeated("{\"inputs\":{\"a\":[1]", ",\"b\":[2]", LIFT_ARRAYS_MAX, "}}");
    expect_failure(body, STATUS_INVALID, "at most 64 inputs");
    free(body);
}

Test(lift, numbers_at_their_longest_and_one_longer)
{
    struct lift lift;
    char *body = repeated("{\"inputs\":[0.", "0", NUMBER_TOKEN_MAX - 3, "1]}");
    expect_success(body, &lift);
    cr_assert_eq(lift.numbers[0], 0.0f);
    lift_free(&lift);
    free(body);
    body = repeated("{\"inputs\":[0.", "0", NUMBER_TOKEN_MAX - 2, "1]}");
    expect_failure(body, STATUS_INVALID, "");
    free(body);
}

Test(lift, the_envelope_at_its_limit_and_one_byte_more)
{
    struct lift lift;
    struct error error;
    char *body = repeated("{\"x\":\"", "a", LIFT_ENVELOPE_BYTES_MAX - 8, "\"}");
    for (size_t most = 0; most < 20000; most += 9999) {
        cr_assert_eq(lift_body(&lift, body, strlen(body), most, LIFT_LIMIT, &error), STATUS_OK);
        cr_assert_eq(lift.envelope.count, LIFT_ENVELOPE_BYTES_MAX);
        lift_free(&lift);
    }
    free(body);
    for (int is_open = 0; is_open < 2; is_open++) {
        body = repeated("{\"x\":\"", "a", LIFT_ENVELOPE_BYTES_MAX - 7 + 2 * is_open,
                        is_open ? "" : "\"}");
        cr_assert_eq(lift_body(&lift, body, strlen(body), 0, LIFT_LIMIT, &error), STATUS_INVALID);
        cr_assert(strstr(error.message, "1048576 bytes"), "%s", error.message);
        lift_free(&lift);
        free(body);
    }
}

Test(lift, numbers_beyond_the_limit_are_counted_only)
{
    for (size_t limit = 0; limit < 3000; limit = limit * 2 + 1) {
        struct lift lift;
        struct error error;
        char *body = repeated("{\"inputs\":[[7", ",7", 2999, "]]}");
        cr_assert_eq(lift_body(&lift, body, strlen(body), 100, limit, &error), STATUS_OK);
        cr_assert_eq(lift.count, 3000);
        cr_assert_eq(lift.arrays[0].row_count, 3000);
        for (size_t i = 0; i < limit; i++)
            if (lift.numbers[i] != 7.0f)
                cr_assert_fail("number %zu", i);
        lift_free(&lift);
        free(body);
    }
}

Test(lift, signs_of_zero_and_roundings)
{
    static const struct {
        const char *text;
        float value;
    } cases[] = {
        {"-0", -0.0f},        {"-0.0e5", -0.0f},         {"-1e-60", -0.0f},
        {"1e-45", 0x1p-149f}, {"16777217", 16777216.0f}, {"3.40282356e38", 0x1.fffffep127f}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[64];
        struct lift lift;
        snprintf(body, sizeof body, "{\"inputs\":[%s]}", cases[i].text);
        expect_success(body, &lift);
        cr_assert(memcmp(lift.numbers, &cases[i].value, sizeof(float)) == 0, "%s", cases[i].text);
        lift_free(&lift);
    }
}

static void feed_in_two(struct lift *lift, const char *body, size_t cut)
{
    struct error error = {.message = ""};
    lift_init(lift, LIFT_LIMIT);
    if (lift_feed(lift, body, cut, &error) != STATUS_OK ||
        lift_feed(lift, body + cut, strlen(body) - cut, &error) != STATUS_OK ||
        lift_finish(lift, &error) != STATUS_OK)
        cr_assert_fail("cut at %zu: %s", cut, error.message);
}

/* What is read in runs and what the end of a piece cuts off comes to the same, at every place. */
Test(lift, cut_anywhere)
{
    static const char body[] =
        "{\"inputs\":[[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,-2.5],[0.0,0.0,0.0,0.0,0.0,0.0,0.0,"
        "0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.125,-17.0625,1234567,-123456,1.5e3, "
        "-0.30000000000000004]"
        ",[1 ,2 , 3,\n4,5\n,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,-0.0]]}";
    struct lift whole;
    expect_success(body, &whole);
    cr_assert(whole.count == 63 && whole.arrays[0].row_count == 21 &&
              whole.arrays[0].dims[0] == 3 && whole.arrays[0].odd_row == 0 &&
              whole.numbers[20] == -2.5f && whole.numbers[40] == 1500.0f &&
              whole.numbers[61] == 20.0f);
    for (size_t cut = 0; cut < sizeof body; cut++) {
        struct lift lift;
        feed_in_two(&lift, body, cut);
        if (lift.count != whole.count ||
            memcmp(lift.numbers, whole.numbers, whole.count * sizeof(float)) != 0 ||
            memcmp(lift.arrays, whole.arrays, sizeof *whole.arrays) != 0)
            cr_assert_fail("cut at %zu: other numbers or another shape", cut);
        lift_free(&lift);
    }
    lift_free(&whole);
}

Test(lift, shapes)
{
    struct lift lift;
    expect_success("{\"inputs\":[]}", &lift);
    cr_assert(lift.arrays[0].depth == 1 && lift.arrays[0].count == 0 &&
              lift.arrays[0].dims[0] == 0);
    lift_free(&lift);
    expect_success("{\"inputs\":[[]]}", &lift);
    cr_assert(lift.arrays[0].depth == 2 && lift.arrays[0].count == 0 &&
              lift.arrays[0].dims[0] == 1);
    lift_free(&lift);
    expect_success("{\"inputs\":{\"a\":[[1,2],[3,4]],\"b\":[[5],[6,7],[8]]}}", &lift);
    const struct lift_array *a = &lift.arrays[0], *b = &lift.arrays[1];
    cr_assert(a->first == 0 && a->count == 4 && a->row_count == 2 && a->odd_row == 0);
    cr_assert(b->first == 4 && b->count == 4 && b->row_count == 1 && b->odd_row == 1 &&
              b->odd_count == 2);
    lift_free(&lift);
}

/* Cut anywhere, as expect_failure() does it too. */
Test(lift, true_and_false_are_numbers_in_data_only)
{
    static const float values[] = {1, 0, 0, 1, 2};
    for (size_t p = 0; p < LIFT_PIECES; p++) {
        const char *body =
            "{\"inputs\":[{\"data\":[true,false, false,[],true ,2]},{\"data\":[3]}]}";
        struct lift lift;
        struct error error;
        cr_assert_eq(lift_body(&lift, body, strlen(body), lift_pieces[p], LIFT_LIMIT, &error),
                     STATUS_INVALID);
        lift_free(&lift);
        body = "{\"inputs\":[{\"data\":[true,false, false\n,true ,2]},{\"data\":[3]}]}";
        cr_assert_eq(lift_body(&lift, body, strlen(body), lift_pieces[p], LIFT_LIMIT, &error),
                     STATUS_OK, "%s", error.message);
        cr_assert(memcmp(lift.numbers, values, sizeof values) == 0);
        cr_assert(lift.arrays[0].literals && !lift.arrays[1].literals);
        lift_free(&lift);
    }
    expect_failure("{\"inputs\":[{\"data\":[trve]}]}", STATUS_INVALID, "not cut short at byte 22");
    expect_failure("{\"inputs\":[{\"data\":[fals]}]}", STATUS_INVALID, "not cut short at byte 24");
    expect_failure("{\"inputs\":[{\"data\":[truefalse]}]}", STATUS_INVALID, "expected a comma");
    expect_failure("{\"inputs\":[{\"data\":[1true]}]}", STATUS_INVALID, "expected a comma");
    expect_failure("{\"inputs\":[{\"data\":[[1],true]}]}", STATUS_INVALID, "expected a list");
    expect_failure("{\"inputs\":[{\"data\":[tru", STATUS_INVALID, "ends inside an array");
    expect_failure("{\"inputs\":[{\"data\":[t", STATUS_INVALID, "ends inside an array");
    expect_failure("{\"inputs\":[true]}", STATUS_INVALID, "expected a number");
    expect_failure("{\"inputs\":{\"a\":[true]}}", STATUS_INVALID, "expected a number");
}

Test(lift, documents_without_inputs_stay_as_they_are)
{
    static const char *const bodies[] = {"",
                                         "x",
                                         "[1,2]",
                                         "{\"x\":[1,[2]]}",
                                         "5",
                                         "\"\\\"\"",
                                         "{\"a\":{\"inputs\":[1,\"x\"]}}",
                                         "[{\"inputs\":[null]}]"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct lift lift;
        expect_success(bodies[i], &lift);
        cr_assert_eq(lift.array_count, 0);
        cr_assert_eq(lift.envelope.count, strlen(bodies[i]));
        cr_assert(lift.envelope.count == 0 ||
                  memcmp(lift.envelope.bytes, bodies[i], lift.envelope.count) == 0);
        lift_free(&lift);
    }
}
