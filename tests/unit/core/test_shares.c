#include "shares.h"

#include <criterion/criterion.h>
#include <pthread.h>

enum { PIECES_MAX = 1000, WORKERS = 4 };

static struct share list[WORKERS];

/* Takes every piece as worker until there is none, counting them. */
static size_t take_all(struct shares *shares, size_t worker, unsigned *taken)
{
    size_t count = 0;
    for (size_t piece; shares_take(shares, worker, &piece); count++)
        taken[piece]++;
    return count;
}

Test(shares, each_piece_is_taken_once_whoever_takes)
{
    struct shares shares = {.list = list};
    for (size_t pieces = 0; pieces < 40; pieces++)
        for (size_t count = 1; count <= WORKERS; count++)
            for (size_t worker = 0; worker < count; worker++) {
                unsigned taken[40] = {0};
                shares_cut(&shares, pieces, count);
                cr_assert(shares_left(&shares) == (pieces > 0));
                cr_assert(take_all(&shares, worker, taken) == pieces);
                cr_assert(!shares_left(&shares));
                for (size_t i = 0; i < pieces; i++)
                    cr_assert(taken[i] == 1, "piece %zu of %zu: %u times", i, pieces, taken[i]);
            }
}

Test(shares, a_worker_begins_with_its_own_share)
{
    struct shares shares = {.list = list};
    size_t piece;
    shares_cut(&shares, 11, 3);
    const size_t firsts[] = {0, 3, 7, 11};
    for (size_t worker = 0; worker < 3; worker++)
        for (size_t expected = firsts[worker]; expected < firsts[worker + 1]; expected++)
            cr_assert(shares_take(&shares, worker, &piece) && piece == expected, "%zu", piece);
    cr_assert(!shares_take(&shares, 1, &piece));
}

Test(shares, what_is_kept_is_one_share)
{
    struct shares shares = {.list = list};
    unsigned taken[5] = {0};
    shares_keep(&shares, 5);
    cr_assert(shares.count == 1 && shares_left(&shares));
    cr_assert(take_all(&shares, 0, taken) == 5);
    cr_assert(!shares_left(&shares));
}

struct taker {
    struct shares *shares;
    size_t worker;
    unsigned taken[PIECES_MAX];
};

static void *take(void *argument)
{
    struct taker *taker = argument;
    take_all(taker->shares, taker->worker, taker->taken);
    return NULL;
}

Test(shares, threads_take_each_piece_once)
{
    struct shares shares = {.list = list};
    for (size_t round = 0; round < 100; round++) {
        struct taker takers[WORKERS] = {{.shares = NULL}};
        pthread_t threads[WORKERS];
        shares_cut(&shares, PIECES_MAX, WORKERS);
        for (size_t i = 0; i < WORKERS; i++) {
            takers[i].shares = &shares;
            takers[i].worker = i;
            cr_assert(pthread_create(&threads[i], NULL, take, &takers[i]) == 0);
        }
        for (size_t i = 0; i < WORKERS; i++)
            pthread_join(threads[i], NULL);
        for (size_t piece = 0; piece < PIECES_MAX; piece++) {
            unsigned times = 0;
            for (size_t i = 0; i < WORKERS; i++)
                times += takers[i].taken[piece];
            cr_assert(times == 1, "piece %zu: %u times", piece, times);
        }
    }
}
