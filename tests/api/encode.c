#include "encode.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

void *encode(enum encoding encoding, const void *bytes, size_t count, size_t *encoded_count)
{
    z_stream stream = {.next_in = (Bytef *)bytes, .avail_in = (uInt)count};
    int window = encoding == ENCODE_GZIP ? 15 + 16 : 15;
    int result = deflateInit2(&stream, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
    size_t room = deflateBound(&stream, (uLong)count);
    void *encoded = malloc(room);
    cr_assert(result == Z_OK && encoded);
    stream.next_out = encoded;
    stream.avail_out = (uInt)room;
    cr_assert(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    *encoded_count = stream.total_out;
    deflateEnd(&stream);
    return encoded;
}

char *encode_chunks(const void *bytes, size_t count, size_t piece, size_t *encoded_count)
{
    char *encoded = malloc((count / piece + 2) * 24 + count);
    cr_assert(encoded);
    size_t length = 0;
    for (size_t at = 0; at < count; at += piece) {
        size_t size = count - at < piece ? count - at : piece;
        length += (size_t)sprintf(encoded + length, "%zx\r\n", size);
        memcpy(encoded + length, (const char *)bytes + at, size);
        length += size;
        length += (size_t)sprintf(encoded + length, "\r\n");
    }
    length += (size_t)sprintf(encoded + length, "0\r\n\r\n");
    *encoded_count = length;
    return encoded;
}
