/* The page at / and the files it is made of. A browser asks again every time, and is told when it
 * has the file already. */
#include <string.h>

#include "embedded.h"
#include "handlers.h"

static const struct page_file {
    const char *name, *bytes, *digest, *type;
} files[] = {
#define WEB(name, symbol, type) {name, embedded_##symbol, embedded_##symbol##_digest, type},
#include "web.def"
#undef WEB
};

/* A header's list of quoted tags, or "*". */
static bool has_already(const struct exchange *exchange, const struct page_file *file)
{
    const char *tags = exchange->headers[HEADER_if_none_match];
    return tags && (strstr(tags, file->digest) || strcmp(tags, "*") == 0);
}

/* libmicrohttpd keeps the body of a 304 to itself, and tells its length. */
static void answer(struct exchange *exchange, const struct page_file *file)
{
    exchange->etag = file->digest;
    text_put(&exchange->reply, file->bytes);
    exchange_answer(exchange, has_already(exchange, file) ? 304 : 200, file->type);
}

void handle_page(struct exchange *exchange)
{
    const char *name = strrchr(exchange->path, '/') + 1;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (strcmp(files[i].name, name) == 0) {
            answer(exchange, &files[i]);
            return;
        }
    exchange_refuse(exchange, 404, "not_found", "there is nothing at %s", exchange->path);
}
