#include "pattern.h"

#include <string.h>

/* What follows at pattern, "[…]": the inside when path goes on with its literal beginning, else
 * what stands behind. */
static const char *enter_optional(const char *pattern, const char *path)
{
    size_t literal = strcspn(pattern + 1, "{]");
    bool present = strncmp(pattern + 1, path, literal) == 0;
    return present ? pattern + 1 : strchr(pattern, ']') + 1;
}

static struct capture *captured(struct captures *captures, char letter)
{
    return letter == 'm' ? &captures->model : letter == 'v' ? &captures->version : &captures->file;
}

bool pattern_fits(const char *pattern, const char *path, struct captures *captures)
{
    *captures = (struct captures){.model.text = NULL};
    while (*pattern) {
        if (*pattern == '[') {
            pattern = enter_optional(pattern, path);
        } else if (*pattern == ']') {
            pattern++;
        } else if (*pattern == '{') {
            struct capture *capture = captured(captures, pattern[1]);
            *capture = (struct capture){path, strcspn(path, "/")};
            if (capture->length == 0)
                return false;
            path += capture->length;
            pattern += strlen("{m}");
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}
