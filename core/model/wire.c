#include "wire.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A message being copied: what kind it is, where it ends in the file, and where the copy has room
 * for its length, which is known at the end. */
struct frame {
    const ProtobufCMessageDescriptor *kind;
    size_t end, length_at;
};

enum { WINDOW_BYTES = 1 << 14, LENGTH_BYTES = 5, VARINT_BYTES_MAX = 10 };

/* The wire types, and the field that holds most of a file. */
enum { TYPE_VARINT = 0, TYPE_64 = 1, TYPE_BYTES = 2, TYPE_32 = 5, TENSOR_RAW_DATA = 9 };

struct copy {
    const struct file *file;
    size_t at; /* the next byte of the file */
    uint8_t window[WINDOW_BYTES];
    size_t next, left; /* in the window: where that byte is, how many there are from it on */
    struct frame frames[WIRE_DEPTH_MAX];
    size_t depth, messages;
    struct wire *wire;
    struct error *error;
};

/* A field's head. */
struct field {
    uint64_t number, value; /* value: a varint's; of the others the length in bytes */
    unsigned type;
};

static enum status malformed(const struct copy *copy)
{
    return error_set(copy->error, STATUS_INVALID,
                     "expected an ONNX protobuf, found a malformed or truncated field at byte %zu "
                     "of %zu",
                     copy->at, copy->file->count);
}

/* Reading the file */

/* Copies the next bytes, which the file has, to a place of its own. */
static enum status take(struct copy *copy, void *to, size_t count)
{
    for (size_t some; count > 0; count -= some) {
        if (copy->left == 0) {
            size_t rest = copy->file->count - copy->at;
            copy->next = 0;
            copy->left = rest < WINDOW_BYTES ? rest : WINDOW_BYTES;
            if (file_read(copy->file, copy->at, copy->left, copy->window, copy->error) != STATUS_OK)
                return copy->error->status;
        }
        some = count < copy->left ? count : copy->left;
        memcpy(to, copy->window + copy->next, some);
        to = (char *)to + some;
        copy->at += some;
        copy->next += some;
        copy->left -= some;
    }
    return STATUS_OK;
}

static void skip(struct copy *copy, size_t count)
{
    size_t some = count < copy->left ? count : copy->left;
    copy->at += count;
    copy->next += some;
    copy->left -= some;
}

static enum status take_varint(struct copy *copy, size_t end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; copy->at < end && shift < 64; shift += 7) {
        uint8_t byte;
        if (take(copy, &byte, 1) != STATUS_OK)
            return copy->error->status;
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return STATUS_OK;
    }
    return malformed(copy);
}

static enum status take_head(struct copy *copy, size_t end, struct field *field)
{
    uint64_t key;
    if (take_varint(copy, end, &key) != STATUS_OK)
        return copy->error->status;
    field->number = key >> 3;
    field->type = (unsigned)(key & 7);
    field->value = field->type == TYPE_64 ? 8 : 4;
    if (field->type == TYPE_VARINT || field->type == TYPE_BYTES)
        if (take_varint(copy, end, &field->value) != STATUS_OK)
            return copy->error->status;
    if (field->type == TYPE_VARINT)
        return STATUS_OK;
    bool known = field->type == TYPE_BYTES || field->type == TYPE_64 || field->type == TYPE_32;
    return known && field->value <= end - copy->at ? STATUS_OK : malformed(copy);
}

/* Writing the copy */

/* Room for so many bytes more, of which none is used yet; NULL without memory. */
static uint8_t *room(struct copy *copy, size_t count)
{
    struct wire *wire = copy->wire;
    if (count > wire->capacity - wire->count) {
        size_t capacity = 2 * wire->capacity + count;
        uint8_t *bytes = realloc(wire->bytes, capacity);
        if (!bytes) {
            error_set(copy->error, STATUS_OUT_OF_MEMORY, "no memory left for the file");
            return NULL;
        }
        wire->bytes = bytes;
        wire->capacity = capacity;
    }
    return wire->bytes + wire->count;
}

static enum status put_varint(struct copy *copy, uint64_t value)
{
    uint8_t *to = room(copy, VARINT_BYTES_MAX);
    if (!to)
        return copy->error->status;
    for (; value >= 0x80; value >>= 7)
        *to++ = (uint8_t)(value | 0x80);
    *to++ = (uint8_t)value;
    copy->wire->count = (size_t)(to - copy->wire->bytes);
    return STATUS_OK;
}

static enum status put_key(struct copy *copy, const struct field *field)
{
    return put_varint(copy, field->number << 3 | field->type);
}

static enum status copy_field(struct copy *copy, const struct field *field)
{
    const size_t count = field->type == TYPE_VARINT ? 0 : field->value;
    uint8_t *to = NULL;
    if (put_key(copy, field) != STATUS_OK ||
        ((field->type == TYPE_VARINT || field->type == TYPE_BYTES) &&
         put_varint(copy, field->value) != STATUS_OK) ||
        !(to = room(copy, count)) || take(copy, to, count) != STATUS_OK)
        return copy->error->status;
    copy->wire->count += count;
    return STATUS_OK;
}

void wire_place_init(struct wire_place *place, Onnx__TensorProto *tensor, size_t offset,
                     size_t length)
{
    char *const pairs[3][2] = {{(char *)"location", (char *)""},
                               {(char *)"offset", place->offset},
                               {(char *)"length", place->length}};
    snprintf(place->offset, sizeof place->offset, "%zu", offset);
    snprintf(place->length, sizeof place->length, "%zu", length);
    for (size_t i = 0; i < 3; i++) {
        onnx__string_string_entry_proto__init(&place->entries[i]);
        place->entries[i].key = pairs[i][0];
        place->entries[i].value = pairs[i][1];
        place->list[i] = &place->entries[i];
    }
    tensor->has_data_location = 1;
    tensor->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    tensor->n_external_data = 3;
    tensor->external_data = place->list;
}

/* Puts the fields that say where the next bytes of the file are in their stead. */
static enum status leave_data(struct copy *copy, size_t count)
{
    struct wire_place place;
    Onnx__TensorProto tensor = ONNX__TENSOR_PROTO__INIT;
    wire_place_init(&place, &tensor, copy->at, count);
    uint8_t *to = room(copy, onnx__tensor_proto__get_packed_size(&tensor));
    if (!to)
        return copy->error->status;
    copy->wire->count += onnx__tensor_proto__pack(&tensor, to);
    skip(copy, count);
    return STATUS_OK;
}

static enum status begin_message(struct copy *copy, const ProtobufCMessageDescriptor *kind,
                                 const struct field *field)
{
    if (copy->depth == WIRE_DEPTH_MAX || ++copy->messages > WIRE_MESSAGES_MAX)
        return error_set(copy->error, STATUS_TOO_LARGE,
                         "expected at most %d nested and %d messages in all, found more at byte "
                         "%zu",
                         WIRE_DEPTH_MAX, WIRE_MESSAGES_MAX, copy->at);
    if (put_key(copy, field) != STATUS_OK || !room(copy, LENGTH_BYTES))
        return copy->error->status;
    copy->frames[copy->depth++] =
        (struct frame){kind, copy->at + (size_t)field->value, copy->wire->count};
    copy->wire->count += LENGTH_BYTES;
    return STATUS_OK;
}

/* Fills in the length, as a varint of LENGTH_BYTES. */
static void end_message(struct copy *copy)
{
    const struct frame *frame = &copy->frames[--copy->depth];
    uint8_t *to = copy->wire->bytes + frame->length_at;
    size_t length = copy->wire->count - frame->length_at - LENGTH_BYTES;
    for (size_t i = 0; i < LENGTH_BYTES; i++, length >>= 7)
        to[i] = (uint8_t)((length & 0x7F) | (i < LENGTH_BYTES - 1 ? 0x80 : 0));
}

static enum status next_field(struct copy *copy)
{
    const struct frame *frame = &copy->frames[copy->depth - 1];
    struct field field;
    if (take_head(copy, frame->end, &field) != STATUS_OK)
        return copy->error->status;
    const ProtobufCFieldDescriptor *known =
        field.number <= UINT32_MAX
            ? protobuf_c_message_descriptor_get_field(frame->kind, (unsigned)field.number)
            : NULL;
    if (!known) {
        skip(copy, field.type == TYPE_VARINT ? 0 : (size_t)field.value);
        return STATUS_OK;
    }
    if (field.type == TYPE_BYTES && known->type == PROTOBUF_C_TYPE_MESSAGE)
        return begin_message(copy, known->descriptor, &field);
    if (field.type == TYPE_BYTES && field.number == TENSOR_RAW_DATA &&
        frame->kind == &onnx__tensor_proto__descriptor && field.value >= WIRE_LARGE_BYTES)
        return leave_data(copy, (size_t)field.value);
    return copy_field(copy, &field);
}

static enum status copy_message(struct copy *copy)
{
    const struct frame *const outer = &copy->frames[0];
    while (copy->at < outer->end || copy->depth > 1) {
        if (copy->depth > 1 && copy->at == copy->frames[copy->depth - 1].end)
            end_message(copy);
        else if (next_field(copy) != STATUS_OK)
            return copy->error->status;
    }
    return STATUS_OK;
}

enum status wire_read(const ProtobufCMessageDescriptor *kind, const struct file *file,
                      struct wire *wire, struct error *error)
{
    struct error ignored = {.status = STATUS_OK};
    struct copy copy = {.file = file, .wire = wire, .error = error ? error : &ignored};
    *wire = (struct wire){.bytes = NULL};
    copy.frames[0] = (struct frame){kind, file->count, 0};
    copy.depth = copy.messages = 1;
    enum status status = copy_message(&copy);
    if (status != STATUS_OK)
        wire_free(wire);
    return status;
}

void wire_free(struct wire *wire)
{
    free(wire->bytes);
    *wire = (struct wire){.bytes = NULL};
}
