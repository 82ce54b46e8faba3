/* wire: reads a protobuf message from a file, all of it but its large tensors.
 *
 * protobuf-c copies every byte of a message, recurses into nested ones and allocates for each. The
 * numbers of a network are nearly all of its file and are wanted elsewhere, so they stay there; and
 * a hostile file of a few kilobytes can nest deep enough to overflow the stack, so the nesting is
 * measured first, without recursion, along the message's own descriptor. */
#ifndef RELUD_WIRE_H
#define RELUD_WIRE_H

#include "file.h"
#include "onnx.pb-c.h"

enum { WIRE_DEPTH_MAX = 32, WIRE_MESSAGES_MAX = 1 << 20, WIRE_LARGE_BYTES = 1 << 12 };

/* Where a tensor's raw data lies in the file the tensor was read from, said in ONNX's own form for
 * external data: an empty "location", "offset" and "length". */
struct wire_place {
    Onnx__StringStringEntryProto entries[3], *list[3];
    char offset[24], length[24];
};

/* Makes tensor say so; place must outlive it. */
void wire_place_init(struct wire_place *place, Onnx__TensorProto *tensor, size_t offset,
                     size_t length);

/* A message of the same kind as the file's, fit to be unpacked. */
struct wire {
    uint8_t *bytes; /* owned */
    size_t count, capacity;
};

/* Reads the message that file is. Raw data of WIRE_LARGE_BYTES and more in a tensor is left in the
 * file, and the tensor says where by a wire_place. Fields that kind does not know are dropped.
 * INVALID when the file is no well-formed message of that kind, TOO_LARGE when messages are nested
 * more than WIRE_DEPTH_MAX deep or are more than WIRE_MESSAGES_MAX. */
enum status wire_read(const ProtobufCMessageDescriptor *kind, const struct file *file,
                      struct wire *wire, struct error *error);
void wire_free(struct wire *wire);

#endif
