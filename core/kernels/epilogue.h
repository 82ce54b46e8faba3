/* epilogue: what happens to pre-activations on their way to being outputs: a residual is added, the
 * activation applied, its units counted. */
#ifndef RELUD_EPILOGUE_H
#define RELUD_EPILOGUE_H

#include "eltwise.h"
#include "pool.h"

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
 * sum, where there is one, which was finite before; in poison otherwise. */
struct column_counts {
    vi active, low, high;
    vf max;
    vf poison;
    vd sum, magnitude;
};

/* tailed, full, magnitude: constants, as in activate_columns. */
VEC_INLINE struct column_counts load_counts(const int tailed, const int full, const int magnitude,
                                            const struct tally *tally, size_t j)
{
    struct column_counts counts = {.poison = vf_set1(0.0f)};
    memcpy(&counts.active, tally->active + j, sizeof counts.active);
    if (tailed) {
        memcpy(&counts.low, tally->low + j, sizeof counts.low);
        memcpy(&counts.high, tally->high + j, sizeof counts.high);
    }
    if (full) {
        counts.max = vf_load(tally->max + j);
        counts.sum = vd_load(tally->sum + j);
    }
    if (magnitude)
        counts.magnitude = vd_load(tally->magnitude + j);
    return counts;
}

VEC_INLINE void store_counts(const int tailed, const int full, const int magnitude,
                             const struct activate_tile *t, size_t j,
                             const struct column_counts *counts)
{
    memcpy(t->tally.active + j, &counts->active, sizeof counts->active);
    if (tailed) {
        memcpy(t->tally.low + j, &counts->low, sizeof counts->low);
        memcpy(t->tally.high + j, &counts->high, sizeof counts->high);
    }
    if (full)
        vf_store(t->tally.max + j, counts->max);
    const int rare = full ? !vd_all_finite(counts->sum) : vf_any_nan(counts->poison);
    if (__builtin_expect(rare, 0)) {
        recount_finite(t, j);
        return;
    }
    if (full)
        vd_store(t->tally.sum + j, counts->sum);
    if (magnitude)
        vd_store(t->tally.magnitude + j, counts->magnitude);
}

/* tailed, counted, full, magnitude: constants, so that each combination is a loop of its own. */
VEC_INLINE void activate_columns(const enum activation_type type, const int tailed,
                                 const int counted, const int full, const int magnitude,
                                 const struct activate_tile *tile)
{
    const struct activate_tile t =
        *tile; /* its own copy: the bytes of bits alias everything else */
    const vf zero = vf_set1(0.0f), b = vf_set1(t.constants[1]), threshold = vf_set1(t.threshold);
    const vf low = vf_set1(t.tails.low), high = vf_set1(t.tails.high);
    for (size_t j = 0; j < t.width; j += VEC_LANES) {
        const vf a = t.slope ? vf_load(t.slope + j) : vf_set1(t.constants[0]);
        struct column_counts counts;
        if (counted)
            counts = load_counts(tailed, full, magnitude, &t.tally, j);
        for (size_t r = 0; r < t.rows; r++) {
            float *y = t.y + r * t.y_stride + j;
            const vf z = vf_load(y);
            const vf h = activation_vector(type, a, b, z);
            const vf reach = type == ACTIVATION_crelu ? vf_abs(z) : z;
            const vm active = vf_greater(reach, threshold);
            vf_store(y, h);
            if (t.bits)
                vm_store_bits(t.bits + r * t.bits_stride + j / 8, active);
            if (!counted)
                continue;
            counts.active = vm_count(counts.active, active);
            if (tailed) {
                counts.low = vm_count(counts.low, vf_greater(low, z));
                counts.high = vm_count(counts.high, vf_greater(z, high));
            }
            if (full) {
                counts.max = vf_max(z, counts.max);
                counts.sum = vd_add(counts.sum, h);
            } else {
                counts.poison = vf_fma(h, zero, counts.poison);
            }
            if (magnitude)
                counts.magnitude = vd_add(counts.magnitude, vf_abs(h));
        }
        if (counted)
            store_counts(tailed, full, magnitude, tile, j, &counts);
    }
}

VEC_INLINE void activate_level(const enum activation_type type, const enum activation_trait trait,
                               const struct activate_tile *tile)
{
    const int tailed = trait == CAPPED || trait == SATURATING;
    if (!tile->tally.active)
        activate_columns(type, 0, 0, 0, 0, tile);
    else if (!tile->tally.max)
        activate_columns(type, tailed, 1, 0, 0, tile);
    else if (!tile->tally.magnitude)
        activate_columns(type, tailed, 1, 1, 0, tile);
    else
        activate_columns(type, tailed, 1, 1, 1, tile);
}

/* The tile of a layer that begins at its unit 0; rows, columns and bits are still to be set. */
static struct activate_tile activate_open(const struct activation *activation,
                                          const struct tally *tally)
{
    struct activate_tile tile = {.slope = activation->slope,
                                 .threshold = activation_threshold(activation),
                                 .tails = activation_tails(activation),
                                 .tally = tally ? *tally : (struct tally){.active = NULL}};
    activation_constants(activation, tile.constants);
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

static void activate(const struct activation *activation, size_t first, size_t rows, size_t width,
                     float *y, size_t y_stride, uint8_t *bits, size_t bits_stride,
                     const struct tally *tally)
{
    struct activate_tile tile = activate_open(activation, tally);
    activate_shift(&tile, first);
    tile.rows = rows;
    tile.width = width;
    tile.y = y;
    tile.y_stride = y_stride;
    tile.bits = bits;
    tile.bits_stride = bits_stride;
    activate_as(activation->type, &tile);
}

/* The epilogue of rows [row, row + rows) and columns [column, column + width) of g's y, which are
 * still in the first cache; layer is what activate_open() gave. */
static void finish_tile(const struct gemm *g, const struct activate_tile *layer, size_t row,
                        size_t rows, size_t column, size_t width)
{
    const struct epilogue *e = g->epilogue;
    float *y = g->y + row * g->y_stride + column;
    for (size_t r = 0; e->residual && r < rows; r++)
        add(width, y + r * g->y_stride, e->residual + (row + r) * e->residual_stride + column,
            y + r * g->y_stride);
    if (!e->activation)
        return;
    struct activate_tile tile = *layer;
    activate_shift(&tile, e->first + column);
    tile.rows = rows;
    tile.width = width;
    tile.y = y;
    tile.y_stride = g->y_stride;
    tile.bits = e->bits ? e->bits + row * e->bits_stride + column / 8 : NULL;
    tile.bits_stride = e->bits_stride;
    activate_as(e->activation->type, &tile);
}

#endif
