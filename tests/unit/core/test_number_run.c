/* Runs are judged by reading one number after the other, which test_number.c holds to strtod. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "guarded.h"
#include "number.h"
#include "randoms.h"

enum { ROOM_MAX = 200, TEXT_MAX = 1000 };

/* Texts and values end where nobody may read or write on. */
static struct guarded memory;
static char *text_end;
static float *values_end;

static void map_memory(void)
{
    text_end = (char *)guarded_alloc(&memory, TEXT_MAX, 1) + TEXT_MAX;
    values_end = (float *)guarded_alloc(&memory, ROOM_MAX, sizeof(float)) + ROOM_MAX;
}

static void check_memory(void)
{
    guarded_free(&memory);
}

TestSuite(number_run, .init = map_memory, .fini = check_memory);

static const char *read_singly(const char *text, const char *end, float *values, size_t room,
                               struct number_run *run)
{
    *run = (struct number_run){.open = true};
    while (run->open && run->count < room) {
        const char *after = number_read_float(text, end, &values[run->count]);
        if (after == NULL || after == end || isinf(values[run->count]))
            break;
        run->count++;
        run->open = *after == ',';
        text = after + run->open;
        while (text < end && strchr(" \t\r\n", *text) && *text)
            text++;
    }
    return text;
}

/* The first count characters of text, room for so many numbers. Returns how many were read. */
static size_t check_run(const char *text, size_t count, size_t room)
{
    char *begin = memcpy(text_end - count, text, count);
    float *values = values_end - room, expected[ROOM_MAX];
    struct number_run run, singly;
    const char *end = number_read_run(begin, text_end, values, room, &run);
    const char *expected_end = read_singly(begin, text_end, expected, room, &singly);
    if (end != expected_end || run.count != singly.count || run.open != singly.open ||
        memcmp(values, expected, run.count * sizeof *values) != 0)
        cr_assert_fail("\"%.*s\", room for %zu: expected %zu numbers, %zu characters, found %zu "
                       "numbers, %zu characters, or other values",
                       (int)count, text, room, singly.count, (size_t)(expected_end - begin),
                       run.count, (size_t)(end - begin));
    return run.count;
}

Test(number_run, known)
{
    static const float expected[] = {1.5f, -0.0f, 12345678.0f, 1e-7f, 3.0f};
    const char *text = "1.5,-0.0 ,12345678, 1e-7,\n3]", *end = text + strlen(text);
    float values[8];
    struct number_run run;
    text = number_read_run(text, end, values, 8, &run);
    cr_assert(run.count == 2 && !run.open && *text == ',');
    cr_assert(memcmp(values, expected, 2 * sizeof *values) == 0);
    text = number_read_run(text + 1, end, values + 2, 2, &run);
    cr_assert(run.count == 2 && run.open && *text == '3');
    text = number_read_run(text, end, values + 4, 4, &run);
    cr_assert(run.count == 1 && !run.open && *text == ']');
    cr_assert(memcmp(values, expected, sizeof expected) == 0);
}

/* Every text of seven characters that could matter to where a number has its sign, point and end.
 */
Test(number_run, all_short_texts)
{
    static const char alphabet[8] = "059.-, e";
    size_t numbers = 0;
    for (unsigned i = 0; i < 1u << 21; i++) {
        char text[12] = "#######,1]";
        for (unsigned j = 0; j < 7; j++)
            text[j] = alphabet[i >> 3 * j & 7];
        check_run(text, 10, 10);
        numbers += check_run(text, 10, 20); /* room enough for any way to read */
    }
    cr_assert(numbers > 600000, "only %zu numbers", numbers);
}

/* Any byte at any place of a number that would be right otherwise. */
Test(number_run, all_bytes)
{
    static const char *const texts[] = {"-12.345,",
                                        "1234567,",
                                        "-0.0625,",
                                        "0.0,0.0,0.0,0.0,0.0,",
                                        "7,8,90,1,",
                                        "-5,0.25,",
                                        "1.00000,",
                                        "0,0,0,0,0,0,0,0,0,0,",
                                        "-0.1234567,",
                                        "0.123456789,",
                                        "-12.3456789012,",
                                        "123456.7,",
                                        "255,0,17,100, 3,45,6,789, 10,1,22,30,"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (size_t j = 0; j < strlen(texts[i]); j++)
            for (unsigned byte = 0; byte < 256; byte++) {
                char text[64];
                size_t count = (size_t)sprintf(text, "%s0,0,0,0,0,0,0,0,1]", texts[i]);
                text[j] = (char)byte;
                check_run(text, count, 30);
            }
}

static void put_digits(struct randoms *random, char **to, size_t count)
{
    while (count-- > 0)
        *(*to)++ = (char)('0' + random_between(random, 0, 9));
}

/* Numbers of every length that the table has, and of lengths that it has not. */
Test(number_run, decimals_of_all_lengths)
{
    struct randoms random = {20260101};
    for (int i = 0; i < 300; i++)
        for (size_t whole = 1; whole < 9; whole++)
            for (size_t decimals = 0; decimals < 20; decimals++) {
                char text[128], *to = text;
                for (int numbers = 0; numbers < 3; numbers++) {
                    *to = '-';
                    to += random_between(&random, 0, 1);
                    put_digits(&random, &to, whole);
                    *to = '.';
                    to += decimals > 0;
                    put_digits(&random, &to, decimals);
                    *to++ = ',';
                }
                check_run(text, (size_t)(to - text), 3);
            }
}

static size_t put_random_run(struct randoms *random, char text[TEXT_MAX])
{
    static const char *const units[] = {"0,",     "0.0,",     "0.0, ", "-0,",   "7,",
                                        "-0.25,", "12.5 ,\n", "16,",   "255, ", "1024,"};
    char *to = text;
    for (size_t stretches = random_between(random, 1, 6); stretches > 0; stretches--) {
        const char *unit = units[random_between(random, 0, 9)];
        size_t times = random_between(random, 0, 3) > 0 ? 1 : random_between(random, 1, 30);
        for (; times > 0; times--)
            to = stpcpy(to, unit);
        if (random_between(random, 0, 3) == 0)
            to += sprintf(to, "%.*g,", (int)random_between(random, 1, 17),
                          (double)random_plain(random) * 1000);
    }
    return (size_t)(to - text);
}

/* Cut at every place, as a body may be, and with every room. */
Test(number_run, cut_anywhere)
{
    struct randoms random = {88172645463325252u};
    size_t most = 0;
    for (int i = 0; i < 300; i++) {
        char text[TEXT_MAX];
        size_t count = put_random_run(&random, text);
        for (size_t cut = 0; cut <= count; cut++) {
            size_t numbers = check_run(text, cut, ROOM_MAX);
            most = numbers > most ? numbers : most;
            check_run(text, cut, random_between(&random, 0, 40));
        }
        for (size_t room = 0; room <= ROOM_MAX; room++)
            check_run(text, count, room);
    }
    cr_assert(most > 60, "no run had more than %zu numbers", most);
}
