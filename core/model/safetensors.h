/* safetensors: the tensors of a safetensors file, as PyTorch users save a state dict.
 *
 * The file is 8 bytes, the length of the header, little-endian; the header, a JSON object that says
 * of each tensor its dtype, shape and data_offsets; the bytes of the tensors, one after another,
 * without holes. The format: https://github.com/huggingface/safetensors, README, "Format". */
#ifndef RELUD_SAFETENSORS_H
#define RELUD_SAFETENSORS_H

#include "files.h"
#include "tensor.h"

/* The reference reads headers of up to 100 MB; 16 MiB name more than 100,000 tensors, and bound the
 * memory that reading them as JSON takes. */
enum { SAFETENSORS_HEADER_BYTES_MAX = 1 << 24 };

enum safetensors_type {
#define SAFETENSORS_TYPE(name, bytes, onnx) SAFETENSORS_##name,
#include "safetensors.def"
#undef SAFETENSORS_TYPE
};

/* One tensor of the file. */
struct safetensor {
    const char *name;
    enum safetensors_type type;
    size_t rank;
    int64_t dims[TENSOR_RANK_MAX]; /* >= 0 */
    size_t offset;                 /* of its data in the file, at any alignment */
    size_t bytes;                  /* the product of dims in elements of that type */
    bool used;                     /* for who reads the file: false at first */
};

struct safetensors {
    const struct files *files; /* borrowed; the first is the file */
    struct safetensor *items;  /* by name */
    size_t count;
};

/* Reads the header of the first of files into arena; the tensors' data stay where they are. INVALID
 * unless every tensor lies in the file, is as long as its shape says, and together they are the
 * whole of it; TOO_LARGE when the header is. */
enum status safetensors_read(struct safetensors *tensors, struct arena *arena,
                             const struct files *files, struct error *error);

/* The tensor of that name, NULL when there is none. */
struct safetensor *safetensors_find(const struct safetensors *tensors, const char *name);

/* The name of a type ("F32"), and what ONNX calls it: UNDEFINED where weights may not have it. */
const char *safetensors_type_name(enum safetensors_type type);
int32_t safetensors_onnx_type(enum safetensors_type type);

#endif
