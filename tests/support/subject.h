/* subject: a random network, the rows it is asked, and what each is answered alone. */
#ifndef RELUD_TESTS_SUBJECT_H
#define RELUD_TESTS_SUBJECT_H

#include "graph/session.h"
#include "random_net.h"

enum { SUBJECT_NETS = 10 /* seeds 1 to 10 hold every kind of block */, SUBJECT_ROWS = 73 };

struct subject {
    struct onnx_builder onnx;
    struct model model;
    uint64_t seed;
    const struct kernels *kernels;
    size_t numbers;      /* of all outputs of a row */
    size_t answer_words; /* of a row */
    float *x;            /* [SUBJECT_ROWS, features] */
    uint32_t *alone;     /* [SUBJECT_ROWS, answer_words] */
};

void subject_open(struct subject *subject, const struct kernels *kernels, uint64_t seed);
void subject_close(struct subject *subject);

/* Opens a session at level full with room for all rows. */
void subject_session(const struct subject *subject, struct session *session);

/* Runs rows of the subject, from first on. */
void subject_run(const struct subject *subject, struct session *session, size_t first, size_t rows);

/* What a row of the last run was answered: the outputs; then of each layer which units were active,
 * and in how many observations units were. */
void subject_answer(const struct session *session, size_t row, uint32_t *answer);

#endif
