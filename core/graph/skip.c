#include "skip.h"

#include <stdint.h>

/* Hundredths of a cycle, as in skip.def. */
enum {
    LINE_FLOATS = 16,
    COST_LIST = 50,  /* to look at one input of a row */
    COST_GEMM = 55,  /* a line of weights in a register tile */
    COST_CHAIN = 400 /* an input of a row at least: what follows waits for one multiply-add */
};

/* From memory to a register. */
static size_t line_cost(size_t weight_bytes)
{
    static const struct {
        size_t bytes, line;
    } levels[] = {
#define SKIP_LEVEL(bytes, line) {bytes, line},
#include "skip.def"
#undef SKIP_LEVEL
    };
    size_t level = 0;
    while (weight_bytes > levels[level].bytes)
        level++;
    return levels[level].line;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

bool skip_pays(const struct skip_case *c)
{
    const size_t lines = c->width / LINE_FLOATS, line = line_cost(c->weight_bytes);
    const size_t of_row = c->k * COST_LIST + c->listed * larger(lines * line, COST_CHAIN);
    return c->rows * of_row < c->k * lines * larger(c->rows * COST_GEMM, line);
}

bool skip_may_pay(const struct skip_case *c)
{
    struct skip_case sparsest = *c;
    sparsest.listed = c->k / 32;
    return skip_pays(&sparsest);
}
