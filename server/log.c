#include "log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

static const char *const level_names[] = {"debug", "info", "warning", "error"};

static enum log_level least = LOG_INFO;
static bool as_json;

void log_init(const char *level, const char *format)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++)
        if (strcmp(level_names[i], level) == 0)
            least = (enum log_level)i;
    as_json = strcmp(format, "json") == 0;
}

static void put_time(char text[32])
{
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t length = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + length, 32 - length, ".%03ldZ", now.tv_nsec / 1000000);
}

static void put_pair(struct text *line, const char *key, const char *value)
{
    bool quoted = as_json || value[0] == '\0' || strpbrk(value, " =\"\\\n\r\t") != NULL;
    text_put(line, line->count > 1 ? (as_json ? "," : " ") : "");
    text_format(line, as_json ? "\"%s\":" : "%s=", key);
    if (quoted)
        text_quote(line, value, strlen(value));
    else
        text_put(line, value);
}

void log_write(enum log_level level, const char *event, ...)
{
    struct text line = {.bytes = NULL};
    char time[32];
    if (level < least)
        return;
    put_time(time);
    text_put(&line, as_json ? "{" : "");
    put_pair(&line, "time", time);
    put_pair(&line, "level", level_names[level]);
    put_pair(&line, "event", event);
    va_list pairs;
    va_start(pairs, event);
    for (const char *key; (key = va_arg(pairs, const char *));)
        put_pair(&line, key, va_arg(pairs, const char *));
    va_end(pairs);
    text_put(&line, as_json ? "}\n" : "\n");
    /* One write per line, so that lines of several threads do not mix; if it fails, whom to tell?
     */
    if (!line.failed) {
        ssize_t written = write(STDERR_FILENO, line.bytes, line.count);
        (void)written;
    }
    text_free(&line);
}
