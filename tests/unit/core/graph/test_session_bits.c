/* What a run tells of its units: bitmaps, and tallies that agree with them. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "nets.h"

static const struct kernels *best(void)
{
    return kernels_select("auto", NULL);
}

/* Four layers, each of them an output, so that its values can be seen. */
static void make_visible(struct net *net)
{
    static const char *const activations[] = {"relu", "leaky_relu", "elu", "tanh"};
    static const size_t units[] = {10, 64, 70, 257};
    uint32_t value = net_input(net, 30);
    for (size_t i = 0; i < 4; i++) {
        value = net_dense(net, value, units[i], activations[i]);
        net_output(net, value);
    }
    net_plan(net);
}

static void check_bits(const struct session *session, size_t layer, size_t row)
{
    const float *h = session_row(session, layer, row);
    const uint64_t *bits = session_bits(session, layer, row);
    size_t active = 0;
    for (size_t unit = 0; unit < session->plan->layers[layer].units; unit++) {
        const bool bit = bits[unit / 64] >> unit % 64 & 1;
        cr_assert(bit == (h[unit] > 0), "layer %zu, row %zu, unit %zu", layer, row, unit);
        active += bit;
    }
    cr_assert(session_active(session, layer, row) == active, "layer %zu, row %zu", layer, row);
}

/* Bits beyond a layer's units mean nothing and may be set. */
static void spoil_padding(struct session *session, size_t rows)
{
    for (size_t i = 0; i < session->plan->layer_count; i++) {
        const struct layer *layer = &session->plan->layers[i];
        uint8_t *bits = session->bits + layer->bits_offset * session->capacity;
        for (size_t row = 0; row < rows; row++)
            for (size_t bit = layer->units; bit < layer->bits_stride * 8; bit++)
                bits[row * layer->bits_stride + bit / 8] |= (uint8_t)(1 << bit % 8);
    }
}

Test(session_bits, bitmaps_say_which_units_were_active)
{
    struct net net;
    struct session session;
    net_init(&net, 64);
    make_visible(&net);
    float *x = random_rows(&net.random, RANDOM_PLAIN, 75, 30);
    net_session(&session, &net, best(), STATS_off, 75);
    for (size_t rows = 1; rows <= 75; rows += 37) {
        session_run_rows(&session, x, rows);
        spoil_padding(&session, rows);
        for (size_t layer = 0; layer < 4; layer++)
            for (size_t row = 0; row < rows; row++)
                check_bits(&session, layer, row);
    }
    session_close(&session);
    free(x);
    net_free(&net);
}

/* The sum of what single requests saw is what the counters hold. */
Test(session_bits, bitmaps_and_tallies_agree)
{
    struct net net;
    struct session session;
    size_t active[4] = {0}, counted[4] = {0};
    net_init(&net, 65);
    make_visible(&net);
    float *x = random_rows(&net.random, RANDOM_PLAIN, 20, 30);
    net_session(&session, &net, best(), STATS_counts, 20);
    for (size_t rows = 1; rows <= 20; rows++) {
        session_run_rows(&session, x, rows);
        for (size_t layer = 0; layer < 4; layer++)
            for (size_t row = 0; row < rows; row++)
                active[layer] += session_active(&session, layer, row);
    }
    for (size_t layer = 0; layer < 4; layer++) {
        for (size_t unit = 0; unit < net.plan.layers[layer].units; unit++)
            counted[layer] += session_tallies(&session)[layer].active[unit];
        cr_assert(active[layer] == counted[layer], "layer %zu: %zu bits, %zu counted", layer,
                  active[layer], counted[layer]);
    }
    session_close(&session);
    free(x);
    net_free(&net);
}

/* Outputs are counted as they are, not with the columns that round a layer up to 16. */
static void check_nonfinite(const float *x, size_t rows, uint64_t first, uint64_t second)
{
    struct net net;
    struct session session;
    net_init(&net, 66);
    net_chain(&net, 3, (const size_t[]){3, 10, 5}, (const char *const[]){"relu", "tanh"});
    net_session(&session, &net, best(), STATS_full, rows);
    session_run_rows(&session, x, rows);
    cr_assert(*session_tallies(&session)[0].nonfinite == first,
              "%zu rows: layer 0 counted %zu, expected %zu", rows,
              (size_t)*session_tallies(&session)[0].nonfinite, (size_t)first);
    cr_assert(*session_tallies(&session)[1].nonfinite == second, "%zu rows: layer 1 counted %zu",
              rows, (size_t)*session_tallies(&session)[1].nonfinite);
    session_close(&session);
    net_free(&net);
}

Test(session_bits, non_finite_outputs_are_counted_without_padding)
{
    check_nonfinite((const float[]){1, 2, 3, 4, 5, 6}, 2, 0, 0);
    check_nonfinite((const float[]){1, 2, 3, 4, NAN, 6}, 2, 10, 5);
    check_nonfinite((const float[]){1, NAN, 3}, 1, 10, 5);
}

/* A standalone activation rounds up too; what its memory held before is not counted. */
Test(session_bits, non_finite_numbers_of_an_earlier_run_are_not_counted)
{
    struct net net;
    struct session session;
    net_init(&net, 67);
    const uint32_t z = net_dense(&net, net_input(&net, 3), 10, "identity");
    net_output(&net, net_activation(&net, z, "elu"));
    net_plan(&net);
    net_session(&session, &net, best(), STATS_full, 2);
    for (size_t i = 0; i < 2 * net.plan.floats_per_row; i++)
        session.memory[i] = NAN;
    session_run_rows(&session, (const float[]){1, 2, 3, 4, 5, 6}, 2);
    cr_assert(*session_tallies(&session)[0].nonfinite == 0, "%zu",
              (size_t)*session_tallies(&session)[0].nonfinite);
    session_close(&session);
    net_free(&net);
}
