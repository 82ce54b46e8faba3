#include "panel.h"

#include <stdint.h>
#include <string.h>

/* The rows of a panel lie too far apart for the processor to see where the next writes go. */
enum { ROWS_AHEAD = 32 };

static void expect_write(const float *row, size_t width)
{
    __builtin_prefetch((const void *)((uintptr_t)row + ROWS_AHEAD * width * sizeof *row), 1);
}

/* Columns that end with their panel, or before. */
static void put_columns(float *to, size_t width, size_t columns, const struct panel_block *block,
                        const float *from)
{
    for (size_t i = 0; i < block->rows; i++, to += width, from += block->row_stride) {
        if (block->column_stride == 1) {
            memcpy(to, from, columns * sizeof *to);
            continue;
        }
        expect_write(to, width);
        for (size_t j = 0; j < columns; j++)
            to[j] = from[j * block->column_stride];
    }
}

void panel_put(float *panels, size_t k, size_t n, const struct panel_block *block)
{
    for (size_t done = 0, some; done < block->columns; done += some) {
        const size_t column = block->column + done, panel = column / PANEL_COLUMNS;
        const size_t at = column % PANEL_COLUMNS, width = panel_width(n, panel);
        some =
            PANEL_COLUMNS - at < block->columns - done ? PANEL_COLUMNS - at : block->columns - done;
        put_columns(panels + panel_offset(k, panel) + block->row * width + at, width, some, block,
                    block->from + done * block->column_stride);
    }
}
