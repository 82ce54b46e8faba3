/* How each operation bounds its output. What is rounded once is rounded outward; sums have the
 * error of rule_sum_error(). */
#include "rules.h"

#include <assert.h>

#include "graph/ops_arith.h"

const struct value *rule_input(const struct rule_case *c, size_t i)
{
    return &c->graph->values[c->node->inputs[i]];
}

const struct bounds *rule_bounds(const struct rule_case *c, size_t i)
{
    return &c->bounds[c->node->inputs[i]];
}

const struct interval *rule_channels(const struct rule_case *c, size_t i)
{
    const struct value *value = rule_input(c, i);
    assert(i < 2);
    if (value->shape.rank > 0)
        bounds_along(rule_bounds(c, i), value, value_channel_axis(value), c->scratch[i]);
    else
        c->scratch[i][0] = rule_bounds(c, i)->at[0];
    return c->scratch[i];
}

/* terms products, terms sums: no term is rounded more than terms + 1 times. One more is room for
 * the doubles that bounds are computed in, where 2^23 terms, the most there may be, lose less than
 * 2^-28 of size. */
double rule_sum_error(size_t terms, double size)
{
    const double rounded = (double)(terms + 2) * INTERVAL_ROUNDING;
    if (!(rounded < 0.5) || !(size < (double)FLT_MAX / 4))
        return INFINITY;
    return size > 0 ? rounded / (1 - rounded) * size + (double)terms * 2 * INTERVAL_UNDERFLOW : 0;
}

static void fill(const struct rule_case *c, struct interval *y, struct interval with)
{
    for (size_t i = 0; i < c->output->channels; i++)
        y[i] = with;
}

/* Windows */

static bool axis_pads(const struct window *w, size_t axis)
{
    const size_t reach =
        (w->out[axis] - 1) * w->step[axis] + (w->kernel[axis] - 1) * w->dilation[axis] + 1;
    return w->pad[axis] > 0 || reach > w->in[axis];
}

bool rule_pads(const struct window *window)
{
    bool pads = window->transposed;
    for (size_t axis = 0; axis < GRAPH_SPATIAL_MAX; axis++)
        pads |= axis_pads(window, axis);
    return pads;
}

static bool axis_misses(const struct window *w, size_t axis, size_t place)
{
    for (size_t k = 0; k < w->kernel[axis]; k++) {
        const size_t at = place * w->step[axis] + k * w->dilation[axis];
        if (at >= w->pad[axis] && at < w->pad[axis] + w->in[axis])
            return false;
    }
    return true;
}

bool rule_misses(const struct window *window)
{
    for (size_t axis = 0; axis < GRAPH_SPATIAL_MAX; axis++)
        for (size_t place = 0; place < window->out[axis]; place++)
            if (axis_misses(window, axis, place))
                return true;
    return false;
}

/* Nothing is rounded; a window that sees nothing gives -inf. */
static void rule_max_pool(const struct rule_case *c, struct interval *y)
{
    const struct interval *x = rule_channels(c, 0);
    const bool misses = rule_misses(&c->node->window);
    for (size_t i = 0; i < c->output->channels; i++)
        y[i] = (struct interval){misses ? -INFINITY : x[i].low, x[i].high};
}

/* The mean of count numbers in x: a sum and a division. */
static struct interval mean(struct interval x, size_t count)
{
    const double error = rule_sum_error(count, interval_size(x) * (double)count);
    return interval_round(interval_widen(x, error / (double)count));
}

/* Padding counts as zeros, or as nothing. */
static void rule_average_pool(const struct rule_case *c, struct interval *y)
{
    const struct interval *x = rule_channels(c, 0);
    const bool pads = rule_pads(&c->node->window);
    for (size_t i = 0; i < c->output->channels; i++)
        y[i] = mean(pads ? interval_join(x[i], (struct interval){0, 0}) : x[i], c->node->k);
}

/* Divided by at least 1 (bias + squares, to a power that is not negative) numbers come nearer to 0;
 * squares that overflow make 0. */
static void rule_lrn(const struct rule_case *c, struct interval *y)
{
    const float alpha = c->node->numbers[0], beta = c->node->numbers[1], bias = c->node->numbers[2];
    const struct interval *x = rule_channels(c, 0);
    const bool shrinks = alpha >= 0 && beta >= 0 && bias >= 1;
    for (size_t i = 0; i < c->output->channels; i++)
        y[i] = shrinks ? interval_join(x[i], (struct interval){0, 0}) : interval_all;
}

/* An exponential is not greater than a sum, rounded or not, that it is part of. */
static void rule_softmax(const struct rule_case *c, struct interval *y)
{
    fill(c, y, c->node->detail ? interval_all : (struct interval){0, 1});
}

static void rule_activation(const struct rule_case *c, struct interval *y)
{
    const struct interval *x = rule_channels(c, 0);
    for (size_t i = 0; i < c->output->channels; i++)
        y[i] = x[i];
}

/* Element by element */

enum binary {
#define BINARY(name, onnx_op, formula) BINARY_##name,
#include "graph/arithmetic.def"
#undef BINARY
};

static struct interval combine(enum binary binary, struct interval a, struct interval b)
{
    switch (binary) {
    case BINARY_add:
        return interval_round((struct interval){a.low + b.low, a.high + b.high});
    case BINARY_sub:
        return interval_round((struct interval){a.low - b.high, a.high - b.low});
    case BINARY_mul:
        return interval_round(interval_multiply(a, b));
    case BINARY_div:
        return interval_round(interval_divide(a, b));
    case BINARY_max:
        return (struct interval){fmax(a.low, b.low), fmax(a.high, b.high)};
    case BINARY_min:
        return (struct interval){fmin(a.low, b.low), fmin(a.high, b.high)};
    case BINARY_greater:
    case BINARY_greater_or_equal:
    case BINARY_less:
    case BINARY_less_or_equal:
    case BINARY_equal:
    case BINARY_both:
    case BINARY_either:
    case BINARY_differ:
        return (struct interval){0, 1};
    case BINARY_when:
    case BINARY_unless:
        return interval_join(b, (struct interval){0, 0});
    default:
        return interval_all;
    }
}

/* Where operand i's elements lie that meet channel after channel of the output: its shape is
 * aligned with that of the output at the last dimension, and repeated where it is 1. */
static const struct interval *meeting(const struct rule_case *c, size_t i)
{
    const struct value *value = rule_input(c, i), *y = c->output;
    const size_t axis = value_channel_axis(y), missing = y->shape.rank - value->shape.rank;
    struct interval *along = c->scratch[i];
    if (axis >= missing && y->shape.rank > 0 && value->shape.dims[axis - missing] == y->channels) {
        bounds_along(rule_bounds(c, i), value, axis - missing, along);
        return along;
    }
    const struct interval all = bounds_join(rule_bounds(c, i));
    for (size_t channel = 0; channel < y->channels; channel++)
        along[channel] = all;
    return along;
}

static void rule_arithmetic(const struct rule_case *c, struct interval *y)
{
    const struct interval *a = meeting(c, 0), *b = meeting(c, 1);
    for (size_t i = 0; i < c->output->channels; i++)
        y[i] = combine((enum binary)c->node->detail, a[i], b[i]);
}

enum unary {
#define UNARY(name, onnx_op, formula) UNARY_##name,
#include "graph/arithmetic.def"
#undef UNARY
};

/* Of functions that do not fall anywhere the ends are those of the result. */
static struct interval transform(enum unary unary, struct interval x)
{
    switch (unary) {
    case UNARY_abs:
        return (struct interval){interval_holds(x, 0) ? 0 : fmin(fabs(x.low), fabs(x.high)),
                                 interval_size(x)};
    case UNARY_neg:
        return (struct interval){-x.high, -x.low};
    case UNARY_exp:
        return interval_round((struct interval){exp(x.low), exp(x.high)});
    case UNARY_log:
        return x.low > 0 ? interval_round((struct interval){log(x.low), log(x.high)})
                         : interval_all;
    case UNARY_sqrt:
        return interval_round(interval_of(x.low > 0 ? sqrt(x.low) : 0, sqrt(x.high)));
    case UNARY_erf:
        return interval_round((struct interval){erf(x.low), erf(x.high)});
    case UNARY_reciprocal:
        return interval_round(interval_divide((struct interval){1, 1}, x));
    case UNARY_floor:
        return (struct interval){floor(x.low), floor(x.high)};
    case UNARY_ceil:
        return (struct interval){ceil(x.low), ceil(x.high)};
    case UNARY_round:
        return (struct interval){rint(x.low), rint(x.high)};
    case UNARY_sign:
    case UNARY_softsign:
        return (struct interval){-1, 1};
    case UNARY_negation:
    case UNARY_truth:
        return (struct interval){0, 1};
    default:
        return interval_all;
    }
}

static void rule_unary(const struct rule_case *c, struct interval *y)
{
    const struct interval *x = rule_channels(c, 0);
    for (size_t i = 0; i < c->output->channels; i++)
        y[i] = transform((enum unary)c->node->detail, x[i]);
}

/* Reductions */

enum reduction {
#define REDUCE(name, onnx_op, begin, step, result) REDUCE_##name,
#include "graph/arithmetic.def"
#undef REDUCE
};

static struct interval reduce(enum reduction reduction, struct interval x, size_t count)
{
    const double times = (double)count;
    switch (reduction) {
    case REDUCE_sum:
        return interval_widen((struct interval){x.low * times, x.high * times},
                              rule_sum_error(count, interval_size(x) * times));
    case REDUCE_mean:
        return mean(x, count);
    case REDUCE_max:
    case REDUCE_min:
        return x;
    default:
        return interval_all;
    }
}

/* The dimension of the input that becomes the output's channels; SIZE_MAX for none. */
static size_t kept_dimension(const struct value *x, const struct value *y, unsigned axes)
{
    size_t kept = 0;
    const size_t axis = value_channel_axis(y);
    if (x->shape.rank == y->shape.rank)
        return axes >> axis & 1 ? SIZE_MAX : axis;
    for (size_t i = 0; i < x->shape.rank; i++)
        if (!(axes >> i & 1) && kept++ == axis)
            return i;
    return SIZE_MAX;
}

static void rule_reduce(const struct rule_case *c, struct interval *y)
{
    const struct value *x = rule_input(c, 0), *output = c->output;
    const unsigned detail = (unsigned)c->node->detail;
    const enum reduction reduction = (enum reduction)(detail % (1 << REDUCTION_BITS));
    const size_t kept = kept_dimension(x, output, detail >> REDUCTION_BITS);
    const size_t count = x->features / output->features;
    if (kept == SIZE_MAX) {
        fill(c, y, reduce(reduction, bounds_join(rule_bounds(c, 0)), count));
        return;
    }
    bounds_along(rule_bounds(c, 0), x, kept, c->scratch[0]);
    for (size_t i = 0; i < output->channels; i++)
        y[i] = reduce(reduction, c->scratch[0][i], count);
}

/* Moves */

/* The dimensions along which neither the bounds of what is read nor the channel that is written
 * change are left out of the walk. */
static void shorten(const struct move *move, const struct value *from, const struct bounds *bounds,
                    const struct value *to, size_t dims[TENSOR_RANK_MAX])
{
    const ptrdiff_t read = (ptrdiff_t)from->stride, written = (ptrdiff_t)to->stride;
    for (size_t i = 0; i < move->rank; i++) {
        const bool same = bounds->count == from->channels && move->from[i] % read == 0 &&
                          move->to[i] % written == 0;
        dims[i] = same ? 1 : move->dims[i];
    }
}

static void move_bounds(const struct rule_case *c, const struct move *move, struct interval *y)
{
    const struct value *from = rule_input(c, move->input), *to = c->output;
    const struct bounds *bounds = rule_bounds(c, move->input);
    size_t dims[TENSOR_RANK_MAX], at[TENSOR_RANK_MAX] = {0}, i = 0;
    ptrdiff_t read = move->from_first, written = move->to_first;
    shorten(move, from, bounds, to, dims);
    while (i != SIZE_MAX) {
        struct interval *channel = &y[(size_t)written % to->stride];
        *channel = interval_join(*channel, bounds_at(bounds, from, (size_t)read));
        for (i = move->rank; i-- > 0;) {
            read += move->from[i];
            written += move->to[i];
            if (++at[i] < dims[i])
                break;
            read -= move->from[i] * (ptrdiff_t)dims[i];
            written -= move->to[i] * (ptrdiff_t)dims[i];
            at[i] = 0;
        }
    }
}

static void rule_move(const struct rule_case *c, struct interval *y)
{
    const double with = (double)c->node->numbers[0];
    const struct interval filled = interval_of(with, with);
    fill(c, y, c->node->fills ? filled : (struct interval){INFINITY, -INFINITY});
    for (size_t i = 0; i < c->node->move_count; i++)
        move_bounds(c, &c->node->moves[i], y);
}

/* The addition of a residual is rounded once. */
static void add_residual(const struct rule_case *c, struct interval *y)
{
    const struct interval *residual = rule_channels(c, 1);
    for (size_t i = 0; i < c->output->channels; i++)
        y[i] = combine(BINARY_add, y[i], residual[i]);
}

void rule_apply(const struct rule_case *c, struct interval *y)
{
    static void (*const rules[OP_COUNT])(const struct rule_case *c, struct interval *y) = {
#define OP(name, kind) rule_##name,
#include "graph/ops.def"
#undef OP
    };
    rules[c->node->op](c, y);
    if (op_has_units(c->node->op) && c->node->op != OP_activation && c->node->input_count > 1)
        add_residual(c, y);
}
