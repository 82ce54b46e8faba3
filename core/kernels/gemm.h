/* gemm: rows times one panel, in register tiles.
 *
 * A tile of VEC_TILE_ROWS x VEC_TILE_VECTORS accumulators stays in registers over a block of K;
 * what is left of rows and columns is a smaller tile of the same body. K is cut into blocks so that
 * a tile's weights stay in L2 while the rows pass over them: the fp32 partial is stored and
 * continued, so the chain is one whatever the block. */
#ifndef RELUD_GEMM_H
#define RELUD_GEMM_H

#include "vec.h"

enum { GEMM_K_BLOCK = 512 };

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
};

VEC_INLINE void gemm_tile(const int rows, const int vectors, const struct gemm_tile *t)
{
    vf sum[VEC_TILE_ROWS][VEC_TILE_VECTORS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++)
            sum[r][v] = vf_load(t->bias ? t->bias + v * VEC_LANES
                                        : t->y + (size_t)r * t->y_stride + v * VEC_LANES);
    const float *weights = t->weights;
    for (size_t k = 0; k < t->k; k++, weights += t->weights_stride) {
        vf w[VEC_TILE_VECTORS];
        for (int v = 0; v < vectors; v++)
            w[v] = vf_load(weights + v * VEC_LANES);
        for (int r = 0; r < rows; r++) {
            const vf x = vf_set1(t->x[(size_t)r * t->x_stride + k]);
            for (int v = 0; v < vectors; v++)
                sum[r][v] = vf_fma(x, w[v], sum[r][v]);
        }
    }
    for (int r = 0; t->last && r < rows; r++)
        for (int v = 0; v < vectors; v++)
            sum[r][v] += vf_set1(0.0f);
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++)
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

/* One column of tiles: all rows, shared out evenly so that no tile is much smaller than another. */
static void gemm_rows(size_t rows, int vectors, struct gemm_tile tile)
{
    size_t tiles = (rows + VEC_TILE_ROWS - 1) / VEC_TILE_ROWS;
    for (size_t i = 0; i < tiles; i++) {
        size_t height = rows / tiles + (i < rows % tiles);
        gemm_tiles[height - 1](vectors, &tile);
        tile.x += height * tile.x_stride;
        tile.y += height * tile.y_stride;
    }
}

static void gemm(size_t rows, size_t k, size_t width, const float *x, size_t x_stride,
                 const float *panel, const float *bias, float *y, size_t y_stride)
{
    const size_t step = VEC_TILE_VECTORS * VEC_LANES;
    for (size_t c = 0; c < width; c += step) {
        int vectors = (int)((width - c < step ? width - c : step) / VEC_LANES);
        size_t done = 0;
        do {
            size_t block = k - done < GEMM_K_BLOCK ? k - done : GEMM_K_BLOCK;
            gemm_rows(rows, vectors,
                      (struct gemm_tile){.k = block,
                                         .x = x + done,
                                         .x_stride = x_stride,
                                         .weights = panel + done * width + c,
                                         .weights_stride = width,
                                         .bias = done == 0 ? bias + c : NULL,
                                         .last = done + block == k,
                                         .y = y + c,
                                         .y_stride = y_stride});
            done += block;
        } while (done < k);
    }
}

#endif
