#include "status.h"

#include <stdio.h>
#include <string.h>

const char *status_text(enum status status)
{
    static const char *const texts[] = {
#define STATUS(name, text) text,
#include "status.def"
#undef STATUS
    };
    return texts[status];
}

/* Marks a message that did not fit, at a UTF-8 boundary, so that it stays valid text. */
static void mark_truncated(char *message, size_t length)
{
    static const char ellipsis[] = "…";
    if (length < ERROR_MESSAGE_BYTES)
        return;
    size_t cut = ERROR_MESSAGE_BYTES - sizeof ellipsis;
    while (cut > 0 && ((unsigned char)message[cut] & 0xC0) == 0x80)
        cut--;
    memcpy(message + cut, ellipsis, sizeof ellipsis);
}

/* Names in files may hold line ends and what terminals obey. */
static void disarm(char *message)
{
    for (char *c = message; *c; c++)
        if ((unsigned char)*c < ' ' || *c == '\x7F')
            *c = '?';
}

enum status error_set(struct error *error, enum status status, const char *format, ...)
{
    if (!error)
        return status;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    mark_truncated(error->message, length < 0 ? 0 : (size_t)length);
    disarm(error->message);
    error->status = status;
    return status;
}

enum status error_prefix(struct error *error, const char *format, ...)
{
    char prefix[ERROR_MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    struct error old = *error;
    return error_set(error, old.status, "%s: %s", prefix, old.message);
}
