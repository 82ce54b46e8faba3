/* scene: what the API tests share: the digits, request bodies, what a reply must look like. */
#ifndef RELUD_TEST_SCENE_H
#define RELUD_TEST_SCENE_H

#include <jansson.h>
#include <stdint.h>

#include "client.h"
#include "daemon.h"

#define DIGITS       "models/digits"
#define DIGITS_DYING "models/digits-dying"

enum { DIGITS_ROWS = 1797, PIXELS = 64, SCORES = 10 };

struct digits {
    const char *lines[DIGITS_ROWS]; /* "0,0,5,…" */
    float pixels[DIGITS_ROWS][PIXELS];
    char labels[DIGITS_ROWS];
};

/* The data set, read once. */
const struct digits *digits(void);

/* {"inputs":[[…],…]TAIL} with count rows from first on, round the end; the caller frees it. */
char *digits_body(size_t first, size_t count, const char *tail);

/* The body of one good request, of the first row. */
const char *good_body(void);

/* Fails the test unless reply is a JSON answer with that status. what names the case. */
void expect_json(const struct reply *reply, long status, const char *what);

/* … an error with that code, its sentence containing part, and nothing else. */
void expect_error(const struct reply *reply, long status, const char *code, const char *part,
                  const char *what);

/* … unless the daemon says that it is alive and answers a good request. */
void expect_alive(const struct daemon *daemon, const char *what);

/* Runs relud with these arguments and expects that exit code; command_free() frees what it said.
 * Failing, it says one sentence with part in it, and nothing else. */
void expect_command(int status, const char *const *arguments, struct command *command);
void expect_command_fails(int status, const char *part, const char *const *arguments);

/* The reply's body parsed; the caller releases it. */
json_t *json_of(const struct reply *reply);

/* The same for GET path, which must answer 200. */
json_t *get_json(const struct daemon *daemon, const char *path);

/* The integers of an array, nested or not, added up. */
uint64_t sum_of(const json_t *array);

/* The numbers under "outputs" in the order of the text, read by strtof; returns how many. */
size_t outputs_of(const struct reply *reply, float *y, size_t room);

/* The outputs of rows from first on, one by one in raw form: the reference for their bits. */
void raw_scores(const struct daemon *daemon, const char *path, size_t first, size_t count,
                float *scores);

bool same_bits(const float *a, const float *b, size_t count);

#endif
