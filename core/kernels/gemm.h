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
    GEMM_NEAR = 8     /* inputs whose weights are brought from L2 early */
};

struct gemm_tile {
    size_t k; /* inputs of this block */
    const float *x;
    size_t x_stride;
    const float *weights; /* of the tile's first column */
    size_t weights_stride;
    const float *bias; /* NULL: continue the partial in y */
    int last;          /* end the chain */
    float *y;
    size_t y_stride;
    const float *ahead; /* weights of the next block, to be brought into L2 while this one is
                           used: ahead_rows of them at every step */
    size_t ahead_rows;
};

/* The loops over rows and vectors are unrolled whole, or their sums would live in memory. */
#define GEMM_EACH_ROW    _Pragma("GCC unroll 6") for (int r = 0; r < rows; r++)
#define GEMM_EACH_VECTOR _Pragma("GCC unroll 4") for (int v = 0; v < vectors; v++)

VEC_INLINE void gemm_look_ahead(const int vectors, const struct gemm_tile *t, size_t step)
{
    const float *ahead = t->ahead + step * t->ahead_rows * t->weights_stride;
    for (size_t i = 0; i < t->ahead_rows; i++, ahead += t->weights_stride)
        GEMM_EACH_VECTOR
    __builtin_prefetch(ahead + v * VEC_LANES, 0, 2);
}

VEC_INLINE void gemm_tile(const int rows, const int vectors, const struct gemm_tile *t)
{
    vf sum[VEC_TILE_ROWS][VEC_TILE_VECTORS];
    GEMM_EACH_ROW
    GEMM_EACH_VECTOR
    sum[r][v] =
        vf_load(t->bias ? t->bias + v * VEC_LANES : t->y + (size_t)r * t->y_stride + v * VEC_LANES);
    const float *weights = t->weights;
    for (size_t first = 0; first < t->k; first += GEMM_K_STEP) {
        const size_t end = t->k - first < GEMM_K_STEP ? t->k : first + GEMM_K_STEP;
        gemm_look_ahead(vectors, t, first / GEMM_K_STEP);
        for (size_t k = first; k < end; k++, weights += t->weights_stride) {
            vf w[VEC_TILE_VECTORS];
            GEMM_EACH_VECTOR
            {
                w[v] = vf_load(weights + v * VEC_LANES);
                __builtin_prefetch(weights + GEMM_NEAR * t->weights_stride + v * VEC_LANES);
            }
            GEMM_EACH_ROW
            {
                const vf x = vf_set1(t->x[(size_t)r * t->x_stride + k]);
                GEMM_EACH_VECTOR
                sum[r][v] = vf_fma(x, w[v], sum[r][v]);
            }
        }
    }
    if (t->last)
        GEMM_EACH_ROW
    GEMM_EACH_VECTOR
    sum[r][v] += vf_set1(0.0f);
    GEMM_EACH_ROW
    GEMM_EACH_VECTOR
    vf_store(t->y + (size_t)r * t->y_stride + v * VEC_LANES, sum[r][v]);
}

#define GEMM_TILE_ROWS(rows)                                                                       \
    static __attribute__((noinline)) void gemm_tile_##rows(int vectors, const struct gemm_tile *t) \
    {                                                                                              \
        if (vectors == VEC_TILE_VECTORS)                                                           \
            gemm_tile(rows, VEC_TILE_VECTORS, t);                                                  \
        else if (vectors == 1)                                                                     \
            gemm_tile(rows, 1, t);                                                                 \
        else if (vectors == 2)                                                                     \
            gemm_tile(rows, 2, t);                                                                 \
        else                                                                                       \
            gemm_tile(rows, VEC_TILE_VECTORS > 2 ? 3 : 2, t);                                      \
    }
GEMM_TILE_ROWS(1)
GEMM_TILE_ROWS(2)
GEMM_TILE_ROWS(3)
GEMM_TILE_ROWS(4)
#if VEC_TILE_ROWS > 4
GEMM_TILE_ROWS(5)
GEMM_TILE_ROWS(6)
#endif

static void (*const gemm_tiles[VEC_TILE_ROWS])(int, const struct gemm_tile *) = {
    gemm_tile_1, gemm_tile_2, gemm_tile_3, gemm_tile_4,
#if VEC_TILE_ROWS > 4
    gemm_tile_5, gemm_tile_6,
#endif
};

/* A block of K in one column of tiles: all rows, shared out evenly so that no tile is much smaller
 * than another. */
static void gemm_rows(const struct gemm *g, const struct activate_tile *layer, size_t column,
                      int vectors, struct gemm_tile tile)
{
    const size_t tiles = (g->rows + VEC_TILE_ROWS - 1) / VEC_TILE_ROWS;
    const size_t steps = (tile.k + GEMM_K_STEP - 1) / GEMM_K_STEP;
    tile.ahead_rows = g->streams ? (tile.k + tiles * steps - 1) / (tiles * steps) : 0;
    for (size_t i = 0, row = 0, height; i < tiles; i++, row += height) {
        height = g->rows / tiles + (i < g->rows % tiles);
        gemm_tiles[height - 1](vectors, &tile);
        if (tile.last && g->epilogue)
            finish_tile(g, layer, row, height, column, (size_t)vectors * VEC_LANES);
        tile.x += height * tile.x_stride;
        tile.y += height * tile.y_stride;
        tile.ahead += steps * tile.ahead_rows * tile.weights_stride;
    }
}

static void gemm(const struct gemm *g)
{
    const size_t step = VEC_TILE_VECTORS * VEC_LANES, width = g->width;
    const struct epilogue *e = g->epilogue;
    struct activate_tile layer;
    if (e && e->activation)
        layer = activate_open(e->activation, e->tally);
    for (size_t c = 0; c < width; c += step) {
        const int vectors = (int)((width - c < step ? width - c : step) / VEC_LANES);
        const float *next_column = g->panel + (c + step < width ? c + step : g->k * width);
        for (size_t done = 0, block; done < g->k; done += block) {
            block = g->k - done < GEMM_K_BLOCK ? g->k - done : GEMM_K_BLOCK;
            const float *weights = g->panel + done * width + c;
            const int last = done + block == g->k;
            gemm_rows(g, &layer, c, vectors,
                      (struct gemm_tile){.k = block,
                                         .x = g->x + done,
                                         .x_stride = g->x_stride,
                                         .weights = weights,
                                         .weights_stride = width,
                                         .bias = done == 0 ? g->bias + c : NULL,
                                         .last = last,
                                         .y = g->y + c,
                                         .y_stride = g->y_stride,
                                         .ahead = last ? next_column : weights + block * width});
        }
    }
}

#endif
