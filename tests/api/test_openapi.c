/* routes.def, /openapi.json, README.md and the command line say the same. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "route_table.h"
#include "schema.h"
#include "scene.h"

static const struct {
    const char *name, *source;
} verdicts[] = {
#define VERDICT(name, source) {#name, source},
#include "stats/verdict.def"
#undef VERDICT
};

static json_t *read_document(void)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    json_t *document = get_json(&daemon, "/openapi.json");
    daemon_stop(&daemon);
    return document;
}

static const char *name_of(char letter)
{
    return letter == 'm' ? "model" : letter == 'v' ? "version" : "file";
}

/* The route's path as OpenAPI writes it, with or without the optional part. */
static const char *path_of(const char *pattern, bool optional, char path[128])
{
    char *at = path;
    for (; *pattern; pattern++) {
        if (*pattern == '[' && !optional)
            pattern = strchr(pattern, ']');
        else if (*pattern == '{')
            at += sprintf(at, "{%s}", name_of(pattern[1])), pattern += 2;
        else if (*pattern != '[' && *pattern != ']')
            *at++ = *pattern;
    }
    *at = '\0';
    return path;
}

/* The scopes that the "security" of an operation names: any one of them will do. */
static enum scope scopes_of(const json_t *operation)
{
    unsigned scopes = SCOPE_OPEN;
    const json_t *choice;
    size_t i;
    json_array_foreach(json_object_get(operation, "security"), i, choice)
    {
        const json_t *names = json_object_get(choice, "key");
        const char *name = json_string_value(json_array_get(names, 0));
        cr_assert(json_array_size(names) == 1 && name);
        scopes |= strcmp(name, "infer") == 0     ? SCOPE_INFER
                  : strcmp(name, "metrics") == 0 ? SCOPE_METRICS
                                                 : SCOPE_ADMIN;
    }
    return (enum scope)scopes;
}

static void expect_operation(const json_t *paths, size_t route, bool optional)
{
    char path[128];
    const char *method = strcmp(routes[route].method, "GET") == 0 ? "get" : "post";
    path_of(routes[route].path, optional, path);
    const json_t *item = json_object_get(paths, path);
    const json_t *operation = json_object_get(item, method);
    cr_assert(operation && json_object_size(item) == 1, "%s %s", method, path);
    cr_assert(json_is_array(json_object_get(operation, "security")), "%s", path);
    cr_assert_eq(scopes_of(operation), routes[route].scopes, "the scopes of %s", path);
}

Test(openapi, has_every_route_and_its_scope_and_nothing_else)
{
    json_t *document = read_document();
    const json_t *paths = json_object_get(document, "paths");
    size_t count = 0;
    for (size_t i = 0; i < ROUTES; i++)
        for (int optional = 0; optional <= (strchr(routes[i].path, '[') != NULL); optional++) {
            expect_operation(paths, i, optional);
            count++;
        }
    cr_assert_eq(json_object_size(paths), count);
    json_decref(document);
}

/* Nothing else is answered with 304. */
Test(openapi, says_what_a_browser_may_keep)
{
    json_t *document = read_document();
    json_t *paths = json_object_get(document, "paths"), *path;
    const char *name;
    json_object_foreach(paths, name, path)
    {
        const json_t *replies = json_object_get(json_object_get(path, "get"), "responses");
        bool is_page = strcmp(name, "/") == 0 || strcmp(name, "/web/{file}") == 0;
        cr_assert_eq(json_object_get(replies, "304") != NULL, is_page, "%s", name);
    }
    json_decref(document);
}

Test(openapi, has_the_version_of_the_program)
{
    json_t *document = read_document();
    struct command command;
    char line[64];
    COMMAND_RUN(&command, "--version");
    snprintf(line, sizeof line, "relud %s\n",
             json_string_value(json_object_get(json_object_get(document, "info"), "version")));
    cr_assert_str_eq(command.out, line);
    command_free(&command);
    json_decref(document);
}

Test(openapi, names_the_source_of_every_verdict)
{
    json_t *document = read_document();
    const json_t *layer = json_object_get(
        json_object_get(json_object_get(document, "components"), "schemas"), "LayerStats");
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        const json_t *field =
            json_object_get(json_object_get(layer, "properties"), verdicts[i].name);
        const char *text = json_string_value(json_object_get(field, "description"));
        cr_assert(text && strstr(text, verdicts[i].source), "%s: %s", verdicts[i].name, text);
    }
    json_decref(document);
}

/* README.md */

static char *read_readme(void)
{
    enum { ROOM = 1 << 20 };
    char *text = calloc(1, ROOM);
    FILE *file = fopen("README.md", "re");
    cr_assert(text && file, "run the tests from the repository's root");
    cr_assert_lt(fread(text, 1, ROOM, file), ROOM);
    fclose(file);
    return text;
}

Test(openapi, readme_lists_every_route)
{
    char *readme = read_readme();
    for (size_t i = 0; i < ROUTES; i++) {
        char entry[160];
        snprintf(entry, sizeof entry, "`%s %s`", routes[i].method, routes[i].path);
        cr_assert(strstr(readme, entry), "README.md does not list %s", entry);
    }
    free(readme);
}

static bool is_route(const char *entry, size_t length)
{
    for (size_t i = 0; i < ROUTES; i++) {
        char route[160];
        snprintf(route, sizeof route, "%s %s", routes[i].method, routes[i].path);
        if (strlen(route) == length && memcmp(route, entry, length) == 0)
            return true;
    }
    return false;
}

/* Whatever stands in backquotes and begins with a method is a route. */
Test(openapi, readme_lists_no_other_route)
{
    static const char *const methods[] = {"`GET /", "`POST /"};
    char *readme = read_readme();
    for (size_t m = 0; m < 2; m++)
        for (const char *at = readme; (at = strstr(at, methods[m])) != NULL; at++)
            cr_assert(is_route(at + 1, strcspn(at + 1, "`")), "README.md: %.40s", at);
    free(readme);
}
