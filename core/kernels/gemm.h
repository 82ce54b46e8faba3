/* gemm: rows times one panel, in register tiles.
 *
 * A tile of VEC_TILE_ROWS x VEC_TILE_VECTORS accumulators stays in registers over a block of K;
 * what is left of rows and columns is a smaller tile of the same body. K is cut into blocks so that
 * a tile's weights stay in L2 while the rows pass over them: the fp32 partial is stored and
 * continued, so the chain is one whatever the block. */
#ifndef RELUD_GEMM_H
#define RELUD_GEMM_H

#include "epilogue.h"

enum {
    GEMM_K_BLOCK = 512,
    GEMM_K_STEP = 16, /* inputs between two looks ahead */
    GEMM_NEAR = 8,    /* inputs whose weights are brought from L2 early */
    GEMM_ALONE = 8,   /* rows of a tile of one vector */
    GEMM_EVEN = 14,   /* such rows whose inputs lie evenly */
    GEMM_HOT = 4096   /* floats of inputs after which outputs still are in L1 */
};

/* A register tile's inputs are numbers [first, first + count) of each of so many parts. */
struct gemm_tile {
    const float *const *x; /* of the tile's rows */
    const ptrdiff_t *at;   /* [parts] */
    size_t parts, first, count;
    const float *weights; /* of the tile's first column */
    size_t weights_stride;
    const float *bias; /* NULL: continue the partial in y */
    int last;          /* end the chain */
    float *y;
    size_t y_stride;
    const float *ahead; /* weights of the next block, to be brought into L2 while this one is
                           used: ahead_rows of them at every step */
    size_t ahead_rows;
    size_t step; /* inputs between two looks ahead; all of count when there is nothing to bring */
};

/* The loops over rows and vectors are unrolled whole, or their sums would live in memory. */
#define GEMM_EACH_ROW    _Pragma("GCC unroll 14") for (int r = 0; r < rows; r++)
#define GEMM_EACH_VECTOR _Pragma("GCC unroll 4") for (int v = 0; v < vectors; v++)

VEC_INLINE void gemm_look_ahead(const int vectors, const struct gemm_tile *t, size_t step)
{
    const float *ahead = t->ahead + step * t->ahead_rows * t->weights_stride;
    for (size_t i = 0; i < t->ahead_rows; i++, ahead += t->weights_stride)
        GEMM_EACH_VECTOR
    __builtin_prefetch(ahead + v * VEC_LANES, 0, 2);
}

/* apart: floats from one row's inputs to the next one's; 0: anywhere. */
VEC_INLINE void gemm_tile(const int rows, const int vectors, const int apart,
                          const struct gemm_tile *t)
{
    vf sum[GEMM_EVEN][VEC_TILE_VECTORS];
    float *const y = t->y;
    const size_t y_stride = t->y_stride;
    GEMM_EACH_ROW
    GEMM_EACH_VECTOR
    sum[r][v] = vf_load((t->bias ? t->bias : y + (size_t)r * y_stride) + v * VEC_LANES);
    const float *weights = t->weights;
    for (size_t part = 0, step = 0; part < t->parts; part++) {
        const float *x[GEMM_EVEN];
        vec_forget();
        GEMM_EACH_ROW
        x[r] = t->x[r] + t->at[part] + t->first;
        const size_t most = vectors > 1 ? t->step : t->count;
        for (size_t first = 0; first < t->count; first += most, step++) {
            const size_t end = t->count - first < most ? t->count : first + most;
            if (vectors > 1) {
                vec_forget();
                gemm_look_ahead(vectors, t, step);
            }
            for (size_t k = first; k < end; k++, weights += t->weights_stride) {
                vf w[VEC_TILE_VECTORS];
                GEMM_EACH_VECTOR
                {
                    w[v] = vf_load(weights + v * VEC_LANES);
                    if (vectors > 1) /* one alone waits for its inputs, not for its weights */
                        __builtin_prefetch(weights + GEMM_NEAR * t->weights_stride + v * VEC_LANES);
                }
                const float *const first_row = vec_pointer(x[0] + k);
                GEMM_EACH_ROW
                {
                    const vf number = vf_set1(apart ? first_row[r * apart] : x[r][k]);
                    GEMM_EACH_VECTOR
                    sum[r][v] = vf_fma(number, w[v], sum[r][v]);
                }
            }
        }
    }
    if (t->last)
        GEMM_EACH_ROW
    GEMM_EACH_VECTOR
    sum[r][v] += vf_set1(0.0f);
    GEMM_EACH_ROW
    GEMM_EACH_VECTOR
    vf_store(y + (size_t)r * y_stride + v * VEC_LANES, sum[r][v]);
}

typedef void gemm_run(int vectors, const struct gemm_tile *t);

#define GEMM_TILE(rows)                                                                            \
    static __attribute__((noinline)) void gemm_tile_##rows(int vectors, const struct gemm_tile *t) \
    {                                                                                              \
        if (vectors == VEC_TILE_VECTORS)                                                           \
            gemm_tile(rows, VEC_TILE_VECTORS, 0, t);                                               \
        else if (vectors == 2)                                                                     \
            gemm_tile(rows, 2, 0, t);                                                              \
        else                                                                                       \
            gemm_tile(rows, VEC_TILE_VECTORS > 2 ? 3 : 2, 0, t);                                   \
    }
GEMM_TILE(1)
GEMM_TILE(2)
GEMM_TILE(3)
GEMM_TILE(4)
#if VEC_TILE_ROWS > 4
GEMM_TILE(5)
GEMM_TILE(6)
#endif

static gemm_run *const gemm_tiles[VEC_TILE_ROWS] = {
    gemm_tile_1, gemm_tile_2, gemm_tile_3, gemm_tile_4,
#if VEC_TILE_ROWS > 4
    gemm_tile_5, gemm_tile_6,
#endif
};

/* A panel's width is a multiple of 16: only vectors that wide can be alone. */
#if VEC_LANES == 16

/* Two grey pixels side by side share a vector where there are eight outputs at most: output c of
 * the first is in lane 2 c, that of the second beside it. The chains are whole. */
VEC_INLINE void gemm_tile_pairs(const int rows, const struct gemm_tile *t)
{
    vf sum[GEMM_EVEN];
    const float *weights = t->weights;
    GEMM_EACH_ROW
    sum[r] = vf_doubled(vf_load(t->bias));
    for (size_t part = 0; part < t->parts; part++) {
        const float *x = t->x[0] + t->at[part] + t->first;
        for (size_t k = 0; k < t->count; k++, weights += t->weights_stride) {
            const float *const pixels = vec_pointer(x + k);
            const vf w = vf_doubled(vf_load(weights));
            GEMM_EACH_ROW
            sum[r] = vf_fma(vf_pairs(pixels + 2 * r), w, sum[r]);
        }
    }
    float *const y = t->y;
    const size_t y_stride = t->y_stride;
    GEMM_EACH_ROW
    vf_store_apart(y + (size_t)(2 * r) * y_stride, y + (size_t)(2 * r + 1) * y_stride,
                   sum[r] + vf_set1(0.0f));
}

/* One vector alone leaves room for more rows, and needs them to hide the latency. Rows that lie
 * evenly take one pointer together: the distances of grey and of coloured pixels and of sixteen
 * channels are constants in the instructions. */
enum { PAIRS = -1 };

VEC_INLINE void gemm_tile_alone(const int rows, const int apart, const struct gemm_tile *t)
{
    if (apart == PAIRS)
        gemm_tile_pairs(rows, t);
    else
        gemm_tile(rows, 1, apart, t);
}

#define GEMM_LOW(each, apart)                                                                 \
    each(apart, 1) each(apart, 2) each(apart, 3) each(apart, 4) each(apart, 5) each(apart, 6) \
        each(apart, 7) each(apart, 8)
#define GEMM_HIGH(each, apart) \
    each(apart, 9) each(apart, 10) each(apart, 11) each(apart, 12) each(apart, 13) each(apart, 14)
#define GEMM_ALONE_FUNCTION(apart, rows)                                                         \
    static __attribute__((noinline)) void gemm_alone_##apart##_##rows(int vectors,               \
                                                                      const struct gemm_tile *t) \
    {                                                                                            \
        (void)vectors;                                                                           \
        gemm_tile_alone(rows, apart, t);                                                         \
    }
#define GEMM_ALONE_NAME(apart, rows) gemm_alone_##apart##_##rows,
#define GEMM_EVENLY(apart)                                   \
    GEMM_LOW(GEMM_ALONE_FUNCTION, apart)                     \
    GEMM_HIGH(GEMM_ALONE_FUNCTION, apart)                    \
    static gemm_run *const gemm_alone_##apart[GEMM_EVEN] = { \
        GEMM_LOW(GEMM_ALONE_NAME, apart) GEMM_HIGH(GEMM_ALONE_NAME, apart)};
GEMM_LOW(GEMM_ALONE_FUNCTION, 0)
static gemm_run *const gemm_alone_0[GEMM_ALONE] = {GEMM_LOW(GEMM_ALONE_NAME, 0)};
GEMM_EVENLY(1)
GEMM_EVENLY(3)
GEMM_EVENLY(16)
GEMM_EVENLY(PAIRS)

#endif

/* How a column of tiles is cut: line by line, into as few tiles of most rows as it takes. */
struct gemm_cut {
    gemm_run *const *tiles; /* [most], that of r rows at r - 1 */
    size_t line, most;
    size_t each; /* a row of a tile is so many of the view's */
};

#if VEC_LANES == 16
static struct gemm_cut gemm_cut_alone(const struct gemm *g)
{
    const struct view *x = &g->x;
    const bool pairs = x->line % 2 == 0 && x->line >= 2 * VEC_TILE_ROWS &&
                       g->columns <= VEC_LANES / 2 && g->k <= GEMM_K_BLOCK;
    switch (x->line >= VEC_TILE_ROWS ? x->apart : 0) {
    case 1:
        return pairs ? (struct gemm_cut){gemm_alone_PAIRS, x->line / 2, GEMM_EVEN, 2}
                     : (struct gemm_cut){gemm_alone_1, x->line, GEMM_EVEN, 1};
    case 3:
        return (struct gemm_cut){gemm_alone_3, x->line, GEMM_EVEN, 1};
    case 16:
        return (struct gemm_cut){gemm_alone_16, x->line, GEMM_EVEN, 1};
    default:
        return (struct gemm_cut){gemm_alone_0, x->rows, GEMM_ALONE, 1};
    }
}
#endif

static struct gemm_cut gemm_cut(const struct gemm *g, int vectors)
{
#if VEC_LANES == 16
    if (vectors == 1)
        return gemm_cut_alone(g);
#endif
    (void)vectors;
    return (struct gemm_cut){gemm_tiles, g->x.rows, VEC_TILE_ROWS, 1};
}

/* A block of K in one column of tiles: all rows, shared out evenly so that no tile is much smaller
 * than another. */
static void gemm_rows(const struct gemm *g, size_t column, int vectors, struct gemm_tile tile)
{
    const struct gemm_cut cut = gemm_cut(g, vectors);
    const size_t rows = g->x.rows, in_line = (cut.line + cut.most - 1) / cut.most;
    const size_t least = cut.line / in_line, higher = cut.line % in_line;
    const size_t tiles = rows / (cut.line * cut.each) * in_line;
    tile.step = g->streams ? GEMM_K_STEP : tile.count;
    const size_t steps = tile.parts * ((tile.count + tile.step - 1) / tile.step);
    tile.ahead_rows =
        g->streams ? (tile.parts * tile.count + tiles * steps - 1) / (tiles * steps) : 0;
    for (size_t i = 0, row = 0, finished = 0; row < rows; i = i + 1 < in_line ? i + 1 : 0) {
        const size_t height = least + (i < higher), passed = height * cut.each;
        row += passed;
        cut.tiles[height - 1](vectors, &tile);
        if (tile.last && g->epilogue &&
            (row == rows || (row - finished) * g->k >= GEMM_HOT ||
             row - finished + cut.most * cut.each > EPILOGUE_ROWS)) {
            finish_tile(g->epilogue, finished, row - finished, column, (size_t)vectors * VEC_LANES,
                        g->y, g->y_stride);
            finished = row;
        }
        tile.x += passed;
        tile.y += passed * tile.y_stride;
        tile.ahead += steps * tile.ahead_rows * tile.weights_stride;
    }
}

/* The next block of K: a piece of one part, or several whole ones. False when there is none. */
static int next_block(const struct view *x, struct gemm_tile *tile)
{
    if (tile->first + tile->count < x->length) {
        tile->first += tile->count;
    } else {
        tile->at += tile->parts;
        tile->first = 0;
    }
    const size_t left = x->taps - (size_t)(tile->at - x->at), rest = x->length - tile->first;
    const size_t most = x->length < GEMM_K_BLOCK ? GEMM_K_BLOCK / x->length : 1;
    tile->count = rest < GEMM_K_BLOCK ? rest : GEMM_K_BLOCK;
    tile->parts = left < most ? left : most;
    return left > 0;
}

/* All rows, and the columns of one register tile. */
static void gemm_column(const struct gemm *g, size_t column, int vectors)
{
    const size_t end = column + (size_t)vectors * VEC_LANES;
    const float *const next_column = g->panel + (end < g->width ? end : g->k * g->width);
    struct gemm_tile tile = {.x = g->x.x,
                             .at = g->x.at,
                             .weights = g->panel + column,
                             .weights_stride = g->width,
                             .bias = g->bias + column,
                             .y = g->y + column,
                             .y_stride = g->y_stride};
    for (size_t done = 0; next_block(&g->x, &tile); tile.bias = NULL) {
        const size_t block = tile.parts * tile.count;
        done += block;
        tile.last = done == g->k;
        tile.ahead = tile.last ? next_column : tile.weights + block * g->width;
        gemm_rows(g, column, vectors, tile);
        tile.weights += block * g->width;
    }
}

static void gemm(const struct gemm *g)
{
    const size_t step = VEC_TILE_VECTORS * VEC_LANES;
    for (size_t c = 0; c < g->width; c += step)
        gemm_column(g, c, (int)((g->width - c < step ? g->width - c : step) / VEC_LANES));
}

#endif
