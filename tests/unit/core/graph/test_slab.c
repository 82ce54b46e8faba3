/* How an output is cut into tiles: by pixels, and by what their windows read. */
#include <criterion/criterion.h>

#include "graph/slab.h"

/* Tiles of an output of side x side pixels under square windows over channels. */
static size_t tiles(size_t side, size_t kernel, size_t step, size_t pad, size_t channels)
{
    struct window window = {.transposed = false};
    for (size_t axis = 0; axis < GRAPH_SPATIAL_MAX; axis++) {
        const bool flat = axis == 0;
        window.kernel[axis] = flat ? 1 : kernel;
        window.step[axis] = flat ? 1 : step;
        window.dilation[axis] = 1;
        window.pad[axis] = window.pad_end[axis] = flat ? 0 : pad;
        window.out[axis] = flat ? 1 : side;
        window.in[axis] = flat ? 1 : (side - 1) * step + kernel - 2 * pad;
    }
    slab_cut(&window, channels);
    return slab_tiles(&window);
}

Test(slab, a_tile_has_as_many_lines_as_its_pixels_allow)
{
    cr_assert(tiles(10, 1, 1, 0, 16) == 1);
    cr_assert(tiles(56, 1, 1, 0, 16) == 14, "four lines of 56 in 256 pixels");
    cr_assert(tiles(130, 1, 1, 0, 16) == 130);
    cr_assert(tiles(260, 1, 1, 0, 16) == 520, "half a line of 260");
}

Test(slab, an_output_that_would_be_one_tile_is_two)
{
    cr_assert(tiles(11, 1, 1, 0, 16) == 1, "121 pixels are not worth it");
    cr_assert(tiles(14, 1, 1, 0, 16) == 2);
    cr_assert(tiles(16, 1, 1, 0, 16) == 2);
    cr_assert(tiles(17, 1, 1, 0, 16) == 2, "15 lines in 256 pixels, evenly 9 and 8");
}

/* 9 x 9 pixels of 2,048 channels are 166,000 numbers, 7 x 7 of them 100,000. */
Test(slab, a_tile_reads_no_more_than_the_cache_holds)
{
    cr_assert(tiles(7, 3, 1, 1, 1024) == 1);
    cr_assert(tiles(7, 3, 1, 1, 2048) == 2);
}

/* A window of one pixel in every second line and column reads a quarter of the image. */
Test(slab, what_windows_leave_out_is_not_read)
{
    cr_assert(tiles(7, 1, 2, 0, 1024) == 1);
    cr_assert(tiles(7, 1, 2, 0, 4096) == 2);
}
