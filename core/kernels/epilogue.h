/* epilogue: what happens to pre-activations on their way to being outputs: a residual is added, the
 * activation applied, its units counted. */
#ifndef RELUD_EPILOGUE_H
#define RELUD_EPILOGUE_H

#include "eltwise.h"
#include "pool.h"

/* Rows that are finished together: their outputs stay in L1, and what is done once for all of them
 * costs little. */
enum { EPILOGUE_ROWS = 32 };

/* Some rows and columns of a layer, in the epilogue. */
struct activate_tile {
    size_t rows, width;
    float *y;
    size_t y_stride;
    uint8_t *bits; /* NULL for none */
    size_t bits_stride;
    const float *slope; /* of column 0; NULL: constants[0] is everyone's */
    float constants[2], threshold;
    struct activation_tails tails;
    bool one_row;       /* as in struct epilogue */
    struct tally tally; /* already at column 0; .active NULL for none */
};

/* Adds the outputs of columns [j, j + VEC_LANES) again, leaving out what is not finite; the rare
 * case. */
static __attribute__((noinline)) void recount_finite(const struct activate_tile *t, size_t j)
{
    for (size_t r = 0; r < t->rows; r++) {
        for (size_t i = j; i < j + VEC_LANES && i < t->tally.units; i++) {
            float h = t->y[r * t->y_stride + i];
            int finite = h - h == 0.0f;
            *t->tally.nonfinite += !finite;
            if (finite && t->tally.sum)
                t->tally.sum[i] += (double)h;
            if (finite && t->tally.magnitude)
                t->tally.magnitude[i] += (double)__builtin_fabsf(h);
        }
    }
}

/* What one vector of columns has counted over all rows. An output that is not finite shows in the
 * sum, where there is one, which was finite before; in poison otherwise, or where the sum of this
 * tile is apart. */
struct column_counts {
    vi active, low, high;
    vf max;
    vf poison;
    vd sum, magnitude;
};

/* What an epilogue does, as constants, so that each combination is a loop of its own. */
struct counted {
    int any, low, high, full, magnitude;
    int one_row; /* the outputs of the tile are first added as floats */
};

VEC_INLINE struct column_counts load_counts(const struct counted c, const struct tally *tally,
                                            size_t j)
{
    struct column_counts counts = {.poison = vf_set1(0.0f), .max = vf_set1(-__builtin_inff())};
    memcpy(&counts.active, tally->active + j, sizeof counts.active);
    if (c.low)
        memcpy(&counts.low, tally->low + j, sizeof counts.low);
    if (c.high)
        memcpy(&counts.high, tally->high + j, sizeof counts.high);
    if (c.full) {
        counts.max = vf_load(tally->max + j);
        counts.sum = vd_load(tally->sum + j);
    }
    if (c.magnitude)
        counts.magnitude = vd_load(tally->magnitude + j);
    return counts;
}

VEC_INLINE void store_counts(const struct counted c, const struct activate_tile *t, size_t j,
                             const struct column_counts *counts)
{
    memcpy(t->tally.active + j, &counts->active, sizeof counts->active);
    if (c.low)
        memcpy(t->tally.low + j, &counts->low, sizeof counts->low);
    if (c.high)
        memcpy(t->tally.high + j, &counts->high, sizeof counts->high);
    if (c.full)
        vf_store(t->tally.max + j, counts->max);
    const int rare =
        c.full && !c.one_row ? !vd_all_finite(counts->sum) : vf_any_nan(counts->poison);
    if (__builtin_expect(rare, 0)) {
        recount_finite(t, j);
        return;
    }
    if (c.full)
        vd_store(t->tally.sum + j, counts->sum);
    if (c.magnitude)
        vd_store(t->tally.magnitude + j, counts->magnitude);
}

/* What the rows of a tile have in common. */
struct column_rule {
    vf a, b, threshold, low, high;
};

/* One vector of columns, all rows. */
VEC_INLINE void activate_column(const enum activation_type type, const struct counted c,
                                const struct activate_tile *t, size_t j,
                                const struct column_rule *rule)
{
    const vf zero = vf_set1(0.0f);
    struct column_counts counts;
    vf sum = zero, magnitude = zero;
    if (c.any)
        counts = load_counts(c, &t->tally, j);
    for (size_t r = 0; r < t->rows; r++) {
        float *y = t->y + r * t->y_stride + j;
        const vf z = vf_load(y);
        const vf h = activation_vector(type, rule->a, rule->b, z);
        const vf reach = type == ACTIVATION_crelu ? vf_abs(z) : z;
        const vm active = vf_greater(reach, rule->threshold);
        vf_store(y, h);
        if (t->bits)
            vm_store_bits(t->bits + r * t->bits_stride + j / 8, active);
        if (!c.any)
            continue;
        counts.active = vm_count(counts.active, active);
        if (c.low)
            counts.low = vm_count(counts.low, vf_greater(rule->low, z));
        if (c.high)
            counts.high = vm_count(counts.high, vf_greater(z, rule->high));
        if (c.full)
            counts.max = vf_max(z, counts.max);
        if (!c.full)
            counts.poison = vf_fma(h, zero, counts.poison);
        if (c.full && c.one_row)
            sum += h;
        else if (c.full)
            counts.sum = vd_add(counts.sum, h);
        if (c.magnitude && c.one_row)
            magnitude += vf_abs(h);
        else if (c.magnitude)
            counts.magnitude = vd_add(counts.magnitude, vf_abs(h));
    }
    if (c.full && c.one_row) {
        counts.sum = vd_add(counts.sum, sum);
        counts.poison = sum - sum;
    }
    if (c.magnitude && c.one_row)
        counts.magnitude = vd_add(counts.magnitude, magnitude);
    if (c.any)
        store_counts(c, t, j, &counts);
}

VEC_INLINE void activate_columns(const enum activation_type type, const struct counted c,
                                 const struct activate_tile *tile)
{
    const struct activate_tile t =
        *tile; /* its own copy: the bytes of bits alias everything else */
    struct column_rule rule = {vf_set1(t.constants[0]), vf_set1(t.constants[1]),
                               vf_set1(t.threshold), vf_set1(t.tails.low), vf_set1(t.tails.high)};
    for (size_t j = 0; j < t.width; j += VEC_LANES) {
        if (t.slope)
            rule.a = vf_load(t.slope + j);
        activate_column(type, c, &t, j, &rule);
    }
}

VEC_INLINE void activate_level(const enum activation_type type, const enum activation_trait trait,
                               const struct activate_tile *tile)
{
    const int low = trait == SATURATING, high = low || trait == CAPPED;
    if (!tile->tally.active)
        activate_columns(type, (struct counted){0}, tile);
    else if (!tile->tally.max)
        activate_columns(type, (struct counted){1, low, high, 0, 0, 0}, tile);
    else if (!tile->tally.magnitude && tile->one_row)
        activate_columns(type, (struct counted){1, low, high, 1, 0, 1}, tile);
    else if (!tile->tally.magnitude)
        activate_columns(type, (struct counted){1, low, high, 1, 0, 0}, tile);
    else if (tile->one_row)
        activate_columns(type, (struct counted){1, low, high, 1, 1, 1}, tile);
    else
        activate_columns(type, (struct counted){1, low, high, 1, 1, 0}, tile);
}

/* The tile of a layer that begins at its unit 0; rows, columns and bits are still to be set. */
static struct activate_tile activate_open(const struct epilogue *e)
{
    if (!e || !e->activation)
        return (struct activate_tile){.y = NULL};
    struct activate_tile tile = {.slope = e->activation->slope,
                                 .threshold = activation_threshold(e->activation),
                                 .tails = activation_tails(e->activation),
                                 .one_row = e->one_row,
                                 .tally = e->tally ? *e->tally : (struct tally){.active = NULL}};
    activation_constants(e->activation, tile.constants);
    return tile;
}

/* Moves a tile's arrays of units on by so many. */
VEC_INLINE void activate_shift(struct activate_tile *tile, size_t units)
{
    struct tally *tally = &tile->tally;
    tile->slope += tile->slope ? units : 0;
    tally->units -= units;
    tally->active += tally->active ? units : 0;
    tally->low += tally->low ? units : 0;
    tally->high += tally->high ? units : 0;
    tally->sum += tally->sum ? units : 0;
    tally->magnitude += tally->magnitude ? units : 0;
    tally->max += tally->max ? units : 0;
}

static void activate_as(enum activation_type type, const struct activate_tile *tile)
{
    switch (type) {
#define ACTIVATION(name, onnx_op, trait, first, first_default, second, second_default, ulps) \
    case ACTIVATION_##name:                                                                  \
        activate_level(ACTIVATION_##name, trait, tile);                                      \
        break;
#include "activation.def"
#undef ACTIVATION
    case ACTIVATION_COUNT:
        break;
    }
}

/* The epilogue e of rows [row, row + rows) and columns [column, column + width) of y, which are
 * still in the first cache; layer is what activate_open() gave. */
static void finish_tile(const struct epilogue *e, const struct activate_tile *layer, size_t row,
                        size_t rows, size_t column, size_t width, float *y, size_t y_stride)
{
    y += row * y_stride + column;
    for (size_t r = 0; e->residual && r < rows; r++)
        add(width, y + r * y_stride, e->residual + (row + r) * e->residual_stride + column,
            y + r * y_stride);
    if (!e->activation)
        return;
    struct activate_tile tile = *layer;
    activate_shift(&tile, e->first + column);
    tile.rows = rows;
    tile.width = width;
    tile.y = y;
    tile.y_stride = y_stride;
    tile.bits = e->bits ? e->bits + row * e->bits_stride + column / 8 : NULL;
    tile.bits_stride = e->bits_stride;
    activate_as(e->activation->type, &tile);
}

static void activate(const struct epilogue *e, size_t rows, size_t width, float *y, size_t y_stride)
{
    const struct activate_tile layer = activate_open(e);
    for (size_t row = 0, some; row < rows; row += some) {
        some = rows - row < EPILOGUE_ROWS ? rows - row : EPILOGUE_ROWS;
        finish_tile(e, &layer, row, some, 0, width, y, y_stride);
    }
}

static size_t fold(size_t units, size_t rows, const uint64_t *bits, size_t stride, uint64_t *any)
{
    size_t count = 0;
    for (size_t unit = 0; unit < units; unit += 64) {
        const uint64_t mask = units - unit < 64 ? ~(UINT64_MAX << (units - unit)) : UINT64_MAX;
        uint64_t all = 0;
        for (size_t r = 0; r < rows; r++) {
            const uint64_t word = bits[r * stride + unit / 64] & mask;
            all |= word;
            count += (size_t)__builtin_popcountll(word);
        }
        any[unit / 64] = all;
    }
    return count;
}

#endif
