#include <math.h>
#include <string.h>

#include "infer.h"

static void write_active_units(struct text *text, const struct layer *layer, const uint64_t *bits,
                               size_t rows)
{
    size_t words = layer->bits_stride / sizeof *bits;
    text_put(text, ",\"active_units\":[");
    for (size_t r = 0; r < rows; r++, bits += words) {
        const char *comma = "";
        text_put(text, r ? ",[" : "[");
        for (size_t unit = 0; unit < layer->units; unit++) {
            if (!(bits[unit / 64] >> unit % 64 & 1))
                continue;
            text_put(text, comma);
            text_u64(text, unit);
            comma = ",";
        }
        text_put(text, "]");
    }
    text_put(text, "]");
}

static void write_active(struct text *text, const uint32_t *active, size_t rows)
{
    text_put(text, ",\"active\":[");
    for (size_t r = 0; r < rows; r++) {
        if (r)
            text_put(text, ",");
        text_u64(text, active[r]);
    }
    text_put(text, "]");
}

static void write_sparsity(struct text *text, uint64_t active, uint64_t observed)
{
    text_put(text, "\"sparsity\":");
    text_float(text, observed ? (float)(1 - (double)active / (double)observed) : NAN);
}

/* One layer; adds its active and all its observations to the sums. */
static void write_layer(struct text *text, const struct infer *infer, size_t index,
                        const uint64_t *bits, uint64_t sums[2])
{
    const struct layer *layer = &infer->model->plan.layers[index];
    size_t rows = infer->job.rows;
    text_put(text, index ? ",{\"name\":" : "{\"name\":");
    text_quote(text, layer->name, strlen(layer->name));
    text_put(text, ",\"activation\":\"");
    text_put(text, activation_info(layer->node->activation.type)->name);
    text_put(text, "\",\"units\":");
    text_u64(text, layer->units);
    write_active(text, infer->job.active + index * rows, rows);
    uint64_t active = 0, observed = (uint64_t)rows * layer->units * layer->positions;
    for (size_t r = 0; r < rows; r++)
        active += infer->job.fired[index * rows + r];
    text_put(text, ",");
    write_sparsity(text, active, observed);
    if (bits)
        write_active_units(text, layer, bits, rows);
    text_put(text, "}");
    sums[0] += active;
    sums[1] += observed;
}

void infer_write_activity(struct text *text, const struct infer *infer)
{
    const struct plan *plan = &infer->model->plan;
    const uint64_t *bits = infer->job.bits;
    uint64_t sums[2] = {0, 0};
    text_put(text, "{\"layers\":[");
    for (size_t i = 0; i < plan->layer_count; i++) {
        write_layer(text, infer, i, bits, sums);
        if (bits)
            bits += plan->layers[i].bits_stride / sizeof *bits * infer->job.rows;
    }
    text_put(text, "],");
    write_sparsity(text, sums[0], sums[1]);
    text_put(text, "}");
}
