#include <criterion/criterion.h>
#include <string.h>

#include "failing_malloc.h"
#include "ledger.h"

enum { LOOPS = 3 };

static void record(struct ledger *ledger, size_t loop, size_t rows)
{
    struct usage_sample sample = {
        .status = 200, .inference = true, .rows = rows, .batch_rows = rows, .leads = true};
    usage_record(&ledger->pages[loop], &sample);
}

static void expect_account(const struct account *account, const char *name, const char *version,
                           uint64_t rows)
{
    cr_assert_str_eq(account->name, name);
    if (version)
        cr_assert_str_eq(account->version, version);
    else
        cr_assert_null(account->version);
    cr_assert_eq(account->sum.rows, rows, "%s: %llu", name, (unsigned long long)account->sum.rows);
}

Test(ledger, accounts_are_by_name_and_by_version)
{
    struct book book;
    struct accounts accounts;
    cr_assert(book_open(&book, LOOPS));
    struct ledger *b2 = book_find(&book, "b", "2"), *a1 = book_find(&book, "a", "1"),
                  *b1 = book_find(&book, "b", "1");
    cr_assert_eq(book_find(&book, "b", "2"), b2);
    cr_assert_eq(b2->references, 2);
    record(a1, 0, 1);
    for (size_t loop = 0; loop < LOOPS; loop++) {
        record(b1, loop, 10);
        record(b2, loop, 100);
    }
    cr_assert(book_read(&book, &accounts));
    cr_assert_eq(accounts.count, 6);
    expect_account(&accounts.items[0], "", NULL, 0);
    expect_account(&accounts.items[1], "a", NULL, 1);
    expect_account(&accounts.items[2], "a", "1", 1);
    expect_account(&accounts.items[3], "b", NULL, 330);
    expect_account(&accounts.items[4], "b", "1", 30);
    expect_account(&accounts.items[5], "b", "2", 300);
    accounts_free(&accounts);
    book_close(&book);
}

/* A version that is gone is no account any more, but its model's goes on. */
Test(ledger, counts_of_a_version_outlive_it)
{
    struct book book;
    struct accounts accounts;
    cr_assert(book_open(&book, LOOPS));
    for (uint64_t round = 1; round <= 3; round++) {
        struct ledger *ledger = book_find(&book, "m", "1");
        ledger_hold(ledger);
        record(ledger, round % LOOPS, 5);
        ledger_release(ledger);
        cr_assert(book_read(&book, &accounts));
        cr_assert_eq(accounts.count, 3);
        expect_account(&accounts.items[1], "m", NULL, 5 * round);
        expect_account(&accounts.items[2], "m", "1", 5);
        accounts_free(&accounts);
        ledger_release(ledger);
        cr_assert(book_read(&book, &accounts));
        cr_assert_eq(accounts.count, 2);
        expect_account(&accounts.items[1], "m", NULL, 5 * round);
        accounts_free(&accounts);
    }
    book_close(&book);
}

Test(ledger, without_memory_nothing_is_lost)
{
    struct book book;
    struct accounts accounts;
    if (!malloc_watched())
        cr_skip_test("another malloc is in use");
    cr_assert(book_open(&book, LOOPS));
    struct ledger *ledger = book_find(&book, "m", "1");
    record(ledger, 0, 5);
    malloc_fail_after(0);
    const struct ledger *other = book_find(&book, "n", "1");
    cr_assert(malloc_stop_failing());
    malloc_fail_after(0);
    bool read = book_read(&book, &accounts);
    cr_assert(malloc_stop_failing());
    malloc_fail_after(0);
    ledger_release(ledger);
    cr_assert(malloc_stop_failing());
    cr_assert(!other && !read);
    cr_assert(book_read(&book, &accounts));
    cr_assert_eq(accounts.count, 3);
    expect_account(&accounts.items[1], "m", NULL, 5);
    accounts_free(&accounts);
    book_close(&book);
}
