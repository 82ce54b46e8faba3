/* load: a network with rows and the answers to them, and clients that ask for them. */
#ifndef RELUD_TEST_LOAD_H
#define RELUD_TEST_LOAD_H

#include <pthread.h>
#include <stdatomic.h>

#include "scene.h"

/* Rows of one model and what it answers to each. */
struct quiz {
    const char *path; /* "/infer?model=…" */
    size_t features, outputs, rows;
    float *x; /* owned: [rows, features] */
    float *y; /* owned: [rows, outputs], once quiz_learn() has asked */
};

/* Random rows, a third of them zero, as after a relu. */
void quiz_init(struct quiz *quiz, const char *path, size_t features, size_t outputs, size_t rows);
void quiz_free(struct quiz *quiz);

/* Asks for every row alone; these answers are the reference. */
void quiz_learn(struct quiz *quiz, const struct daemon *daemon);

/* The request for count rows from first on, raw or as JSON; the body belongs to the caller. */
struct request quiz_request(const struct quiz *quiz, size_t first, size_t count, bool raw);

/* Whether reply answers it, bit for bit. */
bool quiz_is_right(const struct quiz *quiz, size_t first, size_t count, bool raw,
                   const struct reply *reply);

/* A client in a thread of its own: random rows, 1 to most of them, raw and JSON in turn, over one
 * connection, until it has asked so often or stop is set. */
struct asker {
    pthread_t thread;
    unsigned port;
    const struct quiz *quiz;
    size_t most, times;
    uint64_t seed;
    _Atomic bool *stop;         /* NULL for none */
    size_t right, wrong, other; /* answers: other than 200, or none */
    size_t batched;             /* answers that were computed together with others */
    char first_wrong[256];
};

void asker_start(struct asker *asker);
void asker_join(struct asker *asker);

#endif
