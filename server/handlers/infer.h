/* infer: one inference request, from the first byte of its body to its reply.
 *
 * What the protocols have in common is here: compressed bodies, limits, memory, the run and its
 * deadline. A codec is what makes a protocol: it reads the plain bytes of the body as they arrive,
 * turns the complete body into a job, and the finished job into the reply. */
#ifndef RELUD_INFER_H
#define RELUD_INFER_H

#include <jansson.h>

#include "codec/binary.h"
#include "codec/inflate.h"
#include "codec/lift.h"
#include "handlers.h"
#include "job.h"

enum infer_stats { INFER_NONE, INFER_SUMMARY, INFER_UNITS };

struct infer;

struct infer_codec {
    /* The next bytes of the body, decompressed. */
    enum status (*take)(struct infer *infer, const char *bytes, size_t count, struct error *error);

    /* The body is complete: gives the job its rows, at most so many as may be, and its inputs. */
    enum status (*decode)(struct infer *infer, struct error *error);

    /* Writes the reply of the finished job into the exchange and answers it. */
    void (*reply)(struct infer *infer);
};

/* The first member of a codec's own struct. */
struct infer {
    const struct infer_codec *codec;
    struct exchange *exchange; /* borrowed; it owns this */
    const struct model *model; /* borrowed */
    struct inflate inflate;    /* open when the body is compressed */
    uint64_t plain_bytes;      /* of the body so far, decompressed */
    struct lift lift;          /* what the body has of JSON */
    struct binary binary;      /* … and of binary tensors */
    json_t *envelope;          /* a reference, not to be changed; NULL until there is one */
    const json_t *id;          /* the envelope's; NULL for none */
    enum infer_stats stats;    /* INFER_NONE until the codec knows better */
    uint64_t timeout_us;       /* the client's own deadline; 0 for none */
    struct job job;
    void *results; /* owned: outputs, bitmaps and active counts of the job */
};

/* Begins a request: finds its model, reads the headers that concern every codec, and gives it size
 * bytes, zeroed, for the codec's own struct. NULL after refusing. */
struct infer *infer_open(struct exchange *exchange, const struct infer_codec *codec, size_t size);

/* Refuses a job with more rows than a request may have. Numbers beyond so many rows were counted as
 * they arrived, but not kept. */
enum status infer_check_rows(const struct infer *infer, struct error *error);

/* Whether a header's value (NULL for none) names that media type, whatever parameters follow. */
bool infer_is_type(const char *value, const char *type);

/* For a body that is the bare float32 rows of the model's one input: binary_feed() takes it;
 * refused when there are several. Then the complete body as a job. */
void infer_expect_raw(struct infer *infer);
enum status infer_decode_raw(struct infer *infer, struct error *error);

/* Parses the finished lift's envelope into infer->envelope, which must be an object. */
enum status infer_parse(struct infer *infer, struct error *error);

/* Reads the envelope's "id", which must be a string, if there is one. */
enum status infer_read_id(struct infer *infer, struct error *error);

/* Reads the value of a "stats" setting. */
enum status infer_read_stats(struct infer *infer, const json_t *value, struct error *error);

/* Writes what this request's rows activated, as a JSON object; for jobs that were asked for it. */
void infer_write_activity(struct text *text, const struct infer *infer);

#endif
