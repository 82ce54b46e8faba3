#include "dense_case.h"

#include <string.h>

#include "panel.h"

struct view dense_view(struct guarded *memory, const float *x, size_t rows, size_t k, size_t stride,
                       size_t runs)
{
    const float **first = guarded_alloc(memory, rows, sizeof *first);
    ptrdiff_t *at = guarded_alloc(memory, runs, sizeof *at);
    for (size_t i = 0; i < rows; i++)
        first[i] = x + i * stride;
    for (size_t t = 0; t < runs; t++)
        at[t] = (ptrdiff_t)(t * k / runs);
    return (struct view){.rows = rows,
                         .taps = runs,
                         .length = k / runs,
                         .x = first,
                         .at = at,
                         .line = rows,
                         .apart = stride};
}

static size_t most_runs(size_t k)
{
    size_t runs = DENSE_RUNS_MAX;
    while (k % runs != 0)
        runs--;
    return runs;
}

void dense_open(struct dense_case *c, struct randoms *random, struct dense_shape shape,
                enum random_kind x_kind, enum random_kind weight_kind)
{
    const size_t padded = panel_padded(shape.n);
    *c = (struct dense_case){.rows = shape.rows, .k = shape.k, .n = shape.n};
    c->x_stride = shape.k + random_between(random, 0, 3);
    c->y_stride = padded;
    const size_t x_count = (shape.rows - 1) * c->x_stride + shape.k;
    c->x = guarded_alloc(&c->memory, x_count, sizeof *c->x);
    c->weights = guarded_alloc(&c->memory, shape.k * shape.n, sizeof *c->weights);
    c->panels = guarded_alloc(&c->memory, shape.k * padded, sizeof *c->panels);
    c->bias = guarded_alloc(&c->memory, padded, sizeof *c->bias);
    c->y = guarded_alloc(&c->memory, shape.rows * padded, sizeof *c->y);
    c->index = guarded_alloc(&c->memory, shape.k + 16, sizeof *c->index);
    c->view = dense_view(&c->memory, c->x, shape.rows, shape.k, c->x_stride, most_runs(shape.k));
    random_floats(random, x_kind, c->x, x_count);
    random_floats(random, weight_kind, c->weights, shape.k * shape.n);
    random_floats(random, weight_kind, c->bias, padded);
    memset(c->panels, 0, shape.k * padded * sizeof *c->panels);
    panel_put(c->panels, shape.k, shape.n,
              &(struct panel_block){.rows = shape.k,
                                    .columns = shape.n,
                                    .from = c->weights,
                                    .row_stride = shape.n,
                                    .column_stride = 1});
}

void dense_close(struct dense_case *c)
{
    guarded_free(&c->memory);
}

void dense_gemm(const struct dense_case *c, const struct kernels *kernels, float *y)
{
    for (size_t panel = 0; panel < panel_count(c->n); panel++) {
        size_t first = panel * PANEL_COLUMNS;
        const struct gemm gemm = {.k = c->k,
                                  .width = panel_width(c->n, panel),
                                  .columns = panel_columns(c->n, panel),
                                  .x = c->view,
                                  .panel = c->panels + panel_offset(c->k, panel),
                                  .bias = c->bias + first,
                                  .streams = c->k % 2,
                                  .y = y + first,
                                  .y_stride = c->y_stride};
        kernels->gemm(&gemm);
    }
}

static void run_listed(const struct dense_case *c, const struct kernels *kernels, size_t row,
                       size_t count, float *y)
{
    for (size_t panel = 0; panel < panel_count(c->n); panel++) {
        size_t first = panel * PANEL_COLUMNS;
        kernels->gemv(count, panel_width(c->n, panel), c->index, c->x + row * c->x_stride,
                      c->panels + panel_offset(c->k, panel), c->bias + first, y + first);
    }
}

void dense_gemv(const struct dense_case *c, const struct kernels *kernels, size_t row, float *y)
{
    run_listed(c, kernels, row, kernels->nonzero(c->k, c->x + row * c->x_stride, c->index), y);
}

void dense_gemv_full(const struct dense_case *c, const struct kernels *kernels, size_t row,
                     float *y)
{
    for (size_t i = 0; i < c->k; i++)
        c->index[i] = (uint32_t)i;
    run_listed(c, kernels, row, c->k, y);
}
