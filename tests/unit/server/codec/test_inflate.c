#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "codec/inflate.h"
#include "text.h"

enum { PLAIN_BYTES = 200000 };

/* Text that compresses neither badly nor to nothing. */
static void fill(char *bytes, size_t count)
{
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < count; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes[i] = "0123456789,[] "[(state >> 40) % 14];
    }
}

/* bytes as a stream of that window (15: zlib, 31: gzip, -15: bare deflate); the caller frees it. */
static uint8_t *compress_bytes(int window, const char *bytes, size_t count, size_t *compressed)
{
    z_stream stream = {.next_in = (Bytef *)bytes, .avail_in = (uInt)count};
    cr_assert(deflateInit2(&stream, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    size_t room = deflateBound(&stream, count) + 64;
    uint8_t *out = malloc(room);
    cr_assert(out);
    stream.next_out = out;
    stream.avail_out = (uInt)room;
    cr_assert(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    *compressed = stream.total_out;
    deflateEnd(&stream);
    return out;
}

static enum status keep(void *context, const char *bytes, size_t count, struct error *error)
{
    (void)error;
    text_add(context, bytes, count);
    return STATUS_OK;
}

static enum status refuse(void *context, const char *bytes, size_t count, struct error *error)
{
    (void)context;
    (void)bytes;
    (void)count;
    return error_set(error, STATUS_UNSUPPORTED, "the sink refuses");
}

/* Inflates stream in pieces of that size; the status of the first step that fails, or of the end.
 */
static enum status inflate_all(const uint8_t *stream, size_t count, size_t piece, uint64_t limit,
                               struct text *plain, struct error *error)
{
    struct inflate in;
    enum status status = inflate_open(&in, limit, error);
    for (size_t at = 0; at < count && status == STATUS_OK; at += piece)
        status = inflate_feed(&in, (const char *)stream + at,
                              count - at < piece ? count - at : piece, keep, plain, error);
    if (status == STATUS_OK)
        status = inflate_finish(&in, error);
    inflate_close(&in);
    inflate_close(&in); /* idempotent */
    return status;
}

Test(inflate, streams_in_pieces_of_any_size)
{
    static const int windows[] = {15, 31};
    static const size_t pieces[] = {1, 2, 7, 1000, 16384, SIZE_MAX / 2};
    static const size_t counts[] = {0, 1, 16383, 16384, 16385, 32768, PLAIN_BYTES};
    static char bytes[PLAIN_BYTES];
    fill(bytes, sizeof bytes);
    for (size_t w = 0; w < 2; w++)
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++)
            for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
                size_t count;
                struct text plain = {.bytes = NULL};
                struct error error;
                uint8_t *stream = compress_bytes(windows[w], bytes, counts[c], &count);
                if (inflate_all(stream, count, pieces[p], counts[c], &plain, &error) != STATUS_OK)
                    cr_assert_fail("%zu bytes in pieces of %zu: %s", counts[c], pieces[p],
                                   error.message);
                if (plain.count != counts[c] ||
                    (counts[c] > 0 && memcmp(plain.bytes, bytes, counts[c]) != 0))
                    cr_assert_fail("%zu bytes became %zu others", counts[c], plain.count);
                text_free(&plain);
                free(stream);
            }
}

Test(inflate, one_byte_beyond_the_limit_is_too_large)
{
    static char bytes[PLAIN_BYTES];
    for (size_t limit = 1; limit < PLAIN_BYTES; limit = limit * 3 + 1) {
        size_t count;
        struct text plain = {.bytes = NULL};
        struct error error;
        uint8_t *stream = compress_bytes(31, bytes, limit + 1, &count);
        cr_assert_eq(inflate_all(stream, count, 100, limit, &plain, &error), STATUS_TOO_LARGE);
        cr_assert_leq(plain.count, limit, "nothing beyond the limit goes to the sink");
        text_free(&plain);
        free(stream);
    }
}

Test(inflate, every_truncation_is_invalid)
{
    static char bytes[3000];
    size_t count;
    struct error error;
    fill(bytes, sizeof bytes);
    uint8_t *stream = compress_bytes(31, bytes, sizeof bytes, &count);
    for (size_t cut = 0; cut < count; cut++) {
        struct text plain = {.bytes = NULL};
        if (inflate_all(stream, cut, 64, PLAIN_BYTES, &plain, &error) != STATUS_INVALID)
            cr_assert_fail("cut to %zu of %zu bytes", cut, count);
        text_free(&plain);
    }
    free(stream);
}

Test(inflate, what_follows_the_stream_is_invalid)
{
    for (size_t piece = 1; piece < 100; piece += 13) {
        size_t count;
        struct text plain = {.bytes = NULL};
        struct error error;
        uint8_t *stream = compress_bytes(15, "abc", 3, &count);
        stream[count++] = 'x';
        cr_assert_eq(inflate_all(stream, count, piece, 100, &plain, &error), STATUS_INVALID);
        text_free(&plain);
        free(stream);
    }
}

Test(inflate, other_bytes_are_invalid)
{
    size_t count;
    struct text plain = {.bytes = NULL};
    struct error error;
    cr_assert_eq(inflate_all((const uint8_t *)"{\"inputs\":[]}", 13, 5, 100, &plain, &error),
                 STATUS_INVALID);
    uint8_t *bare = compress_bytes(-15, "abcabcabc", 9, &count);
    cr_assert_eq(inflate_all(bare, count, 5, 100, &plain, &error), STATUS_INVALID);
    free(bare);
    text_free(&plain);
}

Test(inflate, the_sinks_error_comes_back)
{
    size_t count;
    struct inflate in;
    struct error error;
    uint8_t *stream = compress_bytes(31, "abc", 3, &count);
    cr_assert_eq(inflate_open(&in, 100, &error), STATUS_OK);
    cr_assert_eq(inflate_feed(&in, (const char *)stream, count, refuse, NULL, &error),
                 STATUS_UNSUPPORTED);
    cr_assert_str_eq(error.message, "the sink refuses");
    inflate_close(&in);
    free(stream);
}
