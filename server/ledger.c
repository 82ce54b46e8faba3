#include "ledger.h"

#include <stdlib.h>
#include <string.h>

/* Ledgers */

static void free_ledger(struct ledger *ledger)
{
    for (size_t i = 0; i < ledger->book->loops; i++)
        usage_free(&ledger->pages[i]);
    free(ledger->name);
    free(ledger->version);
    free(ledger);
}

static struct ledger *new_ledger(struct book *book, const char *name, const char *version)
{
    size_t bytes = sizeof(struct ledger) + book->loops * sizeof(struct usage);
    struct ledger *ledger = aligned_alloc(_Alignof(struct ledger), bytes);
    if (!ledger)
        return NULL;
    *ledger = (struct ledger){.book = book, .name = strdup(name), .version = strdup(version)};
    for (size_t i = 0; i < book->loops; i++)
        usage_init(&ledger->pages[i]);
    if (ledger->name && ledger->version)
        return ledger;
    free_ledger(ledger);
    return NULL;
}

void ledger_hold(struct ledger *ledger)
{
    ledger->references++;
}

/* Where the ledger of that name and version is, or belongs. */
static struct ledger **find_link(struct book *book, const char *name, const char *version)
{
    struct ledger **link = &book->ledgers;
    for (; *link; link = &(*link)->next) {
        int names = strcmp((*link)->name, name);
        if (names > 0 || (names == 0 && strcmp((*link)->version, version) >= 0))
            break;
    }
    return link;
}

static bool is_of(const struct ledger *ledger, const char *name, const char *version)
{
    return ledger && strcmp(ledger->name, name) == 0 && strcmp(ledger->version, version) == 0;
}

struct ledger *book_find(struct book *book, const char *name, const char *version)
{
    struct ledger **link = find_link(book, name, version), *ledger = *link;
    if (!is_of(ledger, name, version)) {
        ledger = new_ledger(book, name, version);
        if (!ledger)
            return NULL;
        pthread_mutex_lock(&book->lock);
        ledger->next = *link;
        *link = ledger;
        pthread_mutex_unlock(&book->lock);
    }
    ledger_hold(ledger);
    return ledger;
}

/* Moves what the ledger has counted to that of versions that are gone. */
static void pass_on(struct ledger *ledger, struct ledger *gone)
{
    for (size_t i = 0; i < ledger->book->loops; i++)
        usage_collect(&ledger->pages[i], &gone->pages[i].sum);
}

/* Without memory for another ledger it stays as it is. */
void ledger_release(struct ledger *ledger)
{
    struct book *book = ledger->book;
    if (--ledger->references > 0 || !ledger->version[0])
        return;
    struct ledger *gone = book_find(book, ledger->name, "");
    if (!gone)
        return;
    pthread_mutex_lock(&book->lock);
    pass_on(ledger, gone);
    *find_link(book, ledger->name, ledger->version) = ledger->next;
    pthread_mutex_unlock(&book->lock);
    free_ledger(ledger);
}

bool ledger_collect(struct ledger *ledger, struct usage_sum *sum)
{
    for (size_t i = 0; i < ledger->book->loops; i++)
        if (!usage_collect(&ledger->pages[i], sum))
            return false;
    return true;
}

/* The book */

bool book_open(struct book *book, size_t loops)
{
    *book = (struct book){.loops = loops};
    pthread_mutex_init(&book->lock, NULL);
    return book_find(book, "", "") != NULL;
}

void book_close(struct book *book)
{
    for (struct ledger *ledger = book->ledgers, *next; ledger; ledger = next) {
        next = ledger->next;
        free_ledger(ledger);
    }
    pthread_mutex_destroy(&book->lock);
}

/* Accounts */

static struct account *add_account(struct accounts *accounts, const char *name, const char *version)
{
    struct account *account = &accounts->items[accounts->count++];
    account->name = strdup(name);
    account->version = version ? strdup(version) : NULL;
    return account->name && (account->version || !version) ? account : NULL;
}

/* Adds the ledgers from first on that share its name; the rest of them follows in *rest. */
static bool add_name(struct accounts *accounts, struct ledger *first, struct ledger **rest)
{
    const size_t index = accounts->count;
    struct ledger *ledger = first;
    if (!add_account(accounts, first->name, NULL))
        return false;
    for (; ledger && strcmp(ledger->name, first->name) == 0; ledger = ledger->next) {
        struct account *all = &accounts->items[index];
        if (!ledger_collect(ledger, &all->sum))
            return false;
        if (!ledger->version[0])
            continue;
        struct account *one = add_account(accounts, ledger->name, ledger->version);
        if (!one || !ledger_collect(ledger, &one->sum))
            return false;
    }
    *rest = ledger;
    return true;
}

static bool add_all(struct accounts *accounts, struct ledger *first)
{
    size_t count = 0;
    for (const struct ledger *ledger = first; ledger; ledger = ledger->next)
        count++;
    accounts->items = calloc(2 * count, sizeof *accounts->items);
    if (!accounts->items)
        return false;
    while (first)
        if (!add_name(accounts, first, &first))
            return false;
    return true;
}

bool book_read(struct book *book, struct accounts *accounts)
{
    *accounts = (struct accounts){.items = NULL};
    pthread_mutex_lock(&book->lock);
    bool complete = add_all(accounts, book->ledgers);
    pthread_mutex_unlock(&book->lock);
    if (!complete)
        accounts_free(accounts);
    return complete;
}

void accounts_free(struct accounts *accounts)
{
    for (size_t i = 0; i < accounts->count; i++) {
        free(accounts->items[i].name);
        free(accounts->items[i].version);
        usage_sum_free(&accounts->items[i].sum);
    }
    free(accounts->items);
    *accounts = (struct accounts){.items = NULL};
}
