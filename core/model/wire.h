/* wire: a look at a protobuf message before it is unpacked.
 *
 * protobuf-c recurses into nested messages and allocates for every one of them. A hostile file of a
 * few kilobytes can nest deep enough to overflow the stack, so the nesting is measured first,
 * without recursion, along the message's own descriptor. */
#ifndef RELUD_WIRE_H
#define RELUD_WIRE_H

#include <protobuf-c/protobuf-c.h>

#include "status.h"

enum { WIRE_DEPTH_MAX = 32, WIRE_MESSAGES_MAX = 1 << 20 };

/* INVALID when bytes are no well-formed message of that kind, nested more than WIRE_DEPTH_MAX deep
 * or made of more than WIRE_MESSAGES_MAX messages. */
enum status wire_check(const ProtobufCMessageDescriptor *kind, const uint8_t *bytes, size_t count,
                       struct error *error);

#endif
