#include "wire.h"

#include <stdbool.h>
#include <stdint.h>

/* A message being read: what kind it is and where it ends. */
struct frame {
    const ProtobufCMessageDescriptor *kind;
    const uint8_t *end;
};

static bool read_varint(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; *at < end && shift < 64; shift += 7) {
        uint8_t byte = *(*at)++;
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

/* The kind of message in that field, NULL when the field holds none. */
static const ProtobufCMessageDescriptor *field_kind(const ProtobufCMessageDescriptor *kind,
                                                    uint64_t number)
{
    const ProtobufCFieldDescriptor *field =
        number <= UINT32_MAX ? protobuf_c_message_descriptor_get_field(kind, (unsigned)number)
                             : NULL;
    return field && field->type == PROTOBUF_C_TYPE_MESSAGE ? field->descriptor : NULL;
}

/* Skips a field that is no message, or gives the length of one that may be. */
static bool read_field(const uint8_t **at, const uint8_t *end, unsigned type, uint64_t *length)
{
    *length = type == 1 ? 8 : type == 5 ? 4 : 0;
    uint64_t ignored;
    if (type == 0)
        return read_varint(at, end, &ignored);
    if (type == 2 && !read_varint(at, end, length))
        return false;
    return (type == 1 || type == 2 || type == 5) && *length <= (uint64_t)(end - *at);
}

enum status wire_check(const ProtobufCMessageDescriptor *kind, const uint8_t *bytes, size_t count,
                       struct error *error)
{
    struct frame frames[WIRE_DEPTH_MAX] = {{kind, bytes + count}};
    const uint8_t *at = bytes;
    size_t depth = 1, messages = 1;
    while (depth > 0) {
        const struct frame *frame = &frames[depth - 1];
        if (at == frame->end) {
            depth--;
            continue;
        }
        uint64_t key, length;
        if (!read_varint(&at, frame->end, &key) ||
            !read_field(&at, frame->end, (unsigned)(key & 7), &length))
            return error_set(error, STATUS_INVALID,
                             "expected an ONNX protobuf, found a malformed or truncated field at "
                             "byte %zu of %zu",
                             (size_t)(at - bytes), count);
        const ProtobufCMessageDescriptor *inner =
            (key & 7) == 2 ? field_kind(frame->kind, key >> 3) : NULL;
        if (!inner) {
            at += length;
            continue;
        }
        if (depth == WIRE_DEPTH_MAX || ++messages > WIRE_MESSAGES_MAX)
            return error_set(error, STATUS_TOO_LARGE,
                             "expected at most %d nested and %d messages in all, found more at "
                             "byte %zu",
                             WIRE_DEPTH_MAX, WIRE_MESSAGES_MAX, (size_t)(at - bytes));
        frames[depth++] = (struct frame){inner, at + length};
    }
    return STATUS_OK;
}
