/* log: one line per event on standard error, as logfmt or JSON. Thread-safe. */
#ifndef RELUD_LOG_H
#define RELUD_LOG_H

#include <stddef.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/* level and format as the options name them; both must be valid. */
void log_init(const char *level, const char *format);

/* An event with pairs of text: log_event(LOG_INFO, "model loaded", "name", "digits"). */
#define log_event(level, ...) log_write(level, __VA_ARGS__, (const char *)NULL)

void log_write(enum log_level level, const char *event, ...) __attribute__((sentinel));

#endif
