#include "complaints.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "cpu.h"
#include "log.h"
#include "status.h"

enum { CODES_MAX = 64, PAUSE_NS = 1000000000 };

struct complaint {
    const char *code; /* static; NULL: the place is free */
    int status;
    uint64_t count;    /* not written yet */
    uint64_t quiet_ns; /* until then nothing is written */
    char reason[ERROR_MESSAGE_BYTES];
};

static struct complaint complaints[CODES_MAX]; /* under lock */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The code's place, or a free one. The last place takes what finds no other. */
static struct complaint *find(const char *code)
{
    struct complaint *last = &complaints[CODES_MAX - 1];
    for (struct complaint *c = complaints; c < last; c++)
        if (!c->code || strcmp(c->code, code) == 0)
            return c;
    return last;
}

static void write_due(struct complaint *complaint, uint64_t now_ns)
{
    struct log_line line;
    enum log_level level = complaint->status >= 500 ? LOG_WARNING : LOG_INFO;
    if (complaint->count == 0 || now_ns < complaint->quiet_ns)
        return;
    if (log_wants(level)) {
        log_begin(&line, level, "refused");
        log_text(&line, "code", complaint->code);
        log_number(&line, "status", (uint64_t)complaint->status);
        log_number(&line, "count", complaint->count);
        log_text(&line, "reason", complaint->reason);
        log_end(&line);
    }
    complaint->count = 0;
    complaint->quiet_ns = now_ns + PAUSE_NS;
}

void complaints_note(int status, const char *code, const char *reason)
{
    uint64_t now_ns = cpu_clock_ns();
    pthread_mutex_lock(&lock);
    struct complaint *complaint = find(code);
    complaint->code = code;
    complaint->status = status;
    complaint->count++;
    snprintf(complaint->reason, sizeof complaint->reason, "%s", reason);
    write_due(complaint, now_ns);
    pthread_mutex_unlock(&lock);
}

void complaints_flush(uint64_t now_ns)
{
    pthread_mutex_lock(&lock);
    for (struct complaint *c = complaints; c < complaints + CODES_MAX && c->code; c++)
        write_due(c, now_ns);
    pthread_mutex_unlock(&lock);
}
