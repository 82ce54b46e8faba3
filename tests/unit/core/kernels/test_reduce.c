/* softmax against double precision, in guarded buffers. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "guarded.h"
#include "isas.h"
#include "panel.h"
#include "randoms.h"
#include "reference.h"

struct row {
    double max, sum;
    double spread; /* sum of e^(x - max) |x - max|, over the sum */
};

static struct row measure(size_t n, const float *x)
{
    struct row row = {-INFINITY, 0, 0};
    for (size_t i = 0; i < n; i++)
        row.max = fmax(row.max, (double)x[i]);
    for (size_t i = 0; i < n; i++) {
        const double d = (double)x[i] - row.max;
        row.sum += exp(d);
        row.spread += exp(d) * fabs(d);
    }
    row.spread /= row.sum;
    return row;
}

/* u = 2^-24. x - max is rounded once, which moves e^(x - max) by |x - max| u, relatively; exp adds
 * 2 ulp = 4 u; the sum has the same errors, weighted, and n / 16 + 5 additions; the division u. A
 * result below 2^-126 is off by up to 2 denormals more. */
static double allowed(const struct row *row, size_t n, double d)
{
    const double u = 0x1p-24;
    const double relative = u * (fabs(d) + row->spread + 4 + 4 + (double)n / 16 + 5 + 1);
    return relative * exp(d) / row->sum + 0x1p-148;
}

static void check_row(const struct kernels *kernels, size_t n, const float *x, const float *y)
{
    const struct row row = measure(n, x);
    for (size_t i = 0; i < n; i++) {
        const double d = (double)x[i] - row.max, expected = exp(d) / row.sum;
        if (!(fabs((double)y[i] - expected) <= allowed(&row, n, d)))
            cr_assert_fail("%s: n %zu: y[%zu] is %a, expected %a", kernels->name, n, i,
                           (double)y[i], expected);
    }
}

static void check_shape(const struct kernels *kernels, struct randoms *random, size_t rows,
                        size_t n, float scale)
{
    struct guarded memory = {.count = 0};
    const size_t padded = panel_padded(n);
    float *x = guarded_alloc(&memory, rows * n, sizeof *x);
    float *y = guarded_alloc(&memory, rows * padded, sizeof *y);
    random_floats(random, RANDOM_PLAIN, x, rows * n);
    for (size_t i = 0; i < rows * n; i++)
        x[i] *= scale;
    kernels->softmax(rows, n, x, n, y, padded);
    for (size_t row = 0; row < rows; row++)
        check_row(kernels, n, x + row * n, y + row * padded);
    guarded_free(&memory);
}

static void check_sizes(const struct kernels *kernels)
{
    static const float scales[] = {0.01f, 3.0f, 40.0f, 200.0f, 1e4f, 3e38f};
    struct randoms random = {12};
    for (size_t n = 1; n <= 40; n++)
        for (size_t i = 0; i < sizeof scales / sizeof scales[0]; i++)
            check_shape(kernels, &random, random_between(&random, 1, 5), n, scales[i]);
    check_shape(kernels, &random, 2, 1000, 10.0f);
    check_shape(kernels, &random, 1, 100003, 5.0f);
}

Test(softmax, agrees_with_double)
{
    for_each_isa(check_sizes);
}

/* A row that holds NaN or +inf, or nothing but -inf, is NaN throughout; others are untouched. */
static void check_poison(const struct kernels *kernels)
{
    static const float poisons[] = {NAN, -NAN, INFINITY};
    for (size_t n = 1; n <= 40; n++) {
        for (size_t at = 0; at < n; at += 7) {
            float x[3 * 40] = {0}, y[3 * 48];
            x[n + at] = poisons[at % 3];
            kernels->softmax(3, n, x, n, y, 48);
            for (size_t i = 0; i < n; i++)
                cr_assert(isnan(y[48 + i]) && y[i] == y[96 + i] && y[i] > 0,
                          "%s: n %zu, poison at %zu: y[%zu]", kernels->name, n, at, i);
        }
    }
}

Test(softmax, nan_and_infinity_poison_their_row)
{
    for_each_isa(check_poison);
}

static void check_minus_infinity(const struct kernels *kernels)
{
    const float x[2 * 3] = {-INFINITY, 0.0f, 0.0f, -INFINITY, -INFINITY, -INFINITY};
    float y[2 * 16];
    kernels->softmax(2, 3, x, 3, y, 16);
    cr_assert(y[0] == 0.0f && y[1] == 0.5f && y[2] == 0.5f, "%s", kernels->name);
    cr_assert(isnan(y[16]) && isnan(y[17]) && isnan(y[18]), "%s", kernels->name);
}

Test(softmax, minus_infinity_is_probability_zero)
{
    for_each_isa(check_minus_infinity);
}

static void check_in_place(const struct kernels *kernels)
{
    struct randoms random = {13};
    for (size_t n = 1; n <= 40; n++) {
        float x[2 * 48], y[2 * 48];
        random_floats(&random, RANDOM_PLAIN, x, 2 * 48);
        kernels->softmax(2, n, x, 48, y, 48);
        kernels->softmax(2, n, x, 48, x, 48);
        cr_assert(memcmp(x, y, n * sizeof *x) == 0 && memcmp(x + 48, y + 48, n * sizeof *x) == 0,
                  "%s: n %zu", kernels->name, n);
    }
}

Test(softmax, may_be_done_in_place)
{
    for_each_isa(check_in_place);
}

static void check_same(const struct kernels *a, const struct kernels *b)
{
    struct randoms random = {14};
    for (size_t n = 1; n <= 300; n++) {
        float x[300], from_a[304], from_b[304];
        random_floats(&random, n % 3 ? RANDOM_PLAIN : RANDOM_FINITE, x, n);
        for (size_t i = 0; i < n; i++)
            x[i] *= (float)(n % 7 * 10);
        a->softmax(1, n, x, n, from_a, 304);
        b->softmax(1, n, x, n, from_b, 304);
        cr_assert(memcmp(from_a, from_b, n * sizeof *x) == 0, "%s and %s: n %zu", a->name, b->name,
                  n);
    }
}

Test(softmax, bits_do_not_depend_on_the_instruction_set)
{
    for_each_other_isa(check_same);
}
