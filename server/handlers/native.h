/* native: the codec of POST /infer: rows as JSON or as bare floats, with activation statistics. */
#ifndef RELUD_NATIVE_H
#define RELUD_NATIVE_H

#include "infer.h"

struct native {
    struct infer infer;
    bool raw_body, raw_reply; /* octet-stream instead of JSON */
};

static inline struct native *native_of(struct infer *infer)
{
    return (struct native *)infer;
}

/* See struct infer_codec. */
enum status native_decode(struct infer *infer, struct error *error);
void native_reply(struct infer *infer);

#endif
