/* Pad in every mode, element by element: ONNX's own cases for reflect and edge hold whole numbers.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "onnx_builder.h"

enum { CHANNELS = 2, WIDTH = 4, ROWS = 2, ROOM = 64 };

/* Padding around the axes [batch, channels, width], as ONNX lists it; negative padding cuts. */
struct pads {
    int64_t before[3], after[3];
};

/* Where the element at place of a padded axis comes from, -1 for the constant. */
static int64_t source(const char *mode, int64_t place, int64_t size)
{
    if (place >= 0 && place < size)
        return place;
    if (strcmp(mode, "constant") == 0)
        return -1;
    if (strcmp(mode, "edge") == 0)
        return place < 0 ? 0 : size - 1;
    while (place < 0 || place >= size)
        place = place < 0 ? -place : 2 * (size - 1) - place;
    return place;
}

static void load(struct model *model, const char *mode, const struct pads *pads)
{
    struct onnx_builder builder;
    struct error error;
    int64_t list[6];
    const float fill = 0.5f;
    memcpy(list, pads->before, sizeof pads->before);
    memcpy(list + 3, pads->after, sizeof pads->after);
    onnx_open(&builder);
    onnx_input(&builder, "x", 3, (const int64_t[]){-1, CHANNELS, WIDTH});
    onnx_initializer(&builder, onnx_ints(&builder, "pads", 6, list));
    onnx_initializer(&builder, onnx_floats(&builder, "fill", 0, NULL, &fill));
    onnx_text(&builder, onnx_node(&builder, "Pad", "", "x pads fill", "y"), "mode", mode);
    onnx_output(&builder, "y");
    cr_assert(onnx_load(&builder, model, &error) == STATUS_OK, "%s", error.message);
    onnx_close(&builder);
}

static void check(const char *mode, const struct pads *pads)
{
    const int64_t channels = CHANNELS + pads->before[1] + pads->after[1];
    const int64_t width = WIDTH + pads->before[2] + pads->after[2];
    struct model model;
    float x[ROWS * CHANNELS * WIDTH], y[ROWS * ROOM];
    for (size_t i = 0; i < ROWS * CHANNELS * WIDTH; i++)
        x[i] = (float)(i + 1);
    load(&model, mode, pads);
    cr_assert(model.outputs[0].dims[1] == channels && model.outputs[0].dims[2] == width);
    model_run(&model, x, ROWS, y);
    for (int64_t i = 0; i < ROWS * channels * width; i++) {
        const int64_t c = source(mode, i / width % channels - pads->before[1], CHANNELS);
        const int64_t w = source(mode, i % width - pads->before[2], WIDTH);
        const int64_t row = i / width / channels;
        const float expected = c < 0 || w < 0 ? 0.5f : x[(row * CHANNELS + c) * WIDTH + w];
        cr_assert(y[i] == expected, "%s, element %d: expected %g, found %g", mode, (int)i,
                  (double)expected, (double)y[i]);
    }
    model_close(&model);
}

Test(onnx_pad, every_mode_on_every_side)
{
    static const char *const modes[] = {"constant", "reflect", "edge"};
    static const struct pads cases[] = {
        {{0, 0, 0}, {0, 0, 0}}, {{0, 0, 3}, {0, 0, 0}},  {{0, 0, 0}, {0, 0, 2}},
        {{0, 1, 3}, {0, 1, 2}}, {{0, 0, -1}, {0, 0, 2}}, {{0, 1, 2}, {0, -1, -2}},
    };
    for (size_t mode = 0; mode < 3; mode++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
            check(modes[mode], &cases[i]);
}
