/* infer: POST /infer, from the body to a job and from the job to the reply. */
#ifndef RELUD_INFER_H
#define RELUD_INFER_H

#include <jansson.h>

#include "codec/inflate.h"
#include "codec/lift.h"
#include "handlers.h"
#include "job.h"

enum infer_stats { INFER_NONE, INFER_SUMMARY, INFER_UNITS };

struct infer {
    struct exchange *exchange; /* borrowed; it owns this */
    const struct model *model; /* borrowed */
    bool raw_body, raw_reply;  /* octet-stream instead of JSON */
    struct inflate inflate;    /* open when the body is compressed */
    struct lift lift;          /* the tensors of a JSON body; for a raw one its numbers alone */
    uint64_t raw_bytes;        /* of a raw body, so far */
    json_t *envelope;          /* owned; NULL for a raw body */
    enum infer_stats stats;
    struct job job;
    float *results; /* owned: outputs, bitmaps and active counts of the job */
};

/* Turns the complete body into infer->job, but for its results. */
enum status infer_decode(struct infer *infer, struct error *error);

/* Writes the reply of a finished job into the exchange and answers it. */
void infer_reply(struct infer *infer);

#endif
