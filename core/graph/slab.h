/* slab: where the windows of a tile find their numbers.
 *
 * A tile is a run of output pixels of one row, at most SLAB_PIXELS: whole lines of the output, or a
 * part of one. When its windows lie inside the image they are read where they are. Where they reach
 * into the padding, the part of the image under them is copied, with its padding, into a slab: then
 * every window looks the same, the place of its first pixel and the same distances from there. For
 * a transposed convolution the slab also has the zeros between the pixels. */
#ifndef RELUD_SLAB_H
#define RELUD_SLAB_H

#include "ops.h"

enum { SLAB_PIXELS = OP_TILE_ROWS_MAX };

/* Some output pixels of row row, which begin at place and number lines x width. */
struct slab_tile {
    size_t index;      /* among all rows' tiles */
    size_t row, first; /* the first one's number among the row's pixels */
    size_t place[GRAPH_SPATIAL_MAX];
    size_t lines, width;
    size_t slab_floats; /* of scratch, in front of the rest; 0 where no window needs a slab */
};

/* Sets window->cut for an image whose pixels lie stride floats apart: the largest tile within the
 * limits, evenly cut. */
void slab_cut(struct window *window, size_t stride);

/* How many tiles one row's output makes. */
size_t slab_tiles(const struct window *window);

/* Tile tile of all rows' tiles. */
struct slab_tile slab_tile(const struct op_run *run, size_t tile);

/* Floats of scratch that slab_open() needs. */
size_t slab_scratch(const struct graph *graph, const struct node *node);

struct slab {
    struct view view;
    ptrdiff_t *taps; /* the view's at, for whoever goes through groups of channels */
};

/* The windows of tile, in run's scratch; pad stands where the image does not. Unless apart, pixels
 * whose numbers lie side by side in the image become one run. A run has the channels of a group, or
 * where apart all of them with their padding. A slab that the scratch holds already is not copied
 * again. */
struct slab slab_open(struct op_run *run, const struct slab_tile *tile, float pad, bool apart);

#endif
