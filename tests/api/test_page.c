/* GET / and the files that the page is made of. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "scene.h"

static const struct {
    const char *name, *type;
} files[] = {
#define WEB(name, symbol, type) {name, type},
#include "web.def"
#undef WEB
};

enum { FILES = sizeof files / sizeof files[0] };

/* Gets a file; path is where it is. */
static void get_file(const struct daemon *daemon, size_t file, char path[64], struct reply *reply)
{
    snprintf(path, 64, "%s%s", files[file].name[0] ? "/web/" : "/", files[file].name);
    client_get(daemon->port, path, reply);
    cr_assert_eq(reply->status, 200, "%s", path);
}

/* The file in the repository is what is served. */
static void expect_source(size_t file, const struct reply *reply)
{
    static char source[1 << 17];
    char path[96];
    const char *name = files[file].name;
    snprintf(path, sizeof path, "server/web/%s", name[0] ? name : "index.html");
    FILE *stream = fopen(path, "re");
    cr_assert(stream, "%s: run the tests from the repository's root", path);
    size_t count = fread(source, 1, sizeof source, stream);
    fclose(stream);
    cr_assert(count == reply->body_count && memcmp(source, reply->body, count) == 0, "%s", path);
}

Test(page, is_served_as_it_stands_in_the_repository)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < FILES; i++) {
        char path[64], value[HEADER_BYTES];
        struct reply reply;
        get_file(&daemon, i, path, &reply);
        cr_assert_str_eq(reply_header(&reply, "Content-Type", value), files[i].type, "%s", path);
        expect_source(i, &reply);
        reply_free(&reply);
    }
    daemon_stop(&daemon);
}

/* It loads nothing but itself, from nowhere else, into no frame; a script in a model's name would
 * not run. */
Test(page, keeps_to_a_strict_policy)
{
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < FILES; i++) {
        char path[64], value[HEADER_BYTES];
        struct reply reply;
        get_file(&daemon, i, path, &reply);
        cr_assert_str_eq(reply_header(&reply, "Content-Security-Policy", value),
                         "default-src 'none'; script-src 'self'; style-src 'self'; "
                         "connect-src 'self'; img-src 'self' data:; base-uri 'none'; "
                         "form-action 'none'; frame-ancestors 'none'");
        cr_assert_str_eq(reply_header(&reply, "X-Content-Type-Options", value), "nosniff");
        cr_assert_str_eq(reply_header(&reply, "Referrer-Policy", value), "no-referrer");
        cr_assert_str_eq(reply_header(&reply, "Cache-Control", value), "no-cache");
        reply_free(&reply);
    }
    daemon_stop(&daemon);
}

static void ask_again(const struct daemon *daemon, const char *path, const char *tags, long status)
{
    char header[2 * HEADER_BYTES];
    struct reply reply;
    snprintf(header, sizeof header, "If-None-Match: %s", tags);
    client_once(daemon->port, &(struct request){.path = path, .headers = {header}}, &reply);
    cr_assert_eq(reply.status, status, "%s: %s", path, tags);
    cr_assert_eq(reply.body_count == 0, status == 304, "%s: %s", path, tags);
    reply_free(&reply);
}

Test(page, is_not_sent_again_to_who_has_it)
{
    struct daemon daemon;
    char tag[HEADER_BYTES], other[HEADER_BYTES], list[2 * HEADER_BYTES];
    struct reply reply;
    DAEMON_START(&daemon, DIGITS);
    client_get(daemon.port, "/web/app.js", &reply);
    reply_header(&reply, "ETag", tag);
    reply_free(&reply);
    client_get(daemon.port, "/", &reply);
    reply_header(&reply, "ETag", other);
    reply_free(&reply);
    cr_assert(strlen(tag) == 66 && tag[0] == '"' && strcmp(tag, other) != 0, "%s %s", tag, other);
    snprintf(list, sizeof list, "\"x\", W/%s", tag);
    ask_again(&daemon, "/web/app.js", tag, 304);
    ask_again(&daemon, "/web/app.js", list, 304);
    ask_again(&daemon, "/web/app.js", "*", 304);
    ask_again(&daemon, "/web/app.js", other, 200);
    ask_again(&daemon, "/", tag, 200);
    daemon_stop(&daemon);
}

Test(page, has_no_other_files)
{
    static const char *const paths[] = {"/web/nothing.js", "/web/index.html", "/web/..%2fapp.js",
                                        "/web/%2e%2e", "/web/app.js/"};
    struct daemon daemon;
    DAEMON_START(&daemon, DIGITS);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct reply reply;
        client_get(daemon.port, paths[i], &reply);
        expect_error(&reply, 404, "not_found", "there is nothing at /web/", paths[i]);
        reply_free(&reply);
    }
    daemon_stop(&daemon);
}
