/* v2: the codec of the Open Inference Protocol: named tensors with a shape and a datatype, as JSON
 * or as binary data behind it, in and out. */
#ifndef RELUD_V2_H
#define RELUD_V2_H

#include "infer.h"

/* The name of the header, in requests and replies. */
#define V2_JSON_LENGTH "Inference-Header-Content-Length"

/* Where the numbers of an input are. */
struct v2_input {
    bool given;
    const struct lift_array *array; /* in the JSON; NULL: behind it */
    size_t tensor;                  /* … as this one of infer.binary */
};

/* An output as the client wants it. */
struct v2_output {
    size_t index; /* of the model's outputs */
    bool binary;
    size_t classes; /* the best so many instead of all numbers; 0: all numbers */
};

struct v2 {
    struct infer infer;
    bool raw;                               /* the body is the bare rows of the one input */
    uint64_t json_bytes;                    /* of the body; UINT64_MAX: all of it */
    struct v2_input inputs[GRAPH_IO_MAX];   /* by input of the model */
    struct v2_output outputs[GRAPH_IO_MAX]; /* in the order of the reply */
    size_t output_count;
    bool batched; /* the shapes begin with the number of rows; else there is one */
};

static inline struct v2 *v2_of(struct infer *infer)
{
    return (struct v2 *)infer;
}

/* Reads the JSON, which is complete, and tells the binary tensors to come. */
enum status v2_read_json(struct v2 *v2, struct error *error);

/* Asks for every output of the model. */
void v2_want_all(struct v2 *v2, bool binary);

/* The body is complete: binds the inputs to where their numbers are. */
enum status v2_bind(struct v2 *v2, struct error *error);

/* See struct infer_codec. */
void v2_reply(struct infer *infer);

#endif
