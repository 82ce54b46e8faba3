/* MatMul and Gemm where one factor, or both, are computed: each result is the chain a dense layer
 * would have made. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "graph/session.h"
#include "onnx_builder.h"
#include "randoms.h"
#include "reference.h"

enum { RANK_MAX = 4, ROWS = 3, ROOM = 40000 };

/* One factor: the shape of a row of an input, or of a constant. */
struct factor {
    bool constant;
    size_t rank;
    int64_t dims[RANK_MAX];
};

struct product {
    struct factor left, right;
    size_t rank; /* of a row of the result */
    int64_t dims[RANK_MAX];
};

static float numbers[2][ROWS * ROOM], y[ROWS * ROOM];

static size_t count_of(const struct factor *factor)
{
    size_t count = 0;
    cr_assert(dims_count(factor->dims, factor->rank, &count) && count <= ROOM);
    return count;
}

/* Numbers of row of a factor. */
static const float *row_of(const struct product *p, size_t which, size_t row)
{
    const struct factor *factor = which ? &p->right : &p->left;
    return numbers[which] + (factor->constant ? 0 : row * count_of(factor));
}

/* The matrix of a factor that stands at matrix of a result of count matrices: there are as many, or
 * one for all. */
static size_t matrix_at(const struct factor *factor, size_t size, size_t matrix)
{
    return count_of(factor) == size ? 0 : matrix * size;
}

static void check_row(const struct product *p, const struct kernels *kernels, size_t row,
                      const float *found)
{
    const struct factor *left = &p->left, *right = &p->right;
    const size_t k = (size_t)left->dims[left->rank - 1];
    const size_t m = left->rank > 1 ? (size_t)left->dims[left->rank - 2] : 1;
    const size_t n = right->rank > 1 ? (size_t)right->dims[right->rank - 1] : 1;
    size_t count = 0;
    cr_assert(dims_count(p->dims, p->rank, &count));
    for (size_t i = 0; i < count; i++) {
        const size_t matrix = i / n / m;
        const float *x = row_of(p, 0, row) + matrix_at(left, m * k, matrix) + i / n % m * k;
        const float *weights = row_of(p, 1, row) + matrix_at(right, k * n, matrix) + i % n;
        const float expected = reference_chain(reference_fused(kernels), k, x, weights, n, 0);
        cr_assert(memcmp(&found[i], &expected, sizeof expected) == 0,
                  "%s, row %zu, element %zu: expected %g, found %g", kernels->name, row, i,
                  (double)expected, (double)found[i]);
    }
}

/* rows: -1 is an open batch, 0 none at all. */
static void add_factor(struct onnx_builder *builder, const char *name, const struct factor *factor,
                       size_t which, int64_t rows)
{
    int64_t dims[RANK_MAX + 1] = {rows};
    memcpy(dims + 1, factor->dims, sizeof factor->dims);
    if (factor->constant)
        onnx_initializer(builder,
                         onnx_floats(builder, name, factor->rank, factor->dims, numbers[which]));
    else if (rows)
        onnx_input(builder, name, factor->rank + 1, dims);
    else
        onnx_input(builder, name, factor->rank, factor->dims);
}

static void run(const struct model *model, const struct product *p, const struct kernels *kernels,
                size_t rows)
{
    struct session session;
    struct error error;
    size_t input = 0;
    cr_assert(session_open(&session, &model->plan, kernels, STATS_off, rows, &error) == STATUS_OK);
    for (size_t which = 0; which < 2; which++)
        if (!(which ? &p->right : &p->left)->constant)
            session_bind(&session, input++, numbers[which]);
    session_begin(&session, rows);
    cr_assert(session_advance(&session, UINT64_MAX));
    for (size_t row = 0; row < rows; row++) {
        session_output(&session, 0, row, y);
        check_row(p, kernels, row, y);
    }
    session_close(&session);
}

static void load(struct onnx_builder *builder, struct model *model)
{
    struct error error;
    onnx_output(builder, "y");
    cr_assert(onnx_load(builder, model, &error) == STATUS_OK, "%s", error.message);
    onnx_close(builder);
}

static void randomise(uint64_t seed)
{
    struct randoms random = {seed};
    random_floats(&random, RANDOM_PLAIN, numbers[0], ROWS * ROOM);
    random_floats(&random, RANDOM_PLAIN, numbers[1], ROWS * ROOM);
}

static void check(const struct product *p, bool batch)
{
    struct onnx_builder builder;
    struct model model;
    size_t isas;
    const struct kernels *const *kernels = kernels_usable(&isas);
    onnx_open(&builder);
    add_factor(&builder, "a", &p->left, 0, batch ? -1 : 0);
    add_factor(&builder, "b", &p->right, 1, batch ? -1 : 0);
    onnx_node(&builder, "MatMul", "", "a b", "y");
    load(&builder, &model);
    const struct port *port = &model.outputs[0];
    cr_assert(model.whole == !batch && port->rank == p->rank + batch);
    cr_assert(memcmp(port->dims + batch, p->dims, p->rank * sizeof *p->dims) == 0);
    for (size_t i = 0; i < isas; i++) {
        run(&model, p, kernels[i], 1);
        if (batch)
            run(&model, p, kernels[i], ROWS);
    }
    model_close(&model);
}

Test(onnx_matmul, factors_of_every_shape)
{
    static const struct product products[] = {
        {{false, 2, {2, 3}}, {false, 2, {3, 4}}, 2, {2, 4}},
        {{false, 2, {80, 3}}, {false, 2, {3, 300}}, 2, {80, 300}},
        {{false, 2, {5, 600}}, {false, 2, {600, 17}}, 2, {5, 17}},
        {{false, 3, {5, 2, 3}}, {false, 3, {5, 3, 4}}, 3, {5, 2, 4}},
        {{false, 3, {1, 2, 3}}, {false, 3, {5, 3, 4}}, 3, {5, 2, 4}},
        {{false, 3, {5, 2, 3}}, {false, 3, {1, 3, 4}}, 3, {5, 2, 4}},
        {{false, 4, {2, 3, 4, 5}}, {false, 4, {2, 3, 5, 7}}, 4, {2, 3, 4, 7}},
        {{false, 2, {2, 3}}, {true, 2, {3, 4}}, 2, {2, 4}},
        {{false, 2, {2, 3}}, {true, 3, {1, 3, 4}}, 2, {2, 4}},
        {{false, 2, {2, 3}}, {true, 1, {3}}, 1, {2}},
        {{false, 1, {3}}, {true, 1, {3}}, 0, {0}},
        {{false, 3, {5, 2, 3}}, {true, 3, {5, 3, 4}}, 3, {5, 2, 4}},
        {{true, 2, {2, 3}}, {false, 2, {3, 4}}, 2, {2, 4}},
        {{true, 3, {1, 2, 3}}, {false, 2, {3, 4}}, 2, {2, 4}},
        {{true, 1, {3}}, {false, 2, {3, 4}}, 1, {4}},
        {{true, 1, {3}}, {false, 3, {5, 3, 4}}, 2, {5, 4}},
        {{true, 3, {5, 2, 3}}, {false, 3, {5, 3, 4}}, 3, {5, 2, 4}},
    };
    for (size_t i = 0; i < sizeof products / sizeof products[0]; i++) {
        randomise(i + 1);
        check(&products[i], true);
    }
}

/* Without a batch in front: the file is run whole. */
Test(onnx_matmul, vectors)
{
    static const struct product products[] = {
        {{false, 1, {3}}, {false, 1, {3}}, 0, {0}},
        {{false, 1, {3}}, {false, 2, {3, 4}}, 1, {4}},
        {{false, 2, {2, 3}}, {false, 1, {3}}, 1, {2}},
        {{false, 2, {2, 3}}, {false, 2, {3, 4}}, 2, {2, 4}},
        {{false, 1, {3}}, {false, 3, {5, 3, 4}}, 2, {5, 4}},
        {{false, 3, {5, 2, 3}}, {false, 2, {3, 4}}, 3, {5, 2, 4}},
    };
    for (size_t i = 0; i < sizeof products / sizeof products[0]; i++) {
        randomise(i + 1);
        check(&products[i], false);
    }
}

/* Nobody knows that computed factors are finite: zeros are not skipped against them. */
Test(onnx_matmul, zero_times_infinity_is_not_a_number)
{
    static const struct product p = {{false, 2, {1, 2}}, {false, 2, {2, 1}}, 2, {1, 1}};
    struct onnx_builder builder;
    struct model model;
    struct session session;
    struct error error;
    onnx_open(&builder);
    add_factor(&builder, "a", &p.left, 0, -1);
    add_factor(&builder, "b", &p.right, 1, -1);
    onnx_node(&builder, "MatMul", "", "a b", "y");
    load(&builder, &model);
    cr_assert(session_open(&session, &model.plan, kernels_select("auto", NULL), STATS_off, 1,
                           &error) == STATUS_OK);
    session_bind(&session, 0, (const float[]){0, 1});
    session_bind(&session, 1, (const float[]){INFINITY, 1});
    session_begin(&session, 1);
    cr_assert(session_advance(&session, UINT64_MAX));
    session_output(&session, 0, 0, y);
    cr_assert(isnan(y[0]));
    session_close(&session);
    model_close(&model);
}

/* 2 A' B' + 3 C of a [3, 2], b [4, 3] and a row or a matrix c, all computed. */
static void check_gemm(size_t rank, const int64_t *dims)
{
    static const float a[] = {1, 2, 3, 4, 5, 6}, b[] = {1, 0, 2, 0, 1, 1, 3, 0, 0, 1, 1, 1};
    static const float c[] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct onnx_builder builder;
    struct model model;
    struct session session;
    struct error error;
    onnx_open(&builder);
    onnx_input(&builder, "a", 2, (const int64_t[]){3, 2});
    onnx_input(&builder, "b", 2, (const int64_t[]){4, 3});
    onnx_input(&builder, "c", rank, dims);
    Onnx__NodeProto *gemm = onnx_node(&builder, "Gemm", "", "a b c", "y");
    onnx_int(&builder, gemm, "transA", 1);
    onnx_int(&builder, gemm, "transB", 1);
    onnx_float(&builder, gemm, "alpha", 2);
    onnx_float(&builder, gemm, "beta", 3);
    load(&builder, &model);
    cr_assert(model.whole && model.outputs[0].dims[0] == 2 && model.outputs[0].dims[1] == 4);
    cr_assert(session_open(&session, &model.plan, kernels_select("auto", NULL), STATS_off, 1,
                           &error) == STATUS_OK);
    session_bind(&session, 0, a);
    session_bind(&session, 1, b);
    session_bind(&session, 2, c);
    session_begin(&session, 1);
    cr_assert(session_advance(&session, UINT64_MAX));
    session_output(&session, 0, 0, y);
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < 4; j++) {
            float sum = 0;
            for (size_t k = 0; k < 3; k++)
                sum += a[k * 2 + i] * b[j * 3 + k];
            cr_assert(y[i * 4 + j] == 2 * sum + 3 * c[rank == 2 ? i * 4 + j : j]);
        }
    session_close(&session);
    model_close(&model);
}

Test(onnx_matmul, gemm_of_computed_matrices)
{
    check_gemm(1, (const int64_t[]){4});
    check_gemm(2, (const int64_t[]){2, 4});
}

static void check_refusal(const struct factor *left, const struct factor *right,
                          const char *sentence)
{
    struct onnx_builder builder;
    struct model model;
    struct error error;
    onnx_open(&builder);
    add_factor(&builder, "a", left, 0, -1);
    add_factor(&builder, "b", right, 1, -1);
    onnx_node(&builder, "MatMul", "", "a b", "y");
    onnx_output(&builder, "y");
    cr_assert(onnx_load(&builder, &model, &error) != STATUS_OK);
    cr_assert(strstr(error.message, sentence), "%s", error.message);
    model_close(&model);
    onnx_close(&builder);
}

Test(onnx_matmul, refusals)
{
    static const struct factor row = {false, 1, {3}}, matrix = {false, 2, {3, 4}};
    static const struct factor stack = {false, 3, {5, 3, 4}}, number = {false, 0, {0}};
    static const struct factor other = {false, 3, {6, 4, 2}}, weights = {true, 2, {3, 4}};
    static const struct factor many = {true, 3, {5, 3, 4}}, square = {false, 2, {3, 3}};
    static const struct factor heap = {true, 4, {2, 5, 3, 4}};
    static const struct factor vector = {true, 1, {3}};
    check_refusal(&matrix, &matrix, "a matrix of 4 columns times one of 3 rows");
    check_refusal(&stack, &other, "do not fit");
    check_refusal(&matrix, &weights, "the input has 4");
    check_refusal(&row, &row, "the batch of \"b\" would be multiplied");
    check_refusal(&row, &matrix, "another input");
    check_refusal(&vector, &row, "the batch of \"b\" would be multiplied");
    check_refusal(&number, &weights, "\"a\" has no dimension but its batch");
    check_refusal(&square, &stack, "another input");
    check_refusal(&row, &many, "the constant \"b\" [5, 3, 4] is not the same");
    check_refusal(&square, &heap, "the constant \"b\" [2, 5, 3, 4] is not the same");
}
