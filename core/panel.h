/* panel: the one layout of packed weights, [N/256][K][256].
 *
 * A weight matrix [k, n] (k inputs, n outputs) is cut into panels of 256 columns; the last panel is
 * rounded up to a multiple of 16 columns and filled with zeros. Inside a panel the columns of one
 * input lie side by side, so that an active input is one run of up to 1 KiB and a silent one is
 * never read. */
#ifndef RELUD_PANEL_H
#define RELUD_PANEL_H

#include <stddef.h>

enum { PANEL_COLUMNS = 256, PANEL_UNIT = 16 };

/* n rounded up to whole units of 16: what every activation has room for. */
static inline size_t panel_padded(size_t n)
{
    return (n + PANEL_UNIT - 1) / PANEL_UNIT * PANEL_UNIT;
}

static inline size_t panel_count(size_t n)
{
    return (n + PANEL_COLUMNS - 1) / PANEL_COLUMNS;
}

/* Columns of panel, without padding. */
static inline size_t panel_columns(size_t n, size_t panel)
{
    size_t rest = n - panel * PANEL_COLUMNS;
    return rest < PANEL_COLUMNS ? rest : PANEL_COLUMNS;
}

/* Columns of panel, padding included. */
static inline size_t panel_width(size_t n, size_t panel)
{
    size_t rest = panel_padded(n) - panel * PANEL_COLUMNS;
    return rest < PANEL_COLUMNS ? rest : PANEL_COLUMNS;
}

/* Where panel begins in the packed matrix, in floats. */
static inline size_t panel_offset(size_t k, size_t panel)
{
    return panel * PANEL_COLUMNS * k;
}

/* Part of a matrix [k, n]: element i, j of rows x columns, which are those from row and column on,
 * is from[i * row_stride + j * column_stride]. */
struct panel_block {
    size_t row, rows, column, columns;
    const float *from;
    size_t row_stride, column_stride;
};

/* Copies block, which does not overlap them, into the panels of a matrix [k, n]: k *
 * panel_padded(n) floats, of which no others are touched. */
void panel_put(float *panels, size_t k, size_t n, const struct panel_block *block);

#endif
