#include "arguments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct flag *find_flag(const struct flag *flags, size_t count, const char *argument)
{
    const size_t length = strcspn(argument, "=");
    for (size_t i = 0; i < count; i++)
        if (strlen(flags[i].name) == length && memcmp(flags[i].name, argument, length) == 0)
            return &flags[i];
    return NULL;
}

static enum status add_item(struct argument_list *list, const char *item, struct error *error)
{
    if (list->count == ARGUMENTS_MAX)
        return error_set(error, STATUS_TOO_LARGE, "expected at most %d arguments of a kind",
                         ARGUMENTS_MAX);
    list->items[list->count++] = item;
    return STATUS_OK;
}

static enum status set_number(const struct flag *flag, const char *value, struct error *error)
{
    char *end;
    errno = 0;
    const double number = strtod(value, &end);
    const bool whole = flag->kind == FLAG_COUNT;
    /* strtod takes more than decimals: names of infinities, hexadecimal digits. */
    const bool decimal =
        value[0] && strspn(value, whole ? "0123456789" : "0123456789.eE+-") == strlen(value);
    if (!decimal || *end || errno || !(number >= flag->least && number <= flag->most))
        return error_set(error, STATUS_INVALID,
                         "%s: expected a %snumber from %.15g to %.15g, "
                         "found \"%s\"",
                         flag->name, whole ? "whole " : "", flag->least, flag->most, value);
    if (whole)
        *(uint64_t *)flag->to = (uint64_t)number;
    else
        *(double *)flag->to = number;
    return STATUS_OK;
}

static enum status set_flag(const struct flag *flag, const char *value, struct error *error)
{
    switch (flag->kind) {
    case FLAG_SWITCH:
        *(bool *)flag->to = true;
        return STATUS_OK;
    case FLAG_TEXT:
        *(const char **)flag->to = value;
        return STATUS_OK;
    case FLAG_LIST:
        return add_item(flag->to, value, error);
    case FLAG_COUNT:
    case FLAG_NUMBER:
        return set_number(flag, value, error);
    }
    return STATUS_OK;
}

enum status arguments_read(int count, char *const *argv, const struct flag *flags,
                           size_t flag_count, struct argument_list *paths, struct error *error)
{
    for (int i = 0; i < count; i++) {
        if (argv[i][0] != '-' || !argv[i][1]) {
            if (add_item(paths, argv[i], error) != STATUS_OK)
                return error->status;
            continue;
        }
        const struct flag *flag = find_flag(flags, flag_count, argv[i]);
        const char *equals = strchr(argv[i], '=');
        if (!flag || (flag->kind == FLAG_SWITCH && equals))
            return error_set(error, STATUS_INVALID, "unknown option \"%s\"; see relud --help",
                             argv[i]);
        const char *value = equals ? equals + 1 : NULL;
        if (!value && flag->kind != FLAG_SWITCH && ++i < count)
            value = argv[i];
        if (!value && flag->kind != FLAG_SWITCH)
            return error_set(error, STATUS_INVALID, "%s: expected a value", flag->name);
        if (set_flag(flag, value, error) != STATUS_OK)
            return error->status;
    }
    return STATUS_OK;
}
