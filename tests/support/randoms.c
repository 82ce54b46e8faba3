#include "randoms.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

static const float nasty[] = {
    0.0f,     -0.0f,   0x1p-149f, -0x1p-149f, 0x1.fffffcp-127f, -0x1p-130f,
    FLT_MIN,  FLT_MAX, -FLT_MAX,  0x1p-75f,   -0x1p-75f,        0x1p64f,
    -0x1p63f, 1.0f,    NAN,       -NAN,       INFINITY,         -INFINITY,
};

enum {
    NASTY_COUNT = sizeof nasty / sizeof nasty[0],
    NASTY_FINITE = NASTY_COUNT - 4,
    NASTY_SMALL = 6
};

uint64_t random_bits(struct randoms *random)
{
    random->state ^= random->state << 13;
    random->state ^= random->state >> 7;
    random->state ^= random->state << 17;
    return random->state;
}

size_t random_between(struct randoms *random, size_t low, size_t high)
{
    return low + (size_t)(random_bits(random) >> 16) % (high - low + 1);
}

float random_plain(struct randoms *random)
{
    return (float)((int64_t)random_bits(random) >> 39) * 0x1p-24f;
}

static float random_one(struct randoms *random, enum random_kind kind)
{
    size_t die = random_between(random, 0, 9);
    if (kind == RANDOM_SPARSE && die < 7)
        return die == 0 ? -0.0f : 0.0f;
    if (kind == RANDOM_SMALL && die < 3) { /* few denormals: processors are slow with them */
        bool zero = random_between(random, 0, 49) != 0;
        return nasty[random_between(random, 0, zero ? 1 : NASTY_SMALL - 1)];
    }
    if (kind == RANDOM_FINITE && die < 4)
        return nasty[random_between(random, 0, NASTY_FINITE - 1)];
    if (kind == RANDOM_WILD && die < 2)
        return nasty[random_between(random, 0, NASTY_COUNT - 1)];
    return random_plain(random);
}

void random_floats(struct randoms *random, enum random_kind kind, float *to, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = random_one(random, kind);
}

float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
