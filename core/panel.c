#include "panel.h"

void panel_pack(float *packed, size_t k, size_t n, const float *weights, size_t row_stride,
                size_t column_stride, float scale)
{
    for (size_t panel = 0; panel < panel_count(n); panel++) {
        size_t width = panel_width(n, panel);
        size_t first = panel * PANEL_COLUMNS;
        size_t columns = n - first < width ? n - first : width;
        float *row = packed + panel_offset(k, panel);
        for (size_t i = 0; i < k; i++, row += width) {
            const float *from = weights + i * row_stride + first * column_stride;
            for (size_t j = 0; j < columns; j++)
                row[j] = from[j * column_stride] * scale;
            for (size_t j = columns; j < width; j++)
                row[j] = 0.0f;
        }
    }
}
