#include "inflate.h"

enum { PIECE_BYTES = 16 * 1024, WINDOW_AUTO = 15 + 32 };

enum status inflate_open(struct inflate *in, uint64_t limit_bytes, struct error *error)
{
    *in = (struct inflate){.limit_bytes = limit_bytes};
    if (inflateInit2(&in->stream, WINDOW_AUTO) != Z_OK)
        return error_set(error, STATUS_OUT_OF_MEMORY, "no memory left to inflate the body");
    in->open = true;
    return STATUS_OK;
}

void inflate_close(struct inflate *in)
{
    if (in->open)
        inflateEnd(&in->stream);
    in->open = false;
}

/* Inflates once into piece; *count receives how much came out. */
static enum status step(struct inflate *in, char *piece, size_t *count, struct error *error)
{
    z_stream *stream = &in->stream;
    stream->next_out = (Bytef *)piece;
    stream->avail_out = PIECE_BYTES;
    int result = in->ended ? Z_DATA_ERROR : inflate(stream, Z_NO_FLUSH);
    *count = PIECE_BYTES - stream->avail_out;
    in->count += *count;
    in->ended |= result == Z_STREAM_END;
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
        return error_set(error, STATUS_INVALID,
                         "the body is no well-formed gzip or deflate stream");
    if (in->count > in->limit_bytes)
        return error_set(error, STATUS_TOO_LARGE, "the body inflates to more than %llu bytes",
                         (unsigned long long)in->limit_bytes);
    return STATUS_OK;
}

enum status inflate_feed(struct inflate *in, const char *bytes, size_t count, inflate_sink *sink,
                         void *context, struct error *error)
{
    char piece[PIECE_BYTES];
    size_t made = PIECE_BYTES;
    in->stream.next_in = (Bytef *)bytes;
    in->stream.avail_in = (uInt)count;
    while (in->stream.avail_in > 0 || made == PIECE_BYTES) {
        enum status status = step(in, piece, &made, error);
        if (status == STATUS_OK && made > 0)
            status = sink(context, piece, made, error);
        if (status != STATUS_OK)
            return status;
        if (in->ended && in->stream.avail_in == 0)
            break;
    }
    return STATUS_OK;
}

enum status inflate_finish(const struct inflate *in, struct error *error)
{
    if (in->ended)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID, "the compressed body ends too early");
}
