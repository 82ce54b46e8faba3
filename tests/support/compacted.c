#include "compacted.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/session.h"
#include "randoms.h"

/* Counting */

static void draw_rows(struct compacted *compacted)
{
    struct randoms random = {99};
    for (size_t i = 0; i < compacted->before.graph.input_count; i++) {
        const size_t features = compacted->before.inputs[i].features;
        const size_t count = (COMPACTED_ROWS + COMPACTED_MORE) * features;
        cr_assert(compacted->x[i] = arena_alloc(&compacted->arena, count, sizeof(float)));
        random_floats(&random, RANDOM_PLAIN, compacted->x[i], count);
    }
}

static void open_session(struct session *session, const struct model *model)
{
    struct error error;
    cr_assert(session_open(session, &model->plan, kernels_select("auto", NULL), STATS_full,
                           COMPACTED_ROWS + COMPACTED_MORE, &error) == STATUS_OK,
              "%s", error.message);
}

static void run(const struct compacted *compacted, struct session *session, size_t rows)
{
    for (size_t i = 0; i < compacted->before.graph.input_count; i++)
        session_bind(session, i, compacted->x[i]);
    session_begin(session, rows);
    cr_assert(session_advance(session, UINT64_MAX));
}

static void count_rows(struct compacted *compacted)
{
    struct session session;
    struct error error;
    cr_assert(counters_init(&compacted->counters, &compacted->arena, &compacted->before.plan,
                            STATS_full, &error) == STATUS_OK);
    open_session(&session, &compacted->before);
    run(compacted, &session, COMPACTED_ROWS);
    counters_fold(&compacted->counters, session_tallies(&session), COMPACTED_ROWS);
    session_close(&session);
}

void compacted_open_file(struct compacted *compacted, const char *path,
                         const struct compact_options *options)
{
    const struct model_options model_options = {.level = STATS_full};
    struct error error;
    struct compact_options own = *options;
    own.min_samples = COMPACTED_ROWS;
    cr_assert(model_open(&compacted->before, path, &model_options, &error) == STATUS_OK, "%s",
              error.message);
    arena_init(&compacted->arena, SIZE_MAX / 2);
    draw_rows(compacted);
    count_rows(compacted);
    cr_assert(compact_open(&compacted->after, &compacted->before, path, &compacted->counters, &own,
                           &error) == STATUS_OK,
              "%s: %s", path, error.message);
}

void compacted_open(struct compacted *compacted, struct onnx_builder *onnx,
                    const struct compact_options *options)
{
    size_t count;
    const uint8_t *bytes = onnx_pack(onnx, &count);
    temporary_open(&compacted->temporary);
    compacted_open_file(
        compacted, temporary_write(&compacted->temporary, "model.onnx", bytes, count), options);
    temporary_close(&compacted->temporary);
}

void compacted_close(struct compacted *compacted)
{
    compact_close(&compacted->after);
    model_close(&compacted->before);
    arena_free(&compacted->arena);
}

/* What was decided */

static const struct compact_layer *find_layer(const struct compacted *compacted, const char *name)
{
    for (size_t i = 0; i < compacted->after.layer_count; i++)
        if (strcmp(compacted->after.layers[i].layer->name, name) == 0)
            return &compacted->after.layers[i];
    cr_assert_fail("no layer %s", name);
    return NULL;
}

static size_t count_removed(const struct compact_layer *layer)
{
    size_t count = 0;
    for (size_t unit = 0; unit < layer->layer->units; unit++)
        count += layer->removed[unit];
    return count;
}

size_t compacted_removed(const struct compacted *compacted, const char *layer)
{
    return count_removed(find_layer(compacted, layer));
}

size_t compacted_removed_in_all(const struct compacted *compacted)
{
    size_t count = 0;
    for (size_t i = 0; i < compacted->after.layer_count; i++)
        count += count_removed(&compacted->after.layers[i]);
    return count;
}

enum keep compacted_kept(const struct compacted *compacted, const char *layer, size_t unit)
{
    const struct compact_layer *found = find_layer(compacted, layer);
    cr_assert(unit < found->layer->units && !isnan(found->stuck[unit]), "%s %zu lives", layer,
              unit);
    return found->kept[unit];
}

/* Comparing */

static bool wakes(const struct compacted *compacted, const struct session *session, size_t row)
{
    for (size_t i = 0; i < compacted->after.layer_count; i++) {
        const struct compact_layer *layer = &compacted->after.layers[i];
        const uint64_t *bits = session_bits(session, i, row);
        for (size_t unit = 0; unit < layer->layer->units; unit++)
            if (layer->removed[unit] && !isnan(layer->stuck[unit]) && !layer->high[unit] &&
                bits[unit / 64] >> unit % 64 & 1)
                return true;
    }
    return false;
}

static void expect_near(const float *a, const float *b, size_t count, double tolerance)
{
    double apart = 0, size = 1;
    for (size_t i = 0; i < count; i++) {
        apart = fmax(apart, fabs((double)a[i] - (double)b[i]));
        size = fmax(size, fabs((double)a[i]));
    }
    cr_assert(apart <= tolerance * size, "%g of %g", apart, size);
}

static void compare_row(const struct compacted *compacted, const struct session sessions[2],
                        size_t row, double tolerance)
{
    for (size_t i = 0; i < compacted->before.graph.output_count; i++) {
        const size_t count = compacted->before.outputs[i].features;
        float *y[2] = {malloc(count * sizeof(float)), malloc(count * sizeof(float))};
        for (size_t side = 0; side < 2; side++)
            session_output(&sessions[side], i, row, y[side]);
        if (tolerance > 0)
            expect_near(y[0], y[1], count, tolerance);
        else
            cr_assert(memcmp(y[0], y[1], count * sizeof(float)) == 0, "row %zu, output %zu", row,
                      i);
        free(y[0]);
        free(y[1]);
    }
}

size_t compacted_compare(const struct compacted *compacted, double tolerance)
{
    struct session sessions[2];
    size_t compared = 0;
    open_session(&sessions[0], &compacted->before);
    open_session(&sessions[1], &compacted->after.model);
    for (size_t side = 0; side < 2; side++)
        run(compacted, &sessions[side], COMPACTED_ROWS + COMPACTED_MORE);
    for (size_t row = 0; row < COMPACTED_ROWS + COMPACTED_MORE; row++) {
        if (wakes(compacted, &sessions[0], row))
            continue;
        compare_row(compacted, sessions, row, tolerance);
        compared++;
    }
    for (size_t side = 0; side < 2; side++)
        session_close(&sessions[side]);
    return compared;
}

/* Files */

void compacted_write(struct compacted *compacted, struct temporary *to, const char *name)
{
    char file[64];
    snprintf(file, sizeof file, "%s.onnx", name);
    temporary_write(to, file, compacted->after.bytes, compacted->after.byte_count);
}

void compacted_check(const struct temporary *files)
{
    char command[256];
    snprintf(command, sizeof command,
             "/usr/bin/python3 -c 'import glob, onnx\n"
             "files = glob.glob(\"%s/*.onnx\")\n"
             "assert files\n"
             "for f in files: onnx.checker.check_model(onnx.load(f))'",
             files->path);
    cr_assert_eq(system(command), 0);
}

Onnx__ModelProto *compacted_proto(const struct compacted *compacted)
{
    Onnx__ModelProto *proto =
        onnx__model_proto__unpack(NULL, compacted->after.byte_count, compacted->after.bytes);
    cr_assert(proto);
    return proto;
}

const Onnx__TensorProto *proto_tensor(const Onnx__ModelProto *proto, const char *name)
{
    for (size_t i = 0; i < proto->graph->n_initializer; i++)
        if (strcmp(proto->graph->initializer[i]->name, name) == 0)
            return proto->graph->initializer[i];
    cr_assert_fail("no initializer %s", name);
    return NULL;
}
