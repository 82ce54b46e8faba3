/* status: how a fallible function says what went wrong.
 *
 * A fallible function returns an enum status and takes a struct error * last. On failure the
 * message is one sentence without a full stop: what was expected, what was found, where. Errors are
 * built once, at the place that knows most, and passed up unchanged; error_prefix() adds the where
 * (a file, a model). */
#ifndef RELUD_STATUS_H
#define RELUD_STATUS_H

#include <stdarg.h>

enum status {
#define STATUS(name, text) STATUS_##name,
#include "status.def"
#undef STATUS
};

enum { ERROR_MESSAGE_BYTES = 512 };

struct error {
    enum status status;
    char message[ERROR_MESSAGE_BYTES]; /* truncated with "…" when longer */
};

/* The snake_case name of a status. */
const char *status_text(enum status status);

/* Fills error (which may be NULL) and returns status, so that callers can `return error_set(…)`.
 * The message stays one line: control characters become question marks. */
enum status error_set(struct error *error, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "<prefix>: " in front of the message; returns the status it carries. */
enum status error_prefix(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
