#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum option_type { TYPE_TEXT, TYPE_CHOICE, TYPE_COUNT, TYPE_LIST, TYPE_SWITCH };

struct option {
    enum option_type type;
    const char *name;
    size_t offset; /* of the field in struct options */
    const char *fallback;
    uint64_t count, least, most;
    const char *meta; /* for a choice: the choices */
    const char *help;
};

static const struct option table[] = {
#define OPTION_TEXT(field, name, fallback, meta, help) \
    {TYPE_TEXT, name, offsetof(struct options, field), fallback, 0, 0, 0, meta, help},
#define OPTION_CHOICE(field, name, fallback, choices, help) \
    {TYPE_CHOICE, name, offsetof(struct options, field), fallback, 0, 0, 0, choices, help},
#define OPTION_COUNT(field, name, fallback, least, most, meta, help) \
    {TYPE_COUNT, name, offsetof(struct options, field), NULL, fallback, least, most, meta, help},
#define OPTION_LIST(field, name, meta, help) \
    {TYPE_LIST, name, offsetof(struct options, field), NULL, 0, 0, 0, meta, help},
#define OPTION_SWITCH(field, name, help) \
    {TYPE_SWITCH, name, offsetof(struct options, field), "off", 0, 0, 0, "", help},
#include "options.def"
#undef OPTION_TEXT
#undef OPTION_CHOICE
#undef OPTION_COUNT
#undef OPTION_LIST
#undef OPTION_SWITCH
};

enum { HELP_COLUMN = 34 };

enum { OPTION_COUNT_ALL = sizeof table / sizeof table[0] };

static void *field_of(struct options *options, const struct option *option)
{
    return (char *)options + option->offset;
}

/* Whether value is one of "a|b|c". */
static bool is_choice(const char *choices, const char *value)
{
    size_t length = strlen(value);
    for (const char *at = choices; *at; at += strcspn(at, "|"), at += *at == '|')
        if (length > 0 && strcspn(at, "|") == length && memcmp(at, value, length) == 0)
            return true;
    return false;
}

static enum status set_count(const struct option *option, uint64_t *field, const char *value,
                             struct error *error)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = isdigit((unsigned char)value[0]) ? strtoull(value, &end, 10) : 0;
    if (!end || *end || errno || number < option->least || number > option->most)
        return error_set(error, STATUS_INVALID,
                         "--%s: expected a number from %llu to %llu, found \"%s\"", option->name,
                         (unsigned long long)option->least, (unsigned long long)option->most,
                         value);
    *field = number;
    return STATUS_OK;
}

static enum status set_switch(const struct option *option, bool *field, const char *value,
                              struct error *error)
{
    *field = is_choice("on|true|1", value);
    if (*field || is_choice("off|false|0", value))
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, "--%s: expected on or off, found \"%s\"", option->name,
                     value);
}

static enum status add_item(struct option_list *list, const char *what, const char *item,
                            struct error *error)
{
    if (list->count == OPTION_LIST_MAX)
        return error_set(error, STATUS_TOO_LARGE, "%s: expected at most %d", what, OPTION_LIST_MAX);
    list->items[list->count++] = item;
    return STATUS_OK;
}

static enum status set_option(struct options *options, const struct option *option,
                              const char *value, struct error *error)
{
    void *field = field_of(options, option);
    switch (option->type) {
    case TYPE_CHOICE:
        if (!is_choice(option->meta, value))
            return error_set(error, STATUS_INVALID, "--%s: expected %s, found \"%s\"", option->name,
                             option->meta, value);
        /* fallthrough */
    case TYPE_TEXT:
        *(const char **)field = value;
        return STATUS_OK;
    case TYPE_COUNT:
        return set_count(option, field, value, error);
    case TYPE_LIST:
        return add_item(field, option->name, value, error);
    case TYPE_SWITCH:
        return set_switch(option, field, value, error);
    }
    return STATUS_OK;
}

static void set_defaults(struct options *options)
{
    *options = (struct options){.host = NULL};
    for (size_t i = 0; i < OPTION_COUNT_ALL; i++) {
        void *field = field_of(options, &table[i]);
        if (table[i].type == TYPE_COUNT)
            *(uint64_t *)field = table[i].count;
        else if (table[i].type == TYPE_TEXT || table[i].type == TYPE_CHOICE)
            *(const char **)field = table[i].fallback;
    }
}

/* The variable of an option: RELUD_MAX_BODY_BYTES for max-body-bytes. */
static const char *environment_of(const struct option *option)
{
    char name[64] = "RELUD_";
    size_t length = strlen(name);
    for (const char *c = option->name; *c && length < sizeof name - 1; c++)
        name[length++] = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    return getenv(name);
}

/* Kubernetes injects RELUD_PORT=tcp://… for a Service named relud; that is not ours. */
static bool is_kubernetes_port(const struct option *option, const char *value)
{
    return strcmp(option->name, "port") == 0 && strncmp(value, "tcp://", 6) == 0;
}

/* Splits the variable of a list at spaces. */
static enum status read_list(struct option_list *list, const struct option *option,
                             const char *value, struct error *error)
{
    char *rest = NULL;
    list->owned = strdup(value);
    for (char *item = list->owned ? strtok_r(list->owned, " ", &rest) : NULL; item;
         item = strtok_r(NULL, " ", &rest))
        if (add_item(list, option->name, item, error) != STATUS_OK)
            return error->status;
    return STATUS_OK;
}

static enum status read_environment(struct options *options, struct error *error)
{
    for (size_t i = 0; i < OPTION_COUNT_ALL; i++) {
        const struct option *option = &table[i];
        const char *value = environment_of(option);
        if (!value || !value[0] || is_kubernetes_port(option, value))
            continue;
        enum status status = option->type == TYPE_LIST
                                 ? read_list(field_of(options, option), option, value, error)
                                 : set_option(options, option, value, error);
        if (status != STATUS_OK)
            return error_prefix(error, "environment");
    }
    return STATUS_OK;
}

static const struct option *find_option(const char *name, size_t length)
{
    for (size_t i = 0; i < OPTION_COUNT_ALL; i++)
        if (strlen(table[i].name) == length && memcmp(table[i].name, name, length) == 0)
            return &table[i];
    return NULL;
}

/* A flag on the command line replaces the list that the environment gave. */
static void begin_lists(struct options *options, bool *begun, const struct option *option)
{
    if (option->type == TYPE_LIST && !*begun) {
        ((struct option_list *)field_of(options, option))->count = 0;
        *begun = true;
    }
}

enum status options_read(struct options *options, int count, char *const *argv, struct error *error)
{
    bool list_begun[OPTION_COUNT_ALL] = {false};
    set_defaults(options);
    if (read_environment(options, error) != STATUS_OK)
        return error->status;
    for (int i = 0; i < count; i++) {
        const char *argument = argv[i];
        if (strncmp(argument, "--", 2) != 0) {
            if (add_item(&options->models, "models", argument, error) != STATUS_OK)
                return error->status;
            continue;
        }
        size_t length = strcspn(argument + 2, "=");
        const struct option *option = find_option(argument + 2, length);
        if (!option)
            return error_set(error, STATUS_INVALID, "unknown option \"%s\"; see relud --help",
                             argument);
        const char *value = argument[2 + length] == '=' ? argument + 3 + length : NULL;
        if (!value && option->type == TYPE_SWITCH)
            value = "on";
        if (!value && i + 1 < count)
            value = argv[++i];
        if (!value)
            return error_set(error, STATUS_INVALID, "--%s: expected a value", option->name);
        begin_lists(options, &list_begun[option - table], option);
        if (set_option(options, option, value, error) != STATUS_OK)
            return error->status;
    }
    return STATUS_OK;
}

void options_free(struct options *options)
{
    for (size_t i = 0; i < OPTION_COUNT_ALL; i++)
        if (table[i].type == TYPE_LIST)
            free(((struct option_list *)field_of(options, &table[i]))->owned);
}

void options_help(FILE *to)
{
    for (size_t i = 0; i < OPTION_COUNT_ALL; i++) {
        const struct option *option = &table[i];
        int width = fprintf(to, "  --%s %s", option->name, option->meta);
        if (width >= HELP_COLUMN)
            width = fprintf(to, "\n") - 1;
        fprintf(to, "%*s%s", HELP_COLUMN - width, "", option->help);
        if (option->type == TYPE_COUNT)
            fprintf(to, " [%llu]", (unsigned long long)option->count);
        else if (option->fallback)
            fprintf(to, " [%s]", option->fallback);
        fputc('\n', to);
    }
}
