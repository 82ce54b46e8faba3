/* repository: what the tests of models that come, change and go have in common. */
#ifndef RELUD_TEST_REPOSITORY_H
#define RELUD_TEST_REPOSITORY_H

#include "scene.h"
#include "tree.h"

/* Two networks of one signature. */
#define NETWORK_A DIGITS "/model.onnx"
#define NETWORK_B DIGITS_DYING "/model.onnx"

enum { PROBES = 20 };

/* What the two networks answer to the first rows. */
struct answers {
    float a[PROBES * SCORES], b[PROBES * SCORES];
};

void learn(struct answers *answers);

/* Fails the test unless the model asked for by POST path gives these answers. */
void expect_answers(const struct daemon *daemon, const char *path, const float *expected);

/* Fails the test unless a good request to POST path is refused so. */
void expect_refusal(const struct daemon *daemon, const char *path, long status, const char *code,
                    const char *part);

/* Text of a model's entry in /models, "" for none; it lives until the next call. */
const char *text_of(const struct daemon *daemon, const char *name, const char *version,
                    const char *key);

/* SIGHUP; waits until the log says event count times more. */
void reload_until(const struct daemon *daemon, const char *event, size_t count);

/* "samples" of GET path. */
uint64_t samples(const struct daemon *daemon, const char *path);

#endif
