#include "subject.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "randoms.h"

static size_t count_numbers(const struct model *model)
{
    size_t numbers = 0;
    for (size_t i = 0; i < model->graph.output_count; i++)
        numbers += model->outputs[i].features;
    return numbers;
}

static size_t count_words(const struct model *model)
{
    size_t words = count_numbers(model);
    for (size_t i = 0; i < model->plan.layer_count; i++)
        words += model->plan.layers[i].units + 1;
    return words;
}

void subject_answer(const struct session *session, size_t row, uint32_t *answer)
{
    const struct plan *plan = session->plan;
    for (size_t i = 0; i < plan->graph->output_count; i++) {
        session_output(session, i, row, (float *)(void *)answer);
        answer += plan->graph->values[plan->graph->outputs[i]].features;
    }
    for (size_t i = 0; i < plan->layer_count; i++) {
        const uint64_t *bits = session_bits(session, i, row);
        for (size_t unit = 0; unit < plan->layers[i].units; unit++)
            *answer++ = bits[unit / 64] >> unit % 64 & 1;
        *answer++ = (uint32_t)session_fired(session, i, row);
    }
}

/* Plain numbers among zeros of both signs and denormals; some rows are mostly zeros, some all
 * denormals or zeros. */
static float *draw_rows(uint64_t seed, size_t features)
{
    struct randoms random = {seed};
    float *x = malloc(SUBJECT_ROWS * features * sizeof *x);
    for (size_t row = 0; row < SUBJECT_ROWS; row++) {
        float *to = x + row * features;
        const float scale = row % 7 == 1 ? 0.0f : row % 7 == 2 ? 0x1p-130f : 1.0f;
        random_floats(&random, row % 3 ? RANDOM_SMALL : RANDOM_SPARSE, to, features);
        for (size_t i = 0; i < features; i++)
            to[i] *= scale;
    }
    return x;
}

void subject_session(const struct subject *subject, struct session *session)
{
    struct error error;
    cr_assert(session_open(session, &subject->model.plan, subject->kernels, STATS_full,
                           SUBJECT_ROWS, &error) == STATUS_OK,
              "%s", error.message);
}

void subject_run(const struct subject *subject, struct session *session, size_t first, size_t rows)
{
    session_bind(session, 0, subject->x + first * subject->model.inputs[0].features);
    session_begin(session, rows);
    while (!session_advance(session, UINT64_MAX))
        ;
}

static void answer_alone(struct subject *subject)
{
    struct session session;
    subject_session(subject, &session);
    session.skip = SKIP_NEVER;
    for (size_t row = 0; row < SUBJECT_ROWS; row++) {
        subject_run(subject, &session, row, 1);
        subject_answer(&session, 0, subject->alone + row * subject->answer_words);
    }
    session_close(&session);
}

void subject_open(struct subject *subject, const struct kernels *kernels, uint64_t seed)
{
    struct error error;
    *subject = (struct subject){.seed = seed, .kernels = kernels};
    onnx_open(&subject->onnx);
    random_net(&subject->onnx, seed);
    cr_assert(onnx_load(&subject->onnx, &subject->model, &error) == STATUS_OK, "net %d: %s",
              (int)seed, error.message);
    subject->numbers = count_numbers(&subject->model);
    subject->answer_words = count_words(&subject->model);
    subject->x = draw_rows(seed, subject->model.inputs[0].features);
    subject->alone = malloc(SUBJECT_ROWS * subject->answer_words * sizeof *subject->alone);
    answer_alone(subject);
}

void subject_close(struct subject *subject)
{
    free(subject->x);
    free(subject->alone);
    model_close(&subject->model);
    onnx_close(&subject->onnx);
}
