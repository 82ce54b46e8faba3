#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

static void put_key(struct text *line, const char *key)
{
    text_put(line, line->count > 1 ? (as_json ? "," : " ") : "");
    text_format(line, as_json ? "\"%s\":" : "%s=", key);
}

bool log_wants(enum log_level level)
{
    return level >= least;
}

void log_begin(struct log_line *line, enum log_level level, const char *event)
{
    char time[32];
    put_time(time);
    line->text = (struct text){.bytes = NULL};
    text_put(&line->text, as_json ? "{" : "");
    log_text(line, "time", time);
    log_text(line, "level", level_names[level]);
    log_text(line, "event", event);
}

/* Whether a word can stand in a line as it is: visible ASCII, and nothing that means something. */
static bool is_plain(const char *value)
{
    size_t length = strlen(value), plain = 0;
    while (value[plain] > ' ' && value[plain] <= '~' && !strchr("=\"\\", value[plain]))
        plain++;
    return length > 0 && plain == length;
}

void log_text(struct log_line *line, const char *key, const char *value)
{
    bool quoted = as_json || !is_plain(value);
    put_key(&line->text, key);
    if (quoted)
        text_quote(&line->text, value, strlen(value));
    else
        text_put(&line->text, value);
}

void log_number(struct log_line *line, const char *key, uint64_t value)
{
    put_key(&line->text, key);
    text_u64(&line->text, value);
}

/* One write per line, so that lines of several threads do not mix; if it fails, whom to tell? */
void log_end(struct log_line *line)
{
    text_put(&line->text, as_json ? "}\n" : "\n");
    if (!line->text.failed) {
        ssize_t written = write(STDERR_FILENO, line->text.bytes, line->text.count);
        (void)written;
    }
    text_free(&line->text);
}

void log_write(enum log_level level, const char *event, ...)
{
    struct log_line line;
    if (!log_wants(level))
        return;
    log_begin(&line, level, event);
    va_list pairs;
    va_start(pairs, event);
    for (const char *key; (key = va_arg(pairs, const char *));)
        log_text(&line, key, va_arg(pairs, const char *));
    va_end(pairs);
    log_end(&line);
}
