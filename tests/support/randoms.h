/* randoms: repeatable random numbers for tests, plain and nasty. */
#ifndef RELUD_TESTS_RANDOMS_H
#define RELUD_TESTS_RANDOMS_H

#include <stddef.h>
#include <stdint.h>

/* xorshift64 (Marsaglia 2003); any state but 0. */
struct randoms {
    uint64_t state;
};

enum random_kind {
    RANDOM_PLAIN,  /* uniform in [-1, 1] */
    RANDOM_SPARSE, /* the same, but most are 0, some -0 */
    RANDOM_SMALL,  /* zeros of both signs and a few denormals among plain ones */
    RANDOM_FINITE, /* zeros, denormals, the smallest and largest numbers among plain ones */
    RANDOM_WILD    /* the same with NaN and infinities */
};

uint64_t random_bits(struct randoms *random);

/* Uniform in [low, high]. */
size_t random_between(struct randoms *random, size_t low, size_t high);

/* Uniform in [-1, 1]. */
float random_plain(struct randoms *random);

void random_floats(struct randoms *random, enum random_kind kind, float *to, size_t count);

float float_of_bits(uint32_t bits);

#endif
