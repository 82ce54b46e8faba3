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
    const struct epilogue *e;
    size_t unit; /* of column 0 */
    size_t rows, width;
    const float *z; /* pre-activations */
    size_t z_stride;
    float *y; /* outputs, in their place or elsewhere */
    size_t y_stride;
    uint8_t *bits; /* NULL for none */
    size_t bits_stride;
};

/* Adds the outputs of columns [j, j + VEC_LANES) again, leaving out what is not finite; the rare
 * case. */
static __attribute__((noinline)) void recount_finite(const struct activate_tile *t, size_t j)
{
    const struct tally *tally = t->e->tally;
    for (size_t r = 0; r < t->rows; r++) {
        for (size_t i = j, unit = t->unit + j; i < j + VEC_LANES && unit < tally->units;
             i++, unit++) {
            float h = t->y[r * t->y_stride + i];
            int finite = h - h == 0.0f;
            *tally->nonfinite += !finite;
            if (finite && tally->sum)
                tally->sum[unit] += (double)h;
            if (finite && tally->magnitude)
                tally->magnitude[unit] += (double)__builtin_fabsf(h);
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
    int alone;   /* there is but one row */
};

/* unit: of the vector's first column. */
VEC_INLINE struct column_counts load_counts(const struct counted c, const struct tally *tally,
                                            size_t unit)
{
    struct column_counts counts = {.poison = vf_set1(0.0f), .max = vf_set1(-__builtin_inff())};
    memcpy(&counts.active, tally->active + unit, sizeof counts.active);
    if (c.low)
        memcpy(&counts.low, tally->low + unit, sizeof counts.low);
    if (c.high)
        memcpy(&counts.high, tally->high + unit, sizeof counts.high);
    if (c.full) {
        counts.max = vf_load(tally->max + unit);
        counts.sum = vd_load(tally->sum + unit);
    }
    if (c.magnitude)
        counts.magnitude = vd_load(tally->magnitude + unit);
    return counts;
}

VEC_INLINE void store_counts(const struct counted c, const struct activate_tile *t, size_t j,
                             const struct column_counts *counts)
{
    const struct tally *tally = t->e->tally;
    const size_t unit = t->unit + j;
    memcpy(tally->active + unit, &counts->active, sizeof counts->active);
    if (c.low)
        memcpy(tally->low + unit, &counts->low, sizeof counts->low);
    if (c.high)
        memcpy(tally->high + unit, &counts->high, sizeof counts->high);
    if (c.full)
        vf_store(tally->max + unit, counts->max);
    const int rare =
        c.full && !c.one_row ? !vd_all_finite(counts->sum) : vf_any_nan(counts->poison);
    if (__builtin_expect(rare, 0)) {
        recount_finite(t, j);
        return;
    }
    if (c.full)
        vd_store(tally->sum + unit, counts->sum);
    if (c.magnitude)
        vd_store(tally->magnitude + unit, counts->magnitude);
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
    const float *from = t->z + j;
    float *to = t->y + j;
    uint8_t *bits = t->bits ? t->bits + j / 8 : NULL;
    const size_t rows = c.alone ? 1 : t->rows;
    const size_t z_stride = t->z_stride, y_stride = t->y_stride, bits_stride = t->bits_stride;
    struct column_counts counts = {.poison = zero};
    vf sum = zero, magnitude = zero;
    if (c.any)
        counts = load_counts(c, t->e->tally, t->unit + j);
    for (size_t r = 0; r < rows; r++) {
        const vf z = vf_load(from + r * z_stride);
        const vf h = activation_vector(type, rule->a, rule->b, z);
        const vf reach = type == ACTIVATION_crelu ? vf_abs(z) : z;
        const vm active = vf_greater(reach, rule->threshold);
        vf_store(to + r * y_stride, h);
        if (bits)
            vm_store_bits(bits + r * bits_stride, active);
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
                                 const struct activate_tile *t)
{
    const struct activation_rule *rule = t->e->rule;
    const float *slope = rule->slope ? rule->slope + t->unit : NULL;
    struct column_rule of = {vf_set1(rule->constants[0]), vf_set1(rule->constants[1]),
                             vf_set1(rule->threshold), vf_set1(rule->tails.low),
                             vf_set1(rule->tails.high)};
    for (size_t j = 0, width = t->width; j < width; j += VEC_LANES) {
        if (slope)
            of.a = vf_load(slope + j);
        activate_column(type, c, t, j, &of);
    }
}

VEC_INLINE void activate_level(const enum activation_type type, const enum activation_trait trait,
                               const struct activate_tile *tile)
{
    const int low = trait == SATURATING, high = low || trait == CAPPED;
    const struct tally *tally = tile->e->tally;
    const bool one_row = tile->e->one_row;
    if (!tally && tile->rows == 1)
        activate_columns(type, (struct counted){.alone = 1}, tile);
    else if (!tally)
        activate_columns(type, (struct counted){0}, tile);
    else if (!tally->max)
        activate_columns(type, (struct counted){1, low, high, 0, 0, 0, 0}, tile);
    else if (!tally->magnitude && one_row)
        activate_columns(type, (struct counted){1, low, high, 1, 0, 1, 0}, tile);
    else if (!tally->magnitude)
        activate_columns(type, (struct counted){1, low, high, 1, 0, 0, 0}, tile);
    else if (one_row)
        activate_columns(type, (struct counted){1, low, high, 1, 1, 1, 0}, tile);
    else
        activate_columns(type, (struct counted){1, low, high, 1, 1, 0, 0}, tile);
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
 * still in the first cache. */
static void finish_tile(const struct epilogue *e, size_t row, size_t rows, size_t column,
                        size_t width, float *y, size_t y_stride)
{
    y += row * y_stride + column;
    for (size_t r = 0; e->residual && r < rows; r++)
        add(width, y + r * y_stride, e->residual + (row + r) * e->residual_stride + column,
            y + r * y_stride);
    if (!e->rule)
        return;
    const size_t output_stride = e->output ? e->output_stride : y_stride;
    const struct activate_tile tile = {
        .e = e,
        .unit = e->first + column,
        .rows = rows,
        .width = width,
        .z = y,
        .z_stride = y_stride,
        .y = e->output ? e->output + row * output_stride + column : y,
        .y_stride = output_stride,
        .bits = e->bits ? e->bits + row * e->bits_stride + column / 8 : NULL,
        .bits_stride = e->bits_stride};
    activate_as(e->rule->type, &tile);
}

static void activate(const struct epilogue *e, size_t rows, size_t width, float *y, size_t y_stride)
{
    for (size_t row = 0, some; row < rows; row += some) {
        some = rows - row < EPILOGUE_ROWS ? rows - row : EPILOGUE_ROWS;
        finish_tile(e, row, some, 0, width, y, y_stride);
    }
}

/* The bits of a word's units from unit on. */
static uint64_t unit_mask(size_t units, size_t unit)
{
    return units - unit < 64 ? ~(UINT64_MAX << (units - unit)) : UINT64_MAX;
}

static void fold_word(uint64_t word, uint64_t *all, size_t *count)
{
    *all |= word;
    *count += (size_t)__builtin_popcountll(word);
}

/* Several rows lie in a word. */
static size_t fold_narrow(size_t units, size_t bytes, const uint8_t *bits, size_t stride,
                          uint64_t *any)
{
    uint64_t mask = unit_mask(units, 0), all = 0, word, last = 0;
    size_t count = 0, at = 0;
    for (size_t bit = 8 * stride; bit < 64; bit *= 2)
        mask |= mask << bit;
    for (; at + sizeof word <= bytes; at += sizeof word) {
        memcpy(&word, bits + at, sizeof word);
        fold_word(word & mask, &all, &count);
    }
    memcpy(&last, bits + at, bytes - at);
    fold_word(last & mask, &all, &count);
    for (size_t bit = 32; bit >= 8 * stride; bit /= 2)
        all |= all >> bit;
    *any = all & unit_mask(units, 0);
    return count;
}

static size_t fold(size_t units, size_t rows, const uint8_t *bits, size_t stride, uint64_t *any)
{
    size_t count = 0;
    if (stride < sizeof *any)
        return fold_narrow(units, rows * stride, bits, stride, any);
    for (size_t unit = 0; unit < units; unit += 64) {
        const uint64_t mask = unit_mask(units, unit);
        uint64_t all = 0, word;
        for (size_t r = 0; r < rows; r++) {
            memcpy(&word, bits + r * stride + unit / 8, sizeof word);
            fold_word(word & mask, &all, &count);
        }
        any[unit / 64] = all;
    }
    return count;
}

#endif
