#include <criterion/criterion.h>
#include <stdio.h>

#include "catalog.h"

enum { LOOPS = 2 };

static struct generation *new_generation(void)
{
    struct generation *generation = calloc(1, sizeof *generation);
    cr_assert(generation);
    generation->references = 1;
    return generation;
}

/* All entries of these tests share a ledger, which the book holds to its end. */
static struct ledger *ledger(void)
{
    static struct book book;
    if (!book.ledgers)
        cr_assert(book_open(&book, LOOPS));
    return book.ledgers;
}

/* a: version 2 ready, 10 not; b: none ready; c: one. */
static struct catalog *open_catalog(struct generation *ready, const char *default_name)
{
    const struct entry entries[] = {
        {"a", "2", MODEL_READY, "", ready, ledger()},
        {"a", "10", MODEL_UNAVAILABLE, "broken", NULL, ledger()},
        {"b", "1", MODEL_UNAVAILABLE, "unloaded", NULL, ledger()},
        {"b", "2", MODEL_LOADING, "", NULL, ledger()},
        {"c", "1", MODEL_READY, "", ready, ledger()},
    };
    struct catalog *catalog = catalog_open(5, LOOPS, default_name);
    cr_assert(catalog);
    for (size_t i = 0; i < 5; i++)
        cr_assert(catalog_add(catalog, &entries[i]));
    return catalog;
}

Test(catalog, find)
{
    static const struct {
        const char *name, *version, *found; /* "NAME VERSION" */
    } cases[] = {
        {"a", NULL, "a 2"},  {"a", "2", "a 2"},  {"a", "10", "a 10"}, {"a", "1", ""},
        {"a", "", ""},       {"b", NULL, "b 2"}, {"b", "1", "b 1"},   {"c", NULL, "c 1"},
        {"", NULL, ""},      {"d", NULL, ""},    {"aa", NULL, ""},    {"A", "1", ""},
        {NULL, NULL, "b 2"}, {NULL, "1", "b 1"}, {NULL, "3", ""},
    };
    struct generation *ready = new_generation();
    struct catalog *catalog = open_catalog(ready, "b");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char found[16] = "";
        const struct entry *entry = catalog_find(catalog, cases[i].name, cases[i].version);
        if (entry)
            snprintf(found, sizeof found, "%s %s", entry->name, entry->version);
        cr_assert_str_eq(found, cases[i].found, "case %zu", i);
    }
    catalog_close(catalog);
    catalog = open_catalog(ready, "");
    cr_assert_null(catalog_find(catalog, NULL, NULL));
    catalog_close(catalog);
    generation_release(ready);
}

Test(catalog, holds_its_generations)
{
    struct generation *ready = new_generation();
    struct catalog *catalog = open_catalog(ready, "a");
    cr_assert_eq(ready->references, 3);
    cr_assert_eq(ledger()->references, 1 + 5);
    catalog_close(catalog);
    cr_assert_eq(ready->references, 1);
    cr_assert_eq(ledger()->references, 1);
    generation_release(ready);
}

/* The last user of a loop gives its reference back; the last of all learns that it was. */
Test(catalog, counts_users_by_loop)
{
    struct catalog *catalog = catalog_open(0, LOOPS, "");
    cr_assert(catalog);
    for (size_t loop = 0; loop < LOOPS; loop++) {
        atomic_fetch_add(&catalog->references, 1);
        catalog_enter(catalog, loop);
        catalog_enter(catalog, loop);
    }
    cr_assert_not(catalog_leave(catalog, 0));
    cr_assert_not(catalog_leave(catalog, 0));
    atomic_fetch_sub(&catalog->references, 1); /* no longer current */
    cr_assert_not(catalog_leave(catalog, 1));
    cr_assert(catalog_leave(catalog, 1));
    cr_assert_eq(atomic_load(&catalog->references), 0);
    catalog_close(catalog);
}
