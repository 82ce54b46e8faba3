/* Outputs that are written where the caller wants them. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "nets.h"

enum { IN = 20, ROWS = 90 };

struct placing {
    struct net net;
    struct session session;
    float *x;
};

/* Opens a session of the net, whose last value is value. */
static void placing_open(struct placing *p)
{
    net_plan(&p->net);
    p->x = random_rows(&p->net.random, RANDOM_PLAIN, ROWS, IN);
    net_session(&p->session, &p->net, kernels_select("auto", NULL), STATS_full, ROWS);
}

static void placing_close(struct placing *p)
{
    session_close(&p->session);
    free(p->x);
    net_free(&p->net);
}

static void open_chain(struct placing *p, size_t outputs)
{
    net_init(&p->net, 81);
    const uint32_t hidden = net_dense(&p->net, net_input(&p->net, IN), 40, "relu");
    net_output(&p->net, net_dense(&p->net, hidden, outputs, "leaky_relu"));
    placing_open(p);
}

/* One row behind the last must not be touched. */
static void check_placed(struct placing *p, size_t rows, size_t outputs)
{
    float *y = malloc((rows + 1) * outputs * sizeof *y);
    float *untouched = y + rows * outputs;
    for (size_t i = 0; i < outputs; i++)
        untouched[i] = 7;
    cr_assert(session_place(&p->session, 0, y));
    session_run_rows(&p->session, p->x, rows);
    cr_assert(!session_place(&p->session, 0, NULL));
    session_run_rows(&p->session, p->x, rows);
    for (size_t row = 0; row < rows; row++)
        cr_assert(
            memcmp(y + row * outputs, session_row(&p->session, 0, row), outputs * sizeof *y) == 0,
            "row %zu of %zu", row, rows);
    for (size_t i = 0; i < outputs; i++)
        cr_assert(untouched[i] == 7);
    free(y);
}

Test(session_place, outputs_without_padding_go_where_they_are_wanted)
{
    static const size_t outputs[] = {16, 64, 304};
    for (size_t i = 0; i < sizeof outputs / sizeof outputs[0]; i++) {
        struct placing p;
        open_chain(&p, outputs[i]);
        check_placed(&p, 1, outputs[i]);
        check_placed(&p, 2, outputs[i]);
        check_placed(&p, ROWS, outputs[i]);
        placing_close(&p);
    }
}

static void refuse(struct placing *p, size_t i)
{
    float y[64];
    cr_assert(!session_place(&p->session, i, y), "output %zu", i);
    placing_close(p);
}

Test(session_place, padding_would_be_written_too)
{
    struct placing p;
    open_chain(&p, 10);
    refuse(&p, 0);
}

Test(session_place, what_others_read_stays)
{
    struct placing p;
    net_init(&p.net, 82);
    const uint32_t hidden = net_dense(&p.net, net_input(&p.net, IN), 32, "relu");
    net_output(&p.net, hidden);
    net_output(&p.net, net_dense(&p.net, hidden, 10, "identity"));
    placing_open(&p);
    refuse(&p, 0);
}

Test(session_place, an_output_twice_has_no_one_place)
{
    struct placing p;
    net_init(&p.net, 83);
    const uint32_t hidden = net_dense(&p.net, net_input(&p.net, IN), 32, "relu");
    net_output(&p.net, hidden);
    net_output(&p.net, hidden);
    placing_open(&p);
    refuse(&p, 1);
}

Test(session_place, an_input_is_the_callers_already)
{
    struct placing p;
    net_init(&p.net, 84);
    const uint32_t x = net_input(&p.net, IN);
    net_output(&p.net, x);
    net_output(&p.net, net_dense(&p.net, x, 10, "identity"));
    placing_open(&p);
    refuse(&p, 0);
}
