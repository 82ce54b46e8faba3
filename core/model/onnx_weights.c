#include "onnx_weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "panel.h"

/* Weights are read in pieces that stay in the second-level cache until they are packed. */
enum { PIECE_BYTES = 1 << 18 };

/* Finite numbers: a larger exponent than theirs would carry into the sign. */
static uint32_t carry(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return (bits & 0x7FFFFFFF) + 0x00800000;
}

static bool all_finite(const float *data, size_t count)
{
    uint32_t carried[PANEL_UNIT] = {0}, any = 0;
    size_t i = 0;
    for (; i + PANEL_UNIT <= count; i += PANEL_UNIT)
        for (size_t lane = 0; lane < PANEL_UNIT; lane++)
            carried[lane] |= carry(data[i + lane]);
    for (; i < count; i++)
        any |= carry(data[i]);
    for (size_t lane = 0; lane < PANEL_UNIT; lane++)
        any |= carried[lane];
    return !(any & 0x80000000);
}

/* The numbers from element first on. */
static enum status check_from(const char *name, size_t first, const float *data, size_t count,
                              struct error *error)
{
    if (all_finite(data, count))
        return STATUS_OK;
    size_t at = 0;
    while (isfinite(data[at]))
        at++;
    return error_set(error, STATUS_INVALID,
                     "tensor \"%s\": expected finite numbers, found %g at element %zu", name,
                     (double)data[at], first + at);
}

enum status onnx_weights_check(const char *name, const float *data, size_t count,
                               struct error *error)
{
    return check_from(name, 0, data, count, error);
}

/* Some rows of the tensor, which has columns or channels for rows. */
struct piece {
    size_t group, first, count;
    float *data; /* [count, numbers in a row] */
};

static size_t row_size(const struct onnx_weights *weights)
{
    return weights->taps * (weights->channels_first ? weights->columns : weights->channels);
}

static size_t row_count(const struct onnx_weights *weights)
{
    return weights->channels_first ? weights->channels : weights->columns;
}

/* Rows of a piece: whole units, which are written side by side, unless they are few. */
static size_t piece_rows(const struct onnx_weights *weights)
{
    size_t rows = PIECE_BYTES / sizeof(float) / row_size(weights);
    rows = rows < PANEL_UNIT ? PANEL_UNIT : rows / PANEL_UNIT * PANEL_UNIT;
    return rows < row_count(weights) ? rows : row_count(weights);
}

static enum status read_piece(const struct onnx_weights *weights, const struct piece *piece,
                              struct error *error)
{
    const size_t size = row_size(weights), count = piece->count * size;
    const size_t first = (piece->group * row_count(weights) + piece->first) * size;
    if (onnx_tensor_numbers(weights->tensor, first, count, piece->data, error) != STATUS_OK ||
        check_from(weights->name, first, piece->data, count, error) != STATUS_OK)
        return error->status;
    if (weights->scale == 1.0f)
        return STATUS_OK;
    for (size_t i = 0; i < count; i++)
        piece->data[i] *= weights->scale;
    if (all_finite(piece->data, count))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, "tensor \"%s\": alpha %g makes a weight infinite",
                     weights->name, (double)weights->scale);
}

/* Columns for rows: a unit of them at a time, and of it as many channels as the first-level cache
 * holds for tap after tap. */
static void put_columns(float *panels, const struct onnx_weights *weights,
                        const struct piece *piece)
{
    enum { CACHE_FLOATS = 4096 };
    const size_t taps = weights->taps, size = row_size(weights);
    const size_t step = 1 + CACHE_FLOATS / PANEL_UNIT / taps;
    for (size_t j = 0; j < piece->count; j += PANEL_UNIT)
        for (size_t c = 0; c < weights->channels; c += step)
            for (size_t tap = 0; tap < taps; tap++) {
                const size_t rows = weights->channels - c, columns = piece->count - j;
                const struct panel_block block = {.row = tap * weights->channels + c,
                                                  .rows = rows < step ? rows : step,
                                                  .column = piece->first + j,
                                                  .columns =
                                                      columns < PANEL_UNIT ? columns : PANEL_UNIT,
                                                  .from = piece->data + j * size + c * taps + tap,
                                                  .row_stride = taps,
                                                  .column_stride = size};
                panel_put(panels, taps * weights->channels, weights->columns, &block);
            }
}

static void put_channels(float *panels, const struct onnx_weights *weights,
                         const struct piece *piece)
{
    for (size_t tap = 0; tap < weights->taps; tap++) {
        const struct panel_block block = {.row = tap * weights->channels + piece->first,
                                          .rows = piece->count,
                                          .columns = weights->columns,
                                          .from = piece->data + tap,
                                          .row_stride = row_size(weights),
                                          .column_stride = weights->taps};
        panel_put(panels, weights->taps * weights->channels, weights->columns, &block);
    }
}

/* The columns of a depthwise node are in one row for each tap, however many there are. */
static void put_depthwise(float *panels, const struct onnx_weights *weights,
                          const struct piece *piece)
{
    for (size_t tap = 0; tap < weights->taps; tap++) {
        float *to = panels + tap * panel_padded(weights->columns) + piece->first;
        for (size_t c = 0; c < piece->count; c++)
            to[c] = piece->data[c * weights->taps + tap];
    }
}

static enum status pack_pieces(const struct onnx_weights *weights, const struct node *node,
                               float *data, struct error *error)
{
    const size_t rows = row_count(weights), some = piece_rows(weights);
    struct piece piece = {.data = data};
    for (; piece.group < weights->groups; piece.group++)
        for (piece.first = 0; piece.first < rows; piece.first += piece.count) {
            float *panels =
                (float *)node->panels + piece.group * node->k * panel_padded(weights->columns);
            piece.count = rows - piece.first < some ? rows - piece.first : some;
            if (read_piece(weights, &piece, error) != STATUS_OK)
                return error->status;
            if (node->op == OP_depthwise)
                put_depthwise(panels, weights, &piece);
            else if (weights->channels_first)
                put_channels(panels, weights, &piece);
            else
                put_columns(panels, weights, &piece);
        }
    return STATUS_OK;
}

static enum status no_memory(const struct onnx_weights *weights, struct error *error)
{
    return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the weights \"%s\"",
                     weights->name);
}

/* Room for the panels and the bias of node's groups, all zero. */
static enum status allocate(struct importer *importer, const struct onnx_weights *weights,
                            struct node *node, struct error *error)
{
    struct arena *arena = &importer->model->arena;
    node->groups = weights->groups;
    node->k = weights->taps * weights->channels;
    node->n = weights->groups * weights->columns;
    size_t padded = panel_padded(weights->columns) * weights->groups;
    node->panels = arena_alloc(arena, padded, node->k * sizeof(float));
    node->bias = arena_alloc(arena, padded, sizeof(float));
    return node->panels && node->bias ? STATUS_OK : no_memory(weights, error);
}

enum status onnx_weights_pack(struct importer *importer, const struct onnx_weights *weights,
                              struct node *node, struct error *error)
{
    if (allocate(importer, weights, node, error) != STATUS_OK)
        return error->status;
    float *data = malloc(piece_rows(weights) * row_size(weights) * sizeof *data);
    if (!data)
        return no_memory(weights, error);
    enum status status = pack_pieces(weights, node, data, error);
    free(data);
    return status;
}

/* Scaling packed weights */

/* Some columns of packed weights, at most a panel's. */
struct columns {
    float *first; /* row 0 */
    size_t rows, stride, count;
};

static bool scale_columns(const struct columns *columns, const float *scale)
{
    float padded[PANEL_COLUMNS] = {0};
    bool finite = true;
    const size_t width = panel_padded(columns->count);
    memcpy(padded, scale, columns->count * sizeof *scale);
    for (size_t i = 0; i < columns->rows; i++) {
        float *row = columns->first + i * columns->stride;
        for (size_t j = 0; j < width; j += PANEL_UNIT)
            for (size_t lane = 0; lane < PANEL_UNIT; lane++)
                row[j + lane] *= padded[j + lane];
        finite &= all_finite(row, width);
    }
    return finite;
}

enum status onnx_weights_scale(struct node *node, const char *name, const float *scale,
                               struct error *error)
{
    const size_t n = node->n / node->groups, padded = panel_padded(n);
    bool finite = true;
    for (size_t group = 0; group < node->groups; group++) {
        float *panels = (float *)node->panels + group * node->k * padded;
        for (size_t j = 0; j < n; j += PANEL_COLUMNS) {
            const size_t panel = j / PANEL_COLUMNS;
            const bool depthwise = node->op == OP_depthwise;
            const struct columns columns = {.first = panels +
                                                     (depthwise ? j : panel_offset(node->k, panel)),
                                            .rows = node->k,
                                            .stride = depthwise ? padded : panel_width(n, panel),
                                            .count = n - j < PANEL_COLUMNS ? n - j : PANEL_COLUMNS};
            finite &= scale_columns(&columns, scale + group * n + j);
        }
    }
    return finite ? STATUS_OK
                  : error_set(error, STATUS_INVALID,
                              "tensor \"%s\": its factors make a weight infinite", name);
}

/* Biases */

/* Makes node's bias scale times one of n numbers, or of one. */
static enum status set_bias(struct node *node, const char *name, const struct tensor *tensor,
                            float scale, struct error *error)
{
    size_t count = tensor_count(tensor), group = node->n / node->groups;
    bool row = tensor->rank == 0 || (size_t)tensor->dims[tensor->rank - 1] == count;
    if (!row || (count != 1 && count != node->n)) {
        char text[DIMS_TEXT_BYTES];
        return error_set(error, STATUS_UNSUPPORTED,
                         "bias \"%s\": expected %zu numbers (or one), found the shape %s", name,
                         node->n, dims_text(text, tensor->dims, tensor->rank));
    }
    const float *from = tensor->data;
    float *bias = (float *)node->bias;
    if (onnx_weights_check(name, from, count, error) != STATUS_OK)
        return error->status;
    for (size_t i = 0; i < node->n; i++) {
        float *to = &bias[i / group * panel_padded(group) + i % group];
        *to = scale * from[count == 1 ? 0 : i];
        if (!isfinite(*to))
            return error_set(error, STATUS_INVALID, "tensor \"%s\": beta %g makes a bias infinite",
                             name, (double)scale);
    }
    return STATUS_OK;
}

enum status onnx_weights_bias(struct importer *importer, const Onnx__NodeProto *proto, size_t i,
                              float scale, struct node *node, struct error *error)
{
    struct tensor tensor;
    if (!importer_operand(importer, proto, i))
        return STATUS_OK;
    if (importer_constant(importer, proto, i, "the bias", DTYPE_FLOAT32, &tensor, error) !=
        STATUS_OK)
        return error->status;
    return set_bias(node, proto->input[i], &tensor, scale, error);
}
