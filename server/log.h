/* log: one line per event on standard error, as logfmt or JSON. Thread-safe. */
#ifndef RELUD_LOG_H
#define RELUD_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/* level and format as the options name them; both must be valid. */
void log_init(const char *level, const char *format);

/* An event with pairs of text: log_event(LOG_INFO, "model loaded", "name", "digits"). */
#define log_event(level, ...) log_write(level, __VA_ARGS__, (const char *)NULL)

void log_write(enum log_level level, const char *event, ...) __attribute__((sentinel));

/* Whether events of that level are logged. */
bool log_wants(enum log_level level);

/* The same piece by piece, whatever the level: between log_begin() and log_end() pairs of a key and
 * a text or a number. */
struct log_line {
    struct text text; /* owned between the two */
};
void log_begin(struct log_line *line, enum log_level level, const char *event);
void log_text(struct log_line *line, const char *key, const char *value);
void log_number(struct log_line *line, const char *key, uint64_t value);
void log_end(struct log_line *line);

#endif
