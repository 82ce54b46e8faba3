/* Sums of products: dense layers, convolutions, products of computed matrices. */
#include "panel.h"
#include "rules.h"

/* Columns summed side by side, so that the sums stay in registers. */
enum { CHAIN_COLUMNS = PANEL_UNIT };

/* Stands for an unbounded number: any weight but 0 makes a sum of it that is too large, and no
 * weight makes a NaN. */
static const double beyond = 1e300;

/* Sums of weights times numbers known to lie around middle. */
struct chain_sum {
    double middle[CHAIN_COLUMNS], spread[CHAIN_COLUMNS], size[CHAIN_COLUMNS];
};

/* A number as the sums take it. */
struct chain_number {
    double middle, spread, size;
};

static struct chain_number number_of(struct interval x)
{
    if (!interval_bounded(x))
        return (struct chain_number){0, beyond, beyond};
    return (struct chain_number){(x.low + x.high) / 2, (x.high - x.low) / 2, interval_size(x)};
}

static inline void chain_term(struct chain_sum *sum, size_t j, float weight, struct chain_number x)
{
    const double w = (double)weight, magnitude = fabs(w);
    sum->middle[j] += w * x.middle;
    sum->spread[j] += magnitude * x.spread;
    sum->size[j] += magnitude * x.size;
}

static void chain_add(struct chain_sum *sum, const float *weights, struct interval x)
{
    const struct chain_number number = number_of(x);
    for (size_t j = 0; j < CHAIN_COLUMNS; j++)
        chain_term(sum, j, weights[j], number);
}

static struct interval chain_result(const struct chain_sum *sum, size_t j, size_t k)
{
    const double low = sum->middle[j] - sum->spread[j], high = sum->middle[j] + sum->spread[j];
    return interval_widen(interval_of(low, high), rule_sum_error(k, sum->size[j]));
}

/* One panel of weights over inputs that repeat after period. */
struct chain {
    size_t k, width, columns;
    const float *weights, *bias;
    const struct interval *x;
    size_t period;
    bool pads; /* zeros may stand in for inputs */
};

static struct interval padded_with_zero(struct interval x, bool pads)
{
    return pads ? interval_join(x, (struct interval){0, 0}) : x;
}

static void chain_panel(const struct chain *c, struct interval *y)
{
    for (size_t first = 0; first < c->columns; first += CHAIN_COLUMNS) {
        struct chain_sum sum = {{0}, {0}, {0}};
        for (size_t i = 0; i < c->k; i++)
            chain_add(&sum, c->weights + i * c->width + first,
                      padded_with_zero(c->x[i % c->period], c->pads));
        chain_add(&sum, c->bias + first, (struct interval){1, 1});
        for (size_t j = 0; j < CHAIN_COLUMNS && first + j < c->columns; j++)
            y[first + j] = chain_result(&sum, j, c->k);
    }
}

/* All panels of one group. */
static void chain_group(const struct rule_case *c, size_t group, const struct interval *x,
                        size_t period, struct interval *y)
{
    const struct node *node = c->node;
    const size_t n = node->n / node->groups, padded = panel_padded(n);
    for (size_t panel = 0; panel < panel_count(n); panel++) {
        const size_t rest = n - panel * PANEL_COLUMNS;
        const struct chain chain = {.k = node->k,
                                    .width = panel_width(n, panel),
                                    .columns = rest < PANEL_COLUMNS ? rest : PANEL_COLUMNS,
                                    .weights = node->panels + group * node->k * padded +
                                               panel_offset(node->k, panel),
                                    .bias = node->bias + group * padded + panel * PANEL_COLUMNS,
                                    .x = x,
                                    .period = period,
                                    .pads = node->op == OP_conv && rule_pads(&node->window)};
        chain_panel(&chain, y + panel * PANEL_COLUMNS);
    }
}

void rule_dense(const struct rule_case *c, struct interval *y)
{
    chain_group(c, 0, rule_channels(c, 0), c->node->k, y);
}

/* The chain of a pixel takes all channels of a group for each tap. */
void rule_conv(const struct rule_case *c, struct interval *y)
{
    const size_t groups = c->node->groups, n = c->node->n / groups;
    const size_t channels = rule_input(c, 0)->channels / groups;
    const struct interval *x = rule_channels(c, 0);
    for (size_t group = 0; group < groups; group++)
        chain_group(c, group, x + group * channels, channels, y + group * n);
}

void rule_depthwise(const struct rule_case *c, struct interval *y)
{
    const struct node *node = c->node;
    const bool pads = rule_pads(&node->window);
    const struct interval *x = rule_channels(c, 0);
    for (size_t channel = 0; channel < node->n; channel++) {
        const struct chain_number number = number_of(padded_with_zero(x[channel], pads));
        struct chain_sum sum = {{0}, {0}, {0}};
        for (size_t tap = 0; tap < node->k; tap++)
            chain_term(&sum, 0, node->panels[tap * panel_padded(node->n) + channel], number);
        chain_term(&sum, 0, node->bias[channel], number_of((struct interval){1, 1}));
        y[channel] = chain_result(&sum, 0, node->k);
    }
}

void rule_matmul(const struct rule_case *c, struct interval *y)
{
    const struct interval *a = rule_channels(c, 0), *b = rule_channels(c, 1);
    for (size_t j = 0; j < c->node->n; j++) {
        struct interval sum = {0, 0};
        double size = 0;
        for (size_t i = 0; i < c->node->k; i++) {
            const struct interval product = interval_multiply(a[i], b[j]);
            sum = (struct interval){sum.low + product.low, sum.high + product.high};
            size += interval_size(product);
        }
        y[j] = interval_widen(interval_of(sum.low, sum.high), rule_sum_error(c->node->k, size));
    }
}
